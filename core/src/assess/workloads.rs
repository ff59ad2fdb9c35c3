//! Workloads that are not as the release has them, or cannot roll over (DOMAIN §11, §13).

use super::Case;
use crate::finding::{Code, Finding, Subject};
use crate::release::Release;
use crate::snapshot::Evidence;
use crate::time::counted;
use crate::workload::{Workload, WorkloadKind};

pub(super) fn judge(case: &Case<'_>, current: &Release) -> Vec<Finding> {
    current
        .workloads
        .iter()
        .flat_map(|declared| [replicas(case, declared), deadlock(case, current, declared)])
        .flatten()
        .collect()
}

/// The number of replicas, where nothing but a hand set another.
fn replicas(case: &Case<'_>, declared: &Workload) -> Option<Finding> {
    let wanted = declared.shape.replicas?;
    let Evidence::Known(Some(live)) = case.snapshot.live_workload(&declared.id) else {
        return None;
    };
    let found = live.workload.shape.replicas?;
    (found != wanted && !live.autoscaled).then(|| {
        Finding::new(
            Code::ReplicasDrift,
            about(case, declared),
            format!(
                "{} is scaled to {found}, and the release says {wanted}",
                declared.id
            ),
        )
        .advise(vec![case.advisor.scale(&declared.id, wanted)])
        .because([
            format!("spec.replicas is {found}"),
            format!("the stored manifest has {wanted}"),
            "no autoscaler wrote its scale".to_owned(),
        ])
    })
}

/// A new pod is started beside the old one, which holds a claim that one node alone can mount (DOMAIN §13, 7).
fn deadlock(case: &Case<'_>, current: &Release, declared: &Workload) -> Option<Finding> {
    if declared.id.kind != WorkloadKind::Deployment || !declared.shape.overlaps {
        return None;
    }
    let claims: Vec<&str> = current
        .claims
        .iter()
        .filter(|claim| {
            claim.one_node
                && claim.id.namespace == declared.id.namespace
                && declared.shape.claims.contains(&claim.id.name)
        })
        .map(|claim| claim.id.name.as_str())
        .collect();
    let nodes = u64::try_from(case.snapshot.nodes.len()).unwrap_or(u64::MAX);
    // On one node old and new pod share the volume.
    if claims.is_empty() || nodes == 1 {
        return None;
    }
    let known = match nodes {
        0 => "how many nodes there are is not known".to_owned(),
        _ => format!("the cluster has {}", counted(nodes, "node")),
    };
    Some(
        Finding::new(
            Code::RolloutDeadlock,
            about(case, declared),
            format!(
                "{} starts a new pod before the old one ends, and both need {}, which one node alone can mount: a rollout hangs where the new pod is sent to another node",
                declared.id,
                claims.join(" and ")
            ),
        )
        .advise(vec![case.advisor.describe(&declared.id)])
        .because([
            "the strategy is RollingUpdate".to_owned(),
            format!("the access mode of {} is ReadWriteOnce", claims.join(" and ")),
            known,
        ]),
    )
}

fn about(case: &Case<'_>, declared: &Workload) -> Subject {
    Subject {
        workload: Some(declared.id.clone()),
        ..case.subject()
    }
}

#[cfg(test)]
mod tests;
