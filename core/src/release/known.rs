//! By what a release is known: Helm's record, or, where that may not be read, the labels of what runs (DESIGN §7 "Rights in tiers").

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Release;
use crate::workload::{Container, WorkloadId};

/// By what a release is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KnownBy {
    /// Helm's record.
    #[default]
    Record,
    /// The labels and annotations of its live workloads. Its values, its stored manifest, and the revision with its status are unknown: empty fields
    /// say nothing then, and the workloads are those that are there.
    Labels(Rendered),
}

/// What live objects tell of the values that a chart was rendered with: as much as its own refresh job is told in its environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rendered {
    /// The tag of the images that follow the channel.
    pub channel: Option<String>,
    /// The containers whose image a value pins, by workload and name.
    pub pinned: BTreeSet<(WorkloadId, String)>,
}

impl Release {
    /// What is known of its values, where its record may not be read; `None` where it was.
    pub fn rendered(&self) -> Option<&Rendered> {
        match &self.known_by {
            KnownBy::Record => None,
            KnownBy::Labels(rendered) => Some(rendered),
        }
    }

    /// True if its record may not be read.
    pub fn is_by_labels(&self) -> bool {
        self.rendered().is_some()
    }

    /// True if a value pins the image of a container, or may do so, as far as is known without its record.
    pub fn may_pin(&self, workload: &WorkloadId, container: &str) -> bool {
        let Some(rendered) = self.rendered() else {
            return false;
        };
        let key = (workload.clone(), container.to_owned());
        let mut own = self.workloads.iter().filter(|own| own.id == *workload);
        let container = own.find_map(|own| own.container(container));
        rendered.pinned.contains(&key)
            || container.is_none_or(|container| self.is_pin_unknown(workload, container))
    }

    /// True if it is not known whether a value pins the image of a container.
    ///
    /// A digest in a live reference was put there by a value, by a refresh, or by hand, and the reference alone does not tell by which: `refresh
    /// --rollback --pin` leaves the very reference that the rollback set. A tag where a value pins a digest was put there by hand.
    pub fn is_pin_unknown(&self, workload: &WorkloadId, container: &Container) -> bool {
        let Some(rendered) = self.rendered() else {
            return false;
        };
        let names_a_digest = container
            .image
            .as_ref()
            .is_ok_and(|image| image.digest().is_some());
        let is_pinned = rendered
            .pinned
            .iter()
            .any(|(id, name)| id == workload && *name == container.name);
        names_a_digest != is_pinned
    }
}
