//! Judgement: observed facts in, a report out. Total and deterministic; one judge a file.

mod automation;
mod breakers;
mod changes;
mod chart;
mod containers;
mod digest;
mod history;
mod knowledge;
mod listing;
mod needs;
mod ownership;
mod path;
mod release;
pub mod source;
mod status;
mod storage;
mod unread;
mod workloads;

use std::collections::{BTreeMap, BTreeSet};

use crate::advice::Advisor;
use crate::finding::{Code, Finding, Subject};
use crate::image::Tag;
use crate::profile::{Kinship, Profile};
use crate::report::{
    API_VERSION, ContextReport, ImageState, OutdatedReport, ReleaseReport, Summary, TagSource,
    UnknownReason,
};
use crate::snapshot::{
    Evidence, Gap, HistoryFacts, ObservedChart, ObservedRelease, RepositoryOrigin, Snapshot,
    StorageFacts,
};
use crate::version::Constraint;

pub use automation::wanted_access;
pub(crate) use automation::{is_since, limit, refresh_mirror};
pub use chart::wanted_details;
pub(crate) use digest::platforms_of;
pub use digest::{
    PullSecretId, Wanted, needs_platforms, wanted_manifests, wanted_of_tags, wanted_pull_secrets,
    wanted_sources, wanted_tag_lists, wanted_tags,
};
pub use history::{Extent, history};
pub use needs::needs_api;
pub(crate) use release::hangs;
pub use status::status;

/// What to judge; by default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// Whether chart drift is asked for.
    pub chart: bool,
    /// Whether newer version tags of images are asked for.
    pub image: bool,
    /// Whether digest drift is asked for.
    pub digest: bool,
    /// Whether images of which nothing runs are asked about too.
    pub all_images: bool,
    /// Whether the chart's own automation is asked for.
    pub automation: bool,
    /// Whether it matters which Jobs of the chart's own automation run at this moment; who asks for the automation learns it too.
    pub jobs: bool,
    /// The images of the profile's chart whose tags are asked about; all of them where this is `None`. One that is in the midst of a change is asked
    /// about too.
    pub images: Option<BTreeSet<String>>,
    /// Tags beside those that they run under, by the names of images: what these point to is asked too.
    pub tags: BTreeMap<String, Tag>,
    /// Whether nodes are asked about only where it matters: where pods run something else than is published.
    pub nodes_where_needed: bool,
    /// Whether the safety of its data is asked for.
    pub storage: bool,
    /// Whether its past is asked for.
    pub history: bool,
    /// Whether prereleases of the chart count.
    pub prereleases: Prereleases,
    /// The range in which newer versions of the chart count.
    pub constraint: Option<Constraint>,
}

/// Whether prereleases count as newer versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Prereleases {
    /// Only for a release that runs one (DESIGN §6).
    #[default]
    WhereInstalled,
    /// Always: `--devel`.
    Include,
}

/// What a judge of one release is given.
struct Case<'facts> {
    snapshot: &'facts Snapshot,
    profile: &'facts Profile,
    question: &'facts Question,
    advisor: Advisor<'facts>,
    observed: &'facts ObservedRelease,
}

impl Case<'_> {
    fn subject(&self) -> Subject {
        Subject {
            release: Some(self.observed.newest.id.clone()),
            ..Subject::default()
        }
    }
}

/// Judges a snapshot: what is behind, and why.
pub fn outdated(snapshot: &Snapshot, profile: &Profile, question: &Question) -> OutdatedReport {
    let mut releases = Vec::new();
    let mut findings = Vec::new();
    for observed in &snapshot.releases {
        let case = Case {
            snapshot,
            profile,
            question,
            advisor: Advisor::new(&snapshot.context),
            observed,
        };
        let (report, mut found) = judge(&case);
        found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        releases.push(report);
        findings.extend(found);
    }
    findings.extend(unanswered(snapshot));
    findings.extend(workstation(snapshot));
    let summary = summarise(&releases, question);
    OutdatedReport {
        api_version: API_VERSION.to_owned(),
        kind: "OutdatedReport".to_owned(),
        context: context(snapshot),
        checked_at: snapshot.observed_at,
        releases,
        summary,
        findings,
    }
}

/// The cluster that was asked.
fn context(snapshot: &Snapshot) -> ContextReport {
    ContextReport {
        name: snapshot.context.name.clone(),
        server: snapshot.context.server.clone(),
        cluster_uid: snapshot.context.cluster_uid.known().cloned(),
    }
}

