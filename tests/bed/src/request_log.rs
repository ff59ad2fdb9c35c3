//! What a server of the bed was asked and what it answered, for tests to assert on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::{Method, Request, StatusCode};

/// The request headers that tests ask about. `authorization` is kept as its scheme only.
const KEPT_HEADERS: [&str; 10] = [
    "accept",
    "accept-encoding",
    "authorization",
    "content-type",
    "host",
    "if-modified-since",
    "if-none-match",
    "impersonate-user",
    "range",
    "user-agent",
];

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRequest {
    /// The method.
    pub method: Method,
    /// The path with its query.
    pub path: String,
    /// The headers that matter, by lower-case name. Of `authorization` only the scheme is kept.
    pub headers: BTreeMap<String, String>,
    /// The status of the answer; nothing while it is awaited, and nothing for good when the connection was reset.
    pub status: Option<StatusCode>,
    /// The bytes of the answer's body that were passed on so far.
    pub response_bytes: u64,
    /// When the request came, since the log began.
    pub received: Duration,
    /// How long it took until the answer's body was passed on in full; nothing while it goes on, or was cut off.
    pub took: Option<Duration>,
}

impl LoggedRequest {
    /// Returns a header by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// A log of requests. Clones share it.
#[derive(Debug, Clone)]
pub struct RequestLog {
    began: Instant,
    requests: Arc<Mutex<Vec<LoggedRequest>>>,
    /// Distinguishes the requests before [`RequestLog::clear`] from those after.
    generation: Arc<Mutex<u64>>,
}

impl Default for RequestLog {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            requests: Arc::default(),
            generation: Arc::default(),
        }
    }
}

impl RequestLog {
    /// Returns every request so far, in the order in which they came.
    pub fn all(&self) -> Vec<LoggedRequest> {
        self.lock().clone()
    }

    /// Returns the requests of one method whose path, query included, contains `part`.
    pub fn matching(&self, method: &Method, part: &str) -> Vec<LoggedRequest> {
        let requests = self.lock();
        requests
            .iter()
            .filter(|request| request.method == *method && request.path.contains(part))
            .cloned()
            .collect()
    }

    /// Forgets every request.
    pub fn clear(&self) {
        let mut requests = self.lock();
        *self
            .generation
            .lock()
            .unwrap_or_else(PoisonError::into_inner) += 1;
        requests.clear();
    }

    /// Notes that a request came.
    pub(crate) fn begin<B>(&self, request: &Request<B>) -> LogEntry {
        let received = self.began.elapsed();
        let path = request
            .uri()
            .path_and_query()
            .map_or_else(|| request.uri().path(), |path| path.as_str());
        let logged = LoggedRequest {
            method: request.method().clone(),
            path: path.to_owned(),
            headers: kept_headers(request.headers()),
            status: None,
            response_bytes: 0,
            received,
            took: None,
        };
        let mut requests = self.lock();
        requests.push(logged);
        let generation = *self
            .generation
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        LogEntry {
            log: self.clone(),
            position: requests.len() - 1,
            generation,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<LoggedRequest>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one request in the log, to fill in what is learned later.
#[derive(Debug, Clone)]
pub(crate) struct LogEntry {
    log: RequestLog,
    position: usize,
    generation: u64,
}

impl LogEntry {
    pub(crate) fn status(&self, status: StatusCode) {
        self.change(|request, _| request.status = Some(status));
    }

    pub(crate) fn passed_on(&self, bytes: usize) {
        self.change(|request, _| request.response_bytes += bytes as u64);
    }

    pub(crate) fn finished(&self) {
        self.change(|request, now| request.took = Some(now.saturating_sub(request.received)));
    }

    fn change(&self, change: impl FnOnce(&mut LoggedRequest, Duration)) {
        let now = self.log.began.elapsed();
        let mut requests = self.log.lock();
        if *self
            .log
            .generation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            != self.generation
        {
            return;
        }
        if let Some(request) = requests.get_mut(self.position) {
            change(request, now);
        }
    }
}

fn kept_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut kept = BTreeMap::new();
    for name in KEPT_HEADERS {
        let values: Vec<String> = headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        if values.is_empty() {
            continue;
        }
        let mut value = values.join(", ");
        if name == AUTHORIZATION.as_str() {
            value.truncate(value.find(char::is_whitespace).unwrap_or(value.len()));
        }
        kept.insert(name.to_owned(), value);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str) -> Request<()> {
        let request = Request::get(path)
            .header("Authorization", "Bearer secret")
            .header("Accept", "a/b");
        request.header("X-Other", "1").body(()).expect("a request")
    }

    #[test]
    fn credentials_are_kept_as_their_scheme_only() {
        let log = RequestLog::default();
        let _entry = log.begin(&request("/a?b=c"));
        let all = log.all();
        assert_eq!(all[0].header("authorization"), Some("Bearer"));
        assert_eq!(all[0].header("accept"), Some("a/b"));
        assert_eq!(all[0].header("x-other"), None);
        assert_eq!(all[0].path, "/a?b=c");
        assert!(!format!("{all:?}").contains("secret"));
    }

    #[test]
    fn what_is_learned_later_reaches_the_right_request() {
        let log = RequestLog::default();
        let first = log.begin(&request("/first"));
        let second = log.begin(&request("/second"));
        second.status(StatusCode::OK);
        second.passed_on(3);
        second.passed_on(4);
        second.finished();
        assert_eq!(log.all()[0].status, None);
        let answered = log.matching(&Method::GET, "second").remove(0);
        assert_eq!(
            (answered.status, answered.response_bytes),
            (Some(StatusCode::OK), 7)
        );
        assert!(answered.took.is_some());
        log.clear();
        let _third = log.begin(&request("/third"));
        first.status(StatusCode::NOT_FOUND);
        assert_eq!(
            log.all()[0].status,
            None,
            "an old entry must not touch a new request"
        );
    }
}
