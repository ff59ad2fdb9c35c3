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

#[test]
fn without_a_release_there_is_no_history() {
    let mut snapshot = untouched();
    snapshot.releases.clear();
    assert_eq!(history(&snapshot, &Profile::client().unwrap(), ALL), None);
}

#[test]
fn a_change_is_told_once_however_many_tell_of_it() {
    let mut snapshot = untouched();
    let done = change("a1", "09:00:00", ChangeState::Done);
    keep(&mut snapshot, vec![kept(done.clone(), "09:01:00")]);
    annotate(
        &mut snapshot,
        &change("a1", "09:00:00", ChangeState::Acting),
    );
    rollout(&mut snapshot, "one", "09:00:00").change = Some(done.to_text());
    let entry = only(&snapshot);
    assert_eq!(entry.change, ChangeKind::Change);
    assert_eq!(entry.outcome, Some(Outcome::Done));
    assert_eq!(
        (entry.at, entry.ended),
        (Some(at("09:00:00")), Some(at("09:01:00")))
    );
    assert_eq!(entry.by.as_deref(), Some("jane"));
    assert_eq!(
        entry.evidence,
        [
            "configmap/tracebloc-history-edge",
            "replicaset/one",
            "deployment/edge-jobs-manager"
        ]
    );
    assert_eq!(
        entry.summary,
        "refresh of deployment/edge-jobs-manager by jane: jobs-manager from aaaaaaaaaaaa to bbbbbbbbbbbb (started anew)"
    );
}

#[test]
fn one_run_on_two_workloads_is_two_entries_and_two_ends_of_one_are_one() {
    let mut snapshot = untouched();
    let mut other = kept(change("a1", "09:00:00", ChangeState::Done), "09:02:00");
    let entry = other.entry.as_mut().unwrap();
    entry.workload.name = "edge-requests-proxy".to_owned();
    let failed = kept(change("a1", "09:00:00", ChangeState::Failed), "09:01:00");
    let undone = kept(change("a1", "09:00:00", ChangeState::Undone), "09:05:00");
    keep(&mut snapshot, vec![undone, other, failed]);
    let outcomes: Vec<_> = entries(&snapshot)
        .into_iter()
        .map(|entry| (entry.workload.unwrap().name, entry.outcome))
        .collect();
    assert_eq!(
        outcomes,
        [
            ("edge-jobs-manager".to_owned(), Some(Outcome::Undone)),
            ("edge-requests-proxy".to_owned(), Some(Outcome::Done)),
        ]
    );
}

#[test]
fn what_nobody_finished_is_open_and_what_another_followed_is_unknown() {
    let mut snapshot = untouched();
    annotate(
        &mut snapshot,
        &change("b2", "09:30:00", ChangeState::Acting),
    );
    rollout(&mut snapshot, "one", "09:00:00").change =
        Some(change("a1", "09:00:00", ChangeState::Acting).to_text());
    let outcomes: Vec<_> = entries(&snapshot)
        .into_iter()
        .map(|entry| (entry.id.unwrap(), entry.outcome))
        .collect();
    assert_eq!(
        outcomes,
        [
            ("b2".to_owned(), Some(Outcome::Open)),
            ("a1".to_owned(), None)
        ]
    );
}

#[test]
fn what_is_said_of_a_failure_holds_no_value_of_the_release() {
    let mut snapshot = untouched();
    let values = json!({"clientPassword": "sw0rdf1sh"});
    snapshot.releases[0].record = Evidence::Known(release("1.9.51", 1, "deployed", &values));
    let mut failed = change("a1", "09:00:00", ChangeState::Failed);
    failed.reason = Some("the container said sw0rdf1sh".to_owned());
    annotate(&mut snapshot, &failed);
    rollout(&mut snapshot, "one", "09:10:00").cause = Some("password sw0rdf1sh".to_owned());
    facts(&mut snapshot).events =
        vec![warning("ReplicaSet", "edge-jobs-manager-5d8f", "sw0rdf1sh")];
    let told = told(&snapshot);
    let json = serde_json::to_string(&told).unwrap();
    assert!(!json.contains("sw0rdf1sh"), "{json}");
    assert_eq!(json.matches("(hidden)").count(), 6, "{json}");
}

