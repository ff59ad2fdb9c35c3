//! The chart's own jobs: whether what is behind will fix itself, and when; or since when not, and why.

mod access;
mod deadline;
mod pace;
mod refresh;
mod upgrade;

use jiff::Timestamp;

pub use access::wanted_access;
pub(crate) use refresh::mirror as refresh_mirror;

use super::{Case, breakers, unknown};
use crate::change::Suspended;
use crate::cronjob::{CronFacts, LiveJob};
use crate::finding::{Code, Finding, Subject};
use crate::profile::OwnJob;
use crate::release::{Origin, Release};
use crate::report::{AutomationReport, AutomationState, JobReport};
use crate::snapshot::{Evidence, Gap, GapReason};
use crate::time::moment;
use crate::version::Version;
use crate::workload::{WorkloadId, WorkloadKind};

/// How one job stands, and what is worth saying about it.
type Judged = (JobReport, Vec<Finding>);

/// Judges both jobs of a release.
pub(super) fn judge(case: &Case<'_>, release: &Release) -> (AutomationReport, Vec<Finding>) {
    let (auto_upgrade, mut findings) = upgrade::judge(case, release);
    let (image_refresh, found) = refresh::judge(case, release);
    findings.extend(found);
    let report = AutomationReport {
        auto_upgrade,
        image_refresh,
    };
    (report, findings)
}

/// Judges a job by `running` if it is there. Where it is switched off, `missing` is the finding, and its words.
fn judge_job(
    case: &Case<'_>,
    release: &Release,
    job: &OwnJob,
    missing: (Code, &str),
    running: impl FnOnce(&Present<'_>) -> Judged,
) -> Judged {
    match presence(case, release, job) {
        Presence::Present(present) => running(&present),
        Presence::Unknown(gap) => not_established(&gap),
        Presence::Deleted(workload) => deleted(case, release, &workload),
        Presence::Unheard => {
            let detail = format!("versions of the chart before {} have none", job.since);
            (absent(detail), Vec::new())
        }
        Presence::Off(why) => {
            let (code, what) = missing;
            let finding = Finding::new(code, case.subject(), format!("{what}: {why}"));
            (absent(why), vec![finding])
        }
    }
}

/// A job that exists.
struct Present<'facts> {
    id: &'facts WorkloadId,
    cron: &'facts CronFacts,
    jobs: Evidence<Vec<&'facts LiveJob>>,
    /// The run of ours that suspended it, for as long as it lasts.
    paused: Option<Suspended>,
}

/// Whether a release has a job.
enum Presence<'facts> {
    Present(Present<'facts>),
    /// This chart version knows no such job.
    Unheard,
    /// It is switched off, or not rendered: why.
    Off(String),
    /// The stored manifest has it and the cluster does not.
    Deleted(WorkloadId),
    Unknown(Gap),
}

fn presence<'facts>(
    case: &Case<'facts>,
    release: &'facts Release,
    job: &OwnJob,
) -> Presence<'facts> {
    let id = &release.head.id;
    let name = job.cron_job.replace("{release}", id.name.as_str());
    let declared = release.workloads.iter().find(|workload| {
        workload.id.kind == WorkloadKind::CronJob
            && workload.id.name == name
            && workload.id.namespace == id.namespace
    });
    let Some(declared) = declared else {
        if release.may_hide(WorkloadKind::CronJob) {
            return Presence::Unknown(Gap {
                asked: format!("cronjob {name}"),
                reason: GapReason::Malformed,
                message: format!(
                    "the stored manifest has a {} that cannot be read",
                    release.unreadable.join(" and a ")
                ),
            });
        }
        if !is_since(release, &job.since) {
            return Presence::Unheard;
        }
        if release.is_by_labels() {
            return unlabelled(case, release, name);
        }
        return Presence::Off(match release.values.text(&job.enabled_value) {
            Some((value, _)) if value == "false" => {
                format!("switched off by the value {}", job.enabled_value)
            }
            Some(_) | None => {
                "not in the stored manifest, as where every image is pinned".to_owned()
            }
        });
    };
    match case.snapshot.live_workload(&declared.id) {
        Evidence::Unknown(gap) => Presence::Unknown(gap),
        Evidence::Known(None) => Presence::Deleted(declared.id.clone()),
        Evidence::Known(Some(live)) => match &live.cron {
            Some(cron) => Presence::Present(Present {
                id: &live.workload.id,
                cron,
                jobs: case.snapshot.jobs_of(&live.workload.id),
                paused: Suspended::of(live),
            }),
            None => Presence::Unknown(Gap {
                asked: format!("cronjob {name}"),
                reason: GapReason::Malformed,
                message: "its schedule was not observed".to_owned(),
            }),
        },
    }
}

/// A job that no label tells of, of a release whose record may not be read: why it is not there only the record says.
fn unlabelled<'facts>(case: &Case<'_>, release: &Release, name: String) -> Presence<'facts> {
    let id = WorkloadId {
        kind: WorkloadKind::CronJob,
        namespace: release.head.id.namespace.clone(),
        name,
    };
    match case.snapshot.live_workload(&id) {
        Evidence::Unknown(gap) => Presence::Unknown(gap),
        Evidence::Known(_) => Presence::Off(
            "not among its workloads, and whether a value switches it off or somebody deleted it is not known, as the release's record may not be read"
                .to_owned(),
        ),
    }
}

