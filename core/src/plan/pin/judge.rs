//! What is done about each image, in which way, and why.

use std::collections::BTreeMap;

use super::{Aim, Facts, No, users};
use crate::advice::Extra;
use crate::change::{self, ContainerChange};
use crate::image::{Digest, ImageRef};
use crate::plan::guards::{cron_job, refusal};
use crate::plan::{Decision, Guard, ImagePlan, Refusal, Setting};
use crate::profile::ProfileImage;
use crate::release::Origin;
use crate::report::{ContainerId, ImageReport, TagSource};
use crate::workload::WorkloadId;

/// The way in which it is done.
pub(super) enum Way {
    /// Nothing is done.
    Nothing,
    /// By the chart's own values.
    Values,
    /// On the workloads themselves.
    Live,
    /// Not at all, for that reason.
    Refused(Refusal),
}

/// An image with what was decided about it.
pub(super) struct Judged<'facts> {
    pub(super) image: &'facts ImageReport,
    pub(super) plan: ImagePlan,
    pub(super) way: Way,
    pub(super) is_of_one_platform: bool,
    /// The paths of the values that pin it.
    pub(super) values: Vec<String>,
    /// By path, what values are to be; `None` for the chart's default.
    pub(super) settings: BTreeMap<String, Option<Setting>>,
    /// What changes in which workload.
    pub(super) changes: BTreeMap<WorkloadId, Vec<ContainerChange>>,
}

