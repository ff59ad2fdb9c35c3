//! One HTTP client for all sources: deadlines, size caps, retries, proxies, and redirects that never carry credentials elsewhere.
//!
//! The caller of [`HttpClient::new`] has installed rustls' process-wide crypto provider.

mod address;
mod backoff;
mod budget;
mod error;
mod request;
mod roots;
mod safe_url;
mod tls;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::fmt::rfc2822;
use reqwest::header::{
    AUTHORIZATION, DATE, ETAG, HeaderMap, HeaderName, LAST_MODIFIED, LOCATION, RETRY_AFTER,
};
use reqwest::{Method, StatusCode};
use tokio::time::{Instant, sleep_until, timeout_at};

pub(crate) use address::Reach;
pub(crate) use error::{Endpoint, HttpError, wait};
pub(crate) use request::{Redirects, Request};
pub(crate) use roots::{ExtraRoots, RootsError};
pub(crate) use safe_url::SafeUrl;
pub(crate) use tls::TlsOptions;

use crate::cache::Validators;
use backoff::Backoff;
use budget::Budget;

/// How we call ourselves.
const USER_AGENT: &str = concat!("kubectl-tracebloc/", env!("CARGO_PKG_VERSION"));

/// The most time for TCP and TLS together, so that a dead address leaves time for the next one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// The most redirects followed for one request.
const REDIRECT_LIMIT: usize = 5;

/// What a server answered, with any status but those of a rate limit.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body, decoded, whole; empty for HEAD.
    pub(crate) body: Vec<u8>,
    /// Who answered, after redirects.
    pub(crate) endpoint: Endpoint,
}

impl Answer {
    /// A header as text, where it is there and printable.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// What it can be asked about with, once a copy of it is kept.
    pub(crate) fn validators(&self) -> Validators {
        let text = |name: HeaderName| self.header(name.as_str()).map(str::to_owned);
        Validators {
            etag: text(ETAG),
            last_modified: text(LAST_MODIFIED),
        }
    }

    /// The answer itself where its status is a success or `304 Not Modified`, else [`HttpError::Status`].
    pub(crate) fn success(self) -> Result<Self, HttpError> {
        if self.status.is_success() || self.status == StatusCode::NOT_MODIFIED {
            Ok(self)
        } else {
            Err(HttpError::Status {
                endpoint: self.endpoint,
                status: self.status.as_u16(),
            })
        }
    }

    /// How long the server asks to wait: seconds, or a date, which is held against the server's own clock.
    fn retry_after(&self) -> Option<Duration> {
        let text = self.header(RETRY_AFTER.as_str())?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let until = rfc2822::parse(text).ok()?.timestamp();
        let now = rfc2822::parse(self.header(DATE.as_str())?)
            .ok()?
            .timestamp();
        Some(Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO))
    }
}

/// The client. Clones share their connections.
#[derive(Debug, Clone)]
pub(crate) struct HttpClient {
    proxied: reqwest::Client,
    direct: OnceLock<reqwest::Client>,
    roots: ExtraRoots,
    tls: TlsOptions,
    budget: Option<Arc<Budget>>,
    backoff: Arc<Backoff>,
    /// When the whole call has used up its time, whatever a single request may take.
    deadline: Option<Instant>,
}

impl HttpClient {
    /// A client that uses the proxies of the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`) or of the system, trusts these
    /// authorities beside those of the system, and gives no request more time than until `deadline`.
    pub(crate) fn new(roots: ExtraRoots, deadline: Option<Instant>) -> Result<Self, HttpError> {
        Ok(Self {
            proxied: build(reqwest::Client::builder(), &roots, &TlsOptions::default())?,
            direct: OnceLock::new(),
            roots,
            tls: TlsOptions::default(),
            budget: None,
            backoff: Arc::new(Backoff::new()),
            deadline,
        })
    }

