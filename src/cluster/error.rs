//! Why the API server did not answer a question.

use tracebloc_core::snapshot::{Gap, GapReason};

use crate::error::chain;

/// Why the API server did not answer a question.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ClusterError {
    /// The client could not be set up from the kubeconfig.
    #[error("the connection could not be set up: {message}")]
    Setup {
        /// What is wrong.
        message: String,
    },
    /// A credential plugin or token file did not give credentials.
    #[error("no credentials: {message}")]
    Credentials {
        /// What is wrong.
        message: String,
    },
    /// The server does not know us (401).
    #[error("the server refuses the credentials (401 Unauthorized)")]
    Unauthorized,
    /// The server knows us and says no (403).
    #[error("forbidden: the credentials may not {verb} {resource}{}", refusal.reason())]
    Forbidden {
        /// The verb.
        verb: &'static str,
        /// The resource, and where.
        resource: String,
        /// What else the server says.
        refusal: Box<Refusal>,
    },
    /// No such object.
    #[error("there is no {resource}")]
    NotFound {
        /// What was asked for.
        resource: String,
    },
    /// The list changed too much while it was read; it is to be read again.
    #[error("the list of {resource} changed while it was read")]
    Expired {
        /// What was listed.
        resource: String,
    },
    /// No answer in time.
    #[error("no answer from the server in time")]
    Timeout,
    /// No connection.
    #[error("no connection: {message}")]
    Unreachable {
        /// Why.
        message: String,
    },
    /// No trust.
    #[error("no secure connection: {message}")]
    Tls {
        /// Why.
        message: String,
    },
    /// The connection ended before the answer did.
    #[error("the connection broke off: {message}")]
    Interrupted {
        /// Why.
        message: String,
    },
    /// The server has too much to do (429).
    #[error("the server limits the rate of requests (429 Too Many Requests)")]
    RateLimited,
    /// Somebody else changed the object meanwhile, or made one of that name (409).
    #[error("{resource} was changed by somebody else meanwhile ({message})")]
    Conflict {
        /// The object.
        resource: String,
        /// The server's words.
        message: String,
    },
    /// The server does not take the change (422): what it touches is not as it was, or a rule of the cluster is against it.
    #[error("the server does not take the change of {resource}: {message}")]
    Rejected {
        /// The object.
        resource: String,
        /// The server's words.
        message: String,
    },
    /// The server failed.
    #[error("the server answers {code}: {message}")]
    Server {
        /// The status.
        code: u16,
        /// The server's words.
        message: String,
    },
    /// The answer makes no sense.
    #[error("the answer about {asked} is not what a Kubernetes API server sends{}", place(*at))]
    Malformed {
        /// What was asked.
        asked: String,
        /// Line and column, where known.
        at: Option<(usize, usize)>,
    },
    /// The program ends before the answer was read.
    #[error("the answer was not read to its end")]
    Abandoned,
    /// A release record could not be decoded.
    #[error("{0}")]
    Record(#[from] tracebloc_core::release::DecodeError),
}

/// What the server says beside that it forbids: the verb and the resource are known already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// As whom it knows us.
    user: Option<String>,
    /// Why, where it says more than that no rule allows it.
    more: String,
}

impl Refusal {
    /// Takes the server's words apart if they are those of Kubernetes' own authorizer (apiserver's `forbiddenMessage`); others are kept whole.
    fn parse(message: String) -> Self {
        Self::of_authorizer(&message).unwrap_or(Self {
            user: None,
            more: message,
        })
    }

    fn of_authorizer(message: &str) -> Option<Self> {
        let (_, rest) = message.split_once(" is forbidden: User \"")?;
        let (user, rest) = rest.split_once("\" cannot ")?;
        let rest = match rest.split_once(" in the namespace \"") {
            Some((_, rest)) => rest.split_once('"')?.1,
            None => rest.split_once(" at the cluster scope")?.1,
        };
        Some(Self {
            user: Some(user.to_owned()),
            more: rest.trim_start_matches([':', ' ']).to_owned(),
        })
    }

    fn reason(&self) -> String {
        if self.more.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.more)
        }
    }
}

fn place(at: Option<(usize, usize)>) -> String {
    at.map_or_else(String::new, |(line, column)| {
        format!(" (line {line}, column {column})")
    })
}

impl ClusterError {
    /// Sorts kube's errors by what they mean to a user.
    pub(super) fn from_kube(error: kube::Error, verb: &'static str, resource: &str) -> Self {
        let resource = resource.to_owned();
        match error {
            kube::Error::Api(status) => Self::from_status(
                status.code,
                &status.reason,
                status.message.clone(),
                verb,
                resource,
            ),
            kube::Error::SerdeError(error) => Self::Malformed {
                asked: resource,
                at: Some((error.line(), error.column())),
            },
            kube::Error::FromUtf8(_) => Self::Malformed {
                asked: resource,
                at: None,
            },
            kube::Error::Auth(error) => Self::Credentials {
                message: chain(&error),
            },
            kube::Error::HyperError(error) => Self::Interrupted {
                message: chain(&error),
            },
            kube::Error::Service(error) => Self::from_transport(error.as_ref()),
            other => Self::Setup {
                message: chain(&other),
            },
        }
    }