impl<'facts> Facts<'facts> {
    /// Judges one image that was asked for.
    pub(super) fn judge(&self, image: &'facts ImageReport) -> Judged<'facts> {
        let known = self.ground.known(image);
        let values: Vec<String> = known
            .map(|known| known.digest_values(self.ground.release))
            .into_iter()
            .flatten()
            .map(str::to_owned)
            .collect();
        let mut judged = Judged {
            image,
            plan: ImagePlan::of(image, Decision::Unknown, String::new()),
            way: Way::Nothing,
            is_of_one_platform: false,
            values,
            settings: BTreeMap::new(),
            changes: BTreeMap::new(),
        };
        let (decision, reason) = match &self.wish.aim {
            Aim::Hold => self.judge_pin(known, &mut judged),
            Aim::LetGo => self.judge_unpin(known, &mut judged),
            Aim::Tag {
                tag,
                allow_downgrade,
            } => self.judge_tag(tag, *allow_downgrade, known, &mut judged),
        };
        judged.plan.decision = decision;
        judged.plan.reason = reason;
        judged
    }

    fn judge_pin(
        &self,
        known: Option<&ProfileImage>,
        judged: &mut Judged<'_>,
    ) -> (Decision, String) {
        let image = judged.image;
        let content = match self.content(image) {
            Ok(content) => content,
            Err(no) => return refuse(judged, no),
        };
        let wanted = content.digest;
        let held = |path: &String| (path.clone(), Some(Setting::Digest(wanted.clone())));
        judged.settings = judged.values.iter().map(held).collect();
        judged.is_of_one_platform = content.is_of_one_platform;
        if judged.values.is_empty() {
            if let Some(job) = self.would_be_moved_by(known) {
                let reason = format!(
                    "this chart version has no value that pins {}, and {job} would move it at its next run",
                    image.name
                );
                let no = No::new(Guard::RefreshActive, reason).advise_all(self.stop_refresh());
                return refuse(judged, no);
            }
            if users(image).is_empty() {
                let reason =
                    "the chart has no value that pins it, and what runs it is made anew each time";
                return refuse(
                    judged,
                    No::new(Guard::NotPinnable, reason).advise(self.status()),
                );
            }
            if users(image)
                .iter()
                .all(|id| self.ground.is_held_live(id, image))
            {
                return (
                    Decision::Pinned,
                    "it is held on its workloads at what runs".to_owned(),
                );
            }
            judged.way = Way::Live;
            judged.changes = self.changes(image, &wanted, |used| self.ground.live_image(used));
            return (
                Decision::Pin,
                "the chart has no value that pins it, and nothing of the chart moves it: the workload itself is changed".to_owned(),
            );
        }
        let texts = judged
            .values
            .iter()
            .map(|path| self.ground.release.values.text(path));
        let set: Vec<(String, Origin)> = texts.flatten().collect();
        if set.iter().all(|(text, _)| *text == wanted.to_string()) {
            let by_chart = set.iter().all(|(_, origin)| *origin == Origin::Chart);
            let reason = if by_chart {
                "the chart's own default pins it to what runs, and moves it with the chart's versions"
            } else {
                "it is pinned to what runs already"
            };
            return (Decision::Pinned, reason.to_owned());
        }
        judged.way = Way::Values;
        judged.changes = self.changes(image, &wanted, |used| self.ground.rendered(used));
        (
            Decision::Pin,
            format!("held at what runs by {}", judged.values.join(" and ")),
        )
    }

    fn judge_unpin(
        &self,
        known: Option<&ProfileImage>,
        judged: &mut Judged<'_>,
    ) -> (Decision, String) {
        let image = judged.image;
        let values = &self.ground.release.values;
        let set = |path: &str, by: Origin| {
            values
                .text(path)
                .is_some_and(|(text, origin)| !text.is_empty() && origin == by)
        };
        let by_user: Vec<String> = judged
            .values
            .iter()
            .filter(|path| set(path, Origin::User))
            .cloned()
            .collect();
        if !by_user.is_empty() {
            let reason = format!("back to the chart's default of {}", by_user.join(" and "));
            judged.settings = by_user.into_iter().map(|path| (path, None)).collect();
            judged.way = Way::Values;
            judged.changes = self.let_go(image);
            return (Decision::Unpin, reason);
        }
        if users(image)
            .iter()
            .any(|id| self.ground.mark(id, image).is_some())
        {
            judged.way = Way::Live;
            judged.changes = self.let_go(image);
            return (Decision::Unpin, "back to what the chart renders".to_owned());
        }
        let by_chart = judged.values.iter().any(|path| set(path, Origin::Chart));
        let is_held = known.is_some() && image.flags.contains(&crate::report::ImageFlag::Held);
        let reason = if by_chart || is_held {
            "only the chart itself pins it, and not your values"
        } else {
            "nothing pins it"
        };
        (Decision::NotPinned, reason.to_owned())
    }

    /// The chart's own job, where it would move an image again that is changed on its workload alone.
    pub(super) fn would_be_moved_by(
        &self,
        known: Option<&ProfileImage>,
    ) -> Option<&'facts WorkloadId> {
        let refresh = &self.ground.profile.automation.image_refresh;
        let job = cron_job(&self.ground, &refresh.job.cron_job)?;
        let version = self.ground.release.chart.version.as_ref();
        let follows = known.is_some_and(|known| known.is_recorded(version));
        let runs = !change::is_suspended_for_good(job);
        (follows && runs).then_some(&job.workload.id)
    }

    /// How the chart's own job is told to leave what is changed on its workload alone: by the value that suspends it, or else switches it off.
    pub(super) fn stop_refresh(&self) -> Vec<String> {
        let job = &self.ground.profile.automation.image_refresh.job;
        let values = &self.ground.release.values;
        let settings = [(&job.suspend_value, true), (&job.enabled_value, false)];
        let known = settings
            .into_iter()
            .find(|(path, _)| values.text(path).is_some());
        let lines = known.map(|(path, wanted)| {
            let setting = format!("{path}={wanted}");
            self.upgrade(&[Extra::Option("--set", &setting)])
        });
        match lines {
            Some(lines) if !lines.is_empty() => lines,
            Some(_) | None => vec![self.status()],
        }
    }

    /// Where nothing else helps: the line that tells how the release stands.
    pub(super) fn status(&self) -> String {
        let id = &self.ground.observed.newest.id;
        self.ground.advisor.status(id)
    }

