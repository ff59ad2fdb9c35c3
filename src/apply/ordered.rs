//! Bringing back a workload whose pods come one after the other.

use std::convert::Infallible;

use tokio::time::sleep;
use tracebloc_core::workload::{WorkloadId, WorkloadKind};

use super::settle::Settled;
use super::{Application, ApplyError, LOOK};

impl Application<'_> {
    /// Waits until a workload that is being brought back has settled. A `StatefulSet` takes help for that: its controller waits for a pod that hangs
    /// before it goes back to the template that works.
    pub(super) async fn settle_back(&self, id: &WorkloadId) -> Result<Settled, ApplyError> {
        if id.kind != WorkloadKind::StatefulSet {
            return self.settle(id).await;
        }
        tokio::select! {
            settled = self.settle(id) => settled,
            never = self.clear_the_way(id) => match never {},
        }
    }

    /// Deletes pods that hang, again and again.
    async fn clear_the_way(&self, id: &WorkloadId) -> Infallible {
        let mut told = false;
        loop {
            match self.cluster.delete_hanging(id).await {
                Ok(pods) => {
                    for pod in pods {
                        self.means.ui.note(&format!(
                            "pod {pod} was deleted: {id} would wait for it before it goes back"
                        ));
                    }
                }
                Err(error) if !std::mem::replace(&mut told, true) => {
                    self.means.ui.note(&format!(
                        "pods of {id} that hang could not be deleted, and it may wait for them: {error}"
                    ));
                }
                Err(_) => {}
            }
            sleep(LOOK).await;
        }
    }
}
