//! What was done to a release, by whom, and what came of it: every trace that is left of it, brought into one order.

mod changes;
mod edits;
mod events;
mod jobs;
mod revisions;
mod rollouts;

use std::cmp::Reverse;

use jiff::Timestamp;

use super::{Case, Question, context, release, unanswered};
use crate::advice::Advisor;
use crate::edit::Part;
use crate::profile::Profile;
use crate::release::Release;
use crate::report::{API_VERSION, ChangeKind, ChangeReport, HistoryReport};
use crate::snapshot::{ObservedRelease, Snapshot};
use crate::workload::{LiveWorkload, WorkloadId};

/// How much of a history is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The most entries, the newest of all.
    pub max: usize,
    /// Only what was done since then.
    pub since: Option<Timestamp>,
}

/// The history of the first release of a snapshot; `None` where it has none.
pub fn history(snapshot: &Snapshot, profile: &Profile, extent: Extent) -> Option<HistoryReport> {
    let observed = snapshot.releases.first()?;
    let past = Past::of(snapshot, profile, observed);
    let changes = changes::of(&past);
    let mut others = edits::of(&past, &changes);
    others.extend(rollouts::of(&past));
    others.extend(events::of(&past, &changes));
    others.extend(jobs::of(&past));
    others.extend(changes);
    let mut entries: Vec<ChangeReport> = in_order(revisions::of(&past), others)
        .into_iter()
        .filter(|(at, change)| {
            // What has no time may have been done then; a revision stands among others.
            let is_undated = change.at.is_none() && change.revision.is_none();
            is_undated || extent.since.is_none_or(|since| *at >= since)
        })
        .map(|(_, change)| change)
        .collect();
    let truncated = entries.len() > extent.max;
    entries.truncate(extent.max);
    let question = Question::default();
    let case = Case {
        snapshot,
        profile,
        question: &question,
        advisor: Advisor::new(&snapshot.context),
        observed,
    };
    let mut findings = release::unreadable(&case);
    findings.extend(unanswered(snapshot));
    Some(HistoryReport {
        api_version: API_VERSION.to_owned(),
        kind: "HistoryReport".to_owned(),
        context: context(snapshot),
        checked_at: snapshot.observed_at,
        release: observed.newest.id.clone(),
        entries,
        truncated,
        findings,
    })
}

/// What was done last, as far as it decides what runs: revisions, changes of ours, restarts, and edits of images.
pub(super) fn last(
    snapshot: &Snapshot,
    profile: &Profile,
    observed: &ObservedRelease,
) -> Vec<ChangeReport> {
    let past = Past::of(snapshot, profile, observed);
    let changes = changes::of(&past);
    let mut others = edits::of(&past, &changes);
    others.retain(|edit| {
        edit.change == ChangeKind::Restart || edit.parts.iter().any(Part::decides_content)
    });
    others.extend(changes);
    in_order(revisions::of(&past), others)
        .into_iter()
        .map(|(_, change)| change)
        .collect()
}

/// What the traces are read from.
struct Past<'facts> {
    snapshot: &'facts Snapshot,
    profile: &'facts Profile,
    observed: &'facts ObservedRelease,
    /// The record that says what is installed.
    current: Option<&'facts Release>,
}

impl<'facts> Past<'facts> {
    fn of(
        snapshot: &'facts Snapshot,
        profile: &'facts Profile,
        observed: &'facts ObservedRelease,
    ) -> Self {
        Self {
            snapshot,
            profile,
            observed,
            current: observed.current().known(),
        }
    }

    /// True for a workload of the release.
    fn has(&self, id: &WorkloadId) -> bool {
        self.current
            .is_some_and(|release| release.workloads.iter().any(|workload| workload.id == *id))
    }

    /// The release's workloads as they are.
    fn live(&self) -> impl Iterator<Item = &'facts LiveWorkload> {
        self.snapshot
            .live
            .iter()
            .filter(|live| self.has(&live.workload.id))
    }

    /// A text from elsewhere, without what the release's values hold.
    fn conceal(&self, text: &str) -> String {
        match self.current {
            Some(release) => release.values.conceal(text),
            None => text.to_owned(),
        }
    }
}

/// All of it, newest first, with the times by which it is ordered.
///
/// Revisions keep the order of their numbers, whatever the clocks of the machines said that made them; one whose time is not known stands where
/// its number puts it. Anything else without a time comes last.
fn in_order(
    revisions: Vec<ChangeReport>,
    others: Vec<ChangeReport>,
) -> Vec<(Timestamp, ChangeReport)> {
    let mut newer = Timestamp::MAX;
    let revisions = revisions.into_iter().map(|revision| {
        newer = revision.at.map_or(newer, |at| at.min(newer));
        (newer, revision)
    });
    let mut all: Vec<(Timestamp, ChangeReport)> = others
        .into_iter()
        .map(|other| (other.at.unwrap_or(Timestamp::MIN), other))
        .chain(revisions)
        .collect();
    // Kubernetes tells whole seconds and Helm parts of them: within one second, a revision comes first and what was done to it after it.
    all.sort_by_key(|(at, change)| {
        Reverse((at.as_second(), change.change != ChangeKind::Revision, *at))
    });
    all
}

#[cfg(test)]
mod tests;
