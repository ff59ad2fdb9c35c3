//! A release as it was observed: the records of its revisions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Evidence, Gap, GapReason, RepositoryRef};
use crate::name::ReleaseId;
use crate::release::{ChartMetadata, Defaults, Release, ReleaseStatus, RevisionHead};

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
    /// Why its records may not be read, where it is known by the labels of its workloads alone.
    #[serde(default)]
    pub unread: Option<Gap>,
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
    /// A release of which nothing may be read but what labels tell; `Unknown` where these do not tell enough.
    pub fn by_labels(id: ReleaseId, found: Evidence<Release>, gap: Gap) -> Self {
        let newest = RevisionHead {
            id,
            revision: 0,
            status: ReleaseStatus::Unknown,
        };
        Self {
            newest,
            record: found,
            deployed: None,
            earlier: Vec::new(),
            repository: None,
            unread: Some(gap),
        }
    }

    /// Why its record may not be read, where that is all that keeps it from being known.
    pub fn forbidden(&self) -> Option<&Gap> {
        self.current()
            .gap()
            .filter(|gap| gap.reason == GapReason::Forbidden)
    }

    /// Lets labels stand in for records that may be listed and not read: then the newest revision and its status are known.
    pub fn stand_in(&mut self, found: Release) {
        let Some(gap) = self.forbidden().cloned() else {
            return;
        };
        self.record = Evidence::Known(Release {
            head: self.newest.clone(),
            ..found
        });
        self.deployed = None;
        self.unread = Some(gap);
    }

    /// The number of the newest revision, where it is known.
    pub fn revision(&self) -> Option<u32> {
        Some(self.newest.revision).filter(|revision| *revision > 0)
    }

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
