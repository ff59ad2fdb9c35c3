//! Annotations of the main workload: records, and the marks of what failed; and our say in fields, given up.

use std::collections::BTreeMap;

use tracebloc_core::change::ROLLBACK;
use tracebloc_core::image::Digest;
use tracebloc_core::plan::{Act, AttemptCounter, Record, Step};
use tracebloc_core::workload::WorkloadId;

use super::rollout::changed;
use super::{Application, ApplyError, is_made};
use crate::cluster::{Edit, Held};

impl Application<'_> {
    /// Writes and clears annotations together.
    pub(super) async fn record(&self, record: &Record) -> Result<(), ApplyError> {
        let same = |held: &Held| {
            if record.uid.is_empty() || held.live.uid == record.uid {
                self.unrecorded(held, record)
            } else {
                Err(changed(&record.workload, "it was deleted and made anew"))
            }
        };
        self.write(&record.workload, same, |edit| {
            for (key, value) in &record.annotations {
                edit.annotate(key, value);
            }
            for key in &record.clears {
                edit.clear(key);
            }
        })
        .await
    }

    /// Refused where a record that is to be written was written by somebody else since the plan was made: that one tells of what the plan knows
    /// nothing of.
    fn unrecorded(&self, held: &Held, record: &Record) -> Result<(), ApplyError> {
        let plan = &self.plan;
        for key in record.annotations.keys() {
            let images = self.means.profile.images.iter();
            let Some(known) = images
                .clone()
                .find(|known| known.record.as_ref() == Some(key))
            else {
                continue;
            };
            let planned = plan.images.iter().find(|image| image.name == known.name);
            let Some(planned) = planned.filter(|_| plan.command != ROLLBACK) else {
                continue;
            };
            let present = held
                .live
                .records
                .get(key)
                .map(|text| text.trim().to_owned());
            let is_own = |step: &Step| match &step.act {
                Act::Record(own) => own.annotations.get(key) == present.as_ref(),
                _ => false,
            };
            let seen = planned.recorded.as_ref().map(Digest::to_string);
            if present != seen && !plan.steps.iter().any(is_own) {
                return Err(changed(
                    &record.workload,
                    format!("the record of {} was written by somebody else", known.name),
                ));
            }
        }
        Ok(())
    }

    /// Counts a failure. The number is the same however often it is written; at the limit the chart's own refresh gives up, and the mark says so.
    pub(super) async fn count(
        &self,
        counter: &AttemptCounter,
        attempt: u32,
    ) -> Result<(), ApplyError> {
        let mut annotations = BTreeMap::from([(&counter.attempts, attempt.to_string())]);
        if attempt >= counter.limit {
            annotations.insert(&counter.mark, "true".to_owned());
        }
        self.write(
            &counter.workload,
            |_| Ok(()),
            |edit| {
                for (key, value) in &annotations {
                    edit.annotate(key, value);
                }
            },
        )
        .await
    }

    /// Gives up our say in the fields of a workload.
    pub(super) async fn hand_back(&self, id: &WorkloadId) -> Result<(), ApplyError> {
        if self.hold(id).await?.has_our_fields() {
            self.write(
                id,
                |_| Ok(()),
                |edit| {
                    edit.hand_back();
                },
            )
            .await?;
        }
        Ok(())
    }

    /// Changes a workload in a way that does not depend on how it is otherwise.
    pub(super) async fn write(
        &self,
        id: &WorkloadId,
        may: impl Fn(&Held) -> Result<(), ApplyError>,
        change: impl Fn(&mut Edit<'_>),
    ) -> Result<(), ApplyError> {
        let mut attempt = 1;
        loop {
            let held = self.hold(id).await?;
            may(&held)?;
            let mut edit = held.edit();
            change(&mut edit);
            let prefix = &self.means.profile.record_prefix;
            let outcome = self.cluster.change(&edit, prefix).await;
            if is_made(outcome, attempt, id)?.is_some() {
                return Ok(());
            }
            attempt += 1;
        }
    }
}
