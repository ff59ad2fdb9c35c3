//! The steps of a refresh, and what becomes of one that fails.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use super::decide::Judged;
use super::waves::waves;
use super::{Facts, WishedAction};
use crate::assess;
use crate::change::{self, ANNOTATION, Change, ChangeState, ContainerChange, REFRESH};
use crate::plan::guards::cron_job;
use crate::plan::{
    Act, AttemptCounter, Decision, ObjectRef, OnFailure, Record, Rollout, Step, StepState,
    Suspension,
};
use crate::report::ImageState;
use crate::time::counted;
use crate::time::moment;
use crate::workload::{LiveWorkload, WorkloadId, WorkloadKind};

/// The step that has failures counted anew.
const CLEAR_FLAP: &str = "clear-flap";

impl Facts<'_> {
    /// What is done, in order.
    pub(super) fn steps(
        &self,
        judged: &[Judged<'_>],
        mut rollouts: BTreeMap<WorkloadId, Rollout>,
        warnings: &mut Vec<String>,
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        let begins = rollouts.values().any(|rollout| rollout.finishes.is_none());
        let is_over = begins && !self.wish.rollback && self.is_over();
        if self.wish.clear_flap || is_over {
            steps.extend(self.clear_flap());
        }
        if self.wish.rollback && begins && self.is_followed_by_job(rollouts.values()) {
            steps.extend(self.stop_refresh());
        }
        let only_recorded: Vec<&Judged<'_>> = judged
            .iter()
            .filter(|image| image.plan.decision == Decision::Record)
            .collect();
        // What a run was killed before, and another one finished: its failures are over too.
        let is_ended = only_recorded.iter().any(|image| self.came_to(image));
        steps.extend(self.record(&only_recorded, is_ended));
        if self.wish.action != Some(WishedAction::Record) {
            let is_first = |image: &&&Judged<'_>| image.plan.recorded.is_none() && image.is_behind;
            let first = only_recorded.iter().filter(is_first).count();
            if first > 0 {
                let who = match self.idle_job() {
                    None => "the chart's own job acts on it at its next run".to_owned(),
                    Some(why) => {
                        format!("the next refresh acts on it, as the chart's own job {why}")
                    }
                };
                warnings.push(format!(
                    "{} seen for the first time: what runs is recorded and no pod is touched; {who}, and --force does at once",
                    counted(first as u64, "image")
                ));
            }
        }
        let mut waiting: Vec<&Judged<'_>> = judged
            .iter()
            .filter(|image| image.plan.decision == Decision::Move && image.record.is_some())
            // Where a workload is left out that runs other content, a record would lie.
            .filter(|image| self.moves_all(image, &rollouts))
            .collect();
        let ordered: Vec<Rollout> = self
            .order()
            .into_iter()
            .filter_map(|id| rollouts.remove(id))
            .collect();
        let most = self.wish.parallel.map_or(1, NonZeroUsize::get);
        let waves = waves(ordered, most);
        let is_told = waves.iter().any(|wave| wave.len() > 1);
        let mut later: Vec<String> = waves.iter().flatten().flat_map(images).collect();
        for (number, wave) in (1..).zip(waves) {
            later.drain(..wave.iter().flat_map(images).count());
            steps.extend(wave.into_iter().map(|rollout| Step {
                wave: is_told.then_some(number),
                ..roll_out(rollout)
            }));
            let (rest, complete): (Vec<_>, Vec<_>) = waiting
                .into_iter()
                .partition(|image| later.contains(&image.plan.name));
            steps.extend(self.record(&complete, !self.wish.rollback));
            waiting = rest;
        }
        steps
    }

    /// Writes the records of images; after a rollout that came to what it is for, the count of failures goes too.
    fn record(&self, images: &[&Judged<'_>], after_rollout: bool) -> Option<Step> {
        let main = self.main.filter(|_| self.is_ours)?;
        let mut annotations = BTreeMap::new();
        let mut told = Vec::new();
        for image in images {
            if let (Some(key), Some(digest)) = (&image.record, &image.to_record) {
                annotations.insert(key.clone(), digest.to_string());
                told.push(format!("{} {}", image.plan.name, digest.short()));
            }
        }
        if annotations.is_empty() {
            return None;
        }
        let flap = &self.profile.automation.image_refresh.flap;
        let clears: Vec<String> = [&flap.attempts, &flap.detected]
            .into_iter()
            .filter(|key| after_rollout && main.records.contains_key(*key))
            .cloned()
            .collect();
        let names: Vec<&str> = images
            .iter()
            .map(|image| image.plan.name.as_str())
            .collect();
        Some(write(
            main,
            format!("record-{}", names.join("-")),
            format!("record {}", told.join(", ")),
            annotations,
            clears,
        ))
    }

    /// True if pods run what our last refresh of a workload brought, and that is what is recorded.
    fn came_to(&self, judged: &Judged<'_>) -> bool {
        let references = &self.image_report(judged).references;
        let changes = references.iter().filter_map(|reference| {
            let live = self.live(&reference.workload.workload)?;
            Change::parse(live.records.get(ANNOTATION)?)
        });
        let mut done = changes
            .filter(|change| change.command == REFRESH && change.state == ChangeState::Done)
            .flat_map(|change| change.containers);
        judged.plan.state == ImageState::Current
            && done.any(|then| {
                then.image == judged.plan.name && Some(&then.wanted) == judged.to_record.as_ref()
            })
    }

    /// Takes the marks of failed rollouts away, as `--clear-flap` says, or because something else is published than what failed.
    fn clear_flap(&self) -> Option<Step> {
        let main = self.main?;
        let flap = &self.profile.automation.image_refresh.flap;
        let clears: Vec<String> = [&flap.attempts, &flap.detected]
            .into_iter()
            .filter(|key| main.records.contains_key(*key))
            .cloned()
            .collect();
        (!clears.is_empty()).then(|| {
            let summary = format!("take away {}", clears.join(", "));
            let id = CLEAR_FLAP.to_owned();
            write(main, id, summary, BTreeMap::new(), clears)
        })
    }

    /// Why the chart's own job would do nothing at its next run, as far as the plan knows; `None` where it acts.
    fn idle_job(&self) -> Option<String> {
        let refresh = &self.profile.automation.image_refresh;
        let cron = cron_job(self, &refresh.job.cron_job).and_then(|live| live.cron.as_ref());
        match cron {
            None => Some("is not there".to_owned()),
            Some(cron) if cron.suspended => Some("is suspended".to_owned()),
            Some(_) if self.is_marked() => Some("has given up".to_owned()),
            Some(_) => assess::refresh_mirror(self.release, refresh)
                .map(|mirror| format!("does nothing with images of the mirror {mirror}")),
        }
    }

    /// True if some of what rolls out is what the chart's own job brings forward. It has one count for all, so that what it does not follow is not to
    /// stop it.
    fn is_followed_by_job<'plan>(
        &self,
        mut rollouts: impl Iterator<Item = &'plan Rollout>,
    ) -> bool {
        rollouts.any(|rollout| self.follows_some_of(&rollout.containers))
    }

    /// The same of the changes of one workload.
    pub(super) fn follows_some_of(&self, changes: &[ContainerChange]) -> bool {
        changes.iter().any(|change| {
            let mut known = self.profile.images.iter();
            let known = known.find(|known| known.name == change.image);
            self.record_key(known).is_some()
        })
    }

    /// What keeps the chart's own job from bringing forward again what is gone back from: a full count of failures, where the version counts
    /// them, or else its suspension (DESIGN §7 "Undo").
    fn stop_refresh(&self) -> Option<Step> {
        let main = self.main.filter(|_| self.is_ours)?;
        let refresh = &self.profile.automation.image_refresh;
        let flap = &refresh.flap;
        // A higher limit than the default may stand in values that may not be read.
        if assess::is_since(self.release, &flap.since) && !self.release.is_by_labels() {
            let limit = assess::limit(self.release, &flap.limit_value, flap.limit);
            let count = limit.max(self.count(&flap.attempts)).to_string();
            let annotations = BTreeMap::from([
                (flap.attempts.clone(), count),
                (flap.detected.clone(), "true".to_owned()),
            ]);
            return Some(write(
                main,
                "stop-refresh".to_owned(),
                "have the chart's own refresh leave it, until --clear-flap".to_owned(),
                annotations,
                Vec::new(),
            ));
        }
        let job = cron_job(self, &refresh.job.cron_job)
            .filter(|job| !change::is_suspended_for_good(job))?;
        let id = &job.workload.id;
        Some(Step {
            id: "stop-refresh".to_owned(),
            object: ObjectRef::from(id),
            summary: "suspend the chart's own refresh, which would do the same again".to_owned(),
            destructive: false,
            undo: Some(self.advisor.unsuspend(id)),
            wave: None,
            state: StepState::Pending,
            act: Act::Suspend(Suspension {
                workload: id.clone(),
                meanwhile: false,
            }),
        })
    }

    /// What a rollout that fails leaves behind, so that the chart's next run does not do the same again (DESIGN §7 "Undo").
    pub(super) fn on_failure(&self, steps: &[Step]) -> OnFailure {
        let refresh = &self.profile.automation.image_refresh;
        let mut rollouts = steps
            .iter()
            .filter_map(|step| step.act.rollout())
            .peekable();
        let rolls_out = rollouts.peek().is_some();
        let beside = steps
            .iter()
            .filter_map(|step| step.act.rollout())
            .filter(|rollout| rollout.finishes.is_none() && !self.wish.keep_failed)
            .flat_map(|rollout| self.beside(rollout))
            .collect();
        let followed = self.is_followed_by_job(rollouts);
        let way_back = (rolls_out && !self.wish.rollback).then(|| {
            let id = &self.observed.newest.id;
            self.advisor.refresh(id, &["--rollback"])
        });
        let Some(main) = self.main.filter(|_| self.is_ours && followed) else {
            return OnFailure {
                undo: rolls_out && !self.wish.keep_failed,
                beside,
                way_back,
                ..OnFailure::default()
            };
        };
        let counts = assess::is_since(self.release, &refresh.flap.since);
        let job =
            cron_job(self, &refresh.job.cron_job).filter(|job| !change::is_suspended_for_good(job));
        OnFailure {
            undo: !self.wish.keep_failed,
            counter: counts.then(|| AttemptCounter {
                workload: main.workload.id.clone(),
                attempts: refresh.flap.attempts.clone(),
                mark: refresh.flap.detected.clone(),
                failed: if steps.iter().any(|step| step.id == CLEAR_FLAP) {
                    0
                } else {
                    self.count(&refresh.flap.attempts)
                },
                limit: assess::limit(self.release, &refresh.flap.limit_value, refresh.flap.limit),
            }),
            suspends: job
                .filter(|_| !counts || self.release.is_by_labels())
                .filter(|_| !self.wish.keep_failed)
                .map(|job| job.workload.id.clone()),
            beside,
            way_back,
        }
    }
}

