//! Jobs of the chart that are suspended for as long as a run of ours lasts. The annotation is written by the very patch that suspends, so that whoever
//! comes after a kill lets the job run again, and nobody lets one run that a user suspended.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::workload::LiveWorkload;

/// The annotation on a `CronJob` that says which run suspended it for as long as it lasts: a [`Suspended`] as JSON.
pub const SUSPENDED: &str = "tracebloc.io/suspended";

/// Which run suspended a `CronJob` for as long as it lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Suspended {
    /// What all changes of the run have in common.
    pub id: String,
    /// The command.
    pub command: String,
    /// Who ran it, as the API server knows them.
    pub by: String,
    /// When it suspended the job.
    pub at: Timestamp,
}

impl Suspended {
    /// What a `CronJob` says of it; `None` where it says nothing, or something of a form that this build does not know.
    pub fn of(job: &LiveWorkload) -> Option<Self> {
        serde_json::from_str(job.records.get(SUSPENDED)?).ok()
    }

    /// The text of the annotation.
    pub fn to_text(&self) -> String {
        // Texts: there is nothing in it that JSON has no form for.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// True if a run of ours suspended the job for as long as it lasts, and has not let it run again.
pub fn is_marked(job: &LiveWorkload) -> bool {
    job.records.contains_key(SUSPENDED)
}

/// True if the job starts nothing until somebody lets it, and not only for as long as a run of ours lasts.
pub fn is_suspended_for_good(job: &LiveWorkload) -> bool {
    job.cron.as_ref().is_some_and(|cron| cron.suspended) && !is_marked(job)
}
