//! A release as it was observed: the records of its revisions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Evidence, RepositoryRef};
use crate::release::{ChartMetadata, Defaults, Release, RevisionHead};

/// One release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedRelease {
    /// The newest revision, by its labels.
    pub newest: RevisionHead,
    /// The newest revision's record.
    pub record: Evidence<Release>,
    /// The record of the revision that was deployed last, where that is not the newest revision and there is one
    /// ([`standing`](crate::release::standing)).
    pub deployed: Option<Evidence<Release>>,
    /// Revisions before the newest, newest first, as far as they were asked for.
    #[serde(default)]
    pub earlier: Vec<EarlierRevision>,
    /// The repository to ask for its chart, where one is known.
    pub repository: Option<RepositoryRef>,
}

/// A revision before the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EarlierRevision {
    /// Which, by its labels.
    pub head: RevisionHead,
    /// What its record tells.
    pub facts: Evidence<RevisionFacts>,
}

/// What the record of a revision tells of how it came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RevisionFacts {
    /// The chart that it was made from.
    pub chart: ChartMetadata,
    /// When it was made.
    pub made_at: Option<Timestamp>,
    /// What Helm says of it; nothing of the user's values stands in it.
    pub description: String,
}

impl RevisionFacts {
    /// Those of a record.
    pub fn of(release: &Release) -> Self {
        Self {
            chart: release.chart.clone(),
            made_at: release.last_deployed,
            description: release.description.clone(),
        }
    }
}

impl ObservedRelease {
    /// Lets the records share what others have in memory already.
    pub fn share(&mut self, defaults: &mut Defaults) {
        for record in [Some(&mut self.record), self.deployed.as_mut()] {
            if let Some(Evidence::Known(release)) = record {
                defaults.share(&mut release.values);
            }
        }
    }

    /// The record that says what is installed: that of the revision that was deployed last, else the newest (DESIGN §6 "The release").
    pub fn current(&self) -> &Evidence<Release> {
        match &self.deployed {
            Some(deployed) => deployed,
            None => &self.record,
        }
    }
}
