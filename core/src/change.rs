//! Changes that this product made: what the annotation [`ANNOTATION`] on a workload says of the last one, and what the history keeps of each
//! (DESIGN §7 "Intent travels with the act", "Every change leaves a record").
//!
//! The annotation is written by the very patch that acts, so that whoever comes next, on whatever machine, can finish the change or undo it.

mod suspended;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::image::Digest;
use crate::workload::WorkloadId;

pub use suspended::{SUSPENDED, Suspended, is_marked, is_suspended_for_good};

/// The annotation on the metadata of a workload that holds its last [`Change`] as JSON. A Deployment copies it to its `ReplicaSet`s.
pub const ANNOTATION: &str = "tracebloc.io/change";

/// The command of a change that brought an image to what is published.
pub const REFRESH: &str = "refresh";

/// The command of a change that went back from another one: what that one brought is not to come again by itself.
pub const ROLLBACK: &str = "refresh --rollback";

/// The most entries that a history keeps; the oldest go first.
pub const HISTORY_LIMIT: usize = 200;

/// The name of the `ConfigMap` that holds the history of a release, in the release's namespace.
pub fn history_name(release: &crate::name::ReleaseName) -> String {
    format!("tracebloc-history-{release}")
}

/// A change of one workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What all changes of one run have in common.
    pub id: String,
    /// The command that made it, such as `refresh`.
    pub command: String,
    /// Who ran the command, as the API server knows them.
    pub by: String,
    /// When it began.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// How far it has come.
    pub state: ChangeState,
    /// What it is about.
    pub containers: Vec<ContainerChange>,
    /// Why it failed, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where it failed: how many failed in a row with it, which is counted once however often it is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
}

/// How far a change has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeState {
    /// The workload was changed, and it is not known yet what comes of it.
    Acting,
    /// The pods run what they were to run.
    Done,
    /// The pods did not come to run what they were to run, and it was left so.
    Failed,
    /// The pods did not come to run what they were to run, and are being brought back.
    Undoing,
    /// The pods were brought back to what they ran before.
    Undone,
}

impl ChangeState {
    /// True while somebody has yet to finish it.
    pub fn is_open(self) -> bool {
        match self {
            Self::Acting | Self::Undoing => true,
            Self::Done | Self::Failed | Self::Undone => false,
        }
    }

    /// The word, as in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acting => "acting",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
        }
    }
}

/// What a change does to one container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerChange {
    /// The container's name.
    pub container: String,
    /// The image's name, as in reports.
    pub image: String,
    /// The variable of its environment that is set; absent where the container's own image is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// The reference, or the variable's value, before.
    pub from: String,
    /// The same after; equal where pods are only started anew.
    pub to: String,
    /// The content that ran before, in a form that can be pulled; absent where none is known, so that there is no way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<Digest>,
    /// The content that is to run.
    pub wanted: Digest,
}

impl ContainerChange {
    /// True if the reference itself changes, which whoever applies the chart has a word in.
    pub fn sets(&self) -> bool {
        self.from != self.to
    }
}

/// One entry of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// The workload.
    pub workload: WorkloadId,
    /// When it came to this.
    #[schemars(with = "String")]
    pub ended: Timestamp,
    /// What was done to it.
    #[serde(flatten)]
    pub change: Change,
}

impl Change {
    /// The change that an annotation tells of; `None` where it is none, or of a form that this build does not know.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The text of the annotation.
    pub fn to_text(&self) -> String {
        // Texts, numbers and lists: there is nothing in it that JSON has no form for.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl HistoryEntry {
    /// The key of the entry in the history: sorted by the time at which the change began, and the same however often it is entered.
    pub fn key(&self) -> String {
        let time = self.change.at.strftime("%Y%m%dT%H%M%S%3f");
        format!(
            "{time}-{}-{}-{}",
            self.change.id,
            self.workload.kind.resource(),
            self.workload.name
        )
    }

    /// The entry in a history's value; `None` where it is none, or of a form that this build does not know.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The text of the entry.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Namespace;
    use crate::workload::WorkloadKind;

    fn entry() -> HistoryEntry {
        HistoryEntry {
            workload: WorkloadId {
                kind: WorkloadKind::Deployment,
                namespace: Namespace::parse("edge").unwrap(),
                name: "edge-jobs-manager".to_owned(),
            },
            ended: "2026-11-21T10:00:00.5Z".parse().unwrap(),
            change: Change {
                id: "a1".to_owned(),
                command: "refresh".to_owned(),
                by: "jane".to_owned(),
                at: "2026-11-21T09:59:00Z".parse().unwrap(),
                state: ChangeState::Done,
                containers: vec![ContainerChange {
                    container: "api".to_owned(),
                    image: "jobs-manager".to_owned(),
                    variable: None,
                    from: "tracebloc/jobs-manager:prod".to_owned(),
                    to: "tracebloc/jobs-manager:prod".to_owned(),
                    former: None,
                    wanted: Digest::from_sha256(&[7; 32]),
                }],
                reason: None,
                attempt: None,
            },
        }
    }

    #[test]
    fn an_entry_and_a_change_come_back_as_they_were_written() {
        let entry = entry();
        assert_eq!(HistoryEntry::parse(&entry.to_text()), Some(entry.clone()));
        assert_eq!(Change::parse(&entry.change.to_text()), Some(entry.change));
        assert_eq!(Change::parse("{}"), None);
        assert_eq!(Change::parse("true"), None);
    }

    #[test]
    fn keys_are_those_of_a_config_map_and_sorted_by_time() {
        let early = entry();
        let late = HistoryEntry {
            change: Change {
                at: "2026-11-21T10:00:01Z".parse().unwrap(),
                ..entry().change
            },
            ..entry()
        };
        let again = HistoryEntry {
            ended: "2026-11-21T11:00:00Z".parse().unwrap(),
            ..entry()
        };
        assert_eq!(early.key(), again.key());
        assert!(early.key() < late.key());
        assert_eq!(
            early.key(),
            "20261121T095900000-a1-deployment-edge-jobs-manager"
        );
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        assert!(early.key().chars().all(allowed));
    }
}
