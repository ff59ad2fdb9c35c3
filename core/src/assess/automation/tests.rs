//! Automation judged on plain data: each test sets up one incident.

use std::collections::BTreeSet;

use serde_json::json;

use crate::assess::tests::{NOW, codes, edge, gap, healthy, judge, release, with_values};
use crate::change::{self, SUSPENDED};
use crate::cronjob::{CronFacts, JobEnd, LiveJob};
use crate::release::ReleaseStatus;
use crate::report::{AutomationReport, AutomationState, OutdatedReport};
use crate::snapshot::{Evidence, Grants, Snapshot, Unlisted};
use crate::workload::{PullPolicy, WorkloadKind};

fn automation(report: &OutdatedReport) -> &AutomationReport {
    report.releases[0].automation.as_ref().unwrap()
}

fn states(snapshot: &Snapshot) -> (AutomationState, AutomationState) {
    let report = judge(snapshot);
    let automation = automation(&report);
    (
        automation.auto_upgrade.state,
        automation.image_refresh.state,
    )
}

/// The facts of a job: 1 is the upgrader, 2 the refresh.
fn cron(snapshot: &mut Snapshot, place: usize) -> &mut CronFacts {
    snapshot.live[place].cron.as_mut().unwrap()
}

fn note(snapshot: &mut Snapshot, key: &str, value: &str) {
    snapshot.live[0]
        .records
        .insert(format!("tracebloc.io/{key}"), value.into());
}

fn job(name: &str, cron_job: &str, started: &str, end: Option<JobEnd>) -> LiveJob {
    LiveJob {
        namespace: edge(),
        name: name.into(),
        cron_job: cron_job.into(),
        started: Some(started.parse().unwrap()),
        end,
    }
}

/// An upgrade from `before` to `after` that failed as revision 2.
fn failed(before: &str, after: &str) -> Snapshot {
    let mut snapshot = healthy(before);
    let observed = &mut snapshot.releases[0];
    observed.deployed = Some(observed.record.clone());
    let record = release(after, 2, "failed", &json!({}));
    observed.newest = record.head.clone();
    observed.record = Evidence::Known(record);
    snapshot
}

fn grants(roles: &[&str], bindings: &[&str]) -> Evidence<Grants> {
    let set = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    Evidence::Known(Grants {
        roles: set(roles),
        bindings: set(bindings),
    })
}

use AutomationState::{
    Absent, Flapping, Inert, LockedOut, Ok as Fine, Stalled, Suspended, Unknown, Wedged,
};

#[test]
fn jobs_that_succeed_are_ok_and_say_when_they_run_next() {
    let report = judge(&healthy("1.9.51"));
    let automation = automation(&report);
    assert_eq!(automation.auto_upgrade.state, Fine);
    let next = |job: &crate::report::JobReport| job.next_run.unwrap().to_string();
    assert_eq!(next(&automation.auto_upgrade), "2026-08-21T11:23:00Z");
    assert_eq!(next(&automation.image_refresh), "2026-08-21T10:37:00Z");
    assert_eq!(report.findings, []);
}

#[test]
fn a_list_that_was_refused_is_unknown_and_never_ok() {
    let mut snapshot = healthy("1.9.51");
    snapshot
        .live
        .retain(|live| live.workload.id.kind != WorkloadKind::CronJob);
    assert_eq!(states(&snapshot), (Absent, Absent));
    assert_eq!(
        codes(&snapshot),
        ["automation-deleted", "automation-deleted"]
    );
    snapshot.unlisted.push(Unlisted {
        namespace: edge(),
        kind: Some(WorkloadKind::CronJob),
        gap: gap("cronjobs"),
    });
    assert_eq!(states(&snapshot), (Unknown, Unknown));
    assert_eq!(codes(&snapshot), ["cluster-unanswered"]);
    let mut snapshot = healthy("1.9.51");
    snapshot.live.remove(0);
    snapshot.unlisted.push(Unlisted {
        namespace: edge(),
        kind: Some(WorkloadKind::Deployment),
        gap: gap("deployments"),
    });
    assert_eq!(
        states(&snapshot),
        (Fine, Unknown),
        "the annotations are not known"
    );
}

