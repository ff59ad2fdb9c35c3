//! Claims and volumes of the releases: one list for each namespace, and one of the cluster's volumes. Nothing is sent unless storage is asked for.

use std::collections::BTreeSet;

use futures_util::future::join;
use futures_util::stream::{self, StreamExt as _};
use tracebloc_core::assess::Question;
use tracebloc_core::name::Namespace;
use tracebloc_core::snapshot::{Snapshot, StorageFacts};

use super::{QUESTIONS_AT_ONCE, evidence};
use crate::cluster::Cluster;

/// The namespaces of the releases' claims; none where storage is not asked for.
pub(super) fn namespaces(snapshot: &Snapshot, question: &Question) -> BTreeSet<Namespace> {
    snapshot
        .known_releases()
        .filter(|_| question.storage)
        .flat_map(|release| {
            release
                .claims
                .iter()
                .map(|claim| claim.id.namespace.clone())
        })
        .collect()
}

/// Reads what the claims of these namespaces have come to; `None` without any.
pub(super) async fn ask(
    cluster: &Cluster,
    namespaces: &BTreeSet<Namespace>,
) -> Option<StorageFacts> {
    if namespaces.is_empty() {
        return None;
    }
    let claims = stream::iter(namespaces)
        .map(|namespace| async move {
            let outcome = cluster.claims(namespace).await;
            (namespace.clone(), outcome)
        })
        .buffered(QUESTIONS_AT_ONCE)
        .collect::<Vec<_>>();
    let (claims, volumes) = join(claims, cluster.volumes()).await;
    let mut facts = StorageFacts {
        claims: Vec::new(),
        unlisted: Vec::new(),
        volumes: evidence(volumes, "the cluster's persistent volumes"),
    };
    for (namespace, outcome) in claims {
        match outcome {
            Ok(found) => facts.claims.extend(found),
            Err(error) => {
                let asked = format!("persistent volume claims in namespace {namespace}");
                facts.unlisted.push((namespace, error.gap(asked)));
            }
        }
    }
    Some(facts)
}
