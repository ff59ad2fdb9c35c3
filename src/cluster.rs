//! The API server: kube stops here. Answers are read into small shapes of our own, which take a fraction of the memory of whole objects.

mod error;
mod list;
mod nodes;
mod pods;
mod releases;
mod secrets;
mod workloads;

use std::sync::Arc;

use http::header::ACCEPT;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tracebloc_core::name::Namespace;
use tracebloc_core::version::Version;

use crate::context::{Context, Storage};

pub(crate) use error::ClusterError;
use list::Query;
pub(crate) use releases::Revisions;
pub(crate) use secrets::PullSecret;

/// The Accept header that makes a list answer with metadata only.
const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// The Accept header that makes a GET answer with metadata only.
const METADATA: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/// A connection to one cluster, with the identity that the context resolved.
#[derive(Clone)]
pub(crate) struct Cluster {
    client: kube::Client,
    storage: Storage,
    count: Arc<std::sync::atomic::AtomicUsize>,
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

impl Cluster {
    /// Prepares the connection; nothing is asked yet.
    pub(crate) fn connect(context: &Context) -> Result<Self, ClusterError> {
        let client = kube::Client::try_from(context.target.config.clone())
            .map_err(|error| ClusterError::from_kube(error, "connect to", "the API server"))?;
        Ok(Self {
            client,
            storage: context.storage,
            count: Arc::default(),
        })
    }

    /// How many requests were sent.
    pub(crate) fn requests(&self) -> usize {
        self.count.load(std::sync::atomic::Ordering::Relaxed)
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

    /// One GET. `verb` and `resource` name the question where the answer is a refusal.
    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        accept: Option<&'static str>,
        verb: &'static str,
        resource: &str,
    ) -> Result<T, ClusterError> {
        let mut request = http::Request::get(path);
        if let Some(accept) = accept {
            request = request.header(ACCEPT, accept);
        }
        let request = request
            .body(Vec::new())
            .map_err(|_| ClusterError::Malformed {
                asked: resource.to_owned(),
                at: None,
            })?;
        self.count
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.client
            .request(request)
            .await
            .map_err(|error| ClusterError::from_kube(error, verb, resource))
    }

    /// A whole list, page by page.
    async fn list<T: DeserializeOwned>(&self, query: &Query<'_>) -> Result<Vec<T>, ClusterError> {
        list::all(self, query).await
    }
}
