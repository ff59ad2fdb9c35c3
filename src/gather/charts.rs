//! What chart repositories publish: each is asked once for all charts that it may have.

mod details;

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt as _};
use tracebloc_core::assess::source::{RepositorySource, choose, repositories};
use tracebloc_core::assess::{Question, is_product};
use tracebloc_core::name::{ChartName, ReleaseId};
use tracebloc_core::profile::Profile;
use tracebloc_core::release::Release;
use tracebloc_core::snapshot::{
    Evidence, ObservedChart, RepositoryOrigin, RepositoryRef, Snapshot,
};
use tracebloc_core::time::counted;
use tracebloc_core::version::Version;

use super::QUESTIONS_AT_ONCE;
use crate::charts::{Charts, is_plain_http};
use crate::context::Context;
use crate::error::Error;
use crate::registry::Registry;
use details::Needs;

/// A release, and where newer versions of its chart may be.
pub(super) struct Wanted {
    release: Release,
    candidates: Vec<RepositorySource>,
}

/// What became of the questions: every chart that was asked for, and each release's repository.
pub(super) struct Answers {
    charts: Vec<ObservedChart>,
    chosen: BTreeMap<ReleaseId, RepositoryRef>,
}

/// Lists where each release's chart may be published. A file of the user that could not be read is noted.
pub(super) fn wanted(
    snapshot: &mut Snapshot,
    context: &Context,
    profile: &Profile,
    registry: &Registry,
    flag: Option<&str>,
) -> Result<Vec<Wanted>, Error> {
    let user = context.repositories().named();
    if let Some(error) = context.repositories_error() {
        snapshot.unread.push(error.gap());
    }
    if let Some(text) = flag
        && !text.contains("://")
        && !user.iter().any(|entry| entry.name == text)
    {
        return Err(Error::NoRepository {
            known: user.into_iter().map(|entry| entry.name).collect(),
        });
    }
    Ok(snapshot
        .releases
        .iter()
        .filter_map(|observed| observed.current().known())
        .map(|release| {
            let mut candidates = repositories(release, profile, flag, &user);
            for source in candidates.iter_mut().filter(|source| source.is_oci()) {
                source.reference.plain_http = is_plain_http(registry, source);
            }
            Wanted {
                release: release.clone(),
                candidates,
            }
        })
        .collect())
}

/// Asks the strong candidates of every release, and the profile's repository only for those where none of them counts.
pub(super) async fn ask(
    charts: &Charts<'_>,
    wanted: &[Wanted],
    question: &Question,
    kubernetes: Option<&Version>,
) -> Answers {
    let is_fallback = |source: &RepositorySource, among: &[RepositorySource]| {
        source.reference.origin == RepositoryOrigin::Profile && among.len() > 1
    };
    let strong = wanted.iter().flat_map(|wanted| {
        let candidates = &wanted.candidates;
        candidates
            .iter()
            .filter(move |source| !is_fallback(source, candidates))
            .map(|source| (source, &wanted.release.chart.name))
    });
    let mut observed = each(charts, strong).await;
    let open = wanted
        .iter()
        .filter(|wanted| wanted.choice(&observed).is_none())
        .filter_map(|wanted| {
            let last = wanted.candidates.last()?;
            is_fallback(last, &wanted.candidates).then_some((last, &wanted.release.chart.name))
        });
    let fallback = each(charts, open).await;
    observed.extend(fallback);
    let chosen: BTreeMap<ReleaseId, RepositoryRef> = wanted
        .iter()
        .filter_map(|wanted| {
            let choice = wanted
                .choice(&observed)
                .or_else(|| wanted.silent(&observed))?;
            Some((wanted.release.head.id.clone(), choice))
        })
        .collect();
    let needs = Needs {
        wanted,
        chosen: &chosen,
        question,
        kubernetes,
    };
    details::read(charts, &needs, &mut observed).await;
    Answers {
        charts: observed,
        chosen,
    }
}

/// Writes the answers into the snapshot.
pub(super) fn settle(snapshot: &mut Snapshot, answers: Answers) {
    let Answers { charts, mut chosen } = answers;
    for observed in &mut snapshot.releases {
        observed.repository = chosen.remove(&observed.newest.id);
    }
    snapshot.charts = charts;
}

/// Takes releases out whose chart nobody knows a repository for, and says how many. None of them is the product's.
pub(super) fn leave_out(snapshot: &mut Snapshot, profile: &Profile) -> Option<String> {
    let before = snapshot.releases.len();
    snapshot
        .releases
        .retain(|observed| observed.repository.is_some() || is_product(observed, profile));
    let left_out = before - snapshot.releases.len();
    (left_out > 0).then(|| {
        format!(
            "{} left out, as no repository is known for the chart: add it with `helm repo add`, or name one with --repo",
            counted(u64::try_from(left_out).unwrap_or(u64::MAX), "release")
        )
    })
}

impl Wanted {
    fn references(&self) -> Vec<RepositoryRef> {
        self.candidates
            .iter()
            .map(|source| source.reference.clone())
            .collect()
    }

    fn choice(&self, observed: &[ObservedChart]) -> Option<RepositoryRef> {
        choose(&self.references(), &self.release, observed).cloned()
    }

    /// Where no repository counts: one that did not answer, since it might have.
    fn silent(&self, observed: &[ObservedChart]) -> Option<RepositoryRef> {
        self.references().into_iter().find(|candidate| {
            observed.iter().any(|observed| {
                observed.repository.is_same(candidate)
                    && matches!(observed.index, Evidence::Unknown(_))
            })
        })
    }
}

/// Asks each repository once, for all the charts that are wanted of it.
async fn each<'wanted>(
    charts: &Charts<'_>,
    questions: impl Iterator<Item = (&'wanted RepositorySource, &'wanted ChartName)>,
) -> Vec<ObservedChart> {
    let mut by_source: Vec<(&RepositorySource, Vec<ChartName>)> = Vec::new();
    for (source, chart) in questions {
        match by_source
            .iter_mut()
            .find(|(known, _)| known.reference.is_same(&source.reference))
        {
            Some((_, names)) if names.contains(chart) => {}
            Some((_, names)) => names.push(chart.clone()),
            None => by_source.push((source, vec![chart.clone()])),
        }
    }
    stream::iter(by_source)
        .map(|(source, names)| async move { charts.observe(source, &names).await })
        .buffered(QUESTIONS_AT_ONCE)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .flatten()
        .collect()
}
