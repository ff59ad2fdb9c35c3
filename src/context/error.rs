//! Why it could not be established which cluster to ask.

use std::path::PathBuf;

use tracebloc_core::name::NameError;

use super::exec::PluginError;

/// Why it could not be established which cluster to ask.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContextError {
    /// There is no kubeconfig, and this is no pod.
    #[error("no kubeconfig: neither --kubeconfig nor $KUBECONFIG nor ~/.kube/config leads to one")]
    NoKubeconfig,
    /// A kubeconfig that was named could not be read.
    #[error("the kubeconfig `{}` could not be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The kubeconfig names no current context, and no flag does.
    #[error("the kubeconfig has no current context")]
    NoCurrentContext {
        /// The contexts that there are.
        known: Vec<String>,
    },
    /// There is no such context, cluster or user.
    #[error("the kubeconfig has no {what} `{name}`")]
    Unknown {
        /// `context`, `cluster` or `user`.
        what: &'static str,
        /// The name.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The cluster of the context has no server.
    #[error("the cluster `{cluster}` of the kubeconfig has no server")]
    NoServer {
        /// The cluster's name.
        cluster: String,
    },
    /// A URL makes no sense.
    #[error("{what} is not a URL")]
    Url {
        /// Which one.
        what: &'static str,
    },
    /// A certificate or key file could not be used.
    #[error("{what} `{}` could not be used", path.display())]
    File {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The kubeconfig's certificate data makes no sense.
    #[error("the kubeconfig's {what} is not valid")]
    Data {
        /// Which field.
        what: &'static str,
    },
    /// client-go refuses this combination too.
    #[error("certificate authority and insecure-skip-tls-verify exclude each other")]
    AuthorityAndInsecure,
    /// The client certificate is of no use any more.
    #[error("the client certificate of user `{user}` expired {ago} ago ({at})")]
    Expired {
        /// The user in the kubeconfig.
        user: String,
        /// How long ago.
        ago: String,
        /// When.
        at: String,
    },
    /// A flag's value has the wrong form.
    #[error("{flag} takes {expected}")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// A variable's value has the wrong form.
    #[error("the environment variable {name} takes {expected}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// The namespace is none.
    #[error(transparent)]
    Namespace(NameError),
    /// Helm's records are where we cannot read them.
    #[error("HELM_DRIVER is `{driver}`: release records are read from Secrets and ConfigMaps only")]
    Driver {
        /// The driver.
        driver: String,
    },
    /// The kubeconfig's credential plugin gave no credentials.
    #[error("the credential plugin `{command}` of the kubeconfig gave no credentials")]
    Plugin {
        /// Its program.
        command: String,
        /// Why.
        source: PluginError,
    },
    /// The pod's credentials could not be read.
    #[error("the in-cluster configuration could not be read")]
    InCluster {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ContextError {
    /// True where what was typed is wrong, not the workstation.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Flag { .. } | Self::Namespace(_) | Self::AuthorityAndInsecure
        )
    }

    /// What to do next.
    pub(crate) fn hints(&self) -> Vec<String> {
        let known = |known: &[String]| {
            if known.is_empty() {
                "the kubeconfig has none at all; see `kubectl config view`".to_owned()
            } else {
                format!("there are: {}", known.join(", "))
            }
        };
        match self {
            Self::NoKubeconfig => {
                vec!["name one with --kubeconfig FILE, or set KUBECONFIG".to_owned()]
            }
            Self::NoCurrentContext { known: contexts } => vec![
                known(contexts),
                "name one with --context, or choose it with `kubectl config use-context NAME`"
                    .to_owned(),
            ],
            Self::Unknown { known: names, .. } => vec![known(names)],
            Self::NoServer { .. } => {
                vec!["name it with --server, or mend the kubeconfig".to_owned()]
            }
            Self::Expired { .. } => vec![
                "renew the credentials, for example by logging in to the cluster again".to_owned(),
            ],
            Self::Driver { .. } => {
                vec!["unset HELM_DRIVER if the releases are in Secrets, Helm's default".to_owned()]
            }
            Self::AuthorityAndInsecure => vec!["leave one of the two out".to_owned()],
            Self::Plugin {
                source: PluginError::Missing { install_hint },
                ..
            } => install_hint
                .iter()
                .map(|hint| hint.split_whitespace().collect::<Vec<_>>().join(" "))
                .chain(["install it, or choose another user with --user".to_owned()])
                .collect(),
            Self::Plugin {
                source: PluginError::NoTerminal,
                ..
            } => vec!["run the command on a terminal, or log in first".to_owned()],
            Self::Plugin { .. } => {
                vec!["log in again; `kubectl auth whoami` shows whether kubectl can".to_owned()]
            }
            Self::Unreadable { .. }
            | Self::Url { .. }
            | Self::File { .. }
            | Self::Data { .. }
            | Self::Flag { .. }
            | Self::Variable { .. }
            | Self::Namespace(_)
            | Self::InCluster { .. } => Vec::new(),
        }
    }
}
