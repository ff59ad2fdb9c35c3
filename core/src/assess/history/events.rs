//! Events, which live for an hour: warnings about the release's workloads, and our own where nothing else tells what they tell.

use std::collections::BTreeMap;

use super::Past;
use crate::edit::OUR_MANAGER;
use crate::report::{ChangeKind, ChangeReport, Outcome};
use crate::snapshot::{Evidence, ObservedEvent};
use crate::time::counted;
use crate::workload::{WorkloadId, WorkloadKind};

/// The warning of a `CronJob` of which somebody started a Job by hand: the Job tells.
const BY_HAND: &str = "UnexpectedJob";

/// What the reasons of failures begin or end with (`FailedCreate`, `ReplicaSetCreateError`, `BackoffLimitExceeded`).
const FAILURES: [&str; 3] = ["Failed", "Error", "Exceeded"];

/// The events worth telling, in no order.
pub(super) fn of(past: &Past<'_>, changes: &[ChangeReport]) -> Vec<ChangeReport> {
    let Some(facts) = &past.snapshot.history else {
        return Vec::new();
    };
    let is_kept = match &facts.entries {
        Evidence::Known(_) => true,
        Evidence::Unknown(_) => false,
    };
    // A controller that tries again and again says it of each pod anew.
    let mut alike: BTreeMap<(WorkloadId, &str), Vec<&ObservedEvent>> = BTreeMap::new();
    for event in &facts.events {
        let Some(workload) = workload(past, event) else {
            continue;
        };
        let is_told = if event.reporter == OUR_MANAGER {
            is_kept || is_covered(event, &workload, changes)
        } else {
            !event.is_warning || event.reason == BY_HAND || is_job_there(past, event)
        };
        if !is_told {
            let key = (workload, event.reason.as_str());
            alike.entry(key).or_default().push(event);
        }
    }
    alike
        .into_iter()
        .filter_map(|((workload, _), events)| told(past, &events, workload))
        .collect()
}

/// The workload of the release that an event is about, be it through what its controller made.
fn workload(past: &Past<'_>, event: &ObservedEvent) -> Option<WorkloadId> {
    let (kind, name) = match event.kind.as_str() {
        "ReplicaSet" => (WorkloadKind::Deployment, made_for(&event.name)?),
        "Job" => (WorkloadKind::CronJob, made_for(&event.name)?),
        kind => (WorkloadKind::parse(kind)?, event.name.as_str()),
    };
    let id = WorkloadId {
        kind,
        namespace: event.namespace.clone(),
        name: name.to_owned(),
    };
    past.has(&id).then_some(id)
}

/// Controllers name what they make after what they make it for, with a dash and a word more.
fn made_for(name: &str) -> Option<&str> {
    name.rsplit_once('-').map(|(owner, _)| owner)
}

/// True if the change is known that the event tells of.
fn is_covered(event: &ObservedEvent, workload: &WorkloadId, changes: &[ChangeReport]) -> bool {
    changes.iter().any(|change| {
        change.workload.as_ref() == Some(workload) && change.id.as_ref() == Some(&event.instance)
    })
}

/// True for a Job that is still there: it tells itself how it ended.
fn is_job_there(past: &Past<'_>, event: &ObservedEvent) -> bool {
    event.kind == "Job"
        && past
            .snapshot
            .jobs
            .iter()
            .any(|job| job.namespace == event.namespace && job.name == event.name)
}

fn is_failure(event: &ObservedEvent) -> bool {
    let names = |word: &str| event.reason.starts_with(word) || event.reason.ends_with(word);
    event.is_warning && FAILURES.iter().any(|word| names(word))
}

/// Events of one reason about one workload: the last of them, and how many there were.
fn told(past: &Past<'_>, events: &[&ObservedEvent], workload: WorkloadId) -> Option<ChangeReport> {
    let event = events.iter().max_by_key(|event| event.at)?;
    let object = format!("{}/{}", event.kind.to_lowercase(), event.name);
    let message = past.conceal(event.message.trim());
    let count = events
        .iter()
        .fold(0_u32, |sum, event| sum.saturating_add(event.count.max(1)));
    let often = if count > 1 {
        format!(", {}", counted(u64::from(count), "time"))
    } else {
        String::new()
    };
    Some(ChangeReport {
        at: event.at,
        summary: format!("{} of {object}: {message}{often}", event.reason),
        outcome: is_failure(event).then_some(Outcome::Failed),
        tool: Some(event.reporter.clone()).filter(|reporter| !reporter.is_empty()),
        workload: Some(workload),
        reason: Some(message),
        evidence: vec![format!("events of {object}")],
        ..ChangeReport::of(ChangeKind::Event)
    })
}
