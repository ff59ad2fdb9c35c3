//! The plan of `refresh`: running content is brought to what is published, in the way that the chart's generation does it itself (DOMAIN §4), and
//! nothing that its own job would not understand is left behind.

mod age;
mod back;
mod changes;
mod decide;
mod guards;
mod pace;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use super::{Decision, Plan, Refusal, Rollout, Step};
use jiff::SignedDuration;

use crate::advice::Advisor;
use crate::assess::{self, Question};
use crate::change::{ANNOTATION, Change, ROLLBACK};
use crate::finding::Finding;
use crate::nearest::nearest;
use crate::profile::{Kinship, Profile};
use crate::release::Release;
use crate::report::{API_VERSION, ImageReport, ReleaseReport};
use crate::snapshot::{Evidence, Gap, ObservedRelease, Snapshot};
use crate::workload::{LiveWorkload, WorkloadId};

use decide::Judged;
pub use pace::Pace;

/// How many names a message about a wrong one offers.
const SUGGESTIONS: usize = 3;

/// What the user wants of `refresh`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RefreshWish {
    /// `--image`: these only, whatever they are.
    pub images: BTreeSet<String>,
    /// `--workload`: in these only.
    pub workloads: BTreeSet<String>,
    /// `--all`: every image of the release, not only those that the chart's own refresh follows.
    pub all: bool,
    /// `--action`: in this way only.
    pub action: Option<WishedAction>,
    /// `--force`: act although nothing was ever recorded.
    pub force: bool,
    /// `--min-age`: leave what has not been published for so long, as far as we have seen.
    pub min_age: Option<SignedDuration>,
    /// `--max-rollouts` and `--per`: no more rollouts than so many in a time.
    pub pace: Option<Pace>,
    /// `--clear-flap`: try again although rollouts failed again and again.
    pub clear_flap: bool,
    /// `--override-managed`: act although another tool looks after the release.
    pub override_managed: bool,
    /// `--rollback`: go back from the last refresh.
    pub rollback: bool,
    /// `--on-failure`: leave what failed as it is.
    pub keep_failed: bool,
}

/// The way in which pods are brought to other content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WishedAction {
    /// Only write what runs into the records.
    Record,
    /// Start pods anew.
    Restart,
    /// Set images to exact content.
    SetImage,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WishError {
    /// The snapshot holds no release.
    #[error("there is no release to refresh")]
    NoRelease,
    /// The release's record could not be read, and with it nothing of what it consists of.
    #[error("the record of the release could not be read: {}", .0.message)]
    Unreadable(Gap),
    /// `--image` names none of the release's.
    #[error("the release has no image `{name}`")]
    NoImage {
        /// The name.
        name: String,
        /// What may have been meant; all of them where nothing is near.
        known: Vec<String>,
    },
    /// `--workload` names none of the release's.
    #[error("the release has no workload `{name}`")]
    NoWorkload {
        /// The name.
        name: String,
        /// What may have been meant; all of them where nothing is near.
        known: Vec<String>,
    },
}

/// What a plan is made from.
struct Facts<'facts> {
    snapshot: &'facts Snapshot,
    profile: &'facts Profile,
    wish: &'facts RefreshWish,
    advisor: Advisor<'facts>,
    observed: &'facts ObservedRelease,
    release: &'facts Release,
    /// The workload that carries the records, where there is one.
    main: Option<&'facts LiveWorkload>,
    report: &'facts ReleaseReport,
    findings: &'facts [Finding],
    is_ours: bool,
}

