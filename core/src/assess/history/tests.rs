use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;

use super::{Extent, history};
use crate::assess::tests::{edge, gap, healthy, live, release};
use crate::change::{ANNOTATION, Change, ChangeState, ContainerChange, HistoryEntry};
use crate::cronjob::{JobEnd, LiveJob};
use crate::edit::{Edit, Part};
use crate::image::Digest;
use crate::profile::Profile;
use crate::report::{ChangeKind, ChangeReport, HistoryReport, Outcome};
use crate::snapshot::{
    EarlierRevision, Evidence, HistoryFacts, KeptEntry, ObservedEvent, PastRollout, RevisionFacts,
    Snapshot,
};
use crate::workload::{WorkloadId, WorkloadKind};

mod others;
mod ours;

const ALL: Extent = Extent {
    max: 100,
    since: None,
};

/// A time of the 21st; the newest revision was made on the 20th.
fn at(clock: &str) -> Timestamp {
    format!("2026-08-21T{clock}Z").parse().unwrap()
}

fn main_workload() -> WorkloadId {
    WorkloadId {
        kind: WorkloadKind::Deployment,
        namespace: edge(),
        name: "edge-jobs-manager".to_owned(),
    }
}

/// A release whose past was asked for, and has nothing but a revision.
fn untouched() -> Snapshot {
    let mut snapshot = healthy("1.9.51");
    snapshot.history = Some(HistoryFacts {
        entries: Evidence::Known(Vec::new()),
        rollouts: Vec::new(),
        events: Vec::new(),
        unlisted: Vec::new(),
    });
    snapshot
}

fn facts(snapshot: &mut Snapshot) -> &mut HistoryFacts {
    snapshot.history.as_mut().unwrap()
}

fn change(id: &str, clock: &str, state: ChangeState) -> Change {
    Change {
        id: id.to_owned(),
        command: "refresh".to_owned(),
        by: "jane".to_owned(),
        at: at(clock),
        state,
        containers: vec![ContainerChange {
            container: "api".to_owned(),
            image: "jobs-manager".to_owned(),
            variable: None,
            from: "tracebloc/jobs-manager:prod".to_owned(),
            to: "tracebloc/jobs-manager:prod".to_owned(),
            former: Some(Digest::from_sha256(&[0xaa; 32])),
            wanted: Digest::from_sha256(&[0xbb; 32]),
        }],
        reason: None,
        attempt: None,
    }
}

fn annotate(snapshot: &mut Snapshot, change: &Change) {
    snapshot.live[0]
        .records
        .insert(ANNOTATION.to_owned(), change.to_text());
}

fn rollout<'snapshot>(
    snapshot: &'snapshot mut Snapshot,
    name: &str,
    made: &str,
) -> &'snapshot mut PastRollout {
    let rollouts = &mut facts(snapshot).rollouts;
    rollouts.push(PastRollout {
        workload: main_workload(),
        object: format!("replicaset/{name}"),
        made_at: Some(at(made)),
        cause: None,
        change: None,
    });
    rollouts.last_mut().unwrap()
}

fn told(snapshot: &Snapshot) -> HistoryReport {
    history(snapshot, &Profile::client().unwrap(), ALL).unwrap()
}

/// All of it but revisions.
fn entries(snapshot: &Snapshot) -> Vec<ChangeReport> {
    let mut entries = told(snapshot).entries;
    entries.retain(|entry| entry.change != ChangeKind::Revision);
    entries
}

fn only(snapshot: &Snapshot) -> ChangeReport {
    let entries = entries(snapshot);
    assert_eq!(entries.len(), 1, "{entries:#?}");
    entries.into_iter().next().unwrap()
}

fn summaries(snapshot: &Snapshot) -> Vec<String> {
    entries(snapshot)
        .into_iter()
        .map(|entry| entry.summary)
        .collect()
}

fn edit(manager: &str, clock: &str, parts: &[Part]) -> Edit {
    Edit {
        manager: manager.to_owned(),
        at: Some(at(clock)),
        parts: parts.iter().cloned().collect::<BTreeSet<_>>(),
    }
}

