//! How safe the data of a release is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::UnknownReason;
use crate::claim::{ClaimId, ReclaimPolicy};

/// One claim of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimReport {
    /// Which one.
    #[serde(flatten)]
    pub id: ClaimId,
    /// True if an uninstall leaves it, by the stored manifest.
    pub kept: bool,
    /// Its phase, in Kubernetes' word; absent where it is missing or could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The volume that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// What becomes of the volume's data when the claim is deleted; absent where that is not known, which is not to say that it is safe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reclaim: Option<ReclaimPolicy>,
    /// Why something of it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<UnknownReason>,
}
