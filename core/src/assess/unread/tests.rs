//! What the judges say of a release whose record may not be read: only what does not rest on it.

use crate::assess::tests::{by_labels, codes, healthy, judge, judge_chart};
use crate::assess::{Question, status};
use crate::finding::Code;
use crate::index::{ChartIndex, ChartVersion};
use crate::profile::Profile;
use crate::release::ReleaseStatus;
use crate::report::{AutomationState, ChartState, OutdatedReport};
use crate::snapshot::{Evidence, ObservedChart, Snapshot};
use crate::workload::WorkloadKind;

fn unread(version: &str) -> Snapshot {
    by_labels(&healthy(version), version, &[])
}

/// The states of the two jobs.
fn jobs(snapshot: &Snapshot) -> (AutomationState, AutomationState) {
    let report = judge(snapshot);
    let automation = report.releases[0].automation.as_ref().unwrap();
    (
        automation.auto_upgrade.state,
        automation.image_refresh.state,
    )
}

fn note(snapshot: &mut Snapshot, key: &str, value: &str) {
    snapshot.live[0]
        .records
        .insert(format!("tracebloc.io/{key}"), value.to_owned());
}

#[test]
fn the_finding_names_what_is_unknown_and_the_right_that_would_tell() {
    let report = judge(&unread("1.9.51"));
    let release = &report.releases[0];
    assert_eq!(
        (release.revision, release.status),
        (None, ReleaseStatus::Unknown)
    );
    assert!(release.unknown.is_some());
    assert_eq!(report.summary.unknown, 1, "it is not known in full");
    let found: Vec<_> = report.findings.iter().collect();
    assert_eq!(found[0].code, Code::ClusterUnanswered);
    assert!(
        found[0]
            .message
            .contains("the right to get and list Helm's records in namespace edge")
    );
    assert!(
        found[0].message.contains("Helm's status"),
        "{}",
        found[0].message
    );
    assert!(
        found[0]
            .evidence
            .iter()
            .all(|line| line.starts_with("unknown: "))
    );
    // Where records may be listed, revision and status are known.
    let mut listed = unread("1.9.51");
    listed.releases[0].newest.revision = 3;
    listed.releases[0].newest.status = ReleaseStatus::Deployed;
    let report = judge(&listed);
    assert_eq!(report.releases[0].revision, Some(3));
    assert!(!report.findings[0].message.contains("Helm's status"));
}

#[test]
fn nothing_is_told_of_values_that_nobody_read() {
    for version in ["1.9.5", "1.9.28", "1.9.51"] {
        let report = judge_chart(&unread(version));
        for finding in &report.findings {
            // Neither faults that depend on values nor frozen defaults, pins or holds.
            assert!(
                matches!(
                    finding.code,
                    Code::ClusterUnanswered | Code::MissingFix | Code::ChartUnknown
                ),
                "{version}: {finding:?}"
            );
            assert!(!finding.message.contains("mysql"), "{}", finding.message);
            assert!(!finding.evidence.iter().any(|line| line.contains("budgets")));
        }
    }
}

/// A newer version is published.
fn published(mut snapshot: Snapshot) -> OutdatedReport {
    let repository = snapshot.releases[0].repository.clone().unwrap();
    let version = |text: &str| ChartVersion {
        version: text.parse().unwrap(),
        app_version: None,
        kube_version: None,
        deprecated: false,
        unread: false,
        digest: None,
        urls: Vec::new(),
    };
    snapshot.charts = vec![ObservedChart {
        repository,
        chart: Profile::client().unwrap().chart,
        index: Evidence::Known(ChartIndex {
            versions: vec![version("1.9.51"), version("1.9.28")],
            ..ChartIndex::default()
        }),
        observed_at: None,
        changes: crate::index::ChartChanges::default(),
    }];
    judge_chart(&snapshot)
}

#[test]
fn what_stands_before_an_upgrade_by_values_is_not_judged_and_none_is_advised() {
    let report = published(unread("1.9.28"));
    let chart = report.releases[0].chart.as_ref().unwrap();
    assert_eq!(chart.state, ChartState::Behind);
    assert_eq!(
        report.summary.unknown, 1,
        "the release, whose chart is known"
    );
    let found = |code| report.findings.iter().find(|finding| finding.code == code);
    assert_eq!(found(Code::UpgradeBlocked), None);
    assert_eq!(
        found(Code::ChartBehind).unwrap().advice,
        Vec::<String>::new()
    );
    let caution = found(Code::UpgradeCaution).unwrap();
    let open = "claims-change-access, not judged from here";
    assert!(
        caution.evidence.iter().any(|line| line.starts_with(open)),
        "{caution:?}"
    );
    // The same release with its record, and values that block nothing.
    let known = published(healthy("1.9.28"));
    let told = known.findings.iter().flat_map(|finding| &finding.evidence);
    assert!(!told.clone().any(|line| line.starts_with(open)));
}