fn image_of_api() -> Part {
    Part::Image {
        container: "api".to_owned(),
    }
}

fn kept(change: Change, ended: &str) -> KeptEntry {
    let entry = HistoryEntry {
        workload: main_workload(),
        ended: at(ended),
        change,
    };
    KeptEntry {
        key: entry.key(),
        entry: Some(entry),
    }
}

fn keep(snapshot: &mut Snapshot, entries: Vec<KeptEntry>) {
    facts(snapshot).entries = Evidence::Known(entries);
}

/// An event of ours about the main workload.
fn our_event(clock: &str) -> ObservedEvent {
    ObservedEvent {
        namespace: edge(),
        kind: "Deployment".to_owned(),
        name: "edge-jobs-manager".to_owned(),
        reason: "Refreshed".to_owned(),
        message: "jobs-manager runs what is published".to_owned(),
        reporter: "kubectl-tracebloc".to_owned(),
        instance: "a1".to_owned(),
        is_warning: false,
        at: Some(at(clock)),
        count: 1,
    }
}

fn job(name: &str, cron_job: &str, started: &str, end: Option<(&str, Option<&str>)>) -> LiveJob {
    LiveJob {
        namespace: edge(),
        name: name.to_owned(),
        cron_job: cron_job.to_owned(),
        started: Some(at(started)),
        end: end.map(|(ended, failure)| JobEnd {
            at: Some(at(ended)),
            failure: failure.map(str::to_owned),
        }),
    }
}

fn warning(kind: &str, name: &str, message: &str) -> ObservedEvent {
    ObservedEvent {
        kind: kind.to_owned(),
        name: name.to_owned(),
        reason: "FailedCreate".to_owned(),
        message: message.to_owned(),
        reporter: "replicaset-controller".to_owned(),
        instance: String::new(),
        is_warning: true,
        count: 12,
        ..our_event("10:00:00")
    }
}

#[test]
fn without_a_release_there_is_no_history() {
    let mut snapshot = untouched();
    snapshot.releases.clear();
    assert_eq!(history(&snapshot, &Profile::client().unwrap(), ALL), None);
}

/// Four revisions: the newest of the 20th, one that cannot be read, one whose clock was ahead, and one of the 5th.
fn four_revisions() -> Snapshot {
    let mut snapshot = untouched();
    snapshot.releases[0].newest.revision = 4;
    let earlier = |revision: u32, made: Option<&str>| {
        let release = release("1.9.28", revision, "superseded", &json!({}));
        EarlierRevision {
            facts: match made {
                Some(made) => Evidence::Known(RevisionFacts {
                    made_at: Some(made.parse().unwrap()),
                    ..RevisionFacts::of(&release)
                }),
                None => Evidence::Unknown(gap("the record")),
            },
            head: release.head,
        }
    };
    snapshot.releases[0].earlier = vec![
        earlier(3, None),
        earlier(2, Some("2026-08-20T12:00:00Z")),
        earlier(1, Some("2026-08-05T10:00:00Z")),
    ];
    snapshot
}

#[test]
fn revisions_keep_their_order_whatever_the_clocks_said() {
    let mut snapshot = four_revisions();
    snapshot.live[0].restarted_at = Some("2026-08-12T10:00:00Z".parse().unwrap());
    let order: Vec<Option<u32>> = told(&snapshot)
        .entries
        .iter()
        .map(|entry| entry.revision)
        .collect();
    assert_eq!(order, [Some(4), Some(3), Some(2), None, Some(1)]);
    let third = &told(&snapshot).entries[1];
    assert_eq!(third.summary, "revision 3: not allowed");
    assert!(third.unknown.is_some());
}

