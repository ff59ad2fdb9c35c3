//! What `--rollback` goes back from, and from what it does not.

use super::{RefreshWish, digest, drifted, guards, main_workload, open_change, plan, words};
use crate::assess::tests::healthy;
use crate::change::{ANNOTATION, Change, ChangeState};
use crate::image::ImageRef;
use crate::plan::{Decision, Guard};
use crate::snapshot::{Evidence, Snapshot};
use crate::workload::Rollout;

fn back() -> RefreshWish {
    RefreshWish {
        rollback: true,
        ..RefreshWish::default()
    }
}

/// A release whose last change is ours, from content 1 to content 2; its pods run other content, perhaps.
fn after(state: ChangeState, running: u8, published: u8) -> Snapshot {
    let snapshot = drifted(healthy("1.9.28"), running, published, Some(2));
    changed(snapshot, |change| change.state = state)
}

fn changed(mut snapshot: Snapshot, with: impl Fn(&mut Change)) -> Snapshot {
    let mut change = open_change();
    change.state = ChangeState::Done;
    with(&mut change);
    let main = main_workload(&mut snapshot);
    main.records.insert(ANNOTATION.to_owned(), change.to_text());
    snapshot
}

/// Another reference of the container that was changed.
fn refer(snapshot: &mut Snapshot, text: &str) {
    let image = ImageRef::parse(text).map_err(|_| String::new());
    main_workload(snapshot).workload.containers[0].image = image;
}

#[test]
fn it_goes_back_from_what_a_refresh_brought_and_from_nothing_else() {
    // By the chart's own job, which in these versions starts the pods anew under the same tag, and in later ones sets the exact content.
    for reference in [
        "tracebloc/jobs-manager:prod".to_owned(),
        format!("tracebloc/jobs-manager@{}", digest(3)),
    ] {
        let mut snapshot = after(ChangeState::Done, 3, 3);
        refer(&mut snapshot, &reference);
        let refused = plan(&snapshot, &back());
        assert_eq!(guards(&refused), [Guard::Overtaken], "{reference}");
        assert!(refused.steps.is_empty(), "{refused:?}");
        assert_eq!(refused.images[0].decision, Decision::Refused);
        let refusal = &refused.refusals[0];
        let told = format!("from {} to {}", digest(3).short(), digest(1).short());
        assert!(refusal.message.ends_with(&told), "{refusal:?}");
        assert!(refusal.message.contains(&digest(2).short()), "{refusal:?}");
        assert!(refusal.advice[0].contains("--tag"), "{refusal:?}");
    }
    for (published, reference) in [
        (2, "tracebloc/jobs-manager:prod".to_owned()),
        // The tag has moved on, and the pods have not.
        (3, "tracebloc/jobs-manager:prod".to_owned()),
        (3, format!("tracebloc/jobs-manager@{}", digest(2))),
    ] {
        let mut snapshot = after(ChangeState::Done, 2, published);
        refer(&mut snapshot, &reference);
        let plan = plan(&snapshot, &back());
        assert_eq!(guards(&plan), [], "{reference}");
        assert_eq!(words(&plan), ["record", "set-image", "record"]);
        let change = &plan.steps[1].act.rollout().unwrap().containers[0];
        assert_eq!(change.wanted, digest(1));
        assert_eq!(change.former, Some(digest(2)));
    }
}

#[test]
fn the_record_of_the_charts_own_job_tells_that_it_went_on() {
    let mut snapshot = after(ChangeState::Done, 3, 4);
    // What the refresh brought was not asked for: it is neither what is published nor what runs.
    for documents in snapshot.manifests.values_mut() {
        documents.remove(&digest(2));
    }
    assert_eq!(guards(&plan(&snapshot, &back())), [], "it is not certain");
    let key = super::RECORD.to_owned();
    let records = &mut main_workload(&mut snapshot).records;
    records.insert(key, digest(3).to_string());
    assert_eq!(guards(&plan(&snapshot, &back())), [Guard::Overtaken]);
}

#[test]
fn what_failed_and_was_left_so_is_gone_back_from() {
    // Its pods crash, or wait, and some still run what ran before.
    for running in [2, 1] {
        let mut snapshot = after(ChangeState::Failed, running, 2);
        main_workload(&mut snapshot).rollout = Rollout::Progressing;
        let plan = plan(&snapshot, &back());
        assert_eq!(words(&plan), ["record", "set-image", "record"]);
        let change = &plan.steps[1].act.rollout().unwrap().containers[0];
        assert_eq!(
            (&change.wanted, &change.former),
            (&digest(1), &Some(digest(2)))
        );
        assert_eq!(guards(&plan), []);
    }
    // The tag moved once more while the pods started: that is what is left.
    let moved = plan(&after(ChangeState::Failed, 3, 3), &back());
    let change = &moved.steps[1].act.rollout().unwrap().containers[0];
    assert_eq!(
        (&change.wanted, &change.former),
        (&digest(1), &Some(digest(3)))
    );
    // Without a way back that is said.
    let snapshot = changed(drifted(healthy("1.9.28"), 2, 2, Some(2)), |change| {
        change.state = ChangeState::Failed;
        change.containers[0].former = None;
    });
    let rootless = plan(&snapshot, &back());
    assert!(rootless.steps.is_empty() && rootless.is_incomplete());
}

#[test]
fn what_was_brought_back_otherwise_is_left() {
    let mut snapshot = after(ChangeState::Done, 1, 2);
    refer(
        &mut snapshot,
        &format!("tracebloc/jobs-manager@{}", digest(1)),
    );
    let done = plan(&snapshot, &back());
    assert!(
        done.steps.is_empty() && done.refusals.is_empty(),
        "{done:?}"
    );
    assert_eq!(done.images[0].decision, Decision::Current);
}

#[test]
fn pin_is_no_refresh_to_go_back_from() {
    for command in ["pin", "unpin", crate::change::ROLLBACK] {
        let snapshot = changed(drifted(healthy("1.9.28"), 2, 2, Some(2)), |change| {
            command.clone_into(&mut change.command);
        });
        let plan = plan(&snapshot, &back());
        assert!(plan.is_empty(), "{command}: {plan:?}");
        assert!(plan.warnings[0].contains("no refresh"), "{command}");
    }
    // Pods run what the refresh brought, and a value holds that since.
    let mut pinned = after(ChangeState::Done, 2, 2);
    let text = format!("tracebloc/jobs-manager@{}", digest(2));
    refer(&mut pinned, &text);
    if let Evidence::Known(release) = &mut pinned.releases[0].record {
        release.workloads[0].containers[0].image = ImageRef::parse(&text).map_err(|_| text);
    }
    let plan = plan(&pinned, &back());
    assert!(plan.is_empty(), "{plan:?}");
    assert_eq!(plan.images[0].decision, Decision::Pinned);
}
