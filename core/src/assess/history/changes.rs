//! What this product changed: from the history that it keeps, from the annotation on the workload, and from what rollouts copied of it. One and
//! the same change is told once, however many tell of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::Past;
use crate::change::{ANNOTATION, Change, ChangeState, ContainerChange, history_name};
use crate::report::{ChangeKind, ChangeReport, Outcome, UnknownReason};
use crate::snapshot::{Evidence, GapReason, KeptEntry};
use crate::workload::WorkloadId;

/// How many digits of a digest tell it from others.
const DIGITS: usize = 12;

/// Who tells of a change, the surest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Teller {
    /// What a rollout copied from the workload, which may be older than the change's end.
    Rollout,
    /// The workload's own annotation.
    Workload,
    /// The history that is kept.
    Kept,
}

/// What one of them tells.
struct Telling {
    teller: Teller,
    ended: Option<Timestamp>,
    change: Change,
    object: String,
}

impl Telling {
    /// What is at its end is told rather than what is not; then the surest, and of the same kind the last.
    fn weight(&self) -> (bool, Teller, Option<Timestamp>) {
        (!self.change.state.is_open(), self.teller, self.ended)
    }
}

/// The changes, in no order.
pub(super) fn of(past: &Past<'_>) -> Vec<ChangeReport> {
    let mut known: BTreeMap<(String, WorkloadId), Vec<Telling>> = BTreeMap::new();
    let mut unread = Vec::new();
    let mut tell = |workload: &WorkloadId, telling: Telling| {
        let key = (telling.change.id.clone(), workload.clone());
        known.entry(key).or_default().push(telling);
    };
    let facts = past.snapshot.history.as_ref();
    if let Some(Evidence::Known(entries)) = facts.map(|facts| &facts.entries) {
        let object = format!("configmap/{}", history_name(&past.observed.newest.id.name));
        for kept in entries {
            match &kept.entry {
                Some(entry) => tell(
                    &entry.workload,
                    Telling {
                        teller: Teller::Kept,
                        ended: Some(entry.ended),
                        change: entry.change.clone(),
                        object: object.clone(),
                    },
                ),
                None => unread.push(unreadable_entry(kept, &object)),
            }
        }
    }
    for live in past.live() {
        let id = &live.workload.id;
        match live.records.get(ANNOTATION).map(|text| Change::parse(text)) {
            Some(Some(change)) => tell(
                id,
                Telling {
                    teller: Teller::Workload,
                    ended: None,
                    change,
                    object: id.to_string(),
                },
            ),
            Some(None) => unread.push(ChangeReport {
                workload: Some(id.clone()),
                ..unreadable(
                    &format!("the annotation {ANNOTATION} of {id}"),
                    id.to_string(),
                )
            }),
            None => {}
        }
    }
    for rollout in facts.into_iter().flat_map(|facts| &facts.rollouts) {
        // What a rollout copied is read for what it adds; that it cannot be read, the workload itself tells.
        let copied = rollout.change.as_deref().and_then(Change::parse);
        if let Some(change) = copied.filter(|_| past.has(&rollout.workload)) {
            tell(
                &rollout.workload,
                Telling {
                    teller: Teller::Rollout,
                    ended: None,
                    change,
                    object: rollout.object.clone(),
                },
            );
        }
    }
    known
        .into_iter()
        .filter_map(|((_, workload), tellings)| told(past, workload, tellings))
        .chain(unread)
        .collect()
}

fn told(past: &Past<'_>, workload: WorkloadId, mut tellings: Vec<Telling>) -> Option<ChangeReport> {
    tellings.sort_by_key(|telling| std::cmp::Reverse(telling.weight()));
    let mut evidence: Vec<String> = Vec::new();
    for telling in &tellings {
        if !evidence.contains(&telling.object) {
            evidence.push(telling.object.clone());
        }
    }
    let Telling {
        teller,
        ended,
        change,
        object: _,
    } = tellings.into_iter().next()?;
    let outcome = match change.state {
        ChangeState::Done => Some(Outcome::Done),
        ChangeState::Failed => Some(Outcome::Failed),
        ChangeState::Undone => Some(Outcome::Undone),
        // Of a change that another has followed, a rollout tells how it began, and not how it ended.
        ChangeState::Acting | ChangeState::Undoing if teller == Teller::Rollout => None,
        ChangeState::Acting | ChangeState::Undoing => Some(Outcome::Open),
    };
    let reason = change.reason.as_deref().map(|reason| past.conceal(reason));
    let why = reason
        .as_ref()
        .map_or_else(String::new, |reason| format!("; {reason}"));
    // The API server need not say who somebody is.
    let by = Some(change.by).filter(|by| !by.is_empty());
    let author = by
        .as_ref()
        .map_or_else(String::new, |by| format!(" by {by}"));
    Some(ChangeReport {
        at: Some(change.at),
        ended,
        summary: format!(
            "{} of {workload}{author}: {}{why}",
            change.command,
            contents(&change.containers)
        ),
        outcome,
        by,
        workload: Some(workload),
        id: Some(change.id),
        command: Some(change.command),
        containers: change.containers,
        reason,
        evidence,
        ..ChangeReport::of(ChangeKind::Change)
    })
}

/// What was done to the containers, what is the same for several of them once.
fn contents(containers: &[ContainerChange]) -> String {
    let mut told: Vec<String> = Vec::new();
    for container in containers {
        let short = |hex: &str| hex.chars().take(DIGITS).collect::<String>();
        let from = match &container.former {
            Some(former) if *former != container.wanted => {
                format!(" from {}", short(former.hex()))
            }
            Some(_) | None => String::new(),
        };
        let how = match &container.variable {
            Some(variable) => format!("{variable} set"),
            None if container.sets() => "image set".to_owned(),
            None => "started anew".to_owned(),
        };
        let text = format!(
            "{}{from} to {} ({how})",
            container.image,
            short(container.wanted.hex())
        );
        if !told.contains(&text) {
            told.push(text);
        }
    }
    if told.is_empty() {
        "no container changed".to_owned()
    } else {
        told.join(", ")
    }
}

/// An entry of the history that this build cannot read: when it was is in its key.
fn unreadable_entry(kept: &KeptEntry, object: &str) -> ChangeReport {
    let what = format!("the entry {} of {object}", kept.key);
    ChangeReport {
        at: time_of(&kept.key),
        ..unreadable(&what, object.to_owned())
    }
}

/// The time that a key begins with.
fn time_of(key: &str) -> Option<Timestamp> {
    // `strptime` knows fractions of a second behind a point only.
    let (seconds, fraction) = (key.get(..15)?, key.get(15..18)?);
    let civil = strtime::parse("%Y%m%dT%H%M%S", seconds)
        .ok()?
        .to_datetime()
        .ok()?;
    let milliseconds: i64 = fraction.parse().ok()?;
    let whole = TimeZone::UTC.to_timestamp(civil).ok()?;
    whole
        .checked_add(jiff::SignedDuration::from_millis(milliseconds))
        .ok()
}

fn unreadable(what: &str, object: String) -> ChangeReport {
    let message = format!("{what} is of a form that this build does not know");
    ChangeReport {
        summary: message.clone(),
        evidence: vec![object],
        unknown: Some(UnknownReason {
            reason: GapReason::Unsupported,
            message,
        }),
        ..ChangeReport::of(ChangeKind::Change)
    }
}
