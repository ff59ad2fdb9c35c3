//! Claims and volumes of the releases: one list for each namespace, and one of the cluster's volumes. Nothing is sent unless storage is asked for.

use std::collections::BTreeSet;

use futures_util::future::join;
use futures_util::stream::{self, StreamExt as _};
use tracebloc_core::name::Namespace;
use tracebloc_core::snapshot::{Snapshot, StorageFacts};

use super::{QUESTIONS_AT_ONCE, evidence};
use crate::cluster::Cluster;

/// Reads what the claims of the stored manifests have come to.
pub(super) async fn observe(cluster: &Cluster, snapshot: &mut Snapshot) {
    let namespaces: BTreeSet<Namespace> = snapshot
        .known_releases()
        .flat_map(|release| {
            release
                .claims
                .iter()
                .map(|claim| claim.id.namespace.clone())
        })
        .collect();
    if namespaces.is_empty() {
        return;
    }
    let claims = stream::iter(namespaces)
        .map(|namespace| async move {
            let outcome = cluster.claims(&namespace).await;
            (namespace, outcome)
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
    snapshot.storage = Some(facts);
}