/// The images that a rollout changes, once for each container.
fn images(rollout: &Rollout) -> impl Iterator<Item = String> {
    rollout.containers.iter().map(|change| change.image.clone())
}

/// The step of one rollout.
fn roll_out(rollout: Rollout) -> Step {
    let by = |change: &ContainerChange| match &change.variable {
        Some(variable) => format!("{}: {variable}={}", change.container, change.wanted.short()),
        None => format!("{} {}", change.image, change.wanted.short()),
    };
    let what: Vec<String> = rollout.containers.iter().map(by).collect();
    let what = what.join(", ");
    let (id, summary) = (&rollout.workload, rollout.finishes.as_ref());
    let sets_variable = rollout
        .containers
        .iter()
        .any(|change| change.variable.is_some());
    let sets_image = rollout
        .containers
        .iter()
        .any(|change| change.variable.is_none() && change.sets());
    let (summary, act): (String, fn(Rollout) -> Act) = match summary {
        Some(change) => (
            format!(
                "finish what {} began at {} and did not end: {what}",
                change.by,
                moment(change.at)
            ),
            Act::Finish,
        ),
        None if sets_variable => (format!("set the environment: {what}"), Act::SetEnvironment),
        None if sets_image => (format!("set the image: {what}"), Act::SetImage),
        None => (format!("start the pods anew: {what}"), Act::Restart),
    };
    let way_back = rollout
        .containers
        .iter()
        .all(|change| change.former.is_some());
    Step {
        id: format!("roll-out-{}-{}", id.kind.resource(), id.name),
        object: ObjectRef::from(id),
        summary,
        destructive: false,
        undo: way_back.then(|| {
            let former: Vec<String> = rollout
                .containers
                .iter()
                .filter_map(|change| {
                    Some(format!(
                        "{} {}",
                        change.image,
                        change.former.as_ref()?.short()
                    ))
                })
                .collect();
            let hanging = match id.kind {
                // Its controller waits for a pod that hangs, also after the template was brought back.
                WorkloadKind::StatefulSet => ", and delete pods that hang",
                _ => "",
            };
            format!("set what ran before: {}{hanging}", former.join(", "))
        }),
        wave: None,
        state: StepState::Pending,
        act: act(rollout),
    }
}

/// The step that writes annotations of the main workload.
pub(super) fn write(
    main: &LiveWorkload,
    id: String,
    summary: String,
    annotations: BTreeMap<String, String>,
    clears: Vec<String>,
) -> Step {
    Step {
        id,
        object: ObjectRef::from(&main.workload.id),
        summary,
        destructive: false,
        undo: None,
        wave: None,
        state: StepState::Pending,
        act: Act::Record(Record {
            workload: main.workload.id.clone(),
            uid: main.uid.clone(),
            annotations,
            clears,
        }),
    }
}
