//! Credentials of the user's Docker configuration. Which file that is, the caller knows.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tracebloc_core::image::Repository;

/// A text that cannot be printed.
#[derive(Clone, PartialEq, Eq)]
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

/// A user name and a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credential {
    /// The user name.
    pub(crate) username: String,
    /// The password, or a token in its place.
    pub(crate) password: Secret,
}

impl Credential {
    /// The value of an `Authorization: Basic` header, without the word `Basic`.
    pub(super) fn basic(&self) -> Secret {
        Secret(STANDARD.encode(format!("{}:{}", self.username, self.password.0)))
    }
}

/// Why a Docker configuration is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CredentialsError {
    /// It is no JSON of the right shape. The text is not repeated: it holds passwords.
    #[error("the Docker configuration is malformed at line {line}, column {column}")]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
}

/// Why a registry's credentials, though configured, are not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotRead {
    /// They are kept by a credential helper.
    Helper(String),
    /// They are an identity token, to be exchanged first.
    IdentityToken,
}

impl fmt::Display for NotRead {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Helper(name) => write!(
                formatter,
                "credential helpers are not read yet, such as `{name}` of the Docker configuration"
            ),
            Self::IdentityToken => formatter.write_str(
                "identity tokens are not read yet, such as the one of the Docker configuration",
            ),
        }
    }
}

/// The registries and credentials of a Docker configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DockerAuths {
    /// The longest path first, so that the first match is the best.
    entries: Vec<Entry>,
    store: Option<String>,
    helpers: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    /// In the form `host[:port][/path]`, Docker Hub as `docker.io`.
    key: String,
    /// None for an identity token.
    credential: Option<Credential>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawConfig {
    #[serde(default)]
    auths: BTreeMap<String, RawAuth>,
    #[serde(default)]
    creds_store: Option<String>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RawAuth {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    identitytoken: String,
}

impl DockerAuths {
    /// Reads a `config.json`. Entries without credentials, which stand for those of a helper, and entries whose `auth` is no
    /// base64 of `user:password`, are left out.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, CredentialsError> {
        let raw: RawConfig =
            serde_json::from_slice(bytes).map_err(|error| CredentialsError::Malformed {
                line: error.line(),
                column: error.column(),
            })?;
        let mut entries: Vec<Entry> = raw
            .auths
            .into_iter()
            .filter_map(|(key, auth)| {
                let identity_token = !auth.identitytoken.is_empty();
                let credential = if identity_token {
                    None
                } else {
                    Some(auth.credential()?)
                };
                Some(Entry {
                    key: normal_key(&key),
                    credential,
                })
            })
            .collect();
        entries.sort_by(|one, other| {
            other
                .key
                .len()
                .cmp(&one.key.len())
                .then_with(|| one.key.cmp(&other.key))
        });
        Ok(Self {
            entries,
            store: raw.creds_store.filter(|store| !store.is_empty()),
            helpers: raw
                .cred_helpers
                .into_iter()
                .map(|(host, helper)| (normal_key(&host), helper))
                .collect(),
        })
    }

    /// The credentials for a repository: those of the entry with the longest path that leads to it.
    pub(crate) fn credential(&self, repository: &Repository) -> Option<&Credential> {
        self.entries
            .iter()
            .find(|entry| entry.covers(repository))
            .and_then(|entry| entry.credential.as_ref())
    }

    /// Why no credentials are given for a repository that the configuration has some for.
    pub(crate) fn not_read(&self, repository: &Repository) -> Option<NotRead> {
        if let Some(helper) = self.helpers.get(repository.registry()) {
            return Some(NotRead::Helper(helper.clone()));
        }
        match self.entries.iter().find(|entry| entry.covers(repository)) {
            Some(Entry {
                credential: Some(_),
                ..
            }) => None,
            Some(Entry {
                credential: None, ..
            }) => Some(NotRead::IdentityToken),
            None => self.store.clone().map(NotRead::Helper),
        }
    }
}

impl RawAuth {
    fn credential(self) -> Option<Credential> {
        let Self {
            auth,
            username,
            password,
            identitytoken: _,
        } = self;
        if !username.is_empty() && !password.is_empty() {
            return Some(Credential {
                username,
                password: Secret(password),
            });
        }
        let decoded = String::from_utf8(STANDARD.decode(auth.trim()).ok()?).ok()?;
        let (username, password) = decoded.split_once(':')?;
        // Docker itself cuts trailing zero bytes, which old versions wrote.
        let password = password.trim_end_matches('\0');
        let complete = !username.is_empty() && !password.is_empty();
        complete.then(|| Credential {
            username: username.to_owned(),
            password: Secret(password.to_owned()),
        })
    }
}