/// What is not known of a job, as only the release's record tells it.
fn unread(case: &Case<'_>, present: &Present<'_>, what: &str) -> Gap {
    let told = case.observed.unread.as_ref();
    Gap {
        asked: format!("the record of the release of {}", present.id),
        reason: GapReason::Forbidden,
        message: match told {
            Some(gap) => format!("{what} is not known: {}", gap.message),
            None => format!("{what} is not known"),
        },
    }
}

/// True if the release's chart is of this version or a later one; a version that cannot be read is taken for a new one.
pub(crate) fn is_since(release: &Release, version: &Version) -> bool {
    release
        .chart
        .version
        .as_ref()
        .is_none_or(|installed| installed >= version)
}

/// The number in a value, or the one to take where it holds none.
pub(crate) fn limit(release: &Release, path: &str, otherwise: u32) -> u32 {
    release
        .values
        .text(path)
        .and_then(|(text, _)| text.parse().ok())
        .unwrap_or(otherwise)
}

/// A job without a schedule.
fn without_schedule(state: AutomationState, detail: Option<String>) -> JobReport {
    JobReport {
        state,
        schedule: None,
        last_run: None,
        last_success: None,
        next_run: None,
        since: None,
        detail,
        unknown: None,
    }
}

/// A job with everything but its state.
fn with_schedule(present: &Present<'_>, now: Timestamp) -> JobReport {
    let cron = present.cron;
    let started = present
        .jobs
        .known()
        .into_iter()
        .flatten()
        .filter_map(|job| job.started);
    JobReport {
        schedule: Some(cron.schedule.clone()),
        last_run: cron.last_scheduled.into_iter().chain(started).max(),
        last_success: cron.last_succeeded,
        next_run: match cron.ticks() {
            Ok(ticks) if !cron.suspended => ticks.next(now),
            Ok(_) | Err(_) => None,
        },
        ..without_schedule(AutomationState::Ok, None)
    }
}

fn absent(detail: impl Into<String>) -> JobReport {
    without_schedule(AutomationState::Absent, Some(detail.into()))
}

fn not_established(gap: &Gap) -> Judged {
    let report = JobReport {
        unknown: Some(unknown(gap)),
        ..without_schedule(AutomationState::Unknown, Some(gap.message.clone()))
    };
    // The gap is a finding of its own already.
    (report, Vec::new())
}

fn about(case: &Case<'_>, workload: &WorkloadId) -> Subject {
    Subject {
        workload: Some(workload.clone()),
        ..case.subject()
    }
}

fn deleted(case: &Case<'_>, release: &Release, workload: &WorkloadId) -> Judged {
    let message = format!("{workload} is in the stored manifest, and somebody deleted it");
    // An upgrade to the same version makes what is missing anew; a rollback to the present revision does too, and needs no repository.
    let advice = case
        .advisor
        .rollback(&release.head.id, release.head.revision);
    let finding = Finding::new(
        Code::AutomationDeleted,
        about(case, workload),
        message.clone(),
    )
    .advise(vec![advice]);
    (absent(message), vec![finding])
}

/// What a finding about a job rests on.
fn facts(present: &Present<'_>) -> Vec<String> {
    let cron = present.cron;
    let moment = |what: &str, at: Option<Timestamp>| match at {
        Some(at) => format!("{what} {at}"),
        None => format!("{what}: never"),
    };
    let mut facts = vec![
        format!("schedule {}", cron.schedule),
        moment("last started", cron.last_scheduled),
        moment("last succeeded", cron.last_succeeded),
    ];
    if cron.suspended {
        facts.push("spec.suspend is true".to_owned());
    }
    facts
}

/// Who suspended a job, and the line that lets it run again.
fn suspension(
    case: &Case<'_>,
    release: &Release,
    present: &Present<'_>,
    value: &str,
) -> (String, Vec<String>) {
    if let Some(run) = &present.paused {
        let who = format!(
            "for as long as the {} lasts that {} began at {}: it lets it run again at its end, and where it was killed the next one does",
            run.command,
            run.by,
            moment(run.at)
        );
        return (
            who,
            vec![case.advisor.refresh(&case.observed.newest.id, &[])],
        );
    }
    if release.is_by_labels() {
        let why = "by a value or in the cluster only, which the release's record would tell";
        return (why.to_owned(), Vec::new());
    }
    let by_value = release
        .values
        .text(value)
        .filter(|(text, _)| text == "true");
    match by_value {
        // A patch would hold until the next upgrade only, and make it fail where Helm applies on the server (DOMAIN §5).
        Some((_, origin)) => {
            let who = match origin {
                Origin::User => "by the release's value",
                Origin::Chart => "by the chart's default",
            };
            let change = format!("{value}=false");
            let advice = breakers::anew(case, release, Some(("--set", &change)));
            (format!("{who} {value}"), advice)
        }
        None => (
            "in the cluster, not by its values: the next upgrade with Helm 3 lets it run again"
                .to_owned(),
            vec![case.advisor.unsuspend(present.id)],
        ),
    }
}

#[cfg(test)]
mod tests;