fn judge(case: &Case<'_>) -> (ReleaseReport, Vec<Finding>) {
    let head = &case.observed.newest;
    let mut report = ReleaseReport {
        namespace: head.id.namespace.clone(),
        name: head.id.name.clone(),
        revision: case.observed.revision(),
        status: head.status,
        unknown: case.observed.unread.as_ref().map(unknown),
        installed_at: None,
        deployed_at: None,
        managed_by: None,
        chart: None,
        images: Vec::new(),
        automation: None,
        storage: Vec::new(),
    };
    let is_there = !release::is_gone(head.status);
    let mut findings = release::judge(case);
    if let Evidence::Known(current) = case.observed.current() {
        report.installed_at = current.first_deployed;
        report.deployed_at = current.last_deployed;
        if case.question.chart {
            let (chart, found) = chart::judge(case, current);
            report.chart = Some(chart);
            findings.extend(found);
            findings.extend(listing::judge(case, current));
        }
        if case.question.chart && is_there {
            findings.extend(knowledge::judge(case, current));
            findings.extend(needs::judge(case, current));
            findings.extend(workloads::judge(case, current));
        }
        if let Some((owner, found)) = ownership::judge(case, current) {
            report.managed_by = Some(owner);
            findings.push(found);
        }
        if (case.question.digest || case.question.image) && is_there {
            let (images, found) = digest::judge(case, current);
            report.images = images;
            findings.extend(found);
        }
        if case.question.storage && is_there {
            let (claims, found) = storage::judge(case, current);
            report.storage = claims;
            findings.extend(found);
        }
        if case.question.automation && is_there && case.profile.kinship(current) == Kinship::Ours {
            let (mut automation, found) = automation::judge(case, current);
            breakers::hold_back(&mut automation.auto_upgrade, case, current, &report);
            report.automation = Some(automation);
            findings.extend(found);
            findings.extend(path::judge(case, &report, &findings));
        }
        if case.question.automation && is_there {
            findings.extend(containers::judge(case, current));
            findings.extend(changes::judge(case, current));
        }
    }
    same_way_out(&mut findings);
    (report, findings)
}

/// Faults of an installed version go with the upgrade that is advised anyhow.
fn same_way_out(findings: &mut [Finding]) {
    let upgrade = findings
        .iter()
        .find(|finding| finding.code == Code::ChartBehind)
        .map(|finding| finding.advice.clone());
    let Some(upgrade) = upgrade else { return };
    for finding in findings {
        if finding.code == Code::MissingFix && finding.advice.is_empty() {
            finding.advice.clone_from(&upgrade);
        }
    }
}

/// Lists that the cluster did not give, once each.
fn unanswered(snapshot: &Snapshot) -> Vec<Finding> {
    let gaps: BTreeSet<&Gap> = snapshot
        .unlisted
        .iter()
        .map(|unlisted| &unlisted.gap)
        .chain(snapshot.storage.iter().flat_map(StorageFacts::gaps))
        .chain(snapshot.history.iter().flat_map(HistoryFacts::gaps))
        .chain(
            snapshot
                .access
                .iter()
                .filter_map(|access| access.there.gap()),
        )
        .collect();
    gaps.into_iter()
        .map(|gap| {
            Finding::new(
                Code::ClusterUnanswered,
                Subject::default(),
                // A refusal names what was asked for.
                if gap.message.contains(&gap.asked) {
                    gap.message.clone()
                } else {
                    format!("{}: {}", gap.asked, gap.message)
                },
            )
        })
        .collect()
}

/// What the user's own configuration would have told: files that could not be read, and repositories in them that did not answer.
fn workstation(snapshot: &Snapshot) -> Vec<Finding> {
    let told = |code, gap: &Gap| {
        Finding::new(
            code,
            Subject::default(),
            format!("{}: {}", gap.asked, gap.message),
        )
    };
    let unread = snapshot
        .unread
        .iter()
        .map(|gap| told(Code::ConfigurationUnread, gap));
    // Of a repository that a release is held against, the release itself tells.
    let is_held_against = |chart: &ObservedChart| {
        snapshot.releases.iter().any(|observed| {
            observed
                .repository
                .as_ref()
                .is_some_and(|repository| repository.is_same(&chart.repository))
        })
    };
    let unanswered = snapshot
        .charts
        .iter()
        .filter(|chart| {
            chart.repository.origin == RepositoryOrigin::User && !is_held_against(chart)
        })
        .filter_map(|chart| chart.index.gap())
        .map(|gap| told(Code::RepositoryUnanswered, gap));
    unread.chain(unanswered).collect()
}

fn summarise(releases: &[ReleaseReport], question: &Question) -> Summary {
    let mut summary = Summary::default();
    for release in releases {
        summary.releases += 1;
        summary.charts_behind += u32::from(release.has_old_chart());
        summary.unknown += u32::from(release.is_chart_unknown())
            + u32::from(release.is_unread() || release.unknown.is_some());
        for image in &release.images {
            summary.images_behind += u32::from(image.has_old_version());
            summary.digests_behind += u32::from(image.has_old_content());
            let version_unknown = image.source == TagSource::Value
                && image
                    .version
                    .as_ref()
                    .is_some_and(|version| version.unknown.is_some());
            let content_unknown = question.digest && image.state == ImageState::Unknown;
            summary.unknown += u32::from(version_unknown) + u32::from(content_unknown);
        }
    }
    summary
}

/// True if a release belongs to the profile's product: what is shown where no release was named.
pub fn is_product(observed: &ObservedRelease, profile: &Profile) -> bool {
    match observed.current() {
        Evidence::Known(release) => profile.kinship(release) != Kinship::Foreign,
        // A release that cannot be read may be ours: hiding it would be guessing.
        Evidence::Unknown(_) => true,
    }
}

fn unknown(gap: &Gap) -> UnknownReason {
    UnknownReason {
        reason: gap.reason,
        message: gap.message.clone(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
