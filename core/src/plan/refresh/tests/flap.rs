//! What stops the chart's own job, and what lets it and the next refresh go on.

use super::{RefreshWish, digest, drifted, guards, main_workload, open_change, plan, words};
use crate::assess::tests::healthy;
use crate::change::{ANNOTATION, Change, ChangeState, ROLLBACK};
use crate::image::ImageRef;
use crate::plan::{Act, Guard, Plan};
use crate::snapshot::Snapshot;

const ATTEMPTS: &str = "tracebloc.io/refresh-attempt";
const DETECTED: &str = "tracebloc.io/refresh-flap-detected";

/// The marks of so many failures.
fn marked(snapshot: &mut Snapshot, failed: &str) {
    let records = &mut main_workload(snapshot).records;
    records.insert(ATTEMPTS.to_owned(), failed.to_owned());
    records.insert(DETECTED.to_owned(), "true".to_owned());
}

fn changed(snapshot: &mut Snapshot, with: impl Fn(&mut Change)) {
    let mut change = open_change();
    with(&mut change);
    let main = main_workload(snapshot);
    main.records.insert(ANNOTATION.to_owned(), change.to_text());
}

fn refer(snapshot: &mut Snapshot, number: u8) {
    let text = format!("tracebloc/jobs-manager@{}", digest(number));
    let image = ImageRef::parse(&text).map_err(|_| text);
    main_workload(snapshot).workload.containers[0].image = image;
}

/// After an undo, or a way back, from content 2 to content 1, with the marks that this leaves.
fn given_up(published: u8, by_rollback: bool) -> Snapshot {
    let mut snapshot = drifted(healthy("1.9.28"), 1, published, Some(1));
    refer(&mut snapshot, 1);
    marked(&mut snapshot, "3");
    changed(&mut snapshot, |change| {
        if by_rollback {
            let then = &mut change.containers[0];
            ROLLBACK.clone_into(&mut change.command);
            change.state = ChangeState::Done;
            (then.former, then.wanted) = (Some(digest(2)), digest(1));
            then.to = format!("tracebloc/jobs-manager@{}", digest(1));
        } else {
            change.state = ChangeState::Undone;
            change.attempt = Some(3);
        }
    });
    snapshot
}

fn message(plan: &Plan) -> &str {
    &plan.refusals[0].message
}

#[test]
fn a_way_back_that_did_not_live_to_record_is_recorded_by_the_next() {
    const RECORD: &str = "tracebloc.io/last-refreshed-jobs-manager-digest";
    let wish = RefreshWish {
        rollback: true,
        ..RefreshWish::default()
    };
    let recorded = |content: u8| {
        let mut snapshot = given_up(2, true);
        let records = &mut main_workload(&mut snapshot).records;
        records.insert(RECORD.to_owned(), digest(content).to_string());
        plan(&snapshot, &wish)
    };
    assert_eq!(words(&recorded(1)), [""; 0]);
    let mended = recorded(2);
    assert_eq!((words(&mended), guards(&mended)), (vec!["record"], vec![]));
    let Act::Record(record) = &mended.steps[0].act else {
        panic!("{mended:?}")
    };
    assert_eq!(record.annotations[RECORD], digest(1).to_string());
    assert_eq!(
        record.clears, [""; 0],
        "the chart's own job still leaves it"
    );
}

#[test]
fn after_an_undo_other_content_is_brought_and_counted_anew() {
    for by_rollback in [false, true] {
        let wish = RefreshWish::default();
        let same = plan(&given_up(2, by_rollback), &wish);
        assert_eq!(guards(&same), [Guard::Flapping]);
        assert!(message(&same).contains("nothing else was published"));
        let other = plan(&given_up(3, by_rollback), &wish);
        assert_eq!(guards(&other), [], "{by_rollback}: {other:?}");
        assert_eq!(words(&other), ["record", "set-image", "record"]);
        let Act::Record(cleared) = &other.steps[0].act else {
            panic!("{other:?}")
        };
        assert_eq!(cleared.clears, [ATTEMPTS, DETECTED]);
        assert_eq!(other.on_failure.counter.unwrap().failed, 0);
        // Somebody acted since: perhaps it is just that content which failed.
        let mut touched = given_up(3, by_rollback);
        refer(&mut touched, 3);
        let refused = plan(&touched, &wish);
        assert_eq!(guards(&refused), [Guard::Flapping]);
        let told = if by_rollback {
            "was gone back from at"
        } else {
            "was undone"
        };
        assert!(message(&refused).contains(told), "{refused:?}");
        assert!(!message(&refused).contains("in a row"), "{refused:?}");
    }
}

#[test]
fn the_count_of_the_charts_own_job_holds() {
    // It has failed once more since.
    let mut again = given_up(3, false);
    marked(&mut again, "4");
    let refused = plan(&again, &RefreshWish::default());
    assert_eq!(guards(&refused), [Guard::Flapping]);
    assert!(message(&refused).starts_with("4 rollouts failed in a row"));
    // Nothing of ours is there.
    let mut foreign = drifted(healthy("1.9.28"), 1, 2, Some(1));
    marked(&mut foreign, "3");
    let refused = plan(&foreign, &RefreshWish::default());
    assert!(message(&refused).starts_with("3 rollouts failed in a row"));
    marked(&mut foreign, "");
    let refused = plan(&foreign, &RefreshWish::default());
    assert!(message(&refused).starts_with("the mark"), "{refused:?}");
}

#[test]
fn what_was_finished_and_runs_has_its_failures_forgotten() {
    let mut snapshot = drifted(healthy("1.9.28"), 2, 2, Some(1));
    marked(&mut snapshot, "3");
    let clears = |snapshot: &Snapshot| {
        let plan = plan(snapshot, &RefreshWish::default());
        let Act::Record(record) = &plan.steps[0].act else {
            panic!("{plan:?}")
        };
        record.clears.clone()
    };
    assert_eq!(clears(&snapshot), Vec::<String>::new(), "nothing of ours");
    changed(&mut snapshot, |change| change.state = ChangeState::Failed);
    assert_eq!(clears(&snapshot), Vec::<String>::new());
    changed(&mut snapshot, |change| change.state = ChangeState::Done);
    assert_eq!(clears(&snapshot), [ATTEMPTS, DETECTED]);
}

#[test]
fn what_the_charts_own_job_does_not_follow_does_not_stop_it() {
    for (version, image) in [("1.9.28", "mysql-client"), ("1.9.12", "mysql-client")] {
        let followed = drifted(healthy(version), 1, 2, Some(1));
        let failure = plan(&followed, &RefreshWish::default()).on_failure;
        assert!(failure.counter.is_some() || failure.suspends.is_some());
        // The only rollout is that of an image without a record.
        let mut other = followed;
        changed(&mut other, |change| {
            image.clone_into(&mut change.containers[0].image);
        });
        let finish = plan(&other, &RefreshWish::default());
        assert_eq!(words(&finish), ["finish"]);
        let failure = finish.on_failure;
        assert!(failure.undo, "{version}");
        assert_eq!((failure.counter, failure.suspends), (None, None));
    }
}
