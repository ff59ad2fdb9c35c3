//! One HTTP client for all sources: deadlines, size caps, retries, proxies, and redirects that never carry credentials elsewhere.
//!
//! The caller of [`HttpClient::new`] has installed rustls' process-wide crypto provider.

mod address;
mod error;
mod safe_url;
mod tls;

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use jiff::fmt::rfc2822;
use reqwest::header::{
    AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Method, StatusCode};
use tokio::time::{Instant, sleep, timeout_at};

pub(crate) use address::Reach;
pub(crate) use error::{Endpoint, HttpError, wait};
pub(crate) use safe_url::SafeUrl;
pub(crate) use tls::TlsOptions;

/// How we call ourselves.
const USER_AGENT: &str = concat!("kubectl-tracebloc/", env!("CARGO_PKG_VERSION"));

/// The most time for TCP and TLS together, so that a dead address leaves time for the next one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// Pauses before the second and the third try.
const BACKOFF: [Duration; 2] = [Duration::from_millis(150), Duration::from_millis(500)];

/// The most redirects followed for one request.
const REDIRECT_LIMIT: usize = 5;

/// The body cap of requests that set none: enough for tokens and error documents.
const DEFAULT_BODY_LIMIT: usize = 1024 * 1024;

/// Which redirects a request follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Redirects {
    /// Any, without credentials where the host changes, but never from https to http nor to a link-local address.
    Follow,
    /// Only those within the same scheme, host and port.
    SameOrigin,
}

/// A read-only request: all that this client sends may be repeated.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: Method,
    url: SafeUrl,
    headers: HeaderMap,
    deadline: Instant,
    body_limit: usize,
    redirects: Redirects,
    credentials_everywhere: bool,
}

impl Request {
    /// A GET that ends at `deadline`, retries and body included.
    pub(crate) fn get(url: SafeUrl, deadline: Instant) -> Self {
        Self::new(Method::GET, url, deadline)
    }

    /// A HEAD that ends at `deadline`, retries included.
    pub(crate) fn head(url: SafeUrl, deadline: Instant) -> Self {
        Self::new(Method::HEAD, url, deadline)
    }

    fn new(method: Method, url: SafeUrl, deadline: Instant) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            deadline,
            body_limit: DEFAULT_BODY_LIMIT,
            redirects: Redirects::Follow,
            credentials_everywhere: false,
        }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Adds credentials, which never print and never reach another host.
    pub(crate) fn authorization(self, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.header(AUTHORIZATION, value)
    }

    /// Sets the most bytes of the decoded body.
    pub(crate) fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Lets credentials follow redirects to other hosts, where the user asks for exactly that.
    pub(crate) fn credentials_everywhere(mut self, on: bool) -> Self {
        self.credentials_everywhere = on;
        self
    }

    /// Sets which redirects are followed.
    pub(crate) fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }
}

/// What a server answered, with any status but 429.
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
    tls: TlsOptions,
}

impl HttpClient {
    /// A client that uses the proxies of the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`) or of the system.
    pub(crate) fn new() -> Result<Self, HttpError> {
        Self::with_tls(TlsOptions::default())
    }

    /// The same with the user's TLS options for one server.
    pub(crate) fn with_tls(tls: TlsOptions) -> Result<Self, HttpError> {
        Ok(Self {
            proxied: build(tls.apply(reqwest::Client::builder()))?,
            direct: OnceLock::new(),
            tls,
        })
    }

    /// Sends a request. Connections cut off and the statuses 502, 503 and 504 are tried again, and so is 429 where the time that the
    /// server asks for ends before the deadline.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer, HttpError> {
        let begun = Instant::now();
        let mut pauses = BACKOFF.into_iter();
        loop {
            let outcome = match timeout_at(request.deadline, self.follow(request)).await {
                Ok(outcome) => outcome,
                Err(_elapsed) => Err(HttpError::Timeout {
                    endpoint: Endpoint::of(request.url.as_url()),
                    limit: request.deadline - begun,
                }),
            };
            let pause = match &outcome {
                Err(HttpError::Interrupted { .. }) => pauses.next(),
                Ok(answer) if matches!(answer.status.as_u16(), 502..=504) => pauses
                    .next()
                    .map(|pause| answer.retry_after().unwrap_or(pause)),
                Ok(answer) if answer.status == StatusCode::TOO_MANY_REQUESTS => {
                    pauses.next().and_then(|_| answer.retry_after())
                }
                _ => return outcome,
            };
            match pause {
                Some(pause) if Instant::now() + pause < request.deadline => sleep(pause).await,
                _ => return outcome.and_then(refuse_rate_limit),
            }
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
        let mut response = self
            .client_for(url)?
            .request(request.method.clone(), url.as_url().clone())
            .headers(headers.clone())
            .send()
            .await
            .map_err(wrap)?;
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
        let client = build(self.tls.apply(reqwest::Client::builder().no_proxy()))?;
        Ok(self.direct.get_or_init(|| client))
    }
}

fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, HttpError> {
    builder
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .build()
        .map_err(|error| HttpError::Setup {
            source: error.into(),
        })
}

fn refuse_rate_limit(answer: Answer) -> Result<Answer, HttpError> {
    if answer.status == StatusCode::TOO_MANY_REQUESTS {
        let retry_after = answer.retry_after();
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
