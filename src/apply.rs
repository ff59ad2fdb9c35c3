//! Carrying out a plan: one step after the other, each with its preconditions looked at again, and each so that whoever comes after a kill can tell
//! from the cluster where it stood (DESIGN §7).

mod content;
mod error;
mod failure;
mod jobs;
mod journal;
mod ordered;
mod record;
mod rights;
mod rollout;
mod settle;
mod suspension;
mod value;
mod wave;

use std::time::Duration;

use tokio::sync::OnceCell;
use tracebloc_core::plan::{Act, Plan, Step, StepState};
use tracebloc_core::profile::Profile;
use tracebloc_core::release::Values;
use tracebloc_core::workload::WorkloadId;

use crate::approve::Approved;
use crate::cluster::{Cluster, ClusterError, Held, Lease};
use crate::context::{Context, now};
use crate::gather::Request;
use crate::helm::Helm;
use crate::interrupt::Interrupt;
use crate::ui::Ui;

pub(crate) use error::ApplyError;

/// How often a change is tried where others change the same object in other places.
const ATTEMPTS: usize = 5;

/// How soon it is looked again whether something has ended.
const LOOK: Duration = Duration::from_secs(2);

/// How a plan is carried out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// How long one rollout may take.
    pub(crate) timeout: Duration,
    /// How long pods must stay ready until a rollout counts as done.
    pub(crate) min_ready: Duration,
    /// How long to wait between two rollouts.
    pub(crate) soak: Duration,
    /// How long to wait for Jobs of the chart.
    pub(crate) jobs: Duration,
}

/// What a plan is carried out with.
pub(crate) struct Means<'a> {
    pub(crate) context: &'a Context,
    pub(crate) ui: &'a Ui,
    pub(crate) profile: &'a Profile,
    /// What was asked for the plan, to look at the same again.
    pub(crate) request: &'a Request,
    pub(crate) pace: Pace,
    pub(crate) interrupt: &'a Interrupt,
    /// The release's values, which nothing that is said elsewhere may repeat: by Helm, and by containers that end.
    pub(crate) conceals: Values,
    /// What it takes to upgrade the release, where the plan does so.
    pub(crate) helm: Option<&'a HelmMeans>,
}

/// What it takes to upgrade a release.
pub(crate) struct HelmMeans {
    pub(crate) helm: Helm,
    /// The package of the deployed chart version, held against its repository's index.
    pub(crate) package: Vec<u8>,
    /// The command line that leads back from the revision that is made.
    pub(crate) way_back: String,
}

/// A plan in the course of being carried out.
struct Application<'a> {
    means: &'a Means<'a>,
    cluster: Cluster,
    lease: Lease,
    /// What the changes of this run have in common.
    run: String,
    author: String,
    plan: Plan,
    /// Once a rollout failed: the chart's own job was suspended, where that is what keeps it from doing the same again.
    stopped: OnceCell<()>,
}

/// What came of a plan: its steps with how far each is, and why it ended before its end.
pub(crate) struct Applied {
    pub(crate) plan: Plan,
    pub(crate) failure: Option<ApplyError>,
}

/// Carries out a plan.
pub(crate) async fn apply(approved: Approved, means: &Means<'_>) -> Applied {
    let mut plan = approved.into_plan();
    means.interrupt.defer();
    match Application::begin(means, &plan).await {
        Ok(mut application) => {
            let outcome = application.carry_out().await;
            let Application { plan, lease, .. } = application;
            if let Err(error) = lease.give_back().await {
                means.ui.note(&format!(
                    "the lease could not be given back, and ends by itself: {error}"
                ));
            }
            let failure = outcome.err().map(|error| error.after(&plan));
            Applied { plan, failure }
        }
        Err(error) => {
            skip_rest(&mut plan);
            Applied {
                plan,
                failure: Some(error),
            }
        }
    }
}

/// What a change made; `None` where somebody changed the same object meanwhile, and it is to be tried on what that one left.
fn is_made(
    outcome: Result<Held, ClusterError>,
    attempt: usize,
    id: &WorkloadId,
) -> Result<Option<Held>, ApplyError> {
    match outcome {
        Ok(held) => Ok(Some(held)),
        Err(ClusterError::Conflict { .. } | ClusterError::Rejected { .. })
            if attempt < ATTEMPTS =>
        {
            Ok(None)
        }
        Err(source) => Err(ApplyError::Cluster {
            asked: id.to_string(),
            source,
        }),
    }
}

/// How far a step is that came to that.
fn state(outcome: &Result<(), ApplyError>) -> StepState {
    match outcome {
        Ok(()) => StepState::Done,
        Err(error) if error.is_failure() => StepState::Failed,
        Err(_) => StepState::Skipped,
    }
}

