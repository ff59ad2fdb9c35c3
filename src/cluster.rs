//! The API server: kube stops here. Answers are read into small shapes of our own, which take a fraction of the memory of whole objects.

mod allowed;
mod claims;
mod connection;
mod edit;
mod error;
mod events;
mod grants;
mod history;
mod jobs;
mod journal;
mod labelled;
mod lease;
mod list;
mod managed_fields;
mod nodes;
mod ordered;
mod pods;
mod protobuf;
mod releases;
mod secrets;
mod workloads;
mod write;

use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use flate2::bufread::GzDecoder;
use http::StatusCode;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::time::{Instant, timeout_at};
use tracebloc_core::name::Namespace;
use tracebloc_core::release::Scratch;
use tracebloc_core::version::Version;

use crate::context::{Context, Storage, now};

use connection::Connection;
pub(crate) use edit::{Edit, Held, MissingPart};
pub(crate) use error::ClusterError;
pub(crate) use journal::Event;
pub(crate) use lease::{Lease, LeaseError};
use list::Query;
pub(crate) use releases::{Listed, Revisions};
pub(crate) use secrets::PullSecret;
pub(crate) use workloads::words;

/// The Accept header that makes a list answer with metadata only.
const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// The Accept header that makes a GET answer with metadata only.
const METADATA: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/// The Accept header of everything else.
const JSON: &str = "application/json";

/// The Accept header for logs, which are plain text.
const JSON_OR_TEXT: &str = "application/json, text/plain, */*";

/// An answer that took longer came from far away: a server on the same network needs a few milliseconds, the handshake included.
const FAR: Duration = Duration::from_millis(25);

/// The most bytes that one page of a list inflates to.
const INFLATED_LIMIT: u64 = 512 * 1024 * 1024;

/// The longest that one change may take. It is not cut short by the deadline of reading: whoever sends it wants to know what came of it.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// The most bytes shown of an answer that is no `Status` object.
const WORDS_LIMIT: usize = 300;

/// What the API server answered.
struct Answer {
    is_protobuf: bool,
    body: Bytes,
}

#[derive(Deserialize, Default)]
struct Status {
    #[serde(default)]
    message: String,
    #[serde(default)]
    reason: String,
}

impl Answer {
    /// Why the server said no. What stands between it and us may answer with something else than a `Status` object.
    fn refusal(&self, code: StatusCode, verb: &'static str, resource: &str) -> ClusterError {
        let status = if self.is_protobuf {
            protobuf::status(&self.body).map(|status| Status {
                message: status.message,
                reason: status.reason,
            })
        } else {
            serde_json::from_slice(&self.body).ok()
        };
        let Status { message, reason } = status.unwrap_or_else(|| Status {
            message: foreign_words(&self.body),
            reason: String::new(),
        });
        ClusterError::from_status(code.as_u16(), &reason, message, verb, resource.to_owned())
    }
}

/// An answer that was compressed on its way; `None` where it is damaged, or larger than any list of ours.
fn inflate(body: &Bytes) -> Option<Bytes> {
    let mut inflated = Vec::new();
    GzDecoder::new(body.as_ref())
        .take(INFLATED_LIMIT)
        .read_to_end(&mut inflated)
        .ok()?;
    let is_whole = (inflated.len() as u64) < INFLATED_LIMIT;
    is_whole.then(|| Bytes::from(inflated))
}

/// The beginning of an answer that is no `Status` object, on one line.
fn foreign_words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(WORDS_LIMIT)]);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        "no reason given".to_owned()
    } else {
        text
    }
}

/// A connection to one cluster, with the identity that the context resolved.
#[derive(Clone)]
pub(crate) struct Cluster {
    connection: Arc<Connection>,
    storage: Storage,
    may_compress: bool,
    /// When the whole call has used up its time.
    deadline: Option<Instant>,
    /// Room for records that are decoded, one for each at a time.
    scratches: Arc<Mutex<Vec<Scratch>>>,
}

#[derive(Deserialize)]
struct VersionInfo {
    #[serde(rename = "gitVersion")]
    git_version: String,
}

#[derive(Deserialize)]
struct Identified {
    metadata: Identity,
}

#[derive(Deserialize)]
struct Identity {
    uid: String,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Cluster").finish_non_exhaustive()
    }
}

impl Cluster {
    /// Prepares the connection; nothing is asked yet, and nothing is waited for after the deadline.
    pub(crate) fn connect(
        context: &Context,
        deadline: Option<Instant>,
    ) -> Result<Self, ClusterError> {
        let connection = Connection::new(&context.identity)?;
        Ok(Self {
            may_compress: connection.may_compress,
            connection: Arc::new(connection),
            storage: context.storage,
            deadline,
            scratches: Arc::default(),
        })
    }

