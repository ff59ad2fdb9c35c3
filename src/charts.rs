//! Chart repositories: the versions of one chart, by HTTP, with a copy that is asked about instead of fetched again.

mod cache;
mod error;

use jiff::Timestamp;
use reqwest::header::{ETAG, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use tokio::time::{Duration, Instant};
use tracebloc_core::assess::source::RepositorySource;
use tracebloc_core::index::ChartIndex;
use tracebloc_core::name::ChartName;

use crate::http::{HttpClient, Request, SafeUrl};

pub(crate) use cache::IndexCache;
pub(crate) use error::ChartsError;

/// How long one repository may take, unless told otherwise (DESIGN §6 "Time is bounded").
const DEADLINE: Duration = Duration::from_secs(5);

/// The most bytes of an index: the largest public ones are a fifth of it.
const INDEX_LIMIT: usize = 100 * 1024 * 1024;

/// The versions of a chart, and when its repository confirmed them.
#[derive(Debug)]
pub(crate) struct Confirmed {
    pub(crate) index: ChartIndex,
    pub(crate) at: Timestamp,
}

/// Asks chart repositories.
#[derive(Debug)]
pub(crate) struct Charts {
    http: HttpClient,
    cache: Option<IndexCache>,
    now: Timestamp,
}

impl Charts {
    /// A client; without a cache every index is fetched whole.
    pub(crate) fn new(http: HttpClient, cache: Option<IndexCache>, now: Timestamp) -> Self {
        Self { http, cache, now }
    }

    /// The published versions of a chart.
    pub(crate) async fn versions(
        &self,
        source: &RepositorySource,
        chart: &ChartName,
    ) -> Result<Confirmed, ChartsError> {
        let url = index_url(&source.secret_url)?;
        // A copy of what needs credentials would be readable without them.
        let cache = self.cache.as_ref().filter(|_| !source.reference.masked);
        let kept = cache.and_then(|cache| cache.read(&source.reference.url));
        let mut request = with_credentials(
            Request::get(url, Instant::now() + DEADLINE).body_limit(INDEX_LIMIT),
            &source.secret_url,
        );
        if let Some(kept) = &kept {
            for (name, value) in [
                (IF_NONE_MATCH, &kept.etag),
                (IF_MODIFIED_SINCE, &kept.last_modified),
            ] {
                if let Some(value) = value
                    .as_deref()
                    .and_then(|text| HeaderValue::from_str(text).ok())
                {
                    request = request.header(name, value);
                }
            }
        }
        let answer = self.http.send(&request).await?.success()?;
        let body = match (answer.status.as_u16(), kept) {
            (304, Some(kept)) => kept.body,
            (304, None) => {
                return Err(ChartsError::NotModified {
                    endpoint: answer.endpoint,
                });
            }
            _ => {
                let index = ChartIndex::parse(&answer.body, chart.as_str())?;
                if let Some(cache) = cache {
                    let header = |name: reqwest::header::HeaderName| {
                        answer.header(name.as_str()).map(str::to_owned)
                    };
                    cache.keep(
                        &source.reference.url,
                        header(ETAG),
                        header(LAST_MODIFIED),
                        &answer.body,
                    );
                }
                return Ok(Confirmed {
                    index,
                    at: self.now,
                });
            }
        };
        Ok(Confirmed {
            index: ChartIndex::parse(&body, chart.as_str())?,
            at: self.now,
        })
    }
}

/// The index of a repository: Helm appends the file's name to the path and leaves the query alone (FACTS 7.1).
fn index_url(repository: &str) -> Result<SafeUrl, ChartsError> {
    if repository.starts_with("oci://") {
        return Err(ChartsError::Oci);
    }
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

/// Sends the user info of a repository's URL as Basic credentials.
fn with_credentials(request: Request, repository: &str) -> Request {
    use base64::Engine as _;
    let Ok(url) = url::Url::parse(repository) else {
        return request;
    };
    if url.username().is_empty() && url.password().is_none() {
        return request;
    }
    let decode = |text: &str| percent_decode(text);
    let pair = format!(
        "{}:{}",
        decode(url.username()),
        decode(url.password().unwrap_or_default())
    );
    let value = format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(pair)
    );
    match HeaderValue::from_str(&value) {
        Ok(value) => request.authorization(value),
        Err(_) => request,
    }
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
