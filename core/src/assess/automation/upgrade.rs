//! The job that moves a release to newer chart versions (DOMAIN §5).

use super::pace::{self, Pace, Stall};
use super::{
    Judged, Present, about, access, facts, is_since, judge_job, suspension, unread, with_schedule,
};
use crate::assess::{Case, breakers, release as revision, unknown};
use crate::finding::{Code, Finding};
use crate::profile::Updater;
use crate::release::{Release, ReleaseStatus};
use crate::report::{AutomationState, JobReport};
use crate::snapshot::{Evidence, Gap};
use crate::workload::{WorkloadId, WorkloadKind};

pub(super) fn judge(case: &Case<'_>, release: &Release) -> Judged {
    let updater = &case.profile.automation.auto_upgrade;
    let missing = (Code::UpgradeAbsent, "no job upgrades the release by itself");
    judge_job(case, release, &updater.job, missing, |present| {
        running(case, release, updater, present)
    })
}

fn running(case: &Case<'_>, release: &Release, updater: &Updater, present: &Present<'_>) -> Judged {
    let now = case.snapshot.observed_at;
    let base = with_schedule(present, now);
    let state = |state, detail: &str| JobReport {
        state,
        detail: Some(detail.to_owned()),
        ..base.clone()
    };
    let finding = |code, message: String| {
        Finding::new(code, about(case, present.id), message).because(facts(present))
    };
    if present.cron.suspended {
        let (why, advice) = suspension(case, release, present, &updater.job.suspend_value);
        let found = finding(
            Code::UpgradeSuspended,
            format!("the job that upgrades the release by itself is suspended {why}"),
        );
        let report = state(AutomationState::Suspended, &format!("suspended {why}"));
        return (report, vec![found.advise(advice)]);
    }
    if revision::is_stuck(case) {
        let detail = if recovers(case, release, updater) {
            "the release is held by an operation that was killed; the next run rolls back to the revision before it, whether that one worked or not"
        } else {
            "the release is held by an operation that was killed, and this chart version's job cannot get over it"
        };
        // `release-pending` says what to do.
        return (state(AutomationState::Wedged, detail), Vec::new());
    }
    match lockout(case, updater) {
        Some(Evidence::Known(detail)) => {
            let found = finding(
                Code::UpgradeLockedOut,
                format!("the job that upgrades the release has lost its rights: {detail}"),
            );
            let report = state(AutomationState::LockedOut, &detail);
            return (report, vec![found.advise(repair(case))]);
        }
        Some(Evidence::Unknown(gap)) => {
            let report = JobReport {
                unknown: Some(unknown(&gap)),
                ..state(AutomationState::Unknown, &gap.message)
            };
            let found = Finding::new(
                Code::ClusterUnanswered,
                about(case, present.id),
                format!("{}: {}", gap.asked, gap.message),
            );
            return (report, vec![found]);
        }
        None => {}
    }
    if let Some((detail, advice)) = access::lost(case, release, present) {
        let found = finding(
            Code::UpgradeLockedOut,
            format!("the job that upgrades the release {detail}"),
        );
        let report = state(AutomationState::LockedOut, &detail);
        return (report, vec![found.advise(advice)]);
    }
    if case.observed.newest.status == ReleaseStatus::Failed && !recovers(case, release, updater) {
        let detail = "this chart version's job takes the upgrade that failed for done, and will not try it again";
        let report = JobReport {
            since: case
                .observed
                .record
                .known()
                .and_then(|record| record.last_deployed),
            ..state(AutomationState::Stalled, detail)
        };
        return (
            report,
            vec![finding(Code::UpgradeStalled, detail.to_owned()).advise(repair(case))],
        );
    }
    match pace::judge(present, now, case.profile.automation.patience) {
        // Its runs end well also where an operation failed or hangs.
        Pace::Keeps
            if release.is_by_labels()
                && (case.observed.revision().is_none()
                    || case.observed.newest.status.is_pending()) =>
        {
            let gap = unread(case, present, "whether an operation holds the release");
            (pace::unknown(base, &gap), Vec::new())
        }
        Pace::Keeps => (base, Vec::new()),
        Pace::Unknown(gap) => (pace::unknown(base, &gap), Vec::new()),
        Pace::Stalled(stall) => {
            let report = JobReport {
                since: Some(stall.since),
                ..state(AutomationState::Stalled, &stall.why)
            };
            let found = finding(
                Code::UpgradeStalled,
                format!(
                    "the job that upgrades the release is stalled: {}",
                    stall.why
                ),
            );
            (report, vec![found.advise(look(case, present, &stall))])
        }
    }
}

/// What to look at, or to end, where a job does not keep up.
pub(super) fn look(case: &Case<'_>, present: &Present<'_>, stall: &Stall) -> Vec<String> {
    let job = |name: &String| WorkloadId {
        kind: WorkloadKind::Job,
        namespace: present.id.namespace.clone(),
        name: name.clone(),
    };
    match (&stall.hangs, &stall.failed) {
        (Some(name), _) => vec![
            case.advisor.logs(&job(name)),
            case.advisor.delete(&job(name)),
        ],
        (None, Some(name)) => vec![case.advisor.logs(&job(name))],
        (None, None) => vec![case.advisor.describe(present.id)],
    }
}

/// True if the job that is installed now gets over a revision that failed or hangs. After an upgrade that failed half-way, that of either
/// version may be installed: it is said only where both do.
fn recovers(case: &Case<'_>, release: &Release, updater: &Updater) -> bool {
    let attempted = match &case.observed.record {
        Evidence::Known(attempted) => is_since(attempted, &updater.recovers_since),
        Evidence::Unknown(_) => false,
    };
    attempted && is_since(release, &updater.recovers_since)
}

/// What an upgrade took from the job that began it (DOMAIN §5 "Lockout"); `None` where it has rights, or nothing gave reason to look.
fn lockout(case: &Case<'_>, updater: &Updater) -> Option<Evidence<String>> {
    if case.observed.newest.status != ReleaseStatus::Failed {
        return None;
    }
    let grants = match case.snapshot.grants.as_ref()? {
        Evidence::Known(grants) => grants,
        Evidence::Unknown(gap) => {
            return Some(Evidence::Unknown(Gap {
                asked: gap.asked.clone(),
                reason: gap.reason,
                message: gap.message.clone(),
            }));
        }
    };
    let release = &case.observed.newest.id.name;
    let mut dangling = None;
    for grant in &updater.rights.grants {
        let binding = grant.binding_of(release);
        if !grants.bindings.contains(&binding) {
            continue;
        }
        match grant.role_of(release) {
            Some(role) if !grants.roles.contains(&role) => {
                dangling = Some(format!(
                    "clusterrolebinding {binding} is there, and clusterrole {role} is not"
                ));
            }
            Some(_) | None => return None,
        }
    }
    Some(Evidence::Known(dangling.unwrap_or_else(|| {
        "no clusterrolebinding of it is there".to_owned()
    })))
}

/// The upgrade that failed, by somebody with rights.
fn repair(case: &Case<'_>) -> Vec<String> {
    let attempted = case.observed.record.known();
    let line = attempted.and_then(|attempted| {
        let repository = case.observed.repository.as_ref()?;
        let version = attempted.chart.version.as_ref()?;
        let from = case.observed.current().known().unwrap_or(attempted);
        Some(breakers::judge(case, from, version).advice(case, from, repository))
    });
    line.unwrap_or_default()
}