    /// The same with the user's TLS options for one server.
    pub(crate) fn with_tls(&self, tls: TlsOptions) -> Result<Self, HttpError> {
        Ok(Self {
            proxied: build(reqwest::Client::builder(), &self.roots, &tls)?,
            direct: OnceLock::new(),
            roots: self.roots.clone(),
            tls,
            budget: self.budget.clone(),
            backoff: Arc::clone(&self.backoff),
            deadline: self.deadline,
        })
    }

    /// The same client with so many requests for each host, however they are counted elsewhere.
    pub(crate) fn limited(&self, requests: Option<NonZeroU32>) -> Self {
        Self {
            budget: requests.map(|limit| Arc::new(Budget::new(limit))),
            ..self.clone()
        }
    }

    /// Sends a request. Connections cut off and the statuses 429, 502, 503 and 504 are tried again a few times, with pauses that grow or as
    /// long as the server asks for, where the pause ends before the deadline. Each try counts for the budget.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer, HttpError> {
        let begun = Instant::now();
        let deadline = self
            .deadline
            .map_or(request.deadline, |whole| whole.min(request.deadline));
        let endpoint = Endpoint::of(request.url.as_url());
        if deadline <= begun {
            return Err(HttpError::NoTimeLeft { endpoint });
        }
        let mut retries = 0;
        loop {
            let outcome = match timeout_at(deadline, self.follow(request)).await {
                Ok(outcome) => outcome,
                Err(_elapsed) => Err(HttpError::Timeout {
                    endpoint: endpoint.clone(),
                    limit: deadline - begun,
                }),
            };
            let told = match &outcome {
                Err(HttpError::Interrupted { .. }) => None,
                Ok(answer) if matches!(answer.status.as_u16(), 429 | 502..=504) => {
                    answer.retry_after()
                }
                _ => return outcome,
            };
            let pause = self.backoff.pause(&endpoint, retries, told);
            // What a server asks for may be longer than a clock can count.
            let until = pause.and_then(|pause| Instant::now().checked_add(pause));
            match until {
                Some(until) if until < deadline => sleep_until(until).await,
                _ => {
                    let outcome = outcome.and_then(refuse_rate_limit);
                    if let Err(HttpError::RateLimited { endpoint, .. }) = &outcome {
                        self.backoff.give_up(endpoint.clone());
                    }
                    return outcome;
                }
            }
            retries += 1;
        }
    }

    /// One try, through all redirects.
    async fn follow(&self, request: &Request) -> Result<Answer, HttpError> {
        let mut url = request.url.clone();
        let mut headers = request.headers.clone();
        for _ in 0..=REDIRECT_LIMIT {
            let answer = self.exchange(request, &url, &headers).await?;
            let Some(target) = redirect_target(&answer, &url) else {
                return Ok(answer);
            };
            let target = target?;
            let same_origin = target.as_url().origin() == url.as_url().origin();
            check_redirect(request.redirects, &url, &target, same_origin)?;
            if !same_origin && !request.credentials_everywhere {
                headers.remove(AUTHORIZATION);
            }
            url = target;
        }
        Err(HttpError::Redirect {
            endpoint: Endpoint::of(url.as_url()),
            reason: "too many redirects",
        })
    }

    /// One request, one answer.
    async fn exchange(
        &self,
        request: &Request,
        url: &SafeUrl,
        headers: &HeaderMap,
    ) -> Result<Answer, HttpError> {
        let endpoint = Endpoint::of(url.as_url());
        let wrap = |error: reqwest::Error| HttpError::from_reqwest(endpoint.clone(), error);
        let too_large = || HttpError::TooLarge {
            endpoint: endpoint.clone(),
            limit: request.body_limit,
        };
        if let Some(budget) = &self.budget {
            budget.spend(&endpoint)?;
        }
        let mut sent = self
            .client_for(url)?
            .request(request.method.clone(), url.as_url().clone())
            .headers(headers.clone());
        if let Some(form) = &request.form {
            sent = sent.body(form.expose().to_owned());
        }
        let mut response = sent.send().await.map_err(wrap)?;
        let status = response.status();
        let headers = response.headers().clone();
        let mut body = Vec::new();
        if request.method != Method::HEAD {
            let announced = response.content_length().unwrap_or(0);
            if usize::try_from(announced).map_or(true, |announced| announced > request.body_limit) {
                return Err(too_large());
            }
            while let Some(chunk) = response.chunk().await.map_err(wrap)? {
                if body.len() + chunk.len() > request.body_limit {
                    return Err(too_large());
                }
                body.extend_from_slice(&chunk);
            }
        }
        Ok(Answer {
            status,
            headers,
            body,
            endpoint,
        })
    }

    /// Loopback hosts are never asked through a proxy, as in Go's programs.
    fn client_for(&self, url: &SafeUrl) -> Result<&reqwest::Client, HttpError> {
        if Reach::of_host(url.as_url()) != Some(Reach::Loopback) {
            return Ok(&self.proxied);
        }
        if let Some(client) = self.direct.get() {
            return Ok(client);
        }
        let client = build(
            reqwest::Client::builder().no_proxy(),
            &self.roots,
            &self.tls,
        )?;
        Ok(self.direct.get_or_init(|| client))
    }
}

