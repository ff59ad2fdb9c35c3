//! Why the versions of a chart are unknown.

use tracebloc_core::index::IndexError;
use tracebloc_core::snapshot::{Gap, GapReason};

use crate::error::chain;
use crate::http::{Endpoint, HttpError};

/// Why the versions of a chart are unknown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChartsError {
    /// The repository is no URL.
    #[error("the repository is not a URL")]
    Url,
    /// The repository is an OCI registry.
    #[error("OCI chart repositories are not read by this version; name an HTTP one with --repo")]
    Oci,
    /// The URL's scheme is not for repositories.
    #[error("a chart repository is asked over http or https, not `{scheme}`")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// The server says that nothing changed, and nothing was there before.
    #[error("`{endpoint}` answers that nothing changed, though nothing was known")]
    NotModified {
        /// Who said so.
        endpoint: Endpoint,
    },
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// No index.
    #[error("{0}")]
    Index(#[from] IndexError),
}

impl ChartsError {
    /// The same as a gap in a snapshot.
    pub(crate) fn gap(&self, asked: impl Into<String>) -> Gap {
        Gap {
            asked: asked.into(),
            reason: match self {
                Self::Oci | Self::Scheme { .. } => GapReason::Unsupported,
                Self::Http(error) => error.reason(),
                Self::Index(IndexError::ChartAbsent { .. }) => GapReason::NotFound,
                Self::Url | Self::NotModified { .. } | Self::Index(_) => GapReason::Malformed,
            },
            message: chain(self),
        }
    }
}
