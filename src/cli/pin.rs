//! `pin` and `unpin`.

use clap::Args;
use tracebloc_core::plan::{Aim, PinWish};

use super::values::Limit;
use super::{ApprovalArgs, PlanFormat, RegistryArgs, ReleaseSelector};

/// Hold an image at what runs now, until `unpin`: by the chart's own value, with a Helm upgrade that changes nothing else
///
/// The chart's own refresh leaves an image whose digest is in the values, and so do `refresh` and later upgrades. It takes `helm` 3.14 or later; where the
/// values are kept elsewhere, --print-values prints what to set there. Where the chart has no such value and nothing of it moves the image, the
/// workload itself is changed.
#[derive(Debug, Args)]
pub(crate) struct PinArgs {
    #[command(flatten)]
    pub(crate) hold: HoldArgs,
    /// Change nothing; print the values that pin what runs, as YAML
    #[arg(long, conflicts_with_all = ["dry_run", "yes", "output", "print_rbac"])]
    pub(crate) print_values: bool,
}

/// Let go of an image that `pin` holds, so that it follows its tag again
///
/// The user's value is taken away, so that the chart's default counts again; what the chart itself pins stays pinned.
#[derive(Debug, Args)]
pub(crate) struct UnpinArgs {
    #[command(flatten)]
    pub(crate) hold: HoldArgs,
}

/// What both take.
#[derive(Debug, Args)]
pub(crate) struct HoldArgs {
    /// The release: RELEASE or NAMESPACE/RELEASE
    #[arg(value_name = "RELEASE")]
    pub(crate) release: Option<ReleaseSelector>,
    /// The image, by its name in `outdated`; repeatable
    #[arg(long, value_name = "NAME", value_delimiter = ',', required = true)]
    pub(crate) image: Vec<String>,
    /// The chart repository to take the deployed version from, by URL or by its name in `helm repo list`, instead of the one that the release names
    #[arg(long, value_name = "REPOSITORY")]
    pub(crate) repo: Option<String>,
    /// Act although another tool, such as Argo CD, looks after the release
    #[arg(long)]
    pub(crate) override_managed: bool,
    /// Wait so long for workloads to settle, in place of refusing
    #[arg(long, value_name = "DURATION")]
    pub(crate) wait_settled: Option<Limit>,
    /// Wait so long for Jobs of the chart that change the same workloads, in place of refusing
    #[arg(long, value_name = "DURATION")]
    pub(crate) wait_for_jobs: Option<Limit>,
    #[command(flatten)]
    pub(crate) approval: ApprovalArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    /// The form of the answer
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: PlanFormat,
    /// Ask nobody; print the least rights that this very call needs beside those of Helm's upgrade, as Roles
    #[arg(long)]
    pub(crate) print_rbac: bool,
}

impl HoldArgs {
    /// What is wanted.
    pub(crate) fn wish(&self, aim: Aim, helm: Option<u64>) -> PinWish {
        PinWish {
            images: self.image.iter().cloned().collect(),
            aim,
            override_managed: self.override_managed,
            helm,
        }
    }
}
