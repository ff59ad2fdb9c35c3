//! The job that brings running images to what their tags point to (DOMAIN §4). Its runs end well also where it gave up or did nothing, so it is
//! judged by the annotations that it leaves, not by the colour of its Jobs (DOMAIN §13, 9).

use std::collections::BTreeMap;

use super::pace::{self, Pace};
use super::upgrade::look;
use super::{
    Judged, Present, about, access, deadline, facts, is_since, judge_job, limit, not_established,
    suspension, unread, with_schedule,
};
use crate::assess::Case;
use crate::change::{ANNOTATION, Change, ChangeState, ROLLBACK};
use crate::finding::{Code, Finding};
use crate::image::ImageRef;
use crate::profile::ImageRefresh;
use crate::release::Release;
use crate::report::{AutomationState, JobReport};
use crate::snapshot::{Evidence, Gap};
use crate::time::{counted, moment};
use crate::workload::{LiveWorkload, PullPolicy, WorkloadId};

pub(super) fn judge(case: &Case<'_>, release: &Release) -> Judged {
    let refresh = &case.profile.automation.image_refresh;
    let missing = (Code::RefreshAbsent, "no job follows moved tags");
    judge_job(case, release, &refresh.job, missing, |present| {
        let (report, mut findings) = running(case, release, refresh, present);
        findings.extend(deadline::judge(case, release, refresh, present));
        (report, findings)
    })
}

/// What one rule found: the state, its words, and the finding.
struct Verdict {
    report: JobReport,
    findings: Vec<Finding>,
}

fn running(
    case: &Case<'_>,
    release: &Release,
    refresh: &ImageRefresh,
    present: &Present<'_>,
) -> Judged {
    let base = with_schedule(present, case.snapshot.observed_at);
    let main = match main_workload(case, release) {
        Ok(main) => main,
        Err(gap) => return not_established(&gap),
    };
    let verdict = |state, code, detail: String, advice: Vec<String>| Verdict {
        findings: vec![
            Finding::new(
                code,
                about(case, present.id),
                format!("the job that follows moved tags {detail}"),
            )
            .advise(advice)
            .because(facts(present))
            .because(guards(refresh, main)),
        ],
        report: JobReport {
            state,
            detail: Some(detail),
            ..base.clone()
        },
    };
    let verdict = if let Some((state, code, detail, advice)) =
        evident(case, release, refresh, present, main)
    {
        verdict(state, code, detail, advice)
    } else {
        let patience = case.profile.automation.patience;
        match pace::judge(present, case.snapshot.observed_at, patience) {
            Pace::Unknown(gap) => return (pace::unknown(base, &gap), Vec::new()),
            Pace::Stalled(stall) => {
                let advice = look(case, present, &stall);
                let detail = format!("is stalled: {}", stall.why);
                let mut verdict = verdict(
                    AutomationState::Stalled,
                    Code::RefreshStalled,
                    detail,
                    advice,
                );
                verdict.report.since = Some(stall.since);
                verdict
            }
            Pace::Keeps if never_worked(case, present, main) => {
                let detail =
                    "ends well and has never recorded a digest, so it has never done its work"
                        .to_owned();
                let advice = vec![case.advisor.describe(present.id)];
                verdict(
                    AutomationState::Stalled,
                    Code::RefreshNeverWorked,
                    detail,
                    advice,
                )
            }
            Pace::Keeps => match (
                unknown_without_values(release, refresh, main),
                failing(release, refresh, main),
            ) {
                (Some(what), _) => {
                    let gap = unread(case, present, what);
                    return (pace::unknown(base, &gap), Vec::new());
                }
                (None, Some(detail)) => verdict(
                    AutomationState::Ok,
                    Code::RefreshRetrying,
                    detail,
                    Vec::new(),
                ),
                (None, None) => return (base, Vec::new()),
            },
        }
    };
    (verdict.report, verdict.findings)
}