fn skip_rest(plan: &mut Plan) {
    for step in &mut plan.steps {
        if step.state == StepState::Pending {
            step.state = StepState::Skipped;
        }
    }
}

impl<'a> Application<'a> {
    /// Makes sure that the cluster is the one that the plan is for, and that nobody else of us is at work.
    async fn begin(means: &'a Means<'a>, plan: &Plan) -> Result<Self, ApplyError> {
        let asked = |asked: &str| {
            let asked = asked.to_owned();
            move |source| ApplyError::Cluster { asked, source }
        };
        let cluster = Cluster::connect(means.context, None).map_err(asked("the cluster"))?;
        let cluster = cluster.lasting(means.context);
        if let Some(known) = &plan.context.cluster_uid {
            let uid = cluster
                .uid()
                .await
                .map_err(asked("the cluster's identity"))?;
            if uid != *known {
                return Err(ApplyError::OtherCluster {
                    server: means.context.server(),
                });
            }
        }
        rights::check(&cluster, plan, means.ui).await?;
        let author = cluster.author().await.unwrap_or_default();
        let author = if author.is_empty() {
            "somebody unknown".to_owned()
        } else {
            author
        };
        let run = format!("{:x}-{:x}", now().as_millisecond(), std::process::id());
        let lease = cluster
            .lease(
                &plan.release.namespace,
                &format!("tracebloc-{}", plan.release.name),
                &format!("{author} ({run})"),
            )
            .await?;
        Ok(Self {
            means,
            cluster,
            lease,
            run,
            author,
            plan: plan.clone(),
            stopped: OnceCell::new(),
        })
    }

    async fn carry_out(&mut self) -> Result<(), ApplyError> {
        let outcome = self.carry_out_steps().await;
        if let Err(error) = &outcome {
            self.resume_after(error).await;
        }
        skip_rest(&mut self.plan);
        outcome
    }

    async fn carry_out_steps(&mut self) -> Result<(), ApplyError> {
        let mut rolled_out = false;
        let mut next = 0;
        while let Some(step) = self.plan.steps.get(next).cloned() {
            if step.act.rollout().is_none() {
                let outcome = self.step(&step).await;
                self.plan.steps[next].state = state(&outcome);
                outcome?;
                next += 1;
                continue;
            }
            if std::mem::replace(&mut rolled_out, true) {
                self.soak().await?;
            }
            let wave = wave::of(&self.plan.steps[next..]).to_vec();
            let mut ended = self.wave(&wave).await;
            for (index, outcome) in &ended {
                self.plan.steps[next + index].state = state(outcome);
            }
            // To have been stopped goes before what failed beside it.
            ended.sort_by_key(|(_, outcome)| !matches!(outcome, Err(ApplyError::Interrupted)));
            if let Some(error) = ended.into_iter().find_map(|(_, outcome)| outcome.err()) {
                return Err(error);
            }
            next += wave.len();
        }
        Ok(())
    }

    /// Carries out a step that is no rollout.
    async fn step(&self, step: &Step) -> Result<(), ApplyError> {
        if self.means.interrupt.is_asked() {
            return Err(ApplyError::Interrupted);
        }
        self.lease.check().await?;
        self.announce(step);
        match &step.act {
            Act::Suspend(suspension) if suspension.meanwhile => {
                self.suspend_meanwhile(&suspension.workload).await
            }
            Act::Suspend(suspension) => self.suspend(&suspension.workload).await,
            Act::Resume(suspension) => self.resume(&suspension.workload).await,
            Act::Record(record) | Act::Annotate(record) => self.record(record).await,
            Act::SetValue(change) => self.set_values(change).await,
            Act::Restart(_) | Act::SetImage(_) | Act::SetEnvironment(_) | Act::Finish(_) => Ok(()),
        }
    }

    fn announce(&self, step: &Step) {
        self.means
            .ui
            .note(&format!("{}: {}", step.object.name, step.summary));
    }

    /// Lets a rollout prove itself before the next.
    async fn soak(&self) -> Result<(), ApplyError> {
        let soak = self.means.pace.soak;
        if soak.is_zero() {
            return Ok(());
        }
        self.means.ui.note(&format!(
            "waiting {} s before what comes next rolls out",
            soak.as_secs()
        ));
        tokio::select! {
            () = tokio::time::sleep(soak) => Ok(()),
            () = self.means.interrupt.asked() => Err(ApplyError::Interrupted),
        }
    }

    /// A workload as it is at this moment.
    async fn hold(&self, id: &WorkloadId) -> Result<Held, ApplyError> {
        self.cluster
            .hold(id, &self.means.profile.record_prefix)
            .await
            .map_err(|source| ApplyError::Cluster {
                asked: id.to_string(),
                source,
            })
    }
}
