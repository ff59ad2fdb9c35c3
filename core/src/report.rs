//! Reports: what commands print. Their JSON form is documented by schemas and kept stable within a version: fields are added, never renamed,
//! and enumerations are open (DESIGN §4).

mod automation;
mod change;
mod chart;
mod explanation;
mod history;
mod selection;
mod status;
mod storage;

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use automation::{AutomationReport, AutomationState, JobReport};
pub use change::{ChangeKind, ChangeReport, Outcome};
pub use chart::{ChartReport, ChartState, NewestVersions, SkippedVersion};
pub use explanation::{ExplanationList, ExplanationReport};
pub use history::HistoryReport;
pub use status::{NodeReport, PinKind, PinReport, StatusReport, WorkloadReport, WorkloadState};
pub use storage::ClaimReport;

use crate::finding::Finding;
use crate::image::{Digest, ImageRef};
use crate::manifest::Platform;
use crate::name::{Namespace, ReleaseName};
use crate::ownership::ManagedBy;
use crate::release::ReleaseStatus;
use crate::snapshot::GapReason;
use crate::version::Change;
use crate::workload::WorkloadId;

pub use selection::{Order, Report};

/// The version of all report formats.
pub const API_VERSION: &str = "tracebloc.io/v1alpha1";

/// What is behind: the answer of `outdated`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutdatedReport {
    /// The format's version: `tracebloc.io/v1alpha1`.
    pub api_version: String,
    /// `OutdatedReport`.
    pub kind: String,
    /// The cluster asked.
    pub context: ContextReport,
    /// When the facts were observed.
    #[schemars(with = "String")]
    pub checked_at: Timestamp,
    /// The releases, by namespace and name.
    pub releases: Vec<ReleaseReport>,
    /// Counts over all releases.
    pub summary: Summary,
    /// What is worth attention, worst first within each release.
    pub findings: Vec<Finding>,
}

/// The cluster that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContextReport {
    /// The context's name; absent for in-cluster configuration and a bare `--server`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The API server's URL.
    pub server: String,
    /// The UID of the namespace `kube-system`; absent where it may not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_uid: Option<String>,
}

/// One release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseReport {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ReleaseName,
    /// Its newest revision; absent where Helm's records may not be listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
    /// The newest revision's status; `unknown` where Helm's records may not be listed.
    pub status: ReleaseStatus,
    /// Why its record may not be read, where it is known by the labels of its workloads: values, pins by value and what the stored manifest keeps are
    /// unknown then, and what is not told of them is not to be taken for absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<UnknownReason>,
    /// When it was first installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub installed_at: Option<Timestamp>,
    /// When the deployed revision, and with it the present chart version, was installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub deployed_at: Option<Timestamp>,
    /// The tool that looks after it, such as Argo CD; absent where none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<ManagedBy>,
    /// Its chart; absent where the record could not be read, or with `--only`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<ChartReport>,
    /// Its images.
    pub images: Vec<ImageReport>,
    /// The jobs with which its chart keeps it current; absent for other charts, and with `--only`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automation: Option<AutomationReport>,
    /// Its claims; absent where they were not asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub storage: Vec<ClaimReport>,
}

/// Why something is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnknownReason {
    /// The kind of failure.
    pub reason: GapReason,
    /// In words.
    pub message: String,
}

/// How an image stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ImageState {
    /// All pods run the published content.
    Current,
    /// Some or all pods run other content.
    Behind,
    /// Some pods run other content, and a rollout is replacing them.
    Rolling,
    /// Nothing runs: scaled to zero, or between runs.
    Idle,
    /// It could not be established.
    Unknown,
}

/// What qualifies an image's state.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ImageFlag {
    /// The reference names a digest that the release's values or the chart chose.
    Pinned,
    /// The reference names a digest, and whether a value chose it or a refresh set it is not known, since the release's record may not be read.
    MaybePinned,
    /// Pods run different content.
    Skewed,
    /// A restart would not pull: the pull policy is not Always.
    RestartInVain,
    /// The pull-through cache of the nodes serves other content than the registry.
    CacheStale,
    /// The chart holds it behind its tag on purpose.
    Held,
}

