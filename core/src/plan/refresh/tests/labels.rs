//! What is done where Helm's records may not be read.

use super::{RefreshWish, digest, drifted, guards, main_workload, open_change, plan, words};
use crate::assess::tests::{by_labels, healthy};
use crate::change::{ANNOTATION, Change, ChangeState};
use crate::plan::{Decision, Guard};
use crate::release::ReleaseStatus;
use crate::snapshot::{Evidence, Snapshot};
use crate::workload::Container;

/// A drifted release whose main workload has that reference, of which nothing may be read but labels.
fn unread(version: &str, image: &str, variables: &[(&str, &str)]) -> Snapshot {
    let mut snapshot = drifted(healthy(version), 1, 2, Some(1));
    let container = Container::declared("api".into(), image, Some("Always"), false);
    main_workload(&mut snapshot).workload.containers = vec![container];
    by_labels(&snapshot, version, variables)
}

#[test]
fn without_the_record_only_what_is_surely_not_pinned_is_moved() {
    let floats = "tracebloc/jobs-manager:prod";
    let exact = format!("tracebloc/jobs-manager@{}", digest(1));
    let told = |pinned| [("IMAGE_TAG", "prod"), ("JOBS_MANAGER_PINNED", pinned)];
    let wish = RefreshWish::default();
    for (image, variables, decision, steps) in [
        (floats, &[][..], Decision::Move, &["restart", "record"][..]),
        (floats, &told("0"), Decision::Move, &["restart", "record"]),
        // A refresh set the digest; the chart renders the tag, and starting anew pulls it.
        (&exact, &told("0"), Decision::Move, &["set-image", "record"]),
        (&exact, &told("1"), Decision::Pinned, &[]),
        (&exact, &[], Decision::Unknown, &[]),
        // Somebody set a tag where a value pins a digest.
        (floats, &told("1"), Decision::Unknown, &[]),
    ] {
        let plan = plan(&unread("1.9.51", image, variables), &wish);
        let mut images = plan.images.iter();
        let ours = images.find(|image| !image.running.is_empty()).unwrap();
        assert_eq!(ours.decision, decision, "{image} {variables:?}");
        assert_eq!(words(&plan), steps, "{image} {variables:?}");
        assert!(
            plan.warnings[0].contains("would tell"),
            "{:?}",
            plan.warnings
        );
        assert!(plan.warnings[0].contains("whether a Helm operation holds the release"));
        assert_eq!(plan.is_incomplete(), decision == Decision::Unknown);
    }
    let back = plan(&unread("1.9.51", &exact, &told("0")), &wish);
    let change = &back.steps[0].act.rollout().unwrap().containers[0];
    assert_eq!(change.to, "docker.io/tracebloc/jobs-manager:prod");
}

#[test]
fn without_the_record_the_chart_s_own_refresh_is_suspended_where_something_is_undone() {
    let wish = RefreshWish::default();
    let known = plan(&drifted(healthy("1.9.51"), 1, 2, Some(1)), &wish);
    assert_eq!(
        known.on_failure.suspends, None,
        "its count of failures is enough"
    );
    let unread = plan(&unread("1.9.51", "tracebloc/jobs-manager:prod", &[]), &wish);
    let suspended = unread.on_failure.suspends.unwrap();
    assert_eq!(suspended.name, "edge-image-refresh");
}

#[test]
fn without_one_version_nothing_is_changed() {
    let mut snapshot = unread("1.9.51", "tracebloc/jobs-manager:prod", &[]);
    if let Evidence::Known(release) = &mut snapshot.releases[0].record {
        release.chart.version = None;
    }
    let refused = plan(&snapshot, &RefreshWish::default());
    assert_eq!(guards(&refused), [Guard::Unreadable]);
    // Of one whose record was read it is taken for a new one.
    let mut snapshot = drifted(healthy("1.9.51"), 1, 2, Some(1));
    if let Evidence::Known(release) = &mut snapshot.releases[0].record {
        release.chart.version = None;
    }
    assert_eq!(guards(&plan(&snapshot, &RefreshWish::default())), []);
}

#[test]
fn without_the_record_an_operation_is_seen_where_records_may_be_listed() {
    let mut snapshot = unread("1.9.51", "tracebloc/jobs-manager:prod", &[]);
    snapshot.releases[0].newest.revision = 2;
    snapshot.releases[0].newest.status = ReleaseStatus::PendingUpgrade;
    let refused = plan(&snapshot, &RefreshWish::default());
    assert_eq!(guards(&refused), [Guard::ReleasePending]);
    assert!(!refused.warnings[0].contains("Helm operation"));
}

#[test]
fn what_a_value_may_pin_since_is_not_gone_back_from() {
    let exact = format!("tracebloc/jobs-manager@{}", digest(2));
    let told = |pinned| [("IMAGE_TAG", "prod"), ("JOBS_MANAGER_PINNED", pinned)];
    let wish = RefreshWish {
        rollback: true,
        ..RefreshWish::default()
    };
    for (variables, goes_back) in [(&told("0")[..], true), (&told("1"), false), (&[], false)] {
        let mut snapshot = unread("1.9.51", &exact, variables);
        let mut last = Change {
            state: ChangeState::Done,
            ..open_change()
        };
        for container in &mut last.containers {
            container.to.clone_from(&exact);
            container.former = Some(digest(1));
            container.wanted = digest(2);
        }
        main_workload(&mut snapshot)
            .records
            .insert(ANNOTATION.to_owned(), last.to_text());
        let plan = plan(&snapshot, &wish);
        let rolls_out = plan.steps.iter().any(|step| step.act.rollout().is_some());
        assert_eq!(rolls_out, goes_back, "{variables:?}: {plan:?}");
        assert_eq!(plan.is_incomplete(), !goes_back);
    }
}
