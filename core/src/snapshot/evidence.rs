//! What was asked, and what came of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something asked: the answer, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Evidence<T> {
    /// The answer.
    Known(T),
    /// No answer. What rests on it is unknown, never current.
    Unknown(Gap),
}

impl<T> Evidence<T> {
    /// The answer, if there is one.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// The reason why there is no answer.
    pub fn gap(&self) -> Option<&Gap> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(gap) => Some(gap),
        }
    }
}

/// Why something was not answered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// What was asked, as a noun phrase: `pods in namespace "edge"`.
    pub asked: String,
    /// The kind of failure.
    pub reason: GapReason,
    /// The failure in words, with host or verb and resource.
    pub message: String,
}

/// Kinds of failure. Readers must accept further ones.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum GapReason {
    /// The credentials are not allowed to ask.
    Forbidden,
    /// The credentials were refused, or there were none.
    Unauthorized,
    /// There is no such thing there.
    NotFound,
    /// The other side limits requests.
    RateLimited,
    /// Our own limit on requests left none for it.
    Budget,
    /// No connection: name, route, port or certificate.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// An answer that makes no sense.
    Malformed,
    /// The answer is not defined in this case, or not supported.
    Unsupported,
    /// Any other failure.
    Failed,
}
