use crate::assess::tests::{healthy, judge_chart};
use crate::claim::{ClaimId, DeclaredClaim};
use crate::finding::Finding;
use crate::manifest::Platform;
use crate::release::Release;
use crate::snapshot::{Evidence, Snapshot};

fn find(snapshot: &Snapshot, code: &str) -> Option<Finding> {
    judge_chart(snapshot)
        .findings
        .into_iter()
        .find(|finding| finding.code.as_str() == code)
}

fn record(snapshot: &mut Snapshot) -> &mut Release {
    let Evidence::Known(record) = &mut snapshot.releases[0].record else {
        unreachable!("the release of the tests is known")
    };
    record
}

#[test]
fn another_number_of_replicas_is_drift_unless_an_autoscaler_set_it() {
    let mut snapshot = healthy("1.9.51");
    snapshot.live[0].workload.shape.replicas = Some(0);
    assert_eq!(
        find(&snapshot, "replicas-drift"),
        None,
        "the chart says none"
    );
    record(&mut snapshot).workloads[0].shape.replicas = Some(1);
    let found = find(&snapshot, "replicas-drift").unwrap();
    assert!(
        found
            .message
            .contains("scaled to 0, and the release says 1"),
        "{found:?}"
    );
    assert!(
        found.advice[0].starts_with("kubectl scale deployment/edge-jobs-manager --replicas 1"),
        "{found:?}"
    );
    snapshot.live[0].autoscaled = true;
    assert_eq!(find(&snapshot, "replicas-drift"), None);
}

#[test]
fn a_rollout_that_overlaps_on_a_claim_of_one_node_can_hang() {
    let mut snapshot = healthy("1.9.9");
    let namespace = record(&mut snapshot).head.id.namespace.clone();
    let release = record(&mut snapshot);
    release.workloads[0].shape.claims = vec!["client-pvc".to_owned()];
    let id = ClaimId {
        namespace,
        name: "client-pvc".to_owned(),
    };
    release.claims = vec![DeclaredClaim {
        id,
        kept: true,
        one_node: true,
    }];
    assert!(
        find(&snapshot, "rollout-deadlock").is_some(),
        "nodes unknown"
    );
    let mut node = |name: &str| {
        snapshot
            .nodes
            .insert(name.to_owned(), Platform::new("linux", "amd64", None));
        find(&snapshot, "rollout-deadlock").is_some()
    };
    assert!(!node("a"), "one node");
    assert!(node("b"));
    record(&mut snapshot).claims[0].one_node = false;
    assert_eq!(find(&snapshot, "rollout-deadlock"), None);
    record(&mut snapshot).claims[0].one_node = true;
    record(&mut snapshot).workloads[0].shape.overlaps = false;
    assert_eq!(find(&snapshot, "rollout-deadlock"), None);
}