#[test]
fn entries_of_a_later_form_are_told_at_their_time() {
    let mut snapshot = untouched();
    let key = "20260821T091500500-a1-deployment-edge-jobs-manager";
    let entry = KeptEntry {
        key: key.to_owned(),
        entry: None,
    };
    let nonsense = KeptEntry {
        key: "ä".repeat(20),
        entry: None,
    };
    keep(&mut snapshot, vec![nonsense, entry]);
    let entries = entries(&snapshot);
    assert_eq!(entries[0].at, Some(at("09:15:00.5")));
    assert!(entries[0].summary.contains(key), "{entries:#?}");
    assert_eq!(entries[1].at, None);
    assert!(entries.iter().all(|entry| entry.unknown.is_some()));

    let mut snapshot = untouched();
    let records = &mut snapshot.live[0].records;
    records.insert(ANNOTATION.to_owned(), "{\"form\": 2}".to_owned());
    let entry = only(&snapshot);
    assert!(
        entry.unknown.is_some() && entry.workload.is_some(),
        "{entry:#?}"
    );
}

#[test]
fn without_the_kept_history_the_workloads_tell_and_the_gap_is_a_finding() {
    let mut snapshot = untouched();
    facts(&mut snapshot).entries = Evidence::Unknown(gap("configmap tracebloc-history-edge"));
    facts(&mut snapshot).unlisted = vec![gap("events in namespace edge")];
    annotate(&mut snapshot, &change("a1", "09:00:00", ChangeState::Done));
    let report = told(&snapshot);
    assert_eq!(report.entries[0].change, ChangeKind::Change);
    let messages: Vec<&str> = report
        .findings
        .iter()
        .map(|finding| finding.message.as_str())
        .collect();
    assert_eq!(
        messages,
        [
            "configmap tracebloc-history-edge: not allowed",
            "events in namespace edge: not allowed"
        ]
    );
}

/// An event of ours about the main workload.
fn ours(clock: &str) -> ObservedEvent {
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
        ..ours("10:00:00")
    }
}

#[test]
fn our_events_stand_in_for_a_history_that_cannot_be_read() {
    let mut snapshot = untouched();
    let other = ObservedEvent {
        reason: "Undone".to_owned(),
        instance: "a0".to_owned(),
        ..ours("08:00:00")
    };
    facts(&mut snapshot).events = vec![ours("09:00:30"), other];
    assert_eq!(
        summaries(&snapshot),
        Vec::<String>::new(),
        "it is kept, and does not tell of it"
    );
    facts(&mut snapshot).entries = Evidence::Unknown(gap("the history"));
    assert_eq!(entries(&snapshot).len(), 2);
    annotate(&mut snapshot, &change("a1", "09:00:00", ChangeState::Done));
    let kinds: Vec<_> = entries(&snapshot)
        .into_iter()
        .map(|entry| (entry.change, entry.at))
        .collect();
    assert_eq!(
        kinds,
        [
            (ChangeKind::Change, Some(at("09:00:00"))),
            (ChangeKind::Event, Some(at("08:00:00"))),
        ]
    );
}

