//! The environment, read once.

use std::collections::HashMap;
use std::path::PathBuf;

use super::{ContextError, Storage};
use crate::cli::{ConnectionArgs, Invocation, Token};

/// A copy of the environment.
#[derive(Clone, Default)]
pub(crate) struct Environment(HashMap<String, String>);

impl Environment {
    /// The process' environment; variables that are not Unicode are left out.
    pub(crate) fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
        )
    }

    /// A variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Where Helm keeps its records.
    pub(crate) fn storage(&self) -> Result<Storage, ContextError> {
        match self.get("HELM_DRIVER") {
            None | Some("secret" | "secrets") => Ok(Storage::Secrets),
            Some("configmap" | "configmaps") => Ok(Storage::ConfigMaps),
            Some(driver) => Err(ContextError::Driver {
                driver: driver.to_owned(),
            }),
        }
    }

    /// Helm's list of chart repositories, where Helm itself looks for it.
    pub(crate) fn repositories_file(&self) -> Option<PathBuf> {
        if let Some(path) = self.get("HELM_REPOSITORY_CONFIG") {
            return Some(path.into());
        }
        let home = || dirs::home_dir();
        let directory = match (self.get("HELM_CONFIG_HOME"), self.get("XDG_CONFIG_HOME")) {
            (Some(path), _) => PathBuf::from(path),
            (None, Some(path)) => PathBuf::from(path).join("helm"),
            (None, None) if cfg!(target_os = "macos") => home()?.join("Library/Preferences/helm"),
            (None, None) if cfg!(windows) => PathBuf::from(self.get("APPDATA")?).join("helm"),
            (None, None) => home()?.join(".config/helm"),
        };
        Some(directory.join("repositories.yaml"))
    }

    /// Where a Helm may be: the one that calls us as its plugin says how it was called, as its user typed it (FACTS 1.3); else whatever is on the PATH.
    pub(crate) fn helm(&self, invocation: Invocation) -> Vec<PathBuf> {
        let caller = match invocation {
            Invocation::Helm => self.get("HELM_BIN"),
            Invocation::Direct => None,
        };
        let mut places: Vec<PathBuf> = caller.into_iter().map(PathBuf::from).collect();
        places.push("helm".into());
        places.dedup();
        places
    }

    /// Connection flags as Helm hands them on: it takes its own flags away and sets these variables, empty where unused (FACTS 1.3).
    /// A flag that reached us all the same goes before.
    pub(crate) fn helm_connection(
        &self,
        typed: ConnectionArgs,
    ) -> Result<ConnectionArgs, ContextError> {
        let text =
            |typed: Option<String>, name: &str| typed.or_else(|| self.get(name).map(str::to_owned));
        let insecure = match self.get("HELM_KUBEINSECURE_SKIP_TLS_VERIFY") {
            None => None,
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) => {
                return Err(ContextError::Variable {
                    name: "HELM_KUBEINSECURE_SKIP_TLS_VERIFY",
                    expected: "true or false",
                });
            }
        };
        let groups = if typed.impersonate_groups.is_empty() {
            self.helm_groups()
        } else {
            typed.impersonate_groups
        };
        Ok(ConnectionArgs {
            context: text(typed.context, "HELM_KUBECONTEXT"),
            namespace: text(typed.namespace, "HELM_NAMESPACE"),
            server: text(typed.server, "HELM_KUBEAPISERVER"),
            tls_server_name: text(typed.tls_server_name, "HELM_KUBETLS_SERVER_NAME"),
            impersonate: text(typed.impersonate, "HELM_KUBEASUSER"),
            impersonate_groups: groups,
            certificate_authority: typed
                .certificate_authority
                .or_else(|| self.get("HELM_KUBECAFILE").map(PathBuf::from)),
            token: typed.token.or_else(|| {
                self.get("HELM_KUBETOKEN")
                    .map(|token| Token(token.to_owned()))
            }),
            // Helm always sets it: only `true` says something.
            insecure_skip_tls_verify: typed.insecure_skip_tls_verify.or(insecure.filter(|on| *on)),
            ..typed
        })
    }

    /// Helm parses its flags twice, so that each group arrives twice (FACTS 1.3).
    fn helm_groups(&self) -> Vec<String> {
        let mut groups = Vec::new();
        for group in self.get("HELM_KUBEASGROUPS").unwrap_or_default().split(',') {
            if !group.is_empty() && !groups.iter().any(|known| known == group) {
                groups.push(group.to_owned());
            }
        }
        groups
    }
}

#[cfg(test)]
impl Environment {
    /// An environment of these variables alone.
    pub(super) fn from_pairs(variables: &[(&str, &str)]) -> Self {
        Self(
            variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        Self::from_pairs(&variables)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helm_hands_its_flags_on_by_variables() {
        let environment = Environment::from([
            ("HELM_NAMESPACE", "edge"),
            ("HELM_KUBECONTEXT", ""),
            ("HELM_KUBEASGROUPS", "a,b,a,b"),
            ("HELM_KUBEINSECURE_SKIP_TLS_VERIFY", "false"),
            ("HELM_KUBEASUSER", "jane"),
        ]);
        let connection = environment
            .helm_connection(ConnectionArgs::default())
            .unwrap();
        assert_eq!(connection.namespace.as_deref(), Some("edge"));
        assert_eq!(connection.context, None);
        assert_eq!(connection.impersonate_groups, ["a", "b"]);
        assert_eq!(connection.impersonate.as_deref(), Some("jane"));
        assert_eq!(connection.insecure_skip_tls_verify, None);
    }

    #[test]
    fn the_list_of_repositories_is_where_helm_looks_for_it() {
        for (variables, expected) in [
            (
                [
                    ("HELM_REPOSITORY_CONFIG", "/r.yaml"),
                    ("HELM_CONFIG_HOME", "/h"),
                ],
                "/r.yaml",
            ),
            (
                [("HELM_CONFIG_HOME", "/h"), ("XDG_CONFIG_HOME", "/x")],
                "/h/repositories.yaml",
            ),
            (
                [("HELM_CONFIG_HOME", ""), ("XDG_CONFIG_HOME", "/x")],
                "/x/helm/repositories.yaml",
            ),
        ] {
            assert_eq!(
                Environment::from(variables).repositories_file(),
                Some(PathBuf::from(expected))
            );
        }
    }

    #[test]
    fn the_helm_that_calls_goes_before_the_one_on_the_path() {
        let environment = Environment::from([("HELM_BIN", "./helm")]);
        let places = |invocation| environment.helm(invocation);
        assert_eq!(
            places(Invocation::Helm),
            [PathBuf::from("./helm"), "helm".into()]
        );
        assert_eq!(places(Invocation::Direct), [PathBuf::from("helm")]);
    }

    #[test]
    fn storage_follows_helm_driver() {
        assert_eq!(Environment::default().storage().unwrap(), Storage::Secrets);
        assert_eq!(
            Environment::from([("HELM_DRIVER", "configmap")])
                .storage()
                .unwrap(),
            Storage::ConfigMaps
        );
        assert!(
            Environment::from([("HELM_DRIVER", "sql")])
                .storage()
                .is_err()
        );
    }
}
