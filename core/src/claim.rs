//! Claims and the volumes behind them: what a release declares, and what the cluster has.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::Namespace;

/// A `PersistentVolumeClaim` of a cluster.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct ClaimId {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ClaimId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "persistentvolumeclaim/{}", self.name)
    }
}

/// A claim as the stored manifest of a release declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredClaim {
    /// Which one.
    pub id: ClaimId,
    /// True if uninstall leaves it: the annotation `helm.sh/resource-policy: keep`, here in the stored manifest. The live one says nothing
    /// about an uninstall (DOMAIN §8).
    pub kept: bool,
    /// True if one node alone can mount it: `ReadWriteOnce` or `ReadWriteOncePod`, and no other access mode.
    #[serde(default)]
    pub one_node: bool,
}

/// A claim as the cluster holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveClaim {
    /// Which one.
    pub id: ClaimId,
    /// Its phase, in Kubernetes' word: `Bound`, `Pending` or `Lost`.
    pub phase: String,
    /// The volume that it is bound to.
    pub volume: Option<String>,
}

/// What becomes of a volume's data when its claim is deleted (`persistentVolumeReclaimPolicy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReclaimPolicy {
    /// It stays.
    Retain,
    /// It is deleted with the claim.
    Delete,
    /// It is wiped for the next claim.
    Recycle,
    /// A policy that this program does not know.
    Unknown,
}

impl ReclaimPolicy {
    /// The policy of that name.
    pub fn parse(text: &str) -> Self {
        match text {
            "Retain" => Self::Retain,
            "Delete" => Self::Delete,
            "Recycle" => Self::Recycle,
            _ => Self::Unknown,
        }
    }
}
