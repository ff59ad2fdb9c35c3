//! Every reason to say no to a refresh, each with its way out.

use std::collections::{BTreeMap, BTreeSet};

use super::Facts;
use super::decide::Judged;
use crate::change::ContainerChange;
use crate::finding::Code;
use crate::plan::guards::{jobs, managed, not_settled, pending, refusal, standing, tick};
use crate::plan::{Decision, Guard, Refusal, Rollout};
use crate::report::ImageFlag;
use crate::snapshot::Evidence;
use crate::workload::{Pod, Rollout as RolloutState, WorkloadId};

pub(super) fn refusals(
    facts: &Facts<'_>,
    judged: &[Judged<'_>],
    rollouts: &BTreeMap<WorkloadId, Rollout>,
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    refusals.extend(pending(facts));
    refusals.extend(unlabelled(facts));
    if !facts.wish.override_managed {
        let way_out = "--override-managed acts all the same".to_owned();
        refusals.extend(managed(facts, vec![way_out]));
    }
    refusals.extend(jobs(facts));
    if !rollouts.is_empty() {
        refusals.extend(tick(facts));
        // What was begun is finished also where the count is full: that is how it comes to an end.
        let begins = rollouts.values().any(|rollout| rollout.finishes.is_none());
        if begins && !facts.wish.rollback {
            refusals.extend(facts.undone(rollouts).or_else(|| facts.flapping()));
        }
    }
    for (id, rollout) in rollouts {
        refusals.extend(workload(facts, id, rollout));
    }
    refusals.extend(recorded(facts, judged, rollouts));
    for image in judged
        .iter()
        .filter(|image| image.plan.decision == Decision::Move)
    {
        refusals.extend(content(facts, image, rollouts));
    }
    refusals
}

/// What a chart version's own job does and heeds follows from the version.
fn unlabelled(facts: &Facts<'_>) -> Option<Refusal> {
    let chart = &facts.release.chart;
    (facts.is_ours && facts.release.is_by_labels() && chart.version.is_none()).then(|| {
        refusal(
            Guard::Unreadable,
            facts.observed.newest.id.to_string(),
            format!(
                "the labels of its workloads do not tell one version of the chart ({}), and the release's record may not be read",
                chart.version_text
            ),
            Vec::new(),
        )
    })
}

fn workload(facts: &Facts<'_>, id: &WorkloadId, rollout: &Rollout) -> Vec<Refusal> {
    // Pods that do not come to rest are the very reason to go back.
    let goes_on = rollout.finishes.is_some() || facts.wish.rollback;
    let mut refusals = standing(facts, id, goes_on);
    let by_hand = refusals
        .iter_mut()
        .filter(|refusal| refusal.guard == Guard::OnDelete);
    for refusal in by_hand {
        refusal.advice = replace_by_hand(facts, id, rollout);
    }
    if refusals
        .iter()
        .any(|refusal| refusal.guard == Guard::Unreadable)
    {
        return refusals;
    }
    if !goes_on {
        for (image, container, reason) in facts.pulled_unseen(id) {
            refusals.push(refusal(
                Guard::Unreadable,
                format!("{id}[{container}]"),
                format!(
                    "its pods would pull {} too, and what is published of that is not known: {reason}",
                    image.name
                ),
                vec![
                    "try again once the registry answers".to_owned(),
                    "--workload names the others, to refresh them alone".to_owned(),
                ],
            ));
        }
    }
    for change in &rollout.containers {
        if rollout.finishes.is_none() && facts.is_in_vain(id, change) {
            refusals.push(refusal(
                Guard::RestartInVain,
                format!("{id}[{}]", change.container),
                format!(
                    "starting pods anew does not pull {}: the pull policy is not Always, or the reference names a digest",
                    change.from
                ),
                vec!["--action set-image sets what is published".to_owned()],
            ));
        }
    }
    refusals
}

/// How pods are replaced that nothing replaces by itself: they are deleted, where those that come in their place pull what is published.
fn replace_by_hand(facts: &Facts<'_>, id: &WorkloadId, rollout: &Rollout) -> Vec<String> {
    let others = "--workload names the others, to refresh them alone".to_owned();
    let pulls = |change: &ContainerChange| !change.sets() && !facts.is_in_vain(id, change);
    let Evidence::Known(pods) = facts.snapshot.pods_of(id) else {
        return vec![others];
    };
    if !rollout.containers.iter().all(pulls) {
        return vec![facts.advisor.pods(&id.namespace), others];
    }
    let is_behind = |pod: &&&Pod| {
        rollout.containers.iter().any(|change| {
            let container = pod.containers.get(&change.container);
            container
                .and_then(|container| container.running.as_ref())
                .is_some_and(|running| running.digest != change.wanted)
        })
    };
    let names = pods.iter().filter(is_behind).map(|pod| pod.name.as_str());
    vec![facts.advisor.delete_pods(&id.namespace, names), others]
}

/// A record says that all is done: it is written only where whatever runs the image has settled.
fn recorded(
    facts: &Facts<'_>,
    judged: &[Judged<'_>],
    rollouts: &BTreeMap<WorkloadId, Rollout>,
) -> Vec<Refusal> {
    let written = judged.iter().filter(|image| {
        image.record.is_some() && matches!(image.plan.decision, Decision::Move | Decision::Record)
    });
    let users: BTreeSet<&WorkloadId> = written
        .flat_map(|image| &facts.image_report(image).references)
        .map(|reference| &reference.workload.workload)
        .filter(|id| facts.is_selected(id) && !rollouts.contains_key(*id))
        .collect();
    users
        .into_iter()
        .filter_map(|id| facts.live(id))
        .filter(|live| live.rollout == RolloutState::Progressing)
        .map(|live| not_settled(facts, live))
        .collect()
}

/// Content that would not come to the pods, or not run there.
fn content(
    facts: &Facts<'_>,
    judged: &Judged<'_>,
    rollouts: &BTreeMap<WorkloadId, Rollout>,
) -> Vec<Refusal> {
    let image = facts.image_report(judged);
    let mut refusals = Vec::new();
    let missing = facts.findings.iter().filter(|finding| {
        finding.code == Code::PlatformMissing
            && finding.subject.image.as_deref() == Some(image.name.as_str())
    });
    refusals.extend(missing.map(|finding| {
        refusal(
            Guard::PlatformMissing,
            image.name.clone(),
            finding.message.clone(),
            finding.advice.clone(),
        )
    }));
    // By its digest the exact content is asked for, and a cache that lacks it fetches it.
    let pulls_tag = rollouts
        .values()
        .flat_map(|rollout| &rollout.containers)
        .filter(|change| change.image == image.name && change.variable.is_none())
        .any(|change| !change.to.contains('@'));
    if image.flags.contains(&ImageFlag::CacheStale) && pulls_tag {
        refusals.push(refusal(
            Guard::CacheStale,
            image.name.clone(),
            "the cache that nodes pull through still serves the old content: pods would start with what they have",
            vec!["--action set-image asks the cache for the exact content".to_owned()],
        ));
    }
    refusals
}
