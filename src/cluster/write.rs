//! Requests that change something. Every one names its namespace and our field manager, and none is repeated by itself: whoever sends one looks
//! again first.

use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use super::{Answer, Cluster, ClusterError, WRITE_LIMIT};

/// Whose fields are ours (DESIGN §7).
pub(super) const FIELD_MANAGER: &str = tracebloc_core::edit::OUR_MANAGER;

/// A request that changes something.
pub(super) struct Change<'a> {
    /// Where.
    pub(super) path: &'a str,
    /// How, and with what kind of body.
    pub(super) how: How,
    /// With what.
    pub(super) body: &'a Value,
    /// The object in words, for a refusal.
    pub(super) object: &'a str,
}

/// The ways to change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Make a new object.
    Create,
    /// Delete one.
    Delete,
    /// Operations on what must still be as it was seen (RFC 6902).
    Operations,
    /// Parts to put in, null for parts to take out (RFC 7386).
    Merge,
}

impl How {
    fn method(self) -> Method {
        match self {
            Self::Create => Method::POST,
            Self::Delete => Method::DELETE,
            Self::Operations | Self::Merge => Method::PATCH,
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Operations | Self::Merge => "patch",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Create | Self::Delete => "application/json",
            Self::Operations => "application/json-patch+json",
            Self::Merge => "application/merge-patch+json",
        }
    }
}

impl Cluster {
    /// Sends a change and answers what the object is after it.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        change: &Change<'_>,
    ) -> Result<T, ClusterError> {
        let Change {
            path,
            how,
            body,
            object,
        } = change;
        let malformed = || ClusterError::Malformed {
            asked: (*object).to_owned(),
            at: None,
        };
        let uri = format!("{path}?fieldManager={FIELD_MANAGER}");
        let body = serde_json::to_vec(body).map_err(|_| malformed())?;
        let request = || {
            http::Request::builder()
                .method(how.method())
                .uri(&uri)
                .header(CONTENT_TYPE, how.media_type())
                .body(kube::client::Body::from(body.clone()))
                .map_err(|_| malformed())
        };
        let failed = |error| ClusterError::from_kube(error, how.verb(), object);
        let (head, body) = timeout(WRITE_LIMIT, self.connection.exchange(request, failed))
            .await
            .map_err(|_elapsed| ClusterError::Timeout)??;
        let status = head.status;
        let answer = Answer {
            is_protobuf: false,
            body,
        };
        if !status.is_success() {
            return Err(self.not_taken(&answer, status, *how, object));
        }
        serde_json::from_slice(&answer.body).map_err(|_| malformed())
    }

    #[expect(clippy::unused_self, reason = "the server that said so")]
    fn not_taken(
        &self,
        answer: &Answer,
        status: StatusCode,
        how: How,
        object: &str,
    ) -> ClusterError {
        answer.refusal(status, how.verb(), object)
    }
}
