//! HTTP servers on a free port of 127.0.0.1, in this process, that end when their handle is dropped.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::runtime;

/// What goes wrong while a request is served; it ends the connection.
///
/// A type of its own and no boxed trait object: with one, the compiler does not see that a connection's future may move between threads.
#[derive(Debug)]
pub(crate) struct BoxError(Box<dyn std::error::Error + Send + Sync>);

impl<E: std::error::Error + Send + Sync + 'static> From<E> for BoxError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl From<BoxError> for Box<dyn std::error::Error + Send + Sync> {
    fn from(error: BoxError) -> Self {
        error.0
    }
}

/// The body of an answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;
type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

/// The certificate and key of a server, both as PEM.
#[derive(Clone)]
pub struct ServerIdentity {
    /// The certificate, followed by those that lead to the authority.
    pub certificate_pem: String,
    /// The private key.
    pub key_pem: String,
    /// The authority of the clients' certificates, where every client must show one.
    pub client_authority_pem: Option<String>,
}

impl std::fmt::Debug for ServerIdentity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ServerIdentity")
            .finish_non_exhaustive()
    }
}

/// Answers the requests of one connection, one after the other.
pub(crate) trait Connection: Send + Sync + 'static {
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answer;
}

/// Lets the answer to a request be that its connection is reset.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResetSwitch(Arc<AtomicBool>);

impl ResetSwitch {
    /// Makes the connection end with a reset instead of a farewell when it is dropped.
    pub(crate) fn arm(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A running server. Dropping it closes the port and every connection.
#[derive(Debug)]
pub(crate) struct LoopbackServer {
    address: SocketAddr,
    task: tokio::task::AbortHandle,
    /// Behind a lock only because handles are shared between threads.
    stopped: Mutex<mpsc::Receiver<()>>,
}

impl LoopbackServer {
    /// Serves on a free port. `connect` makes the server's side of each connection.
    pub(crate) fn start<C: Connection>(
        identity: Option<&ServerIdentity>,
        connect: impl Fn(ResetSwitch) -> C + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let acceptor = identity.map(acceptor).transpose()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = runtime::runtime();
        let listener = {
            let _entered = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let (sender, stopped) = mpsc::channel::<()>();
        let task = runtime.spawn(async move {
            let _closed_at_the_end = sender;
            accept(listener, acceptor, connect).await;
        });
        Ok(Self {
            address,
            task: task.abort_handle(),
            stopped: Mutex::new(stopped),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for LoopbackServer {
    fn drop(&mut self) {
        self.task.abort();
        // The sender goes away with the task: from then on the port is free.
        if let Ok(stopped) = self.stopped.get_mut() {
            let _closed = stopped.recv_timeout(Duration::from_secs(2));
        }
    }
}

async fn accept<C: Connection>(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    connect: impl Fn(ResetSwitch) -> C + Send + Sync + 'static,
) {
    // Connections live in this set and therefore end with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _peer)) = accepted else { continue };
                let _without_delay = stream.set_nodelay(true);
                let reset = ResetSwitch::default();
                let connection = Arc::new(connect(reset.clone()));
                let stream = Resettable { stream, reset };
                let acceptor = acceptor.clone();
                connections.spawn(handle(stream, acceptor, connection));
            }
            Some(_ended) = connections.join_next() => {}
        }
    }
}

/// One connection to its end. Boxed: the compiler cannot see through the service's future that it may move between threads.
fn handle<C: Connection>(
    stream: Resettable,
    acceptor: Option<TlsAcceptor>,
    connection: Arc<C>,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        match acceptor {
            None => serve(stream, connection).await,
            Some(acceptor) => {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, connection).await;
                }
            }
        }
    })
}

async fn serve<C: Connection>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    connection: Arc<C>,
) {
    let service = service_fn(move |request| Arc::clone(&connection).answer(request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    // An error is a peer that left, or a fault that was asked for.
    drop(served);
}

fn acceptor(identity: &ServerIdentity) -> io::Result<TlsAcceptor> {
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(identity.certificate_pem.as_bytes()).collect();
    let key =
        PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let builder = match &identity.client_authority_pem {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let mut roots = rustls::RootCertStore::empty();
            let authority =
                CertificateDer::from_pem_slice(pem.as_bytes()).map_err(io::Error::other)?;
            roots.add(authority).map_err(io::Error::other)?;
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
                Arc::new(roots),
                provider,
            );
            builder.with_client_cert_verifier(verifier.build().map_err(io::Error::other)?)
        }
    };
    let config = builder
        .with_single_cert(certificates.map_err(io::Error::other)?, key)
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// A connection that ends with a reset when its switch was armed.
struct Resettable {
    stream: TcpStream,
    reset: ResetSwitch,
}

impl Drop for Resettable {
    fn drop(&mut self) {
        if self.reset.0.load(Ordering::SeqCst) {
            let _best_effort = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Resettable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Resettable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reset.0.load(Ordering::SeqCst) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Returns a body of these bytes.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A body that never says anything, and does not end.
struct Silent;

impl hyper::body::Body for Silent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, BoxError>>> {
        Poll::Pending
    }
}

/// Returns a body that never comes.
pub(crate) fn silent() -> Body {
    Silent.boxed_unsync()
}

/// Returns a body of nothing.
pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}
