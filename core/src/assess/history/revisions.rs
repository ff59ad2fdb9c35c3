//! The revisions that Helm made.

use super::{Past, jobs};
use crate::assess::unknown;
use crate::release::{ReleaseStatus, RevisionHead};
use crate::report::{ChangeKind, ChangeReport, Outcome};
use crate::snapshot::{Evidence, RevisionFacts};

/// The revisions, newest first by their numbers.
pub(super) fn of(past: &Past<'_>) -> Vec<ChangeReport> {
    let observed = past.observed;
    let newest = match (&observed.unread, &observed.record) {
        // Labels tell nothing of revisions.
        (Some(gap), _) | (None, Evidence::Unknown(gap)) => Evidence::Unknown(gap.clone()),
        (None, Evidence::Known(release)) => Evidence::Known(RevisionFacts::of(release)),
    };
    let is_listed = observed.revision().is_some();
    [(&observed.newest, &newest)]
        .into_iter()
        .filter(|_| is_listed)
        .chain(
            observed
                .earlier
                .iter()
                .map(|earlier| (&earlier.head, &earlier.facts)),
        )
        .map(|(head, facts)| revision(past, head, facts))
        .collect()
}

fn revision(past: &Past<'_>, head: &RevisionHead, facts: &Evidence<RevisionFacts>) -> ChangeReport {
    let known = facts.known();
    let chart = known.map(|facts| format!("{}-{}", facts.chart.name, facts.chart.version_text));
    let description = known
        .map(|facts| facts.description.clone())
        .filter(|text| !text.is_empty());
    let at = known.and_then(|facts| facts.made_at);
    let job = at.and_then(|at| jobs::upgrading(past, at));
    let mut told: Vec<String> = [&chart, &description]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    told.extend(facts.gap().map(|gap| gap.message.clone()));
    told.extend(job.as_ref().map(|job| format!("while {job} ran")));
    ChangeReport {
        at,
        summary: format!("revision {}: {}", head.revision, told.join(", ")),
        outcome: outcome(head.status),
        job,
        revision: Some(head.revision),
        status: Some(head.status),
        chart,
        description,
        evidence: vec![format!(
            "Helm's record of revision {} of {}",
            head.revision, head.id
        )],
        unknown: facts.gap().map(unknown),
        ..ChangeReport::of(ChangeKind::Revision)
    }
}

fn outcome(status: ReleaseStatus) -> Option<Outcome> {
    match status {
        ReleaseStatus::Deployed | ReleaseStatus::Superseded | ReleaseStatus::Uninstalled => {
            Some(Outcome::Done)
        }
        ReleaseStatus::Failed => Some(Outcome::Failed),
        ReleaseStatus::Uninstalling
        | ReleaseStatus::PendingInstall
        | ReleaseStatus::PendingUpgrade
        | ReleaseStatus::PendingRollback => Some(Outcome::Open),
        ReleaseStatus::Unknown => None,
    }
}
