//! What was given up: the chart's own count of failures, and what we ourselves undid or went back from.

use std::collections::BTreeMap;

use super::Facts;
use super::since::is_reference;
use crate::assess;
use crate::change::{ANNOTATION, Change, ChangeState, ContainerChange, REFRESH, ROLLBACK};
use crate::image::{Digest, ImageRef};
use crate::plan::guards::refusal;
use crate::plan::{Guard, Refusal, Rollout};
use crate::time::moment;
use crate::workload::WorkloadId;

/// The last refresh of ours, where the marks that stop the chart's own job are of its making.
struct GivenUp {
    changes: Vec<(WorkloadId, Change)>,
}

impl Facts<'_> {
    /// True if the marks that stop the chart's own job are about content that is published no more: we set them, nobody acted since, and what came
    /// then is to be tried.
    pub(super) fn is_over(&self) -> bool {
        self.given_up().is_some_and(|given_up| {
            given_up.changes.iter().all(|(id, change)| {
                let mut containers = change.containers.iter();
                containers.all(|then| {
                    let image = self.report.images.iter();
                    let mut image = image.filter(|image| image.name == then.image);
                    let published = image.find_map(|image| image.digest.published.as_ref());
                    let left = left(change, then);
                    published.is_some()
                        && left.is_some()
                        && published != left
                        && self.is_as_left(id, change, then)
                })
            })
        })
    }

    /// Rollouts failed so often that the chart's own job gave up too, or we had it do so.
    pub(super) fn flapping(&self) -> Option<Refusal> {
        let flap = &self.profile.automation.image_refresh.flap;
        let main = self
            .main
            .filter(|_| self.is_ours && !self.wish.clear_flap)?;
        let failed = self.count(&flap.attempts);
        let limit = assess::limit(self.release, &flap.limit_value, flap.limit);
        if (!self.is_marked() && failed < limit) || self.is_over() {
            return None;
        }
        let message = match self.given_up() {
            Some(given_up) => {
                let told = given_up.changes.iter().find_map(|(_, change)| {
                    let then = change.containers.first()?;
                    let content = left(change, then)?.short();
                    let image = &then.image;
                    Some(format!("{image} {content} {}", what_became(change)))
                });
                format!(
                    "{}, and whether what is published now was tried since is not certain",
                    told.unwrap_or_else(|| "the last refresh was undone".to_owned())
                )
            }
            None if failed == 0 => format!(
                "the mark {} says that rollouts failed again and again: what is published may be broken",
                flap.detected
            ),
            None => format!(
                "{failed} rollouts failed in a row, by the count in {}: what is published may be broken",
                flap.attempts
            ),
        };
        Some(refusal(
            Guard::Flapping,
            main.workload.id.to_string(),
            message,
            vec![
                self.advisor.describe(&main.workload.id),
                "--clear-flap tries again once the cause is gone".to_owned(),
            ],
        ))
    }

    /// The very content that is published failed before, and was undone. Charts without a count of failures have no other guard.
    pub(super) fn undone(&self, rollouts: &BTreeMap<WorkloadId, Rollout>) -> Option<Refusal> {
        if self.wish.clear_flap {
            return None;
        }
        rollouts.iter().find_map(|(id, rollout)| {
            let last = self.last(id)?;
            let (then, content) = last.containers.iter().find_map(|then| {
                let left = left(&last, then)?;
                let mut now = rollout.containers.iter();
                now.any(|now| now.container == then.container && now.wanted == *left)
                    .then_some((then, left))
            })?;
            Some(refusal(
                Guard::Flapping,
                id.to_string(),
                format!(
                    "{} {} {}, and nothing else was published since",
                    then.image,
                    content.short(),
                    what_became(&last)
                ),
                vec!["--clear-flap tries again once the cause is gone".to_owned()],
            ))
        })
    }

    /// The last refresh of ours, if it was undone or gone back from and the marks are as that left them.
    fn given_up(&self) -> Option<GivenUp> {
        let flap = &self.profile.automation.image_refresh.flap;
        let failed = self.count(&flap.attempts);
        let limit = assess::limit(self.release, &flap.limit_value, flap.limit);
        let refreshes: Vec<(WorkloadId, Change)> = self
            .order()
            .into_iter()
            .filter_map(|id| Some((id.clone(), self.last(id)?)))
            .filter(|(_, change)| [REFRESH, ROLLBACK].contains(&change.command.as_str()))
            .filter(|(_, change)| self.follows_some_of(&change.containers))
            .collect();
        let newest = refreshes.iter().max_by_key(|(_, change)| change.at)?;
        let run = newest.1.id.clone();
        let changes: Vec<(WorkloadId, Change)> = refreshes
            .into_iter()
            .filter(|(_, change)| change.id == run)
            // What else the same run did well is not what it gave up.
            .filter(|(_, change)| {
                change
                    .containers
                    .iter()
                    .any(|then| left(change, then).is_some())
            })
            .collect();
        let is_ours = |change: &Change| match change.state {
            ChangeState::Undone => change.attempt == Some(failed),
            _ => failed >= limit,
        };
        let all_ours = !changes.is_empty() && changes.iter().all(|(_, change)| is_ours(change));
        (self.is_marked() && all_ours).then_some(GivenUp { changes })
    }

    fn last(&self, id: &WorkloadId) -> Option<Change> {
        Change::parse(self.live(id)?.records.get(ANNOTATION)?)
    }

    /// True if the main workload says that the chart's own job has given up.
    pub(super) fn is_marked(&self) -> bool {
        let mark = &self.profile.automation.image_refresh.flap.detected;
        let text = self.main.and_then(|main| main.records.get(mark));
        text.is_some_and(|text| !text.is_empty() && text != "false")
    }

    /// True if a container has what a change that was undone, or went back, left there: nobody has acted on it since.
    fn is_as_left(&self, id: &WorkloadId, change: &Change, then: &ContainerChange) -> bool {
        let content = match change.state {
            ChangeState::Undone => then.former.as_ref(),
            _ => Some(&then.wanted),
        };
        let Some(content) = content else {
            return false;
        };
        if then.variable.is_some() {
            let mut images = self.report.images.iter();
            let image = images.find(|image| image.name == then.image);
            return image.is_some_and(|image| image.digest.carried.as_ref() == Some(content));
        }
        let container = self.live(id).map(|live| &live.workload);
        let container = container.and_then(|workload| workload.container(&then.container));
        let reference = container.and_then(|container| container.image.as_ref().ok());
        let left = ImageRef::parse(&then.to).map(|to| to.with_digest(content.clone()).to_string());
        reference.is_some_and(|reference| left.is_ok_and(|left| is_reference(reference, &left)))
    }
}

/// The content that a change left behind and that is not to come again by itself, where there is some.
fn left<'change>(change: &Change, then: &'change ContainerChange) -> Option<&'change Digest> {
    match (change.command.as_str(), change.state) {
        (ROLLBACK, ChangeState::Done) => then.former.as_ref(),
        (command, ChangeState::Undone) if command != ROLLBACK => Some(&then.wanted),
        _ => None,
    }
}

/// What became of that content.
fn what_became(change: &Change) -> String {
    match change.state {
        ChangeState::Undone => format!("failed at {} and was undone", moment(change.at)),
        _ => format!("was gone back from at {}", moment(change.at)),
    }
}
