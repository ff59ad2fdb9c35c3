//! Why the versions of a chart are unknown.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracebloc_core::index::IndexError;
use tracebloc_core::snapshot::{Gap, GapReason};

use crate::error::chain;
use crate::http::{Endpoint, HttpError};
use crate::registry::RegistryError;

/// Why the versions of a chart are unknown.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ChartsError {
    /// The repository is no URL.
    #[error("the repository is not a URL")]
    Url,
    /// A registry's URL has credentials in it.
    #[error("credentials for a registry come from the Docker configuration, not from its URL")]
    OciCredentials,
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
    /// A file that the user's entry names could not be read.
    #[error("{what} `{}` could not be read", path.display())]
    File {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<std::io::Error>,
    },
    /// A file that the user's entry names does not hold what it should.
    #[error("{what} `{}` is not in PEM, or does not belong to its key", path.display())]
    Pem {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The user's entry names a client certificate or its key, and not the other.
    #[error("its entry needs both a certFile and a keyFile, and has only one of them")]
    HalfIdentity,
    /// The index has no digest to hold a package against.
    #[error("the index has no digest of the package")]
    NoDigest,
    /// A package is not what the index says.
    #[error("the package that `{endpoint}` gave is not the one that the index has the digest of")]
    OtherContent {
        /// Who gave it.
        endpoint: Endpoint,
    },
    /// What a registry has under a version's tag is not that chart.
    #[error("what `{repository}` has under the tag of {version} is not that version of the chart")]
    NoChart {
        /// The repository.
        repository: String,
        /// The version.
        version: String,
    },
    /// The tag of a version was moved while it was looked at.
    #[error("the tag of the version was moved to another package meanwhile")]
    Replaced,
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// No answer of a registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A registry did not tell in time what its newest versions hold.
    #[error("what the newest versions hold was not told within {:.1} s", limit.as_secs_f64())]
    TooSlow {
        /// How long it was waited for.
        limit: Duration,
    },
    /// More versions that do not fit than are looked into.
    #[error("none of its {looked_into} newest versions fits, and more are not looked into")]
    NoneFits {
        /// How many were looked into.
        looked_into: usize,
    },
    /// No index.
    #[error("{0}")]
    Index(#[from] IndexError),
}

impl ChartsError {
    pub(super) fn no_pem(what: &'static str, path: &Path) -> Self {
        Self::Pem {
            what,
            path: path.to_owned(),
        }
    }

    /// The same as a gap in a snapshot.
    pub(crate) fn gap(&self, asked: impl Into<String>) -> Gap {
        let asked = asked.into();
        Gap {
            reason: match self {
                Self::Registry(error) => return error.gap(asked),
                Self::TooSlow { .. } => GapReason::Timeout,
                Self::Scheme { .. } | Self::OciCredentials | Self::NoneFits { .. } => {
                    GapReason::Unsupported
                }
                Self::Http(error) => error.reason(),
                Self::Index(IndexError::ChartAbsent { .. }) => GapReason::NotFound,
                Self::File { .. } => GapReason::Failed,
                Self::Url
                | Self::NoDigest
                | Self::OtherContent { .. }
                | Self::NoChart { .. }
                | Self::Replaced
                | Self::NotModified { .. }
                | Self::Pem { .. }
                | Self::HalfIdentity
                | Self::Index(_) => GapReason::Malformed,
            },
            asked,
            message: chain(self),
        }
    }
}
