mod pause;

use std::collections::BTreeMap;

use serde_json::json;

use super::{RefreshWish, WishError, WishedAction, refresh};
use crate::assess::tests::{edge, gap, healthy, with_values};
use crate::change::{ANNOTATION, Change, ChangeState, ContainerChange};
use crate::cronjob::LiveJob;
use crate::image::{Digest, ImageRef, RunningImage};
use crate::manifest::{Document, Manifest};
use crate::plan::{Decision, Guard, Plan};
use crate::profile::Profile;
use crate::release::ReleaseStatus;
use crate::snapshot::{Evidence, HistoryFacts, Snapshot, Unlisted};
use crate::workload::{Container, LiveWorkload, Pod, PodContainer, Rollout};

const RECORD: &str = "tracebloc.io/last-refreshed-jobs-manager-digest";

fn digest(number: u8) -> Digest {
    Digest::from_sha256(&[number; 32])
}

fn plan(snapshot: &Snapshot, wish: &RefreshWish) -> Plan {
    refresh(snapshot, &Profile::client().unwrap(), wish).unwrap()
}

fn main_workload(snapshot: &mut Snapshot) -> &mut LiveWorkload {
    &mut snapshot.live[0]
}

/// A settled release whose pod runs one content, while another is published and a third may be recorded.
fn drifted(mut snapshot: Snapshot, running: u8, published: u8, recorded: Option<u8>) -> Snapshot {
    let main = main_workload(&mut snapshot);
    main.workload.containers = vec![Container::declared(
        "api".into(),
        "tracebloc/jobs-manager:prod",
        Some("Always"),
        false,
    )];
    main.records.remove(RECORD);
    if let Some(recorded) = recorded {
        let text = digest(recorded).to_string();
        main.records.insert(RECORD.to_owned(), text);
    }
    let workload = main.workload.id.clone();
    let running = RunningImage::parse(&format!("tracebloc/jobs-manager@{}", digest(running)));
    let container = PodContainer {
        running: running.unwrap(),
        ..PodContainer::default()
    };
    snapshot.pods = vec![Pod {
        name: "edge-jobs-manager-1".to_owned(),
        workload,
        node: None,
        containers: BTreeMap::from([("api".to_owned(), container)]),
        unscheduled: None,
        pull_secrets: Vec::new(),
    }];
    let tag = ImageRef::parse("tracebloc/jobs-manager:prod").unwrap();
    for number in 0..8 {
        snapshot
            .manifests
            .entry(tag.repository().clone())
            .or_default()
            .insert(
                digest(number),
                Document::Found(Manifest::Image {
                    config: digest(number + 100),
                }),
            );
    }
    snapshot
        .published
        .insert(tag, Evidence::Known(digest(published)));
    snapshot
}

fn words(plan: &Plan) -> Vec<&'static str> {
    plan.steps.iter().map(|step| step.act.as_str()).collect()
}

fn guards(plan: &Plan) -> Vec<Guard> {
    plan.refusals.iter().map(|refusal| refusal.guard).collect()
}

#[test]
fn each_state_has_its_decision() {
    for (running, published, recorded, decision, steps) in [
        (1, 1, Some(1), Decision::Current, &[][..]),
        (1, 1, None, Decision::Record, &["record"]),
        (1, 1, Some(2), Decision::Record, &["record"]),
        (1, 2, None, Decision::Record, &["record"]),
        (1, 2, Some(1), Decision::Move, &["restart", "record"]),
        // The record says that all is done, and it is not.
        (1, 2, Some(2), Decision::Move, &["restart", "record"]),
    ] {
        let snapshot = drifted(healthy("1.9.28"), running, published, recorded);
        let plan = plan(&snapshot, &RefreshWish::default());
        let told = (running, published, recorded);
        assert_eq!(plan.images[0].decision, decision, "{told:?}");
        assert_eq!(words(&plan), steps, "{told:?}");
        assert_eq!(guards(&plan), [], "{told:?}");
    }
}

#[test]
fn what_is_recorded_is_never_a_lie() {
    let snapshot = drifted(healthy("1.9.28"), 1, 2, None);
    let recorded = |wish: &RefreshWish| {
        let plan = plan(&snapshot, wish);
        let step = plan.steps.last().unwrap().act.clone();
        let crate::plan::Act::Record(record) = step else {
            panic!("{plan:?}")
        };
        record.annotations[RECORD].clone()
    };
    let first = RefreshWish::default();
    assert_eq!(recorded(&first), digest(1).to_string(), "what runs");
    let forced = RefreshWish {
        force: true,
        ..RefreshWish::default()
    };
    assert_eq!(
        recorded(&forced),
        digest(2).to_string(),
        "what runs once the pods were started anew"
    );
}

