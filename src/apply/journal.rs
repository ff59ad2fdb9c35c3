//! What is left of a change that came to its end: an entry in the history, and an Event. That one could not be left does not undo the change: it is
//! told.

use tracebloc_core::change::{Change, ChangeState, HistoryEntry};
use tracebloc_core::plan::ObjectRef;
use tracebloc_core::workload::WorkloadId;

use super::Application;
use crate::cluster::{ClusterError, Event};
use crate::context::now;

/// The longest note that the API takes of an Event, in characters.
const LONGEST_NOTE: usize = 1_000;

impl Application<'_> {
    /// Enters a change into the history of the release.
    pub(super) async fn enter(&self, id: &WorkloadId, change: &Change) {
        let entry = HistoryEntry {
            workload: id.clone(),
            ended: now(),
            change: change.clone(),
        };
        if let Err(error) = self.cluster.enter(&self.plan.release, &entry).await {
            self.missed("the entry in the history", &error);
        }
    }

    /// Tells of a change by an Event on the workload.
    pub(super) async fn tell(&self, object: &ObjectRef, uid: &str, change: &Change) {
        let images: Vec<String> = change
            .containers
            .iter()
            .map(|container| format!("{} {}", container.image, container.wanted.short()))
            .collect();
        let images = images.join(", ");
        let because = change.reason.as_deref().unwrap_or("no reason given");
        let (done, failed, undone, did) = match change.command.as_str() {
            "pin" => ("Pinned", "PinFailed", "PinUndone", "holds it at"),
            "unpin" => ("Unpinned", "UnpinFailed", "UnpinUndone", "let go of it:"),
            _ => (
                "Refreshed",
                "RefreshFailed",
                "RefreshUndone",
                "brought it to",
            ),
        };
        let (reason, note) = match change.state {
            ChangeState::Done => (done, format!("{} {did} {images}", change.by)),
            ChangeState::Failed => (failed, format!("{images} failed: {because}")),
            ChangeState::Undone => (undone, format!("{images} failed and was undone: {because}")),
            ChangeState::Acting | ChangeState::Undoing => return,
        };
        let event = Event {
            object,
            uid,
            warning: change.state != ChangeState::Done,
            reason,
            note: &note.chars().take(LONGEST_NOTE).collect::<String>(),
            run: &self.run,
        };
        if let Err(error) = self.cluster.tell(&event).await {
            self.missed("the event", &error);
        }
    }

    fn missed(&self, what: &str, error: &ClusterError) {
        self.means
            .ui
            .note(&format!("{what} could not be written: {error}"));
    }
}
