//! Chart repositories: the versions of charts, by HTTP, with a copy that is asked about instead of fetched again, and in registries.

mod error;
mod memory;
mod oci;
mod package;
mod repositories;

use jiff::Timestamp;
use reqwest::header::HeaderValue;
use tokio::time::{Duration, Instant};
use tracebloc_core::assess::source::RepositorySource;
use tracebloc_core::index::{ChartChanges, ChartIndex, IndexError};
use tracebloc_core::name::ChartName;
use tracebloc_core::snapshot::{Evidence, ObservedChart, RepositoryOrigin};

use crate::cache::{Cache, Kept, Kind, Validators};
use crate::http::{HttpClient, Request, SafeUrl};
use crate::registry::Registry;

pub(crate) use error::ChartsError;
pub(crate) use oci::{Details, is_plain_http};
use repositories::Access;

pub(crate) use repositories::{Repositories, RepositoriesError};

/// How long one repository may take, unless told otherwise (DESIGN §6 "Time is bounded").
const DEADLINE: Duration = Duration::from_secs(5);

/// The most bytes of an index: the largest public ones are a fifth of it.
const INDEX_LIMIT: usize = 100 * 1024 * 1024;

/// Asks chart repositories.
#[derive(Debug)]
pub(crate) struct Charts<'context> {
    http: HttpClient,
    registry: &'context Registry,
    cache: Option<Cache>,
    repositories: &'context Repositories,
    now: Timestamp,
}

impl<'context> Charts<'context> {
    /// A client; without a cache every index is fetched whole.
    pub(crate) fn new(
        http: HttpClient,
        registry: &'context Registry,
        cache: Option<Cache>,
        repositories: &'context Repositories,
        now: Timestamp,
    ) -> Self {
        Self {
            http,
            registry,
            cache,
            repositories,
            now,
        }
    }

    /// The published versions of some charts of one repository, which is asked once.
    pub(crate) async fn observe(
        &self,
        source: &RepositorySource,
        charts: &[ChartName],
    ) -> Vec<ObservedChart> {
        if source.is_oci() {
            // There a chart is a repository of its own, so that there is one chart.
            let outcome = self.tags(source).await;
            return charts
                .iter()
                .map(|chart| self.observed(source, chart, outcome.clone()))
                .collect();
        }
        let answer = self.index(source, charts).await;
        let outcomes: Vec<Result<ChartIndex, ChartsError>> = charts
            .iter()
            .map(|chart| match &answer {
                Ok(answer) => Ok(ChartIndex::parse(&answer.body, chart.as_str())?),
                Err(error) => Err(error.clone()),
            })
            .collect();
        // A page that is no index must not take the place of one.
        let is_index = outcomes.iter().any(|outcome| {
            matches!(
                outcome,
                Ok(_) | Err(ChartsError::Index(IndexError::ChartAbsent { .. }))
            )
        });
        if let (Ok(answer), Some(cache), true) = (answer, self.cache_for(source), is_index) {
            answer.keep(cache, &source.reference.url, charts);
        }
        charts
            .iter()
            .zip(outcomes)
            .map(|(chart, outcome)| self.observed(source, chart, outcome))
            .collect()
    }

    fn observed(
        &self,
        source: &RepositorySource,
        chart: &ChartName,
        outcome: Result<ChartIndex, ChartsError>,
    ) -> ObservedChart {
        let changes = match &outcome {
            Ok(index) => self.changes(source, chart, index),
            // The chart may have been there before.
            Err(ChartsError::Index(IndexError::ChartAbsent { .. })) => {
                self.changes(source, chart, &ChartIndex::default())
            }
            Err(_) => ChartChanges::default(),
        };
        let is_optional = source.reference.origin == RepositoryOrigin::User;
        let index = match outcome {
            Ok(index) => Evidence::Known(index),
            // That another repository of the user does not have the chart is an answer, and the usual one.
            Err(ChartsError::Index(IndexError::ChartAbsent { .. })) if is_optional => {
                Evidence::Known(ChartIndex::default())
            }
            Err(error) => Evidence::Unknown(error.gap(format!(
                "the versions of chart {chart} in {}",
                source.reference.name.as_ref().unwrap_or(&source.reference.url)
            ))),
        };
        ObservedChart {
            repository: source.reference.clone(),
            chart: chart.clone(),
            observed_at: index.known().map(|_| self.now),
            index,
            changes,
        }
    }

    /// How a repository is asked: as the user's entry for it says, if there is one.
    fn access(&self, source: &RepositorySource) -> Access {
        source
            .reference
            .name
            .as_deref()
            .and_then(|name| self.repositories.access(name))
            .cloned()
            .unwrap_or_default()
    }

