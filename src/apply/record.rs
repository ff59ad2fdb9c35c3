//! Annotations of the main workload: records, and the marks of what failed; and our say in fields, given up.

use std::collections::BTreeMap;

use tracebloc_core::plan::{AttemptCounter, Record};
use tracebloc_core::workload::WorkloadId;

use super::{Application, ApplyError, is_made};
use crate::cluster::Edit;

impl Application<'_> {
    /// Writes and clears annotations together.
    pub(super) async fn record(&self, record: &Record) -> Result<(), ApplyError> {
        let same = |uid: &str| record.uid.is_empty() || uid == record.uid;
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
            |_| true,
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
                |_| true,
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
        is_it: impl Fn(&str) -> bool,
        change: impl Fn(&mut Edit<'_>),
    ) -> Result<(), ApplyError> {
        let mut attempt = 1;
        loop {
            let held = self.hold(id).await?;
            if !is_it(&held.live.uid) {
                return Err(ApplyError::Changed {
                    id: id.clone(),
                    what: "it was deleted and made anew".to_owned(),
                });
            }
            let mut edit = held.edit();
            change(&mut edit);
            let prefix = &self.means.profile.record_prefix;
            let outcome = self.cluster.change(&edit, prefix).await.map(|_| ());
            if is_made(outcome, attempt, id)? {
                return Ok(());
            }
            attempt += 1;
        }
    }
}
