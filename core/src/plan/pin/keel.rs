//! Keel, which moves images by itself: where it was told what to do with a workload, it is told to leave what is held.

use std::collections::BTreeMap;

use super::judge::{Judged, Way};
use super::{Aim, Facts, users};
use crate::ownership::KEEL_POLICY;
use crate::plan::{Act, Decision, ObjectRef, Record, Step, StepState};
use crate::report::ImageFlag;
use crate::workload::{LiveWorkload, WorkloadId};

/// The annotation that keeps the policy which Keel had before; empty where it had none.
const FORMER: &str = "tracebloc.io/keel-policy";

/// The policy that makes Keel leave a workload.
const NEVER: &str = "never";

impl Facts<'_> {
    /// Tells Keel to leave the workloads that run what is held, or gives them back to it: also where the image itself stands so already, so that
    /// what a killed run left is completed.
    pub(super) fn keel(&self, judged: &[Judged<'_>]) -> Vec<Step> {
        let is_meant = |image: &&Judged<'_>| match self.wish.aim {
            Aim::Hold => {
                matches!(image.way, Way::Values | Way::Live)
                    || image.plan.decision == Decision::Pinned
            }
            Aim::LetGo => true,
            Aim::Tag { .. } => false,
        };
        let meant = judged.iter().filter(is_meant);
        let users: Vec<&WorkloadId> = meant.flat_map(|image| users(image.image)).collect();
        self.ground
            .order()
            .into_iter()
            .filter(|id| users.contains(id))
            .filter_map(|id| self.ground.live(id))
            .filter_map(|live| match self.wish.aim {
                Aim::Hold => hold_off(live),
                Aim::LetGo => self.give_back(live, judged),
                Aim::Tag { .. } => None,
            })
            .collect()
    }

    fn give_back(&self, live: &LiveWorkload, judged: &[Judged<'_>]) -> Option<Step> {
        let former = live.records.get(FORMER)?;
        let id = &live.workload.id;
        let is_let_go = |name: &str| judged.iter().any(|one| one.plan.name == name);
        let holds_another = self.ground.report.images.iter().any(|image| {
            image.flags.contains(&ImageFlag::Pinned)
                && !is_let_go(&image.name)
                && users(image).contains(&id)
        });
        if holds_another {
            return None;
        }
        let mut clears = vec![FORMER.to_owned()];
        let mut annotations = BTreeMap::new();
        let summary = if former.is_empty() {
            clears.push(KEEL_POLICY.to_owned());
            "let Keel look after it again".to_owned()
        } else {
            annotations.insert(KEEL_POLICY.to_owned(), former.clone());
            format!("let Keel look after it again, by its policy {former}")
        };
        Some(step(live, summary, annotations, clears))
    }
}

fn hold_off(live: &LiveWorkload) -> Option<Step> {
    let marks = &live.marks;
    if !marks.has_keel() || marks.keel_policy() == Some(NEVER) {
        return None;
    }
    let former = marks.keel_policy().unwrap_or_default();
    let annotations = BTreeMap::from([
        (KEEL_POLICY.to_owned(), NEVER.to_owned()),
        (FORMER.to_owned(), former.to_owned()),
    ]);
    let summary = "tell Keel to leave it".to_owned();
    Some(step(live, summary, annotations, Vec::new()))
}

fn step(
    live: &LiveWorkload,
    summary: String,
    annotations: BTreeMap<String, String>,
    clears: Vec<String>,
) -> Step {
    let id = &live.workload.id;
    Step {
        id: format!("keel-{}-{}", id.kind.resource(), id.name),
        object: ObjectRef::from(id),
        summary,
        destructive: false,
        undo: None,
        wave: None,
        state: StepState::Pending,
        act: Act::Annotate(Record {
            workload: id.clone(),
            uid: live.uid.clone(),
            annotations,
            clears,
        }),
    }
}
