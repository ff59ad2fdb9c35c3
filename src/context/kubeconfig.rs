//! kubectl's rules for kubeconfigs and connection flags (client-go `clientcmd`, FACTS 4.2), where kube-rs differs from them (FACTS 4.3).

mod certificates;
mod files;
mod overrides;

use std::path::PathBuf;
use std::time::Duration;

use kube::config::{AuthInfo, Cluster, Kubeconfig};

use super::{ContextError, Environment, proxy};
use crate::cli::ConnectionArgs;
use certificates::{authorities, refuse_expired};
use files::load;
use overrides::{override_cluster, override_user};

/// The namespace where nothing names one.
const DEFAULT_NAMESPACE: &str = "default";

/// The cluster to ask, and as whom.
pub(crate) struct Target {
    /// The context's name; `None` in a pod, and with nothing but `--server`.
    pub(crate) context: Option<String>,
    /// The API server's URL, without user info.
    pub(crate) server: String,
    /// The namespace in force.
    pub(crate) namespace: String,
    /// True if it was said which cluster is meant, or there is no other: by flag, by Helm's variable, or in a pod.
    pub(crate) is_explicit: bool,
    /// The kubeconfig given by flag, to be repeated in advice.
    pub(crate) kubeconfig: Option<PathBuf>,
    /// kube's own form of all this.
    pub(crate) config: kube::Config,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Target")
            .field("context", &self.context)
            .field("server", &self.server)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// What a kubeconfig and the flags choose.
struct Chosen {
    context: Option<String>,
    namespace: Option<String>,
    user_name: String,
    cluster: Cluster,
    user: AuthInfo,
}

impl Target {
    /// Resolves flags, environment and kubeconfig.
    pub(super) fn resolve(
        environment: &Environment,
        flags: &ConnectionArgs,
        request_timeout: Option<Duration>,
    ) -> Result<Self, ContextError> {
        let kubeconfig = load(environment, flags.kubeconfig.as_deref())?;
        let chosen = match kubeconfig {
            Some(kubeconfig) => choose(&kubeconfig, flags)?,
            None if flags.server.is_some() => nothing_but_flags(),
            None if in_cluster(environment, flags) => {
                return Self::in_cluster(environment, flags, request_timeout);
            }
            None => return Err(ContextError::NoKubeconfig),
        };
        let Chosen {
            context,
            namespace,
            user_name,
            mut cluster,
            mut user,
        } = chosen;
        override_cluster(&mut cluster, flags);
        override_user(&mut user, flags)?;
        let uri = server_uri(&cluster, context.as_deref())?;
        let mut config = kube::Config::new(uri);
        config.root_cert = authorities(&cluster)?;
        config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
        config.disable_compression =
            flags.disable_compression || cluster.disable_compression.unwrap_or(false);
        if config.accept_invalid_certs && config.root_cert.is_some() {
            return Err(ContextError::AuthorityAndInsecure);
        }
        config.tls_server_name = cluster
            .tls_server_name
            .clone()
            .filter(|name| !name.is_empty());
        let proxy = cluster
            .proxy_url
            .clone()
            .filter(|url| !url.is_empty())
            .or_else(|| proxy::from_environment(environment, &config.cluster_url));
        config.proxy_url = proxy
            .map(|url| url.parse())
            .transpose()
            .map_err(|_| ContextError::Url { what: "the proxy" })?;
        refuse_expired(&user, &user_name)?;
        prepare_exec(&mut user, &cluster)?;
        config.auth_info = user;
        set_timeouts(&mut config, request_timeout);
        let namespace = flags
            .namespace
            .clone()
            .or(namespace)
            .filter(|namespace| !namespace.is_empty())
            .unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
        Ok(Self {
            context,
            server: shown(&config.cluster_url),
            namespace,
            is_explicit: [&flags.context, &flags.cluster, &flags.server]
                .into_iter()
                .flatten()
                .any(|text| !text.is_empty()),
            kubeconfig: flags.kubeconfig.clone(),
            config,
        })
    }

