//! Whether the rights of the charts' jobs are there: asked object by object, beside the registries, and only of jobs whose last run failed.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt as _};
use tracebloc_core::release::AccessId;
use tracebloc_core::snapshot::ObservedAccess;

use super::{QUESTIONS_AT_ONCE, evidence};
use crate::cluster::Cluster;

/// Asks.
pub(super) async fn ask(cluster: &Cluster, wanted: BTreeSet<AccessId>) -> Vec<ObservedAccess> {
    stream::iter(wanted)
        .map(|id| async move {
            let there = evidence(cluster.has_access(&id).await, &id.to_string());
            ObservedAccess { id, there }
        })
        .buffered(QUESTIONS_AT_ONCE)
        .collect()
        .await
}
