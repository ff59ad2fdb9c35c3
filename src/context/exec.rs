//! Credential plugins of kubeconfigs (client-go's `exec` provider, `client.authentication.k8s.io`).
//!
//! kube runs a plugin two to four times for one client, waits for it without end, and repeats in its error what the plugin printed. Here it runs
//! once, in the time that it has, and nothing of its answer is ever shown. Only the user's own kubeconfig names a plugin.

use std::io::IsTerminal as _;
use std::process::Stdio;
use std::time::Duration;

use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode};
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;
use tracebloc_core::yaml;

use crate::process::{self, Printed};

/// How long a plugin may take that nobody can talk to. One that may ask a person has no limit.
const DEADLINE: Duration = Duration::from_secs(30);

/// The most bytes of a plugin's answer.
const ANSWER_LIMIT: u64 = 1024 * 1024;

/// Why a plugin gave no credentials. What it printed is not repeated: it may hold secrets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PluginError {
    /// The kubeconfig names no command.
    #[error("the kubeconfig names no command")]
    NoCommand,
    /// There is no such program.
    #[error("the program is not there")]
    Missing {
        /// What the kubeconfig says of how to install it.
        install_hint: Option<String>,
    },
    /// It could not be started, or read from.
    #[error("the program cannot be run")]
    Run(#[source] std::io::Error),
    /// It wants to ask a person, and there is none.
    #[error("it wants a terminal to ask on, and standard input is none")]
    NoTerminal,
    /// It ended with an error, of which it told on stderr.
    #[error("it failed ({0}); what it says of that is above")]
    Failed(std::process::ExitStatus),
    /// It did not end.
    #[error("it did not answer within {} s", DEADLINE.as_secs())]
    Timeout,
    /// Its answer is no `ExecCredential`.
    #[error("it printed no ExecCredential of `{version}`")]
    Malformed {
        /// The API version that it was asked in.
        version: String,
    },
    /// Its answer holds nothing to show to the server.
    #[error("its ExecCredential holds neither a token nor a certificate with its key")]
    Empty,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecCredential {
    api_version: String,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    client_certificate_data: Option<String>,
    #[serde(default)]
    client_key_data: Option<String>,
}

/// Runs the plugin of a user, if there is one and nothing goes before it, and puts what it gave in its place.
pub(super) async fn authenticate(user: &mut AuthInfo) -> Result<(), (String, PluginError)> {
    let Some(plugin) = user.exec.take() else {
        return Ok(());
    };
    if has_own(user) {
        return Ok(());
    }
    let name = plugin.command.clone().unwrap_or_default();
    let status = run(&plugin).await.map_err(|error| (name, error))?;
    user.token = status.token.map(Into::into);
    if let (Some(certificate), Some(key)) = (status.client_certificate_data, status.client_key_data)
    {
        user.client_certificate = None;
        user.client_key = None;
        // The kubeconfig carries PEM in base64, a plugin plain PEM.
        user.client_certificate_data = Some(encode(&certificate));
        user.client_key_data = Some(encode(&key).into());
    }
    Ok(())
}

/// True where the kubeconfig says itself as whom to ask, which goes before a plugin.
pub(super) fn has_own(user: &AuthInfo) -> bool {
    user.token.is_some() || user.token_file.is_some() || user.username.is_some()
}

/// Takes out what a plugin gave, so that it can be asked again.
pub(super) fn forget(user: &mut AuthInfo) {
    user.token = None;
    user.client_certificate_data = None;
    user.client_key_data = None;
}

fn encode(pem: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(pem)
}

async fn run(plugin: &ExecConfig) -> Result<Status, PluginError> {
    let command = plugin
        .command
        .as_deref()
        .filter(|command| !command.is_empty())
        .ok_or(PluginError::NoCommand)?;
    let is_interactive = may_ask(plugin.interactive_mode.as_ref())?;
    let version = plugin
        .api_version
        .clone()
        .unwrap_or_else(|| "client.authentication.k8s.io/v1beta1".to_owned());
    let mut spec = json!({"interactive": is_interactive});
    if plugin.provide_cluster_info {
        spec["cluster"] = json!(plugin.cluster);
    }
    let info = json!({"apiVersion": version, "kind": "ExecCredential", "spec": spec});
    let mut program = Command::new(command);
    program
        .args(plugin.args.iter().flatten())
        .env("KUBERNETES_EXEC_INFO", info.to_string())
        .stdin(if is_interactive {
            Stdio::inherit()
        } else {
            Stdio::null()
        });
    for variable in plugin.env.iter().flatten() {
        if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
            program.env(name, value);
        }
    }
    let answer = output(program, plugin);
    let printed = if is_interactive {
        answer.await?
    } else {
        timeout(DEADLINE, answer)
            .await
            .map_err(|_elapsed| PluginError::Timeout)??
    };
    read(&printed, version)
}

