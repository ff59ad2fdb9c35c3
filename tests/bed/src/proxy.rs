//! A proxy that breaks things on purpose: in front of the API server, the registry or a chart repository, it delays, cuts, refuses and falsifies
//! the requests that its rules name, passes on the rest, and keeps a log of everything for tests to assert on.

mod gate;
mod rule;

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::BodyExt as _;
use http_body_util::channel::Channel;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use hyper::{Request, Response, StatusCode};
use reqwest::{Certificate, Client, Identity};

use crate::certificate::Pair;
use crate::cluster::Cluster;
use crate::loopback::{Body, BoxError, Connection, LoopbackServer, ResetSwitch, full};
use crate::request_log::{LogEntry, RequestLog};
use crate::runtime::runtime;

pub use gate::TokenGate;
pub use rule::{Fault, Rule};

use rule::Effects;

/// A running proxy, on plain HTTP. It ends with this value.
#[derive(Debug)]
pub struct Proxy {
    server: LoopbackServer,
    state: Arc<State>,
}

/// What all connections share.
#[derive(Debug)]
struct State {
    upstream: String,
    client: Client,
    rules: Mutex<Vec<Rule>>,
    gate: Mutex<Option<TokenGate>>,
    log: RequestLog,
}

impl Proxy {
    /// In front of a server on plain HTTP, such as the registry or a chart repository, by its `http://host:port`.
    pub fn before(upstream: &str) -> io::Result<Self> {
        let _context = runtime().enter();
        let client = Client::builder()
            .no_proxy()
            .build()
            .map_err(io::Error::other)?;
        Self::start(upstream, client)
    }

    /// In front of the API server, with the administrator's identity towards it. Tokens that requests carry are passed on.
    pub fn before_api_server(cluster: &Cluster) -> io::Result<Self> {
        let _context = runtime().enter();
        let plane = cluster.control_plane();
        let client =
            with_identity(plane.authority.certificate(), &plane.admin).map_err(io::Error::other)?;
        Self::start(cluster.server(), client)
    }

    fn start(upstream: &str, client: Client) -> io::Result<Self> {
        let state = Arc::new(State {
            upstream: upstream.trim_end_matches('/').to_owned(),
            client,
            rules: Mutex::default(),
            gate: Mutex::default(),
            log: RequestLog::default(),
        });
        let shared = Arc::clone(&state);
        let server = LoopbackServer::start(None, move |reset| Passing {
            state: Arc::clone(&shared),
            reset,
        })?;
        Ok(Self { server, state })
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// `127.0.0.1:port`.
    pub fn host(&self) -> String {
        self.server.address().to_string()
    }

    /// From now on, breaks what the rule names. Rules are tried in the order of their coming.
    pub fn break_with(&self, rule: Rule) {
        lock(&self.state.rules).push(rule);
    }

    /// From now on, breaks nothing.
    pub fn heal(&self) {
        lock(&self.state.rules).clear();
    }

    /// From now on, wants a token, which a service of its own under `/token` issues (the registry handshake).
    pub fn require_token(&self, gate: TokenGate) {
        *lock(&self.state.gate) = Some(gate);
    }

    /// What was asked.
    pub fn log(&self) -> &RequestLog {
        &self.state.log
    }
}

fn with_identity(authority: &str, identity: &Pair) -> reqwest::Result<Client> {
    let identity =
        Identity::from_pem(format!("{}{}", identity.certificate, identity.key).as_bytes())?;
    let authority = Certificate::from_pem(authority.as_bytes())?;
    Client::builder()
        .no_proxy()
        .tls_certs_only([authority])
        .identity(identity)
        .build()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The proxy's side of one connection.
struct Passing {
    state: Arc<State>,
    reset: ResetSwitch,
}

impl Connection for Passing {
    fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>> {
        Box::pin(async move {
            let entry = self.state.log.begin(&request);
            let refused = lock(&self.state.gate)
                .as_mut()
                .and_then(|gate| gate.refuse(&request));
            if let Some(response) = refused {
                entry.status(response.status());
                entry.finished();
                return Ok(response.map(full));
            }
            let effects = Effects::of(&mut lock(&self.state.rules), &request);
            if let Some(latency) = effects.latency {
                tokio::time::sleep(latency).await;
            }
            if effects.reset {
                self.reset.arm();
                return Err(io::Error::from(io::ErrorKind::ConnectionReset).into());
            }
            if let Some(answer) = effects.answer {
                let response = answer.response()?;
                entry.status(response.status());
                entry.finished();
                return Ok(response);
            }
            pass(&self.state, request, effects, entry).await
        })
    }
}

/// Passes a request on, and its answer back as it comes.
async fn pass(
    state: &State,
    request: Request<Incoming>,
    effects: Effects,
    entry: LogEntry,
) -> Result<Response<Body>, BoxError> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = parts.headers;
    for hop in [HOST, CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH] {
        headers.remove(hop);
    }
    if lock(&state.gate).is_some() {
        // The token is the proxy's own.
        headers.remove(AUTHORIZATION);
    }
    let body = body.collect().await?.to_bytes();
    let answered = state
        .client
        .request(parts.method, format!("{}{path}", state.upstream))
        .headers(headers)
        .body(body)
        .send()
        .await;
    let mut answer = match answered {
        Ok(answer) => answer,
        Err(error) => {
            entry.status(StatusCode::BAD_GATEWAY);
            let text = crate::api::chain(&error);
            return Ok(Response::builder()
                .status(StatusCode::BAD_GATEWAY)
                .body(full(text))?);
        }
    };
    entry.status(answer.status());
    let mut response = Response::builder().status(answer.status());
    let rewritten = effects.body.is_some();
    for (name, value) in answer.headers() {
        let dropped = effects
            .dropped
            .iter()
            .any(|dropped| name.as_str().eq_ignore_ascii_case(dropped));
        let hop = *name == CONNECTION
            || *name == TRANSFER_ENCODING
            || (rewritten && *name == CONTENT_LENGTH);
        if !dropped && !hop {
            response = response.header(name, value);
        }
    }
    if let Some(body) = effects.body {
        entry.passed_on(body.len());
        entry.finished();
        return Ok(response.body(full(body))?);
    }
    let (mut sender, channel) = Channel::<Bytes, BoxError>::new(4);
    runtime().spawn(async move {
        let mut left = effects.cut_after;
        while let Ok(Some(mut chunk)) = answer.chunk().await {
            if let Some(left) = &mut left {
                chunk.truncate(*left);
                *left -= chunk.len();
            }
            entry.passed_on(chunk.len());
            if effects.drip.send(&mut sender, chunk).await.is_err() {
                return;
            }
            if left == Some(0) {
                // What comes less than was promised breaks the connection off.
                sender.abort(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                return;
            }
        }
        entry.finished();
    });
    Ok(response.body(channel.boxed_unsync())?)
}

#[cfg(test)]
mod tests;