/// What keeps the job from its work whatever its pace: the state, the code, the words, and the lines to type.
fn evident(
    case: &Case<'_>,
    release: &Release,
    refresh: &ImageRefresh,
    present: &Present<'_>,
    main: Option<&LiveWorkload>,
) -> Option<(AutomationState, Code, String, Vec<String>)> {
    use AutomationState::{Flapping, Inert, LockedOut, Stalled, Suspended};
    if present.cron.suspended {
        let (detail, advice) = suspended(case, release, refresh, present, main);
        return Some((Suspended, Code::RefreshSuspended, detail, advice));
    }
    if let Some(detail) = inert(case, release, refresh, main) {
        return Some((Inert, Code::RefreshInert, detail, Vec::new()));
    }
    if let Some((detail, advice)) = flapping(case, release, refresh, main) {
        return Some((Flapping, Code::RefreshFlapping, detail, advice));
    }
    if let Some(detail) = skipping(release, refresh, main) {
        let advice = main
            .map(|main| case.advisor.describe(&main.workload.id))
            .into_iter()
            .collect();
        return Some((Stalled, Code::RefreshStalled, detail, advice));
    }
    access::lost(case, release, present)
        .map(|(detail, advice)| (LockedOut, Code::RefreshLockedOut, detail, advice))
}

/// The workload that carries the records; `None` if it is surely missing.
fn main_workload<'facts>(
    case: &Case<'facts>,
    release: &'facts Release,
) -> Result<Option<&'facts LiveWorkload>, Gap> {
    let pattern = &case.profile.main_workload;
    let declared = release
        .workloads
        .iter()
        .find(|workload| pattern.matches(&workload.id, &release.head.id.name));
    match declared.map(|declared| case.snapshot.live_workload(&declared.id)) {
        Some(Evidence::Known(live)) => Ok(live),
        Some(Evidence::Unknown(gap)) => Err(gap),
        None => Ok(None),
    }
}

fn record<'facts>(main: Option<&'facts LiveWorkload>, key: &str) -> Option<&'facts str> {
    let records: &BTreeMap<String, String> = &main?.records;
    records
        .get(key)
        .map(String::as_str)
        .filter(|text| !text.is_empty())
}

