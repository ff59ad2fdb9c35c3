//! Reasons to say no that all plans share, each with its way out.

use jiff::SignedDuration;

use super::ground::Ground;
use super::{Guard, Refusal};
use crate::assess;
use crate::snapshot::{Evidence, GapReason};
use crate::workload::{LiveWorkload, Rollout as RolloutState, WorkloadId};

/// So long before its tick the chart's own job is waited for, where it would not see that a rollout is under way.
const BEFORE_TICK: SignedDuration = SignedDuration::from_secs(90);

pub(super) fn refusal(
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
    facts: &Ground<'facts>,
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
fn chart_jobs<'facts>(facts: &Ground<'facts>) -> Vec<&'facts LiveWorkload> {
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

/// Their names.
pub(super) fn job_ids(facts: &Ground<'_>) -> Vec<WorkloadId> {
    let jobs = chart_jobs(facts).into_iter();
    jobs.map(|live| live.workload.id.clone()).collect()
}

/// Somebody is at it: what Helm writes next is not known.
pub(super) fn pending(facts: &Ground<'_>) -> Option<Refusal> {
    let head = &facts.observed.newest;
    let mut way_out = vec![facts.advisor.history(&head.id)];
    // Not under an operation that may still be at work.
    if assess::hangs(facts.observed, facts.snapshot.observed_at)
        && let Some(Evidence::Known(deployed)) = &facts.observed.deployed
    {
        way_out.push(facts.advisor.rollback(&head.id, deployed.head.revision));
    }
    head.status.is_pending().then(|| {
        refusal(
            Guard::ReleasePending,
            head.id.to_string(),
            format!(
                "revision {} is {}: a Helm operation is under way, or was killed",
                head.revision, head.status
            ),
            way_out,
        )
    })
}

/// What another tool applies it would change back, or fail at.
pub(super) fn managed(facts: &Ground<'_>, way_out: Vec<String>) -> Option<Refusal> {
    let owner = facts.report.managed_by.as_ref()?;
    Some({
        refusal(
            Guard::ManagedElsewhere,
            facts.observed.newest.id.to_string(),
            format!(
                "{} looks after this release ({}): change it there, or the change may be undone",
                owner.tool, owner.mark
            ),
            way_out,
        )
    })
}

/// The chart's own jobs write the same workloads, and know of no lease.
pub(super) fn jobs(facts: &Ground<'_>) -> Vec<Refusal> {
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
pub(super) fn tick(facts: &Ground<'_>) -> Option<Refusal> {
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

/// Whether a workload can roll out as it stands. One that is in the midst of a rollout may be the one that is finished here, or gone back from:
/// then it `goes_on`.
pub(super) fn standing(facts: &Ground<'_>, id: &WorkloadId, goes_on: bool) -> Vec<Refusal> {
    let live = match facts.snapshot.live_workload(id) {
        Evidence::Known(Some(live)) => live,
        Evidence::Known(None) => {
            return vec![refusal(
                Guard::Unreadable,
                id.to_string(),
                "it is in the stored manifest and not in the cluster",
                vec![facts.advisor.status(&facts.observed.newest.id)],
            )];
        }
        Evidence::Unknown(gap) => {
            let resource = match id.kind.group() {
                "" => format!("{}s", id.kind.resource()),
                group => format!("{}s.{group}", id.kind.resource()),
            };
            let way_out = match gap.reason {
                GapReason::Forbidden => facts.advisor.can_i("list", &resource, Some(&id.namespace)),
                _ => facts.advisor.describe(id),
            };
            return vec![refusal(
                Guard::Unreadable,
                id.to_string(),
                format!("it could not be read: {}", gap.message),
                vec![way_out],
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
        RolloutState::Progressing if !goes_on => {
            refusals.push(not_settled(facts, live));
        }
        RolloutState::Progressing | RolloutState::Settled | RolloutState::None => {}
    }
    refusals
}

pub(super) fn not_settled(facts: &Ground<'_>, live: &LiveWorkload) -> Refusal {
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
