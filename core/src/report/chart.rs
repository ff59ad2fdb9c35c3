//! How a release's chart stands.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::UnknownReason;
use crate::version::{Change, Version};

/// How a chart stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChartState {
    /// The newest version that fits is installed.
    Current,
    /// A newer version that fits is published.
    Behind,
    /// A newer version than any published is installed.
    Ahead,
    /// An operation that failed or hangs left objects of two versions.
    Mixed,
    /// The chart is no longer published; another replaces it.
    Replaced,
    /// It could not be established.
    Unknown,
}

/// A release's chart against its repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartReport {
    /// The chart's name.
    pub name: String,
    /// The version that was deployed last, that is the one of the newest revision that worked.
    pub current: String,
    /// The version of a newer revision that failed or hangs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempted: Option<String>,
    /// The newest version that fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<Version>,
    /// The newest version of each step that fits.
    #[serde(default)]
    pub newest: NewestVersions,
    /// The step from current to latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// How it stands.
    pub state: ChartState,
    /// How many versions that fit are newer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions_behind: Option<u32>,
    /// Newer versions that were passed over.
    #[serde(default)]
    pub skipped: Vec<SkippedVersion>,
    /// The repository's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// When the repository confirmed its versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub observed_at: Option<Timestamp>,
    /// Why the state is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<UnknownReason>,
}

/// The newest version of each step, where there is one newer than the current.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewestVersions {
    /// Same major and minor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<Version>,
    /// Same major, another minor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minor: Option<Version>,
    /// Another major.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub major: Option<Version>,
}

/// A newer version that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkippedVersion {
    /// Which.
    pub version: Version,
    /// Why.
    pub reason: String,
}
