//! kubectl's rules for kubeconfigs and connection flags (client-go `clientcmd`, FACTS 4.2), where kube-rs differs from them (FACTS 4.3).

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use kube::config::{AuthInfo, Cluster, Kubeconfig};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tracebloc_core::time::age;

use super::{ContextError, Environment, certificate, proxy};
use crate::cli::ConnectionArgs;

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

/// The kubeconfig: one file by flag, which must exist; else the files of `$KUBECONFIG`, of which missing ones are passed over; else the file in
/// the home directory. `None` where there is none, or none with anything in it.
fn load(
    environment: &Environment,
    flag: Option<&Path>,
) -> Result<Option<Kubeconfig>, ContextError> {
    if let Some(path) = flag {
        return read(path).map(Some);
    }
    let paths: Vec<PathBuf> = match environment.get("KUBECONFIG") {
        Some(list) => std::env::split_paths(list)
            .filter(|path| !path.as_os_str().is_empty())
            .collect(),
        None => dirs::home_dir()
            .map(|home| home.join(".kube").join("config"))
            .into_iter()
            .collect(),
    };
    let mut merged: Option<Kubeconfig> = None;
    for path in paths.iter().filter(|path| path.exists()) {
        let next = read(path)?;
        merged = Some(match merged {
            None => next,
            Some(first) => first
                .merge(next)
                .map_err(|error| ContextError::Unreadable {
                    path: path.clone(),
                    source: Box::new(error),
                })?,
        });
    }
    Ok(merged.filter(|merged| !(merged.contexts.is_empty() && merged.clusters.is_empty())))
}

/// Reads one file; relative paths in it are relative to it.
fn read(path: &Path) -> Result<Kubeconfig, ContextError> {
    let unreadable = |source| ContextError::Unreadable {
        path: path.to_owned(),
        source,
    };
    // kube's own error may quote the file, which holds tokens; its place is enough.
    match Kubeconfig::read_from(path) {
        Ok(mut kubeconfig) => {
            // kube does this for all files but these (client-go's `GetAuthInfoFileReferences`).
            let users = kubeconfig.auth_infos.iter_mut();
            for plugin in users.filter_map(|user| user.auth_info.as_mut()?.exec.as_mut()) {
                plugin.command = plugin.command.take().map(|command| relative(path, command));
            }
            Ok(kubeconfig)
        }
        Err(kube::config::KubeconfigError::ReadConfig(source, _)) => {
            Err(unreadable(Box::new(source)))
        }
        Err(_) => Err(unreadable("it is not a kubeconfig in YAML".into())),
    }
}

/// A program named by a path with a separator in it is relative to the kubeconfig; any other is looked for on the PATH.
fn relative(kubeconfig: &Path, command: String) -> String {
    let is_path = command.chars().any(std::path::is_separator);
    match kubeconfig.parent() {
        Some(folder) if is_path => folder.join(command).display().to_string(),
        _ => command,
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

/// client-go's `getCluster`.
fn override_cluster(cluster: &mut Cluster, flags: &ConnectionArgs) {
    if let Some(server) = &flags.server {
        cluster.server = Some(server.clone());
        cluster.tls_server_name = None;
    }
    if let Some(name) = &flags.tls_server_name {
        cluster.tls_server_name = Some(name.clone());
    }
    if let Some(insecure) = flags.insecure_skip_tls_verify {
        cluster.insecure_skip_tls_verify = Some(insecure);
        if insecure {
            cluster.certificate_authority = None;
            cluster.certificate_authority_data = None;
        }
    }
    if let Some(path) = &flags.certificate_authority {
        cluster.certificate_authority = Some(path.display().to_string());
        cluster.certificate_authority_data = None;
        if flags.insecure_skip_tls_verify.is_none() {
            cluster.insecure_skip_tls_verify = None;
        }
    }
}

/// client-go's `getAuthInfo`; a token by flag goes before every other way to prove who one is.
fn override_user(user: &mut AuthInfo, flags: &ConnectionArgs) -> Result<(), ContextError> {
    if let Some(path) = &flags.client_certificate {
        user.client_certificate = Some(path.display().to_string());
        user.client_certificate_data = None;
    }
    if let Some(path) = &flags.client_key {
        user.client_key = Some(path.display().to_string());
        user.client_key_data = None;
    }
    if let Some(token) = &flags.token {
        *user = AuthInfo {
            token: Some(token.0.clone().into()),
            impersonate: user.impersonate.take(),
            impersonate_uid: user.impersonate_uid.take(),
            impersonate_groups: user.impersonate_groups.take(),
            impersonate_user_extra: user.impersonate_user_extra.take(),
            client_certificate: user.client_certificate.take(),
            client_certificate_data: user.client_certificate_data.take(),
            client_key: user.client_key.take(),
            client_key_data: user.client_key_data.take(),
            ..AuthInfo::default()
        };
    }
    if let Some(name) = &flags.impersonate {
        user.impersonate = Some(name.clone());
    }
    if let Some(uid) = &flags.impersonate_uid {
        user.impersonate_uid = Some(uid.clone());
    }
    if !flags.impersonate_groups.is_empty() {
        user.impersonate_groups = Some(flags.impersonate_groups.clone());
    }
    for pair in &flags.impersonate_extra {
        let (key, value) = pair.split_once('=').ok_or(ContextError::Flag {
            flag: "--as-user-extra",
            expected: "KEY=VALUE",
        })?;
        user.impersonate_user_extra
            .get_or_insert_default()
            .entry(key.to_owned())
            .or_default()
            .push(value.to_owned());
    }
    Ok(())
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

/// The certificate authorities of a cluster, in DER; `None` means those of the system. Data goes before a file, as in client-go.
fn authorities(cluster: &Cluster) -> Result<Option<Vec<Vec<u8>>>, ContextError> {
    let what = "certificate-authority";
    let pem = match (
        &cluster.certificate_authority_data,
        &cluster.certificate_authority,
    ) {
        (Some(data), _) if !data.is_empty() => decode(data, "certificate-authority-data")?,
        (_, Some(path)) if !path.is_empty() => {
            std::fs::read(path).map_err(|error| ContextError::File {
                what,
                path: PathBuf::from(path),
                source: Box::new(error),
            })?
        }
        _ => return Ok(None),
    };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(Some(
            certificates
                .into_iter()
                .map(|certificate| certificate.to_vec())
                .collect(),
        )),
        Ok(_) | Err(_) => Err(ContextError::Data { what }),
    }
}

fn decode(data: &str, what: &'static str) -> Result<Vec<u8>, ContextError> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(data.trim())
        .map_err(|_| ContextError::Data { what })
}

/// The API server answers an expired certificate with a 401 that does not say why, so that it is looked at here.
fn refuse_expired(user: &AuthInfo, name: &str) -> Result<(), ContextError> {
    let pem = match (&user.client_certificate_data, &user.client_certificate) {
        (Some(data), _) if !data.is_empty() => decode(data, "client-certificate-data")?,
        (_, Some(path)) if !path.is_empty() => {
            std::fs::read(path).map_err(|error| ContextError::File {
                what: "client-certificate",
                path: PathBuf::from(path),
                source: Box::new(error),
            })?
        }
        _ => return Ok(()),
    };
    let now = Timestamp::now();
    match certificate::expiry(&pem) {
        Some(end) if end < now => Err(ContextError::Expired {
            user: name.to_owned(),
            ago: age(now.duration_since(end)),
            at: end.to_string(),
        }),
        Some(_) | None => Ok(()),
    }
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
