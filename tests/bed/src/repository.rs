//! A chart repository over HTTP on loopback, and charts in an OCI registry.
//!
//! It serves `index.yaml` as Helm writes it, with a strong `ETag` and `Last-Modified`, answers conditional requests with
//! 304, and can be changed while it runs.

mod index;
mod oci;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode};
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};
use jiff::{SignedDuration, Timestamp};

pub use oci::push_oci;

use crate::chart::Chart;
use crate::image::sha256_hex;
use crate::loopback::{
    Body, BoxError, Connection, LoopbackServer, ServerIdentity, empty, full, silent,
};
use crate::request_log::{LogEntry, RequestLog};

/// When the first state of every repository was written: 2026-08-21T13:56:51Z. Each change is one second later, because
/// `Last-Modified` has no finer grain and two changes within a second must not look like one.
const FIRST_CHANGE: i64 = 1_787_320_611;

/// Where the index is.
const INDEX_PATH: &str = "/index.yaml";

/// How `index.yaml` names the archives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ChartUrls {
    /// By whole addresses below this repository's own, as the vendor's repository does.
    #[default]
    Absolute,
    /// By file names, relative to the index.
    Relative,
    /// By whole addresses below another one, for example a proxy's.
    Below(String),
}

/// A running chart repository. Dropping it closes its port.
#[derive(Debug)]
pub struct Repository {
    server: LoopbackServer,
    scheme: &'static str,
    state: Arc<Mutex<State>>,
    log: RequestLog,
}

impl Repository {
    /// Serves charts on a free port of 127.0.0.1.
    pub fn serve(charts: impl IntoIterator<Item = Chart>) -> io::Result<Self> {
        Self::start(charts, None)
    }

    /// The same over TLS.
    pub fn serve_tls(
        charts: impl IntoIterator<Item = Chart>,
        identity: &ServerIdentity,
    ) -> io::Result<Self> {
        Self::start(charts, Some(identity))
    }

    fn start(
        charts: impl IntoIterator<Item = Chart>,
        identity: Option<&ServerIdentity>,
    ) -> io::Result<Self> {
        let state = State {
            charts: charts.into_iter().collect(),
            urls: ChartUrls::default(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            replaced: None,
            announced: None,
            credentials: None,
            change: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let log = RequestLog::default();
        let handler = Handler {
            state: Arc::clone(&state),
            log: log.clone(),
        };
        let server = LoopbackServer::start(identity, move |_reset| handler.clone())?;
        lock(&state).address = server.address();
        let scheme = if identity.is_some() { "https" } else { "http" };
        Ok(Self {
            server,
            scheme,
            state,
            log,
        })
    }

    /// Returns the repository's address, without a slash at the end.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.server.address())
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Adds a chart version. A version that is there already is replaced, as a repository that publishes anew does.
    pub fn publish(&self, chart: Chart) {
        self.change(|state| {
            state
                .charts
                .retain(|held| (&held.name, &held.version) != (&chart.name, &chart.version));
            state.charts.push(chart);
        });
    }

    /// Takes a version away. Returns whether it was there.
    pub fn remove(&self, name: &str, version: &str) -> bool {
        self.change(|state| {
            let before = state.charts.len();
            state
                .charts
                .retain(|held| held.name != name || held.version != version);
            state.charts.len() < before
        })
    }

    /// Serves these bytes in place of the index, whatever they are.
    pub fn replace_index(&self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        self.change(|state| {
            state.replaced = Some(bytes);
            state.announced = None;
        });
    }

    /// Announces an index of that many bytes, and sends none of them: who waits for them waits for ever.
    pub fn announce_index(&self, bytes: u64) {
        self.change(|state| state.announced = Some(bytes));
    }

    /// Serves the true index again.
    pub fn restore_index(&self) {
        self.change(|state| {
            state.replaced = None;
            state.announced = None;
        });
    }

    /// Returns the index as it is served now.
    pub fn index(&self) -> Bytes {
        lock(&self.state).index()
    }

    /// Chooses how the index names the archives.
    pub fn chart_urls(&self, urls: ChartUrls) {
        self.change(|state| state.urls = urls);
    }

    /// Refuses every request that does not carry this user name and password.
    pub fn require_basic(&self, user: &str, password: &str) {
        let credentials = STANDARD.encode(format!("{user}:{password}"));
        lock(&self.state).credentials = Some(credentials);
    }

    /// Returns the log of requests.
    pub fn log(&self) -> &RequestLog {
        &self.log
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = lock(&self.state);
        state.change += 1;
        change(&mut state)
    }
}

struct State {
    charts: Vec<Chart>,
    urls: ChartUrls,
    address: SocketAddr,
    replaced: Option<Bytes>,
    /// The length of an index that is announced and never comes.
    announced: Option<u64>,
    /// Base64 of user and password.
    credentials: Option<String>,
    /// How often it was changed.
    change: i64,
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("State")
            .field("charts", &self.charts.len())
            .finish_non_exhaustive()
    }
}

impl State {
    fn modified(&self) -> Timestamp {
        let first = Timestamp::from_second(FIRST_CHANGE).unwrap_or_default();
        first
            .checked_add(SignedDuration::from_secs(self.change))
            .unwrap_or(first)
    }

