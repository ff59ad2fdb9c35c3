//! Whether moving a release to a newer chart version is safe: what is known to make that very upgrade fail or hurt (DOMAIN §9).

use super::Case;
use crate::advice::Extra;
use crate::finding::{Code, Finding};
use crate::profile::{Breaker, Effect, Fact, Kinship, Look};
use crate::release::{ApplyMethod, Release};
use crate::report::{AutomationState, ChartState, JobReport, ReleaseReport};
use crate::snapshot::{Evidence, RepositoryRef};
use crate::time::counted;
use crate::version::Version;

/// The field managers of `kubectl set image` and `kubectl set env`: both write what charts render.
const SET: &str = "kubectl-set";

/// What is known to stand before one upgrade.
pub(super) struct Upgrade<'facts> {
    to: &'facts Version,
    blocks: Vec<&'facts Breaker>,
    disrupts: Vec<&'facts Breaker>,
    /// What may be so, and cannot be judged from here.
    open: Vec<&'facts Breaker>,
}

/// Judges the upgrade of a release to a version.
pub(super) fn judge<'facts>(
    case: &Case<'facts>,
    release: &Release,
    to: &'facts Version,
) -> Upgrade<'facts> {
    let mut upgrade = Upgrade {
        to,
        blocks: Vec::new(),
        disrupts: Vec::new(),
        open: Vec::new(),
    };
    let Some(from) = release.chart.version.as_ref() else {
        return upgrade;
    };
    if case.profile.kinship(release) != Kinship::Ours {
        return upgrade;
    }
    for breaker in &case.profile.breakers {
        if release.is_by_labels() && !breaker.when.is_empty() {
            if breaker.is_between(from, to) {
                upgrade.open.push(breaker);
            }
            continue;
        }
        if !breaker.concerns(from, to, &release.values) {
            continue;
        }
        match (fact(case, release, breaker.fact), breaker.effect) {
            (Some(false), _) => {}
            (Some(true), Effect::Blocks) => upgrade.blocks.push(breaker),
            (Some(true), Effect::Disrupts) => upgrade.disrupts.push(breaker),
            (None, _) => upgrade.open.push(breaker),
        }
    }
    upgrade
}

/// The line that makes the release anew at its present version, with a flag and its value more where one is given. Helm renders and applies all
/// of it then, so that what the version needs belongs to it too.
pub(super) fn anew(
    case: &Case<'_>,
    release: &Release,
    change: Option<(&str, &str)>,
) -> Vec<String> {
    let Some(repository) = &case.observed.repository else {
        return Vec::new();
    };
    // Helm reads the record too.
    if release.is_by_labels() {
        return Vec::new();
    }
    let upgrade = release
        .chart
        .version
        .as_ref()
        .map(|version| judge(case, release, version));
    let needs = upgrade.as_ref().map(Upgrade::extras).unwrap_or_default();
    let change = change.map(|(flag, assignment)| Extra::Option(flag, assignment));
    let extras: Vec<Extra<'_>> = change.into_iter().chain(needs).collect();
    case.advisor.upgrade(
        &release.head.id,
        release.chart.name.as_str(),
        repository,
        &release.chart.version_text,
        &extras,
    )
}

/// A job whose next upgrade is known to fail runs without success, however well it looks. It sets no values, and is of a Helm that applies on
/// the client.
pub(super) fn hold_back(
    job: &mut JobReport,
    case: &Case<'_>,
    release: &Release,
    report: &ReleaseReport,
) {
    let Some(chart) = &report.chart else { return };
    let Some(to) = chart
        .latest
        .as_ref()
        .filter(|_| chart.state == ChartState::Behind && job.state == AutomationState::Ok)
    else {
        return;
    };
    let upgrade = judge(case, release, to);
    if upgrade
        .blocks
        .iter()
        .any(|breaker| breaker.flags.is_empty())
    {
        job.state = AutomationState::Stalled;
        job.detail = Some(format!(
            "the upgrade to {to} is known to fail ({})",
            Code::UpgradeBlocked
        ));
    }
}