#[test]
fn where_a_restart_does_not_pull_the_image_is_set() {
    let mut snapshot = drifted(healthy("1.9.40"), 1, 2, Some(1));
    main_workload(&mut snapshot).workload.containers[0].pull_policy =
        crate::workload::PullPolicy::IfNotPresent;
    let set = plan(&snapshot, &RefreshWish::default());
    assert_eq!(words(&set), ["set-image", "record"]);
    let change = &set.steps[0].act.rollout().unwrap().containers[0];
    assert_eq!(
        change.to,
        format!("docker.io/tracebloc/jobs-manager@{}", digest(2))
    );
    assert_eq!(change.former, Some(digest(1)));
    let restart = RefreshWish {
        action: Some(WishedAction::Restart),
        ..RefreshWish::default()
    };
    assert_eq!(guards(&plan(&snapshot, &restart)), [Guard::RestartInVain]);
}

#[test]
fn a_reference_that_was_set_goes_back_to_what_the_chart_renders() {
    let mut snapshot = drifted(healthy("1.9.28"), 1, 2, Some(1));
    main_workload(&mut snapshot).workload.containers[0].image =
        ImageRef::parse(&format!("tracebloc/jobs-manager@{}", digest(1)))
            .map_err(|_| String::new());
    let plan = plan(&snapshot, &RefreshWish::default());
    assert_eq!(words(&plan), ["set-image", "record"]);
    let change = &plan.steps[0].act.rollout().unwrap().containers[0];
    assert_eq!(change.to, "docker.io/tracebloc/jobs-manager:prod");
}

#[test]
fn a_pin_in_the_values_is_left_and_nothing_is_refused() {
    let values = json!({"images": {"jobsManager": {"digest": digest(1).to_string()}}});
    let mut snapshot = with_values("1.9.28", &values);
    snapshot.releases[0].newest.status = ReleaseStatus::PendingUpgrade;
    let plan = plan(&snapshot, &RefreshWish::default());
    assert!(plan.is_empty(), "{plan:?}");
}

/// A drifted release with something in the way, and what says no.
#[test]
fn every_guard_says_no_and_names_a_way_out() {
    type Spoil = fn(&mut Snapshot);
    let cases: Vec<(Guard, &str, Spoil)> = vec![
        (Guard::ReleasePending, "1.9.28", |snapshot| {
            snapshot.releases[0].newest.status = ReleaseStatus::PendingUpgrade;
        }),
        (Guard::ManagedElsewhere, "1.9.28", |snapshot| {
            let marks = &mut main_workload(snapshot).marks;
            let key = "argocd.argoproj.io/tracking-id".to_owned();
            marks
                .notes
                .insert(key, "app:apps/Deployment:edge/x".to_owned());
        }),
        (Guard::JobRunning, "1.9.28", |snapshot| {
            snapshot.jobs.push(LiveJob {
                namespace: edge(),
                name: "edge-image-refresh-1".to_owned(),
                cron_job: "edge-image-refresh".to_owned(),
                started: None,
                end: None,
            });
        }),
        (Guard::TickNear, "1.9.9", |snapshot| {
            snapshot.observed_at = "2026-08-21T10:36:00Z".parse().unwrap();
        }),
        (Guard::Flapping, "1.9.28", |snapshot| {
            let records = &mut main_workload(snapshot).records;
            records.insert("tracebloc.io/refresh-attempt".to_owned(), "3".to_owned());
        }),
        (Guard::Unsettled, "1.9.28", |snapshot| {
            main_workload(snapshot).rollout = Rollout::Progressing;
        }),
        (Guard::Paused, "1.9.28", |snapshot| {
            main_workload(snapshot).rollout = Rollout::Paused;
        }),
        (Guard::OnDelete, "1.9.28", |snapshot| {
            main_workload(snapshot).on_delete = true;
        }),
    ];
    for (guard, version, spoil) in cases {
        let mut snapshot = drifted(healthy(version), 1, 2, Some(1));
        assert_eq!(
            guards(&plan(&snapshot, &RefreshWish::default())),
            [],
            "{guard:?}"
        );
        spoil(&mut snapshot);
        let refused = plan(&snapshot, &RefreshWish::default());
        assert_eq!(guards(&refused), [guard], "{refused:?}");
        assert!(!refused.refusals[0].advice.is_empty(), "{guard:?}");
        // Where there is nothing to do, nothing is refused.
        snapshot.pods.clear();
        let idle = plan(&snapshot, &RefreshWish::default());
        assert!(idle.is_empty(), "{guard:?}: {idle:?}");
    }
}