#[test]
fn labels_of_two_versions_make_the_chart_unknown() {
    let mut snapshot = unread("1.9.28");
    let Evidence::Known(release) = &mut snapshot.releases[0].record else {
        panic!("it is known by its labels");
    };
    release.chart.version = None;
    release.chart.version_text = "1.9.28 or 1.9.51".to_owned();
    let report = published(snapshot);
    let chart = report.releases[0].chart.as_ref().unwrap();
    assert_eq!(chart.state, ChartState::Unknown);
    let told = &chart.unknown.as_ref().unwrap().message;
    assert!(
        told.ends_with("do not tell one version: 1.9.28 or 1.9.51"),
        "{told}"
    );
}

#[test]
fn a_job_that_keeps_its_pace_is_not_said_to_be_well() {
    use AutomationState::{Flapping, Ok, Stalled, Suspended, Unknown};
    // The images of the samples come from the chart's own registry.
    assert_eq!(jobs(&unread("1.9.51")), (Unknown, Ok));
    let mut mirrored = healthy("1.9.51");
    for container in &mut mirrored.live[0].workload.containers {
        container.image = "mirror.example.com/tracebloc/jobs-manager:prod"
            .parse::<crate::image::ImageRef>()
            .map_err(|error| error.to_string());
    }
    let mirrored = by_labels(&mirrored, "1.9.51", &[]);
    assert_eq!(jobs(&mirrored), (Unknown, Unknown), "it may do nothing");
    let mut failing = unread("1.9.51");
    note(&mut failing, "refresh-attempt", "3");
    assert_eq!(jobs(&failing).1, Unknown, "the limit stands in the values");
    note(&mut failing, "refresh-flap-detected", "true");
    assert_eq!(jobs(&failing).1, Flapping, "its own word");
    let mut skipping = unread("1.9.51");
    note(&mut skipping, "refresh-skip-streak", "8");
    assert_eq!(jobs(&skipping).1, Stalled);
    let mut suspended = unread("1.9.51");
    for live in &mut suspended.live {
        if let Some(cron) = &mut live.cron {
            cron.suspended = true;
        }
    }
    assert_eq!(jobs(&suspended), (Suspended, Suspended));
    let report = judge(&suspended);
    for finding in &report.findings {
        if matches!(
            finding.code,
            Code::UpgradeSuspended | Code::RefreshSuspended
        ) {
            assert!(
                finding
                    .message
                    .contains("by a value or in the cluster only")
            );
            assert_eq!(finding.advice, Vec::<String>::new());
        }
    }
}

#[test]
fn an_operation_that_holds_the_release_is_seen_where_records_may_be_listed() {
    let mut listed = unread("1.9.51");
    listed.releases[0].newest.revision = 2;
    listed.releases[0].newest.status = ReleaseStatus::PendingUpgrade;
    let found = codes(&listed);
    assert!(found.contains(&"release-pending".to_owned()), "{found:?}");
    assert_eq!(
        jobs(&listed).0,
        AutomationState::Unknown,
        "since when is not known"
    );
    listed.releases[0].newest.status = ReleaseStatus::Failed;
    let report = judge(&listed);
    let failed = report
        .findings
        .iter()
        .find(|finding| finding.code == Code::ReleaseFailed);
    assert!(!failed.unwrap().message.contains("none ever worked"));
    listed.releases[0].newest.status = ReleaseStatus::Deployed;
    assert_eq!(jobs(&listed).0, AutomationState::Ok);
}

#[test]
fn why_a_job_is_not_there_is_not_known() {
    let mut snapshot = healthy("1.9.51");
    snapshot
        .live
        .retain(|live| live.workload.id.kind != WorkloadKind::CronJob);
    let report = judge(&by_labels(&snapshot, "1.9.51", &[]));
    let automation = report.releases[0].automation.as_ref().unwrap();
    for job in [&automation.auto_upgrade, &automation.image_refresh] {
        assert_eq!(job.state, AutomationState::Absent);
        assert!(
            job.detail.as_ref().unwrap().contains("is not known"),
            "{job:?}"
        );
    }
    assert!(
        report
            .findings
            .iter()
            .all(|finding| finding.code != Code::AutomationDeleted)
    );
}

#[test]
fn no_revision_pin_or_claim_is_made_up() {
    let snapshot = unread("1.9.51");
    let question = Question {
        storage: true,
        ..Question::default()
    };
    let report = status(&snapshot, &Profile::client().unwrap(), &question).unwrap();
    assert_eq!(report.changes, Vec::new());
    assert_eq!(report.pins, Vec::new());
    assert_eq!(report.release.storage, Vec::new());
    assert_eq!(report.workloads.len(), 3);
    // A revision that is known by its number is told with the reason for which the rest is not.
    let mut listed = unread("1.9.51");
    listed.releases[0].newest.revision = 4;
    let report = status(&listed, &Profile::client().unwrap(), &question).unwrap();
    assert_eq!(report.changes[0].revision, Some(4));
    assert!(report.changes[0].unknown.is_some() && report.changes[0].chart.is_none());
}
