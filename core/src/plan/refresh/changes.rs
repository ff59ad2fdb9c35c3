//! What is changed in which container to bring an image to what is published.

use std::collections::BTreeMap;

use super::decide::Judged;
use super::{Facts, WishedAction};
use crate::change::ContainerChange;
use crate::image::{Digest, ImageRef};
use crate::plan::Rollout;
use crate::report::{ContainerId, ImageReport};
use crate::workload::{Container, PullPolicy, WorkloadId};

impl Facts<'_> {
    /// The changes of one image, each with its workload.
    pub(super) fn changes(&self, judged: &Judged<'_>) -> Vec<(WorkloadId, ContainerChange)> {
        let image = self.image_report(judged);
        let Some(published) = &image.digest.published else {
            return Vec::new();
        };
        let references = image
            .references
            .iter()
            .map(|reference| &reference.workload)
            .filter(|used| self.is_selected(&used.workload));
        if let Some(carried) = judged.known.and_then(|known| known.carried.as_ref()) {
            let variable = format!("{}_IMAGE_DIGEST", carried.variables);
            return references
                .map(|used| {
                    let former = image.digest.carried.clone();
                    let change = ContainerChange {
                        container: used.container.clone(),
                        image: image.name.clone(),
                        variable: Some(variable.clone()),
                        from: former.as_ref().map(Digest::to_string).unwrap_or_default(),
                        to: published.to_string(),
                        former,
                        wanted: published.clone(),
                    };
                    (used.workload.clone(), change)
                })
                .collect();
        }
        references
            .filter(|used| used.workload.kind.rolls_out())
            .filter(|used| is_behind_in(image, &used.workload))
            .filter_map(|used| {
                let container = self.container(used)?;
                let from = container.image.as_ref().ok()?;
                let change = ContainerChange {
                    container: used.container.clone(),
                    image: image.name.clone(),
                    variable: None,
                    from: from.to_string(),
                    to: self.target(used, container, from, published).to_string(),
                    former: self.former(image, &used.workload),
                    wanted: published.clone(),
                };
                Some((used.workload.clone(), change))
            })
            .collect()
    }

    /// True if no workload that provably runs other content of the image is left out of this run.
    pub(super) fn moves_all(
        &self,
        judged: &Judged<'_>,
        rollouts: &BTreeMap<WorkloadId, Rollout>,
    ) -> bool {
        let image = self.image_report(judged);
        image
            .references
            .iter()
            .map(|reference| &reference.workload.workload)
            .all(|id| rollouts.contains_key(id) || !is_behind_in(image, id))
    }

    fn container(&self, used: &ContainerId) -> Option<&Container> {
        self.live(&used.workload)?
            .workload
            .container(&used.container)
    }

    /// The reference with which a container comes to run the published content. It stays as it is where starting anew pulls it: that touches
    /// nothing that the chart renders (DESIGN §7). A reference that an earlier refresh set goes back to what the chart renders, if that is pulled.
    fn target(
        &self,
        used: &ContainerId,
        container: &Container,
        from: &ImageRef,
        published: &Digest,
    ) -> ImageRef {
        let exact = from.with_digest(published.clone());
        let pulls = container.pull_policy == PullPolicy::Always;
        match self.wish.action {
            Some(WishedAction::SetImage) => exact,
            Some(WishedAction::Restart) => from.clone(),
            Some(WishedAction::Record) | None if !pulls => exact,
            Some(WishedAction::Record) | None if from.digest().is_none() => from.clone(),
            Some(WishedAction::Record) | None => match self.rendered(used) {
                Some(rendered) if rendered.digest().is_none() => rendered.clone(),
                Some(_) | None => exact,
            },
        }
    }

    /// The workloads whose pods start anew by these rollouts and then pull the image's tag.
    pub(super) fn pulled_by(
        &self,
        judged: &Judged<'_>,
        rollouts: &BTreeMap<WorkloadId, Rollout>,
    ) -> Vec<WorkloadId> {
        let image = self.image_report(judged);
        let pulls = |used: &ContainerId| {
            self.container(used).is_some_and(|container| {
                container.pull_policy == PullPolicy::Always
                    && container
                        .image
                        .as_ref()
                        .is_ok_and(|image| image.digest().is_none())
            })
        };
        image
            .references
            .iter()
            .map(|reference| &reference.workload)
            .filter(|used| judged.is_behind && rollouts.contains_key(&used.workload))
            .filter(|used| pulls(used))
            .map(|used| used.workload.clone())
            .collect()
    }

    /// True if, in the way that was asked for, the pods would start with what they have: the reference stays, and starting does not pull it.
    pub(super) fn is_in_vain(&self, workload: &WorkloadId, change: &ContainerChange) -> bool {
        let container = self
            .live(workload)
            .and_then(|live| live.workload.container(&change.container));
        change.variable.is_none()
            && !change.sets()
            && container.is_some_and(|container| {
                container.pull_policy != PullPolicy::Always
                    || container
                        .image
                        .as_ref()
                        .is_ok_and(|image| image.digest().is_some())
            })
    }
}

/// True if a pod of the workload provably runs other content than is published.
fn is_behind_in(image: &ImageReport, workload: &WorkloadId) -> bool {
    image
        .digest
        .running
        .iter()
        .any(|running| running.workload == *workload && running.current == Some(false))
}
