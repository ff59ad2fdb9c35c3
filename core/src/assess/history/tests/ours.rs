//! Our own changes, from wherever they are kept.

use super::*;

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

#[test]
fn our_events_stand_in_for_a_history_that_cannot_be_read() {
    let mut snapshot = untouched();
    let other = ObservedEvent {
        reason: "Undone".to_owned(),
        instance: "a0".to_owned(),
        ..our_event("08:00:00")
    };
    facts(&mut snapshot).events = vec![our_event("09:00:30"), other];
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
