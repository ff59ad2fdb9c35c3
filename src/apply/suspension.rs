//! The chart's own job, suspended: for good where it would do again what failed, or for as long as a plan is carried out.

use tracebloc_core::change::{SUSPENDED, Suspended, is_marked, is_suspended_for_good};
use tracebloc_core::plan::{Act, StepState};
use tracebloc_core::workload::WorkloadId;

use super::rollout::annotated;
use super::{Application, ApplyError, is_made};
use crate::cluster::{ClusterError, Edit, Held};
use crate::context::now;

impl Application<'_> {
    /// Has a `CronJob` of the chart start no more Jobs, until somebody lets it.
    pub(super) async fn suspend(&self, job: &WorkloadId) -> Result<(), ApplyError> {
        self.edit(job, |_, edit| {
            edit.suspend();
            true
        })
        .await?;
        self.settle_suspension(job, true).await
    }

    /// Has it start no more Jobs for as long as this plan is carried out. What somebody suspended since the plan was made is theirs.
    pub(super) async fn suspend_meanwhile(&self, job: &WorkloadId) -> Result<(), ApplyError> {
        let mark = Suspended {
            id: self.run.clone(),
            command: self.plan.command.clone(),
            by: self.author.clone(),
            at: now(),
        };
        self.edit(job, |held, edit| {
            if is_suspended_for_good(&held.live) {
                return false;
            }
            edit.suspend();
            edit.annotate(SUSPENDED, &mark.to_text());
            true
        })
        .await?;
        self.settle_suspension(job, false).await
    }

    /// Lets a job run again that was suspended for as long as a plan is carried out, and no other.
    pub(super) async fn resume(&self, job: &WorkloadId) -> Result<(), ApplyError> {
        let resumed = async {
            self.edit(job, |held, edit| {
                if is_marked(&held.live) {
                    edit.resume();
                }
                is_marked(&held.live)
            })
            .await?;
            self.settle_suspension(job, true).await
        };
        match resumed.await {
            // It is gone, and starts nothing that would have to be let.
            Err(ApplyError::Cluster {
                source: ClusterError::NotFound { .. },
                ..
            }) => Ok(()),
            outcome => outcome,
        }
    }

    /// Gives up our say in the field, which the chart renders: Helm 4 would stumble over it. The mark goes with it where the job is not suspended for a
    /// while any more, and not before: by it whoever comes after a kill finds that our say is still to be given up.
    async fn settle_suspension(&self, job: &WorkloadId, unmark: bool) -> Result<(), ApplyError> {
        self.edit(job, |held, edit| {
            let unmarks = unmark && is_marked(&held.live);
            if held.has_our_fields() {
                edit.hand_back();
            }
            if unmarks {
                edit.clear(SUSPENDED);
            }
            unmarks || held.has_our_fields()
        })
        .await
    }

    /// After a plan that did not come to its end: lets the job run again, unless something that was begun is still open. Then the next run, which
    /// finishes that, does so.
    pub(super) async fn resume_after(&mut self, error: &ApplyError) {
        let mut steps = (0..).zip(&self.plan.steps);
        let last = steps.find_map(|(index, step): (usize, _)| match &step.act {
            Act::Resume(suspension) => Some((index, suspension.workload.clone())),
            _ => None,
        });
        let Some((index, job)) = last else {
            return;
        };
        // It was not suspended yet, or then for good, which was told.
        if self
            .hold(&job)
            .await
            .is_ok_and(|held| !is_marked(&held.live))
        {
            return;
        }
        // Another run may be at work, and the job is its business.
        let is_lost = matches!(error, ApplyError::Lease(_));
        if is_lost || self.leaves_open().await {
            self.means.ui.note(&format!(
                "{job} stays suspended, until the next run has finished what is open"
            ));
            return;
        }
        // The step itself may be what failed.
        let was_tried = self.plan.steps[index].state != StepState::Pending;
        if !was_tried && self.resume(&job).await.is_ok() {
            self.plan.steps[index].state = StepState::Done;
            return;
        }
        self.means.ui.note(&format!(
            "{job} could not be let run again, and stays suspended: the next run lets it"
        ));
    }

    /// True if a workload of the plan has a change that nobody has ended, or may have one.
    async fn leaves_open(&self) -> bool {
        for step in &self.plan.steps {
            let Some(rollout) = step.act.rollout() else {
                continue;
            };
            match self.hold(&rollout.workload).await {
                Ok(held) if annotated(&held).is_none_or(|change| !change.state.is_open()) => {}
                Ok(_) | Err(_) => return true,
            }
        }
        false
    }

    /// Changes a job, if there is something to change as it is now.
    async fn edit(
        &self,
        job: &WorkloadId,
        change: impl Fn(&Held, &mut Edit<'_>) -> bool,
    ) -> Result<(), ApplyError> {
        let mut attempt = 1;
        loop {
            let held = self.hold(job).await?;
            let mut edit = held.edit();
            if !change(&held, &mut edit) {
                return Ok(());
            }
            let prefix = &self.means.profile.record_prefix;
            let outcome = self.cluster.change(&edit, prefix).await;
            if is_made(outcome, attempt, job)?.is_some() {
                return Ok(());
            }
            attempt += 1;
        }
    }
}
