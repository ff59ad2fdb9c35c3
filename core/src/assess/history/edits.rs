//! What other programs wrote of the release's workloads, and restarts, which are marks in the pod template.

use jiff::{SignedDuration, Timestamp};

use super::{Past, jobs};
use crate::edit::{Edit, OUR_MANAGER, Part};
use crate::report::{ChangeKind, ChangeReport};
use crate::workload::{LiveWorkload, WorkloadId};

/// The most parts that a sentence names.
const NAMED: usize = 3;

/// How long after its beginning a change of ours may still start pods anew, where its end is not known.
const LONGEST_CHANGE: SignedDuration = SignedDuration::from_mins(30);

/// The mark is a whole second, and the clock may be another one.
const SLACK: SignedDuration = SignedDuration::from_secs(2);

/// The programs with which the chart's own refresh writes.
const KUBECTL: &str = "kubectl";

/// Edits and restarts, in no order; those that belong to changes of ours are told by these.
pub(super) fn of(past: &Past<'_>, changes: &[ChangeReport]) -> Vec<ChangeReport> {
    past.live()
        .flat_map(|live| {
            let restart = restart(past, live, changes);
            let edits = live
                .edits
                .iter()
                .filter_map(|edit| told(past, live, edit, changes));
            restart.into_iter().chain(edits).collect::<Vec<_>>()
        })
        .collect()
}

fn restart(past: &Past<'_>, live: &LiveWorkload, changes: &[ChangeReport]) -> Option<ChangeReport> {
    let at = live.restarted_at?;
    let id = &live.workload.id;
    let tool = live
        .edits
        .iter()
        .find(|edit| edit.parts.contains(&Part::Restart))
        .map(|edit| edit.manager.clone());
    if is_ours(id, at, tool.as_deref(), changes) {
        return None;
    }
    let job = by_the_chart(past, tool.as_deref().unwrap_or(KUBECTL), at);
    let mut summary = match &tool {
        Some(tool) => format!("{tool} restarted {id}"),
        None => format!("{id} restarted"),
    };
    if let Some(job) = &job {
        summary.push_str(&format!(", while {job} ran"));
    }
    Some(ChangeReport {
        at: Some(at),
        summary,
        tool,
        job,
        workload: Some(id.clone()),
        evidence: vec![format!("the pod template of {id}")],
        ..ChangeReport::of(ChangeKind::Restart)
    })
}

/// True for a restart that a change of ours made.
fn is_ours(
    workload: &WorkloadId,
    at: Timestamp,
    tool: Option<&str>,
    changes: &[ChangeReport],
) -> bool {
    if tool.is_some_and(|tool| tool != OUR_MANAGER) {
        return false;
    }
    changes
        .iter()
        .filter(|change| change.workload.as_ref() == Some(workload))
        .any(|change| {
            let Some(began) = change.at else { return false };
            let longest = || began.checked_add(LONGEST_CHANGE).unwrap_or(Timestamp::MAX);
            let end = change.ended.unwrap_or_else(longest);
            at.duration_since(began) >= -SLACK && at.duration_since(end) <= SLACK
        })
}

/// True for what we wrote of a workload of which a change is known that began before: the last time of writing is kept, and that is its end.
fn is_told(workload: &WorkloadId, edit: &Edit, changes: &[ChangeReport]) -> bool {
    edit.manager == OUR_MANAGER
        && changes
            .iter()
            .filter(|change| change.workload.as_ref() == Some(workload))
            .any(|change| match (change.at, edit.at) {
                (Some(began), Some(at)) => at.duration_since(began) >= -SLACK,
                (_, None) => true,
                (None, Some(_)) => false,
            })
}

fn told(
    past: &Past<'_>,
    live: &LiveWorkload,
    edit: &Edit,
    changes: &[ChangeReport],
) -> Option<ChangeReport> {
    let id = &live.workload.id;
    let mut parts: Vec<Part> = edit.parts.iter().cloned().collect();
    if live.restarted_at.is_some() {
        parts.retain(|part| *part != Part::Restart);
    }
    if parts.is_empty() || is_told(id, edit, changes) {
        return None;
    }
    let job = edit.at.and_then(|at| by_the_chart(past, &edit.manager, at));
    let mut summary = format!("{} changed {} in {id}", edit.manager, sentence(&parts));
    if let Some(job) = &job {
        summary.push_str(&format!(", while {job} ran"));
    }
    Some(ChangeReport {
        at: edit.at,
        summary,
        tool: Some(edit.manager.clone()),
        job,
        workload: Some(id.clone()),
        parts,
        evidence: vec![format!("the managed fields of {id}")],
        ..ChangeReport::of(ChangeKind::Edit)
    })
}

/// The Job of the chart's refresh that ran when kubectl wrote: it may have been that one.
fn by_the_chart(past: &Past<'_>, manager: &str, at: Timestamp) -> Option<String> {
    manager
        .starts_with(KUBECTL)
        .then(|| jobs::refreshing(past, at))
        .flatten()
}

fn sentence(parts: &[Part]) -> String {
    let named: Vec<String> = parts.iter().take(NAMED).map(ToString::to_string).collect();
    match parts.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
