//! What was done to a release: the answer of `history`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ChangeReport, ContextReport};
use crate::finding::Finding;
use crate::name::ReleaseId;

/// What was done to a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryReport {
    /// The format's version: `tracebloc.io/v1alpha1`.
    pub api_version: String,
    /// `HistoryReport`.
    pub kind: String,
    /// The cluster asked.
    pub context: ContextReport,
    /// When the facts were observed.
    #[schemars(with = "String")]
    pub checked_at: Timestamp,
    /// The release.
    pub release: ReleaseId,
    /// What was done to it, newest first.
    pub entries: Vec<ChangeReport>,
    /// True if older entries are known, and were left out because of `--max`.
    pub truncated: bool,
    /// What could not be asked, and so may be missing.
    pub findings: Vec<Finding>,
}
