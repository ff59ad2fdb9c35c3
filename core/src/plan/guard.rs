//! The reasons to say no.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A guard that says no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Which guard.
    pub guard: Guard,
    /// What it is about: a workload, an image, the release.
    pub subject: String,
    /// Why, in words.
    pub message: String,
    /// The ways out, each a flag or a whole command line.
    pub advice: Vec<String>,
}

/// The reasons to say no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Guard {
    /// A Helm operation is under way, or was killed.
    ReleasePending,
    /// Another tool looks after the release, and would change it back.
    ManagedElsewhere,
    /// A Job of the chart that changes the same workloads runs.
    JobRunning,
    /// The chart's own job starts in a moment, and would not see that a rollout is under way.
    TickNear,
    /// Rollouts failed again and again.
    Flapping,
    /// The workload has not settled.
    Unsettled,
    /// The Deployment is paused.
    Paused,
    /// The workload replaces pods only as somebody deletes them.
    OnDelete,
    /// The workload is not there, or could not be read; or Helm's record may not be read, and labels do not tell one version of the chart.
    Unreadable,
    /// What is published is not for the platform of a node that needs it.
    PlatformMissing,
    /// The cache that nodes pull through still serves the old content.
    CacheStale,
    /// Nothing would pull the new content.
    RestartInVain,
    /// Something else was brought since the refresh that is to be gone back from.
    Overtaken,
    /// Pods run different content, so that there is no one to hold.
    Skewed,
    /// What runs cannot be named by a digest that a registry serves.
    NotPinnable,
    /// The chart's own refresh would move it all the same.
    RefreshActive,
    /// Somebody else owns fields that Helm applies, and its upgrade would fail at them.
    FieldsOwned,
    /// The package of the chart version that is deployed cannot be had, or not be checked.
    ChartUnavailable,
    /// An earlier run did not end.
    Unfinished,
    /// The tag is older than the one that runs, or cannot be compared with it.
    Downgrade,
    /// The registry has no such tag, or did not say.
    TagUnavailable,
    /// The image is not chosen by a tag that could be changed: a digest, a channel or the chart goes before it.
    TagNotInForce,
}

impl Guard {
    /// True if time alone may lift it.
    pub fn may_pass(self) -> bool {
        match self {
            Self::JobRunning | Self::TickNear | Self::Unsettled => true,
            Self::ReleasePending
            | Self::ManagedElsewhere
            | Self::Flapping
            | Self::Paused
            | Self::OnDelete
            | Self::Unreadable
            | Self::PlatformMissing
            | Self::CacheStale
            | Self::RestartInVain
            | Self::Overtaken
            | Self::Skewed
            | Self::NotPinnable
            | Self::RefreshActive
            | Self::FieldsOwned
            | Self::ChartUnavailable
            | Self::Unfinished
            | Self::Downgrade
            | Self::TagUnavailable
            | Self::TagNotInForce => false,
        }
    }

    /// The word, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReleasePending => "release-pending",
            Self::ManagedElsewhere => "managed-elsewhere",
            Self::JobRunning => "job-running",
            Self::TickNear => "tick-near",
            Self::Flapping => "flapping",
            Self::Unsettled => "unsettled",
            Self::Paused => "paused",
            Self::OnDelete => "on-delete",
            Self::Unreadable => "unreadable",
            Self::PlatformMissing => "platform-missing",
            Self::CacheStale => "cache-stale",
            Self::RestartInVain => "restart-in-vain",
            Self::Overtaken => "overtaken",
            Self::Skewed => "skewed",
            Self::NotPinnable => "not-pinnable",
            Self::RefreshActive => "refresh-active",
            Self::FieldsOwned => "fields-owned",
            Self::ChartUnavailable => "chart-unavailable",
            Self::Unfinished => "unfinished",
            Self::Downgrade => "downgrade",
            Self::TagUnavailable => "tag-unavailable",
            Self::TagNotInForce => "tag-not-in-force",
        }
    }
}