    /// What is changed in each container that runs an image, so that it runs the content; `base` is the reference that the digest is put on.
    fn changes<'image>(
        &self,
        image: &'image ImageReport,
        wanted: &Digest,
        base: impl Fn(&ContainerId) -> Option<&'facts ImageRef>,
    ) -> BTreeMap<WorkloadId, Vec<ContainerChange>> {
        let mut changes: BTreeMap<WorkloadId, Vec<ContainerChange>> = BTreeMap::new();
        for used in containers(image) {
            let change = if image.source == TagSource::Env {
                let Some(change) = self.carried(image, used, Some(wanted)) else {
                    continue;
                };
                change
            } else {
                let Some((from, base)) = self.ground.live_image(used).zip(base(used)) else {
                    continue;
                };
                ContainerChange {
                    container: used.container.clone(),
                    image: image.name.clone(),
                    variable: None,
                    from: from.to_string(),
                    to: base.with_digest(wanted.clone()).to_string(),
                    former: Some(wanted.clone()),
                    wanted: wanted.clone(),
                }
            };
            changes
                .entry(used.workload.clone())
                .or_default()
                .push(change);
        }
        changes
    }

    /// The way from what is held to what the tag points to now.
    fn let_go(&self, image: &ImageReport) -> BTreeMap<WorkloadId, Vec<ContainerChange>> {
        let mut changes: BTreeMap<WorkloadId, Vec<ContainerChange>> = BTreeMap::new();
        for used in containers(image) {
            let running = image
                .digest
                .running
                .iter()
                .find(|running| running.workload == used.workload);
            let former = running.map(|running| running.digest.clone());
            let change = if image.source == TagSource::Env {
                let Some(change) = self.carried(image, used, None) else {
                    continue;
                };
                change
            } else {
                let Some(from) = self.ground.live_image(used) else {
                    continue;
                };
                let Some(wanted) = image.digest.published.clone().or_else(|| former.clone()) else {
                    continue;
                };
                let rendered = self
                    .ground
                    .rendered(used)
                    .filter(|rendered| rendered.digest().is_none());
                let to = match (rendered, &image.tag) {
                    (Some(rendered), _) => rendered.to_string(),
                    (None, Some(tag)) => format!("{}:{tag}", from.repository()),
                    (None, None) => from.to_string(),
                };
                ContainerChange {
                    container: used.container.clone(),
                    image: image.name.clone(),
                    variable: None,
                    from: from.to_string(),
                    to,
                    former,
                    wanted,
                }
            };
            changes
                .entry(used.workload.clone())
                .or_default()
                .push(change);
        }
        changes
    }

    /// The same of what an environment carries; `None` where no content is known at all.
    fn carried(
        &self,
        image: &ImageReport,
        used: &ContainerId,
        wanted: Option<&Digest>,
    ) -> Option<ContainerChange> {
        let former = image.digest.carried.clone();
        let variables = self
            .ground
            .known(image)
            .and_then(|known| known.carried.as_ref());
        Some(ContainerChange {
            container: used.container.clone(),
            image: image.name.clone(),
            variable: variables.map(|carried| format!("{}_IMAGE_DIGEST", carried.variables)),
            from: former.as_ref().map(Digest::to_string).unwrap_or_default(),
            to: wanted.map(Digest::to_string).unwrap_or_default(),
            wanted: wanted
                .or(image.digest.published.as_ref())
                .or(former.as_ref())
                .cloned()?,
            former,
        })
    }
}

pub(super) fn refuse(judged: &mut Judged<'_>, no: No) -> (Decision, String) {
    let No {
        guard,
        message,
        advice,
    } = no;
    let subject = judged.image.name.clone();
    judged.way = Way::Refused(refusal(guard, subject, message.clone(), advice));
    (Decision::Refused, message)
}

/// The containers of workloads that roll out that run an image.
pub(super) fn containers(image: &ImageReport) -> Vec<&ContainerId> {
    image
        .references
        .iter()
        .map(|reference| &reference.workload)
        .filter(|used| used.workload.kind.rolls_out())
        .collect()
}
