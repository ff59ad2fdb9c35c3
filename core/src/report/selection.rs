//! What of a report is shown, and in which order. Judgements are not changed by it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{
    ChartState, ImageFlag, ImageReport, ImageState, OutdatedReport, ReleaseReport, StatusReport,
    Summary, TagSource,
};
use crate::finding::{Code, Condition, Finding, Severity};
use crate::name::ReleaseId;
use crate::version::Change;

/// The order of the releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By namespace, then by name.
    Namespace,
    /// By name, then by namespace.
    Name,
    /// What is furthest behind first, then what is unknown.
    Behind,
    /// What was installed longest ago first; without a known time last.
    Age,
    /// The worst finding first.
    Severity,
}

/// What the reports of reading commands have in common.
pub trait Report {
    /// Counts over all releases.
    fn summary(&self) -> &Summary;

    /// What is worth attention.
    fn findings(&self) -> &[Finding];

    /// The same, to be chosen from.
    fn findings_mut(&mut self) -> &mut Vec<Finding>;

    /// Takes out the findings of these codes. States and counts stay as they are.
    fn ignore(&mut self, codes: &[Code]) {
        self.findings_mut()
            .retain(|finding| !codes.contains(&finding.code));
    }

    /// Takes out the findings that are milder.
    fn keep_from(&mut self, least: Severity) {
        self.findings_mut()
            .retain(|finding| finding.severity >= least);
    }

    /// True if one of the conditions holds for a finding.
    fn meets(&self, conditions: &[Condition]) -> bool {
        self.findings()
            .iter()
            .any(|finding| conditions.iter().any(|condition| condition.holds(finding)))
    }
}

impl Report for OutdatedReport {
    fn summary(&self) -> &Summary {
        &self.summary
    }

    fn findings(&self) -> &[Finding] {
        &self.findings
    }

    fn findings_mut(&mut self) -> &mut Vec<Finding> {
        &mut self.findings
    }
}

impl Report for StatusReport {
    fn summary(&self) -> &Summary {
        &self.summary
    }

    fn findings(&self) -> &[Finding] {
        &self.findings
    }

    fn findings_mut(&mut self) -> &mut Vec<Finding> {
        &mut self.findings
    }
}

impl OutdatedReport {
    /// Puts the releases in order, and their findings in the same. What is equal is ordered by namespace and name.
    pub fn sort_by(&mut self, order: Order) {
        let mut worst: BTreeMap<ReleaseId, Severity> = BTreeMap::new();
        for finding in &self.findings {
            if let Some(release) = &finding.subject.release {
                let severity = worst.entry(release.clone()).or_insert(finding.severity);
                *severity = finding.severity.max(*severity);
            }
        }
        let releases = &mut self.releases;
        releases.sort_by_key(ReleaseReport::id);
        match order {
            Order::Namespace => {}
            Order::Name => releases.sort_by(|one, other| one.name.cmp(&other.name)),
            Order::Behind => releases.sort_by_key(|release| Reverse(release.distance())),
            Order::Age => {
                releases
                    .sort_by_key(|release| (release.deployed_at.is_none(), release.deployed_at));
            }
            Order::Severity => {
                releases.sort_by_key(|release| Reverse(worst.get(&release.id()).copied()));
            }
        }
        let places: BTreeMap<ReleaseId, usize> = self
            .releases
            .iter()
            .enumerate()
            .map(|(place, release)| (release.id(), place))
            .collect();
        self.findings.sort_by_key(|finding| {
            let release = finding.subject.release.as_ref();
            // Findings about no release in particular come last, as ever.
            release
                .and_then(|release| places.get(release).copied())
                .unwrap_or(usize::MAX)
        });
    }
}

impl ReleaseReport {
    /// Namespace and name.
    pub fn id(&self) -> ReleaseId {
        ReleaseId {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }

    /// True if its chart or an image of it is behind.
    pub fn is_behind(&self) -> bool {
        self.has_old_chart() || self.images.iter().any(ImageReport::is_behind)
    }

    /// True if its chart is behind, in whatever way.
    pub(crate) fn has_old_chart(&self) -> bool {
        match self.chart.as_ref().map(|chart| chart.state) {
            Some(ChartState::Behind | ChartState::Mixed | ChartState::Replaced) => true,
            Some(ChartState::Current | ChartState::Ahead | ChartState::Unknown) | None => false,
        }
    }

    /// True if it was asked how its chart stands, and that is not known.
    pub(crate) fn is_chart_unknown(&self) -> bool {
        self.chart
            .as_ref()
            .is_some_and(|chart| chart.state == ChartState::Unknown)
    }

    /// True if nothing could be told of it: its record could not be read.
    pub fn is_unread(&self) -> bool {
        self.chart.is_none() && self.installed_at.is_none() && self.images.is_empty()
    }

    /// How far behind it is, to be compared: whether its chart is, by how many versions, how many images are, and how much is unknown.
    fn distance(&self) -> (bool, u32, usize, usize) {
        let versions = self.chart.as_ref().and_then(|chart| chart.versions_behind);
        let images = |matches: fn(&ImageReport) -> bool| {
            self.images.iter().filter(|image| matches(image)).count()
        };
        let unknown = images(|image| image.state == ImageState::Unknown)
            + usize::from(self.is_chart_unknown())
            + usize::from(self.is_unread() || self.unknown.is_some());
        (
            self.has_old_chart(),
            versions.unwrap_or_default(),
            images(ImageReport::is_behind),
            unknown,
        )
    }
}

impl ImageReport {
    /// True if pods run old content that nobody pinned, or if the values choose an old version.
    pub fn is_behind(&self) -> bool {
        self.has_old_content() || self.has_old_version()
    }

    /// True if pods run other content than is published. A pin is somebody's choice, and no fault.
    pub(crate) fn has_old_content(&self) -> bool {
        self.state == ImageState::Behind
            && self.digest.published.is_some()
            && !self.flags.contains(&ImageFlag::Pinned)
    }

    /// True if a newer version than the one that the release's values choose is published. What the chart itself chooses moves with the chart, and
    /// does not count.
    pub(crate) fn has_old_version(&self) -> bool {
        self.source == TagSource::Value
            && self
                .version
                .as_ref()
                .is_some_and(|version| version.change != Change::None)
    }
}

#[cfg(test)]
mod tests;
