//! A rollout that did not come to what it is for: counted, and brought back to the former *content*, in such a way that the chart's next tick does
//! not do the same again (DESIGN §7 "Undo restores content, not text").

use tracebloc_core::change::{ANNOTATION, Change, ChangeState, ContainerChange};
use tracebloc_core::image::{Digest, ImageRef};
use tracebloc_core::plan::{AttemptCounter, ObjectRef, Rollout, Step, StepState};
use tracebloc_core::workload::WorkloadId;

use super::error::{Aftermath, Failure};
use super::rollout::{changed, own, set};
use super::settle::Settled;
use super::{Application, ApplyError, is_made};

/// Who is to blame where a rollout did not come to what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// Nobody: the pods are well, and run something else.
    Nobody,
    /// Somebody who changed the workload meanwhile.
    Others,
    /// What was rolled out.
    Rollout,
}

impl Application<'_> {
    /// Undoes a rollout, or leaves it, as the plan says. Always an error: the step has failed.
    pub(super) async fn fail(
        &self,
        object: &ObjectRef,
        rollout: &Rollout,
        change: Change,
        reason: String,
    ) -> Result<(), ApplyError> {
        if !self.plan.on_failure.undo {
            let blame = Blame::Rollout;
            return self.keep(object, rollout, change, reason, blame).await;
        }
        if change.containers.iter().any(|one| one.former.is_none()) {
            let why = format!("{reason} (what ran before has no digest to go back to)");
            let blame = Blame::Rollout;
            return self.keep(object, rollout, change, why, blame).await;
        }
        let pods = self.last_state(&rollout.workload).await;
        // First what keeps the chart's own job from doing it again: between the two there must be no moment in which it could.
        let attempt = match &self.plan.on_failure.counter {
            Some(counter) => Some(self.give_up(counter).await?),
            None => None,
        };
        if let Some(job) = &self.plan.on_failure.suspends {
            self.stopped.get_or_try_init(|| self.stop(job)).await?;
        }
        let mut change = Change {
            state: ChangeState::Undoing,
            reason: Some(reason),
            attempt,
            ..change
        };
        change.containers.extend(self.moved_beside(rollout).await?);
        self.means.ui.note(&format!(
            "{}: it failed, and what ran before is brought back",
            rollout.workload.name
        ));
        self.bring_back(rollout, &change).await?;
        self.await_undo(object, rollout, change, pods).await
    }

    /// Goes on where another run was bringing a workload back.
    pub(super) async fn finish_undo(
        &self,
        object: &ObjectRef,
        rollout: &Rollout,
        change: Change,
    ) -> Result<(), ApplyError> {
        let pods = self.last_state(&rollout.workload).await;
        self.await_undo(object, rollout, change, pods).await
    }

    /// Leaves a rollout as it is. It is counted where the rollout itself is to blame.
    pub(super) async fn keep(
        &self,
        object: &ObjectRef,
        rollout: &Rollout,
        change: Change,
        reason: String,
        blame: Blame,
    ) -> Result<(), ApplyError> {
        let id = &rollout.workload;
        let pods = self.last_state(id).await;
        let mut change = Change {
            reason: Some(reason.clone()),
            ..change
        };
        let counter = self.plan.on_failure.counter.as_ref();
        if let Some(counter) = counter.filter(|_| blame == Blame::Rollout) {
            let attempt = change.attempt.unwrap_or(counter.failed + 1);
            if change.attempt.is_none() {
                change.attempt = Some(attempt);
                let text = change.to_text();
                self.write(
                    id,
                    |held| own(held, rollout, &change),
                    |edit| edit.annotate(ANNOTATION, &text),
                )
                .await?;
            }
            self.count(counter, attempt).await?;
        }
        self.close(object, rollout, change, ChangeState::Failed)
            .await?;
        let aftermath = Aftermath::Kept(
            match blame {
                Blame::Nobody => "the pods are ready",
                Blame::Others => "what rolls out now is not what this run began",
                Blame::Rollout => "nothing was brought back and nothing recorded",
            }
            .to_owned(),
        );
        Err(ApplyError::Failed(Box::new(Failure {
            id: id.clone(),
            reason,
            pods,
            aftermath,
            ahead: self.ahead(),
        })))
    }

    /// The line that goes back also from what came to its end before.
    fn ahead(&self) -> Option<String> {
        let is_ahead = |step: &Step| step.state == StepState::Done && step.act.rollout().is_some();
        let line = self.plan.on_failure.way_back.clone()?;
        self.plan.steps.iter().any(is_ahead).then_some(line)
    }

    /// Counts so many failures that the chart's own job gives up.
    async fn give_up(&self, counter: &AttemptCounter) -> Result<u32, ApplyError> {
        let attempt = counter.limit.max(counter.failed);
        self.count(counter, attempt).await?;
        Ok(attempt)
    }

    /// Has the chart's own job leave what failed, where it has no count to be told by.
    async fn stop(&self, job: &WorkloadId) -> Result<(), ApplyError> {
        self.suspend(job).await?;
        self.means.ui.note(&format!(
            "{job} was suspended, since it would do the same again: unsuspend it once the cause is gone"
        ));
        Ok(())
    }

    /// Sets what ran before, with the intent.
    async fn bring_back(&self, rollout: &Rollout, change: &Change) -> Result<(), ApplyError> {
        let id = &rollout.workload;
        let mut attempt = 1;
        loop {
            let held = self.hold(id).await?;
            own(&held, rollout, change)?;
            let mut edit = held.edit();
            for one in &change.containers {
                let former = former(one).ok_or_else(|| changed(id, "there is no way back"))?;
                set(&mut edit, one, &former).map_err(|part| ApplyError::missing(id, &part))?;
            }
            edit.annotate(ANNOTATION, &change.to_text());
            if is_made(self.change(&edit, id, change).await, attempt, id)?.is_some() {
                return Ok(());
            }
            attempt += 1;
        }
    }

    async fn await_undo(
        &self,
        object: &ObjectRef,
        rollout: &Rollout,
        change: Change,
        pods: Vec<String>,
    ) -> Result<(), ApplyError> {
        let id = &rollout.workload;
        let reason = change.reason.clone().unwrap_or_default();
        let settled = match self.settle_back(id).await? {
            Settled::Yes(held) => match self.still_runs(id, &change).await? {
                None => Settled::Yes(held),
                Some(why) => Settled::No(why),
            },
            no @ Settled::No(_) => no,
        };
        let aftermath = match settled {
            Settled::Yes(_) => {
                self.close(object, rollout, change, ChangeState::Undone)
                    .await?;
                Aftermath::Undone
            }
            Settled::No(why) => {
                let change = Change {
                    reason: Some(format!("{reason}; and it could not be brought back: {why}")),
                    ..change
                };
                self.hand_back(id).await?;
                self.close(object, rollout, change, ChangeState::Failed)
                    .await?;
                Aftermath::NotUndone(why)
            }
        };
        Err(ApplyError::Failed(Box::new(Failure {
            id: id.clone(),
            reason,
            pods,
            aftermath,
            ahead: self.ahead(),
        })))
    }

    /// What still runs of that which was brought back, in spite of a rollout that ended well.
    async fn still_runs(
        &self,
        id: &WorkloadId,
        change: &Change,
    ) -> Result<Option<String>, ApplyError> {
        let pods = self.pods(id).await?;
        let left = change.containers.iter().find(|one| {
            one.former.as_ref() != Some(&one.wanted)
                && pods.iter().any(|pod| {
                    let container = pod.containers.get(&one.container);
                    container
                        .and_then(|container| container.running.as_ref())
                        .is_some_and(|running| running.digest == one.wanted)
                })
        });
        Ok(left.map(|one| format!("pods still run {} of {}", one.wanted.short(), one.image)))
    }
}

/// What a container is set to so that it runs what it ran before.
fn former(one: &ContainerChange) -> Option<String> {
    let digest: &Digest = one.former.as_ref()?;
    if one.variable.is_some() {
        return Some(digest.to_string());
    }
    let image = ImageRef::parse(&one.to).ok()?;
    Some(image.with_digest(digest.clone()).to_string())
}
