//! Chart drift: the installed version against what the repository publishes.

use super::{Case, Prereleases, Question, breakers, unknown};
use crate::finding::{Code, Finding};
use crate::index::{ChartIndex, ChartVersion};
use crate::profile::Kinship;
use crate::release::Release;
use crate::report::{ChartReport, ChartState, NewestVersions, SkippedVersion, UnknownReason};
use crate::snapshot::{Evidence, GapReason, ObservedChart, RepositoryRef};
use crate::time::{age, counted};
use crate::version::{Change, Constraint, Version};

pub(super) fn judge(case: &Case<'_>, current: &Release) -> (ChartReport, Vec<Finding>) {
    let mut report = ChartReport {
        name: current.chart.name.to_string(),
        current: current.chart.version_text.clone(),
        attempted: attempted(case, current),
        latest: None,
        newest: NewestVersions::default(),
        change: None,
        state: ChartState::Unknown,
        versions_behind: None,
        skipped: Vec::new(),
        repository: None,
        observed_at: None,
        unknown: None,
    };
    let findings = if case.profile.kinship(current) == Kinship::Replaced {
        replaced(case, &mut report)
    } else {
        match published(case, current) {
            Ok((observed, index, version)) => {
                report.repository = Some(observed.repository.url.clone());
                report.observed_at = observed.observed_at;
                compare(
                    case,
                    current,
                    &mut report,
                    (&observed.repository, index, version),
                )
            }
            Err(reason) => {
                report.repository = case
                    .observed
                    .repository
                    .as_ref()
                    .map(|repository| repository.url.clone());
                let finding = Finding::new(
                    Code::ChartUnknown,
                    case.subject(),
                    format!(
                        "which versions of the chart {} are published is unknown: {}",
                        report.name, reason.message
                    ),
                );
                report.unknown = Some(reason);
                vec![finding]
            }
        }
    };
    if report.attempted.is_some() && report.state != ChartState::Replaced {
        report.state = ChartState::Mixed;
    }
    (report, findings)
}

/// The version of a newer revision that did not get to be deployed. Objects may be at that version already (DOMAIN §8).
fn attempted(case: &Case<'_>, current: &Release) -> Option<String> {
    let newest = case.observed.record.known()?;
    let differs = newest.chart.version_text != current.chart.version_text;
    differs.then(|| newest.chart.version_text.clone())
}

/// The published versions of the release's chart and the installed one, or why one of them is unknown.
fn published<'facts>(
    case: &Case<'facts>,
    current: &'facts Release,
) -> Result<(&'facts ObservedChart, &'facts ChartIndex, &'facts Version), UnknownReason> {
    let reason = |reason, message: String| UnknownReason { reason, message };
    let Some(repository) = &case.observed.repository else {
        return Err(reason(
            GapReason::Unsupported,
            "no repository is known for it; name one with --repo URL".to_owned(),
        ));
    };
    let Some(observed) = case.snapshot.chart(repository, &current.chart.name) else {
        return Err(reason(
            GapReason::Unsupported,
            "its repository was not asked".to_owned(),
        ));
    };
    let index = match &observed.index {
        Evidence::Known(index) => index,
        Evidence::Unknown(gap) => return Err(unknown(gap)),
    };
    if index.versions.is_empty() {
        return Err(reason(
            GapReason::NotFound,
            format!("{} lists no version of it", observed.repository.url),
        ));
    }
    let Some(version) = &current.chart.version else {
        let message = if current.is_by_labels() {
            format!(
                "the labels of its workloads do not tell one version: {}",
                current.chart.version_text
            )
        } else {
            format!(
                "the installed version `{}` is not a version",
                current.chart.version_text
            )
        };
        return Err(reason(GapReason::Malformed, message));
    };
    Ok((observed, index, version))
}

fn replaced(case: &Case<'_>, report: &mut ChartReport) -> Vec<Finding> {
    report.state = ChartState::Replaced;
    let id = &case.observed.newest.id;
    vec![
        Finding::new(
            Code::ChartReplaced,
            case.subject(),
            format!(
                "the chart {} is no longer published, {} replaces it; do not uninstall: its claims carry no keep annotation and would be deleted with their data",
                report.name, case.profile.chart
            ),
        )
        .advise(vec![case.advisor.claims(&id.namespace)]),
    ]
}