fn build(
    builder: reqwest::ClientBuilder,
    roots: &ExtraRoots,
    tls: &TlsOptions,
) -> Result<reqwest::Client, HttpError> {
    tls.apply(builder, roots)
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .build()
        .map_err(|error| HttpError::Setup {
            source: error.into(),
        })
}

/// 429, and 503 where it says when to come back, which is how servers without 429 limit.
fn refuse_rate_limit(answer: Answer) -> Result<Answer, HttpError> {
    let retry_after = answer.retry_after();
    let is_overload = answer.status == StatusCode::SERVICE_UNAVAILABLE && retry_after.is_some();
    if answer.status == StatusCode::TOO_MANY_REQUESTS || is_overload {
        Err(HttpError::RateLimited {
            endpoint: answer.endpoint,
            retry_after,
        })
    } else {
        Ok(answer)
    }
}

/// Where an answer sends us, if it does.
fn redirect_target(answer: &Answer, from: &SafeUrl) -> Option<Result<SafeUrl, HttpError>> {
    if !matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = answer.header(LOCATION.as_str())?;
    Some(from.join(location).map_err(|_| HttpError::Redirect {
        endpoint: answer.endpoint.clone(),
        reason: "its target is not a URL that we follow",
    }))
}

fn check_redirect(
    rule: Redirects,
    from: &SafeUrl,
    to: &SafeUrl,
    same_origin: bool,
) -> Result<(), HttpError> {
    let to_link_local = Reach::of_host(to.as_url()) == Some(Reach::LinkLocal);
    let reason = if rule == Redirects::SameOrigin && !same_origin {
        "it leads to another host"
    } else if from.as_url().scheme() == "https" && to.as_url().scheme() != "https" {
        "it leads from https to http"
    } else if to_link_local && !same_origin {
        "it leads to a link-local or metadata address"
    } else {
        return Ok(());
    };
    Err(HttpError::Redirect {
        endpoint: Endpoint::of(from.as_url()),
        reason,
    })
}

/// The addresses of a host: itself where it is a literal, else what the resolver says, which is nothing where it fails.
pub(crate) async fn resolve(url: &SafeUrl) -> Vec<IpAddr> {
    let endpoint = Endpoint::of(url.as_url());
    if let Some(address) = address::literal(url.as_url()) {
        return vec![address];
    }
    let look_up = move || {
        use std::net::ToSocketAddrs as _;
        let found = (endpoint.host.as_str(), endpoint.port).to_socket_addrs();
        found
            .map(|addresses| addresses.map(|address| address.ip()).collect())
            .unwrap_or_default()
    };
    tokio::task::spawn_blocking(look_up)
        .await
        .unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests;
