//! `refresh --rollback`: from what a refresh brought to what ran before it, in such a way that neither the chart's own job nor the next refresh does
//! the same again.

use std::collections::{BTreeMap, BTreeSet};

use super::Facts;
use super::decide::Judged;
use super::since::{Since, since};
use crate::change::{ANNOTATION, Change, ChangeState, ContainerChange, REFRESH, ROLLBACK};
use crate::image::{Digest, ImageRef};
use crate::plan::guards::refusal;
use crate::plan::{Decision, Guard, ImagePlan, Refusal, Rollout};
use crate::report::{ImageFlag, ImageReport};
use crate::snapshot::Evidence;
use crate::time::moment;
use crate::workload::{BACKING_OFF, LiveWorkload, WorkloadId};

/// What leads back.
#[derive(Default)]
pub(super) struct WayBack<'facts> {
    /// What was decided about each image that was brought forward last.
    pub(super) judged: Vec<Judged<'facts>>,
    pub(super) rollouts: BTreeMap<WorkloadId, Rollout>,
    /// Where something else was brought since.
    pub(super) refusals: Vec<Refusal>,
}

impl<'facts> Facts<'facts> {
    /// What leads back from the last refresh.
    pub(super) fn back(&self, warnings: &mut Vec<String>) -> WayBack<'facts> {
        let mut way = WayBack::default();
        let mut judged: BTreeMap<String, Judged<'facts>> = BTreeMap::new();
        for id in self.order() {
            let Some((live, last)) = self.last_change(id) else {
                continue;
            };
            let wished = |then: &&ContainerChange| {
                self.wish.images.is_empty() || self.wish.images.contains(&then.image)
            };
            let mut containers = Vec::new();
            for then in last.containers.iter().filter(wished) {
                let Some((index, image)) = self.image_in(id, &then.image) else {
                    continue;
                };
                let back = self.lead_back(live, &last, then, image);
                match &back {
                    Back::Way(change) => containers.push(change.clone()),
                    Back::Overtaken(now) => {
                        way.refusals.push(self.overtaken(id, &last, then, now));
                    }
                    Back::None(..) | Back::Already => {}
                }
                let one = self.judge_back(index, image, &last, &back);
                match judged.get(&then.image) {
                    // One workload that cannot follow is what is to be told of an image.
                    Some(known) if weight(known.plan.decision) >= weight(one.plan.decision) => {}
                    Some(_) | None => {
                        judged.insert(then.image.clone(), one);
                    }
                }
            }
            if !containers.is_empty() {
                let rollout = Rollout {
                    workload: id.clone(),
                    uid: live.uid.clone(),
                    containers,
                    finishes: None,
                };
                way.rollouts.insert(id.clone(), rollout);
            }
        }
        self.unrecorded(&mut judged);
        if judged.is_empty() {
            warnings.push(
                "no refresh of this release is known that could be gone back from".to_owned(),
            );
        }
        way.judged = judged.into_values().collect();
        way
    }

    /// Images that were gone back from, and whose record still tells of what was left: whoever went back did not live to write it.
    fn unrecorded(&self, judged: &mut BTreeMap<String, Judged<'facts>>) {
        for id in self.order() {
            let text = self.live(id).and_then(|live| live.records.get(ANNOTATION));
            let last = text.and_then(|text| Change::parse(text));
            let went_back =
                |last: &Change| last.command == ROLLBACK && last.state == ChangeState::Done;
            for then in last
                .iter()
                .filter(|last| went_back(last))
                .flat_map(|last| &last.containers)
            {
                let Some((index, image)) = self.image_in(id, &then.image) else {
                    continue;
                };
                let known = self.known(image);
                let record = self.record_key(known);
                let running = &image.digest.running;
                let runs = |digest: &Digest| {
                    *digest == then.wanted
                        || self.index_of(image, digest).as_ref() == Some(&then.wanted)
                };
                let is_all = !running.is_empty() && running.iter().all(|one| runs(&one.digest));
                let lies = image.digest.recorded.as_ref() != Some(&then.wanted);
                let is_wished =
                    self.wish.images.is_empty() || self.wish.images.contains(&then.image);
                if !(is_wished && is_all && lies && record.is_some()) {
                    continue;
                }
                let reason = "it was gone back from, and the record tells of what was left";
                judged.entry(then.image.clone()).or_insert_with(|| Judged {
                    index,
                    known,
                    plan: ImagePlan::of(image, Decision::Record, reason.to_owned()),
                    is_behind: false,
                    record,
                    to_record: Some(then.wanted.clone()),
                });
            }
        }
    }

    /// What leads one container back.
    fn lead_back(
        &self,
        live: &LiveWorkload,
        last: &Change,
        then: &ContainerChange,
        image: &ImageReport,
    ) -> Back {
        // What a value pins since is not gone back from unasked.
        if then.variable.is_none() && self.release.may_pin(&live.workload.id, &then.container) {
            return Back::None(Decision::Unknown, "a value may pin it since");
        }
        if image.flags.contains(&ImageFlag::Pinned) {
            return Back::None(Decision::Pinned, "a value pins it since: unpin lets it go");
        }
        match since(self.snapshot, live, then, last.state, image) {
            Since::Left(left) => match way_back(live, then, left) {
                Some(change) => Back::Way(change),
                None => Back::None(
                    Decision::Unknown,
                    "what ran before has no digest that could be pulled",
                ),
            },
            Since::Back => Back::Already,
            Since::Else(now) => Back::Overtaken(now),
        }
    }

    /// Somebody else brought something since: whoever wants to go back means that, and this is not the way back from it.
    fn overtaken(
        &self,
        id: &WorkloadId,
        last: &Change,
        then: &ContainerChange,
        now: &str,
    ) -> Refusal {
        let former = match &then.former {
            Some(former) => format!(
                ": to go back to {} would be a step from {now} to {}",
                former.short(),
                former.short()
            ),
            None => String::new(),
        };
        let mut advice = Vec::new();
        let mut images = self.profile.images.iter().filter(|_| self.is_ours);
        let known = images.find(|known| known.name == then.image);
        let values = known.map_or_else(Vec::new, |known| known.digest_values(self.release));
        if let (false, Some(former)) = (values.is_empty(), &then.former) {
            advice.push(format!(
                "{} brings it to exact content, such as {former}, by a Helm upgrade",
                values.join(" and ")
            ));
        }
        advice.push(format!(
            "--image {} --tag TAG moves it to another tag",
            then.image
        ));
        advice
            .push("--image and --workload name the others, to go back from these alone".to_owned());
        refusal(
            Guard::Overtaken,
            format!("{id}[{}]", then.container),
            format!(
                "{} brought {} to {} at {}, and since then somebody else to {now}{former}",
                last.command,
                then.image,
                then.wanted.short(),
                moment(last.at),
            ),
            advice,
        )
    }

    /// The last change of a workload, where it brought something forward and nobody has gone back from it. One that failed and was left so did that
    /// too; what `pin` set is let go by `unpin`.
    fn last_change(&self, id: &WorkloadId) -> Option<(&'facts LiveWorkload, Change)> {
        if !self.is_selected(id) {
            return None;
        }
        let live = self
            .snapshot
            .live
            .iter()
            .find(|live| live.workload.id == *id)?;
        let last = Change::parse(live.records.get(ANNOTATION)?)?;
        let leads_back = matches!(last.state, ChangeState::Done | ChangeState::Failed)
            && last.command == REFRESH;
        leads_back.then_some((live, last))
    }

    /// What crashes of that which a refresh brought: where what is published runs there is nothing to do, and yet not all is well.
    pub(super) fn crashes(&self) -> Vec<String> {
        let mut told = BTreeSet::new();
        for id in self.order() {
            let (Some((_, last)), Evidence::Known(pods)) =
                (self.last_change(id), self.snapshot.pods_of(id))
            else {
                continue;
            };
            if last.containers.iter().all(|then| then.former.is_none()) {
                continue;
            }
            for (name, container) in pods.iter().flat_map(|pod| &pod.containers) {
                if container.waiting.as_deref() == Some(BACKING_OFF) {
                    told.insert(format!(
                        "container {name} of {id} ends again and again, and {} changed it at {}: --rollback goes back to what ran before",
                        last.command,
                        moment(last.at)
                    ));
                }
            }
        }
        told.into_iter().collect()
    }

    fn image_in(&self, id: &WorkloadId, name: &str) -> Option<(usize, &ImageReport)> {
        let uses = |image: &ImageReport| {
            image
                .references
                .iter()
                .any(|reference| reference.workload.workload == *id)
        };
        self.report
            .images
            .iter()
            .enumerate()
            .find(|(_, image)| image.name == name && uses(image))
    }

    fn judge_back(
        &self,
        index: usize,
        image: &ImageReport,
        last: &Change,
        back: &Back,
    ) -> Judged<'facts> {
        let known = self.known(image);
        let record = self.record_key(known);
        let (decision, reason) = match back {
            Back::Way(_) => (
                Decision::Move,
                format!(
                    "back to what ran before {} at {}",
                    last.command,
                    moment(last.at)
                ),
            ),
            Back::Already => (
                Decision::Current,
                "it was brought back to what ran before already".to_owned(),
            ),
            Back::Overtaken(_) => (
                Decision::Refused,
                "something else was brought since".to_owned(),
            ),
            Back::None(decision, reason) => (*decision, (*reason).to_owned()),
        };
        let to_record = match back {
            Back::Way(change) => Some(change.wanted.clone()),
            Back::Already | Back::Overtaken(_) | Back::None(..) => None,
        };
        Judged {
            index,
            known,
            plan: ImagePlan::of(image, decision, reason),
            is_behind: false,
            record,
            to_record,
        }
    }
}

