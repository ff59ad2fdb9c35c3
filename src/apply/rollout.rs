//! One rollout: the change with the intent in one patch, the wait, the look at what the pods run, and the fields handed back.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};
use tracebloc_core::change::{ANNOTATION, Change, ChangeState, ContainerChange, ROLLBACK};
use tracebloc_core::plan::{ObjectRef, Rollout};
use tracebloc_core::workload::{Rollout as RolloutState, WorkloadId};

use super::failure::Blame;
use super::settle::Settled;
use super::{Application, ApplyError, is_made};
use crate::cluster::{ClusterError, Edit, Held, MissingPart};
use crate::context::now;

/// How long to wait where it is not known whether a change arrived.
pub(super) const RECONNECT: Duration = Duration::from_secs(1);

/// How long a controller may take to see a change that asks nothing of it, and how soon to look again.
const UNOBSERVED: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(100);

/// How often to ask then.
pub(super) const RECONNECTS: usize = 30;

/// Where a rollout stands once its step has begun.
pub(super) enum Stage {
    /// The workload was changed: by us, and then the template that this made is known, or by the run that is finished here.
    Acting(Change, Option<Value>),
    /// What was changed is being brought back.
    Undoing(Change),
    /// Somebody else finished it, or changed it to something else.
    Overtaken,
}

