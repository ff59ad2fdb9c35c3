//! `--max-rollouts N --per DURATION`: no more rollouts of a release than that in any such time. What was done is read in the history that every
//! run keeps, so that it holds across runs and machines.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::Facts;
use super::decide::Judged;
use crate::change::{ANNOTATION, Change};
use crate::plan::{Decision, Guard, Refusal, Rollout};
use crate::snapshot::Evidence;
use crate::time::{age, counted};
use crate::workload::WorkloadId;

/// The most rollouts in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How many.
    pub most: usize,
    /// In how long.
    pub per: SignedDuration,
}

impl Facts<'_> {
    /// Leaves the rollouts that are too many for now; a refusal where it cannot be told how many there were.
    pub(super) fn slow_down(
        &self,
        judged: &mut [Judged<'_>],
        rollouts: &mut BTreeMap<WorkloadId, Rollout>,
    ) -> Option<Refusal> {
        let pace = self.wish.pace?;
        if rollouts.is_empty() {
            return None;
        }
        let done = match self.done_within(pace.per) {
            Ok(done) => done,
            Err(message) => {
                return Some(Refusal {
                    guard: Guard::Unreadable,
                    subject: self.observed.newest.id.to_string(),
                    message: format!("how many rollouts there were is not known: {message}"),
                    advice: vec!["leave --max-rollouts out".to_owned()],
                });
            }
        };
        let room = pace.most.saturating_sub(done);
        let kept: BTreeSet<WorkloadId> = self
            .order()
            .into_iter()
            .filter(|id| rollouts.contains_key(*id))
            .take(room)
            .cloned()
            .collect();
        rollouts.retain(|id, _| kept.contains(id));
        for image in judged
            .iter_mut()
            .filter(|image| image.plan.decision == Decision::Move)
        {
            let is_left = !rollouts
                .values()
                .flat_map(|rollout| &rollout.containers)
                .any(|change| change.image == image.plan.name);
            if is_left {
                image.plan.decision = Decision::Paced;
                image.plan.reason = format!(
                    "{} in the last {} already: the next run goes on",
                    counted(done.max(pace.most) as u64, "rollout"),
                    age(pace.per)
                );
            }
        }
        None
    }

    /// How many rollouts there were, each once however it is told.
    fn done_within(&self, per: SignedDuration) -> Result<usize, String> {
        let entries = match self
            .snapshot
            .history
            .as_ref()
            .map(|history| &history.entries)
        {
            Some(Evidence::Known(entries)) => entries,
            Some(Evidence::Unknown(gap)) => return Err(gap.message.clone()),
            None => return Err("the history was not asked for".to_owned()),
        };
        let now = self.snapshot.observed_at;
        let kept = entries
            .iter()
            .filter_map(|kept| kept.entry.as_ref())
            .map(|entry| (entry.workload.clone(), entry.change.clone()));
        let live = self.snapshot.live.iter().filter_map(|live| {
            let change = Change::parse(live.records.get(ANNOTATION)?)?;
            Some((live.workload.id.clone(), change))
        });
        let recent: BTreeSet<(WorkloadId, String)> = kept
            .chain(live)
            .filter(|(_, change)| now.duration_since(change.at) < per)
            .map(|(id, change)| (id, change.id))
            .collect();
        Ok(recent.len())
    }
}