/// Whether the plugin may use the terminal (client-go's `isInteractive`).
fn may_ask(mode: Option<&ExecInteractiveMode>) -> Result<bool, PluginError> {
    let is_terminal = std::io::stdin().is_terminal();
    match mode {
        Some(ExecInteractiveMode::Never) => Ok(false),
        Some(ExecInteractiveMode::Always) if !is_terminal => Err(PluginError::NoTerminal),
        Some(ExecInteractiveMode::Always) => Ok(true),
        Some(ExecInteractiveMode::IfAvailable) | None => Ok(is_terminal),
    }
}

/// What the plugin prints until it ends with success.
async fn output(command: Command, plugin: &ExecConfig) -> Result<Vec<u8>, PluginError> {
    let asked = process::ask(command, None, ANSWER_LIMIT).await;
    let Printed { status, output } = asked.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => PluginError::Missing {
            install_hint: plugin.install_hint.clone(),
        },
        _ => PluginError::Run(error),
    })?;
    if status.success() {
        Ok(output)
    } else {
        Err(PluginError::Failed(status))
    }
}

fn read(printed: &[u8], version: String) -> Result<Status, PluginError> {
    let credential: ExecCredential = match yaml::from_slice(printed) {
        Ok(credential) => credential,
        Err(_) => return Err(PluginError::Malformed { version }),
    };
    if credential.api_version != version {
        return Err(PluginError::Malformed { version });
    }
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let Status {
        token,
        client_certificate_data,
        client_key_data,
    } = credential.status.unwrap_or_default();
    let status = Status {
        token: filled(token),
        client_certificate_data: filled(client_certificate_data),
        client_key_data: filled(client_key_data),
    };
    let has_pair = status.client_certificate_data.is_some() && status.client_key_data.is_some();
    if status.token.is_none() && !has_pair {
        return Err(PluginError::Empty);
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: &str = "client.authentication.k8s.io/v1";

    fn answer(text: &str) -> Result<Status, PluginError> {
        read(text.as_bytes(), VERSION.to_owned())
    }

    #[test]
    fn json_and_yaml_are_read() {
        for text in [
            r#"{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "t"}}"#,
            "apiVersion: client.authentication.k8s.io/v1\nkind: ExecCredential\nstatus:\n  token: t\n",
        ] {
            assert_eq!(answer(text).unwrap().token.unwrap(), "t");
        }
    }

    #[test]
    fn what_is_no_credential_is_refused_and_not_repeated() {
        for text in [
            "hunter2",
            r#"{"apiVersion": "client.authentication.k8s.io/v1beta1", "status": {"token": "hunter2"}}"#,
            r#"{"apiVersion": "client.authentication.k8s.io/v1", "status": {"clientCertificateData": "hunter2"}}"#,
            r#"{"apiVersion": "client.authentication.k8s.io/v1", "status": {"token": ""}}"#,
        ] {
            let error = answer(text).err().unwrap();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{text}");
        }
    }
}
