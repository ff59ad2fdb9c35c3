//! A Helm release as its record tells it: bytes of a release Secret in, facts out.
//!
//! Helm stores a release as JSON, gzipped and base64-encoded, under the key `release` of a Secret whose own data is base64 again
//! (helm `pkg/storage/driver/util.go`). The record carries the user's values and the rendered manifest, so it is full of secrets: nothing here
//! prints them, and only the [`Values`] paths that a profile names are ever looked up.

mod access;
mod known;
mod manifest;
mod payload;
mod values;

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use access::{AccessId, AccessKind, DeclaredBinding};
pub use known::{KnownBy, Rendered};
pub use payload::{DecodeError, INFLATED_LIMIT, Scratch};
pub use values::{Defaults, Form, Origin, Values};

use crate::claim::DeclaredClaim;
use crate::name::{ChartName, ReleaseId};
use crate::version::Version;
use crate::workload::{Workload, WorkloadKind};

/// The status of a revision, in Helm's own words (helm `pkg/release/common/status.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseStatus {
    /// Installed, and the newest that worked.
    Deployed,
    /// Replaced by a later revision.
    Superseded,
    /// An install, upgrade or rollback that did not work.
    Failed,
    /// Removed with `--keep-history`.
    Uninstalled,
    /// Being removed.
    Uninstalling,
    /// Being installed, or killed while it was.
    PendingInstall,
    /// Being upgraded, or killed while it was.
    PendingUpgrade,
    /// Being rolled back, or killed while it was.
    PendingRollback,
    /// Any other word.
    Unknown,
}

impl ReleaseStatus {
    /// The status of that name; [`Self::Unknown`] for a word that Helm does not have today.
    pub fn parse(text: &str) -> Self {
        match text {
            "deployed" => Self::Deployed,
            "superseded" => Self::Superseded,
            "failed" => Self::Failed,
            "uninstalled" => Self::Uninstalled,
            "uninstalling" => Self::Uninstalling,
            "pending-install" => Self::PendingInstall,
            "pending-upgrade" => Self::PendingUpgrade,
            "pending-rollback" => Self::PendingRollback,
            _ => Self::Unknown,
        }
    }

    /// Helm's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Uninstalled => "uninstalled",
            Self::Uninstalling => "uninstalling",
            Self::PendingInstall => "pending-install",
            Self::PendingUpgrade => "pending-upgrade",
            Self::PendingRollback => "pending-rollback",
            Self::Unknown => "unknown",
        }
    }

    /// True while an operation holds the release: Helm refuses an upgrade then, for ever if the operation was killed (FACTS 5.3).
    pub fn is_pending(self) -> bool {
        matches!(
            self,
            Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback
        )
    }
}

impl Release {
    /// True if a document that could not be read declares a workload of this kind, or may do so.
    pub fn may_hide(&self, kind: WorkloadKind) -> bool {
        self.unreadable
            .iter()
            .any(|unreadable| unreadable == kind.as_str() || unreadable == manifest::DOCUMENT)
    }
}

/// Which of the revisions before the newest says what is installed, from their statuses, newest first; `None` where the newest itself does.
///
/// It is the newest deployed one. A rollback that fails leaves none (helm `pkg/action/rollback.go` calls the revision that it was to replace
/// superseded all the same), and so does an upgrade that is killed between its last two writes: then it is the newest superseded one, the last
/// that worked (DOMAIN §8 "Rollback"). Nothing from before an uninstall is installed.
pub fn standing(newest: ReleaseStatus, earlier: &[ReleaseStatus]) -> Option<usize> {
    use ReleaseStatus::{
        Deployed, Failed, PendingRollback, PendingUpgrade, Superseded, Uninstalled, Uninstalling,
    };
    let first = |wanted| earlier.iter().position(|status| *status == wanted);
    let gone = earlier
        .iter()
        .position(|status| matches!(status, Uninstalled | Uninstalling));
    match newest {
        Deployed => None,
        Failed | PendingUpgrade | PendingRollback => first(Deployed)
            .or_else(|| first(Superseded).filter(|worked| gone.is_none_or(|gone| *worked < gone))),
        _ => first(Deployed),
    }
}