/// Whether a fact of the cluster holds; `None` if that is not known.
fn fact(case: &Case<'_>, release: &Release, fact: Option<Fact>) -> Option<bool> {
    match fact {
        None => Some(true),
        Some(Fact::NotRead) => None,
        Some(Fact::ApiMissing) => match case.snapshot.has_needed_api.as_ref()? {
            Evidence::Known(has) => Some(!has),
            Evidence::Unknown(_) => None,
        },
        // Where workloads were not read nothing speaks for it.
        Some(Fact::FieldsOwnedElsewhere) => {
            let is_owned = case.snapshot.live.iter().any(|live| {
                let ours = release
                    .workloads
                    .iter()
                    .any(|workload| workload.id == live.workload.id);
                ours && live.marks.managers.iter().any(|manager| manager == SET)
            });
            match release.apply_method {
                // How its objects were applied only the record says.
                _ if release.is_by_labels() && is_owned => None,
                method => Some(is_owned && method == ApplyMethod::ServerSide),
            }
        }
    }
}

impl Upgrade<'_> {
    /// What to type: the upgrade with what it needs to go well; where nothing that can be typed is enough, where to look first.
    pub(super) fn advice(
        &self,
        case: &Case<'_>,
        release: &Release,
        repository: &RepositoryRef,
    ) -> Vec<String> {
        let upgrade = |extras: &[Extra<'_>]| {
            case.advisor.upgrade(
                &case.observed.newest.id,
                release.chart.name.as_str(),
                repository,
                &self.to.to_string(),
                extras,
            )
        };
        let unsolved: Vec<&&Breaker> = self
            .blocks
            .iter()
            .filter(|breaker| breaker.set.is_empty() && breaker.flags.is_empty())
            .collect();
        if unsolved.is_empty() {
            return upgrade(&self.extras());
        }
        let namespace = &release.head.id.namespace;
        let mut lines = Vec::new();
        if unsolved.iter().any(|breaker| breaker.look == Look::Claims) {
            lines.push(case.advisor.claims(namespace));
        }
        if unsolved.iter().any(|breaker| breaker.look == Look::DryRun) {
            let mut extras = self.extras();
            extras.extend([
                Extra::Flag("--dry-run=server"),
                Extra::Flag("--hide-secret"),
            ]);
            lines.extend(upgrade(&extras));
        }
        lines
    }

    /// Each value and flag once.
    fn extras(&self) -> Vec<Extra<'_>> {
        let mut extras = Vec::new();
        for breaker in &self.blocks {
            let sets = breaker.set.iter().map(|set| Extra::Option("--set", set));
            let flags = breaker.flags.iter().map(|flag| Extra::Flag(flag));
            for extra in sets.chain(flags) {
                if !extras.contains(&extra) {
                    extras.push(extra);
                }
            }
        }
        extras
    }

    /// One finding for each thing that blocks, and one for all that is merely to be known.
    pub(super) fn findings(&self, case: &Case<'_>, advice: &[String]) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self
            .blocks
            .iter()
            .map(|breaker| {
                let mut finding = Finding::new(
                    Code::UpgradeBlocked,
                    case.subject(),
                    format!("an upgrade to {} {}", self.to, told(breaker)),
                )
                .advise(advice.to_vec())
                .because(evidence(breaker));
                finding.severity = breaker.severity.unwrap_or(finding.severity);
                finding
            })
            .collect();
        findings.extend(self.caution(case));
        findings
    }

    fn caution(&self, case: &Case<'_>) -> Option<Finding> {
        let all: Vec<&&Breaker> = self.disrupts.iter().chain(&self.open).collect();
        let first = all.first()?;
        let more = match u64::try_from(all.len()).unwrap_or(u64::MAX) {
            1 => String::new(),
            count => format!(", and {} more", counted(count - 1, "caution")),
        };
        let finding = Finding::new(
            Code::UpgradeCaution,
            case.subject(),
            format!("an upgrade to {} {}{more}", self.to, told(first)),
        );
        let certain = self
            .disrupts
            .iter()
            .map(|breaker| format!("{}: {}", breaker.name, told(breaker)));
        let open = self
            .open
            .iter()
            .map(|breaker| format!("{}, not judged from here: {}", breaker.name, told(breaker)));
        Some(finding.because(certain.chain(open)))
    }
}

fn told(breaker: &Breaker) -> String {
    format!("{}; {}", breaker.happens, breaker.first)
}

/// Which breaker it is, and on which values it rests. What they hold is not shown.
fn evidence(breaker: &Breaker) -> Vec<String> {
    [format!("upgrade breaker {}", breaker.name)]
        .into_iter()
        .chain(breaker.when.keys().map(|path| format!("the value {path}")))
        .collect()
}

#[cfg(test)]
mod tests;