fn count(main: Option<&LiveWorkload>, key: &str) -> u32 {
    record(main, key)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// Who suspended the job, and whether that leaves any way for new content.
fn suspended(
    case: &Case<'_>,
    release: &Release,
    refresh: &ImageRefresh,
    present: &Present<'_>,
    main: Option<&LiveWorkload>,
) -> (String, Vec<String>) {
    let (why, advice) = suspension(case, release, present, &refresh.job.suspend_value);
    let path = if restarts_pull(case, release, main) {
        ""
    } else {
        "; restarts do not pull either, so nothing brings new content"
    };
    (format!("is suspended {why}{path}"), advice)
}

/// The annotations with which the job guards itself, as they stand.
fn guards(refresh: &ImageRefresh, main: Option<&LiveWorkload>) -> Vec<String> {
    [
        &refresh.flap.attempts,
        &refresh.flap.detected,
        &refresh.skips.streak,
    ]
    .into_iter()
    .filter_map(|key| Some(format!("{key}={}", record(main, key)?)))
    .collect()
}

/// Why the job does nothing, and what is left to bring new content.
fn inert(
    case: &Case<'_>,
    release: &Release,
    refresh: &ImageRefresh,
    main: Option<&LiveWorkload>,
) -> Option<String> {
    let mirror = mirror(release, refresh)?;
    let left = if restarts_pull(case, release, main) {
        ": pods must be restarted by hand"
    } else {
        "; restarts do not pull either, so nothing brings new content"
    };
    Some(format!(
        "does nothing, because images come from the mirror {mirror}{left}"
    ))
}

/// The mirror that makes the job do nothing.
pub(crate) fn mirror(release: &Release, refresh: &ImageRefresh) -> Option<String> {
    if !is_since(release, &refresh.mirror.since) {
        return None;
    }
    let (registry, _) = release.values.text(&refresh.mirror.value)?;
    let host = registry.trim_end_matches('/');
    (!host.is_empty() && host != refresh.mirror.source).then(|| host.to_owned())
}

/// Why the job gave up, and how it is made to try again once the cause is gone.
fn flapping(
    case: &Case<'_>,
    release: &Release,
    refresh: &ImageRefresh,
    main: Option<&LiveWorkload>,
) -> Option<(String, Vec<String>)> {
    let flap = &refresh.flap;
    if !is_since(release, &flap.since) {
        return None;
    }
    let attempts = count(main, &flap.attempts);
    let detected = record(main, &flap.detected).is_some_and(|text| text != "false");
    // Another limit than the default stands in the values.
    let is_full =
        !release.is_by_labels() && attempts >= limit(release, &flap.limit_value, flap.limit);
    if !detected && !is_full {
        return None;
    }
    let id: &WorkloadId = &main?.workload.id;
    let release = &case.observed.newest.id;
    let again = case.advisor.refresh(release, &["--clear-flap"]);
    let went_back = record(main, ANNOTATION)
        .and_then(Change::parse)
        .filter(|last| last.command == ROLLBACK && last.state == ChangeState::Done);
    if let Some(last) = went_back {
        let detail = format!(
            "was told to leave it alone, as {} went back from what is published at {}",
            last.by,
            moment(last.at)
        );
        return Some((detail, vec![again]));
    }
    let detail = format!(
        "gave up after {}, and ends well all the same; once the cause is gone, --clear-flap tries again",
        counted(u64::from(attempts), "failed rollout")
    );
    Some((detail, vec![case.advisor.describe(id), again]))
}

/// What only values tell of a job that keeps its pace: without them it is not known to do its work.
fn unknown_without_values(
    release: &Release,
    refresh: &ImageRefresh,
    main: Option<&LiveWorkload>,
) -> Option<&'static str> {
    if !release.is_by_labels() {
        return None;
    }
    if count(main, &refresh.flap.attempts) > 0 && is_since(release, &refresh.flap.since) {
        return Some("after how many failed rollouts it gives up");
    }
    let is_from_source = |image: &ImageRef| image.repository().registry() == refresh.mirror.source;
    let may_be_mirrored = main.is_some_and(|main| {
        let mut images = main.workload.containers.iter();
        !images.all(|container| container.image.as_ref().is_ok_and(is_from_source))
    });
    (may_be_mirrored && is_since(release, &refresh.mirror.since))
        .then_some("whether its images come from a mirror, on which it does nothing,")
}

/// A rollout failed, and the job will try again.
fn failing(
    release: &Release,
    refresh: &ImageRefresh,
    main: Option<&LiveWorkload>,
) -> Option<String> {
    let flap = &refresh.flap;
    let attempts = count(main, &flap.attempts);
    (attempts > 0 && is_since(release, &flap.since)).then(|| {
        let most = limit(release, &flap.limit_value, flap.limit);
        format!("has seen {attempts} of {most} rollouts fail, and tries again")
    })
}

/// The job skips because the workload has not settled, again and again.
fn skipping(
    release: &Release,
    refresh: &ImageRefresh,
    main: Option<&LiveWorkload>,
) -> Option<String> {
    let skips = &refresh.skips;
    let streak = count(main, &skips.streak);
    let most = limit(release, &skips.limit_value, skips.limit);
    (streak >= most && is_since(release, &skips.since)).then(|| {
        format!("has skipped {streak} runs in a row, because the workload does not settle")
    })
}

/// Runs end well, and none ever left a record (DOMAIN §4, §13, 11).
fn never_worked(case: &Case<'_>, present: &Present<'_>, main: Option<&LiveWorkload>) -> bool {
    let recorded = case
        .profile
        .images
        .iter()
        .filter_map(|image| image.record.as_deref())
        .any(|key| record(main, key).is_some());
    present.cron.last_succeeded.is_some() && main.is_some() && !recorded
}

/// True if a restart of the main workload would pull tags that moved.
fn restarts_pull(case: &Case<'_>, release: &Release, main: Option<&LiveWorkload>) -> bool {
    let Some(main) = main else {
        return true;
    };
    main.workload.containers.iter().all(|container| {
        let follows = case
            .profile
            .image_of(&release.head.id.name, &main.workload.id, &container.name)
            .is_some_and(|image| image.follows_channel);
        !follows || container.pull_policy == PullPolicy::Always
    })
}