#[test]
fn warnings_about_the_release_are_told_and_others_are_not() {
    let mut snapshot = untouched();
    let scaled = ObservedEvent {
        reason: "ScalingReplicaSet".to_owned(),
        reporter: "deployment-controller".to_owned(),
        ..ours("10:00:00")
    };
    let earlier = ObservedEvent {
        at: Some(at("09:59:00")),
        ..warning("ReplicaSet", "edge-jobs-manager-1a2b", "exceeded it")
    };
    facts(&mut snapshot).events = vec![
        warning("ReplicaSet", "edge-jobs-manager-5d8f", "exceeded quota"),
        earlier,
        warning("ReplicaSet", "somebody-elses-5d8f", "exceeded quota"),
        warning("Node", "edge-jobs-manager", "not ready"),
        scaled,
    ];
    let by_hand = ObservedEvent {
        reason: "UnexpectedJob".to_owned(),
        ..warning("CronJob", "edge-image-refresh", "saw a job")
    };
    let late = ObservedEvent {
        reason: "MissSchedule".to_owned(),
        at: Some(at("09:00:00")),
        ..warning("CronJob", "edge-image-refresh", "missed its time")
    };
    facts(&mut snapshot).events.extend([by_hand, late]);
    let [entry, late] = <[ChangeReport; 2]>::try_from(entries(&snapshot)).unwrap();
    assert_eq!(
        (late.reason.as_deref(), late.outcome),
        (Some("missed its time"), None)
    );
    assert_eq!(
        entry.summary,
        "FailedCreate of replicaset/edge-jobs-manager-5d8f: exceeded quota, 24 times"
    );
    assert_eq!(entry.outcome, Some(Outcome::Failed));
    assert_eq!(entry.workload, Some(main_workload()));
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

#[test]
fn jobs_of_the_release_tell_how_they_ended_and_their_events_need_not() {
    let mut snapshot = untouched();
    snapshot.jobs = vec![
        job(
            "refresh-1",
            "edge-image-refresh",
            "09:00:00",
            Some(("09:01:00", None)),
        ),
        job(
            "upgrade-1",
            "edge-auto-upgrade",
            "09:10:00",
            Some(("09:20:00", Some("DeadlineExceeded"))),
        ),
        job("refresh-2", "edge-image-refresh", "10:00:00", None),
        job("training", "somebody-elses", "10:00:00", None),
    ];
    let gone = warning("Job", "edge-image-refresh-29000000", "it failed");
    facts(&mut snapshot).events = vec![warning("Job", "upgrade-1", "it failed"), gone];
    let told: Vec<_> = entries(&snapshot)
        .into_iter()
        .map(|entry| (entry.summary, entry.outcome))
        .collect();
    assert_eq!(
        told,
        [
            (
                "FailedCreate of job/edge-image-refresh-29000000: it failed, 12 times".to_owned(),
                Some(Outcome::Failed)
            ),
            (
                "the chart's image refresh ran as job/refresh-2".to_owned(),
                Some(Outcome::Open)
            ),
            (
                "the chart's upgrade ran as job/upgrade-1: DeadlineExceeded".to_owned(),
                Some(Outcome::Failed)
            ),
            (
                "the chart's image refresh ran as job/refresh-1".to_owned(),
                Some(Outcome::Done)
            ),
        ]
    );
}

#[test]
fn edits_are_told_by_their_program_and_ours_by_their_changes() {
    let mut snapshot = untouched();
    annotate(&mut snapshot, &change("a1", "09:05:00", ChangeState::Done));
    let parts = ["a", "b", "c"].map(|name| Part::Image {
        container: name.to_owned(),
    });
    let main = &mut snapshot.live[0];
    main.edits = vec![
        edit(
            "kubectl-set",
            "09:00:00",
            &[&parts[..], &[Part::Replicas, Part::Labels]].concat(),
        ),
        edit("kubectl-tracebloc", "09:10:00", &[image_of_api()]),
    ];
    let mut foreign = live(WorkloadKind::Deployment, "somebody-elses", None);
    foreign.edits = vec![edit("kubectl-set", "09:00:00", &[image_of_api()])];
    snapshot.live.push(foreign);
    let [ours, entry] = <[ChangeReport; 2]>::try_from(entries(&snapshot)).unwrap();
    assert_eq!(ours.change, ChangeKind::Change);
    assert_eq!(
        entry.summary,
        "kubectl-set changed the image of a, the image of b, the image of c and 2 more in deployment/edge-jobs-manager"
    );
    assert_eq!(
        (entry.parts.len(), entry.tool.as_deref()),
        (5, Some("kubectl-set"))
    );
    // Where no change tells of it, what we wrote is told like any edit.
    snapshot.live[0].records.clear();
    snapshot.live[0].edits.remove(0);
    assert_eq!(
        summaries(&snapshot),
        ["kubectl-tracebloc changed the image of api in deployment/edge-jobs-manager"]
    );
}

#[test]
fn a_restart_is_told_by_whose_mark_it_is() {
    let mut snapshot = untouched();
    let main = &mut snapshot.live[0];
    main.restarted_at = Some(at("09:00:00"));
    assert_eq!(
        summaries(&snapshot),
        ["deployment/edge-jobs-manager restarted"]
    );
    snapshot.live[0].edits = vec![edit("kubectl-rollout", "09:00:00", &[Part::Restart])];
    assert_eq!(
        summaries(&snapshot),
        ["kubectl-rollout restarted deployment/edge-jobs-manager"]
    );
    // A refresh of ours restarts too, and tells of it.
    snapshot.live[0].edits = vec![edit("kubectl-tracebloc", "09:00:00", &[Part::Restart])];
    annotate(
        &mut snapshot,
        &change("a1", "08:59:59.5", ChangeState::Done),
    );
    assert_eq!(only(&snapshot).change, ChangeKind::Change);
    // Of one long before, or of somebody else's while it ran, it does not.
    annotate(&mut snapshot, &change("a1", "07:00:00", ChangeState::Done));
    assert_eq!(entries(&snapshot).len(), 2);
    annotate(
        &mut snapshot,
        &change("a1", "08:59:59.5", ChangeState::Done),
    );
    snapshot.live[0].edits = vec![edit("k9s", "09:00:00", &[Part::Restart])];
    assert_eq!(entries(&snapshot).len(), 2);
}

#[test]
fn what_happened_while_a_job_of_the_chart_ran_names_it() {
    let mut snapshot = untouched();
    let record = release("1.9.51", 1, "deployed", &json!({}));
    let mut record = record;
    record.last_deployed = Some(at("08:30:30"));
    snapshot.releases[0].record = Evidence::Known(record);
    snapshot.live[0].edits = vec![
        edit("kubectl-set", "09:00:30", &[image_of_api()]),
        edit("argocd-controller", "09:00:40", &[Part::Replicas]),
        edit("kubectl-edit", "09:30:00", &[Part::Replicas]),
    ];
    snapshot.jobs = vec![
        job(
            "upgrade-1",
            "edge-auto-upgrade",
            "08:30:00",
            Some(("08:31:00", None)),
        ),
        job(
            "refresh-1",
            "edge-image-refresh",
            "09:00:00",
            Some(("09:01:00", None)),
        ),
    ];
    let jobs: Vec<_> = told(&snapshot)
        .entries
        .into_iter()
        .filter(|entry| entry.change != ChangeKind::Job)
        .map(|entry| (entry.tool, entry.job))
        .collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        jobs,
        [
            (text("kubectl-edit"), None),
            (text("argocd-controller"), None),
            (text("kubectl-set"), text("job/refresh-1")),
            (None, text("job/upgrade-1")),
        ]
    );
}

#[test]
fn causes_are_told_where_they_are_new() {
    let mut snapshot = untouched();
    for (name, made, cause) in [
        ("three", "09:30:00", Some("image two")),
        ("one", "09:00:00", None),
        ("two", "09:10:00", Some("image two")),
        ("four", "09:40:00", Some("image three")),
    ] {
        rollout(&mut snapshot, name, made).cause = cause.map(str::to_owned);
    }
    let told: Vec<_> = entries(&snapshot)
        .into_iter()
        .map(|entry| (entry.summary, entry.at))
        .collect();
    assert_eq!(
        told,
        [
            (
                "rollout of deployment/edge-jobs-manager: image three".to_owned(),
                Some(at("09:40:00"))
            ),
            (
                "rollout of deployment/edge-jobs-manager: image two".to_owned(),
                Some(at("09:10:00"))
            ),
        ]
    );
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