    fn in_cluster(
        environment: &Environment,
        flags: &ConnectionArgs,
        request_timeout: Option<Duration>,
    ) -> Result<Self, ContextError> {
        let mut config = kube::Config::incluster().map_err(|error| ContextError::InCluster {
            source: Box::new(error),
        })?;
        config.disable_compression = flags.disable_compression;
        override_user(&mut config.auth_info, flags)?;
        set_timeouts(&mut config, request_timeout);
        let namespace = flags
            .namespace
            .clone()
            .or_else(|| environment.get("POD_NAMESPACE").map(str::to_owned))
            .unwrap_or_else(|| config.default_namespace.clone());
        Ok(Self {
            context: None,
            server: shown(&config.cluster_url),
            namespace,
            is_explicit: true,
            kubeconfig: None,
            config,
        })
    }
}

/// A pod has these variables, and its configuration counts only where nothing else was asked for.
fn in_cluster(environment: &Environment, flags: &ConnectionArgs) -> bool {
    environment.get("KUBERNETES_SERVICE_HOST").is_some()
        && environment.get("KUBERNETES_SERVICE_PORT").is_some()
        && flags.context.is_none()
        && flags.cluster.is_none()
        && flags.user.is_none()
}

fn nothing_but_flags() -> Chosen {
    Chosen {
        context: None,
        namespace: None,
        user_name: String::new(),
        cluster: Cluster::default(),
        user: AuthInfo::default(),
    }
}

fn choose(kubeconfig: &Kubeconfig, flags: &ConnectionArgs) -> Result<Chosen, ContextError> {
    let context_name = flags
        .context
        .clone()
        .or_else(|| kubeconfig.current_context.clone())
        .filter(|name| !name.is_empty());
    let context = match &context_name {
        Some(name) => Some(
            kubeconfig
                .contexts
                .iter()
                .find(|context| context.name == *name)
                .and_then(|context| context.context.clone())
                .ok_or_else(|| ContextError::Unknown {
                    what: "context",
                    name: name.clone(),
                    known: contexts(kubeconfig),
                })?,
        ),
        None if flags.server.is_some() || flags.cluster.is_some() => None,
        None => {
            return Err(ContextError::NoCurrentContext {
                known: contexts(kubeconfig),
            });
        }
    };
    let cluster_name = flags
        .cluster
        .clone()
        .or_else(|| context.as_ref().map(|context| context.cluster.clone()));
    let cluster = match cluster_name.filter(|name| !name.is_empty()) {
        None => Cluster::default(),
        Some(name) => kubeconfig
            .clusters
            .iter()
            .find(|cluster| cluster.name == name)
            .and_then(|cluster| cluster.cluster.clone())
            .ok_or_else(|| ContextError::Unknown {
                what: "cluster",
                name,
                known: kubeconfig
                    .clusters
                    .iter()
                    .map(|cluster| cluster.name.clone())
                    .collect(),
            })?,
    };
    let user_name = flags
        .user
        .clone()
        .or_else(|| context.as_ref().and_then(|context| context.user.clone()))
        .unwrap_or_default();
    let user = kubeconfig
        .auth_infos
        .iter()
        .find(|user| user.name == user_name)
        .and_then(|user| user.auth_info.clone());
    let user = match user {
        Some(user) => user,
        // client-go does not mind a context whose user is missing, but a user named by flag must exist.
        None if flags.user.is_none() => AuthInfo::default(),
        None => {
            return Err(ContextError::Unknown {
                what: "user",
                name: user_name,
                known: kubeconfig
                    .auth_infos
                    .iter()
                    .map(|user| user.name.clone())
                    .collect(),
            });
        }
    };
    Ok(Chosen {
        context: context_name,
        namespace: context.and_then(|context| context.namespace),
        user_name,
        cluster,
        user,
    })
}

fn contexts(kubeconfig: &Kubeconfig) -> Vec<String> {
    kubeconfig
        .contexts
        .iter()
        .map(|context| context.name.clone())
        .collect()
}

/// The server's URL; without a scheme it is https, as in client-go.
fn server_uri(cluster: &Cluster, context: Option<&str>) -> Result<http::Uri, ContextError> {
    let server = cluster
        .server
        .as_deref()
        .filter(|server| !server.is_empty())
        .ok_or_else(|| ContextError::NoServer {
            cluster: context.unwrap_or("(none)").to_owned(),
        })?;
    let server = if server.contains("://") {
        server.to_owned()
    } else {
        format!("https://{server}")
    };
    server
        .parse::<http::Uri>()
        .ok()
        .filter(|uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https")))
        .ok_or(ContextError::Url {
            what: "the API server",
        })
}

/// The server's URL without user info.
fn shown(uri: &http::Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("https");
    let host = uri.host().unwrap_or_default();
    let port = uri
        .port_u16()
        .map_or_else(String::new, |port| format!(":{port}"));
    let path = uri.path().trim_end_matches('/');
    format!("{scheme}://{host}{port}{path}")
}

/// Credential plugins get the cluster where they want it.
fn prepare_exec(user: &mut AuthInfo, cluster: &Cluster) -> Result<(), ContextError> {
    let Some(exec) = &mut user.exec else {
        return Ok(());
    };
    if exec.provide_cluster_info {
        let info = cluster
            .try_into()
            .map_err(|_| ContextError::Data { what: "cluster" })?;
        exec.cluster = Some(info);
    }
    Ok(())
}

/// kube retries 429, 503 and 504 up to 15 times, and waits as long as the server likes: our deadlines are shorter than that.
fn set_timeouts(config: &mut kube::Config, request_timeout: Option<Duration>) {
    config.connect_timeout = Some(request_timeout.map_or(Duration::from_secs(30), |limit| {
        limit.min(Duration::from_secs(5))
    }));
    config.read_timeout = request_timeout;
    config.write_timeout = request_timeout;
    config.default_retry = false;
}

#[cfg(test)]
mod tests;
