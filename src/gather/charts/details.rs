//! Versions in registries: of those that decide it is read what they hold, from the newest down.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt as _};
use tokio::time::{Duration, Instant, timeout_at};
use tracebloc_core::assess::source::RepositorySource;
use tracebloc_core::assess::{Question, wanted_details};
use tracebloc_core::name::ReleaseId;
use tracebloc_core::snapshot::{Evidence, ObservedChart, RepositoryRef};
use tracebloc_core::version::Version;

use super::Wanted;
use crate::charts::{Charts, ChartsError, Details};
use crate::gather::QUESTIONS_AT_ONCE;

/// How often it is walked down from versions that turn out not to fit.
const ROUNDS: usize = 20;

/// How long all of it together may take (DESIGN §6 "Time is bounded").
const TOGETHER: Duration = Duration::from_secs(5);

/// What decides which versions are to be read.
pub(super) struct Needs<'facts> {
    pub(super) wanted: &'facts [Wanted],
    pub(super) chosen: &'facts BTreeMap<ReleaseId, RepositoryRef>,
    pub(super) question: &'facts Question,
    pub(super) kubernetes: Option<&'facts Version>,
}

/// A version to be read.
#[derive(PartialEq)]
struct Needed<'facts> {
    /// The place of its chart among those observed.
    place: usize,
    source: &'facts RepositorySource,
    version: Version,
}

/// Reads what is needed. A version that cannot be read makes its whole list unknown: it may be the newest that fits.
pub(super) async fn read(charts: &Charts<'_>, needs: &Needs<'_>, observed: &mut [ObservedChart]) {
    let until = Instant::now() + TOGETHER;
    let mut read: Vec<(usize, &RepositorySource)> = Vec::new();
    for _ in 0..ROUNDS {
        let needed = needs.list(observed);
        if needed.is_empty() {
            break;
        }
        let answers: Vec<_> = stream::iter(needed)
            .map(|needed| async move {
                let details = charts.details(needed.source, &needed.version);
                let outcome = timeout_at(until, details).await;
                let outcome = outcome.unwrap_or(Err(ChartsError::TooSlow { limit: TOGETHER }));
                (needed, outcome)
            })
            .buffered(QUESTIONS_AT_ONCE)
            .collect()
            .await;
        for (needed, outcome) in answers {
            let ObservedChart { index, chart, .. } = &mut observed[needed.place];
            let version = needed.version;
            if !read.iter().any(|(place, _)| *place == needed.place) {
                read.push((needed.place, needed.source));
            }
            match (&mut *index, outcome) {
                (Evidence::Known(index), Ok(Details { config, digest })) => {
                    index.learn(&version, config, digest);
                }
                (Evidence::Known(_), Err(error)) => {
                    let asked = format!("version {version} of chart {chart}");
                    *index = Evidence::Unknown(error.gap(asked));
                }
                (Evidence::Unknown(_), _) => {}
            }
        }
    }
    for (place, source) in read {
        charts.reconsider(source, &mut observed[place]);
    }
    for Needed { place, .. } in needs.list(observed) {
        let error = ChartsError::NoneFits {
            looked_into: ROUNDS,
        };
        observed[place].index = Evidence::Unknown(error.gap("the versions in a registry"));
    }
}

impl<'facts> Needs<'facts> {
    fn list(&self, observed: &[ObservedChart]) -> Vec<Needed<'facts>> {
        let mut list = Vec::new();
        for wanted in self.wanted {
            for needed in self.of_release(wanted, observed).into_iter().flatten() {
                if !list.contains(&needed) {
                    list.push(needed);
                }
            }
        }
        list
    }

    /// `None` for a release whose chart is in no registry, or unknown.
    fn of_release(
        &self,
        wanted: &'facts Wanted,
        observed: &[ObservedChart],
    ) -> Option<Vec<Needed<'facts>>> {
        let release = &wanted.release;
        let chosen = self.chosen.get(&release.head.id)?;
        let source = wanted
            .candidates
            .iter()
            .find(|source| source.is_oci() && source.reference.is_same(chosen))?;
        let place = observed.iter().position(|observed| {
            observed.repository.is_same(chosen) && observed.chart == release.chart.name
        })?;
        let index = observed[place].index.known()?;
        let current = release.chart.version.as_ref()?;
        let versions = wanted_details(index, current, self.question, self.kubernetes);
        Some(
            versions
                .into_iter()
                .map(|version| Needed {
                    place,
                    source,
                    version,
                })
                .collect(),
        )
    }
}
