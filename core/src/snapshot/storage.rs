//! Claims and volumes as they were observed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Evidence, Gap};
use crate::claim::{ClaimId, LiveClaim, ReclaimPolicy};
use crate::name::Namespace;

/// Claims and volumes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageFacts {
    /// The claims, in the namespaces of the releases' claims.
    pub claims: Vec<LiveClaim>,
    /// Namespaces whose claims could not be listed.
    pub unlisted: Vec<(Namespace, Gap)>,
    /// What becomes of each volume of the cluster when its claim is deleted.
    pub volumes: Evidence<BTreeMap<String, ReclaimPolicy>>,
}

impl StorageFacts {
    /// A claim as it is: `Known(None)` if it is surely absent.
    pub fn claim(&self, id: &ClaimId) -> Evidence<Option<&LiveClaim>> {
        if let Some(found) = self.claims.iter().find(|claim| claim.id == *id) {
            return Evidence::Known(Some(found));
        }
        let gap = self
            .unlisted
            .iter()
            .find(|(namespace, _)| *namespace == id.namespace);
        match gap {
            Some((_, gap)) => Evidence::Unknown(gap.clone()),
            None => Evidence::Known(None),
        }
    }

    /// What could not be read.
    pub fn gaps(&self) -> impl Iterator<Item = &Gap> {
        self.unlisted
            .iter()
            .map(|(_, gap)| gap)
            .chain(self.volumes.gap())
    }
}
