//! The one reader of environment, kubeconfig and clock. After it everything is deterministic.

mod certificate;
mod environment;
mod error;
mod exec;
mod identity;
mod kubeconfig;
mod mirrors;
mod proxy;
mod registries;

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tracebloc_core::name::Namespace;

use crate::charts::{Repositories, RepositoriesError};
use crate::cli::{ConnectionArgs, Invocation};
use crate::registry::UserCredentials;
use crate::ui::Ui;

pub(crate) use environment::Environment;
pub(crate) use error::ContextError;
pub(crate) use identity::Identity;
pub(crate) use kubeconfig::Target;
pub(crate) use mirrors::RegistryConfiguration;

/// How long one request to the API server may take where `--request-timeout` does not say.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// What a call may take beyond one very slow request that `--request-timeout` allows.
const SLACK: Duration = Duration::from_secs(4);

/// How long a whole call may take (DESIGN §6 "Time is bounded": 15 s), less what it takes to start, judge and print.
const TIME_LIMIT: Duration = Duration::from_secs(14);

/// Where Helm keeps its release records (`HELM_DRIVER`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    /// Secrets, Helm's default.
    Secrets,
    /// `ConfigMaps`.
    ConfigMaps,
}

impl Storage {
    /// The resource of the API that holds the records.
    pub(crate) fn resource(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::ConfigMaps => "configmaps",
        }
    }
}

/// Everything that a command needs to know of its surroundings.
#[derive(Debug)]
pub(crate) struct Context {
    /// Who called.
    pub(crate) invocation: Invocation,
    /// The cluster to ask, and as whom.
    pub(crate) target: Target,
    /// The namespace in force: flag, Helm's variable, context, `default`.
    pub(crate) namespace: Namespace,
    /// True if a flag named the namespace.
    pub(crate) namespace_given: bool,
    /// Where release records are.
    pub(crate) storage: Storage,
    /// Registry credentials of the user.
    pub(crate) credentials: UserCredentials,
    /// Through which caches images are pulled, by the user's configuration of the container tools.
    pub(crate) pulls: RegistryConfiguration,
    /// The chart repositories of the user, or why they are not known.
    repositories: Result<Repositories, RepositoriesError>,
    /// Where a Helm may be, the surest place first; a word without a separator is looked for on the PATH.
    pub(crate) helm: Vec<PathBuf>,
    /// Where copies of chart indexes are kept; `None` where there is no such place.
    pub(crate) cache: Option<PathBuf>,
    /// The time of the call.
    pub(crate) now: Timestamp,
    /// How long gathering may take in all; `None` where the user lets single requests take for ever.
    pub(crate) time_limit: Option<Duration>,
    /// As whom the cluster is asked.
    pub(crate) identity: Identity,
}

/// What a target was resolved from: it is read again where credentials have ended that stand there.
struct Origin {
    environment: Environment,
    connection: ConnectionArgs,
    request_timeout: Option<Duration>,
}

impl std::fmt::Debug for Origin {
    // A flag and the environment may hold tokens.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Origin").finish_non_exhaustive()
    }
}

/// What commands know that ask no cluster.
#[derive(Debug)]
pub(crate) struct Surroundings {
    /// Where something may be kept; `None` where there is no such place.
    pub(crate) cache: Option<PathBuf>,
    /// The time of the call.
    pub(crate) now: Timestamp,
}

impl Surroundings {
    /// Those of this process.
    pub(crate) fn of_process() -> Self {
        Self {
            cache: dirs::cache_dir().map(|directory| directory.join("kubectl-tracebloc")),
            now: Timestamp::now(),
        }
    }
}

/// Who would ask, of commands that ask nobody.
#[derive(Debug)]
pub(crate) struct Asker {
    /// The namespace in force.
    pub(crate) namespace: Namespace,
    /// Where release records are.
    pub(crate) storage: Storage,
}

impl Asker {
    /// Resolves what a call would ask about. No kubeconfig is needed, and no credential plugin runs.
    pub(crate) fn resolve(
        invocation: Invocation,
        connection: &ConnectionArgs,
    ) -> Result<Self, ContextError> {
        let environment = Environment::of_process();
        let connection = match invocation {
            Invocation::Direct => connection.clone(),
            Invocation::Helm => environment.helm_connection(connection.clone())?,
        };
        let namespace = match Target::resolve(&environment, &connection, None) {
            Ok(target) => target.namespace,
            Err(ContextError::NoKubeconfig) => {
                connection.namespace.unwrap_or_else(|| "default".to_owned())
            }
            Err(error) => return Err(error),
        };
        Ok(Self {
            namespace: Namespace::parse(&namespace).map_err(ContextError::Namespace)?,
            storage: environment.storage()?,
        })
    }
}

/// The time now, for what is written into the cluster; what is judged goes by [`Context::now`].
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

impl Context {
    /// Resolves the call's surroundings, once. A credential plugin of the kubeconfig runs here.
    pub(crate) async fn resolve(
        invocation: Invocation,
        connection: ConnectionArgs,
        ui: &Ui,
    ) -> Result<Self, ContextError> {
        let environment = Environment::of_process();
        let connection = match invocation {
            Invocation::Direct => connection,
            Invocation::Helm => environment.helm_connection(connection)?,
        };
        // Under Helm the variable is never empty, whoever set it, so that it tells nothing about a flag (FACTS 1.3).
        let namespace_given = connection.namespace.is_some() && invocation == Invocation::Direct;
        let request_timeout = match connection.request_timeout {
            Some(given) => given.0,
            None => Some(REQUEST_TIMEOUT),
        };
        let target = Target::resolve(&environment, &connection, request_timeout)?;
        let Surroundings { cache, now } = Surroundings::of_process();
        let namespace = Namespace::parse(&target.namespace).map_err(ContextError::Namespace)?;
        let origin = Origin {
            environment: environment.clone(),
            connection,
            request_timeout,
        };
        Ok(Self {
            invocation,
            namespace,
            namespace_given,
            identity: Identity::of(&target, origin).await?,
            storage: environment.storage()?,
            credentials: registries::credentials(&environment, ui),
            pulls: RegistryConfiguration::read(&environment),
            repositories: match environment.repositories_file() {
                Some(path) => Repositories::read(&path),
                None => Ok(Repositories::default()),
            },
            helm: environment.helm(invocation),
            cache,
            now,
            time_limit: request_timeout.map(|limit| TIME_LIMIT.max(limit + SLACK)),
            target,
        })
    }

    /// The same for another round: the same cluster, context and namespace at a later time, with new credentials where the server refused those before.
    pub(crate) async fn renew(&mut self, refused: bool) -> Result<(), ContextError> {
        self.now = Timestamp::now();
        if refused {
            let (_, renewals) = self.identity.present();
            self.identity.renew(renewals).await?;
        }
        Ok(())
    }

    /// The chart repositories of the user, none where their file could not be read.
    pub(crate) fn repositories(&self) -> &Repositories {
        static NONE: Repositories = Repositories::none();
        self.repositories.as_ref().unwrap_or(&NONE)
    }

    /// Why the chart repositories of the user are not known.
    pub(crate) fn repositories_error(&self) -> Option<&RepositoriesError> {
        self.repositories.as_ref().err()
    }

    /// The API server and the context, for messages.
    pub(crate) fn server(&self) -> String {
        match &self.target.context {
            Some(name) => format!("{} (context `{name}`)", self.target.server),
            None => self.target.server.clone(),
        }
    }
}
