//! A proxy that breaks things on purpose: in front of the API server, the registry or a chart repository, it delays, cuts, refuses and falsifies
//! the requests that its rules name, passes on the rest, and keeps a log of everything for tests to assert on.

mod gate;
mod rule;

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt as _;
use http_body_util::channel::Channel;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, TRANSFER_ENCODING, UPGRADE,
};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Identity};
use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::loopback::{
    Body, BoxError, Connection, LoopbackServer, ResetSwitch, ServerIdentity, empty, full,
};
use crate::request_log::{LogEntry, RequestLog};
use crate::runtime::runtime;

pub use gate::TokenGate;
pub use rule::{Fault, Rule};

use rule::Effects;

/// How long the server gets to send what it was given before a body is broken off.
const FLUSH: Duration = Duration::from_millis(50);

/// A running proxy. It ends with this value.
#[derive(Debug)]
pub struct Proxy {
    server: LoopbackServer,
    scheme: &'static str,
    state: Arc<State>,
}

/// When something happens with respect to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the server hears of it, which then it never does.
    Before,
    /// After the server did it, and before anybody is told.
    After,
}

/// What is done once, at a request.
struct Halt {
    /// Which requests count: all of them, or those of a method whose path contains this.
    among: Option<(Method, String)>,
    /// How many of them come before it.
    left: usize,
    moment: Moment,
    act: Box<dyn FnOnce() + Send>,
}

impl std::fmt::Debug for Halt {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Halt").finish_non_exhaustive()
    }
}

/// What all connections share.
#[derive(Debug)]
struct State {
    upstream: String,
    client: Client,
    /// For requests that say nothing about who asks; without it they are passed on as they are.
    administrator: Option<Client>,
    rules: Mutex<Vec<Rule>>,
    gate: Mutex<Option<TokenGate>>,
    halt: Mutex<Option<Halt>>,
    /// Connections that became something other than HTTP; they end with the proxy.
    tunnels: Mutex<JoinSet<()>>,
    log: RequestLog,
}

impl Proxy {
    /// In front of a server on plain HTTP, such as the registry or a chart repository, by its `http://host:port`.
    pub fn before(upstream: &str) -> io::Result<Self> {
        let _context = runtime().enter();
        let client = faithful().build().map_err(io::Error::other)?;
        Self::start(upstream, client, None, None)
    }

    /// As [`Proxy::before`], over TLS with a certificate of the cluster's authority.
    pub fn before_over_tls(upstream: &str, cluster: &Cluster) -> io::Result<Self> {
        let identity = identity(cluster)?;
        let _context = runtime().enter();
        let client = faithful().build().map_err(io::Error::other)?;
        Self::start(upstream, client, None, Some(&identity))
    }

    /// In front of the API server, on plain HTTP.
    ///
    /// A request without `Authorization` is the administrator's; one with a token is its owner's, because the API server would heed the
    /// administrator's certificate before the token. kubectl sends no token over plain HTTP: see [`Proxy::before_api_server_over_tls`].
    pub fn before_api_server(cluster: &Cluster) -> io::Result<Self> {
        Self::start_before_api_server(cluster, None)
    }

    /// As [`Proxy::before_api_server`], over TLS with a certificate of the cluster's authority: a kubeconfig of the cluster leads through
    /// the proxy when its server is [`Proxy::url`]. Client certificates are not asked for, hence their owners are the administrator here.
    pub fn before_api_server_over_tls(cluster: &Cluster) -> io::Result<Self> {
        Self::start_before_api_server(cluster, Some(&identity(cluster)?))
    }

    fn start_before_api_server(
        cluster: &Cluster,
        identity: Option<&ServerIdentity>,
    ) -> io::Result<Self> {
        let _context = runtime().enter();
        let plane = cluster.control_plane();
        let build = || -> reqwest::Result<(Client, Client)> {
            let authority = Certificate::from_pem(plane.authority.certificate().as_bytes())?;
            let trusting = || faithful().tls_certs_only([authority.clone()]);
            let pem = format!("{}{}", plane.admin.certificate, plane.admin.key);
            let administrator = Identity::from_pem(pem.as_bytes())?;
            Ok((
                trusting().build()?,
                trusting().identity(administrator).build()?,
            ))
        };
        let (client, administrator) = build().map_err(io::Error::other)?;
        Self::start(cluster.server(), client, Some(administrator), identity)
    }

    fn start(
        upstream: &str,
        client: Client,
        administrator: Option<Client>,
        identity: Option<&ServerIdentity>,
    ) -> io::Result<Self> {
        let state = Arc::new(State {
            upstream: upstream.trim_end_matches('/').to_owned(),
            client,
            administrator,
            rules: Mutex::default(),
            gate: Mutex::default(),
            halt: Mutex::default(),
            tunnels: Mutex::default(),
            log: RequestLog::default(),
        });
        let shared = Arc::clone(&state);
        let server = LoopbackServer::start(identity, move |reset| Passing {
            state: Arc::clone(&shared),
            reset,
        })?;
        let scheme = if identity.is_some() { "https" } else { "http" };
        Ok(Self {
            server,
            scheme,
            state,
        })
    }

    /// `http://127.0.0.1:port`, or `https` for a proxy over TLS.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.server.address())
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

    /// Does something once, at the request that comes after so many others, such as killing whoever sent it.
    pub fn halt_at(&self, number: usize, moment: Moment, act: impl FnOnce() + Send + 'static) {
        self.halt(None, number, moment, act);
    }

