//! What others did: restarts, edits, Jobs, and what the cluster says of it.

use super::*;

#[test]
fn warnings_about_the_release_are_told_and_others_are_not() {
    let mut snapshot = untouched();
    let scaled = ObservedEvent {
        reason: "ScalingReplicaSet".to_owned(),
        reporter: "deployment-controller".to_owned(),
        ..our_event("10:00:00")
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
