//! The plans of `pin` and `unpin`: an image is held at what runs by the chart's own value, since the chart's refresh knows no other mark. Only where the
//! chart has none, and nothing of the chart would move the image, the workload itself is changed (DESIGN §3, DOMAIN §3).

mod content;
mod guards;
mod judge;
mod keel;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use super::ground::{Ground, WishError};
use super::{Decision, OnFailure, Plan};
use crate::assess::{self, Question};
use crate::image::Digest;
use crate::profile::Profile;
use crate::report::{API_VERSION, ImageReport};
use crate::snapshot::Snapshot;
use crate::workload::WorkloadId;

use judge::{Judged, Way};

/// What the user wants of `pin` or `unpin`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PinWish {
    /// `--image`.
    pub images: BTreeSet<String>,
    /// True for `unpin`.
    pub lets_go: bool,
    /// The major version of the Helm that would carry it out, where there is one: Helm 3 minds no field managers (FACTS 5.4).
    pub helm: Option<u64>,
}

/// A plan, and what it comes to as values.
#[derive(Debug, Clone, PartialEq)]
pub struct Pinning {
    /// The plan.
    pub plan: Plan,
    /// By path, what pins what runs, whether it is set already or not: for those who keep their values elsewhere.
    pub values: BTreeMap<String, Digest>,
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
    let mut warnings = warnings(&judged);
    let steps = facts.steps(&judged, &mut warnings);
    let values = judged
        .iter()
        .filter_map(|image| Some((image.wanted.as_ref()?, &image.values)))
        .flat_map(|(wanted, paths)| paths.iter().map(|path| (path.clone(), wanted.clone())))
        .collect();
    let refusals = facts.refusals(&judged, &steps, &values);
    let plan = Plan {
        api_version: API_VERSION.to_owned(),
        kind: "Plan".to_owned(),
        command: if wish.lets_go { "unpin" } else { "pin" }.to_owned(),
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
    Ok(Pinning { plan, values })
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
}

/// What should be known before a plan is approved.
fn warnings(judged: &[Judged<'_>]) -> Vec<String> {
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
                _ => {}
            }
    }
    warnings
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
