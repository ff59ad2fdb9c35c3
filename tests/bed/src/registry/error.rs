//! Why a registry could not be used.

use reqwest::{Method, StatusCode};

use crate::payload::PayloadError;

/// Why the registry could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The payload of the images could not be made.
    #[error("the image could not be made: {0}")]
    Image(String),
    /// No answer came.
    #[error("the registry did not answer `{method} {path}`")]
    Transport {
        /// The method of the request.
        method: Method,
        /// The path of the request.
        path: String,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// The answer was not the one that the protocol asks for.
    #[error("the registry answered `{method} {path}` with {status}: {body}")]
    Status {
        /// The method of the request.
        method: Method,
        /// The path of the request.
        path: String,
        /// The status of the answer.
        status: StatusCode,
        /// The body of the answer.
        body: String,
    },
    /// A header that the protocol asks for is missing.
    #[error("the registry answered `{path}` without a usable `{header}` header")]
    Header {
        /// The path of the request.
        path: String,
        /// The header.
        header: &'static str,
    },
}

impl From<&PayloadError> for RegistryError {
    fn from(error: &PayloadError) -> Self {
        Self::Image(error.to_string())
    }
}
