//! What a release consists of, and where that runs.

use std::collections::{BTreeMap, BTreeSet};

use crate::assess::unknown;
use crate::release::Release;
use crate::report::{NodeReport, WorkloadReport, WorkloadState};
use crate::snapshot::{Evidence, Snapshot};
use crate::workload::{LiveWorkload, Pod, Replicas, Rollout, WorkloadId};

/// The workloads of the stored manifest, in its order.
pub(super) fn of(snapshot: &Snapshot, release: &Release) -> Vec<WorkloadReport> {
    release
        .workloads
        .iter()
        .map(|workload| report(snapshot, &workload.id))
        .collect()
}

fn report(snapshot: &Snapshot, id: &WorkloadId) -> WorkloadReport {
    let live = snapshot.live_workload(id);
    let pods = match snapshot.pods_of(id) {
        Evidence::Known(pods) => pods,
        // The list that was refused is a finding of its own.
        Evidence::Unknown(_) => Vec::new(),
    };
    let (state, replicas) = match &live {
        Evidence::Known(Some(live)) => (state(live), live.replicas),
        Evidence::Known(None) => (WorkloadState::Missing, None),
        Evidence::Unknown(_) => (WorkloadState::Unknown, None),
    };
    WorkloadReport {
        workload: id.clone(),
        state,
        replicas,
        nodes: nodes(snapshot, &pods),
        waiting: waiting(&pods),
        unknown: live.gap().map(unknown),
    }
}

fn state(live: &LiveWorkload) -> WorkloadState {
    match (live.rollout, &live.cron) {
        (Rollout::None, Some(cron)) if cron.suspended => WorkloadState::Suspended,
        (Rollout::None, Some(_)) => WorkloadState::Scheduled,
        (Rollout::None, None) => WorkloadState::Present,
        (Rollout::Paused, _) => WorkloadState::Paused,
        (Rollout::Progressing, _) => WorkloadState::Progressing,
        (Rollout::Settled, _) => match live.replicas {
            Some(Replicas { desired: 0, .. }) => WorkloadState::Idle,
            Some(_) | None => WorkloadState::Settled,
        },
    }
}

fn nodes(snapshot: &Snapshot, pods: &[&Pod]) -> Vec<NodeReport> {
    let mut counts: BTreeMap<Option<&str>, u32> = BTreeMap::new();
    for pod in pods {
        *counts.entry(pod.node.as_deref()).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|(name, pods)| NodeReport {
            name: name.map(str::to_owned),
            platform: name.and_then(|name| snapshot.nodes.get(name).cloned()),
            pods,
        })
        .collect()
}

fn waiting(pods: &[&Pod]) -> Vec<String> {
    let reasons: BTreeSet<&str> = pods
        .iter()
        .flat_map(|pod| pod.containers.values())
        .filter_map(|container| container.waiting.as_deref())
        .collect();
    reasons.into_iter().map(str::to_owned).collect()
}
