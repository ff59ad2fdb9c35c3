//! Findings: what is worth a user's attention, each with a stable code. One vocabulary for table, JSON and documentation.

mod condition;
mod explanation;
mod word;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::claim::ClaimId;
use crate::name::ReleaseId;
use crate::workload::WorkloadId;

pub use condition::{Condition, ConditionError};
pub use explanation::Explanation;
pub use word::{CodeError, SeverityError};

/// How bad a finding is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing; nothing need be done.
    Info,
    /// Should be looked at.
    Warning,
    /// Harm is likely or has begun.
    Danger,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal, $severity:ident;)+) => {
        /// What was found. Codes are never renamed or given another meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Code {
            $($(#[doc = $doc])+ #[serde(rename = $code)] $variant,)+
        }

        impl Code {
            /// Every code, for documentation and for tests that hold each to its promise.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code as users write it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self {
                    $(Self::$variant => Severity::$severity,)+
                }
            }

            /// What it means, in a sentence or two.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

codes! {
    /// A newer version of the chart is published and fits this cluster.
    ChartBehind = "chart-behind", Warning;
    /// The release runs a chart version newer than any that its repository publishes.
    ChartAhead = "chart-ahead", Info;
    /// The release's chart is no longer published: the `client` chart replaces it.
    ChartReplaced = "chart-replaced", Warning;
    /// The installed chart version is no longer listed in the repository's index.
    ChartVersionUnlisted = "chart-version-unlisted", Info;
    /// It is not known which versions of the chart are published.
    ChartUnknown = "chart-unknown", Warning;
    /// The repository does not list versions any more that it listed before, other than the oldest: they were withdrawn, or the index is damaged.
    IndexShrunk = "index-shrunk", Warning;
    /// The repository has other content under a version than before.
    ChartRepublished = "chart-republished", Danger;
    /// A chart repository of the user's `repositories.yaml` did not answer, so that it could not be taken into account.
    RepositoryUnanswered = "repository-unanswered", Warning;
    /// A configuration file of the user could not be read, so that what it says is not taken into account.
    ConfigurationUnread = "configuration-unread", Warning;
    /// The newest revision failed: its objects may be a mixture of two chart versions.
    ReleaseFailed = "release-failed", Danger;
    /// An operation holds the release, or was killed while it did; Helm refuses an upgrade until it is rolled back.
    ReleasePending = "release-pending", Danger;
    /// The release was uninstalled with its history kept, or is being uninstalled.
    ReleaseUninstalled = "release-uninstalled", Info;
    /// The record of the release could not be decoded.
    ReleaseUnreadable = "release-unreadable", Danger;
    /// Something is known that makes the upgrade to the newest version fail, or harm the release, unless it is prepared.
    UpgradeBlocked = "upgrade-blocked", Warning;
    /// Something is to be known, or to be checked by hand, before the upgrade to the newest version.
    UpgradeCaution = "upgrade-caution", Info;
    /// The release runs a prerelease which the chart's own updater ranks above the version that it led to, so that it never moves.
    RcStuck = "rc-stuck", Warning;
    /// The cluster has not the API that a workload of the chart cannot do without.
    MetricsApiMissing = "metrics-api-missing", Warning;
    /// The published image has nothing for the platform of a node that runs it: pods that start anew there cannot pull it.
    PlatformMissing = "platform-missing", Warning;
    /// A workload has another number of replicas than the release says, and no autoscaler set it.
    ReplicasDrift = "replicas-drift", Warning;
    /// A workload rolls over while it holds a claim that one node alone can mount: a new pod elsewhere waits for ever.
    RolloutDeadlock = "rollout-deadlock", Warning;
    /// The job that follows moved tags may run for less time than its rollouts may take.
    RefreshDeadline = "refresh-deadline", Warning;
    /// A newer version tag of an image is published than the one in force.
    ImageBehind = "image-behind", Info;
    /// It is not known which version tags of an image are published.
    ImageUnknown = "image-unknown", Info;
    /// Pods run other content than their tag now points to.
    DigestBehind = "digest-behind", Warning;
    /// The image is pinned to a digest, and its tag now points to other content.
    DigestPinned = "digest-pinned", Info;
    /// The annotation says that the published content was rolled out, but pods do not run it: the chart's own refresh cannot see this.
    RecordLies = "record-lies", Warning;
    /// Pods run different content of one image.
    DigestSkewed = "digest-skewed", Warning;
    /// The pull-through cache of the nodes serves old content for a tag: restarting pods gains nothing until it is fresh.
    CacheStale = "cache-stale", Warning;
    /// The pull-through cache of the nodes did not say what it serves, or stands in for a registry that did not answer.
    CacheUnconfirmed = "cache-unconfirmed", Info;
    /// The mirror that images come from has other content for a tag than its source.
    MirrorBehind = "mirror-behind", Warning;
    /// What the source of the mirror has was asked for, and is not known.
    MirrorUnconfirmed = "mirror-unconfirmed", Info;
    /// It is not known whether pods run what is published.
    DigestUnknown = "digest-unknown", Warning;
    /// The chart has a job that upgrades the release by itself, and this release goes without it.
    UpgradeAbsent = "upgrade-absent", Info;
    /// The job that upgrades the release by itself is suspended.
    UpgradeSuspended = "upgrade-suspended", Warning;
    /// The job that upgrades the release by itself runs without success, or not at all.
    UpgradeStalled = "upgrade-stalled", Warning;
    /// The job that upgrades the release has lost its rights, by an upgrade that failed or because somebody deleted them: only an administrator brings them back.
    UpgradeLockedOut = "upgrade-locked-out", Danger;
    /// The chart has a job that follows moved tags, and this release goes without it.
    RefreshAbsent = "refresh-absent", Info;
    /// The job that follows moved tags is suspended.
    RefreshSuspended = "refresh-suspended", Warning;
    /// The job that follows moved tags runs and does nothing, because images come from a mirror.
    RefreshInert = "refresh-inert", Warning;
    /// The job that follows moved tags gave up after rollouts that failed, and its runs end well all the same.
    RefreshFlapping = "refresh-flapping", Warning;
    /// Rollouts that the job began have failed; it will try again.
    RefreshRetrying = "refresh-retrying", Info;
    /// The job that follows moved tags runs without success, skips without end, or does not run at all.
    RefreshStalled = "refresh-stalled", Warning;
    /// The job that follows moved tags has lost its rights: a role or a binding of it is not there, and its runs fail.
    RefreshLockedOut = "refresh-locked-out", Warning;
    /// The job that follows moved tags ends well and never recorded a digest: it never did its work.
    RefreshNeverWorked = "refresh-never-worked", Warning;
    /// A job of the chart's automation is in the stored manifest and missing in the cluster: somebody deleted it.
    AutomationDeleted = "automation-deleted", Warning;
    /// The tag of an image floats and nothing moves it: the pull policy is not Always, and the job that would set the new digest does nothing.
    NoUpdatePath = "no-update-path", Warning;
    /// A container ended for lack of memory.
    ContainerOutOfMemory = "container-out-of-memory", Warning;
    /// A container ends as often as it is started.
    ContainerCrashing = "container-crashing", Warning;
    /// A refresh changed a workload, and did not come to its end.
    ChangeUnfinished = "change-unfinished", Warning;
    /// Another tool, such as Argo CD, Flux or Terraform, looks after the release, and undoes what is changed past it.
    ManagedElsewhere = "managed-elsewhere", Info;
    /// The installed chart version lacks fixes that later ones have. The finding is as bad as the worst fault, which need not be a warning.
    MissingFix = "missing-fix", Warning;
    /// The release names its channel by an alias that its chart version does not resolve, and so runs images that are no longer built.
    ChannelAlias = "channel-alias", Warning;
    /// The release has the defaults of an older chart version, kept by an upgrade with `--reuse-values`.
    ValuesFrozen = "values-frozen", Warning;
    /// A digest stored in the release's values holds an image still, whatever the chart brings.
    PinStored = "pin-stored", Info;
    /// The chart holds an image at a tested digest, behind its tag on purpose.
    PinHeld = "pin-held", Info;
    /// A value of the release switches the chart's own pin off, so that an image runs ahead of what was tested on its channel.
    HoldReleased = "hold-released", Warning;
    /// The stored manifest does not keep the claim: an uninstall deletes it, whatever its live annotations say.
    PvcNotKept = "pvc-not-kept", Danger;
    /// The volume behind a claim is deleted or wiped with its claim.
    PvNotRetained = "pv-not-retained", Warning;
    /// A claim of the release is missing, or not bound to a volume.
    PvcNotBound = "pvc-not-bound", Warning;
    /// The cluster did not answer a question, or the credentials may not ask it.
    ClusterUnanswered = "cluster-unanswered", Warning;
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// What a finding is about. Fields that do not apply are left out.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// The release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseId>,
    /// The image, by the name that the report gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<WorkloadId>,
    /// The claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<ClaimId>,
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What kind of thing.
    #[schemars(with = "String")]
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub subject: Subject,
    /// What was found, as a sentence without a full stop.
    pub message: String,
    /// What to type next: whole command lines, in order. Empty where nothing need or can be done.
    #[serde(default)]
    pub advice: Vec<String>,
    /// The facts it rests on, as text.
    #[serde(default)]
    pub evidence: Vec<String>,
}

impl Finding {
    /// A finding with its code's own severity, without advice.
    pub fn new(code: Code, subject: Subject, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            subject,
            message: message.into(),
            advice: Vec::new(),
            evidence: Vec::new(),
        }
    }

    /// The same with commands to type next.
    #[must_use]
    pub fn advise(mut self, advice: Vec<String>) -> Self {
        self.advice = advice;
        self
    }

    /// The same with the facts that it rests on.
    #[must_use]
    pub fn because(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(evidence);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kebab_case_unique_and_explained() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{code} twice");
            assert!(
                code.as_str()
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            );
            assert!(code.meaning().ends_with('.'), "{code}");
            assert_eq!(serde_json::to_string(code).unwrap(), format!("\"{code}\""));
        }
    }
}