    /// The same for work that may take longer than its credentials last: where the server refuses them, new ones are got, and it is asked again.
    pub(crate) fn lasting(mut self, context: &Context) -> Self {
        self.connection = Arc::new(self.connection.lasting(&context.identity));
        self
    }

    /// How many requests were sent.
    pub(crate) fn requests(&self) -> usize {
        self.connection.requests()
    }

    /// Whether the server is so far away that its time to compress an answer is well spent. Nearby it is not: it compresses less in a second
    /// than a local network carries.
    fn is_far(&self) -> bool {
        self.connection
            .fastest()
            .is_some_and(|fastest| fastest > FAR)
    }

    /// The API server's version.
    pub(crate) async fn version(&self) -> Result<Version, ClusterError> {
        let info: VersionInfo = self
            .get("/version", None, "get", "the server's version")
            .await?;
        Version::parse(&info.git_version).map_err(|_| ClusterError::Malformed {
            asked: "the server's version".to_owned(),
            at: None,
        })
    }

    /// The cluster's identity: the UID of `kube-system`.
    pub(crate) async fn uid(&self) -> Result<String, ClusterError> {
        let namespace: Identified = self
            .get(
                "/api/v1/namespaces/kube-system",
                Some(METADATA),
                "get",
                "namespace kube-system",
            )
            .await?;
        Ok(namespace.metadata.uid)
    }

    /// Whether the cluster serves an API group, which every user may ask.
    pub(crate) async fn has_api(&self, group: &str) -> Result<bool, ClusterError> {
        let path = format!("/apis/{group}");
        let asked = format!("the API group {group}");
        match self.get::<IgnoredAny>(&path, None, "get", &asked).await {
            Ok(_) => Ok(true),
            Err(ClusterError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a namespace exists.
    pub(crate) async fn has_namespace(&self, namespace: &Namespace) -> Result<bool, ClusterError> {
        let path = format!("/api/v1/namespaces/{namespace}");
        match self
            .get::<Identified>(&path, Some(METADATA), "get", "namespaces")
            .await
        {
            Ok(_) => Ok(true),
            Err(ClusterError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// One GET of JSON. `verb` and `resource` name the question where the answer is a refusal.
    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        accept: Option<&'static str>,
        verb: &'static str,
        resource: &str,
    ) -> Result<T, ClusterError> {
        let accept = accept.unwrap_or(JSON);
        let answer = self.fetch(path, accept, verb, resource).await?;
        serde_json::from_slice(&answer.body).map_err(|error| ClusterError::Malformed {
            asked: resource.to_owned(),
            at: Some((error.line(), error.column())),
        })
    }

    /// One GET, with the body as it comes.
    async fn fetch(
        &self,
        path: &str,
        accept: &'static str,
        verb: &'static str,
        resource: &str,
    ) -> Result<Answer, ClusterError> {
        let failed = |error| ClusterError::from_kube(error, verb, resource);
        let malformed = || ClusterError::Malformed {
            asked: resource.to_owned(),
            at: None,
        };
        let compresses = self.may_compress && self.is_far();
        let request = || {
            let mut request = http::Request::get(path).header(ACCEPT, accept);
            if compresses {
                request = request.header(ACCEPT_ENCODING, "gzip");
            }
            let request = request.body(kube::client::Body::empty());
            request.map_err(|_| malformed())
        };
        let exchange = Box::pin(self.connection.exchange(request, failed));
        let (head, body) = match self.deadline {
            Some(deadline) => timeout_at(deadline, exchange)
                .await
                .map_err(|_elapsed| ClusterError::Timeout)??,
            None => exchange.await?,
        };
        let is = |name, value: &str| {
            head.headers
                .get(name)
                .is_some_and(|header| header.as_bytes().starts_with(value.as_bytes()))
        };
        let answer = Answer {
            is_protobuf: is(CONTENT_TYPE, protobuf::MEDIA_TYPE),
            body: if is(CONTENT_ENCODING, "gzip") {
                inflate(&body).ok_or_else(malformed)?
            } else {
                body
            },
        };
        if head.status.is_success() {
            Ok(answer)
        } else {
            Err(answer.refusal(head.status, verb, resource))
        }
    }

    /// A whole list, page by page.
    async fn list<T: DeserializeOwned>(&self, query: &Query<'_>) -> Result<Vec<T>, ClusterError> {
        list::all(self, query).await
    }
}
