//! When the chart's own job is suspended while a plan is carried out, and let run again.

use jiff::SignedDuration;

use super::{drifted, healthy, plan, words};
use crate::change::{SUSPENDED, Suspended};
use crate::plan::{Act, RefreshWish};
use crate::snapshot::Snapshot;
use crate::workload::LiveWorkload;

/// The job that follows moved tags; it ticks at minutes 7, 22, 37 and 52, and it is 25 past.
fn job(snapshot: &mut Snapshot) -> &mut LiveWorkload {
    let mut live = snapshot.live.iter_mut();
    live.find(|live| live.workload.id.name == "edge-image-refresh")
        .unwrap()
}

fn suspend(snapshot: &mut Snapshot) {
    job(snapshot).cron.as_mut().unwrap().suspended = true;
}

fn mark(snapshot: &mut Snapshot) {
    let run = Suspended {
        id: "other".to_owned(),
        command: "refresh".to_owned(),
        by: "jane".to_owned(),
        at: "2026-08-21T10:00:00Z".parse().unwrap(),
    };
    let records = &mut job(snapshot).records;
    records.insert(SUSPENDED.to_owned(), run.to_text());
}

/// One rollout that may take so many minutes.
fn lasting(minutes: i64) -> RefreshWish {
    RefreshWish {
        timeout: SignedDuration::from_mins(minutes),
        ..RefreshWish::default()
    }
}

const PAUSED: [&str; 4] = ["suspend", "restart", "record", "resume"];
const BESIDE: [&str; 2] = ["restart", "record"];

#[test]
fn a_plan_that_may_meet_a_tick_suspends_the_job_meanwhile() {
    let snapshot = drifted(healthy("1.9.9"), 1, 2, Some(1));
    assert_eq!(words(&plan(&snapshot, &lasting(11))), BESIDE);
    let paused = plan(&snapshot, &lasting(12));
    assert_eq!(words(&paused), PAUSED);
    for act in [&paused.steps[0].act, &paused.steps[3].act] {
        let (Act::Suspend(suspension) | Act::Resume(suspension)) = act else {
            panic!("{act:?}")
        };
        assert!(suspension.meanwhile);
        assert_eq!(suspension.workload.name, "edge-image-refresh");
    }
    // Where something is undone it stays so.
    let for_good = paused.on_failure.suspends.unwrap();
    assert_eq!(for_good.name, "edge-image-refresh");
    let guarded = drifted(healthy("1.9.12"), 1, 2, Some(1));
    assert_eq!(words(&plan(&guarded, &lasting(12))), BESIDE, "it looks");
    let only_recorded = drifted(healthy("1.9.9"), 1, 1, None);
    assert_eq!(words(&plan(&only_recorded, &lasting(12))), ["record"]);
    let mut unknown = snapshot;
    let cron = job(&mut unknown).cron.as_mut().unwrap();
    cron.time_zone = Some("Europe/Berlin".to_owned());
    assert_eq!(words(&plan(&unknown, &lasting(1))), PAUSED);
}

#[test]
fn what_somebody_suspended_is_left_and_what_a_run_suspended_is_let_run_again() {
    let mut snapshot = drifted(healthy("1.9.9"), 1, 2, Some(1));
    suspend(&mut snapshot);
    let by_user = plan(&snapshot, &lasting(60));
    assert_eq!(words(&by_user), BESIDE);
    assert_eq!(by_user.on_failure.suspends, None);
    mark(&mut snapshot);
    let by_a_run = plan(&snapshot, &lasting(60));
    assert_eq!(words(&by_a_run), ["restart", "record", "resume"]);
    assert!(by_a_run.on_failure.suspends.is_some());
    // Also where there is nothing else to do, and after an upgrade to a chart whose job looks.
    for version in ["1.9.9", "1.9.28"] {
        let mut idle = drifted(healthy(version), 1, 1, Some(1));
        suspend(&mut idle);
        mark(&mut idle);
        assert_eq!(words(&plan(&idle, &lasting(60))), ["resume"], "{version}");
    }
}