impl fmt::Display for ReleaseStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A revision as its labels tell it, without its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionHead {
    /// Which release.
    pub id: ReleaseId,
    /// Its number, counted from 1; 0 where Helm's records may not be read, so that it is not known.
    pub revision: u32,
    /// Its status.
    pub status: ReleaseStatus,
}

/// What a release's chart says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartMetadata {
    /// The chart's name.
    pub name: ChartName,
    /// The chart's version as written; Helm stores what Chart.yaml held.
    pub version_text: String,
    /// The version parsed, where it is one.
    pub version: Option<Version>,
    /// The application's version, where the chart names one.
    pub app_version: Option<String>,
}

/// How Helm applied a revision's objects (`apply_method`, Helm 4; absent means client-side).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApplyMethod {
    /// Three-way merge patches.
    ClientSide,
    /// Server-side apply: fields owned by others conflict (FACTS 5.4).
    ServerSide,
}

/// One revision of a release, decoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// By what it is known: what a record alone tells is otherwise unknown, and not absent.
    #[serde(default)]
    pub known_by: KnownBy,
    /// Revision and status. The payload's own word, which Helm keeps in step with the labels.
    pub head: RevisionHead,
    /// The chart it was made from.
    pub chart: ChartMetadata,
    /// When revision 1 was installed.
    pub first_deployed: Option<Timestamp>,
    /// When this revision was made.
    pub last_deployed: Option<Timestamp>,
    /// What Helm says of it, such as `Upgrade complete` or why it failed. What the user's values say is not repeated in it.
    #[serde(default)]
    pub description: String,
    /// How its objects were applied.
    pub apply_method: ApplyMethod,
    /// The workloads of its stored manifest.
    pub workloads: Vec<Workload>,
    /// The claims of its stored manifest, in its order.
    #[serde(default)]
    pub claims: Vec<DeclaredClaim>,
    /// The bindings of its stored manifest that give a service account rights.
    #[serde(default)]
    pub bindings: Vec<DeclaredBinding>,
    /// Documents of the manifest that could not be read, by their kind and name where these could.
    pub unreadable: Vec<String>,
    /// User values over chart defaults; never serialised, never printed.
    #[serde(skip)]
    pub values: Values,
}

#[cfg(test)]
mod tests {
    use super::ReleaseStatus::{
        Deployed, Failed, PendingInstall, PendingRollback, PendingUpgrade, Superseded, Uninstalled,
        Unknown,
    };
    use super::standing;

    #[test]
    fn the_last_that_worked_says_what_is_installed() {
        for (newest, earlier, expected) in [
            (Deployed, &[Superseded, Deployed][..], None),
            (Failed, &[Superseded, Deployed], Some(1)),
            (Failed, &[Failed, Superseded, Superseded], Some(1)),
            (PendingUpgrade, &[Superseded], Some(0)),
            (PendingRollback, &[PendingUpgrade, Superseded], Some(1)),
            (Failed, &[Failed], None),
            (Failed, &[], None),
            // Nothing from before an uninstall is installed, whatever it was then.
            (Uninstalled, &[Superseded], None),
            (PendingInstall, &[Superseded], None),
            (Failed, &[Uninstalled, Superseded], None),
            (Failed, &[Superseded, Uninstalled, Superseded], Some(0)),
            // It is the newest itself.
            (Superseded, &[Superseded], None),
            (Unknown, &[Superseded], None),
            (Unknown, &[Superseded, Deployed], Some(1)),
        ] {
            assert_eq!(standing(newest, earlier), expected, "{newest} {earlier:?}");
        }
    }
}
