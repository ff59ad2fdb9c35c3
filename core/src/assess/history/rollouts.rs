//! Rollouts of which their author wrote down the cause (`kubernetes.io/change-cause`).

use std::collections::BTreeMap;

use super::Past;
use crate::report::{ChangeKind, ChangeReport};
use crate::snapshot::PastRollout;
use crate::workload::WorkloadId;

/// What stands where a value was left out.
const HIDDEN: &str = "(hidden)";

/// The rollouts, in no order.
pub(super) fn of(past: &Past<'_>) -> Vec<ChangeReport> {
    let facts = past.snapshot.history.as_ref();
    let mut workloads: BTreeMap<&WorkloadId, Vec<&PastRollout>> = BTreeMap::new();
    for rollout in facts.into_iter().flat_map(|facts| &facts.rollouts) {
        if past.has(&rollout.workload) {
            workloads
                .entry(&rollout.workload)
                .or_default()
                .push(rollout);
        }
    }
    let mut told = Vec::new();
    for (workload, mut rollouts) in workloads {
        rollouts.sort_by_key(|rollout| rollout.made_at);
        let mut before = None;
        for rollout in rollouts {
            // The annotation stays on the workload, so that later rollouts repeat it.
            if rollout.cause.is_some() && rollout.cause != before {
                told.extend(one(past, workload, rollout));
            }
            before.clone_from(&rollout.cause);
        }
    }
    told
}

fn one(past: &Past<'_>, workload: &WorkloadId, rollout: &PastRollout) -> Option<ChangeReport> {
    let cause = past.conceal(&without_settings(rollout.cause.as_deref()?));
    Some(ChangeReport {
        at: rollout.made_at,
        summary: format!("rollout of {workload}: {cause}"),
        workload: Some(workload.clone()),
        reason: Some(cause),
        evidence: vec![rollout.object.clone()],
        ..ChangeReport::of(ChangeKind::Rollout)
    })
}

/// The cause without what it sets in an environment: `kubectl --record` wrote down whole command lines, passwords and all.
fn without_settings(cause: &str) -> String {
    if !cause.contains("set env") {
        return cause.to_owned();
    }
    let words = cause.split(' ').map(|word| match word.split_once('=') {
        Some((name, _)) if !word.starts_with('-') => format!("{name}={HIDDEN}"),
        Some(_) | None => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_environment_was_given_is_left_out() {
        for (cause, expected) in [
            (
                "kubectl set env deployment/x PASSWORD=abc --record=true",
                "kubectl set env deployment/x PASSWORD=(hidden) --record=true",
            ),
            (
                "kubectl set image deployment/x api=repo:2",
                "kubectl set image deployment/x api=repo:2",
            ),
            ("image two, by Jane", "image two, by Jane"),
        ] {
            assert_eq!(without_settings(cause), expected);
        }
    }
}