    pub(super) fn from_status(
        code: u16,
        reason: &str,
        message: String,
        verb: &'static str,
        resource: String,
    ) -> Self {
        match code {
            401 => Self::Unauthorized,
            403 => Self::Forbidden {
                verb,
                resource,
                refusal: Box::new(Refusal::parse(message)),
            },
            404 => Self::NotFound { resource },
            409 => Self::Conflict { resource, message },
            410 => Self::Expired { resource },
            422 => Self::Rejected { resource, message },
            // The words of apiserver's `NewTooLargeResourceVersionError`: this server lags behind the one that listed.
            504 if message.contains("Too large resource version") => Self::Expired { resource },
            429 => Self::RateLimited,
            _ if reason == "Timeout" => Self::Timeout,
            _ => Self::Server { code, message },
        }
    }

    fn from_transport(error: &(dyn std::error::Error + 'static)) -> Self {
        let message = chain(error);
        let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
        if has(&["deadline has elapsed", "timed out", "timeout"]) {
            Self::Timeout
        } else if has(&[
            "certificate",
            "TLS",
            "tls",
            "InvalidContentType",
            "HandshakeFailure",
        ]) {
            Self::Tls { message }
        } else if has(&["auth exec", "exec-plugin", "token"]) {
            Self::Credentials { message }
        } else if has(&[
            "reset",
            "broken pipe",
            "closed before",
            "IncompleteMessage",
            "unexpected end",
            "end of file",
        ]) {
            Self::Interrupted { message }
        } else {
            Self::Unreachable { message }
        }
    }

    /// The same as a gap in a snapshot.
    pub(crate) fn gap(&self, asked: impl Into<String>) -> Gap {
        Gap {
            asked: asked.into(),
            reason: match self {
                Self::Setup { .. } | Self::Credentials { .. } | Self::Unauthorized => {
                    GapReason::Unauthorized
                }
                Self::Forbidden { .. } => GapReason::Forbidden,
                Self::NotFound { .. } => GapReason::NotFound,
                Self::Timeout => GapReason::Timeout,
                Self::Unreachable { .. } | Self::Tls { .. } | Self::Interrupted { .. } => {
                    GapReason::Unreachable
                }
                Self::RateLimited => GapReason::RateLimited,
                Self::Malformed { .. } | Self::Record(_) => GapReason::Malformed,
                Self::Expired { .. }
                | Self::Conflict { .. }
                | Self::Rejected { .. }
                | Self::Server { .. }
                | Self::Abandoned => GapReason::Failed,
            },
            message: self.to_string(),
        }
    }

    /// What to do next.
    pub(crate) fn hints(&self) -> Vec<String> {
        if let Self::Forbidden { refusal, .. } = self {
            let who = refusal
                .user
                .as_ref()
                .map(|user| format!("the server knows you as `{user}`"));
            let ask = "ask the cluster's administrator for that right, or look at one namespace with --namespace; --print-rbac prints all rights that the command needs";
            return who.into_iter().chain([ask.to_owned()]).collect();
        }
        let hint = match self {
            Self::Unauthorized | Self::Credentials { .. } => {
                "log in again, or choose another context with --context; `kubectl auth whoami` shows who you are"
            }
            Self::Unreachable { .. } | Self::Timeout => {
                "see whether `kubectl version` answers, and whether a VPN or proxy is missing"
            }
            Self::Tls { .. } => {
                "see whether the kubeconfig's certificate-authority belongs to this server"
            }
            Self::Malformed { .. } => {
                "see whether the server's address leads to a Kubernetes API server"
            }
            _ => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_once_and_in_few_words() {
        let error = |message: &str| {
            let resource = "pods in namespace edge".to_owned();
            ClusterError::from_status(403, "Forbidden", message.to_owned(), "list", resource)
        };
        let usual = "pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the namespace \"edge\"";
        let short = "forbidden: the credentials may not list pods in namespace edge";
        assert_eq!(error(usual).to_string(), short);
        assert!(error(usual).hints()[0].contains("`jane`"));
        let more = format!("{usual}: RBAC: role \"x\" not found");
        assert_eq!(
            error(&more).to_string(),
            format!("{short} (RBAC: role \"x\" not found)")
        );
        let cluster = "nodes is forbidden: User \"jane\" cannot list resource \"nodes\" in API group \"\" at the cluster scope";
        assert_eq!(error(cluster).to_string(), short);
        let other = "the policy of the house forbids it";
        assert_eq!(error(other).to_string(), format!("{short} ({other})"));
    }

    #[test]
    fn transport_errors_are_told_apart() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0}")]
        struct Text(&'static str);
        for (text, expected) in [
            (
                "client error (Connect): tcp connect error: Connection refused (os error 111)",
                "no connection",
            ),
            ("deadline has elapsed", "no answer"),
            (
                "invalid peer certificate: UnknownIssuer",
                "no secure connection",
            ),
            ("connection error: Connection reset by peer", "broke off"),
        ] {
            let error = ClusterError::from_transport(&Text(text)).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
