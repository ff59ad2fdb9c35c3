//! The plan of `refresh`: running content is brought to what is published, in the way that the chart's generation does it itself (DOMAIN §4), and
//! nothing that its own job would not understand is left behind.

mod age;
mod back;
mod changes;
mod decide;
mod flap;
mod guards;
mod pace;
mod pause;
mod since;
mod steps;
mod waves;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::ops::Deref;

use jiff::SignedDuration;

use super::ground::{Ground, meant};
use super::{Decision, Plan, Refusal, Rollout, Step, WishError};
use crate::assess::{self, Question};
use crate::change::{ANNOTATION, Change, REFRESH, ROLLBACK};
use crate::profile::Profile;
use crate::report::{API_VERSION, ImageReport};
use crate::snapshot::Snapshot;
use crate::workload::WorkloadId;

use decide::Judged;
pub use pace::Pace;

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
    /// `--parallel`: no more rollouts at once than so many; one where it is not said.
    pub parallel: Option<NonZeroUsize>,
    /// `--timeout`: how long one rollout may take.
    pub timeout: SignedDuration,
    /// `--soak`: how long is waited between two waves of rollouts.
    pub soak: SignedDuration,
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

/// What a plan is made from.
struct Facts<'facts> {
    ground: Ground<'facts>,
    wish: &'facts RefreshWish,
}

/// Plans a refresh of the one release of a snapshot.
pub fn refresh(
    snapshot: &Snapshot,
    profile: &Profile,
    wish: &RefreshWish,
) -> Result<Plan, WishError> {
    let question = Question {
        digest: true,
        all_images: wish.all || !wish.images.is_empty(),
        ..Question::default()
    };
    let outdated = assess::outdated(snapshot, profile, &question);
    let facts = Facts {
        ground: Ground::new(snapshot, profile, &outdated)?,
        wish,
    };
    facts.check_names()?;
    let open = facts.open_changes();
    let mut warnings: Vec<String> = facts.unread().into_iter().collect();
    let mut noted = Vec::new();
    let mut withheld: Vec<Refusal> = Vec::new();
    let (judged, rollouts) = if !open.is_empty() {
        warnings.push(
            "an earlier run did not end: it is finished first, and what is behind after it takes another one"
                .to_owned(),
        );
        (Vec::new(), open)
    } else if wish.rollback {
        let way = facts.back(&mut warnings);
        withheld = way.refusals;
        (way.judged, way.rollouts)
    } else {
        warnings.extend(facts.crashes());
        let mut judged = facts.judge(&mut warnings);
        noted = facts.hold_back(&mut judged);
        let mut rollouts = facts.rollouts(&mut judged, &mut warnings);
        withheld.extend(facts.slow_down(&mut judged, &mut rollouts));
        (judged, rollouts)
    };
    let mut refusals = facts.refusals(&judged, &rollouts);
    refusals.extend(withheld);
    let mut steps: Vec<Step> = noted;
    steps.extend(facts.steps(&judged, rollouts, &mut warnings));
    facts.pause(&mut steps);
    Ok(Plan {
        api_version: API_VERSION.to_owned(),
        kind: "Plan".to_owned(),
        command: if wish.rollback { ROLLBACK } else { REFRESH }.to_owned(),
        context: outdated.context.clone(),
        release: facts.observed.newest.id.clone(),
        images: judged.into_iter().map(|judged| judged.plan).collect(),
        jobs: super::guards::job_ids(&facts),
        on_failure: facts.on_failure(&steps),
        steps,
        refusals,
        warnings,
    })
}

impl<'facts> Deref for Facts<'facts> {
    type Target = Ground<'facts>;

    fn deref(&self) -> &Self::Target {
        &self.ground
    }
}

impl Facts<'_> {
    /// Names that are not the release's are a mistake, not an empty wish.
    fn check_names(&self) -> Result<(), WishError> {
        self.check_images(&self.wish.images)?;
        let workloads: BTreeSet<&str> = self
            .release
            .workloads
            .iter()
            .filter(|workload| workload.id.kind.rolls_out())
            .map(|workload| workload.id.name.as_str())
            .collect();
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

    /// What is not known of a release whose record may not be read, and which right would tell.
    fn unread(&self) -> Option<String> {
        let gap = self.observed.unread.as_ref()?;
        let status = match self.observed.revision() {
            Some(_) => "",
            None => "whether a Helm operation holds the release, and ",
        };
        Some(format!(
            "{}: not known is {status}which images a value pins or exempts where the chart's own refresh job does not tell; these are left alone. The right to get and list Helm's records in namespace {} would tell",
            gap.message, self.observed.newest.id.namespace
        ))
    }

    /// True if `--workload` leaves that one in.
    fn is_selected(&self, id: &WorkloadId) -> bool {
        let wished = &self.wish.workloads;
        wished.is_empty() || wished.contains(&id.name) || wished.contains(&id.to_string())
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
                    "what {} runs in {} now has no digest by which all its nodes could pull it, so that it cannot be brought back",
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
