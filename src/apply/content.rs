//! What the pods run once a rollout has ended: that it ended well says nothing of the content.

use tokio::time::sleep;
use tracebloc_core::assess::{self, Question};
use tracebloc_core::change::ContainerChange;
use tracebloc_core::plan::{Beside, Rollout};
use tracebloc_core::workload::{Pod, WorkloadId};

use super::rollout::{RECONNECT, RECONNECTS, may_pass};
use super::{Application, ApplyError};
use crate::cluster::Held;
use crate::gather;

impl Application<'_> {
    /// Whether the pods run what they were to run; the reason where they do not.
    pub(super) async fn runs(
        &self,
        held: &Held,
        rollout: &Rollout,
    ) -> Result<Result<(), String>, ApplyError> {
        let id = &rollout.workload;
        for one in &rollout.containers {
            if let Some(variable) = &one.variable
                && held.variable(&one.container, variable) != Some(one.to.as_str())
            {
                return Ok(Err(format!(
                    "{variable} was set to something else meanwhile"
                )));
            }
        }
        let images: Vec<&ContainerChange> = rollout
            .containers
            .iter()
            .filter(|one| one.variable.is_none())
            .collect();
        let pods = self.pods_at_last(id).await?;
        let is_plain = pods.iter().all(|pod| {
            images.iter().all(|one| {
                pod.containers
                    .get(&one.container)
                    .and_then(|container| container.running.as_ref())
                    .is_some_and(|running| running.digest == one.wanted)
            })
        });
        if is_plain {
            return Ok(Ok(()));
        }
        // The same content may have several digests: that takes the whole comparison, with what is published now.
        self.compares(id, &images).await
    }

    /// The pods of a workload. A server that does not answer for a while is asked again: the rollout has ended, and nothing is lost by waiting.
    pub(super) async fn pods_at_last(&self, id: &WorkloadId) -> Result<Vec<Pod>, ApplyError> {
        for _ in 0..RECONNECTS {
            match self.pods(id).await {
                Err(ApplyError::Cluster { source, .. }) if may_pass(&source) => {}
                outcome => return outcome,
            }
            tokio::select! {
                () = sleep(RECONNECT) => {}
                () = self.means.interrupt.asked() => return Err(ApplyError::Interrupted),
            }
        }
        self.pods(id).await
    }

    /// What came to other content beside what was to change, since its tag moved after the plan was made: it is brought back too.
    pub(super) async fn moved_beside(
        &self,
        rollout: &Rollout,
    ) -> Result<Vec<ContainerChange>, ApplyError> {
        let id = &rollout.workload;
        let beside = self.plan.on_failure.beside.iter();
        let beside: Vec<&Beside> = beside.filter(|one| one.workload == *id).collect();
        if beside.is_empty() || rollout.finishes.is_some() {
            return Ok(Vec::new());
        }
        let (held, pods) = (self.hold(id).await?, self.pods_at_last(id).await?);
        let moved = beside.into_iter().filter_map(|one| {
            let reference = held.image(&one.container)?;
            let other = pods
                .iter()
                .filter_map(|pod| pod.containers.get(&one.container)?.running.as_ref())
                .find(|running| running.digest != one.former)?;
            Some(ContainerChange {
                container: one.container.clone(),
                image: one.image.clone(),
                variable: None,
                from: reference.to_owned(),
                to: reference.to_owned(),
                former: Some(one.former.clone()),
                wanted: other.digest.clone(),
            })
        });
        Ok(moved.collect())
    }

    async fn compares(
        &self,
        id: &WorkloadId,
        images: &[&ContainerChange],
    ) -> Result<Result<(), String>, ApplyError> {
        let means = self.means;
        let gathered = Box::pin(gather::gather(
            means.context,
            means.ui,
            means.profile,
            means.request,
        ))
        .await;
        let snapshot = match gathered {
            Ok(gathered) => gathered.snapshot,
            Err(error) => {
                return Ok(Err(format!(
                    "the rollout ended, and what the pods run could not be established: {error}"
                )));
            }
        };
        let question = Question {
            digest: true,
            all_images: true,
            ..Question::default()
        };
        let report = assess::outdated(&snapshot, means.profile, &question);
        let reports = report.releases.iter().flat_map(|release| &release.images);
        for one in images {
            let of_image: Vec<_> = reports
                .clone()
                .filter(|image| image.name == one.image)
                .collect();
            let published = of_image
                .iter()
                .find_map(|image| image.digest.published.as_ref());
            let runs = of_image
                .iter()
                .flat_map(|image| &image.digest.running)
                .filter(|running| running.workload == *id);
            if published != Some(&one.wanted) {
                return Ok(Err(format!(
                    "the tag of {} moved again meanwhile",
                    one.image
                )));
            }
            if let Some(other) = runs.clone().find(|running| running.current != Some(true)) {
                return Ok(Err(format!(
                    "the rollout ended, and pods run {} of {} in place of {}",
                    other.digest.short(),
                    one.image,
                    one.wanted.short()
                )));
            }
        }
        Ok(Ok(()))
    }
}
