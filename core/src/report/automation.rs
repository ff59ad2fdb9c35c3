//! How the jobs stand with which a chart keeps its release current.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::UnknownReason;

/// The chart's own jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutomationReport {
    /// The job that moves the release to newer chart versions.
    pub auto_upgrade: JobReport,
    /// The job that brings running images to what their tags point to.
    pub image_refresh: JobReport,
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AutomationState {
    /// It runs, and nothing speaks against it.
    Ok,
    /// It starts nothing until somebody lets it.
    Suspended,
    /// It runs without success, skips without end, or does not run at all.
    Stalled,
    /// It gave up after rollouts that failed.
    Flapping,
    /// The release is held by an operation that was killed.
    Wedged,
    /// It runs and does nothing, by design.
    Inert,
    /// It has lost the rights to act.
    LockedOut,
    /// There is none.
    Absent,
    /// It could not be established.
    Unknown,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobReport {
    /// How it stands.
    pub state: AutomationState,
    /// When it runs, in cron's five fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// When it last began to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub last_run: Option<Timestamp>,
    /// When a run last ended well, which is not to say that it did anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub last_success: Option<Timestamp>,
    /// When it runs next; absent where it will not, and where that cannot be computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub next_run: Option<Timestamp>,
    /// Since when it has been stalled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// What makes up the state, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Why the state is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<UnknownReason>,
}