#[test]
fn a_suspended_job_says_who_suspended_it() {
    let mut snapshot = healthy("1.9.51");
    cron(&mut snapshot, 1).suspended = true;
    let report = judge(&snapshot);
    assert_eq!(automation(&report).auto_upgrade.state, Suspended);
    assert_eq!(automation(&report).auto_upgrade.next_run, None);
    assert!(report.findings[0].message.contains("in the cluster"));
    assert!(report.findings[0].advice[0].starts_with("kubectl patch cronjob/edge-auto-upgrade"));
    let mut snapshot = with_values("1.9.51", &json!({"imageRefresh": {"suspend": true}}));
    cron(&mut snapshot, 2).suspended = true;
    let report = judge(&snapshot);
    let finding = &report.findings[0];
    assert_eq!(finding.code.as_str(), "refresh-suspended");
    assert!(
        finding.message.contains("restarts do not pull either"),
        "{}",
        finding.message
    );
    assert!(
        finding.advice[0].contains("--set imageRefresh.suspend=false"),
        "{:?}",
        finding.advice
    );
}

#[test]
fn a_job_that_a_run_of_ours_suspended_says_so() {
    let mut snapshot = healthy("1.4.4");
    cron(&mut snapshot, 2).suspended = true;
    let run = change::Suspended {
        id: "a".to_owned(),
        command: "refresh".to_owned(),
        by: "jane".to_owned(),
        at: "2026-08-21T10:20:00Z".parse().unwrap(),
    };
    let records = &mut snapshot.live[2].records;
    records.insert(SUSPENDED.to_owned(), run.to_text());
    let report = judge(&snapshot);
    let finding = report
        .findings
        .iter()
        .find(|finding| finding.code.as_str() == "refresh-suspended")
        .unwrap();
    let told =
        "is suspended for as long as the refresh lasts that jane began at 2026-08-21 10:20:00 UTC";
    assert!(finding.message.contains(told), "{}", finding.message);
    assert!(finding.advice[0].starts_with("kubectl tracebloc refresh"));
}

#[test]
fn three_ticks_without_a_success_are_a_stall() {
    let mut snapshot = healthy("1.9.51");
    cron(&mut snapshot, 2).last_succeeded = Some("2026-08-21T09:52:30Z".parse().unwrap());
    assert_eq!(states(&snapshot), (Fine, Fine), "two ticks may fail");
    cron(&mut snapshot, 2).last_succeeded = Some("2026-08-21T09:51:30Z".parse().unwrap());
    assert_eq!(states(&snapshot), (Fine, Stalled));
    let end = JobEnd {
        at: None,
        failure: Some("BackoffLimitExceeded".into()),
    };
    snapshot.jobs = vec![job(
        "edge-image-refresh-1",
        "edge-image-refresh",
        "2026-08-21T10:22:00Z",
        Some(end),
    )];
    let report = judge(&snapshot);
    let finding = &report.findings[0];
    assert_eq!(finding.code.as_str(), "refresh-stalled");
    assert!(
        finding.message.contains("BackoffLimitExceeded"),
        "{}",
        finding.message
    );
    assert!(finding.advice[0].starts_with("kubectl logs job/edge-image-refresh-1"));
    assert_eq!(
        automation(&report).image_refresh.since.unwrap().to_string(),
        "2026-08-21T09:51:30Z"
    );
}

#[test]
fn a_job_at_work_within_its_time_is_no_stall_and_one_beyond_it_is() {
    let mut snapshot = healthy("1.9.51");
    cron(&mut snapshot, 1).last_succeeded = Some("2026-08-21T05:23:00Z".parse().unwrap());
    cron(&mut snapshot, 1).active = 1;
    cron(&mut snapshot, 1).deadline_seconds = Some(900);
    snapshot.jobs = vec![job(
        "edge-auto-upgrade-1",
        "edge-auto-upgrade",
        "2026-08-21T10:23:00Z",
        None,
    )];
    assert_eq!(states(&snapshot), (Fine, Fine));
    snapshot.jobs[0].started = Some("2026-08-21T10:00:00Z".parse().unwrap());
    let report = judge(&snapshot);
    assert_eq!(automation(&report).auto_upgrade.state, Stalled);
    let finding = &report.findings[0];
    assert_eq!(finding.code.as_str(), "upgrade-stalled");
    assert!(
        finding.message.contains("has run for 25 minutes"),
        "{}",
        finding.message
    );
    assert!(finding.advice[1].starts_with("kubectl delete job/edge-auto-upgrade-1"));
    snapshot.jobs.clear();
    snapshot.unlisted.push(Unlisted {
        namespace: edge(),
        kind: Some(WorkloadKind::Job),
        gap: gap("jobs"),
    });
    assert_eq!(
        states(&snapshot),
        (Unknown, Fine),
        "a Job is at work, since when is not known"
    );
}

