//! Whether what is behind will be brought up to date without anybody, in a line for each release.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use tracebloc_core::report::{AutomationState, JobReport, OutdatedReport, ReleaseReport};

use super::text::harmless;

/// The lines, without an end. Releases of which the same is to be said share one.
pub(super) fn lines(report: &OutdatedReport) -> Vec<String> {
    let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for release in report.releases.iter().filter(|release| release.is_behind()) {
        if let Some(answer) = answer(release, report.checked_at) {
            let name = format!("{}/{}", release.namespace, release.name);
            said.entry(answer).or_default().push(harmless(&name));
        }
    }
    said.into_iter()
        .map(|(answer, releases)| format!("{}: {}", releases.join(", "), harmless(&answer)))
        .collect()
}

/// `None` where it was not asked for, and where the chart knows no such jobs.
fn answer(release: &ReleaseReport, now: Timestamp) -> Option<String> {
    let automation = release.automation.as_ref()?;
    let jobs = [
        ("chart", &automation.auto_upgrade),
        ("images", &automation.image_refresh),
    ];
    let (mut works, mut rests, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for (what, job) in jobs {
        match job.state {
            AutomationState::Ok => works.push(format!("{what} {}", when(job, now))),
            AutomationState::Unknown => unknown.push((what, why(job))),
            _ => rests.push(format!("{what}: {}", why(job))),
        }
    }
    let not_known = match unknown.as_slice() {
        // The same list was refused for both.
        [(_, one), (_, other)] if one == other => {
            return Some(format!("whether it updates itself is {one}"));
        }
        several => several.iter().fold(String::new(), |told, (what, why)| {
            told + "; " + what + ": " + why
        }),
    };
    let (works, rests) = (works.join(", "), rests.join(", "));
    Some(match (works.is_empty(), rests.is_empty()) {
        (false, true) => format!("updates itself, {works}{not_known}"),
        (false, false) => format!("updates itself in part, {works}; not {rests}{not_known}"),
        (true, false) => format!("does not update itself; {rests}{not_known}"),
        (true, true) => format!("whether it updates itself is not known{not_known}"),
    })
}

/// When a job runs next: the time of the day if that is within one, else the day.
fn when(job: &JobReport, now: Timestamp) -> String {
    let Some(next) = job.next_run else {
        return "at a time that is not known".to_owned();
    };
    let text = next.to_string();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    if next.duration_since(now) < SignedDuration::from_hours(24) {
        format!("next {} UTC", time.get(..5).unwrap_or(time))
    } else {
        format!("next on {day}")
    }
}

/// Why a job does not do it.
fn why(job: &JobReport) -> String {
    let state = match job.state {
        AutomationState::Ok => "ok",
        AutomationState::Suspended => "suspended",
        AutomationState::Stalled => "stalled",
        AutomationState::Flapping => "gave up",
        AutomationState::Wedged => "the release hangs",
        AutomationState::Inert => "does nothing on a mirror",
        AutomationState::LockedOut => "has no rights",
        AutomationState::Absent => "no job",
        AutomationState::Unknown => "not known",
    };
    match (&job.since, job.state) {
        (Some(since), _) => {
            let text = since.to_string();
            format!("{state} since {}", text.get(..10).unwrap_or(&text))
        }
        (None, AutomationState::Stalled | AutomationState::Unknown) => match &job.detail {
            Some(detail) => format!("{state}, {detail}"),
            None => state.to_owned(),
        },
        (None, _) => state.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::render::sample;

    fn said(upgrade: &Value, refresh: &Value) -> Vec<String> {
        let mut report = sample::report();
        let automation = json!({"autoUpgrade": upgrade, "imageRefresh": refresh});
        for release in &mut report.releases {
            release.automation = Some(serde_json::from_value(automation.clone()).unwrap());
        }
        lines(&report)
    }

    #[test]
    fn one_line_says_what_fixes_itself_and_when() {
        let soon = json!({"state": "ok", "nextRun": "2026-02-01T14:23:00Z"});
        let later = json!({"state": "ok", "nextRun": "2027-01-01T00:00:00Z"});
        let unknown_time = json!({"state": "ok"});
        let suspended = json!({"state": "suspended", "detail": "suspended in the cluster"});
        let stalled =
            json!({"state": "stalled", "since": "2026-01-03T02:00:00Z", "detail": "hangs"});
        let blocked =
            json!({"state": "stalled", "detail": "the upgrade to 1.9.51 is known to fail"});
        let absent = json!({"state": "absent"});
        let unknown = json!({"state": "unknown", "detail": "forbidden"});
        let failed = json!({"state": "unknown", "detail": "no answer"});
        for (upgrade, refresh, expected) in [
            (
                &unknown,
                &unknown,
                "edge/behind: whether it updates itself is not known, forbidden",
            ),
            (
                &unknown,
                &failed,
                "edge/behind: whether it updates itself is not known; chart: not known, forbidden; images: not known, no answer",
            ),
            (
                &soon,
                &unknown,
                "edge/behind: updates itself, chart next 14:23 UTC; images: not known, forbidden",
            ),
            (
                &absent,
                &unknown,
                "edge/behind: does not update itself; chart: no job; images: not known, forbidden",
            ),
            (
                &soon,
                &later,
                "edge/behind: updates itself, chart next 14:23 UTC, images next on 2027-01-01",
            ),
            (
                &soon,
                &suspended,
                "edge/behind: updates itself in part, chart next 14:23 UTC; not images: suspended",
            ),
            (
                &stalled,
                &unknown_time,
                "edge/behind: updates itself in part, images at a time that is not known; not chart: stalled since 2026-01-03",
            ),
            (
                &blocked,
                &absent,
                "edge/behind: does not update itself; chart: stalled, the upgrade to 1.9.51 is known to fail, images: no job",
            ),
        ] {
            assert_eq!(said(upgrade, refresh), [expected]);
        }
    }

    #[test]
    fn releases_of_which_the_same_is_said_share_a_line_and_current_ones_have_none() {
        let mut report = sample::fleet(2);
        assert_eq!(lines(&report), Vec::<String>::new(), "not asked for");
        let off = json!({"autoUpgrade": {"state": "absent"}, "imageRefresh": {"state": "absent"}});
        for release in &mut report.releases {
            release.automation = Some(serde_json::from_value(off.clone()).unwrap());
        }
        assert_eq!(
            lines(&report),
            [
                "customer-000/behind, customer-001/behind: does not update itself; chart: no job, images: no job"
            ]
        );
    }
}
