//! Every reason to say no to a refresh, each with its way out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::Facts;
use super::decide::Judged;
use crate::assess;
use crate::change::{ANNOTATION, Change, ChangeState, ContainerChange, ROLLBACK};
use crate::finding::Code;
use crate::plan::{Decision, Guard, Refusal, Rollout};
use crate::report::ImageFlag;
use crate::snapshot::Evidence;
use crate::time::moment;
use crate::workload::{LiveWorkload, Rollout as RolloutState, WorkloadId};

/// So long before its tick the chart's own job is waited for, where it would not see that a rollout is under way.
const BEFORE_TICK: SignedDuration = SignedDuration::from_secs(90);

pub(super) fn refusals(
    facts: &Facts<'_>,
    judged: &[Judged<'_>],
    rollouts: &BTreeMap<WorkloadId, Rollout>,
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    refusals.extend(pending(facts));
    refusals.extend(managed(facts));
    refusals.extend(jobs(facts));
    if !rollouts.is_empty() {
        refusals.extend(tick(facts));
        // What was begun is finished also where the count is full: that is how it comes to an end.
        let begins = rollouts.values().any(|rollout| rollout.finishes.is_none());
        if begins && !facts.wish.rollback {
            refusals.extend(undone(facts, rollouts).or_else(|| flapping(facts)));
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
        refusals.extend(content(facts, image));
    }
    refusals
}

fn refusal(
    guard: Guard,
    subject: impl Into<String>,
    message: impl Into<String>,
    advice: Vec<String>,
) -> Refusal {
    Refusal {
        guard,
        subject: subject.into(),
        message: message.into(),
        advice,
    }
}

/// The `CronJob` of that name pattern, as the cluster has it.
pub(super) fn cron_job<'facts>(
    facts: &Facts<'facts>,
    pattern: &str,
) -> Option<&'facts LiveWorkload> {
    let id = &facts.release.head.id;
    let name = pattern.replace("{release}", id.name.as_str());
    facts.snapshot.live.iter().find(|live| {
        live.cron.is_some()
            && live.workload.id.name == name
            && live.workload.id.namespace == id.namespace
    })
}

/// The chart's own jobs, as the cluster has them.
pub(super) fn chart_jobs<'facts>(facts: &Facts<'facts>) -> Vec<&'facts LiveWorkload> {
    let automation = &facts.profile.automation;
    let patterns = [
        &automation.image_refresh.job.cron_job,
        &automation.auto_upgrade.job.cron_job,
    ];
    patterns
        .into_iter()
        .filter_map(|pattern| cron_job(facts, pattern))
        .collect()
}

/// Somebody is at it: what Helm writes next is not known.
fn pending(facts: &Facts<'_>) -> Option<Refusal> {
    let head = &facts.observed.newest;
    head.status.is_pending().then(|| {
        refusal(
            Guard::ReleasePending,
            head.id.to_string(),
            format!(
                "revision {} is {}: a Helm operation is under way, or was killed",
                head.revision, head.status
            ),
            vec![facts.advisor.history(&head.id)],
        )
    })
}

/// What another tool applies it would change back, or fail at.
fn managed(facts: &Facts<'_>) -> Option<Refusal> {
    let owner = facts.report.managed_by.as_ref()?;
    (!facts.wish.override_managed).then(|| {
        refusal(
            Guard::ManagedElsewhere,
            facts.observed.newest.id.to_string(),
            format!(
                "{} looks after this release ({}): change it there, or the change may be undone",
                owner.tool, owner.mark
            ),
            vec!["--override-managed acts all the same".to_owned()],
        )
    })
}

/// The chart's own jobs write the same workloads, and know of no lease.
fn jobs(facts: &Facts<'_>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for live in chart_jobs(facts) {
        let id = &live.workload.id;
        match facts.snapshot.jobs_of(id) {
            Evidence::Known(jobs) => {
                refusals.extend(jobs.into_iter().filter(|job| job.end.is_none()).map(|job| {
                    refusal(
                        Guard::JobRunning,
                        format!("job/{}", job.name),
                        format!("a Job of {id} runs, and changes the same workloads"),
                        vec!["--wait-for-jobs 10m waits for it".to_owned()],
                    )
                }));
            }
            Evidence::Unknown(gap) if live.cron.as_ref().is_some_and(|cron| cron.active > 0) => {
                refusals.push(refusal(
                    Guard::JobRunning,
                    id.to_string(),
                    format!("a Job of {id} runs ({})", gap.message),
                    vec!["--wait-for-jobs 10m waits for it".to_owned()],
                ));
            }
            Evidence::Unknown(_) => {}
        }
    }
    refusals
}

/// Charts before the settled guard restart a workload in the midst of a rollout (DOMAIN §13, 7).
fn tick(facts: &Facts<'_>) -> Option<Refusal> {
    let refresh = &facts.profile.automation.image_refresh;
    if assess::is_since(facts.release, &refresh.settles_since) {
        return None;
    }
    let live = cron_job(facts, &refresh.job.cron_job)?;
    let cron = live.cron.as_ref().filter(|cron| !cron.suspended)?;
    let now = facts.snapshot.observed_at;
    let next = cron.ticks().ok()?.next(now)?;
    (next.duration_since(now) <= BEFORE_TICK).then(|| {
        refusal(
            Guard::TickNear,
            live.workload.id.to_string(),
            format!(
                "the chart's own job starts at {next}, and in this version acts also while a rollout is under way"
            ),
            vec!["--wait-for-jobs 10m waits until it has passed".to_owned()],
        )
    })
}