/// What leads one container back.
enum Back {
    /// This change does.
    Way(ContainerChange),
    /// Nothing, for this reason.
    None(Decision, &'static str),
    /// Nothing has to.
    Already,
    /// Nothing: it has this since.
    Overtaken(String),
}

/// Which decision about an image counts, where that of its workloads differs.
fn weight(decision: Decision) -> u8 {
    match decision {
        Decision::Current | Decision::Pinned => 0,
        Decision::Move => 1,
        Decision::Unknown => 2,
        _ => 3,
    }
}

/// The change that undoes what a change did to a container, and leaves that content; `None` where what ran before is not known.
fn way_back(live: &LiveWorkload, then: &ContainerChange, left: Digest) -> Option<ContainerChange> {
    let former: &Digest = then.former.as_ref()?;
    let (from, to) = if then.variable.is_some() {
        (then.to.clone(), former.to_string())
    } else {
        let container = live.workload.container(&then.container)?;
        let image: &ImageRef = container.image.as_ref().ok()?;
        (
            image.to_string(),
            image.with_digest(former.clone()).to_string(),
        )
    };
    Some(ContainerChange {
        container: then.container.clone(),
        image: then.image.clone(),
        variable: then.variable.clone(),
        from,
        to,
        former: Some(left),
        wanted: former.clone(),
    })
}