impl Application<'_> {
    /// Begins one rollout: it is under way after it, if it was not before.
    pub(super) async fn begin_rollout(&self, rollout: &Rollout) -> Result<Stage, ApplyError> {
        let Some(begun) = &rollout.finishes else {
            let (change, template) = self.act(rollout).await?;
            return Ok(Stage::Acting(change, template));
        };
        let held = self.hold(&rollout.workload).await?;
        same(&held, rollout)?;
        Ok(stage(&held, begun))
    }

    /// Has one rollout come to its end, from wherever it stands.
    pub(super) async fn end_rollout(
        &self,
        object: &ObjectRef,
        rollout: &Rollout,
        stage: Stage,
    ) -> Result<(), ApplyError> {
        let id = &rollout.workload;
        let (change, template) = match stage {
            Stage::Acting(change, template) => (change, template),
            Stage::Undoing(change) => return self.finish_undo(object, rollout, change).await,
            Stage::Overtaken => return self.close_overtaken(object, rollout).await,
        };
        let settled = self.settle_for_good(id).await?;
        // It may have been a long wait: another run may be at work by now, and somebody else may have rolled out something else.
        self.lease.check().await?;
        match settled {
            Settled::Yes(held) => match self.runs(&held, rollout).await? {
                Ok(()) => self.close(object, rollout, change, ChangeState::Done).await,
                // All is well with the pods: there is nothing to bring back.
                Err(reason) => {
                    let blame = Blame::Nobody;
                    self.keep(object, rollout, change, reason, blame).await
                }
            },
            Settled::No(reason) => {
                let held = self.hold(id).await?;
                own(&held, rollout, &change)?;
                let is_another = template.is_some_and(|ours| held.template() != Some(&ours))
                    || change
                        .containers
                        .iter()
                        .any(|one| !has(&held, one, &one.to));
                if is_another {
                    let why = format!("{reason}; somebody else changed its pods meanwhile");
                    return self.keep(object, rollout, change, why, Blame::Others).await;
                }
                self.fail(object, rollout, change, reason).await
            }
        }
    }

    /// Changes the workload, with what is meant by it. Answers the template that this made, too.
    async fn act(&self, rollout: &Rollout) -> Result<(Change, Option<Value>), ApplyError> {
        let id = &rollout.workload;
        let change = Change {
            id: self.run.clone(),
            command: self.plan.command.clone(),
            by: self.author.clone(),
            at: now(),
            state: ChangeState::Acting,
            containers: rollout.containers.clone(),
            reason: None,
            attempt: None,
        };
        let mut attempt = 1;
        loop {
            let held = self.observed(id).await?;
            check(&held, rollout, self.plan.command == ROLLBACK)?;
            let mut edit = held.edit();
            let restarts = !rollout.containers.iter().any(ContainerChange::sets);
            if restarts {
                edit.restart(&now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
            }
            for one in rollout.containers.iter().filter(|one| one.sets()) {
                set(&mut edit, one, &one.to).map_err(|part| ApplyError::missing(id, &part))?;
            }
            edit.annotate(ANNOTATION, &change.to_text());
            let made = self.change(&edit, id, &change).await;
            if let Some(held) = is_made(made, attempt, id)? {
                return Ok((change, held.template().cloned()));
            }
            attempt += 1;
        }
    }

    /// The workload once its controller has seen it: every annotation that is written makes a new generation of a Deployment, which looks for a
    /// moment like a rollout.
    async fn observed(&self, id: &WorkloadId) -> Result<Held, ApplyError> {
        let began = Instant::now();
        loop {
            let held = self.hold(id).await?;
            if held.live.rollout != RolloutState::Progressing || began.elapsed() > UNOBSERVED {
                return Ok(held);
            }
            sleep(LOOK).await;
        }
    }

    /// Sends a change that carries its intent. Where no answer came back, or only a part of it, the workload itself tells whether it arrived.
    pub(super) async fn change(
        &self,
        edit: &Edit<'_>,
        id: &WorkloadId,
        change: &Change,
    ) -> Result<Held, ClusterError> {
        let prefix = &self.means.profile.record_prefix;
        let failure = match self.cluster.change(edit, prefix).await {
            Ok(held) => return Ok(held),
            Err(error) if may_pass(&error) => error,
            Err(error) => return Err(error),
        };
        for _ in 0..RECONNECTS {
            sleep(RECONNECT).await;
            if let Ok(held) = self.cluster.hold(id, prefix).await {
                let arrived = annotated(&held).as_ref() == Some(change);
                return if arrived { Ok(held) } else { Err(failure) };
            }
        }
        Err(failure)
    }

    /// The end of a change: fields that Helm renders are handed back, the annotation says what came of it, and it is left in the history.
    pub(super) async fn close(
        &self,
        object: &ObjectRef,
        rollout: &Rollout,
        change: Change,
        state: ChangeState,
    ) -> Result<(), ApplyError> {
        let id = &rollout.workload;
        let sets =
            state == ChangeState::Undone || change.containers.iter().any(ContainerChange::sets);
        if sets {
            self.hand_back(id).await?;
        }
        let change = Change { state, ..change };
        // Before it is closed: a run that comes after a kill enters it again under the same key, and none is missing.
        self.enter(id, &change).await;
        let text = change.to_text();
        self.write(
            id,
            |held| own(held, rollout, &change),
            |edit| edit.annotate(ANNOTATION, &text),
        )
        .await?;
        self.tell(object, &rollout.uid, &change).await;
        Ok(())
    }

    /// What another run began was changed by somebody else since: there is nothing to finish or to undo.
    async fn close_overtaken(
        &self,
        object: &ObjectRef,
        rollout: &Rollout,
    ) -> Result<(), ApplyError> {
        let Some(change) = rollout.finishes.clone() else {
            return Ok(());
        };
        let held = self.hold(&rollout.workload).await?;
        if annotated(&held).is_none_or(|own| own.id != change.id || !own.state.is_open()) {
            return Ok(());
        }
        let change = Change {
            reason: Some("somebody else changed the workload before it was done".to_owned()),
            ..change
        };
        self.close(object, rollout, change, ChangeState::Failed)
            .await
    }
}

/// True where the server may answer when it is asked again, and where what was asked of it may have been done.
pub(super) fn may_pass(error: &ClusterError) -> bool {
    matches!(
        error,
        ClusterError::Timeout
            | ClusterError::Interrupted { .. }
            | ClusterError::Unreachable { .. }
            | ClusterError::Server { .. }
            | ClusterError::Malformed { .. }
    )
}

pub(super) fn changed(id: &WorkloadId, what: impl Into<String>) -> ApplyError {
    ApplyError::Changed {
        id: id.clone(),
        what: what.into(),
    }
}