/// Plans a refresh of the one release of a snapshot.
pub fn refresh(
    snapshot: &Snapshot,
    profile: &Profile,
    wish: &RefreshWish,
) -> Result<Plan, WishError> {
    let observed = snapshot.releases.first().ok_or(WishError::NoRelease)?;
    let release = match observed.current() {
        Evidence::Known(release) => release,
        Evidence::Unknown(gap) => return Err(WishError::Unreadable(gap.clone())),
    };
    let question = Question {
        digest: true,
        all_images: wish.all || !wish.images.is_empty(),
        ..Question::default()
    };
    let outdated = assess::outdated(snapshot, profile, &question);
    let report = outdated.releases.first().ok_or(WishError::NoRelease)?;
    let facts = Facts {
        snapshot,
        profile,
        wish,
        advisor: Advisor::new(&snapshot.context),
        observed,
        release,
        main: main_workload(snapshot, profile, release),
        report,
        findings: &outdated.findings,
        is_ours: profile.kinship(release) == Kinship::Ours,
    };
    facts.check_names()?;
    let open = facts.open_changes();
    let mut warnings = Vec::new();
    let mut noted = None;
    let mut too_fast = None;
    let (judged, rollouts) = if !open.is_empty() {
        warnings.push(
            "an earlier run did not end: it is finished first, and what is behind after it takes another one"
                .to_owned(),
        );
        (Vec::new(), open)
    } else if wish.rollback {
        facts.back(&mut warnings)
    } else {
        let mut judged = facts.judge(&mut warnings);
        noted = facts.hold_back(&mut judged);
        let mut rollouts = facts.rollouts(&mut judged, &mut warnings);
        too_fast = facts.slow_down(&mut judged, &mut rollouts);
        (judged, rollouts)
    };
    let mut refusals = facts.refusals(&judged, &rollouts);
    refusals.extend(too_fast);
    let mut steps: Vec<Step> = noted.into_iter().collect();
    steps.extend(facts.steps(&judged, rollouts, &mut warnings));
    Ok(Plan {
        api_version: API_VERSION.to_owned(),
        kind: "Plan".to_owned(),
        command: if wish.rollback { ROLLBACK } else { "refresh" }.to_owned(),
        context: outdated.context.clone(),
        release: observed.newest.id.clone(),
        images: judged.into_iter().map(|judged| judged.plan).collect(),
        jobs: guards::chart_jobs(&facts)
            .into_iter()
            .map(|live| live.workload.id.clone())
            .collect(),
        on_failure: facts.on_failure(&steps),
        steps,
        refusals,
        warnings,
    })
}

/// The live workload that carries the records of a release.
fn main_workload<'facts>(
    snapshot: &'facts Snapshot,
    profile: &Profile,
    release: &Release,
) -> Option<&'facts LiveWorkload> {
    snapshot.live.iter().find(|live| {
        live.workload.id.namespace == release.head.id.namespace
            && profile
                .main_workload
                .matches(&live.workload.id, &release.head.id.name)
    })
}

