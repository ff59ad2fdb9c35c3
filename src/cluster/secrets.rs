//! Pull secrets, by name: the only Secrets besides Helm's records that are read, and only where the user says so.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tracebloc_core::name::Namespace;

use super::{Cluster, ClusterError};

/// What a pull secret holds. It cannot be printed.
pub(crate) enum PullSecret {
    /// `kubernetes.io/dockerconfigjson`.
    ConfigJson(Vec<u8>),
    /// `kubernetes.io/dockercfg`.
    Cfg(Vec<u8>),
    /// Another type, which the kubelet passes over.
    Other,
}

#[derive(Deserialize)]
struct SecretObject {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    data: HashMap<String, String>,
}

impl Cluster {
    /// Reads a pull secret.
    pub(crate) async fn pull_secret(
        &self,
        namespace: &Namespace,
        name: &str,
    ) -> Result<PullSecret, ClusterError> {
        // Names of Secrets are DNS names; another one makes no path of ours.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        let asked = format!("secret {name} in namespace {namespace}");
        if !name.bytes().all(is_plain) {
            return Err(ClusterError::NotFound { resource: asked });
        }
        let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
        let mut secret: SecretObject = self.get(&path, None, "get", &asked).await?;
        let mut content = |member: &str| {
            let text = secret.data.remove(member).unwrap_or_default();
            STANDARD.decode(text).map_err(|_| ClusterError::Malformed {
                asked: asked.clone(),
                at: None,
            })
        };
        Ok(match secret.kind.as_str() {
            "kubernetes.io/dockerconfigjson" => {
                PullSecret::ConfigJson(content(".dockerconfigjson")?)
            }
            "kubernetes.io/dockercfg" => PullSecret::Cfg(content(".dockercfg")?),
            _ => PullSecret::Other,
        })
    }
}
