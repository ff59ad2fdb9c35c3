//! Something that was done to a release.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::UnknownReason;
use crate::change::ContainerChange;
use crate::edit::Part;
use crate::release::ReleaseStatus;
use crate::workload::WorkloadId;

/// A kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// Helm made a revision.
    Revision,
    /// A workload was restarted.
    Restart,
    /// This product changed a workload.
    Change,
    /// Another program than Helm wrote fields of a workload.
    Edit,
    /// A Job of the release ran.
    Job,
    /// A rollout of which its author wrote down the cause.
    Rollout,
    /// The cluster told of something by an event.
    Event,
}

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// What it was to bring about.
    Done,
    /// It failed, and was left so.
    Failed,
    /// It failed, and what was before was brought back.
    Undone,
    /// It is not at its end.
    Open,
}

impl Outcome {
    /// The word, as in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Undone => "undone",
            Self::Open => "open",
        }
    }
}

/// Something that was done to a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeReport {
    /// When it began; absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
    /// When it came to its end, where it did and that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ended: Option<Timestamp>,
    /// What kind of change.
    pub change: ChangeKind,
    /// What was done, in words.
    #[serde(default)]
    pub summary: String,
    /// What came of it; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Who did it, as the API server knows them. Helm keeps no names, and the API server none of those who write fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The program that wrote, by the name that it gave the API server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The Job: the one that this is about, or a Job of the chart that ran at that time and works in this way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The revision's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
    /// The revision's status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ReleaseStatus>,
    /// The revision's chart, as NAME-VERSION.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<String>,
    /// What Helm says of it. What the user's values say is not repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The workload that was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<WorkloadId>,
    /// What all changes of one run of this product have in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The command of this product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// What this product did to containers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ContainerChange>,
    /// What was written of the workload by another program, as far as nobody has written it since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// Why it was done, or why it failed, in the words of whoever tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The objects that tell of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// Why the rest is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<UnknownReason>,
}

impl ChangeReport {
    /// A change of which nothing else is known yet.
    pub fn of(change: ChangeKind) -> Self {
        Self {
            at: None,
            ended: None,
            change,
            summary: String::new(),
            outcome: None,
            by: None,
            tool: None,
            job: None,
            revision: None,
            status: None,
            chart: None,
            description: None,
            workload: None,
            id: None,
            command: None,
            containers: Vec::new(),
            parts: Vec::new(),
            reason: None,
            evidence: Vec::new(),
            unknown: None,
        }
    }
}
