//! What flags change of what a kubeconfig says.

use kube::config::{AuthInfo, Cluster};

use crate::cli::ConnectionArgs;
use crate::context::ContextError;

/// client-go's `getCluster`.
pub(super) fn override_cluster(cluster: &mut Cluster, flags: &ConnectionArgs) {
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
pub(super) fn override_user(
    user: &mut AuthInfo,
    flags: &ConnectionArgs,
) -> Result<(), ContextError> {
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