#[test]
fn what_failed_so_often_is_tried_again_on_request_only() {
    let mut snapshot = drifted(healthy("1.9.28"), 1, 2, Some(1));
    let records = &mut main_workload(&mut snapshot).records;
    records.insert("tracebloc.io/refresh-attempt".to_owned(), "3".to_owned());
    records.insert(
        "tracebloc.io/refresh-flap-detected".to_owned(),
        "true".to_owned(),
    );
    let again = RefreshWish {
        clear_flap: true,
        ..RefreshWish::default()
    };
    let plan = plan(&snapshot, &again);
    assert_eq!(guards(&plan), []);
    assert_eq!(words(&plan), ["record", "restart", "record"]);
    assert_eq!(plan.on_failure.counter.unwrap().failed, 0);
}

#[test]
fn a_chart_without_a_count_of_failures_has_its_job_suspended_when_something_is_undone() {
    let snapshot = drifted(healthy("1.9.12"), 1, 2, Some(1));
    let undo = plan(&snapshot, &RefreshWish::default()).on_failure;
    assert!(undo.counter.is_none());
    assert_eq!(undo.suspends.unwrap().name, "edge-image-refresh");
    let keep = RefreshWish {
        keep_failed: true,
        ..RefreshWish::default()
    };
    let kept = plan(&snapshot, &keep).on_failure;
    assert!(!kept.undo && kept.suspends.is_none());
}

/// A change that another run began half an hour ago.
fn open_change() -> Change {
    Change {
        id: "other".to_owned(),
        command: "refresh".to_owned(),
        by: "jane".to_owned(),
        at: "2026-08-21T10:00:00Z".parse().unwrap(),
        state: ChangeState::Acting,
        containers: vec![ContainerChange {
            container: "api".to_owned(),
            image: "jobs-manager".to_owned(),
            variable: None,
            from: "tracebloc/jobs-manager:prod".to_owned(),
            to: "tracebloc/jobs-manager:prod".to_owned(),
            former: Some(digest(1)),
            wanted: digest(2),
        }],
        reason: None,
        attempt: None,
    }
}

#[test]
fn an_unfinished_change_comes_before_everything_else() {
    let mut snapshot = drifted(healthy("1.9.28"), 1, 2, Some(1));
    let change = open_change();
    let main = main_workload(&mut snapshot);
    main.records.insert(ANNOTATION.to_owned(), change.to_text());
    // Its own rollout is no reason to refuse, and a full count neither.
    main.rollout = Rollout::Progressing;
    let records = &mut main.records;
    records.insert("tracebloc.io/refresh-attempt".to_owned(), "3".to_owned());
    let plan = plan(&snapshot, &RefreshWish::default());
    assert_eq!(words(&plan), ["finish"]);
    assert_eq!(guards(&plan), []);
    assert_eq!(plan.steps[0].act.rollout().unwrap().finishes, Some(change));
}

#[test]
fn what_is_not_known_is_not_touched() {
    let mut snapshot = drifted(healthy("1.9.28"), 1, 2, Some(1));
    snapshot.unlisted.push(Unlisted {
        namespace: edge(),
        kind: None,
        gap: gap("pods in namespace edge"),
    });
    snapshot.pods.clear();
    let unread = plan(&snapshot, &RefreshWish::default());
    assert_eq!(unread.images[0].decision, Decision::Unknown);
    assert!(unread.is_incomplete() && unread.steps.is_empty());
    let mut snapshot = drifted(healthy("1.9.28"), 1, 2, Some(1));
    for published in snapshot.published.values_mut() {
        *published = Evidence::Unknown(gap("the digest"));
    }
    let unpublished = plan(&snapshot, &RefreshWish::default());
    assert_eq!(unpublished.images[0].decision, Decision::Unknown);
    assert!(unpublished.steps.is_empty());
}

#[test]
fn wrong_names_are_a_mistake() {
    let snapshot = drifted(healthy("1.9.28"), 1, 2, Some(1));
    let wished = |images: &[&str], workloads: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let wish = RefreshWish {
            images: owned(images),
            workloads: owned(workloads),
            ..RefreshWish::default()
        };
        refresh(&snapshot, &Profile::client().unwrap(), &wish)
    };
    assert_eq!(
        wished(&["job-manager"], &[]),
        Err(WishError::NoImage {
            name: "job-manager".to_owned(),
            known: vec!["jobs-manager".to_owned()],
        })
    );
    assert!(matches!(
        wished(&[], &["edge-jobs"]),
        Err(WishError::NoWorkload { .. })
    ));
    assert_eq!(words(&wished(&["jobs-manager"], &[]).unwrap()).len(), 2);
    assert_eq!(
        words(&wished(&[], &["deployment/edge-jobs-manager"]).unwrap()).len(),
        2
    );
}

