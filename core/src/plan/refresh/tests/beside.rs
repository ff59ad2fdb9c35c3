//! What starts anew with what is moved, and what a plan says of the chart's own job.

use super::{RefreshWish, digest, drifted, guards, main_workload, plan, words};
use crate::assess::tests::{gap, healthy};
use crate::image::{ImageRef, RunningImage};
use crate::plan::Guard;
use crate::snapshot::{Evidence, Snapshot};
use crate::workload::{Container, PodContainer, PullPolicy};

const MONITOR: &str = "pods-monitor-container";

/// A release that is behind with one container, while another one of the same pods runs what is published.
fn shared() -> Snapshot {
    let mut snapshot = drifted(healthy("1.9.28"), 1, 2, Some(1));
    let text = "tracebloc/pods-monitor:prod";
    let container = Container::declared(MONITOR.into(), text, Some("Always"), false);
    let main = main_workload(&mut snapshot);
    main.workload.containers.push(container.clone());
    let key = "tracebloc.io/last-refreshed-pods-monitor-digest".to_owned();
    main.records.insert(key, digest(7).to_string());
    if let Evidence::Known(release) = &mut snapshot.releases[0].record {
        release.workloads[0].containers.push(container);
    }
    let running = RunningImage::parse(&format!("tracebloc/pods-monitor@{}", digest(7)));
    let container = PodContainer {
        running: running.unwrap(),
        ..PodContainer::default()
    };
    let pod = &mut snapshot.pods[0];
    pod.containers.insert(MONITOR.to_owned(), container);
    let tag = ImageRef::parse(text).unwrap();
    snapshot.published.insert(tag, Evidence::Known(digest(7)));
    snapshot
}

fn monitor(snapshot: &mut Snapshot) -> &mut Container {
    &mut main_workload(snapshot).workload.containers[1]
}

#[test]
fn what_would_be_pulled_unseen_is_no_reason_to_start_pods_anew() {
    let mut snapshot = shared();
    let wish = RefreshWish::default();
    assert_eq!(words(&plan(&snapshot, &wish)), ["restart", "record"]);
    let tag = ImageRef::parse("tracebloc/pods-monitor:prod").unwrap();
    let unknown = Evidence::Unknown(gap("too many requests"));
    snapshot.published.insert(tag.clone(), unknown);
    let refused = plan(&snapshot, &wish);
    assert_eq!(guards(&refused), [Guard::Unreadable]);
    assert!(
        refused.refusals[0]
            .subject
            .ends_with(&format!("[{MONITOR}]"))
    );
    // What is not pulled is not in question.
    let mut exact = snapshot.clone();
    monitor(&mut exact).pull_policy = PullPolicy::IfNotPresent;
    assert_eq!(guards(&plan(&exact, &wish)), []);
    // Nor is what nobody was asked about: an image that no refresh is about.
    snapshot.published.remove(&tag);
    assert_eq!(guards(&plan(&snapshot, &wish)), []);
}

#[test]
fn the_plan_says_what_may_be_pulled_along() {
    let mut snapshot = shared();
    let beside = |snapshot: &Snapshot| plan(snapshot, &RefreshWish::default()).on_failure.beside;
    let told = beside(&snapshot);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (told[0].container.as_str(), &told[0].former),
        (MONITOR, &digest(7))
    );
    monitor(&mut snapshot).pull_policy = PullPolicy::IfNotPresent;
    assert_eq!(beside(&snapshot), []);
    // What moves itself is no company.
    let mut both = shared();
    let tag = ImageRef::parse("tracebloc/pods-monitor:prod").unwrap();
    for documents in both.manifests.clone().into_values() {
        both.manifests.insert(tag.repository().clone(), documents);
    }
    both.published.insert(tag, Evidence::Known(digest(6)));
    let plan = plan(&both, &RefreshWish::default());
    assert_eq!(plan.steps[0].act.rollout().unwrap().containers.len(), 2);
    assert_eq!(plan.on_failure.beside, []);
}

#[test]
fn the_charts_own_job_is_said_to_act_only_where_it_does() {
    let told = |with: fn(&mut Snapshot)| {
        let mut snapshot = drifted(healthy("1.9.51"), 1, 2, None);
        with(&mut snapshot);
        let plan = plan(&snapshot, &RefreshWish::default());
        assert_eq!(words(&plan), ["record"]);
        plan.warnings[0].clone()
    };
    let acts = "the chart's own job acts on it at its next run, and --force does at once";
    assert!(told(|_| {}).ends_with(acts));
    let gone = told(|snapshot| {
        snapshot
            .live
            .retain(|live| live.workload.id.name != "edge-image-refresh");
    });
    assert!(gone.contains("the next refresh acts on it") && gone.contains("is not there"));
    let suspended = told(|snapshot| {
        let jobs = snapshot
            .live
            .iter_mut()
            .filter_map(|live| live.cron.as_mut());
        jobs.for_each(|cron| cron.suspended = true);
    });
    assert!(suspended.contains("is suspended"), "{suspended}");
}