/// The last change of a workload.
pub(super) fn annotated(held: &Held) -> Option<Change> {
    Change::parse(held.live.records.get(ANNOTATION)?)
}

/// The change is still ours to end: another run that took it over, or began the next, has the say.
pub(super) fn own(held: &Held, rollout: &Rollout, change: &Change) -> Result<(), ApplyError> {
    same(held, rollout)?;
    let is_ours = annotated(held).is_some_and(|own| own.id == change.id && own.state.is_open());
    if is_ours {
        Ok(())
    } else {
        Err(changed(
            &rollout.workload,
            "another run ended the change of it meanwhile",
        ))
    }
}

/// Sets what one change of a container is about.
pub(super) fn set(edit: &mut Edit<'_>, one: &ContainerChange, to: &str) -> Result<(), MissingPart> {
    match &one.variable {
        Some(variable) => edit.variable(&one.container, variable, to),
        None => edit.image(&one.container, to),
    }
}

/// What a container has now of what a change is about.
fn present<'held>(held: &'held Held, one: &ContainerChange) -> Option<&'held str> {
    match &one.variable {
        Some(variable) => held.variable(&one.container, variable),
        None => held.image(&one.container),
    }
}

/// True if a container has that reference, however it is written.
pub(super) fn has(held: &Held, one: &ContainerChange, wanted: &str) -> bool {
    use tracebloc_core::image::ImageRef;
    let Some(present) = present(held, one) else {
        return false;
    };
    if one.variable.is_some() {
        return present == wanted;
    }
    let familiar = |text: &str| ImageRef::parse(text).map(|image| image.familiar());
    match (familiar(present), familiar(wanted)) {
        (Ok(present), Ok(wanted)) => present == wanted,
        (Err(_), _) | (_, Err(_)) => present == wanted,
    }
}

/// Where the change that another run began stands.
fn stage(held: &Held, begun: &Change) -> Stage {
    match annotated(held) {
        Some(own) if own.id == begun.id && own.state == ChangeState::Undoing => Stage::Undoing(own),
        Some(own) if own.id == begun.id && own.state == ChangeState::Acting => {
            if own.containers.iter().all(|one| has(held, one, &one.to)) {
                Stage::Acting(own, None)
            } else {
                Stage::Overtaken
            }
        }
        Some(_) | None => Stage::Overtaken,
    }
}

/// What must hold before a workload is changed: it is as it was when the plan was made. Who goes back may do so because it does not settle.
fn check(held: &Held, rollout: &Rollout, goes_back: bool) -> Result<(), ApplyError> {
    let id = &rollout.workload;
    same(held, rollout)?;
    if let Some(other) = annotated(held).filter(|other| other.state.is_open()) {
        return Err(changed(
            id,
            format!("{} began a change of it meanwhile", other.by),
        ));
    }
    match held.live.rollout {
        RolloutState::Settled => {}
        RolloutState::Progressing if goes_back => {}
        RolloutState::Paused => return Err(changed(id, "it was paused")),
        RolloutState::Progressing | RolloutState::None => {
            return Err(changed(id, "another rollout is under way"));
        }
    }
    unchanged(held, rollout)
}

/// The workload is the very one that the plan is about, and no other of its name.
pub(super) fn same(held: &Held, rollout: &Rollout) -> Result<(), ApplyError> {
    if held.live.uid == rollout.uid {
        Ok(())
    } else {
        Err(changed(&rollout.workload, "it was deleted and made anew"))
    }
}

/// True to the plan: the workload is the same one, and its containers have what they had.
pub(super) fn unchanged(held: &Held, rollout: &Rollout) -> Result<(), ApplyError> {
    let id = &rollout.workload;
    same(held, rollout)?;
    match rollout
        .containers
        .iter()
        .find(|one| !has(held, one, &one.from))
    {
        Some(one) => Err(changed(
            id,
            format!(
                "container {} has another image or environment",
                one.container
            ),
        )),
        None => Ok(()),
    }
}
