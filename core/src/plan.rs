//! Plans: the unit of change (DESIGN §1.2). A plan is made from a snapshot and a wish, without I/O; what `--dry-run` prints is what a real run does.

mod ground;
mod guard;
mod guards;
mod image;
mod pin;
mod refresh;
mod step;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use ground::WishError;
pub use guard::{Guard, Refusal};
pub use image::{Decision, ImagePlan};
pub use pin::{Aim, PinWish, Pinning, pin};
pub use refresh::{Pace, RefreshWish, WishedAction, refresh};
pub use step::{
    Act, AttemptCounter, Beside, ObjectRef, OnFailure, Record, Rollout, Setting, Step, StepState,
    Suspension, ValueChange,
};

use crate::name::ReleaseId;
use crate::report::ContextReport;
use crate::workload::WorkloadId;

/// What a command is about to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The format's version: `tracebloc.io/v1alpha1`.
    pub api_version: String,
    /// `Plan`.
    pub kind: String,
    /// The command whose plan it is, such as `refresh`.
    pub command: String,
    /// The cluster that is changed.
    pub context: ContextReport,
    /// The release that is changed.
    pub release: ReleaseId,
    /// What was decided about each image, and why.
    pub images: Vec<ImagePlan>,
    /// What is done, in this order.
    pub steps: Vec<Step>,
    /// The chart's own jobs that change the same workloads: while one of them runs, no rollout is begun.
    pub jobs: Vec<WorkloadId>,
    /// What becomes of a step that does not come to what it is for.
    pub on_failure: OnFailure,
    /// Why nothing is done: guards that say no. A plan with any of them is not carried out.
    pub refusals: Vec<Refusal>,
    /// What should be known before it is approved.
    pub warnings: Vec<String>,
}

impl Plan {
    /// True if there is nothing to do, and nothing that keeps anything from being done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.refusals.is_empty()
    }

    /// True if some image that the command is about could not be judged.
    pub fn is_incomplete(&self) -> bool {
        self.images
            .iter()
            .any(|image| image.decision == Decision::Unknown)
    }
}
