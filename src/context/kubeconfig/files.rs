//! Which files a kubeconfig is read from, and how they become one.

use std::path::{Path, PathBuf};

use kube::config::Kubeconfig;

use crate::context::{ContextError, Environment};

/// The kubeconfig: one file by flag, which must exist; else the files of `$KUBECONFIG`, of which missing ones are passed over; else the file in
/// the home directory. `None` where there is none, or none with anything in it.
pub(super) fn load(
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