#[test]
fn a_schedule_that_cannot_be_computed_is_unknown() {
    let mut snapshot = healthy("1.9.51");
    cron(&mut snapshot, 1).time_zone = Some("Europe/Berlin".into());
    assert_eq!(states(&snapshot), (Unknown, Fine));
}

#[test]
fn a_refresh_that_gave_up_is_flapping_though_its_jobs_are_green() {
    let mut snapshot = healthy("1.9.28");
    note(&mut snapshot, "refresh-attempt", "2");
    assert_eq!(codes(&snapshot), ["refresh-retrying"]);
    note(&mut snapshot, "refresh-attempt", "3");
    let report = judge(&snapshot);
    assert_eq!(automation(&report).image_refresh.state, Flapping);
    assert_eq!(
        report.findings[0].evidence,
        [
            "schedule 7,22,37,52 * * * *",
            "last started 2026-08-21T10:22:00Z",
            "last succeeded 2026-08-21T10:22:00Z",
            "tracebloc.io/refresh-attempt=3"
        ]
    );
    assert!(report.findings[0].advice[1].contains("refresh edge/edge --clear-flap"));
    assert!(
        !report.findings[0].advice[1].contains("flap-detected"),
        "nothing to take off"
    );
    let mut raised = with_values(
        "1.9.28",
        &json!({"imageRefresh": {"maxRefreshAttempts": 5}}),
    );
    note(&mut raised, "refresh-attempt", "3");
    assert_eq!(states(&raised), (Fine, Fine));
    note(&mut raised, "refresh-flap-detected", "true");
    assert_eq!(states(&raised), (Fine, Flapping));
    let mut before = healthy("1.9.15");
    note(&mut before, "refresh-attempt", "3");
    assert_eq!(states(&before), (Fine, Fine), "the guard came with 1.9.28");
}

#[test]
fn skips_without_end_are_a_stall() {
    let mut snapshot = healthy("1.9.51");
    note(&mut snapshot, "refresh-skip-streak", "7");
    assert_eq!(states(&snapshot), (Fine, Fine));
    note(&mut snapshot, "refresh-skip-streak", "8");
    assert_eq!(states(&snapshot), (Fine, Stalled));
    assert_eq!(codes(&snapshot), ["refresh-stalled"]);
}

#[test]
fn a_mirror_makes_the_refresh_inert_from_1_9_40() {
    for (version, registry, expected) in [
        ("1.9.40", "mirror.example.com/tracebloc", Inert),
        ("1.9.40", "docker.io", Fine),
        ("1.9.40", "", Fine),
        ("1.9.34", "mirror.example.com", Fine),
    ] {
        let snapshot = with_values(version, &json!({"global": {"imageRegistry": registry}}));
        assert_eq!(states(&snapshot).1, expected, "{version} {registry}");
    }
}

#[test]
fn what_is_left_on_a_mirror_depends_on_whether_restarts_pull() {
    let values = json!({"global": {"imageRegistry": "mirror.example.com"}});
    let mut snapshot = with_values("1.9.40", &values);
    for (policy, left) in [
        (PullPolicy::Always, "restarted by hand"),
        (PullPolicy::IfNotPresent, "nothing brings new content"),
    ] {
        for container in &mut snapshot.live[0].workload.containers {
            container.pull_policy = policy;
        }
        let detail = automation(&judge(&snapshot)).image_refresh.detail.clone();
        assert!(detail.clone().unwrap().ends_with(left), "{detail:?}");
    }
}

#[test]
fn green_runs_without_any_record_never_worked() {
    let mut snapshot = healthy("1.9.15");
    snapshot.live[0].records.clear();
    assert_eq!(states(&snapshot), (Fine, Stalled));
    assert_eq!(codes(&snapshot), ["refresh-never-worked"]);
    cron(&mut snapshot, 2).last_succeeded = None;
    cron(&mut snapshot, 2).created_at = Some(NOW.parse().unwrap());
    assert_eq!(states(&snapshot), (Fine, Fine), "it is new");
}

