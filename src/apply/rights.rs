//! Before anything is changed: whether all of a plan may be done, so that none ends half-way for a right that is missing.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt as _};
use tracebloc_core::name::Namespace;
use tracebloc_core::plan::{Act, Plan};
use tracebloc_core::workload::{WorkloadId, WorkloadKind};

use super::ApplyError;
use crate::cluster::{Cluster, ClusterError, words};
use crate::ui::Ui;

/// What is done to every object of a plan.
const VERBS: [&str; 2] = ["get", "patch"];

/// How many reviews are asked for at once.
const AT_ONCE: usize = 16;

/// Asks whether the plan may be carried out, and undone where it fails. A server that does not tell is not in the way: then a step does.
pub(super) async fn check(cluster: &Cluster, plan: &Plan, ui: &Ui) -> Result<(), ApplyError> {
    let outcome = check_changed(cluster, plan, ui).await;
    if outcome.is_ok() {
        tell_undoable(cluster, plan, ui).await;
    }
    outcome
}

/// A `StatefulSet` whose pod hangs is brought back only where that pod is deleted. To lack that right is no reason not to begin.
async fn tell_undoable(cluster: &Cluster, plan: &Plan, ui: &Ui) {
    if !plan.on_failure.undo {
        return;
    }
    let rollouts = plan.steps.iter().filter_map(|step| step.act.rollout());
    let ordered: BTreeSet<&WorkloadId> = rollouts
        .map(|rollout| &rollout.workload)
        .filter(|id| id.kind == WorkloadKind::StatefulSet)
        .collect();
    let namespaces: BTreeSet<&Namespace> = ordered.iter().map(|id| &id.namespace).collect();
    for namespace in namespaces {
        let may = cluster.may("delete", WorkloadKind::Pod, namespace, None);
        match may.await {
            Ok(true) => {}
            Ok(false) => ui.note(&format!(
                "a StatefulSet whose pod hangs could not be brought back: the credentials may not delete pods in namespace {namespace}"
            )),
            Err(error) => ui.detail(|| format!("whether pods may be deleted is not known: {error}")),
        }
    }
}

async fn check_changed(cluster: &Cluster, plan: &Plan, ui: &Ui) -> Result<(), ApplyError> {
    match lacking(cluster, changed(plan)).await {
        Ok(lacking) if lacking.is_empty() => Ok(()),
        Ok(lacking) => Err(ApplyError::NotAllowed { lacking }),
        Err(error @ (ClusterError::Unauthorized | ClusterError::Credentials { .. })) => {
            Err(ApplyError::Cluster {
                asked: "the review of our rights".to_owned(),
                source: error,
            })
        }
        Err(error) => {
            ui.detail(|| format!("whether all of it may be done is not known: {error}"));
            Ok(())
        }
    }
}

/// The objects that a plan changes, also where it fails.
fn changed(plan: &Plan) -> BTreeSet<&WorkloadId> {
    let of_steps = plan.steps.iter().flat_map(|step| match &step.act {
        Act::Restart(rollout)
        | Act::SetImage(rollout)
        | Act::SetEnvironment(rollout)
        | Act::Finish(rollout) => vec![&rollout.workload],
        Act::Suspend(suspension) | Act::Resume(suspension) => vec![&suspension.workload],
        Act::Record(record) | Act::Annotate(record) => vec![&record.workload],
        // Their fields may have to be handed back. What else an upgrade takes only Helm knows, which renders it.
        Act::SetValue(change) => {
            let rollouts = change.rollouts.iter();
            rollouts.map(|rollout| &rollout.workload).collect()
        }
    });
    let of_failure = plan.on_failure.counter.iter();
    of_steps
        .chain(of_failure.map(|counter| &counter.workload))
        .chain(&plan.on_failure.suspends)
        .collect()
}

/// What may not be done: whole kinds are asked about first, and single objects only where that is denied.
async fn lacking(
    cluster: &Cluster,
    changed: BTreeSet<&WorkloadId>,
) -> Result<Vec<String>, ClusterError> {
    let kinds: BTreeSet<(&Namespace, WorkloadKind, &str)> = changed
        .iter()
        .flat_map(|id| VERBS.map(|verb| (&id.namespace, id.kind, verb)))
        .collect();
    let answers: Vec<Result<_, ClusterError>> = stream::iter(kinds)
        .map(|(namespace, kind, verb)| async move {
            let may = cluster.may(verb, kind, namespace, None).await?;
            Ok((may, (namespace, kind, verb)))
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut single = Vec::new();
    for answer in answers {
        let (may, (namespace, kind, verb)) = answer?;
        let of_kind = changed
            .iter()
            .filter(|id| !may && id.namespace == *namespace && id.kind == kind);
        single.extend(of_kind.map(|id| (verb, *id)));
    }
    let answers: Vec<Result<_, ClusterError>> = stream::iter(single)
        .map(|(verb, id)| async move {
            let may = cluster.may_to(verb, id).await?;
            Ok((may, format!("{verb} {}", words(id))))
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut lacking = Vec::new();
    for answer in answers {
        let (may, what) = answer?;
        lacking.extend((!may).then_some(what));
    }
    Ok(lacking)
}
