//! What can go wrong between us and a server. Every variant names the server; none repeats a URL.

use std::error::Error;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tracebloc_core::snapshot::GapReason;
use url::Url;

/// The server of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    /// Its host, as in the URL.
    pub(crate) host: String,
    /// Its port, the scheme's own where the URL has none.
    pub(crate) port: u16,
}

impl Endpoint {
    /// The server that a URL names.
    pub(crate) fn of(url: &Url) -> Self {
        Self {
            host: url.host_str().unwrap_or_default().to_owned(),
            port: url.port_or_known_default().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

/// Why there is no usable answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum HttpError {
    /// The client could not be set up: a bad proxy setting, or no trusted certificates.
    #[error("the HTTP client could not be set up")]
    Setup {
        /// The cause.
        source: Arc<reqwest::Error>,
    },
    /// The deadline passed.
    #[error("no answer from `{endpoint}` within {:.1} s", limit.as_secs_f64())]
    Timeout {
        /// Who was asked.
        endpoint: Endpoint,
        /// How long the request was allowed to take.
        limit: Duration,
    },
    /// The whole call had used up its time before this was asked.
    #[error("`{endpoint}` was not asked: other answers took all the time that there was")]
    NoTimeLeft {
        /// Who was to be asked.
        endpoint: Endpoint,
    },
    /// The host's name has no address.
    #[error("the host of `{endpoint}` cannot be resolved")]
    Dns {
        /// Who was asked.
        endpoint: Endpoint,
        /// The cause.
        source: Arc<reqwest::Error>,
    },
    /// No connection came about: refused, or not routed, by the server or by a proxy.
    #[error("cannot connect to `{endpoint}`")]
    Connect {
        /// Who was asked.
        endpoint: Endpoint,
        /// The cause.
        source: Arc<reqwest::Error>,
    },
    /// The TLS handshake failed: an untrusted certificate, or no TLS at all.
    #[error("no secure connection to `{endpoint}`")]
    Tls {
        /// Who was asked.
        endpoint: Endpoint,
        /// The cause.
        source: Arc<reqwest::Error>,
    },
    /// The connection ended before the answer did.
    #[error("the connection to `{endpoint}` broke off")]
    Interrupted {
        /// Who was asked.
        endpoint: Endpoint,
        /// The cause.
        source: Arc<reqwest::Error>,
    },
    /// A redirect was not followed.
    #[error("the redirect of `{endpoint}` is not followed: {reason}")]
    Redirect {
        /// Who sent it.
        endpoint: Endpoint,
        /// Why not.
        reason: &'static str,
    },
    /// The answer is larger than is reasonable for what was asked.
    #[error("the answer of `{endpoint}` is larger than {limit} bytes")]
    TooLarge {
        /// Who was asked.
        endpoint: Endpoint,
        /// The most bytes allowed.
        limit: usize,
    },
    /// The server wants us to come back later (429).
    #[error("`{endpoint}` limits the rate of requests{}", wait(*retry_after))]
    RateLimited {
        /// Who was asked.
        endpoint: Endpoint,
        /// How long it asks to wait, where it says so.
        retry_after: Option<Duration>,
    },
    /// The server has had as many requests as we give it.
    #[error("`{endpoint}` has had the {limit} requests of --max-requests")]
    Budget {
        /// Who would have been asked.
        endpoint: Endpoint,
        /// The most requests.
        limit: NonZeroU32,
    },
    /// The server answered with a status that is no success.
    #[error("`{endpoint}` answered with status {status}")]
    Status {
        /// Who was asked.
        endpoint: Endpoint,
        /// The status.
        status: u16,
    },
}

/// The tail of a message about a rate limit.
pub(crate) fn wait(retry_after: Option<Duration>) -> String {
    retry_after
        .map(|wait| format!("; it asks to wait {} s", wait.as_secs()))
        .unwrap_or_default()
}

impl HttpError {
    /// The same as a kind of gap in a snapshot.
    pub(crate) fn reason(&self) -> GapReason {
        match self {
            Self::Timeout { .. } | Self::NoTimeLeft { .. } => GapReason::Timeout,
            Self::Dns { .. }
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Interrupted { .. } => GapReason::Unreachable,
            Self::RateLimited { .. } => GapReason::RateLimited,
            Self::Budget { .. } => GapReason::Budget,
            Self::Status { status: 401, .. } => GapReason::Unauthorized,
            Self::Status { status: 403, .. } => GapReason::Forbidden,
            Self::Status {
                status: 404 | 410, ..
            } => GapReason::NotFound,
            Self::TooLarge { .. } => GapReason::Malformed,
            Self::Setup { .. } | Self::Redirect { .. } | Self::Status { .. } => GapReason::Failed,
        }
    }

    pub(super) fn from_reqwest(endpoint: Endpoint, error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_timeout() {
            return Self::Timeout {
                endpoint,
                limit: super::CONNECT_TIMEOUT,
            };
        }
        let kind = (error.is_dns(), is_tls(&error), error.is_connect());
        let source = Arc::new(error);
        match kind {
            (true, _, _) => Self::Dns { endpoint, source },
            (_, true, _) => Self::Tls { endpoint, source },
            (_, _, true) => Self::Connect { endpoint, source },
            _ => Self::Interrupted { endpoint, source },
        }
    }
}

/// True where rustls is among the causes. It hides inside I/O errors, whose `source` skips what they wrap.
fn is_tls(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        let wrapped = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        if error.is::<rustls::Error>() {
            return true;
        }
        cause = match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}
