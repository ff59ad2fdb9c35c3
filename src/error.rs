//! Failure as users see it: kind, wording, what to do next, and the exit code. All of it in one place.

use std::path::PathBuf;
use std::process::ExitCode;

use tracebloc_core::name::Namespace;
use tracebloc_core::plan::WishError;
use tracebloc_core::snapshot::GapReason;

use crate::apply::ApplyError;
use crate::charts::ChartsError;
use crate::cluster::ClusterError;
use crate::context::ContextError;
use crate::helm::HelmError;
use crate::http::{HttpError, RootsError};

/// How a run ended (DESIGN §3). Only these codes are ever used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done, or nothing behind.
    Done,
    /// 1: failed.
    Failed,
    /// 2: wrong usage or input.
    Usage,
    /// 3: something is wrong with the workstation, not with the cluster.
    Workstation,
    /// 4: a named release does not exist.
    NoRelease,
    /// 5: the cluster refused the credentials.
    Refused,
    /// 10: something is behind, and `--exit-code` was given, or was found that `--fail-on` names.
    Behind,
    /// 11: a guard refused, and nothing was changed.
    Guarded,
    /// 12: nothing is known to be behind and something is unknown, and `--exit-code` was given.
    Incomplete,
    /// 130: interrupted.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Workstation => 3,
            Exit::NoRelease => 4,
            Exit::Refused => 5,
            Exit::Behind => 10,
            Exit::Guarded => 11,
            Exit::Incomplete => 12,
            Exit::Interrupted => 130,
        })
    }
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The event loop could not be started.
    #[error("the program could not start")]
    Runtime(#[source] std::io::Error),
    /// The answer could not be written.
    #[error("the answer could not be written")]
    Output(#[source] std::io::Error),
    /// The embedded profile is damaged: a fault of the build.
    #[error("the built-in profile is damaged: {0}")]
    Profile(#[from] tracebloc_core::yaml::YamlError),
    /// The answer could not be put into its form: a fault of the program.
    #[error("the answer could not be encoded as {format}")]
    Encode {
        /// The format asked for.
        format: &'static str,
    },
    /// The input makes no sense.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: &'static str,
    },
    /// Which cluster to ask could not be established.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The HTTP client could not be made.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The certificate authorities that were given are of no use.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// The cluster did not answer what everything rests on.
    #[error("{asked} could not be read from {server}")]
    Cluster {
        /// What was asked.
        asked: String,
        /// The API server and the context.
        server: String,
        /// Why.
        source: ClusterError,
    },
    /// A release that was named does not exist.
    #[error("no release `{name}` in namespace `{namespace}` of {server}")]
    NoRelease {
        /// The name.
        name: String,
        /// Where it was looked for.
        namespace: Namespace,
        /// The API server and the context.
        server: String,
        /// Releases that may have been meant, as NAMESPACE/NAME.
        similar: Vec<String>,
    },
    /// One release is wanted, and there are several.
    #[error("there are several releases in {server}")]
    SeveralReleases {
        /// The API server and the context.
        server: String,
        /// The first of them, as NAMESPACE/NAME.
        releases: Vec<String>,
        /// How many there are beside these.
        more: usize,
    },
    /// `--repo` names neither a URL nor a repository of the user. The text is not repeated: it may be a password in the wrong place.
    #[error("--repo takes a URL, or the name of a repository of `helm repo list`")]
    NoRepository {
        /// The names that there are.
        known: Vec<String>,
    },
    /// The system names no place for caches.
    #[error(
        "there is no cache directory: neither $XDG_CACHE_HOME nor the home directory leads to one"
    )]
    NoCache,
    /// The cache could not be cleared.
    #[error("the cache in `{}` could not be cleared", directory.display())]
    CacheClear {
        /// Where it is.
        directory: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What is wanted of a release makes no sense for it.
    #[error(transparent)]
    Wish(WishError),
    /// A plan ended before its end.
    #[error(transparent)]
    Apply(ApplyError),
    /// Somebody asked to stop while nothing was being changed.
    #[error("interrupted: nothing {}was changed", if *has_acted { "more " } else { "" })]
    Interrupted {
        /// True if something had been changed before.
        has_acted: bool,
    },
    /// The user's Helm could not be made to work.
    #[error(transparent)]
    Helm(HelmError),
    /// The package of a chart could not be had.
    #[error("the package of the deployed chart version could not be had")]
    Package(#[source] ChartsError),
    /// What a plan takes could not be had, and there is another way to the same.
    #[error("{source}")]
    Lacking {
        /// What is lacking.
        source: Box<Self>,
        /// The other way, a line each.
        way_out: Vec<String>,
    },
    /// A namespace that was named does not exist.
    #[error("no namespace `{namespace}` in {server}")]
    NoNamespace {
        /// The name.
        namespace: Namespace,
        /// The API server and the context.
        server: String,
    },
}

impl Error {
    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            // A reader that closed the pipe has what it wanted.
            Self::Output(source) if source.kind() == std::io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Runtime(_)
            | Self::Profile(_)
            | Self::Encode { .. }
            | Self::Output(_)
            | Self::Package(_)
            | Self::Wish(WishError::NoRelease) => Exit::Failed,
            Self::Wish(WishError::Unreadable(gap)) => match gap.reason {
                GapReason::Forbidden => Exit::Refused,
                _ => Exit::Failed,
            },
            Self::Usage { .. } | Self::NoRepository { .. } | Self::SeveralReleases { .. } => {
                Exit::Usage
            }
            Self::Wish(WishError::NoImage { .. } | WishError::NoWorkload { .. }) => Exit::Usage,
            Self::Apply(error) => error.exit(),
            Self::Lacking { source, .. } => source.exit(),
            Self::Interrupted { .. } => Exit::Interrupted,
            Self::Context(error) if error.is_usage() => Exit::Usage,
            Self::Context(_)
            | Self::Helm(_)
            | Self::Http(_)
            | Self::Roots(_)
            | Self::NoCache
            | Self::CacheClear { .. } => Exit::Workstation,
            Self::Cluster { source, .. } => match source {
                ClusterError::Unauthorized | ClusterError::Forbidden { .. } => Exit::Refused,
                ClusterError::Credentials { .. } | ClusterError::Setup { .. } => Exit::Workstation,
                _ => Exit::Failed,
            },
            Self::NoRelease { .. } | Self::NoNamespace { .. } => Exit::NoRelease,
        }
    }

    /// True if the API server does not take the credentials, so that new ones may help.
    pub(crate) fn is_unauthorized(&self) -> bool {
        matches!(
            self,
            Self::Cluster {
                source: ClusterError::Unauthorized,
                ..
            }
        )
    }

    /// True if nothing need be said: the reader has gone.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::Output(source) if source.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// What to do next, in the imperative.
    pub(crate) fn hints(&self) -> Vec<String> {
        match self {
            Self::Usage { hint, .. } => vec![(*hint).to_owned()],
            Self::Context(error) => error.hints(),
            Self::Cluster { source, .. } => source.hints(),
            Self::NoRelease { similar, .. } if similar.is_empty() => {
                vec!["list all releases with `helm list --all-namespaces`".to_owned()]
            }
            Self::NoRelease { similar, .. } => {
                vec![format!("did you mean {}?", similar.join(" or "))]
            }
            Self::SeveralReleases { releases, more, .. } => {
                let rest = match more {
                    0 => String::new(),
                    more => format!(" or one of {more} more"),
                };
                vec![format!("name one: {}{rest}", releases.join(" or "))]
            }
            Self::NoRepository { known } if known.is_empty() => {
                vec!["Helm knows no repository here; add one with `helm repo add`".to_owned()]
            }
            Self::NoRepository { known } => vec![format!("there are: {}", known.join(", "))],
            Self::Wish(WishError::NoImage { known, .. } | WishError::NoWorkload { known, .. }) => {
                vec![format!("there are: {}", known.join(", "))]
            }
            Self::Apply(error) => error.hints(),
            Self::Helm(error) => error.hints(),
            Self::Lacking { source, way_out } => {
                let mut hints = source.hints();
                hints.extend(way_out.iter().cloned());
                hints
            }
            Self::NoNamespace { .. } => {
                vec!["list the namespaces with `kubectl get namespaces`".to_owned()]
            }
            Self::Wish(WishError::NoRelease | WishError::Unreadable(_))
            | Self::Interrupted { .. }
            | Self::Package(_)
            | Self::Runtime(_)
            | Self::Output(_)
            | Self::Profile(_)
            | Self::Encode { .. }
            | Self::NoCache
            | Self::CacheClear { .. }
            | Self::Http(_)
            | Self::Roots(_) => Vec::new(),
        }
    }
}

/// An error with its causes on one line, each said once. No error of ours carries credentials.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let line = source.to_string();
        if !text.contains(&line) {
            text.push_str(": ");
            text.push_str(&line);
        }
        cause = source.source();
    }
    text
}
