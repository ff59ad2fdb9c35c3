//! The configuration files of Docker and Podman, which have one form: `config.json` and `auth.json`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tracebloc_core::image::Repository;

use super::helper::{HelperError, HelperName};
use super::{Credential, Login, Secret, Trouble, key};

/// Why a configuration file is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    /// It is there and cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(io::ErrorKind),
    /// It is no JSON of the right shape. The text is not repeated: it holds passwords.
    #[error("is malformed at line {line}, column {column}")]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
}

/// The user's configuration files, the first to be asked first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UserCredentials {
    files: Vec<ConfigFile>,
    trouble: Option<Trouble>,
}

impl UserCredentials {
    /// Adds what came of reading a file; one that does not exist counts for nothing. An error is remembered, and answered with the
    /// refusals of registries that the file may have had credentials for.
    pub(crate) fn add(&mut self, path: &Path, read: io::Result<Vec<u8>>) -> Result<(), Trouble> {
        let outcome = match read {
            Ok(bytes) => ConfigFile::parse(path, &bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => Err(ConfigError::Unreadable(error.kind())),
        };
        match outcome {
            Ok(file) => {
                self.files.push(file);
                Ok(())
            }
            Err(problem) => {
                let trouble = Trouble::Config {
                    path: path.to_owned(),
                    problem,
                };
                self.trouble.get_or_insert_with(|| trouble.clone());
                Err(trouble)
            }
        }
    }

    /// The files that could be read.
    pub(super) fn files(&self) -> &[ConfigFile] {
        &self.files
    }

    /// The first file that could not.
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }
}

/// The registries, credentials and helpers of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConfigFile {
    path: PathBuf,
    /// The longest key first, so that the first match is the best.
    entries: Vec<Entry>,
    store: Option<String>,
    helpers: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    /// In the form of [`key::normal`].
    key: String,
    /// None where what is there makes no sense.
    credential: Option<Credential>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawConfig {
    // Go programs write `null` for an empty map.
    auths: Option<BTreeMap<String, RawAuth>>,
    creds_store: Option<String>,
    cred_helpers: Option<BTreeMap<String, String>>,
}

/// An entry of `auths`, which pull secrets have too.
#[derive(Deserialize)]
pub(super) struct RawAuth {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    identitytoken: String,
    #[serde(default)]
    registrytoken: String,
}

impl ConfigFile {
    /// Reads a file. Entries without anything in them stand for those of a helper and are left out.
    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, ConfigError> {
        let RawConfig {
            auths,
            creds_store,
            cred_helpers,
        } = serde_json::from_slice(bytes).map_err(malformed)?;
        let mut entries: Vec<Entry> = auths
            .unwrap_or_default()
            .into_iter()
            .filter(|(_, auth)| !auth.is_empty())
            .map(|(name, auth)| Entry {
                key: key::normal(&name),
                credential: auth.credential(),
            })
            .collect();
        entries.sort_by(|one, other| {
            let length = other.key.len().cmp(&one.key.len());
            length.then_with(|| one.key.cmp(&other.key))
        });
        Ok(Self {
            path: path.to_owned(),
            entries,
            store: creds_store.filter(|name| !name.is_empty()),
            helpers: cred_helpers
                .unwrap_or_default()
                .into_iter()
                .map(|(host, helper)| (key::normal(&host), helper))
                .collect(),
        })
    }

    /// The helper that keeps the credentials for a repository: the one of its registry, else the one for all.
    pub(super) fn helper(
        &self,
        repository: &Repository,
    ) -> Option<Result<HelperName, HelperError>> {
        let name = self.helpers.get(repository.registry());
        let name = name.or(self.store.as_ref())?;
        Some(HelperName::parse(name))
    }

    /// The credentials that the file itself holds for a repository: those of the entry with the longest path that leads to it.
    pub(super) fn credential(
        &self,
        repository: &Repository,
    ) -> Option<Result<&Credential, Trouble>> {
        let mut entries = self.entries.iter();
        let entry = entries.find(|entry| key::covers(&entry.key, repository))?;
        Some(entry.credential.as_ref().ok_or_else(|| Trouble::Entry {
            path: self.path.clone(),
            key: entry.key.clone(),
        }))
    }
}

impl RawAuth {
    /// True where nothing is given, not even nonsense.
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            auth,
            username,
            password,
            identitytoken,
            registrytoken,
        } = self;
        [auth, username, password, identitytoken, registrytoken]
            .iter()
            .all(|text| text.is_empty())
    }

    /// The credentials, where they make sense.
    pub(super) fn credential(self) -> Option<Credential> {
        let (username, password) = self.login().unwrap_or_default();
        let login = |password: String| {
            let complete = !username.is_empty() && !password.is_empty();
            complete.then(|| Login {
                username: username.clone(),
                password: Secret(password),
            })
        };
        if !self.registrytoken.is_empty() {
            return Some(Credential::Registry(Secret(self.registrytoken)));
        }
        if !self.identitytoken.is_empty() {
            // Registries that do not exchange the token take it as the user's password (Azure).
            let login = login(password).or_else(|| login(self.identitytoken.clone()));
            return Some(Credential::Identity {
                token: Secret(self.identitytoken),
                login,
            });
        }
        login(password).map(Credential::Login)
    }

    /// User name and password, either of which may be empty beside a token.
    fn login(&self) -> Option<(String, String)> {
        if !self.username.is_empty() {
            return Some((self.username.clone(), self.password.clone()));
        }
        let decoded = String::from_utf8(STANDARD.decode(self.auth.trim()).ok()?).ok()?;
        let (username, password) = decoded.split_once(':')?;
        // Docker itself cuts trailing zero bytes, which old versions wrote.
        let password = password.trim_end_matches('\0');
        Some((username.to_owned(), password.to_owned()))
    }
}

/// Where a JSON text breaks off from the form, without the text.
#[expect(clippy::needless_pass_by_value, reason = "as `map_err` wants it")]
pub(super) fn malformed(error: serde_json::Error) -> ConfigError {
    ConfigError::Malformed {
        line: error.line(),
        column: error.column(),
    }
}

#[cfg(test)]
mod tests;