    fn index(&self) -> Bytes {
        if let Some(replaced) = &self.replaced {
            return replaced.clone();
        }
        let base = match &self.urls {
            ChartUrls::Absolute => format!("http://{}/", self.address),
            ChartUrls::Relative => String::new(),
            ChartUrls::Below(address) => format!("{}/", address.trim_end_matches('/')),
        };
        Bytes::from(index::render(&self.charts, &base, self.modified()))
    }

    fn file(&self, path: &str) -> Option<(Bytes, &'static str)> {
        if path == INDEX_PATH {
            return Some((self.index(), "text/yaml; charset=utf-8"));
        }
        let chart = self
            .charts
            .iter()
            .find(|chart| path.strip_prefix('/') == Some(&chart.file_name()))?;
        Some((chart.bytes.clone(), "application/x-gtar"))
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone)]
struct Handler {
    state: Arc<Mutex<State>>,
    log: RequestLog,
}

impl Connection for Handler {
    fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>> {
        Box::pin(async move {
            let entry = self.log.begin(&request);
            let response = respond(&lock(&self.state), &request, &entry)?;
            entry.status(response.status());
            entry.finished();
            Ok(response)
        })
    }
}

fn respond(
    state: &State,
    request: &Request<Incoming>,
    entry: &LogEntry,
) -> Result<Response<Body>, BoxError> {
    let headers = request.headers();
    if let Some(credentials) = &state.credentials
        && !carries(headers, credentials)
    {
        let refused = Response::builder().status(StatusCode::UNAUTHORIZED);
        return Ok(refused
            .header(WWW_AUTHENTICATE, "Basic realm=\"charts\"")
            .body(full("unauthorized\n"))?);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(Response::builder()
            .status(StatusCode::METHOD_NOT_ALLOWED)
            .body(empty())?);
    }
    if let Some(announced) = state.announced
        && request.uri().path() == INDEX_PATH
    {
        return Ok(Response::builder()
            .header(CONTENT_LENGTH, announced)
            .body(silent())?);
    }
    let Some((bytes, content_type)) = state.file(request.uri().path()) else {
        return Ok(Response::builder()
            .status(StatusCode::NOT_FOUND)
            .body(full("not found\n"))?);
    };
    let tag = format!("\"{}\"", &sha256_hex(&bytes)[..32]);
    let modified = state.modified();
    let response = Response::builder().header(ETAG, &tag).header(
        LAST_MODIFIED,
        DateTimePrinter::new().timestamp_to_rfc9110_string(&modified)?,
    );
    if is_unchanged(headers, &tag, modified) {
        return Ok(response.status(StatusCode::NOT_MODIFIED).body(empty())?);
    }
    let response = response
        .header(CONTENT_TYPE, content_type)
        .header(CONTENT_LENGTH, bytes.len());
    if request.method() == Method::HEAD {
        return Ok(response.body(empty())?);
    }
    entry.passed_on(bytes.len());
    Ok(response.body(full(bytes))?)
}

fn carries(headers: &HeaderMap, credentials: &str) -> bool {
    let value = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    value
        .and_then(|value| value.split_once(' '))
        .is_some_and(|(scheme, given)| scheme.eq_ignore_ascii_case("basic") && given == credentials)
}

/// `If-None-Match` decides alone where it is given (RFC 9110 §13.2.2).
fn is_unchanged(headers: &HeaderMap, tag: &str, modified: Timestamp) -> bool {
    if let Some(given) = headers.get(IF_NONE_MATCH) {
        let given = given.to_str().unwrap_or_default();
        return given
            .split(',')
            .map(|one| one.trim().trim_start_matches("W/"))
            .any(|one| one == tag || one == "*");
    }
    let since = headers
        .get(IF_MODIFIED_SINCE)
        .and_then(|value| value.to_str().ok());
    since
        .and_then(|since| DateTimeParser::new().parse_timestamp(since).ok())
        .is_some_and(|since| modified <= since)
}

#[cfg(test)]
mod tests;
