//! What was done to a release last: the revisions that Helm made, and restarts.

use crate::assess::unknown;
use crate::release::RevisionHead;
use crate::report::{ChangeKind, ChangeReport};
use crate::snapshot::{Evidence, ObservedRelease, RevisionFacts, Snapshot};

/// The changes, newest first; those whose time is not known stand by their revision.
pub(super) fn of(snapshot: &Snapshot, observed: &ObservedRelease) -> Vec<ChangeReport> {
    let newest = match &observed.record {
        Evidence::Known(release) => Evidence::Known(RevisionFacts::of(release)),
        Evidence::Unknown(gap) => Evidence::Unknown(gap.clone()),
    };
    let mut changes: Vec<ChangeReport> = [(&observed.newest, &newest)]
        .into_iter()
        .chain(
            observed
                .earlier
                .iter()
                .map(|earlier| (&earlier.head, &earlier.facts)),
        )
        .map(|(head, facts)| revision(head, facts))
        .collect();
    let restarts = snapshot.live.iter().filter_map(|live| {
        let at = live.restarted_at?;
        let is_ours = observed.current().known().is_some_and(|release| {
            release
                .workloads
                .iter()
                .any(|workload| workload.id == live.workload.id)
        });
        is_ours.then(|| ChangeReport {
            at: Some(at),
            workload: Some(live.workload.id.clone()),
            ..nothing(ChangeKind::Restart)
        })
    });
    for restart in restarts {
        // The revisions stand in their order already, those without a time too.
        let place = changes
            .iter()
            .position(|change| change.at.is_some_and(|at| Some(at) < restart.at))
            .unwrap_or(changes.len());
        changes.insert(place, restart);
    }
    changes
}

fn revision(head: &RevisionHead, facts: &Evidence<RevisionFacts>) -> ChangeReport {
    let known = facts.known();
    ChangeReport {
        at: known.and_then(|facts| facts.made_at),
        revision: Some(head.revision),
        status: Some(head.status),
        chart: known.map(|facts| format!("{}-{}", facts.chart.name, facts.chart.version_text)),
        description: known
            .map(|facts| facts.description.clone())
            .filter(|text| !text.is_empty()),
        unknown: facts.gap().map(unknown),
        ..nothing(ChangeKind::Revision)
    }
}

fn nothing(change: ChangeKind) -> ChangeReport {
    ChangeReport {
        at: None,
        change,
        revision: None,
        status: None,
        chart: None,
        description: None,
        workload: None,
        unknown: None,
    }
}