/// Who chose an image's tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TagSource {
    /// A value that the user set.
    Value,
    /// The chart's default.
    Default,
    /// Nobody: it is in a container's environment, for others to run.
    Env,
    /// It is not known: the release's record may not be read.
    Unknown,
}

/// One image of a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageReport {
    /// Its name in the profile, else the last part of its repository.
    pub name: String,
    /// Registry and repository, without tag and digest.
    pub repository: String,
    /// The tag that it is compared under; absent where only a digest is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Who chose the tag.
    pub source: TagSource,
    /// Where the tag is a version: how it stands among those that are published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<ImageVersion>,
    /// How its content stands; where only versions were asked for, how its version does.
    pub state: ImageState,
    /// What qualifies that.
    #[serde(default)]
    pub flags: Vec<ImageFlag>,
    /// Where it is used.
    pub references: Vec<Reference>,
    /// Its digests.
    pub digest: DigestReport,
    /// Pods that run it and whose content is known.
    pub pods: u32,
    /// Those of them that run other content than is published.
    pub pods_behind: u32,
    /// Why the state is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<UnknownReason>,
}

/// A version tag among those that are published and written alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageVersion {
    /// The tag in force.
    pub current: String,
    /// The newest comparable one, which may be the same; absent where the tags are not known or were not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<String>,
    /// By what the two differ.
    pub change: Change,
    /// Why the tags are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<UnknownReason>,
}

/// A container that uses an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// Which container.
    pub workload: ContainerId,
    /// The image as the cluster has it now; as the stored manifest has it where the workload could not be read.
    pub spec: String,
}

/// A container of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerId {
    /// The workload.
    #[serde(flatten)]
    pub workload: WorkloadId,
    /// The name of the container.
    pub container: String,
}

impl fmt::Display for ContainerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            workload,
            container,
        } = self;
        write!(formatter, "{workload}[{container}]")
    }
}

/// The digests of one image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DigestReport {
    /// What the tag points to now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Digest>,
    /// What the pull-through cache of the nodes serves, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<CachedDigest>,
    /// What the mirror's source has, where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceDigest>,
    /// What the annotation says was rolled out last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Digest>,
    /// What the reference is pinned to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Digest>,
    /// What a container's environment names, for others to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried: Option<Digest>,
    /// What pods run.
    #[serde(default)]
    pub running: Vec<RunningDigest>,
    /// When the registry said what is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub observed_at: Option<Timestamp>,
}

/// What a pull-through cache serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CachedDigest {
    /// The image in the cache.
    #[schemars(with = "String")]
    pub through: ImageRef,
    /// What it points to; absent where the cache did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// What a mirror's source has for the same tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceDigest {
    /// The image at the source.
    #[schemars(with = "String")]
    pub image: ImageRef,
    /// What it points to; absent where the source did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// Content that pods of one workload run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunningDigest {
    /// The workload.
    pub workload: WorkloadId,
    /// The digest, as the runtime reports it.
    pub digest: Digest,
    /// What the digest names.
    pub kind: DigestKind,
    /// The nodes' platform, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// How many pods.
    pub pods: u32,
    /// Whether that is the published content; absent where it could not be established.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<bool>,
}

/// What a digest names.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum DigestKind {
    /// An index of several platforms.
    Index,
    /// The manifest of one platform.
    Manifest,
    /// An image configuration.
    Config,
    /// Not established, because nothing depended on it.
    Unknown,
}

/// Counts over all releases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Releases in scope.
    pub releases: u32,
    /// Charts that are behind, mixed or replaced.
    pub charts_behind: u32,
    /// Images whose tag, chosen by the release's values, is an older version than the newest published one.
    #[serde(default)]
    pub images_behind: u32,
    /// Images whose pods run other content than is published, those that are pinned left out.
    pub digests_behind: u32,
    /// Charts and images whose state is unknown, and releases that could not be read.
    pub unknown: u32,
}

impl Summary {
    /// True if anything is behind: the ground of exit code 10.
    pub fn is_behind(&self) -> bool {
        self.charts_behind + self.images_behind + self.digests_behind > 0
    }

    /// True if anything that was asked for is unknown: the ground of exit code 12.
    pub fn is_incomplete(&self) -> bool {
        self.unknown > 0
    }
}
