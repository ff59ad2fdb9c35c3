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

use crate::assess::{self, Question};
use crate::name::ReleaseId;
use crate::profile::Profile;
use crate::report::{API_VERSION, ContextReport};
use crate::snapshot::Snapshot;
use crate::workload::WorkloadId;

/// What a command is about to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = without_release)]
pub struct Plan {
    /// The format's version: `tracebloc.io/v1alpha1`.
    pub api_version: String,
    /// `Plan`.
    pub kind: String,
    /// The command whose plan it is, such as `refresh`.
    pub command: String,
    /// The cluster that is changed.
    pub context: ContextReport,
    /// The release that is changed; absent where there is none, and then there is nothing to do.
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

/// The same where there is no release to make a plan for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NoPlan {
    api_version: String,
    kind: String,
    command: String,
    context: ContextReport,
    images: Vec<ImagePlan>,
    steps: Vec<Step>,
    jobs: Vec<WorkloadId>,
    on_failure: OnFailure,
    refusals: Vec<Refusal>,
    warnings: Vec<String>,
}

impl NoPlan {
    /// For a command that found no release in a snapshot, with what is worth knowing of that.
    pub fn new(
        snapshot: &Snapshot,
        profile: &Profile,
        command: &str,
        warnings: Vec<String>,
    ) -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            kind: "Plan".to_owned(),
            command: command.to_owned(),
            context: assess::outdated(snapshot, profile, &Question::default()).context,
            images: Vec::new(),
            steps: Vec::new(),
            jobs: Vec::new(),
            on_failure: OnFailure::default(),
            refusals: Vec::new(),
            warnings,
        }
    }
}

/// A reader meets plans without a release too: see [`NoPlan`].
fn without_release(schema: &mut schemars::Schema) {
    let required = schema
        .get_mut("required")
        .and_then(|names| names.as_array_mut());
    if let Some(names) = required {
        names.retain(|name| name != "release");
    }
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
