//! Who we are to a registry: credentials of the user's own configuration files, of the helper programs that these name, and, where the
//! user says so, of the cluster's pull secrets. Which files and secrets those are, the caller knows.

mod config;
mod helper;
mod key;
mod pull_secret;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tracebloc_core::image::Repository;

use helper::Helpers;

pub(crate) use config::{ConfigError, UserCredentials};
pub(crate) use helper::HelperError;
pub(crate) use pull_secret::Keyring;

/// A text that cannot be printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the wire.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// A user name and a password, or a token in its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Login {
    /// The user name.
    pub(super) username: String,
    /// The password.
    pub(super) password: Secret,
}

/// What proves to a registry who asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Credential {
    /// A user name and a password.
    Login(Login),
    /// A token that a token service exchanges for one that the registry takes.
    Identity {
        /// The token.
        token: Secret,
        /// For token services that do not exchange.
        login: Option<Login>,
    },
    /// A token that the registry itself takes.
    Registry(Secret),
}

impl Credential {
    /// The value of an `Authorization: Basic` header, without the word `Basic`; none where there is no user name.
    pub(super) fn basic(&self) -> Option<Secret> {
        let login = match self {
            Self::Login(login) => login,
            Self::Identity { login, .. } => login.as_ref()?,
            Self::Registry(_) => return None,
        };
        let Login { username, password } = login;
        Some(Secret(
            STANDARD.encode(format!("{username}:{}", password.0)),
        ))
    }
}

/// Why credentials that may exist are not known. It carries no part of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    /// A configuration file is of no use.
    #[error("`{}` {problem}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: ConfigError,
    },
    /// The entry for the registry holds no credentials that make sense.
    #[error("the entry `{key}` of `{}` is neither user and password nor a token", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The entry's name, as `host[:port][/path]`.
        key: String,
    },
    /// A pull secret could not be had.
    #[error("the pull secret `{secret}` cannot be used: {reason}")]
    PullSecret {
        /// It, as `NAMESPACE/NAME`.
        secret: String,
        /// Why not, without its content.
        reason: String,
    },
    /// A helper did not do its work.
    #[error(transparent)]
    Helper(#[from] HelperError),
}

/// What is known for one repository.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    /// The credentials, the best first.
    pub(super) credentials: Vec<Credential>,
    /// Why there may be others.
    pub(super) trouble: Option<Trouble>,
}

/// All credentials of one run.
#[derive(Debug, Default)]
pub(super) struct Keychain {
    user: UserCredentials,
    helpers: Helpers,
    lent: Mutex<HashMap<Repository, (Keyring, Option<Trouble>)>>,
}

impl Keychain {
    /// Credentials of these files.
    pub(super) fn new(user: UserCredentials) -> Self {
        Self {
            user,
            helpers: Helpers::default(),
            lent: Mutex::default(),
        }
    }

    /// Adds pull secrets, for one repository.
    pub(super) fn lend(&self, repository: Repository, keyring: Keyring, trouble: Option<Trouble>) {
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        lent.insert(repository, (keyring, trouble));
    }

    /// The credentials for a repository. It may start a helper, so it is for registries that ask who is there.
    pub(super) async fn held(&self, repository: &Repository) -> Held {
        let mut held = Held::default();
        for file in self.user.files() {
            if let Some(helper) = file.helper(repository) {
                let answer = match helper {
                    Ok(name) => self.helpers.get(&name, repository.registry()).await,
                    Err(error) => Err(error),
                };
                match answer {
                    Ok(Some(credential)) => {
                        held.credentials.push(credential);
                        break;
                    }
                    Ok(None) => {}
                    Err(error) => held.trouble = held.trouble.or(Some(error.into())),
                }
            }
            match file.credential(repository) {
                Some(Ok(credential)) => {
                    held.credentials.push(credential.clone());
                    break;
                }
                Some(Err(trouble)) => held.trouble = held.trouble.or(Some(trouble)),
                None => {}
            }
        }
        let lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((keyring, trouble)) = lent.get(repository) {
            held.credentials.extend(keyring.all(repository));
            held.trouble = held.trouble.or_else(|| trouble.clone());
        }
        held.trouble = held.trouble.or_else(|| self.user.trouble().cloned());
        held
    }
}