#[test]
fn what_is_young_waits_and_is_noted_once() {
    let mut snapshot = drifted(healthy("1.9.28"), 1, 2, Some(1));
    let patient = RefreshWish {
        min_age: Some(jiff::SignedDuration::from_hours(1)),
        ..RefreshWish::default()
    };
    let first = plan(&snapshot, &patient);
    assert_eq!(words(&first), ["record"]);
    assert_eq!(first.images[0].decision, Decision::TooYoung);
    let crate::plan::Act::Record(note) = first.steps[0].act.clone() else {
        panic!("{first:?}")
    };
    main_workload(&mut snapshot)
        .records
        .extend(note.annotations);
    snapshot.observed_at += jiff::SignedDuration::from_mins(59);
    let early = plan(&snapshot, &patient);
    assert!(early.steps.is_empty(), "{early:?}");
    snapshot.observed_at += jiff::SignedDuration::from_mins(1);
    assert_eq!(words(&plan(&snapshot, &patient)), ["restart", "record"]);
    // Other content begins anew.
    let other = drifted(snapshot, 1, 3, Some(1));
    assert_eq!(
        plan(&other, &patient).images[0].decision,
        Decision::TooYoung
    );
}

#[test]
fn what_is_young_waits_also_where_no_workload_is_the_main_one() {
    let mut snapshot = drifted(healthy("1.9.28"), 1, 2, None);
    let Evidence::Known(release) = &mut snapshot.releases[0].record else {
        panic!("the release is known")
    };
    "web".clone_into(&mut release.workloads[0].id.name);
    let id = release.workloads[0].id.clone();
    snapshot.pods[0].workload = id.clone();
    main_workload(&mut snapshot).workload.id = id.clone();
    assert_eq!(
        words(&plan(&snapshot, &RefreshWish::default())),
        ["restart"]
    );
    let patient = RefreshWish {
        min_age: Some(jiff::SignedDuration::from_hours(1)),
        ..RefreshWish::default()
    };
    let first = plan(&snapshot, &patient);
    assert_eq!(words(&first), ["record"]);
    let crate::plan::Act::Record(note) = first.steps[0].act.clone() else {
        panic!("{first:?}")
    };
    assert_eq!(note.workload, id);
    main_workload(&mut snapshot)
        .records
        .extend(note.annotations);
    assert!(plan(&snapshot, &patient).steps.is_empty());
    snapshot.observed_at += jiff::SignedDuration::from_hours(1);
    assert_eq!(words(&plan(&snapshot, &patient)), ["restart"]);
}

#[test]
fn no_more_rollouts_than_there_may_be_in_a_time() {
    let mut snapshot = drifted(healthy("1.9.28"), 1, 2, Some(1));
    let paced = RefreshWish {
        pace: Some(super::Pace {
            most: 1,
            per: jiff::SignedDuration::from_hours(1),
        }),
        ..RefreshWish::default()
    };
    assert_eq!(guards(&plan(&snapshot, &paced)), [Guard::Unreadable]);
    let history = |entries| HistoryFacts {
        entries,
        rollouts: Vec::new(),
        events: Vec::new(),
        unlisted: Vec::new(),
    };
    snapshot.history = Some(history(Evidence::Known(Vec::new())));
    assert_eq!(words(&plan(&snapshot, &paced)), ["restart", "record"]);
    let mut change = Change::parse(&open_change().to_text()).unwrap();
    change.state = ChangeState::Done;
    let main = main_workload(&mut snapshot);
    main.records.insert(ANNOTATION.to_owned(), change.to_text());
    let full = plan(&snapshot, &paced);
    assert!(full.is_empty(), "{full:?}");
    assert_eq!(full.images[0].decision, Decision::Paced);
    snapshot.observed_at += jiff::SignedDuration::from_mins(36);
    assert_eq!(words(&plan(&snapshot, &paced)), ["restart", "record"]);
    snapshot.history = Some(history(Evidence::Unknown(gap("the history"))));
    assert_eq!(guards(&plan(&snapshot, &paced)), [Guard::Unreadable]);
}

mod back;
mod beside;
mod flap;
mod former;
mod labels;
