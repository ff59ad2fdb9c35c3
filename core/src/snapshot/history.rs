//! What is known of a release's past beside Helm's records: its own history, the rollouts of its workloads, and events.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Evidence, Gap};
use crate::change::HistoryEntry;
use crate::name::Namespace;
use crate::workload::WorkloadId;

/// What is known of a release's past beside Helm's records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryFacts {
    /// The entries of the `ConfigMap` that this product keeps; none where there is no such object.
    pub entries: Evidence<Vec<KeptEntry>>,
    /// The rollouts of which objects are left, in no order.
    pub rollouts: Vec<PastRollout>,
    /// Events about something else than pods, in the namespaces of the release's workloads.
    pub events: Vec<ObservedEvent>,
    /// Lists of rollouts and events that could not be had.
    pub unlisted: Vec<Gap>,
}

impl HistoryFacts {
    /// What was not answered.
    pub fn gaps(&self) -> impl Iterator<Item = &Gap> {
        self.entries.gap().into_iter().chain(&self.unlisted)
    }
}

/// An entry of the history that this product keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptEntry {
    /// Its key.
    pub key: String,
    /// What it says; `None` where this build cannot read it.
    pub entry: Option<HistoryEntry>,
}

/// A rollout of a workload, as the object tells it that its controller left (`ReplicaSet`, `ControllerRevision`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PastRollout {
    /// The workload.
    pub workload: WorkloadId,
    /// The object, such as `replicaset/edge-jobs-manager-5d8f`.
    pub object: String,
    /// When its template came to be.
    pub made_at: Option<Timestamp>,
    /// Why, in the words of whoever changed it (`kubernetes.io/change-cause`).
    pub cause: Option<String>,
    /// The annotation of our own last change when the object was the present one.
    pub change: Option<String>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedEvent {
    /// The namespace of what it is about.
    pub namespace: Namespace,
    /// The kind of what it is about.
    pub kind: String,
    /// The name of what it is about.
    pub name: String,
    /// Why it was sent, in a word.
    pub reason: String,
    /// What it says.
    pub message: String,
    /// Who sent it.
    pub reporter: String,
    /// Which part or run of it; for our own events the change's id.
    pub instance: String,
    /// True if it tells of something that went wrong.
    pub is_warning: bool,
    /// When it was sent last.
    pub at: Option<Timestamp>,
    /// How often it was sent.
    pub count: u32,
}