#[test]
fn what_the_manifest_does_not_have_is_absent_and_says_why() {
    let mut snapshot = with_values("1.9.51", &json!({"autoUpgrade": {"enabled": false}}));
    if let Evidence::Known(release) = &mut snapshot.releases[0].record {
        release
            .workloads
            .retain(|workload| workload.id.kind != WorkloadKind::CronJob);
    }
    let report = judge(&snapshot);
    assert_eq!(automation(&report).auto_upgrade.state, Absent);
    let detail = |job: &crate::report::JobReport| job.detail.clone().unwrap();
    assert!(detail(&automation(&report).auto_upgrade).contains("autoUpgrade.enabled"));
    assert!(detail(&automation(&report).image_refresh).contains("pinned"));
    assert_eq!(codes(&snapshot), ["upgrade-absent", "refresh-absent"]);
    for (unreadable, expected) in [("CronJob", Unknown), ("document", Unknown), ("Job", Absent)] {
        if let Evidence::Known(release) = &mut snapshot.releases[0].record {
            release.unreadable = vec![unreadable.to_owned()];
        }
        assert_eq!(states(&snapshot), (expected, expected), "{unreadable}");
    }
    let mut old = healthy("1.1.0");
    if let Evidence::Known(release) = &mut old.releases[0].record {
        release
            .workloads
            .retain(|workload| workload.id.kind != WorkloadKind::CronJob);
    }
    assert_eq!(states(&old), (Absent, Absent));
    assert_eq!(
        codes(&old),
        Vec::<String>::new(),
        "that chart has none to miss"
    );
}

#[test]
fn an_operation_that_was_killed_wedges_the_updater() {
    let mut snapshot = failed("1.9.28", "1.9.28");
    snapshot.releases[0].newest.status = ReleaseStatus::PendingUpgrade;
    let detail = |snapshot: &Snapshot| {
        let report = judge(snapshot);
        let job = &automation(&report).auto_upgrade;
        assert_eq!(job.state, Wedged);
        job.detail.clone().unwrap()
    };
    assert!(detail(&snapshot).contains("cannot get over it"));
    let mut newer = failed("1.9.40", "1.9.51");
    newer.releases[0].newest.status = ReleaseStatus::PendingUpgrade;
    assert!(detail(&newer).contains("rolls back"));
    if let Evidence::Known(record) = &mut newer.releases[0].record {
        record.last_deployed = Some("2026-08-21T10:24:00Z".parse().unwrap());
    }
    assert_eq!(states(&newer).0, Fine, "an upgrade may be at work");
}

#[test]
fn before_1_9_29_a_failed_upgrade_is_taken_for_done() {
    let snapshot = failed("1.9.15", "1.9.28");
    assert_eq!(states(&snapshot).0, Stalled);
    let report = judge(&snapshot);
    let finding = report
        .findings
        .iter()
        .find(|finding| finding.code.as_str() == "upgrade-stalled")
        .unwrap();
    assert!(
        finding.advice[0].contains("--version 1.9.28"),
        "{:?}",
        finding.advice
    );
    assert_eq!(states(&failed("1.9.29", "1.9.40")).0, Fine);
}

#[test]
fn lost_rights_lock_the_updater_out() {
    let mut snapshot = failed("1.9.40", "1.9.51");
    for (roles, bindings, expected) in [
        (&[][..], &["edge-auto-upgrade-scoped"][..], LockedOut),
        (&[], &[], LockedOut),
        (
            &["other-auto-upgrade"],
            &["edge-auto-upgrade-scoped"],
            LockedOut,
        ),
        (&["edge-auto-upgrade"], &["edge-auto-upgrade-scoped"], Fine),
        (
            &[],
            &["edge-auto-upgrade", "edge-auto-upgrade-scoped"],
            Fine,
        ),
    ] {
        snapshot.grants = Some(grants(roles, bindings));
        assert_eq!(states(&snapshot).0, expected, "{roles:?} {bindings:?}");
    }
    snapshot.grants = Some(Evidence::Unknown(gap("rights")));
    assert_eq!(states(&snapshot).0, Unknown);
    let mut well = healthy("1.9.51");
    well.grants = Some(grants(&[], &[]));
    assert_eq!(states(&well).0, Fine, "another release gave reason to ask");
}

mod access;
