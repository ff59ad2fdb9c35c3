//! `refresh`.

use std::num::NonZeroUsize;

use clap::{Args, ValueEnum};
use jiff::SignedDuration;
use tracebloc_core::image::Tag;
use tracebloc_core::plan::{Aim, Pace, RefreshWish, WishedAction};

use super::values::Limit;
use super::{ApprovalArgs, HoldArgs, RegistryArgs, ReleaseSelector};

/// Bring what runs to what is published: a tag that moved is pulled again, with a plan first and a way back
///
/// Without a release: the one of the context's namespace, or, where that has none, of the whole cluster. The images are those that the chart's own
/// refresh follows, and what it records is read and written in the same way.
#[derive(Debug, Args)]
pub(crate) struct RefreshArgs {
    /// The release to refresh: RELEASE or NAMESPACE/RELEASE
    #[arg(value_name = "RELEASE")]
    pub(crate) release: Option<ReleaseSelector>,
    /// Only this image, by its name in `outdated`; repeatable
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) image: Vec<String>,
    /// Move the images of --image to this tag, by the chart's own value and a Helm upgrade that changes nothing else
    #[arg(
        long,
        value_name = "TAG",
        requires = "image",
        conflicts_with_all = [
            "workload", "all", "action", "force", "min_age", "max_rollouts", "clear_flap", "rollback", "on_failure",
        ]
    )]
    pub(crate) tag: Option<Tag>,
    /// With --tag: also to one that is older, or cannot be compared with the one that runs
    #[arg(long, requires = "tag")]
    pub(crate) allow_downgrade: bool,
    /// With --tag: the chart repository to take the deployed version from, by URL or by its name in `helm repo list`
    #[arg(long, value_name = "REPOSITORY", requires = "tag")]
    pub(crate) repo: Option<String>,
    /// Only this workload: NAME or KIND/NAME; repeatable
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) workload: Vec<String>,
    /// Every image of the release, also those that the chart's own refresh does not follow
    #[arg(long)]
    pub(crate) all: bool,
    /// In this way only, whatever fits the chart
    #[arg(long, value_name = "WAY")]
    pub(crate) action: Option<RefreshAction>,
    /// Act at once on images that are seen for the first time, in place of recording what runs
    #[arg(long)]
    pub(crate) force: bool,
    /// Leave what has been published for less than so long, as far as earlier runs with this flag have seen
    #[arg(long, value_name = "DURATION")]
    pub(crate) min_age: Option<Limit>,
    /// Begin no more rollouts of the release than so many in the time of --per, those of earlier runs counted
    #[arg(long, value_name = "N", requires = "per")]
    pub(crate) max_rollouts: Option<usize>,
    /// The time of --max-rollouts
    #[arg(long, value_name = "DURATION", requires = "max_rollouts")]
    pub(crate) per: Option<Limit>,
    /// Try again although rollouts failed again and again
    #[arg(long)]
    pub(crate) clear_flap: bool,
    /// Go back from the last refresh to what ran before it, and have the chart's own refresh leave it
    #[arg(long, conflicts_with_all = ["all", "force", "action", "clear_flap"])]
    pub(crate) rollback: bool,
    /// Once it is gone back, hold what was gone back to, as `pin` does
    #[arg(long, requires = "rollback")]
    pub(crate) pin: bool,
    /// Act although another tool, such as Argo CD, looks after the release
    #[arg(long)]
    pub(crate) override_managed: bool,
    /// Wait so long for workloads to settle, in place of refusing
    #[arg(long, value_name = "DURATION")]
    pub(crate) wait_settled: Option<Limit>,
    /// Wait so long for Jobs of the chart that change the same workloads, in place of refusing
    #[arg(long, value_name = "DURATION")]
    pub(crate) wait_for_jobs: Option<Limit>,
    /// What becomes of a rollout that fails
    #[arg(long, value_name = "WHAT", default_value = "undo")]
    pub(crate) on_failure: FailurePolicy,
    /// Count a rollout as done once its pods have stayed ready for so long: without a probe they are ready as soon as they run
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    pub(crate) min_ready: Limit,
    /// Wait so long between two rollouts, or between two waves of them
    #[arg(long, value_name = "DURATION", default_value = "0")]
    pub(crate) soak: Limit,
    /// Have up to so many rollouts under way at once: the first goes alone, and the others in waves of so many
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) parallel: NonZeroUsize,
    #[command(flatten)]
    pub(crate) approval: ApprovalArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    /// The form of the answer
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: PlanFormat,
    /// Ask nobody; print the least rights that this very call needs, as Roles
    #[arg(long)]
    pub(crate) print_rbac: bool,
}

/// The way in which pods come to other content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RefreshAction {
    /// Only write what runs into the chart's records.
    Record,
    /// Start pods anew, which pulls where the pull policy is Always.
    Restart,
    /// Set images to exact content.
    SetImage,
}

/// What becomes of a rollout that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailurePolicy {
    /// The pods are brought back to what they ran.
    Undo,
    /// It is left as it is.
    Keep,
}

/// The form of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// For people.
    Table,
    /// The same with whole digests, and what is recorded.
    Wide,
    /// The plan as JSON; after a real run with what became of each step.
    Json,
    /// The same as YAML.
    Yaml,
}

impl PlanFormat {
    /// True if it is for people.
    pub(crate) fn is_screen(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

/// The same as the core counts time; what it has no number for is for ever.
fn signed(limit: Limit) -> SignedDuration {
    SignedDuration::try_from(limit.0).unwrap_or(SignedDuration::MAX)
}

impl RefreshArgs {
    /// With `--pin`: what is held afterwards.
    pub(crate) fn hold(&self) -> Option<HoldArgs> {
        self.pin.then(|| self.chosen())
    }

    /// With `--tag`: what is to become of the images, and which.
    pub(crate) fn aim(&self) -> Option<(Aim, HoldArgs)> {
        let aim = Aim::Tag {
            tag: self.tag.clone()?,
            allow_downgrade: self.allow_downgrade,
        };
        Some((aim, self.chosen()))
    }

    /// The same images for the commands that choose them by values.
    fn chosen(&self) -> HoldArgs {
        HoldArgs {
            release: self.release.clone(),
            image: self.image.clone(),
            repo: self.repo.clone(),
            override_managed: self.override_managed,
            wait_settled: self.wait_settled,
            wait_for_jobs: self.wait_for_jobs,
            approval: self.approval.clone(),
            registry: self.registry.clone(),
            output: self.output,
            print_rbac: self.print_rbac,
        }
    }

    /// What is wanted.
    pub(crate) fn wish(&self) -> RefreshWish {
        RefreshWish {
            images: self.image.iter().cloned().collect(),
            workloads: self.workload.iter().cloned().collect(),
            all: self.all,
            action: self.action.map(|action| match action {
                RefreshAction::Record => WishedAction::Record,
                RefreshAction::Restart => WishedAction::Restart,
                RefreshAction::SetImage => WishedAction::SetImage,
            }),
            force: self.force,
            min_age: self.min_age.map(signed),
            pace: self.max_rollouts.zip(self.per).map(|(most, per)| Pace {
                most,
                per: signed(per),
            }),
            clear_flap: self.clear_flap,
            override_managed: self.override_managed,
            rollback: self.rollback,
            keep_failed: self.on_failure == FailurePolicy::Keep,
            parallel: Some(self.parallel),
            timeout: signed(self.approval.timeout),
            soak: signed(self.soak),
        }
    }
}
