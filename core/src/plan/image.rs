//! What a plan decides about each image.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::image::Digest;
use crate::report::{ImageReport, ImageState};

/// What was decided about an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImagePlan {
    /// Its name, as in reports.
    pub name: String,
    /// Registry and repository.
    pub repository: String,
    /// The tag that it is compared under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// How it stands.
    pub state: ImageState,
    /// What is done about it.
    pub decision: Decision,
    /// Why.
    pub reason: String,
    /// What its tag points to now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Digest>,
    /// What the annotation says was rolled out last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Digest>,
    /// What pods run, each content once.
    pub running: Vec<Digest>,
}

impl ImagePlan {
    /// The decision about an image of which that was reported.
    pub(super) fn of(image: &ImageReport, decision: Decision, reason: String) -> Self {
        Self {
            name: image.name.clone(),
            repository: image.repository.clone(),
            tag: image.tag.clone(),
            state: image.state,
            decision,
            reason,
            published: image.digest.published.clone(),
            recorded: image.digest.recorded.clone(),
            running: running(image),
        }
    }
}

/// What pods run of an image, each content once.
fn running(image: &ImageReport) -> Vec<Digest> {
    let running: BTreeSet<&Digest> = image
        .digest
        .running
        .iter()
        .map(|running| &running.digest)
        .collect();
    running.into_iter().cloned().collect()
}

/// What is done about an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Nothing: pods run what is published.
    Current,
    /// Pods are brought to what is published.
    Move,
    /// Only what runs is recorded; no pod is touched.
    Record,
    /// It is held at what runs.
    Pin,
    /// It is let go, and follows its tag again.
    Unpin,
    /// Nothing: a digest in the values holds it.
    Pinned,
    /// Nothing: no pin holds it.
    NotPinned,
    /// Nothing: the chart holds it behind its tag on purpose.
    Held,
    /// Nothing: the values tell the chart's own refresh to leave it.
    OptedOut,
    /// Nothing: it moves with the chart's versions only.
    MovesWithChart,
    /// Nothing yet: what is published has not been so for long enough.
    TooYoung,
    /// Nothing yet: there were as many rollouts as there may be for now.
    Paced,
    /// Nothing: nothing of it runs.
    Idle,
    /// Nothing: it was not asked for.
    NotAskedFor,
    /// Nothing: a guard says no to it.
    Refused,
    /// Nothing: how it stands could not be established.
    Unknown,
}