    /// The same, counting only the requests of a method whose path with query contains `part`.
    pub fn halt_among(
        &self,
        (method, part): (Method, &str),
        number: usize,
        moment: Moment,
        act: impl FnOnce() + Send + 'static,
    ) {
        self.halt(Some((method, part.to_owned())), number, moment, act);
    }

    fn halt(
        &self,
        among: Option<(Method, String)>,
        number: usize,
        moment: Moment,
        act: impl FnOnce() + Send + 'static,
    ) {
        *lock(&self.state.halt) = Some(Halt {
            among,
            left: number,
            moment,
            act: Box::new(act),
        });
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

/// What the proxy shows of itself over TLS.
fn identity(cluster: &Cluster) -> io::Result<ServerIdentity> {
    let authority = &cluster.control_plane().authority;
    let pair = authority
        .server("bed-proxy", &["127.0.0.1"])
        .map_err(io::Error::other)?;
    Ok(ServerIdentity {
        certificate_pem: pair.certificate,
        key_pem: pair.key,
        client_authority_pem: None,
    })
}

/// A client that changes nothing on the way: it asks for no compression of its own and follows no redirection. It speaks HTTP/1.1, whose
/// connections can become something else.
fn faithful() -> ClientBuilder {
    Client::builder()
        .no_proxy()
        .no_gzip()
        .redirect(Policy::none())
        .http1_only()
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
            let is_guarded = lock(&self.state.gate).is_some();
            if is_guarded && request.method() == Method::POST && request.uri().path() == "/token" {
                let form = request.into_body().collect().await?.to_bytes();
                let form = String::from_utf8_lossy(&form).into_owned();
                let response = lock(&self.state.gate)
                    .as_mut()
                    .map(|gate| gate.exchange(&form))
                    .unwrap_or_default();
                entry.status(response.status());
                entry.finished();
                return Ok(response.map(full));
            }
            let refused = lock(&self.state.gate)
                .as_mut()
                .and_then(|gate| gate.refuse(&request));
            if let Some(response) = refused {
                entry.status(response.status());
                entry.finished();
                return Ok(response.map(full));
            }
            let halt = due(&self.state, &request);
            if let Some(Halt {
                moment: Moment::Before,
                act,
                ..
            }) = halt
            {
                act();
                return Err(io::Error::from(io::ErrorKind::ConnectionReset).into());
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
            let passed = pass(&self.state, request, effects, entry).await;
            if let Some(halt) = halt {
                (halt.act)();
            }
            passed
        })
    }
}

/// What is to be done at this request.
fn due<B>(state: &State, request: &Request<B>) -> Option<Halt> {
    let mut halt = lock(&state.halt);
    let counts = |halt: &&mut Halt| {
        let path = request.uri().path_and_query();
        let path = path.map_or("", |path| path.as_str());
        let fits = |(method, part): &(Method, String)| {
            request.method() == method && path.contains(part.as_str())
        };
        halt.among.as_ref().is_none_or(fits)
    };
    match halt.as_mut().filter(counts) {
        Some(Halt { left, .. }) if *left > 0 => {
            *left -= 1;
            None
        }
        Some(_) => halt.take(),
        None => None,
    }
}

/// Passes a request on, and its answer back as it comes.
async fn pass(
    state: &State,
    mut request: Request<Incoming>,
    effects: Effects,
    entry: LogEntry,
) -> Result<Response<Body>, BoxError> {
    let near = hyper::upgrade::on(&mut request);
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = parts.headers;
    for hop in [HOST, TRANSFER_ENCODING, CONTENT_LENGTH] {
        headers.remove(hop);
    }
    if !headers.contains_key(UPGRADE) {
        headers.remove(CONNECTION);
    }
    if lock(&state.gate).is_some() {
        // The token is the proxy's own.
        headers.remove(AUTHORIZATION);
    }
    let client = match &state.administrator {
        Some(administrator) if !headers.contains_key(AUTHORIZATION) => administrator,
        Some(_) | None => &state.client,
    };
    let body = body.collect().await?.to_bytes();
    let answered = client
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
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return tunnel(state, near, answer, entry);
    }
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
        loop {
            let mut chunk = match answer.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                // What the server broke off must not look whole.
                Err(error) => {
                    sender.abort(error.into());
                    return;
                }
            };
            if let Some(left) = &mut left {
                chunk.truncate(*left);
                *left -= chunk.len();
            }
            entry.passed_on(chunk.len());
            if effects.drip.send(&mut sender, chunk).await.is_err() {
                return;
            }
            if left == Some(0) {
                // What comes less than was promised breaks the connection off. Without the pause it would do so before the bytes so far
                // are on their way.
                tokio::time::sleep(FLUSH).await;
                sender.abort(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                return;
            }
        }
        entry.finished();
    });
    Ok(response.body(channel.boxed_unsync())?)
}

/// Both sides agreed on another protocol: from here on bytes pass unseen, as `kubectl exec` and `port-forward` need.
fn tunnel(
    state: &State,
    near: OnUpgrade,
    answer: reqwest::Response,
    entry: LogEntry,
) -> Result<Response<Body>, BoxError> {
    let headers: HeaderMap = answer.headers().clone();
    let passing = async move {
        let (Ok(near), Ok(mut far)) = (near.await, answer.upgrade().await) else {
            return;
        };
        // An error is a side that left.
        let _ended = tokio::io::copy_bidirectional(&mut TokioIo::new(near), &mut far).await;
        entry.finished();
    };
    lock(&state.tunnels).spawn_on(passing, runtime().handle());
    let mut response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    for (name, value) in &headers {
        response = response.header(name, value);
    }
    Ok(response.body(empty())?)
}

#[cfg(test)]
mod tests;
