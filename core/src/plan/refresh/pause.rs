//! The chart's own job is suspended while a long plan is carried out, in versions in which it does not look whether a rollout is under way
//! (DESIGN §7 "One writer").

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::Facts;
use crate::assess;
use crate::change;
use crate::plan::guards::cron_job;
use crate::plan::{Act, ObjectRef, Step, StepState, Suspension};
use crate::workload::{LiveWorkload, WorkloadId};

impl Facts<'_> {
    /// Puts the suspension before all other steps, where it takes one, and its end after them. What an earlier run suspended and did not live to let
    /// run again is let run again also where there is nothing else to do; what a user suspended is left.
    pub(super) fn pause(&self, steps: &mut Vec<Step>) {
        let refresh = &self.profile.automation.image_refresh;
        let Some(job) = cron_job(self, &refresh.job.cron_job).filter(|_| self.is_ours) else {
            return;
        };
        // What goes back from a refresh suspends it for good.
        if steps.iter().any(|step| matches!(step.act, Act::Suspend(_))) {
            return;
        }
        let id = &job.workload.id;
        let looks = assess::is_since(self.release, &refresh.settles_since);
        let suspends = !looks && self.may_meet(steps, job);
        if suspends {
            steps.insert(0, suspend(id));
        }
        if suspends || change::is_marked(job) {
            steps.push(resume(id));
        }
    }

    /// True if, at its longest, the plan has rollouts under way at the next tick of the job; also where that tick cannot be told.
    fn may_meet(&self, steps: &[Step], job: &LiveWorkload) -> bool {
        let waves = waves(steps);
        let Some(cron) = job
            .cron
            .as_ref()
            .filter(|cron| !cron.suspended && waves > 0)
        else {
            return false;
        };
        let times = |duration: SignedDuration, count: usize| {
            duration.saturating_mul(i32::try_from(count).unwrap_or(i32::MAX))
        };
        let longest =
            times(self.wish.timeout, waves).saturating_add(times(self.wish.soak, waves - 1));
        let now = self.snapshot.observed_at;
        match cron.ticks() {
            Ok(ticks) => ticks
                .next(now)
                .is_some_and(|next| next.duration_since(now) <= longest),
            Err(_) => true,
        }
    }
}

/// How many times something rolls out and is waited for.
fn waves(steps: &[Step]) -> usize {
    let rollouts = steps.iter().filter(|step| step.act.rollout().is_some());
    let (together, alone): (Vec<_>, Vec<_>) =
        rollouts.map(|step| step.wave).partition(Option::is_some);
    together.into_iter().collect::<BTreeSet<_>>().len() + alone.len()
}

fn suspend(id: &WorkloadId) -> Step {
    Step {
        id: "suspend-meanwhile".to_owned(),
        object: ObjectRef::from(id),
        summary: "suspend it while this runs: in this chart version it acts also while a rollout is under way"
            .to_owned(),
        destructive: false,
        // The last step does that, unless something failed and was undone: then the job would do the same again.
        undo: None,
        wave: None,
        state: StepState::Pending,
        act: Act::Suspend(meanwhile(id)),
    }
}

fn resume(id: &WorkloadId) -> Step {
    Step {
        id: "resume".to_owned(),
        object: ObjectRef::from(id),
        summary: "let it run again".to_owned(),
        destructive: false,
        undo: None,
        wave: None,
        state: StepState::Pending,
        act: Act::Resume(meanwhile(id)),
    }
}

fn meanwhile(id: &WorkloadId) -> Suspension {
    Suspension {
        workload: id.clone(),
        meanwhile: true,
    }
}