impl Facts<'_> {
    /// Names that are not the release's are a mistake, not an empty wish.
    fn check_names(&self) -> Result<(), WishError> {
        let images: BTreeSet<&str> = self
            .report
            .images
            .iter()
            .map(|image| image.name.as_str())
            .collect();
        let workloads: BTreeSet<&str> = self
            .release
            .workloads
            .iter()
            .filter(|workload| workload.id.kind.rolls_out())
            .map(|workload| workload.id.name.as_str())
            .collect();
        let meant = |known: &BTreeSet<&str>, name: &str| {
            let near = nearest(known.iter().copied(), name, SUGGESTIONS);
            if near.is_empty() {
                known.iter().map(|&known| known.to_owned()).collect()
            } else {
                near
            }
        };
        if let Some(name) = self
            .wish
            .images
            .iter()
            .find(|name| !images.contains(name.as_str()))
        {
            return Err(WishError::NoImage {
                name: name.clone(),
                known: meant(&images, name),
            });
        }
        match self.wish.workloads.iter().find(|name| {
            !workloads
                .iter()
                .any(|known| name.rsplit('/').next() == Some(known))
        }) {
            Some(name) => Err(WishError::NoWorkload {
                name: name.clone(),
                known: meant(&workloads, name),
            }),
            None => Ok(()),
        }
    }

    /// True if `--workload` leaves that one in.
    fn is_selected(&self, id: &WorkloadId) -> bool {
        let wished = &self.wish.workloads;
        wished.is_empty() || wished.contains(&id.name) || wished.contains(&id.to_string())
    }

    fn live(&self, id: &WorkloadId) -> Option<&LiveWorkload> {
        self.snapshot
            .live
            .iter()
            .find(|live| live.workload.id == *id)
    }

    /// A number that an annotation of the main workload holds.
    fn count(&self, key: &str) -> u32 {
        self.main
            .and_then(|main| main.records.get(key)?.trim().parse().ok())
            .unwrap_or(0)
    }

    /// The workloads in the order in which they roll out: the main one first, as the chart's own job does it.
    fn order(&self) -> Vec<&WorkloadId> {
        let main = self.main.map(|main| &main.workload.id);
        let mut order: Vec<&WorkloadId> = self
            .release
            .workloads
            .iter()
            .map(|workload| &workload.id)
            .collect();
        order.sort_by_key(|id| Some(*id) != main);
        order
    }

    /// What other runs began and did not live to see the end of.
    fn open_changes(&self) -> BTreeMap<WorkloadId, Rollout> {
        let changes = self.snapshot.live.iter().filter_map(|live| {
            let change = Change::parse(live.records.get(ANNOTATION)?)?;
            let is_of_release = self
                .release
                .workloads
                .iter()
                .any(|workload| workload.id == live.workload.id);
            (change.state.is_open() && is_of_release).then(|| {
                let rollout = Rollout {
                    workload: live.workload.id.clone(),
                    uid: live.uid.clone(),
                    containers: change.containers.clone(),
                    finishes: Some(change),
                };
                (live.workload.id.clone(), rollout)
            })
        });
        changes.collect()
    }

    /// Every rollout that is needed, one for each workload.
    fn rollouts(
        &self,
        judged: &mut [Judged<'_>],
        warnings: &mut Vec<String>,
    ) -> BTreeMap<WorkloadId, Rollout> {
        let mut rollouts: BTreeMap<WorkloadId, Rollout> = BTreeMap::new();
        let mut taken_along = true;
        while std::mem::take(&mut taken_along) {
            rollouts.clear();
            for image in judged
                .iter()
                .filter(|image| image.plan.decision == Decision::Move)
            {
                for (workload, change) in self.changes(image) {
                    let uid = self.live(&workload).map(|live| live.uid.clone());
                    rollouts
                        .entry(workload.clone())
                        .or_insert_with(|| Rollout {
                            workload,
                            uid: uid.unwrap_or_default(),
                            containers: Vec::new(),
                            finishes: None,
                        })
                        .containers
                        .push(change);
                }
            }
            // Pods that start anew pull every tag that moved: what is too young would come with what is not.
            let young: BTreeSet<WorkloadId> = judged
                .iter()
                .filter(|image| image.plan.decision == Decision::TooYoung)
                .flat_map(|image| self.pulled_by(image, &rollouts))
                .collect();
            for image in judged
                .iter_mut()
                .filter(|image| image.plan.decision == Decision::Move)
            {
                if self.changes(image).iter().any(|(id, _)| young.contains(id)) {
                    image.plan.decision = Decision::TooYoung;
                    "its pods would also pull what is too young".clone_into(&mut image.plan.reason);
                    taken_along = true;
                }
            }
            // And so would what was only to be recorded, or was not asked for: that is moved too, and said so.
            for image in judged.iter_mut() {
                let stays = matches!(
                    image.plan.decision,
                    Decision::Record | Decision::NotAskedFor
                );
                if stays && !self.pulled_by(image, &rollouts).is_empty() {
                    image.plan.decision = Decision::Move;
                    image.to_record.clone_from(&image.plan.published);
                    "its pods start anew for another image, and pull what is published"
                        .clone_into(&mut image.plan.reason);
                    taken_along = true;
                }
            }
        }
        for rollout in rollouts.values() {
            let rootless: Vec<&str> = rollout
                .containers
                .iter()
                .filter(|change| change.former.is_none())
                .map(|change| change.container.as_str())
                .collect();
            if !rootless.is_empty() && !self.wish.keep_failed {
                warnings.push(format!(
                    "what {} runs in {} now cannot be pulled by its digest, so that it cannot be brought back",
                    rollout.workload,
                    rootless.join(", ")
                ));
            }
        }
        rollouts
    }

    fn refusals(
        &self,
        judged: &[Judged<'_>],
        rollouts: &BTreeMap<WorkloadId, Rollout>,
    ) -> Vec<Refusal> {
        // With nothing to do there is nothing to refuse.
        let writes = judged
            .iter()
            .any(|image| matches!(image.plan.decision, Decision::Move | Decision::Record));
        if !writes && rollouts.is_empty() {
            return Vec::new();
        }
        guards::refusals(self, judged, rollouts)
    }

    fn image_report(&self, judged: &Judged<'_>) -> &ImageReport {
        &self.report.images[judged.index]
    }
}

#[cfg(test)]
mod tests;
