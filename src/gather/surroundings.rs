//! What runs: the live workloads of the releases, their pods and the nodes, asked for all at once.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join3;
use futures_util::stream::{self, StreamExt as _};
use tracebloc_core::assess::Question;
use tracebloc_core::name::Namespace;
use tracebloc_core::profile::Profile;
use tracebloc_core::snapshot::{Snapshot, Unlisted};
use tracebloc_core::workload::{WorkloadId, WorkloadKind};

use super::QUESTIONS_AT_ONCE;
use crate::cluster::Cluster;

/// Lists each kind in each namespace that the stored manifests name, once; and, if wanted, what runs of it where.
pub(super) async fn observe(
    cluster: &Cluster,
    snapshot: &mut Snapshot,
    profile: &Profile,
    question: &Question,
    with_pods: bool,
) {
    let wanted: BTreeSet<WorkloadId> = snapshot
        .known_releases()
        .flat_map(|release| release.workloads.iter().map(|workload| workload.id.clone()))
        .collect();
    if wanted.is_empty() {
        return;
    }
    let kinds: BTreeSet<(Namespace, WorkloadKind)> = wanted
        .iter()
        .map(|id| (id.namespace.clone(), id.kind))
        .collect();
    let namespaces: BTreeSet<Namespace> = wanted
        .iter()
        .filter(|_| with_pods)
        .map(|id| id.namespace.clone())
        .collect();
    let workloads = stream::iter(kinds)
        .map(|(namespace, kind)| async move {
            let outcome = cluster
                .workloads(&namespace, kind, &profile.record_prefix)
                .await;
            (namespace, kind, outcome)
        })
        .buffered(QUESTIONS_AT_ONCE)
        .collect::<Vec<_>>();
    let pods = stream::iter(namespaces)
        .map(|namespace| async move {
            let outcome = cluster.pods(&namespace).await;
            (namespace, outcome)
        })
        .buffered(QUESTIONS_AT_ONCE)
        .collect::<Vec<_>>();
    let nodes = async {
        if !with_pods || question.nodes_where_needed {
            return Ok(BTreeMap::new());
        }
        cluster.platforms().await
    };
    let (workloads, pods, nodes) = join3(workloads, pods, nodes).await;
    for (namespace, kind, outcome) in workloads {
        match outcome {
            // Other objects in the same namespace are none of our business.
            Ok(found) => snapshot.live.extend(
                found
                    .into_iter()
                    .filter(|live| wanted.contains(&live.workload.id)),
            ),
            Err(error) => snapshot.unlisted.push(Unlisted {
                gap: error.gap(format!("{}s in namespace {namespace}", kind.resource())),
                namespace,
                kind: Some(kind),
            }),
        }
    }
    for (namespace, outcome) in pods {
        match outcome {
            Ok(found) => snapshot.pods.extend(
                found
                    .into_iter()
                    .filter(|pod| wanted.contains(&pod.workload)),
            ),
            Err(error) => snapshot.unlisted.push(Unlisted {
                gap: error.gap(format!("pods in namespace {namespace}")),
                namespace,
                kind: None,
            }),
        }
    }
    // Without platforms the comparison asks for any platform and says where that is not enough (FACTS 8.7).
    snapshot.nodes = nodes.unwrap_or_default();
}
