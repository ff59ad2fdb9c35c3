//! The chart's own Jobs know nothing of our Lease: they are looked for before each rollout (DESIGN §7 "One writer").

use tokio::time::{Instant, sleep};
use tracebloc_core::cronjob::LiveJob;
use tracebloc_core::workload::WorkloadId;

use super::{Application, ApplyError, LOOK};
use crate::cluster::ClusterError;

impl Application<'_> {
    /// Waits until no Job of the chart runs that changes the same workloads, for as long as was asked for. Jobs that may not be listed were told of
    /// with the plan.
    pub(super) async fn wait_for_jobs(&self) -> Result<(), ApplyError> {
        let patience = self.means.pace.jobs;
        let began = Instant::now();
        let mut told = false;
        while let Some((id, job)) = self.running_job().await? {
            if began.elapsed() >= patience {
                return Err(ApplyError::Changed {
                    id,
                    what: format!("its job {} has started meanwhile", job.name),
                });
            }
            if !std::mem::replace(&mut told, true) {
                self.means
                    .ui
                    .note(&format!("waiting for the job {} of the chart", job.name));
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                () = self.means.interrupt.asked() => return Err(ApplyError::Interrupted),
            }
        }
        Ok(())
    }

    async fn running_job(&self) -> Result<Option<(WorkloadId, LiveJob)>, ApplyError> {
        for id in &self.plan.jobs {
            let jobs = match self.cluster.jobs(&id.namespace).await {
                Ok(jobs) => jobs,
                Err(ClusterError::Forbidden { .. }) => Vec::new(),
                Err(source) => {
                    return Err(ApplyError::Cluster {
                        asked: format!("the Jobs of {id}"),
                        source,
                    });
                }
            };
            let running = jobs
                .into_iter()
                .find(|job| job.cron_job == id.name && job.end.is_none());
            if let Some(job) = running {
                return Ok(Some((id.clone(), job)));
            }
        }
        Ok(None)
    }
}
