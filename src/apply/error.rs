//! Why a plan ended before its end.

use tracebloc_core::plan::{Plan, StepState};
use tracebloc_core::workload::WorkloadId;

use crate::cluster::{ClusterError, LeaseError, MissingPart};
use crate::error::Exit;
use crate::helm::HelmError;

/// Why a plan ended before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// The configuration leads to another cluster than the one that was looked at.
    #[error("{server} is another cluster than the one that the plan was made for")]
    OtherCluster {
        /// The API server and the context.
        server: String,
    },
    /// Another run works on the release.
    #[error("{}", lease(.0))]
    Lease(#[from] LeaseError),
    /// The plan takes rights that the credentials have not.
    #[error("nothing was begun: the credentials may not {}", lacking.join(", nor "))]
    NotAllowed {
        /// Verbs, each with its object.
        lacking: Vec<String>,
    },
    /// A step's precondition does not hold any more.
    #[error("{id} is not as it was when the plan was made: {what}")]
    Changed {
        /// The workload.
        id: WorkloadId,
        /// In which way.
        what: String,
    },
    /// A rollout did not come to what it is for.
    #[error("{}: {}", .0.id, .0.reason)]
    Failed(Box<Failure>),
    /// Somebody made another revision of the release.
    #[error("{release} is at revision {revision} now, or a Helm operation is under way")]
    OtherRevision {
        /// The release.
        release: String,
        /// Its newest revision.
        revision: u32,
    },
    /// The plan takes a Helm, and none was looked for.
    #[error("the plan upgrades the release, and there is no helm to do it")]
    NoHelm,
    /// Helm could not be made to begin.
    #[error("nothing was begun")]
    Helm(#[source] HelmError),
    /// The upgrade did not come to what it is for.
    #[error("{release}: {reason}")]
    Upgrade {
        /// The release.
        release: String,
        /// Why.
        reason: String,
    },
    /// The upgrade was done, and what came of it is not what it is for.
    #[error("{release}: {reason}")]
    Upgraded {
        /// The release.
        release: String,
        /// Why.
        reason: String,
        /// The command line that leads back.
        way_back: String,
    },
    /// Something was done, and then this stopped the rest.
    #[error("{done} of {all} steps were done, and then: {source}")]
    Midway {
        /// How many steps were done.
        done: usize,
        /// How many there are.
        all: usize,
        /// What stopped the rest.
        source: Box<Self>,
    },
    /// Somebody asked to stop.
    #[error("stopped before its end")]
    Interrupted,
    /// The API server did not do or answer something.
    #[error("{asked}")]
    Cluster {
        /// What was asked for.
        asked: String,
        /// Why.
        source: ClusterError,
    },
}

/// A rollout that did not come to what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The workload.
    pub(crate) id: WorkloadId,
    /// Why.
    pub(crate) reason: String,
    /// How its pods stood at last.
    pub(crate) pods: Vec<String>,
    /// What became of it.
    pub(crate) aftermath: Aftermath,
    /// Where others of the same plan came to what they are for: the line that goes back from these too.
    pub(crate) ahead: Option<String>,
}

/// What became of a rollout that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Aftermath {
    /// The pods run what they ran before.
    Undone,
    /// It was left as it is, because of this.
    Kept(String),
    /// It was to be undone, and that failed too.
    NotUndone(String),
}

impl ApplyError {
    /// True if the step was carried out and came to nothing, rather than not at all.
    pub(crate) fn is_failure(&self) -> bool {
        matches!(
            self,
            Self::Failed(_) | Self::Upgrade { .. } | Self::Upgraded { .. }
        )
    }

    /// How the program ends with it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::OtherCluster { .. }
            | Self::Changed { .. }
            | Self::OtherRevision { .. }
            | Self::Lease(LeaseError::Held { .. } | LeaseError::Lost { .. }) => Exit::Guarded,
            Self::NotAllowed { .. } => Exit::Refused,
            Self::Failed(_)
            | Self::Upgrade { .. }
            | Self::Upgraded { .. }
            | Self::Midway { .. } => Exit::Failed,
            Self::NoHelm | Self::Helm(_) => Exit::Workstation,
            Self::Interrupted => Exit::Interrupted,
            Self::Cluster { source, .. } | Self::Lease(LeaseError::Cluster(source)) => match source
            {
                ClusterError::Unauthorized | ClusterError::Forbidden { .. } => Exit::Refused,
                _ => Exit::Failed,
            },
        }
    }

    /// What else is to be said, and what to do next.
    pub(crate) fn hints(&self) -> Vec<String> {
        match self {
            Self::Failed(failure) => {
                let at_last = |pod: &String| format!("at last: {pod}");
                let mut hints: Vec<String> = failure.pods.iter().map(at_last).collect();
                hints.push(match &failure.aftermath {
                    Aftermath::Undone => {
                        "it was undone: the pods run what they ran before, and nothing was recorded"
                            .to_owned()
                    }
                    Aftermath::Kept(why) => format!("it was left as it is: {why}"),
                    Aftermath::NotUndone(why) => {
                        format!("it could not be undone: {why}; look at the workload at once")
                    }
                });
                hints.extend(failure.ahead.iter().map(|line| {
                    format!("other workloads were brought forward before; go back from that too with `{line}`")
                }));
                hints
            }
            Self::Interrupted | Self::Lease(LeaseError::Lost { .. }) => vec![
                "run the same command again: it finds where this one stood, and goes on there"
                    .to_owned(),
            ],
            Self::NotAllowed { .. } => vec![
                "ask the cluster's administrator for them; --print-rbac prints all rights that the command needs"
                    .to_owned(),
            ],
            Self::Upgrade { .. } => vec![
                "Helm goes back to the revision before by itself; see what became of it with `helm history`".to_owned(),
            ],
            Self::Upgraded { way_back, .. } => vec![format!("the new revision stays; go back from it with `{way_back}`")],
            Self::Midway { source, .. } => source.hints(),
            Self::Helm(error) => error.hints(),
            Self::NoHelm => Vec::new(),
            Self::Changed { .. } | Self::OtherCluster { .. } | Self::OtherRevision { .. } => {
                vec!["nothing more was done; look at the plan again with --dry-run".to_owned()]
            }
            Self::Lease(LeaseError::Held { .. }) => {
                vec!["run the same command again when that is done".to_owned()]
            }
            Self::Cluster { source, .. } | Self::Lease(LeaseError::Cluster(source)) => {
                source.hints()
            }
        }
    }
}

/// What is said of a lease that was not to be had, or was lost.
fn lease(error: &LeaseError) -> String {
    match error {
        LeaseError::Lost { .. } => error.to_string(),
        LeaseError::Held { .. } | LeaseError::Cluster(_) => format!("nothing was begun: {error}"),
    }
}

impl ApplyError {
    /// The same once something was done: that a guard says no is no answer then.
    pub(super) fn after(self, plan: &Plan) -> Self {
        let done = plan
            .steps
            .iter()
            .filter(|step| step.state == StepState::Done)
            .count();
        if done == 0 || self.exit() != Exit::Guarded {
            return self;
        }
        Self::Midway {
            done,
            all: plan.steps.len(),
            source: Box::new(self),
        }
    }

    /// A part of a workload that was to be changed is not there any more.
    pub(super) fn missing(id: &WorkloadId, part: &MissingPart) -> Self {
        Self::Changed {
            id: id.clone(),
            what: part.to_string(),
        }
    }
}
