//! A kubeconfig of exactly the identity that a call resolved: Helm has no flags for `--cluster`, `--user` and client certificates (DESIGN §1.3).

use std::path::absolute;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode};
use serde_json::{Value, json};

use super::HelmError;
use crate::context::Identity;

/// What everything in it is called.
const NAME: &str = "kubectl-tracebloc";

/// How many characters a line of PEM has.
const LINE: usize = 64;

/// The kubeconfig, as JSON, which is YAML. It holds credentials.
pub(super) fn minified(identity: &Identity) -> Result<Vec<u8>, HelmError> {
    let (config, _) = identity.present();
    written(&config, identity.plugin())
}

/// The same of a configuration, whose credentials a plugin may have given: they may end while Helm waits, so that Helm asks the plugin itself.
fn written(config: &kube::Config, plugin: Option<&ExecConfig>) -> Result<Vec<u8>, HelmError> {
    let mut cluster = json!({"server": config.cluster_url.to_string()});
    if let Some(authorities) = &config.root_cert {
        let pem: String = authorities.iter().map(|der| pem(der)).collect();
        cluster["certificate-authority-data"] = STANDARD.encode(pem).into();
    }
    if config.accept_invalid_certs {
        cluster["insecure-skip-tls-verify"] = true.into();
    }
    if let Some(name) = &config.tls_server_name {
        cluster["tls-server-name"] = name.as_str().into();
    }
    if let Some(proxy) = &config.proxy_url {
        cluster["proxy-url"] = proxy.to_string().into();
    }
    if config.disable_compression {
        cluster["disable-compression"] = true.into();
    }
    let user = match plugin.filter(|plugin| !needs_terminal(plugin)) {
        Some(plugin) => AuthInfo {
            exec: Some(plugin.clone()),
            token: None,
            client_certificate_data: None,
            client_key_data: None,
            ..config.auth_info.clone()
        },
        None => config.auth_info.clone(),
    };
    let mut user = serde_json::to_value(user).map_err(|_| HelmError::Kubeconfig)?;
    // A path in a kubeconfig is relative to its folder, and this one is elsewhere.
    for field in ["client-certificate", "client-key", "tokenFile"] {
        if let Some(path) = user.get(field).and_then(Value::as_str) {
            let path = absolute(path).map_err(HelmError::File)?;
            user[field] = path.display().to_string().into();
        }
    }
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": NAME, "user": user}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
    });
    Ok(kubeconfig.to_string().into_bytes())
}

/// True for a plugin that nobody could answer: Helm gets no terminal of us.
fn needs_terminal(plugin: &ExecConfig) -> bool {
    matches!(plugin.interactive_mode, Some(ExecInteractiveMode::Always))
}

fn pem(der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_was_resolved_is_in_it() {
        let mut config = kube::Config::new("https://h:6443/path".parse().unwrap());
        config.root_cert = Some(vec![vec![7; 100]]);
        config.tls_server_name = Some("other".to_owned());
        config.proxy_url = Some("http://p:3128".parse().unwrap());
        config.auth_info.token = Some("hunter2".to_owned().into());
        config.auth_info.impersonate = Some("jane".to_owned());
        config.auth_info.client_key = Some("key.pem".to_owned());
        let written: Value =
            serde_json::from_slice(&super::written(&config, None).unwrap()).unwrap();
        let cluster = &written["clusters"][0]["cluster"];
        assert_eq!(cluster["server"], "https://h:6443/path");
        assert_eq!(cluster["tls-server-name"], "other");
        assert_eq!(cluster["proxy-url"], "http://p:3128/");
        let authority = STANDARD.decode(cluster["certificate-authority-data"].as_str().unwrap());
        let authority = String::from_utf8(authority.unwrap()).unwrap();
        assert!(
            authority.lines().all(|line| line.len() <= LINE),
            "{authority}"
        );
        let user = &written["users"][0]["user"];
        assert_eq!(
            (user["token"].as_str(), user["as"].as_str()),
            (Some("hunter2"), Some("jane"))
        );
        assert!(user["client-key"].as_str().unwrap().starts_with('/'));
        assert_eq!(written["current-context"], written["contexts"][0]["name"]);
    }

    #[test]
    fn a_plugin_is_handed_on_and_what_it_gave_is_not() {
        let mut config = kube::Config::new("https://h:6443".parse().unwrap());
        config.auth_info.token = Some("hunter2".to_owned().into());
        config.auth_info.impersonate = Some("jane".to_owned());
        let plugin = |mode: &str| -> ExecConfig {
            serde_json::from_value(json!({
                "apiVersion": "client.authentication.k8s.io/v1", "command": "get-token", "interactiveMode": mode,
            }))
            .unwrap()
        };
        let user = |mode: &str| -> Value {
            let text = super::written(&config, Some(&plugin(mode))).unwrap();
            let written: Value = serde_json::from_slice(&text).unwrap();
            written["users"][0]["user"].clone()
        };
        let asked = user("IfAvailable");
        assert_eq!(asked["exec"]["command"], "get-token");
        assert_eq!(
            (&asked["token"], &asked["as"]),
            (&Value::Null, &json!("jane"))
        );
        let given = user("Always");
        assert_eq!(
            (&given["token"], &given["exec"]),
            (&json!("hunter2"), &Value::Null)
        );
    }
}
