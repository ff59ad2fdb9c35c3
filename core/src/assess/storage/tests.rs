//! Storage judged on plain data.

use std::collections::BTreeMap;

use crate::assess::tests::{edge, gap, healthy};
use crate::assess::{Question, outdated};
use crate::claim::{ClaimId, DeclaredClaim, LiveClaim, ReclaimPolicy};
use crate::profile::Profile;
use crate::report::OutdatedReport;
use crate::snapshot::{Evidence, Snapshot, StorageFacts};

fn id() -> ClaimId {
    ClaimId {
        namespace: edge(),
        name: "mysql-pvc".into(),
    }
}

/// A release with one claim, which is bound to a volume of that policy.
fn with(kept: bool, policy: ReclaimPolicy) -> Snapshot {
    let mut snapshot = healthy("1.9.51");
    if let Evidence::Known(release) = &mut snapshot.releases[0].record {
        release.claims = vec![DeclaredClaim {
            id: id(),
            kept,
            one_node: false,
        }];
    }
    snapshot.storage = Some(StorageFacts {
        claims: vec![LiveClaim {
            id: id(),
            phase: "Bound".into(),
            volume: Some("pv-1".into()),
        }],
        unlisted: Vec::new(),
        volumes: Evidence::Known(BTreeMap::from([("pv-1".into(), policy)])),
    });
    snapshot
}

fn storage(snapshot: &mut Snapshot) -> &mut StorageFacts {
    snapshot.storage.as_mut().unwrap()
}

fn judge(snapshot: &Snapshot) -> OutdatedReport {
    let question = Question {
        storage: true,
        ..Question::default()
    };
    outdated(snapshot, &Profile::client().unwrap(), &question)
}

fn found(snapshot: &Snapshot) -> Vec<(String, String)> {
    judge(snapshot)
        .findings
        .into_iter()
        .map(|finding| (finding.code.to_string(), finding.message))
        .collect()
}

#[test]
fn kept_and_retained_is_safe() {
    assert_eq!(found(&with(true, ReclaimPolicy::Retain)), []);
}

#[test]
fn what_an_uninstall_deletes_is_danger_and_says_what_is_left() {
    let lost = found(&with(false, ReclaimPolicy::Delete));
    assert_eq!(lost[0].0, "pvc-not-kept");
    assert!(lost[0].1.contains("its data is deleted"), "{lost:?}");
    assert_eq!(lost[1].0, "pv-not-retained");
    let left = found(&with(false, ReclaimPolicy::Retain));
    assert_eq!(left.len(), 1);
    assert!(left[0].1.contains("bound again"), "{left:?}");
    let report = judge(&with(true, ReclaimPolicy::Delete));
    let advice = &report.findings[0].advice;
    assert!(
        advice[0].starts_with("kubectl patch persistentvolume/pv-1"),
        "{advice:?}"
    );
}

#[test]
fn what_may_not_be_read_is_unknown_and_never_safe() {
    let mut snapshot = with(false, ReclaimPolicy::Retain);
    storage(&mut snapshot).volumes = Evidence::Unknown(gap("persistent volumes"));
    let report = judge(&snapshot);
    let claim = &report.releases[0].storage[0];
    assert_eq!(claim.reclaim, None);
    assert!(claim.unknown.is_some());
    assert!(
        report
            .findings
            .iter()
            .any(|finding| finding.message.contains("is not known"))
    );
    assert!(
        report
            .findings
            .iter()
            .any(|finding| finding.code.as_str() == "cluster-unanswered")
    );
    let facts = storage(&mut snapshot);
    facts.claims.clear();
    facts.unlisted = vec![(edge(), gap("claims"))];
    let report = judge(&snapshot);
    assert_eq!(report.releases[0].storage[0].phase, None, "it may be there");
    assert!(
        !report
            .findings
            .iter()
            .any(|finding| finding.code.as_str() == "pvc-not-bound")
    );
}

#[test]
fn a_claim_that_is_pending_or_gone_is_said() {
    let mut snapshot = with(true, ReclaimPolicy::Retain);
    storage(&mut snapshot).claims[0].phase = "Pending".into();
    storage(&mut snapshot).claims[0].volume = None;
    assert_eq!(found(&snapshot)[0].1, "claim mysql-pvc is pending");
    storage(&mut snapshot).claims.clear();
    assert_eq!(found(&snapshot)[0].1, "claim mysql-pvc is missing");
}

#[test]
fn a_volume_of_an_unknown_policy_is_not_retained() {
    let codes = found(&with(true, ReclaimPolicy::Unknown));
    assert_eq!(codes[0].0, "pv-not-retained");
}
