//! `refresh --rollback`: from what a refresh brought to what ran before it, in such a way that neither the chart's own job nor the next refresh does
//! the same again.

use std::collections::{BTreeMap, BTreeSet};

use super::Facts;
use super::decide::Judged;
use crate::change::{ANNOTATION, Change, ChangeState, ContainerChange, ROLLBACK};
use crate::image::{Digest, ImageRef};
use crate::plan::{Decision, ImagePlan, Rollout};
use crate::report::ImageReport;
use crate::snapshot::Evidence;
use crate::time::moment;
use crate::workload::{BACKING_OFF, LiveWorkload, WorkloadId};

impl<'facts> Facts<'facts> {
    /// The rollouts that lead back, and what was decided about each image that was brought forward last.
    pub(super) fn back(
        &self,
        warnings: &mut Vec<String>,
    ) -> (Vec<Judged<'facts>>, BTreeMap<WorkloadId, Rollout>) {
        let mut rollouts = BTreeMap::new();
        let mut judged: BTreeMap<String, Judged<'facts>> = BTreeMap::new();
        for id in self.order() {
            let Some((live, last)) = self.last_change(id) else {
                continue;
            };
            let wished = |then: &&ContainerChange| {
                self.wish.images.is_empty() || self.wish.images.contains(&then.image)
            };
            let mut containers = Vec::new();
            for then in last.containers.iter().filter(wished) {
                let Some((index, image)) = self.image_in(id, &then.image) else {
                    continue;
                };
                // What a value pins since is not gone back from unasked.
                let is_let_be =
                    then.variable.is_none() && self.release.may_pin(id, &then.container);
                let back = way_back(live, then).filter(|_| !is_let_be);
                if let Some(back) = &back {
                    containers.push(back.clone());
                }
                judged
                    .entry(then.image.clone())
                    .or_insert_with(|| self.judge_back(index, image, &last, back.as_ref()));
            }
            if !containers.is_empty() {
                let rollout = Rollout {
                    workload: id.clone(),
                    uid: live.uid.clone(),
                    containers,
                    finishes: None,
                };
                rollouts.insert(id.clone(), rollout);
            }
        }
        if judged.is_empty() {
            warnings.push(
                "no refresh of this release is known that could be gone back from".to_owned(),
            );
        }
        (judged.into_values().collect(), rollouts)
    }

    /// The last change of a workload, where it brought something forward and nobody has gone back from it.
    fn last_change(&self, id: &WorkloadId) -> Option<(&'facts LiveWorkload, Change)> {
        if !self.is_selected(id) {
            return None;
        }
        let live = self
            .snapshot
            .live
            .iter()
            .find(|live| live.workload.id == *id)?;
        let last = Change::parse(live.records.get(ANNOTATION)?)?;
        let leads_back = last.state == ChangeState::Done && last.command != ROLLBACK;
        leads_back.then_some((live, last))
    }

    /// What crashes of that which a refresh brought: where what is published runs there is nothing to do, and yet not all is well.
    pub(super) fn crashes(&self) -> Vec<String> {
        let mut told = BTreeSet::new();
        for id in self.order() {
            let (Some((_, last)), Evidence::Known(pods)) =
                (self.last_change(id), self.snapshot.pods_of(id))
            else {
                continue;
            };
            for (name, container) in pods.iter().flat_map(|pod| &pod.containers) {
                if container.waiting.as_deref() == Some(BACKING_OFF) {
                    told.insert(format!(
                        "container {name} of {id} ends again and again, and {} changed it at {}: --rollback goes back to what ran before",
                        last.command,
                        moment(last.at)
                    ));
                }
            }
        }
        told.into_iter().collect()
    }

    fn image_in(&self, id: &WorkloadId, name: &str) -> Option<(usize, &ImageReport)> {
        let uses = |image: &ImageReport| {
            image
                .references
                .iter()
                .any(|reference| reference.workload.workload == *id)
        };
        self.report
            .images
            .iter()
            .enumerate()
            .find(|(_, image)| image.name == name && uses(image))
    }

    fn judge_back(
        &self,
        index: usize,
        image: &ImageReport,
        last: &Change,
        back: Option<&ContainerChange>,
    ) -> Judged<'facts> {
        let known = self.known(image);
        let record = self.record_key(known);
        let (decision, reason) = match back {
            Some(_) => (
                Decision::Move,
                format!(
                    "back to what ran before {} at {}",
                    last.command,
                    moment(last.at)
                ),
            ),
            None if self.release.is_by_labels() => (
                Decision::Unknown,
                "a value may pin it since, or what ran before has no digest that could be pulled"
                    .to_owned(),
            ),
            None => (
                Decision::Unknown,
                "what ran before has no digest that could be pulled".to_owned(),
            ),
        };
        Judged {
            index,
            known,
            plan: ImagePlan::of(image, decision, reason),
            is_behind: false,
            record,
            to_record: back.map(|back| back.wanted.clone()),
        }
    }
}

/// The change that undoes what a change did to a container; `None` where what ran before is not known.
fn way_back(live: &LiveWorkload, then: &ContainerChange) -> Option<ContainerChange> {
    let former: &Digest = then.former.as_ref()?;
    let (from, to) = if then.variable.is_some() {
        (then.to.clone(), former.to_string())
    } else {
        let container = live.workload.container(&then.container)?;
        let image: &ImageRef = container.image.as_ref().ok()?;
        (
            image.to_string(),
            image.with_digest(former.clone()).to_string(),
        )
    };
    Some(ContainerChange {
        container: then.container.clone(),
        image: then.image.clone(),
        variable: then.variable.clone(),
        from,
        to,
        former: Some(then.wanted.clone()),
        wanted: former.clone(),
    })
}
