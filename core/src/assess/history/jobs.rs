//! The Jobs that the release's `CronJob`s started, as far as they are still there.

use jiff::Timestamp;

use super::Past;
use crate::cronjob::LiveJob;
use crate::profile::OwnJob;
use crate::report::{ChangeKind, ChangeReport, Outcome};
use crate::workload::{WorkloadId, WorkloadKind};

/// The Jobs.
pub(super) fn of(past: &Past<'_>) -> Vec<ChangeReport> {
    past.snapshot
        .jobs
        .iter()
        .filter(|job| past.has(&cron_job(job)))
        .map(|job| told(past, job))
        .collect()
}

/// The Job of the chart that moves the release to newer versions, if one ran at that time.
pub(super) fn upgrading(past: &Past<'_>, at: Timestamp) -> Option<String> {
    at_work(past, &past.profile.automation.auto_upgrade.job, at)
}

/// The Job of the chart that brings images to what their tags point to, if one ran at that time.
pub(super) fn refreshing(past: &Past<'_>, at: Timestamp) -> Option<String> {
    at_work(past, &past.profile.automation.image_refresh.job, at)
}

fn at_work(past: &Past<'_>, own: &OwnJob, at: Timestamp) -> Option<String> {
    let name = name_of(past, own);
    past.snapshot
        .jobs
        .iter()
        .filter(|job| job.cron_job == name && past.has(&cron_job(job)))
        .find(|job| {
            let began = job.started.is_some_and(|started| started <= at);
            let ended = job
                .end
                .as_ref()
                .is_some_and(|end| end.at.is_none_or(|end| end < at));
            began && !ended
        })
        .map(object)
}

fn name_of(past: &Past<'_>, own: &OwnJob) -> String {
    let release = past.observed.newest.id.name.as_str();
    own.cron_job.replace("{release}", release)
}

fn cron_job(job: &LiveJob) -> WorkloadId {
    WorkloadId {
        kind: WorkloadKind::CronJob,
        namespace: job.namespace.clone(),
        name: job.cron_job.clone(),
    }
}

fn object(job: &LiveJob) -> String {
    format!("job/{}", job.name)
}

fn told(past: &Past<'_>, job: &LiveJob) -> ChangeReport {
    let automation = &past.profile.automation;
    let work = if job.cron_job == name_of(past, &automation.auto_upgrade.job) {
        "the chart's upgrade".to_owned()
    } else if job.cron_job == name_of(past, &automation.image_refresh.job) {
        "the chart's image refresh".to_owned()
    } else {
        format!("cronjob/{}", job.cron_job)
    };
    let failure = job.end.as_ref().and_then(|end| end.failure.clone());
    let why = failure
        .as_ref()
        .map_or_else(String::new, |failure| format!(": {failure}"));
    ChangeReport {
        at: job.started,
        ended: job.end.as_ref().and_then(|end| end.at),
        summary: format!("{work} ran as {}{why}", object(job)),
        outcome: Some(match &job.end {
            None => Outcome::Open,
            Some(end) if end.failure.is_some() => Outcome::Failed,
            Some(_) => Outcome::Done,
        }),
        job: Some(object(job)),
        workload: Some(cron_job(job)),
        reason: failure,
        evidence: vec![object(job)],
        ..ChangeReport::of(ChangeKind::Job)
    }
}
