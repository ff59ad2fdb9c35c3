//! The way to the API server: kube's own layers over a connection that sends each request at once.
//!
//! kube leaves Nagle's algorithm on. Several small requests on one connection then wait for the acknowledgement of the first, which the other
//! side may hold back for 40 ms: as long as everything else here takes together.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use http::StatusCode;
use http::response::Parts;
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt as _};
use tokio::time::{Duration, Instant};
use tower::{BoxError, ServiceBuilder};

use super::ClusterError;
use crate::context::Identity;

/// A connection to the API server, with what was seen of its requests so far.
pub(super) struct Connection {
    /// The client, with how often its credentials were renewed.
    client: RwLock<(kube::Client, u64)>,
    /// Where new credentials come from, of a connection that may outlive its own.
    identity: Option<Identity>,
    pub(super) may_compress: bool,
    requests: AtomicUsize,
    /// The fastest answer, in microseconds.
    fastest: AtomicU64,
}

impl Connection {
    /// A connection as somebody; nothing is sent yet.
    pub(super) fn new(identity: &Identity) -> Result<Self, ClusterError> {
        let (config, renewals) = identity.present();
        Ok(Self {
            may_compress: !config.disable_compression,
            client: RwLock::new((client_of(config)?, renewals)),
            identity: None,
            requests: AtomicUsize::new(0),
            fastest: AtomicU64::new(u64::MAX),
        })
    }

    /// The same, which gets new credentials where those that it has are refused.
    pub(super) fn lasting(&self, identity: &Identity) -> Self {
        Self {
            client: RwLock::new(self.client()),
            identity: Some(identity.clone()),
            may_compress: self.may_compress,
            requests: AtomicUsize::new(self.requests()),
            fastest: AtomicU64::new(self.fastest.load(Ordering::Relaxed)),
        }
    }

    /// How many requests were sent.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// How long the fastest answer took.
    pub(super) fn fastest(&self) -> Option<Duration> {
        let fastest = self.fastest.load(Ordering::Relaxed);
        (fastest != u64::MAX).then(|| Duration::from_micros(fastest))
    }

    fn client(&self) -> (kube::Client, u64) {
        let client = self.client.read();
        client.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One request, and once more with new credentials where those that there were are refused.
    pub(super) async fn exchange(
        &self,
        request: impl Fn() -> Result<http::Request<Body>, ClusterError>,
        failed: impl Fn(kube::Error) -> ClusterError,
    ) -> Result<(Parts, Bytes), ClusterError> {
        let mut was_renewed = false;
        loop {
            let (client, renewals) = self.client();
            let request = request()?;
            self.requests.fetch_add(1, Ordering::Relaxed);
            let sent = Instant::now();
            let (head, body) = client.send(request).await.map_err(&failed)?.into_parts();
            let took = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.fastest.fetch_min(took, Ordering::Relaxed);
            let is_refused = head.status == StatusCode::UNAUTHORIZED;
            if is_refused && !was_renewed && self.renew(renewals).await {
                was_renewed = true;
                continue;
            }
            return Ok((head, body.collect_bytes().await.map_err(&failed)?));
        }
    }

    /// True once there are other credentials than those that were renewed so often.
    async fn renew(&self, refused: u64) -> bool {
        let Some(identity) = &self.identity else {
            return false;
        };
        // Where there are none to be had, that the server refuses these is what is told.
        if !identity.renew(refused).await.unwrap_or(false) {
            return false;
        }
        let (config, renewals) = identity.present();
        let Ok(client) = client_of(config) else {
            return false;
        };
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = (client, renewals);
        true
    }
}

fn client_of(config: kube::Config) -> Result<kube::Client, ClusterError> {
    client(config).map_err(|error| ClusterError::from_kube(error, "connect to", "the API server"))
}

/// A client for the API server that the configuration names; nothing is sent yet.
fn client(config: kube::Config) -> kube::Result<kube::Client> {
    if config.proxy_url.is_some() {
        // The proxy's own connection decides there.
        return kube::Client::try_from(config);
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(tcp)?);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    let http: HttpClient<_, Body> = HttpClient::builder(TokioExecutor::new()).build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(kube::Client::new(service, config.default_namespace))
}
