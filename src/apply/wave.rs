//! Rollouts that are under way at once (`--parallel`): they begin one after the other, each with its preconditions looked at, and are waited for
//! together.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::Mutex;
use tracebloc_core::plan::{Act, Rollout, Step};

use super::rollout::Stage;
use super::{Application, ApplyError};

/// Through which one rollout of a wave begins after the other.
#[derive(Default)]
struct Gate {
    turn: Mutex<()>,
    /// Once one rollout has failed, no other begins.
    closed: AtomicBool,
}

/// The rollouts that are carried out together, of steps that begin with a rollout.
pub(super) fn of(steps: &[Step]) -> &[Step] {
    let wave = steps.first().and_then(|first| first.wave);
    let together = steps
        .iter()
        .take_while(|step| wave.is_some() && step.wave == wave && step.act.rollout().is_some());
    &steps[..together.count().max(1).min(steps.len())]
}

impl Application<'_> {
    /// Carries out the rollouts of a wave, and answers what came of those that began, in the order in which they ended. Once one has failed no other
    /// begins, and those under way come to their own end; what comes to nothing after the first is told here.
    pub(super) async fn wave(&self, steps: &[Step]) -> Vec<(usize, Result<(), ApplyError>)> {
        let gate = Gate::default();
        let rollouts = steps
            .iter()
            .enumerate()
            .filter_map(|(index, step)| Some((index, step, step.act.rollout()?)));
        let mut under_way: FuturesUnordered<_> = rollouts
            .map(|(index, step, rollout)| {
                let gate = &gate;
                async move { Some((index, self.one(step, rollout, gate).await?)) }
            })
            .collect();
        let mut ended = Vec::new();
        let mut has_failed = false;
        while let Some(one) = under_way.next().await {
            let Some((index, outcome)) = one else {
                continue;
            };
            if let Err(error) = &outcome {
                let is_first = !std::mem::replace(&mut has_failed, true);
                self.tell_failure(error, is_first, !under_way.is_empty());
            }
            ended.push((index, outcome));
        }
        ended
    }

    /// Carries out one rollout of a wave; `None` where it did not begin, since another one had failed.
    async fn one(
        &self,
        step: &Step,
        rollout: &Rollout,
        gate: &Gate,
    ) -> Option<Result<(), ApplyError>> {
        let outcome = async {
            let stage = {
                let _turn = gate.turn.lock().await;
                // What another run began is under way whether we look or not.
                let begins = !matches!(step.act, Act::Finish(_));
                if begins && gate.closed.load(Ordering::Relaxed) {
                    return None;
                }
                self.start(step, rollout).await
            };
            Some(match stage {
                Ok(stage) => self.end_rollout(&step.object, rollout, stage).await,
                Err(error) => Err(error),
            })
        }
        .await;
        if matches!(outcome, Some(Err(_))) {
            gate.closed.store(true, Ordering::Relaxed);
        }
        outcome
    }

    /// Begins a rollout, once all that must hold before does.
    async fn start(&self, step: &Step, rollout: &Rollout) -> Result<Stage, ApplyError> {
        if self.means.interrupt.is_asked() {
            return Err(ApplyError::Interrupted);
        }
        self.wait_for_jobs().await?;
        self.no_operation().await?;
        self.lease.check().await?;
        self.announce(step);
        self.begin_rollout(rollout).await
    }

    /// Tells of a rollout that came to nothing while others are under way. The first is what the whole run ends with, and told in full by it.
    fn tell_failure(&self, error: &ApplyError, is_first: bool, others: bool) {
        if matches!(error, ApplyError::Interrupted) || (is_first && !others) {
            return;
        }
        let ui = self.means.ui;
        if is_first {
            ui.note(&format!(
                "{error}; no other rollout begins, and those under way come to their own end"
            ));
            return;
        }
        ui.note(&format!("beside it: {error}"));
        for hint in error.hints() {
            ui.note(&format!("  hint: {hint}"));
        }
    }
}
