//! What a profile knows of chart versions: their faults, their defaults, and what they hold still on purpose.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::breaker::{Test, holds};
use crate::finding::Severity;
use crate::release::Release;
use crate::release::Values;
use crate::version::Version;

/// A fault of chart versions.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Advisory {
    /// The first version with the fault.
    pub since: Version,
    /// The first version without it.
    pub fixed: Version,
    /// How bad it is.
    pub severity: Severity,
    /// What it does, as a sentence without a full stop.
    pub fault: String,
    /// What must hold of the release's values for it to show, by their paths.
    #[serde(default)]
    pub when: BTreeMap<String, Test>,
}

impl Advisory {
    /// True if a version with these values shows the fault.
    pub fn affects(&self, version: &Version, values: &Values) -> bool {
        *version >= self.since && *version < self.fixed && holds(&self.when, values)
    }
}

/// A default value that every package of the chart has from a version on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DefaultKey {
    /// The first version that has it.
    pub since: Version,
    /// Its path.
    pub value: String,
}

/// An image that the chart holds at a digest, behind its tag on purpose.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeldPin {
    /// The image's name.
    pub image: String,
    /// The value with the digest.
    pub digest_value: String,
    /// The value that lets the image go where it is `false`.
    pub switch_value: String,
    /// The channel on which it is held.
    pub channel: String,
    /// The value with which a user pins the image, which goes before the chart's.
    pub user_value: String,
}

/// A value by which a user tells the chart's refresh to leave an image.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OptOut {
    /// The image's name.
    pub image: String,
    /// The value's path.
    pub value: String,
    /// What it holds then.
    pub text: String,
    /// The first chart version that heeds it.
    pub since: Version,
    /// The first that does not any more.
    pub until: Version,
}

impl OptOut {
    /// True if a release's chart version heeds the value, and the value opts out.
    pub fn is_in_force(&self, release: &Release) -> bool {
        let chosen = release.values.text(&self.value);
        self.is_heeded(release) && chosen.is_some_and(|(text, _)| text == self.text)
    }

    /// True if it may be in force, and is not known to be: the values may not be read.
    pub fn is_unknown(&self, release: &Release) -> bool {
        self.is_heeded(release) && release.is_by_labels()
    }

    fn is_heeded(&self, release: &Release) -> bool {
        let version = release.chart.version.as_ref();
        version.is_some_and(|version| self.since <= *version && *version < self.until)
    }
}