/// Versions of which more must be known before a release can be held against the list: the newest that seems to fit, and the newest of each
/// step. Asked again and again, with what was read meanwhile, it walks down to versions that do fit. Empty where nothing more is needed.
pub fn wanted_details(
    index: &ChartIndex,
    current: &Version,
    question: &Question,
    kubernetes: Option<&Version>,
) -> Vec<Version> {
    let sieve = Sieve::new(question, current, kubernetes);
    let fitting: Vec<&ChartVersion> = index
        .versions
        .iter()
        .filter(|published| published.version > *current && sieve.refuses(published).is_none())
        .collect();
    let versions: Vec<&Version> = fitting.iter().map(|published| &published.version).collect();
    let NewestVersions {
        patch,
        minor,
        major,
    } = newest(&versions, current);
    let decisive: Vec<&Version> = [&patch, &minor, &major]
        .into_iter()
        .flatten()
        .chain(versions.first().copied())
        .collect();
    fitting
        .iter()
        .filter(|published| published.unread && decisive.contains(&&published.version))
        .map(|published| published.version.clone())
        .collect()
}

fn compare(
    case: &Case<'_>,
    release: &Release,
    report: &mut ChartReport,
    (repository, index, current): (&RepositoryRef, &ChartIndex, &Version),
) -> Vec<Finding> {
    let sieve = Sieve::new(case.question, current, case.snapshot.kubernetes.known());
    let mut fitting: Vec<&Version> = Vec::new();
    for published in index
        .versions
        .iter()
        .filter(|published| published.version > *current)
    {
        match sieve.refuses(published) {
            None => fitting.push(&published.version),
            Some(reason) => report.skipped.push(SkippedVersion {
                version: published.version.clone(),
                reason,
            }),
        }
    }
    report.newest = newest(&fitting, current);
    report.versions_behind = Some(u32::try_from(fitting.len()).unwrap_or(u32::MAX));
    let listed = index
        .versions
        .iter()
        .any(|published| published.version.precedence_cmp(current).is_eq());
    let newest_published = index
        .versions
        .iter()
        .map(|published| &published.version)
        .max();
    let mut findings = Vec::new();
    if let Some(latest) = fitting.first() {
        report.state = ChartState::Behind;
        report.latest = Some((*latest).clone());
        report.change = Some(current.change_to(latest));
        findings.extend(behind(case, release, report, repository, latest));
        findings.extend(stuck(case, release, index, current));
    } else if !listed && newest_published.is_none_or(|newest| newest < current) {
        report.state = ChartState::Ahead;
        report.latest = newest_published.cloned();
        findings.push(Finding::new(
            Code::ChartAhead,
            case.subject(),
            format!(
                "{} {current} is newer than any version that {} publishes{}",
                report.name,
                repository.url,
                newest_published.map_or_else(String::new, |newest| format!(
                    "; the newest there is {newest}"
                ))
            ),
        ));
    } else {
        report.state = ChartState::Current;
        report.latest = Some(current.clone());
        report.change = Some(Change::None);
    }
    if !listed && report.state != ChartState::Ahead {
        findings.push(Finding::new(
            Code::ChartVersionUnlisted,
            case.subject(),
            format!(
                "{} {current} is no longer listed by {}",
                report.name, repository.url
            ),
        ));
    }
    findings
}

/// That it is behind, and what is known to stand before moving it.
fn behind(
    case: &Case<'_>,
    release: &Release,
    report: &ChartReport,
    repository: &RepositoryRef,
    latest: &Version,
) -> Vec<Finding> {
    let behind = u64::from(report.versions_behind.unwrap_or_default());
    let installed = case
        .observed
        .current()
        .known()
        .and_then(|release| release.last_deployed)
        .map_or_else(String::new, |since| {
            format!(
                ", installed {} ago",
                age(case.snapshot.observed_at.duration_since(since))
            )
        });
    let message = format!(
        "{} {} is {} behind {latest}{installed}",
        report.name,
        report.current,
        counted(behind, "version"),
    );
    let message = if repository.masked && repository.name.is_none() {
        format!("{message} (REPOSITORY_URL stands for the repository's URL with its credentials)")
    } else {
        message
    };
    // While an operation holds the release Helm refuses to upgrade it: that finding's advice comes first.
    let upgrade = breakers::judge(case, release, latest);
    // And one whose record may not be read cannot be upgraded by whoever asks: Helm reads it too.
    let advice = if case.observed.newest.status.is_pending() || release.is_by_labels() {
        Vec::new()
    } else {
        upgrade.advice(case, release, repository)
    };
    let mut findings = upgrade.findings(case, &advice);
    let finding = Finding::new(Code::ChartBehind, case.subject(), message)
        .advise(advice)
        .because([format!("{} publishes {latest}", repository.url)]);
    findings.insert(0, finding);
    findings
}

