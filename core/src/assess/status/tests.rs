use serde_json::json;

use super::status;
use crate::assess::Question;
use crate::assess::tests::{edge, gap, healthy, live, release};
use crate::name::ReleaseName;
use crate::profile::Profile;
use crate::release::{ReleaseStatus, RevisionHead};
use crate::report::{ChangeKind, PinKind, StatusReport, WorkloadState};
use crate::snapshot::{EarlierRevision, Evidence, RevisionFacts, Snapshot, Unlisted};
use crate::workload::{Replicas, Rollout, WorkloadKind};

fn judge(snapshot: &Snapshot) -> StatusReport {
    let question = Question {
        automation: true,
        ..Question::default()
    };
    status(snapshot, &Profile::client().unwrap(), &question).unwrap()
}

/// An earlier revision, made on that day of August.
fn earlier(revision: u32, day: u32) -> EarlierRevision {
    let release = release("1.9.28", revision, "superseded", &json!({}));
    let facts = RevisionFacts {
        made_at: Some(format!("2026-08-{day:02}T10:00:00Z").parse().unwrap()),
        ..RevisionFacts::of(&release)
    };
    EarlierRevision {
        head: release.head,
        facts: Evidence::Known(facts),
    }
}

#[test]
fn without_a_release_there_is_no_report() {
    let mut snapshot = healthy("1.9.51");
    snapshot.releases.clear();
    let profile = Profile::client().unwrap();
    assert_eq!(status(&snapshot, &profile, &Question::default()), None);
}

#[test]
fn what_cannot_be_listed_is_unknown_and_what_is_not_there_is_missing() {
    let mut snapshot = healthy("1.9.51");
    snapshot
        .live
        .retain(|live| live.workload.id.name != "edge-auto-upgrade");
    snapshot.unlisted.push(Unlisted {
        namespace: edge(),
        kind: Some(WorkloadKind::Deployment),
        gap: gap("deployments"),
    });
    snapshot
        .live
        .retain(|live| live.workload.id.kind != WorkloadKind::Deployment);
    let report = judge(&snapshot);
    let states: Vec<(&str, WorkloadState)> = report
        .workloads
        .iter()
        .map(|workload| (workload.workload.name.as_str(), workload.state))
        .collect();
    assert_eq!(
        states,
        [
            ("edge-jobs-manager", WorkloadState::Unknown),
            ("edge-auto-upgrade", WorkloadState::Missing),
            ("edge-image-refresh", WorkloadState::Scheduled),
        ]
    );
    assert!(report.workloads[0].unknown.is_some());
}

#[test]
fn states_follow_rollout_and_replicas() {
    for (rollout, desired, state) in [
        (Rollout::Settled, 1, WorkloadState::Settled),
        (Rollout::Settled, 0, WorkloadState::Idle),
        (Rollout::Progressing, 0, WorkloadState::Progressing),
        (Rollout::Paused, 2, WorkloadState::Paused),
    ] {
        let mut snapshot = healthy("1.9.51");
        snapshot.live[0].rollout = rollout;
        snapshot.live[0].replicas = Some(Replicas {
            desired,
            ..Replicas::default()
        });
        assert_eq!(judge(&snapshot).workloads[0].state, state, "{rollout:?}");
    }
}

#[test]
fn changes_are_newest_first_and_restarts_stand_between_revisions() {
    let mut snapshot = healthy("1.9.51");
    // The newest revision was made on the 20th.
    snapshot.releases[0].newest.revision = 3;
    snapshot.releases[0].earlier = vec![earlier(2, 10), earlier(1, 5)];
    snapshot.live[0].restarted_at = Some("2026-08-12T10:00:00Z".parse().unwrap());
    let mut foreign = live(WorkloadKind::Deployment, "somebody-elses", None);
    foreign.restarted_at = Some("2026-08-13T10:00:00Z".parse().unwrap());
    snapshot.live.push(foreign);
    let kinds: Vec<(ChangeKind, Option<u32>)> = judge(&snapshot)
        .changes
        .iter()
        .map(|change| (change.change, change.revision))
        .collect();
    assert_eq!(
        kinds,
        [
            (ChangeKind::Revision, Some(3)),
            (ChangeKind::Restart, None),
            (ChangeKind::Revision, Some(2)),
            (ChangeKind::Revision, Some(1)),
        ]
    );
}

#[test]
fn a_revision_that_cannot_be_read_keeps_its_place_and_says_why() {
    let mut snapshot = healthy("1.9.51");
    snapshot.releases[0].newest.revision = 3;
    let head = RevisionHead {
        id: crate::name::ReleaseId {
            namespace: edge(),
            name: ReleaseName::parse("edge").unwrap(),
        },
        revision: 2,
        status: ReleaseStatus::Failed,
    };
    snapshot.releases[0].earlier = vec![
        EarlierRevision {
            head,
            facts: Evidence::Unknown(gap("the record of revision 2")),
        },
        earlier(1, 5),
    ];
    let changes = judge(&snapshot).changes;
    assert_eq!(changes[1].revision, Some(2));
    assert_eq!(changes[1].status, Some(ReleaseStatus::Failed));
    assert!(changes[1].unknown.is_some() && changes[1].chart.is_none());
}

#[test]
fn an_opt_out_counts_for_the_versions_that_heed_it() {
    let values = json!({"images": {"ingestor": {"autoRefresh": false}}});
    for (version, heeded) in [
        ("1.4.4", true),
        ("1.5.1", true),
        ("1.6.0", false),
        ("1.4.0", false),
    ] {
        let mut snapshot = healthy(version);
        let record = release(version, 1, "deployed", &values);
        snapshot.releases[0].record = Evidence::Known(record);
        let pins = judge(&snapshot).pins;
        assert_eq!(
            pins.iter().any(|pin| pin.pin == PinKind::OptOut),
            heeded,
            "{version}"
        );
    }
}
