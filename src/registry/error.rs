//! Why a registry gave no answer that can be used. Every message names the registry and the repository.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tracebloc_core::image::{Digest, Repository};
use tracebloc_core::manifest::ManifestError;
use tracebloc_core::snapshot::{Gap, GapReason};

use super::credentials::NotRead;
use super::realm::RealmError;
use crate::error::chain;
use crate::http::{Endpoint, HttpError, wait};

/// What credentials had to do with a refusal, to be added to its message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Asked {
    /// No credentials are known for the registry.
    #[default]
    Anonymously,
    /// The known ones were refused, and then the anonymous request too.
    Refused,
    /// There are some, and they were not used.
    NotRead(NotRead),
}

impl fmt::Display for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymously => formatter.write_str("asked without credentials"),
            Self::Refused => formatter.write_str("the stored credentials are refused"),
            Self::NotRead(reason) => write!(formatter, "{reason}"),
        }
    }
}

/// Why a registry gave no answer that can be used.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum RegistryError {
    /// It wants (other) credentials.
    #[error("`{}` wants credentials for `{}` ({asked})", repository.registry(), repository.path())]
    Unauthorized {
        /// The repository.
        repository: Repository,
        /// With which credentials it was asked.
        asked: Asked,
    },
    /// It forbids access. Many registries say so of repositories that do not exist.
    #[error("`{}` denies access to `{}`, or has no such repository ({asked})", repository.registry(), repository.path())]
    Denied {
        /// The repository.
        repository: Repository,
        /// With which credentials it was asked.
        asked: Asked,
    },
    /// It has no such tag or digest.
    #[error("`{}` has no `{reference}` of `{}`", repository.registry(), repository.path())]
    NotFound {
        /// The repository.
        repository: Repository,
        /// The tag or digest.
        reference: String,
    },
    /// It, or its token service, wants us to come back later.
    #[error("`{endpoint}` limits the rate of requests for `{repository}`{}", wait(*retry_after))]
    RateLimited {
        /// The repository.
        repository: Repository,
        /// Who limits.
        endpoint: Endpoint,
        /// How long it asks to wait, where it says so.
        retry_after: Option<Duration>,
    },
    /// No answer came in time.
    #[error("no answer from `{endpoint}` about `{repository}` within {:.1} s", limit.as_secs_f64())]
    Timeout {
        /// The repository.
        repository: Repository,
        /// Who was asked.
        endpoint: Endpoint,
        /// How long it was waited for.
        limit: Duration,
    },
    /// No connection came about.
    #[error("`{endpoint}` cannot be reached for `{repository}`")]
    Unreachable {
        /// The repository.
        repository: Repository,
        /// Who was asked.
        endpoint: Endpoint,
        /// The cause.
        source: Arc<HttpError>,
    },
    /// The connection is not secure.
    #[error("`{endpoint}` gives no secure connection for `{repository}`")]
    Tls {
        /// The repository.
        repository: Repository,
        /// Who was asked.
        endpoint: Endpoint,
        /// The cause.
        source: Arc<HttpError>,
    },
    /// The exchange failed in another way.
    #[error("the exchange with `{}` about `{}` failed", repository.registry(), repository.path())]
    Failed {
        /// The repository.
        repository: Repository,
        /// The cause.
        source: Arc<HttpError>,
    },
    /// It named a token service that is not asked.
    #[error("the token service that `{}` names for `{}` is not asked: {reason}", repository.registry(), repository.path())]
    Realm {
        /// The repository.
        repository: Repository,
        /// Why not.
        reason: RealmError,
    },
    /// It served content of another digest than the one asked for or announced.
    #[error("`{}` served content with the digest `{actual}` as `{expected}` of `{}`", repository.registry(), repository.path())]
    BadDigest {
        /// The repository.
        repository: Repository,
        /// The digest asked for or announced.
        expected: Digest,
        /// That of what came.
        actual: Digest,
    },
    /// It served something that is no manifest.
    #[error("`{}` served no usable manifest of `{}`", repository.registry(), repository.path())]
    Malformed {
        /// The repository.
        repository: Repository,
        /// The cause.
        source: ManifestError,
    },
    /// It gave no whole list of tags.
    #[error("`{}` gave no usable list of the tags of `{}`: {reason}", repository.registry(), repository.path())]
    Tags {
        /// The repository.
        repository: Repository,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Its token service answered without a token.
    #[error("the token service of `{}` gave no token for `{}`", repository.registry(), repository.path())]
    NoToken {
        /// The repository.
        repository: Repository,
    },
    /// It answered with a status that has no meaning here.
    #[error("`{}` answered with status {status} about `{}`", repository.registry(), repository.path())]
    Status {
        /// The repository.
        repository: Repository,
        /// The status.
        status: u16,
    },
    /// The registry and the path make no URL.
    #[error("`{repository}` makes no valid URL")]
    Url {
        /// The repository.
        repository: Repository,
    },
}

impl RegistryError {
    /// The same as a gap in a snapshot.
    pub(crate) fn gap(&self, asked: impl Into<String>) -> Gap {
        Gap {
            asked: asked.into(),
            reason: match self {
                Self::Unauthorized { .. } | Self::NoToken { .. } | Self::Realm { .. } => {
                    GapReason::Unauthorized
                }
                Self::Denied { .. } => GapReason::Forbidden,
                Self::NotFound { .. } => GapReason::NotFound,
                Self::RateLimited { .. } => GapReason::RateLimited,
                Self::Timeout { .. } => GapReason::Timeout,
                Self::Unreachable { .. } | Self::Tls { .. } => GapReason::Unreachable,
                Self::BadDigest { .. }
                | Self::Malformed { .. }
                | Self::Tags { .. }
                | Self::Url { .. } => GapReason::Malformed,
                Self::Failed { source, .. } => source.reason(),
                Self::Status { .. } => GapReason::Failed,
            },
            message: chain(self),
        }
    }

    /// A failure of the exchange, in the registry's terms.
    pub(super) fn from_http(repository: &Repository, error: HttpError) -> Self {
        let repository = repository.clone();
        match error {
            HttpError::Timeout { endpoint, limit } => Self::Timeout {
                repository,
                endpoint,
                limit,
            },
            HttpError::RateLimited {
                endpoint,
                retry_after,
            } => Self::RateLimited {
                repository,
                endpoint,
                retry_after,
            },
            HttpError::Dns { ref endpoint, .. } | HttpError::Connect { ref endpoint, .. } => {
                Self::Unreachable {
                    repository,
                    endpoint: endpoint.clone(),
                    source: Arc::new(error),
                }
            }
            HttpError::Tls { ref endpoint, .. } => Self::Tls {
                repository,
                endpoint: endpoint.clone(),
                source: Arc::new(error),
            },
            HttpError::Setup { .. }
            | HttpError::Interrupted { .. }
            | HttpError::Redirect { .. }
            | HttpError::TooLarge { .. }
            | HttpError::Status { .. } => Self::Failed {
                repository,
                source: Arc::new(error),
            },
        }
    }

    /// What a status means that is no success.
    pub(super) fn from_status(
        repository: &Repository,
        reference: &str,
        status: u16,
        asked: Asked,
    ) -> Self {
        let repository = repository.clone();
        match status {
            401 => Self::Unauthorized { repository, asked },
            403 => Self::Denied { repository, asked },
            404 => Self::NotFound {
                repository,
                reference: reference.to_owned(),
            },
            _ => Self::Status { repository, status },
        }
    }
}
