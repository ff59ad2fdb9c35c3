//! What to break, and how.

use std::time::Duration;

use http_body_util::channel::{SendError, Sender};
use hyper::body::Bytes;
use hyper::{Method, Request, Response, StatusCode};

use crate::loopback::{Body, BoxError, full};

/// A way to break a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The answer begins later.
    Latency(Duration),
    /// The connection is reset instead of an answer.
    Reset,
    /// The answer is this one, and the server behind is not asked.
    Answer {
        /// Its status.
        status: u16,
        /// Its headers.
        headers: Vec<(&'static str, String)>,
        /// Its body.
        body: String,
    },
    /// The body ends after so many bytes.
    Cut(usize),
    /// The body comes in pieces of so many bytes, with a pause after each.
    Drip(usize, Duration),
    /// The answer lacks this header.
    DropHeader(&'static str),
    /// The answer has another body.
    Body(String),
}

impl Fault {
    /// An answer with a status alone.
    pub fn status(status: u16) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }
}

/// Which requests to break.
#[derive(Debug, Clone)]
pub struct Rule {
    method: Option<Method>,
    part: String,
    times: Option<u32>,
    fault: Fault,
}

impl Rule {
    /// Every request whose path with query contains `part`.
    pub fn new(part: impl Into<String>, fault: Fault) -> Self {
        Self {
            method: None,
            part: part.into(),
            times: None,
            fault,
        }
    }

    /// Only requests of that method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Only the first so many of them.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Whether the rule applies; counts the request if so.
    fn takes<B>(&mut self, request: &Request<B>) -> bool {
        let path = request
            .uri()
            .path_and_query()
            .map_or("", |path| path.as_str());
        let fits = self
            .method
            .as_ref()
            .is_none_or(|method| method == request.method())
            && path.contains(&self.part);
        match (&mut self.times, fits) {
            (_, false) | (Some(0), _) => false,
            (None, true) => true,
            (Some(left), true) => {
                *left -= 1;
                true
            }
        }
    }
}

/// A made-up answer.
pub(super) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    pub(super) fn response(self) -> Result<Response<Body>, BoxError> {
        let mut response = Response::builder().status(StatusCode::from_u16(self.status)?);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        Ok(response.body(full(self.body))?)
    }
}

/// How a body is slowed down.
#[derive(Default)]
pub(super) struct Drip(Option<(usize, Duration)>);

impl Drip {
    pub(super) async fn send(
        &self,
        sender: &mut Sender<Bytes, BoxError>,
        mut chunk: Bytes,
    ) -> Result<(), SendError> {
        if let Some((size, pause)) = self.0 {
            while chunk.len() > size {
                sender.send_data(chunk.split_to(size)).await?;
                tokio::time::sleep(pause).await;
            }
        }
        sender.send_data(chunk).await
    }
}

/// What the rules together do to one request.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) latency: Option<Duration>,
    pub(super) reset: bool,
    pub(super) answer: Option<Answer>,
    pub(super) cut_after: Option<usize>,
    pub(super) drip: Drip,
    pub(super) dropped: Vec<&'static str>,
    pub(super) body: Option<String>,
}

impl Effects {
    pub(super) fn of<B>(rules: &mut [Rule], request: &Request<B>) -> Self {
        let mut effects = Self::default();
        for rule in rules {
            if !rule.takes(request) {
                continue;
            }
            match rule.fault.clone() {
                Fault::Latency(latency) => effects.latency = Some(latency),
                Fault::Reset => effects.reset = true,
                Fault::Answer {
                    status,
                    headers,
                    body,
                } => {
                    effects.answer = Some(Answer {
                        status,
                        headers,
                        body,
                    });
                }
                Fault::Cut(bytes) => effects.cut_after = Some(bytes),
                Fault::Drip(size, pause) => effects.drip = Drip(Some((size.max(1), pause))),
                Fault::DropHeader(name) => effects.dropped.push(name),
                Fault::Body(body) => effects.body = Some(body),
            }
        }
        effects
    }
}
