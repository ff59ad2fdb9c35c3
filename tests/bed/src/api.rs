//! A small blocking client of the API server, for the bed's own needs.
//!
//! The bed sets up a namespace or asks whether pods are ready many times in a run; a `kubectl` process for each would cost more
//! than the work itself. What a test checks about the user's view still goes through the real programs.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Certificate, Client, Identity, Method, StatusCode};
use serde_json::Value;

use crate::certificate::Pair;
use crate::runtime::{block_on, runtime};

/// A request to the API server did not do what was wanted.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The client could not be made of these certificates.
    #[error("cannot make a client for `{server}`")]
    Client {
        /// The address of the API server.
        server: String,
        /// What the HTTP library said.
        source: reqwest::Error,
    },
    /// No answer.
    #[error("{method} `{path}` had no answer")]
    Transport {
        /// The method of the request.
        method: Method,
        /// Its path.
        path: String,
        /// What the HTTP library said.
        source: reqwest::Error,
    },
    /// An answer other than success.
    #[error("{method} `{path}` was answered with {status}: {message}")]
    Refused {
        /// The method of the request.
        method: Method,
        /// Its path.
        path: String,
        /// The status of the answer.
        status: StatusCode,
        /// The message in the answer.
        message: String,
    },
}

impl ApiError {
    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Client { .. } | Self::Transport { .. } => None,
        }
    }
}

/// How a patch is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patch {
    /// RFC 7396.
    Merge,
    /// Kubernetes' own, which merges lists by key.
    Strategic,
}

/// The API server with an identity.
#[derive(Debug, Clone)]
pub struct Api {
    server: String,
    client: Client,
}

impl Api {
    /// A client that authenticates by certificate.
    pub fn new(server: &str, authority: &str, identity: &Pair) -> Result<Self, ApiError> {
        let failed = |source| ApiError::Client {
            server: server.to_owned(),
            source,
        };
        let _context = runtime().enter();
        let identity =
            Identity::from_pem(format!("{}{}", identity.certificate, identity.key).as_bytes())
                .map_err(failed)?;
        let authority = Certificate::from_pem(authority.as_bytes()).map_err(failed)?;
        let client = Client::builder()
            .no_proxy()
            .tls_certs_only([authority])
            .identity(identity)
            .timeout(Duration::from_secs(30))
            .build()
            .map_err(failed)?;
        Ok(Self {
            server: server.trim_end_matches('/').to_owned(),
            client,
        })
    }

    /// Reads an object or a list.
    pub fn get(&self, path: &str) -> Result<Value, ApiError> {
        self.request(Method::GET, path, None)
    }

    /// Reads an object that may not exist.
    pub fn find(&self, path: &str) -> Result<Option<Value>, ApiError> {
        match self.get(path) {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates an object; `path` is that of its collection.
    pub fn create(&self, path: &str, object: &Value) -> Result<Value, ApiError> {
        self.request(Method::POST, path, Some(("application/json", object)))
    }

    /// Changes an object.
    pub fn patch(&self, path: &str, kind: Patch, change: &Value) -> Result<Value, ApiError> {
        let content_type = match kind {
            Patch::Merge => "application/merge-patch+json",
            Patch::Strategic => "application/strategic-merge-patch+json",
        };
        self.request(Method::PATCH, path, Some((content_type, change)))
    }

    /// Deletes an object. One that does not exist is deleted already.
    pub fn delete(&self, path: &str) -> Result<(), ApiError> {
        match self.request(Method::DELETE, path, None) {
            Err(error) if error.status() != Some(StatusCode::NOT_FOUND) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Whether the server says that it is ready; otherwise why not.
    pub fn ready(&self) -> Result<(), String> {
        match self.text("/readyz") {
            Ok(_) => Ok(()),
            Err(error) => Err(chain(&error)),
        }
    }

    /// The body of an answer as text, of `/readyz` or `/metrics`.
    pub fn text(&self, path: &str) -> Result<String, ApiError> {
        block_on(self.send(Method::GET, path, None))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<Value, ApiError> {
        let text = block_on(self.send(method, path, body))?;
        // An empty or plain answer carries no object.
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<String, ApiError> {
        let transport = |source| ApiError::Transport {
            method: method.clone(),
            path: path.to_owned(),
            source,
        };
        let mut request = self
            .client
            .request(method.clone(), format!("{}{path}", self.server))
            .header(ACCEPT, "application/json, */*");
        if let Some((content_type, body)) = body {
            request = request
                .header(CONTENT_TYPE, content_type)
                .body(body.to_string());
        }
        let response = request.send().await.map_err(transport)?;
        let status = response.status();
        let text = response.text().await.map_err(transport)?;
        if status.is_success() {
            return Ok(text);
        }
        let message = serde_json::from_str::<Value>(&text)
            .ok()
            .and_then(|answer| Some(answer.get("message")?.as_str()?.to_owned()))
            .unwrap_or(text);
        Err(ApiError::Refused {
            method,
            path: path.to_owned(),
            status,
            message,
        })
    }
}

/// An error with all its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