/// The chart's updater takes the highest stable version by `sort -V`, which ranks `1.2.3-rc.1` above `1.2.3` (DOMAIN §13, 35): only a
/// version after the one that the prerelease led to moves it.
fn stuck(
    case: &Case<'_>,
    release: &Release,
    index: &ChartIndex,
    current: &Version,
) -> Option<Finding> {
    if case.profile.kinship(release) != Kinship::Ours || !current.is_prerelease() {
        return None;
    }
    let stable = index
        .versions
        .iter()
        .map(|published| &published.version)
        .filter(|version| !version.is_prerelease())
        .max()?;
    let triple = |version: &Version| (version.major(), version.minor(), version.patch());
    if triple(stable) != triple(current) {
        return None;
    }
    let is_readable = !release.is_by_labels();
    let repository = case.observed.repository.as_ref();
    let advice = repository
        .filter(|_| is_readable)
        .map(|repository| breakers::judge(case, release, stable).advice(case, release, repository));
    let finding = Finding::new(
        Code::RcStuck,
        case.subject(),
        format!(
            "{current} never moves to {stable} by itself: the chart's updater ranks a prerelease above the version that it led to"
        ),
    )
    .because([format!("the newest stable version is {stable}")]);
    Some(finding.advise(advice.unwrap_or_default()))
}

/// What keeps a published version from counting.
struct Sieve<'facts> {
    prereleases: bool,
    constraint: Option<&'facts Constraint>,
    kubernetes: Option<&'facts Version>,
}

impl<'facts> Sieve<'facts> {
    fn new(
        question: &'facts Question,
        current: &Version,
        kubernetes: Option<&'facts Version>,
    ) -> Self {
        Self {
            prereleases: question.prereleases == Prereleases::Include || current.is_prerelease(),
            constraint: question.constraint.as_ref(),
            kubernetes,
        }
    }

    /// True if a constraint is given and the version is in it. Where prereleases count, one is judged like the version that it leads to, as
    /// `1.2.0-rc.1` otherwise is in no range that does not name one.
    fn constraint_takes(&self, published: &ChartVersion) -> bool {
        let Some(constraint) = self.constraint else {
            return false;
        };
        constraint.matches(&published.version)
            || (self.prereleases && constraint.matches_prereleases(&published.version))
    }

    /// Why a version does not count; `None` if it does. A `kubeVersion` is not checked where the server's version is unknown, or where the
    /// constraint is one that Helm would not understand either.
    fn refuses(&self, published: &ChartVersion) -> Option<String> {
        if published.deprecated {
            return Some("deprecated".to_owned());
        }
        // A constraint that names a prerelease asks for them itself (Masterminds; FACTS 7.2).
        if published.version.is_prerelease()
            && !self.prereleases
            && !self.constraint_takes(published)
        {
            return Some("prerelease".to_owned());
        }
        if let Some(constraint) = self.constraint
            && !self.constraint_takes(published)
        {
            return Some(format!("the constraint is {constraint}"));
        }
        let constraint = published.kube_version.as_deref()?;
        let kubernetes = self.kubernetes?;
        match Constraint::parse(constraint) {
            Ok(parsed) if parsed.matches(kubernetes) => None,
            Ok(_) => Some(format!(
                "needs Kubernetes {constraint}, the server is {kubernetes}"
            )),
            Err(_) => Some(format!(
                "its kubeVersion `{constraint}` is not a constraint"
            )),
        }
    }
}

/// The newest of each step, from versions in descending order.
fn newest(fitting: &[&Version], current: &Version) -> NewestVersions {
    let first = |change: &[Change]| {
        fitting
            .iter()
            .find(|version| change.contains(&current.change_to(version)))
            .map(|version| (*version).clone())
    };
    NewestVersions {
        patch: first(&[Change::Patch, Change::Prerelease]),
        minor: first(&[Change::Minor]),
        major: first(&[Change::Major]),
    }
}
