//! The plans that choose what an image is by the chart's own values: `pin` holds it at what runs, since the chart's refresh knows no other mark, `unpin`
//! lets it go, and `refresh --tag` moves it to another tag. Only where the chart has no such value, and nothing of the chart would move the image, the
//! workload itself is changed (DESIGN §3, DOMAIN §3).

mod content;
mod guards;
mod judge;
mod keel;
mod steps;
mod tag;

use std::collections::{BTreeMap, BTreeSet};

use super::ground::{Ground, WishError};
use super::{Decision, Guard, OnFailure, Plan, Setting};
use crate::assess::{self, Question};
use crate::image::Tag;
use crate::profile::Profile;
use crate::report::{API_VERSION, ImageReport};
use crate::snapshot::Snapshot;
use crate::workload::WorkloadId;

use judge::{Judged, Way};

/// What is to become of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Aim {
    /// `pin`: it stays at what runs.
    #[default]
    Hold,
    /// `unpin`: it follows its tag again.
    LetGo,
    /// `refresh --tag`: it is moved to that tag.
    Tag {
        /// The tag.
        tag: Tag,
        /// `--allow-downgrade`: also where that is not newer for sure.
        allow_downgrade: bool,
    },
}

/// What the user wants of `pin`, `unpin` or `refresh --tag`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PinWish {
    /// `--image`.
    pub images: BTreeSet<String>,
    /// What is to become of them.
    pub aim: Aim,
    /// `--override-managed`: act although another tool looks after the release.
    pub override_managed: bool,
    /// The major version of the Helm that would carry it out, where there is one: Helm 3 minds no field managers (FACTS 5.4).
    pub helm: Option<u64>,
}

/// A plan, and what it comes to as values.
#[derive(Debug, Clone, PartialEq)]
pub struct Pinning {
    /// The plan.
    pub plan: Plan,
    /// By path, what the values are to be, whether they are so already or not: for those who keep theirs elsewhere.
    pub values: BTreeMap<String, Setting>,
    /// Where the plan cannot be carried out here: the line that prints the values, where the command has one.
    pub printed: Option<String>,
    /// And the lines that do the same by another Helm, where the plan upgrades the release.
    pub by_hand: Vec<String>,
}

/// Why one image is left as it is, with the ways out.
struct No {
    guard: Guard,
    message: String,
    advice: Vec<String>,
}

impl No {
    fn new(guard: Guard, message: impl Into<String>) -> Self {
        Self {
            guard,
            message: message.into(),
            advice: Vec::new(),
        }
    }

    fn advise(self, line: impl Into<String>) -> Self {
        self.advise_all([line.into()])
    }

    fn advise_all(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.advice.extend(lines);
        self
    }
}

/// What a plan is made from.
struct Facts<'facts> {
    ground: Ground<'facts>,
    wish: &'facts PinWish,
}

/// Plans a pin, or its end, for the one release of a snapshot.
pub fn pin(snapshot: &Snapshot, profile: &Profile, wish: &PinWish) -> Result<Pinning, WishError> {
    let question = Question {
        digest: true,
        all_images: true,
        ..Question::default()
    };
    let outdated = assess::outdated(snapshot, profile, &question);
    let facts = Facts {
        ground: Ground::by_record(snapshot, profile, &outdated)?,
        wish,
    };
    facts.ground.check_images(&wish.images)?;
    let judged: Vec<Judged<'_>> = facts
        .ground
        .report
        .images
        .iter()
        .filter(|image| wish.images.contains(&image.name))
        .map(|image| facts.judge(image))
        .collect();
    let mut warnings = facts.warnings(&judged);
    let steps = facts.steps(&judged, &mut warnings);
    let values = judged
        .iter()
        .flat_map(|image| &image.settings)
        .filter_map(|(path, setting)| Some((path.clone(), setting.clone()?)))
        .collect();
    let refusals = facts.refusals(&judged, &steps, &values);
    let printed = facts.printed(&judged);
    let by_hand = facts.by_hand(&judged, &[]);
    let plan = Plan {
        api_version: API_VERSION.to_owned(),
        kind: "Plan".to_owned(),
        command: wish.aim.command().to_owned(),
        context: outdated.context.clone(),
        release: facts.ground.observed.newest.id.clone(),
        images: judged.into_iter().map(|judged| judged.plan).collect(),
        jobs: super::guards::job_ids(&facts.ground),
        on_failure: OnFailure {
            undo: !steps.is_empty(),
            ..OnFailure::default()
        },
        steps,
        refusals,
        warnings,
    };
    Ok(Pinning {
        plan,
        values,
        printed,
        by_hand,
    })
}

impl Aim {
    /// The command that has it.
    fn command(&self) -> &'static str {
        match self {
            Self::Hold => "pin",
            Self::LetGo => "unpin",
            Self::Tag { .. } => "refresh",
        }
    }
}

impl Facts<'_> {
    /// The workloads that a judgement changes, the main one first.
    fn touched<'judged>(&self, judged: &'judged [Judged<'_>]) -> Vec<&'judged WorkloadId> {
        let main = self.ground.main.map(|main| &main.workload.id);
        let touched: BTreeSet<&WorkloadId> = judged
            .iter()
            .filter(|image| !matches!(image.way, Way::Nothing | Way::Refused(_)))
            .flat_map(|image| image.changes.keys())
            .collect();
        let mut touched: Vec<&WorkloadId> = touched.into_iter().collect();
        touched.sort_by_key(|id| Some(*id) != main);
        touched
    }

    /// What should be known before a plan is approved.
    fn warnings(&self, judged: &[Judged<'_>]) -> Vec<String> {
        let mut warnings = Vec::new();
        for image in judged {
            match image.plan.decision {
                Decision::Pin if image.is_of_one_platform => warnings.push(format!(
                    "{}: what runs is known by the digest of one platform, so that nodes of another one cannot run it",
                    image.plan.name
                )),
                Decision::Unpin => warnings.push(format!(
                    "{}: its pods start anew, with what its tag points to then",
                    image.plan.name
                )),
                Decision::Move => warnings.extend(self.tag_warnings(image)),
                _ => {}
            }
        }
        warnings
    }
}

/// The workloads that roll out and run an image.
fn users(image: &ImageReport) -> Vec<&WorkloadId> {
    let users: BTreeSet<&WorkloadId> = image
        .references
        .iter()
        .map(|reference| &reference.workload.workload)
        .filter(|id| id.kind.rolls_out())
        .collect();
    users.into_iter().collect()
}

#[cfg(test)]
mod tests;
