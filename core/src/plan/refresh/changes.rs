//! What is changed in which container to bring an image to what is published.

use std::collections::BTreeMap;

use super::decide::Judged;
use super::{Facts, WishedAction};
use crate::change::ContainerChange;
use crate::image::{Digest, ImageRef};
use crate::plan::{Beside, Rollout};
use crate::report::{ContainerId, ImageReport, ImageState};
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
        image
            .references
            .iter()
            .map(|reference| &reference.workload)
            .filter(|used| judged.is_behind && rollouts.contains_key(&used.workload))
            .filter(|used| self.pulled_tag(used).is_some())
            .map(|used| used.workload.clone())
            .collect()
    }

    /// The tag that a container pulls whenever its pod starts.
    fn pulled_tag(&self, used: &ContainerId) -> Option<ImageRef> {
        let container = self.container(used)?;
        let image = container.image.as_ref().ok()?;
        let tag = image.effective_tag()?;
        (container.pull_policy == PullPolicy::Always && image.digest().is_none())
            .then(|| image.with_tag(tag))
    }

    /// What pods of a workload would pull with what is moved, and of which a registry does not say what is published: each image with its
    /// container and the registry's reason.
    pub(super) fn pulled_unseen(&self, id: &WorkloadId) -> Vec<(&ImageReport, &str, &str)> {
        let unknown = self.report.images.iter();
        let unknown = unknown.filter(|image| image.state == ImageState::Unknown);
        let used = unknown.flat_map(|image| {
            let references = image.references.iter();
            references.map(move |reference| (image, &reference.workload))
        });
        used.filter(|(_, used)| used.workload == *id)
            .filter_map(|(image, used)| {
                let tag = self.pulled_tag(used)?;
                let gap = self.snapshot.published.get(&tag)?.gap()?;
                Some((image, used.container.as_str(), gap.message.as_str()))
            })
            .collect()
    }

    /// What starts anew with the containers that change, and pulls its tag, which may move meanwhile; each with what it runs now.
    pub(super) fn beside(&self, rollout: &Rollout) -> Vec<Beside> {
        let images = self.report.images.iter();
        let used = images.flat_map(|image| {
            let references = image.references.iter();
            references.map(move |reference| (image, &reference.workload))
        });
        used.filter(|(_, used)| used.workload == rollout.workload)
            .filter(|(_, used)| {
                let mut changed = rollout.containers.iter();
                !changed.any(|one| one.container == used.container && one.variable.is_none())
            })
            .filter(|(_, used)| self.pulled_tag(used).is_some())
            .filter_map(|(image, used)| {
                Some(Beside {
                    workload: used.workload.clone(),
                    container: used.container.clone(),
                    image: image.name.clone(),
                    former: self.content(image, &used.workload)?,
                })
            })
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