/// Rollouts failed so often that the chart's own job gave up too.
fn flapping(facts: &Facts<'_>) -> Option<Refusal> {
    let flap = &facts.profile.automation.image_refresh.flap;
    let main = facts
        .main
        .filter(|_| facts.is_ours && !facts.wish.clear_flap)?;
    let failed = facts.count(&flap.attempts);
    let marked = main
        .records
        .get(&flap.detected)
        .is_some_and(|text| !text.is_empty() && text != "false");
    let limit = assess::limit(facts.release, &flap.limit_value, flap.limit);
    (marked || failed >= limit).then(|| {
        refusal(
            Guard::Flapping,
            main.workload.id.to_string(),
            format!("{failed} rollouts failed in a row: what is published may be broken"),
            vec![
                facts.advisor.describe(&main.workload.id),
                "--clear-flap tries again once the cause is gone".to_owned(),
            ],
        )
    })
}

/// The very content that is published failed before, and was undone. Charts without a count of failures have no other guard.
fn undone(facts: &Facts<'_>, rollouts: &BTreeMap<WorkloadId, Rollout>) -> Option<Refusal> {
    if facts.wish.clear_flap {
        return None;
    }
    rollouts.iter().find_map(|(id, rollout)| {
        let last = Change::parse(facts.live(id)?.records.get(ANNOTATION)?)?;
        let went_back = last.command == ROLLBACK;
        let left = |then: &ContainerChange| match (went_back, last.state) {
            (true, ChangeState::Done) => then.former.clone(),
            (false, ChangeState::Undone) => Some(then.wanted.clone()),
            (true | false, _) => None,
        };
        let (then, content) = last.containers.iter().find_map(|then| {
            let left = left(then)?;
            let comes_again = rollout
                .containers
                .iter()
                .any(|now| now.container == then.container && now.wanted == left);
            comes_again.then_some((then, left))
        })?;
        let what = if went_back {
            format!("was gone back from at {}", moment(last.at))
        } else {
            format!("failed at {} and was undone", moment(last.at))
        };
        Some({
            refusal(
                Guard::Flapping,
                id.to_string(),
                format!(
                    "{} {} {what}, and nothing else was published since",
                    then.image,
                    content.short(),
                ),
                vec!["--clear-flap tries again once the cause is gone".to_owned()],
            )
        })
    })
}

fn workload(facts: &Facts<'_>, id: &WorkloadId, rollout: &Rollout) -> Vec<Refusal> {
    let live = match facts.snapshot.live_workload(id) {
        Evidence::Known(Some(live)) => live,
        Evidence::Known(None) => {
            return vec![refusal(
                Guard::Unreadable,
                id.to_string(),
                "it is in the stored manifest and not in the cluster",
                Vec::new(),
            )];
        }
        Evidence::Unknown(gap) => {
            return vec![refusal(
                Guard::Unreadable,
                id.to_string(),
                format!("it could not be read: {}", gap.message),
                Vec::new(),
            )];
        }
    };
    let mut refusals = Vec::new();
    match live.rollout {
        RolloutState::Paused => refusals.push(refusal(
            Guard::Paused,
            id.to_string(),
            "it is paused, so that its pods are not replaced",
            vec![facts.advisor.resume(id)],
        )),
        _ if live.on_delete => refusals.push(refusal(
            Guard::OnDelete,
            id.to_string(),
            "its update strategy is OnDelete: its pods are replaced only as somebody deletes them",
            vec![facts.advisor.pods(&id.namespace)],
        )),
        RolloutState::Progressing if rollout.finishes.is_none() => {
            refusals.push(not_settled(facts, live));
        }
        RolloutState::Progressing | RolloutState::Settled | RolloutState::None => {}
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

fn not_settled(facts: &Facts<'_>, live: &LiveWorkload) -> Refusal {
    let id = &live.workload.id;
    refusal(
        Guard::Unsettled,
        id.to_string(),
        unsettled(live),
        vec![
            facts.advisor.describe(id),
            "--wait-settled 10m waits for it".to_owned(),
        ],
    )
}

fn unsettled(live: &LiveWorkload) -> String {
    match live.replicas {
        Some(replicas) => format!(
            "its last rollout has not ended: {} of {} pods are new, {} ready",
            replicas.updated, replicas.desired, replicas.ready
        ),
        None => "its last rollout has not ended".to_owned(),
    }
}

/// Content that would not come to the pods, or not run there.
fn content(facts: &Facts<'_>, judged: &Judged<'_>) -> Vec<Refusal> {
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
    if image.flags.contains(&ImageFlag::CacheStale) {
        refusals.push(refusal(
            Guard::CacheStale,
            image.name.clone(),
            "the cache that nodes pull through still serves the old content: pods would start with what they have",
            Vec::new(),
        ));
    }
    refusals
}
