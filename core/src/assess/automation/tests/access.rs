//! Rights that somebody deleted.

use super::*;
use crate::assess::{Question, wanted_access};
use crate::profile::Profile;
use crate::release::{AccessId, AccessKind, DeclaredBinding};
use crate::snapshot::ObservedAccess;

/// A release that gives each of its jobs a role by a binding, and whose last refresh ended so.
fn with_rights(failure: Option<&str>) -> Snapshot {
    let mut snapshot = healthy("1.9.51");
    let Evidence::Known(release) = &mut snapshot.releases[0].record else {
        unreachable!()
    };
    for name in ["edge-auto-upgrade", "edge-image-refresh"] {
        let id = |kind| AccessId {
            kind,
            namespace: Some(edge()),
            name: name.into(),
        };
        release.bindings.push(DeclaredBinding {
            id: id(AccessKind::RoleBinding),
            role: id(AccessKind::Role),
            accounts: BTreeSet::from([(edge(), name.to_owned())]),
        });
    }
    let end = JobEnd {
        at: None,
        failure: failure.map(str::to_owned),
    };
    let refresh = "edge-image-refresh";
    let earlier = JobEnd {
        at: None,
        failure: Some("x".into()),
    };
    snapshot.jobs = vec![
        job("1", refresh, "2026-08-21T10:07:00Z", Some(earlier)),
        job("2", refresh, "2026-08-21T10:22:00Z", Some(end)),
    ];
    snapshot
}

fn asked(snapshot: &Snapshot) -> Vec<AccessId> {
    let question = Question {
        automation: true,
        ..Question::default()
    };
    let profile = Profile::client().unwrap();
    wanted_access(snapshot, &profile, &question)
        .into_iter()
        .collect()
}

#[test]
fn rights_are_looked_for_where_the_last_run_failed() {
    assert_eq!(asked(&with_rights(None)), []);
    let wanted: Vec<String> = asked(&with_rights(Some("BackoffLimitExceeded")))
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        wanted,
        [
            "rolebinding edge-image-refresh in namespace edge",
            "role edge-image-refresh in namespace edge",
        ]
    );
}

#[test]
fn a_job_that_fails_for_missing_rights_is_locked_out() {
    let mut snapshot = with_rights(Some("BackoffLimitExceeded"));
    let access = |there: [Evidence<bool>; 2]| {
        let ids = asked(&with_rights(Some("x"))).into_iter();
        ids.zip(there)
            .map(|(id, there)| ObservedAccess { id, there })
            .collect()
    };
    snapshot.access = access([Evidence::Known(true), Evidence::Known(true)]);
    assert_eq!(states(&snapshot), (Fine, Fine), "one run may fail");
    snapshot.access = access([Evidence::Known(true), Evidence::Known(false)]);
    assert_eq!(states(&snapshot), (Fine, LockedOut));
    let report = judge(&snapshot);
    let found = &report.findings[0];
    assert_eq!(found.code.as_str(), "refresh-locked-out");
    assert!(
        found
            .message
            .ends_with("role edge-image-refresh in namespace edge is not there"),
        "{}",
        found.message
    );
    assert!(found.advice[0].starts_with("helm rollback edge 1"));
    // Where it cannot be told, that is told, and the job is judged by its pace.
    snapshot.access = access([Evidence::Known(true), Evidence::Unknown(gap("the role"))]);
    assert_eq!(states(&snapshot), (Fine, Fine));
    assert_eq!(codes(&snapshot), ["cluster-unanswered"]);
}