    /// The index of a repository as it is now, whatever it is.
    async fn index(
        &self,
        source: &RepositorySource,
        charts: &[ChartName],
    ) -> Result<Index, ChartsError> {
        let url = index_url(&source.secret_url)?;
        let access = self.access(source);
        let kept = self
            .cache_for(source)
            .and_then(|cache| cache.copy(Kind::Index, &source.reference.url));
        let (kept, others) = match kept {
            Some(kept) if charts.iter().all(|chart| kept.covers(chart.as_str())) => {
                (Some(kept), Vec::new())
            }
            // What is kept of other charts is kept on, so that two questions in turns do not fetch it again and again.
            kept => (None, kept.and_then(|kept| kept.charts).unwrap_or_default()),
        };
        let mut request = Request::get(url, Instant::now() + DEADLINE)
            .body_limit(INDEX_LIMIT)
            .credentials_everywhere(access.everywhere);
        let authorization = access
            .authorization
            .clone()
            .or_else(|| user_info(&source.secret_url));
        if let Some(authorization) = authorization {
            request = request.authorization(authorization);
        }
        if let Some(kept) = &kept {
            request = request.unless_as_in(&kept.validators);
        }
        let answer = match access.tls()? {
            Some(tls) => self.http.with_tls(tls)?.send(&request).await?,
            None => self.http.send(&request).await?,
        }
        .success()?;
        match (answer.status.as_u16(), kept) {
            (304, Some(kept)) => Ok(Index {
                body: kept.body,
                validators: None,
                others,
            }),
            (304, None) => Err(ChartsError::NotModified {
                endpoint: answer.endpoint,
            }),
            _ => Ok(Index {
                validators: Some(answer.validators()),
                body: answer.body,
                others,
            }),
        }
    }
}

/// What a repository gave as its index.
struct Index {
    body: Vec<u8>,
    /// What to ask about it with; `None` where the body is the copy that was kept.
    validators: Option<Validators>,
    /// The charts that were asked for before.
    others: Vec<String>,
}

impl Index {
    /// Keeps what these charts need of it.
    fn keep(self, cache: &Cache, url: &str, charts: &[ChartName]) {
        let Some(validators) = self.validators else {
            return;
        };
        let mut names = self.others;
        names.extend(charts.iter().map(ToString::to_string));
        names.sort();
        names.dedup();
        let asked: Vec<&str> = names.iter().map(String::as_str).collect();
        let excerpt = ChartIndex::excerpt(&self.body, &asked);
        let kept = Kept {
            validators,
            charts: excerpt.is_some().then_some(names),
            body: excerpt.unwrap_or(self.body),
        };
        cache.keep_copy(Kind::Index, url, kept);
    }
}

/// The index of a repository: Helm appends the file's name to the path and leaves the query alone (FACTS 7.1).
fn index_url(repository: &str) -> Result<SafeUrl, ChartsError> {
    let mut url = url::Url::parse(repository).map_err(|_| ChartsError::Url)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(ChartsError::Scheme {
            scheme: url.scheme().to_owned(),
        });
    }
    let path = format!("{}/index.yaml", url.path().trim_end_matches('/'));
    url.set_path(&path);
    // The credentials go into a header; both calls fail only for URLs that cannot have any.
    let _no_user_info = url.set_username("");
    let _no_user_info = url.set_password(None);
    SafeUrl::parse(url.as_str()).map_err(|_| ChartsError::Url)
}

/// The user info of a repository's URL as Basic credentials.
fn user_info(repository: &str) -> Option<HeaderValue> {
    let url = url::Url::parse(repository).ok()?;
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    repositories::basic(
        &percent_decode(url.username()),
        &percent_decode(url.password().unwrap_or_default()),
    )
}

/// Undoes the percent-encoding of user info.
fn percent_decode(text: &str) -> String {
    let query = format!("x={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(query.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_beside_the_charts() {
        for (repository, expected) in [
            ("https://h/charts", "https://h/charts/index.yaml"),
            ("https://h/charts/", "https://h/charts/index.yaml"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/index.yaml"),
        ] {
            assert_eq!(index_url(repository).unwrap().as_url().as_str(), expected);
        }
        for bad in ["oci://h/x", "ftp://h/x", "no url", "file:///etc"] {
            assert!(index_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn user_info_is_decoded() {
        assert_eq!(percent_decode("a%40b+c%20d"), "a@b+c d");
    }
}