impl Entry {
    fn covers(&self, repository: &Repository) -> bool {
        let name = repository.to_string();
        let rest = name.strip_prefix(self.key.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// `https://index.docker.io/v1/` and the like, reduced to `host[:port][/path]`.
fn normal_key(key: &str) -> String {
    let bare = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
    let host = host.to_ascii_lowercase();
    let host = match host.as_str() {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => "docker.io",
        other => other,
    };
    let path = path.trim_matches('/');
    let path = match path.split_once('/') {
        Some(("v1" | "v2", rest)) => rest,
        None if matches!(path, "v1" | "v2") => "",
        _ => path,
    };
    if path.is_empty() {
        host.to_owned()
    } else {
        format!("{host}/{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(text: &str) -> Repository {
        Repository::parse(text).expect(text)
    }

    fn user_for<'a>(auths: &'a DockerAuths, text: &str) -> Option<&'a str> {
        auths
            .credential(&repository(text))
            .map(|credential| credential.username.as_str())
    }

    #[test]
    fn every_form_of_key_and_secret_is_read() {
        let auth = |user: &str| STANDARD.encode(format!("{user}:pass:word"));
        let config = format!(
            r#"{{"auths":{{
              "https://index.docker.io/v1/":{{"auth":"{}"}},
              "ghcr.io":{{"username":"plain","password":"p"}},
              "ghcr.io/team/":{{"auth":"{}"}},
              "localhost:5000":{{"auth":"{}"}},
              "https://Quay.io":{{"auth":"{}"}},
              "bad.example":{{"auth":"%%%"}},
              "empty.example":{{}},
              "identity.example":{{"auth":"{}","identitytoken":"t"}}}},
              "HttpHeaders":{{"x":"y"}}}}"#,
            auth("hub"),
            auth("team"),
            auth("local"),
            auth("quay"),
            auth("id")
        );
        let auths = DockerAuths::parse(config.as_bytes()).expect("well-formed");
        for (name, user) in [
            ("mysql", Some("hub")),
            ("docker.io/tracebloc/client", Some("hub")),
            ("ghcr.io/other/x", Some("plain")),
            ("ghcr.io/team/x", Some("team")),
            ("ghcr.io/team", Some("team")),
            ("ghcr.io/teammate/x", Some("plain")),
            ("localhost:5000/x", Some("local")),
            ("localhost:5001/x", None),
            ("quay.io/x", Some("quay")),
            ("bad.example/x", None),
            ("empty.example/x", None),
            ("identity.example/x", None),
            ("ghcr.io.evil.example/x", None),
        ] {
            assert_eq!(user_for(&auths, name), user, "{name}");
        }
        let hub = auths.credential(&repository("mysql")).expect("hub");
        assert_eq!(hub.password.expose(), "pass:word");
        assert_eq!(
            auths.not_read(&repository("identity.example/x")),
            Some(NotRead::IdentityToken)
        );
        assert_eq!(auths.not_read(&repository("empty.example/x")), None);
    }

    #[test]
    fn helpers_are_named_where_they_would_be_needed() {
        let config =
            br#"{"auths":{"ghcr.io":{}},"credsStore":"desktop","credHelpers":{"gcr.io":"gcloud"}}"#;
        let auths = DockerAuths::parse(config).expect("well-formed");
        assert_eq!(
            auths.not_read(&repository("gcr.io/x")),
            Some(NotRead::Helper("gcloud".to_owned()))
        );
        assert_eq!(
            auths.not_read(&repository("ghcr.io/x")),
            Some(NotRead::Helper("desktop".to_owned()))
        );
        assert_eq!(auths.credential(&repository("ghcr.io/x")), None);
    }

    #[test]
    fn no_secret_is_printed() {
        let auths =
            DockerAuths::parse(br#"{"auths":{"a.b":{"username":"u","password":"hunter2"}}}"#)
                .expect("well-formed");
        assert!(!format!("{auths:?}").contains("hunter2"));
        let error = DockerAuths::parse(br#"{"auths":{"a.b":{"username":"u","password":"hunter2""#)
            .expect_err("cut off");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