#[test]
fn what_is_told_in_whole_seconds_came_after_the_revision_of_that_second() {
    let mut snapshot = four_revisions();
    let made_at = Evidence::Known(RevisionFacts {
        made_at: Some("2026-08-12T10:00:00.75Z".parse().unwrap()),
        ..RevisionFacts::of(&release("1.9.28", 2, "superseded", &json!({})))
    });
    snapshot.releases[0].earlier[1].facts = made_at;
    snapshot.live[0].restarted_at = Some("2026-08-12T10:00:00Z".parse().unwrap());
    let order: Vec<Option<u32>> = told(&snapshot)
        .entries
        .iter()
        .map(|entry| entry.revision)
        .collect();
    assert_eq!(order, [Some(4), Some(3), None, Some(2), Some(1)]);
}

#[test]
fn the_newest_are_told_and_what_was_left_out_is_said() {
    let snapshot = four_revisions();
    let profile = Profile::client().unwrap();
    let tell = |max, since: Option<&str>| {
        let since = since.map(|text| text.parse().unwrap());
        let report = history(&snapshot, &profile, Extent { max, since }).unwrap();
        (report.entries.len(), report.truncated)
    };
    assert_eq!(tell(4, None), (4, false));
    assert_eq!(tell(3, None), (3, true));
    assert_eq!(tell(100, Some("2026-08-19T00:00:00Z")), (3, false));
    assert_eq!(tell(1, Some("2026-08-19T00:00:00Z")), (1, true));
    assert_eq!(tell(100, Some("2026-08-21T00:00:00Z")), (0, false));
    // The API server keeps no time of what is written through the subresource `scale`.
    let mut snapshot = four_revisions();
    snapshot.live[0].edits = vec![Edit {
        at: None,
        ..edit("kubectl", "09:00:00", &[Part::Replicas])
    }];
    let since = Some(at("09:00:00"));
    let report = history(&snapshot, &profile, Extent { max: 9, since }).unwrap();
    assert_eq!(report.entries.len(), 1);
    assert_eq!(report.entries[0].at, None);
}

#[test]
fn status_tells_only_what_decides_the_content() {
    let mut snapshot = untouched();
    snapshot.live[0].edits = vec![
        edit("kubectl-set", "09:00:00", &[image_of_api()]),
        edit("kubectl-scale", "09:10:00", &[Part::Replicas]),
    ];
    snapshot.jobs = vec![job("refresh-1", "edge-image-refresh", "09:30:00", None)];
    annotate(&mut snapshot, &change("a1", "09:20:00", ChangeState::Done));
    let profile = Profile::client().unwrap();
    let kinds: Vec<ChangeKind> = super::last(&snapshot, &profile, &snapshot.releases[0])
        .iter()
        .map(|change| change.change)
        .collect();
    assert_eq!(
        kinds,
        [ChangeKind::Change, ChangeKind::Edit, ChangeKind::Revision]
    );
}

#[test]
fn fuzzed() {
    let entry = kept(change("a1", "09:00:00", ChangeState::Acting), "09:01:00");
    let text = entry.entry.as_ref().unwrap().to_text();
    let samples: [&[u8]; 3] = [
        text.as_bytes(),
        entry.key.as_bytes(),
        b"99991231T235959999-a1-deployment-x",
    ];
    let words = [
        "\"undoing\"",
        "\"at\":\"9999-12-30T22:00:00Z\"",
        "-009999-01-02T01:59:59Z",
        "null",
        "{",
        "20260229T250000",
    ];
    let mut snapshot = untouched();
    snapshot.live[0].restarted_at = Some(at("09:00:01"));
    snapshot.live[0].edits = vec![edit("kubectl-tracebloc", "09:00:01", &[Part::Restart])];
    let profile = Profile::client().unwrap();
    tracebloc_fuzz::fuzz("histories", &samples, &words, |bytes| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let mut snapshot = snapshot.clone();
        keep(
            &mut snapshot,
            vec![KeptEntry {
                entry: HistoryEntry::parse(&text),
                key: text.clone(),
            }],
        );
        rollout(&mut snapshot, "one", "09:00:00").change = Some(text.clone());
        snapshot.live[0].records.insert(ANNOTATION.to_owned(), text);
        let report = history(&snapshot, &profile, ALL).unwrap();
        // The revision, and what is written of our own, whatever it is.
        assert!(report.entries.len() >= 2, "{report:#?}");
    });
}
