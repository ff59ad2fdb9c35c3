//! The user's chart repositories: Helm's `repositories.yaml`. Which file that is, the caller knows.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use reqwest::{Certificate, Identity};
use serde::Deserialize;
use tracebloc_core::assess::source::UserRepository;
use tracebloc_core::snapshot::{Gap, GapReason};
use tracebloc_core::yaml::{YamlError, from_slice};

use super::ChartsError;
use crate::error::chain;
use crate::http::TlsOptions;

/// The largest file that is read: real ones have a few kilobytes.
const SIZE_LIMIT: u64 = 1024 * 1024;

/// Why a file of repositories is not used. Its content is never repeated: it holds passwords.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RepositoriesError {
    /// It could not be read.
    #[error("`{}` could not be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is larger than any list of repositories.
    #[error("`{}` is larger than {SIZE_LIMIT} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is no list of repositories.
    #[error("`{}` is no list of chart repositories", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why, without content.
        source: YamlError,
    },
}

impl RepositoriesError {
    /// The same as a gap in a snapshot.
    pub(crate) fn gap(&self) -> Gap {
        Gap {
            asked: "the chart repositories of the user".to_owned(),
            reason: match self {
                Self::Unreadable { .. } => GapReason::Failed,
                Self::TooLarge { .. } | Self::Malformed { .. } => GapReason::Malformed,
            },
            message: chain(self),
        }
    }
}

/// The entries of a `repositories.yaml`.
#[derive(Debug, Default)]
pub(crate) struct Repositories {
    entries: Vec<Entry>,
}

/// One repository, and how it is asked.
#[derive(Debug)]
struct Entry {
    named: UserRepository,
    access: Access,
}

/// How one repository is asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Access {
    /// The value of the `Authorization` header; it does not print.
    pub(super) authorization: Option<HeaderValue>,
    /// True if credentials may go to other hosts too.
    pub(super) everywhere: bool,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    authority: Option<PathBuf>,
    insecure: bool,
}

#[derive(Deserialize)]
struct RawFile {
    repositories: Option<Vec<Option<RawEntry>>>,
}

#[derive(Deserialize)]
struct RawEntry {
    name: Option<String>,
    url: Option<String>,
    username: Option<String>,
    password: Option<String>,
    #[serde(rename = "certFile")]
    cert_file: Option<PathBuf>,
    #[serde(rename = "keyFile")]
    key_file: Option<PathBuf>,
    #[serde(rename = "caFile")]
    ca_file: Option<PathBuf>,
    insecure_skip_tls_verify: Option<bool>,
    pass_credentials_all: Option<bool>,
}

impl Repositories {
    /// No entries at all.
    pub(crate) const fn none() -> Self {
        Self {
            entries: Vec::new(),
        }
    }

    /// Reads a file. One that does not exist has no entries.
    pub(crate) fn read(path: &Path) -> Result<Self, RepositoriesError> {
        let unreadable = |source| RepositoriesError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(unreadable(error)),
        };
        let mut bytes = Vec::new();
        file.take(SIZE_LIMIT + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > SIZE_LIMIT) {
            return Err(RepositoriesError::TooLarge {
                path: path.to_owned(),
            });
        }
        Self::parse(&bytes).map_err(|source| RepositoriesError::Malformed {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads the content of a file. Entries without a name or a URL are left out, as nobody can mean them.
    fn parse(bytes: &[u8]) -> Result<Self, YamlError> {
        let raw: Option<RawFile> = from_slice(bytes)?;
        let entries = raw.and_then(|raw| raw.repositories).unwrap_or_default();
        Ok(Self {
            entries: entries
                .into_iter()
                .flatten()
                .filter_map(RawEntry::accept)
                .collect(),
        })
    }

    /// What the judgement may know of the entries, in their order.
    pub(crate) fn named(&self) -> Vec<UserRepository> {
        self.entries
            .iter()
            .map(|entry| entry.named.clone())
            .collect()
    }

    /// How the entry of that name is asked.
    pub(super) fn access(&self, name: &str) -> Option<&Access> {
        self.entries
            .iter()
            .find(|entry| entry.named.name == name)
            .map(|entry| &entry.access)
    }
}

impl RawEntry {
    fn accept(self) -> Option<Entry> {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        let file = |path: Option<PathBuf>| path.filter(|path| !path.as_os_str().is_empty());
        let named = UserRepository {
            name: filled(self.name)?,
            secret_url: filled(self.url)?,
        };
        // Helm sends credentials only where both are there.
        let authorization = filled(self.username)
            .zip(filled(self.password))
            .and_then(|(user, password)| basic(&user, &password));
        Some(Entry {
            named,
            access: Access {
                authorization,
                everywhere: self.pass_credentials_all.unwrap_or_default(),
                certificate: file(self.cert_file),
                key: file(self.key_file),
                authority: file(self.ca_file),
                insecure: self.insecure_skip_tls_verify.unwrap_or_default(),
            },
        })
    }
}

/// The header value for a user name and a password; base64 always makes one.
pub(super) fn basic(user: &str, password: &str) -> Option<HeaderValue> {
    let text = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

impl Access {
    /// True if it says who asks, so that the answer is not for everyone, or does not check who answers, so that others must not rely on it.
    pub(super) fn is_personal(&self) -> bool {
        self.authorization.is_some() || self.certificate.is_some() || self.insecure
    }

    /// The TLS options, where there are any, with the files that they name.
    pub(super) fn tls(&self) -> Result<Option<TlsOptions>, ChartsError> {
        if self.certificate.is_none()
            && self.key.is_none()
            && self.authority.is_none()
            && !self.insecure
        {
            return Ok(None);
        }
        let authorities = match &self.authority {
            Some(path) => Some(authorities(path)?),
            None => None,
        };
        let identity = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some(identity(certificate, key)?),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(ChartsError::HalfIdentity),
        };
        Ok(Some(TlsOptions {
            authorities,
            identity,
            insecure: self.insecure,
        }))
    }
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, ChartsError> {
    let what = "the certificate authority";
    let certificates = Certificate::from_pem_bundle(&pem(what, path)?)
        .map_err(|_| ChartsError::no_pem(what, path))?;
    if certificates.is_empty() {
        return Err(ChartsError::no_pem(what, path));
    }
    Ok(certificates)
}

fn identity(certificate: &Path, key: &Path) -> Result<Identity, ChartsError> {
    let mut both = pem("the client certificate", certificate)?;
    both.push(b'\n');
    both.extend(pem("the client key", key)?);
    // The cause is not told: it may hold part of the key.
    Identity::from_pem(&both)
        .map_err(|_| ChartsError::no_pem("the client certificate", certificate))
}

fn pem(what: &'static str, path: &Path) -> Result<Vec<u8>, ChartsError> {
    std::fs::read(path).map_err(|source| ChartsError::File {
        what,
        path: path.to_owned(),
        source: Arc::new(source),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "apiVersion: \"\"\ngenerated: \"0001-01-01T00:00:00Z\"\nrepositories:\n- name: a\n  url: https://a.example/charts\n  username: jane\n  password: hunter2\n  pass_credentials_all: true\n- {name: b, url: 'https://u:hunter3@b.example', caFile: /ca.pem, insecure_skip_tls_verify: false, username: jane}\n- {name: '', url: 'https://c.example'}\n-\n- {name: d}\n";

    #[test]
    fn entries_are_read_and_never_print_a_secret() {
        let read = Repositories::parse(FILE.as_bytes()).unwrap();
        let names: Vec<String> = read.named().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["a", "b"]);
        let access = read.access("a").unwrap();
        assert_eq!(
            access.authorization.as_ref().unwrap().as_bytes(),
            b"Basic amFuZTpodW50ZXIy"
        );
        assert!(access.everywhere && access.is_personal());
        assert!(access.tls().unwrap().is_none());
        let access = read.access("b").unwrap();
        assert!(!access.is_personal(), "a user name alone is none");
        assert!(access.tls().is_err(), "the authority is not there");
        let printed = format!("{read:?} {:?}", read.named());
        for secret in ["hunter", "amFuZTpodW50ZXIy"] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }

    #[test]
    fn files_without_entries_and_damaged_ones() {
        for text in [
            "",
            "apiVersion: v1\n",
            "repositories:\n",
            "repositories: []",
        ] {
            let read = Repositories::parse(text.as_bytes()).unwrap();
            assert!(read.named().is_empty(), "{text}");
        }
        for text in [
            "- hunter2",
            "repositories: hunter2",
            "repositories: [{name: [hunter2",
        ] {
            let error = Repositories::parse(text.as_bytes()).unwrap_err();
            assert!(
                !format!("{error} {error:?}").contains("hunter2"),
                "{error:?}"
            );
        }
        assert!(
            Repositories::read(Path::new("/no/such/file"))
                .unwrap()
                .named()
                .is_empty()
        );
        assert!(Repositories::read(&std::env::temp_dir()).is_err());
    }

    #[test]
    fn a_certificate_without_a_key_is_refused() {
        let access = Access {
            certificate: Some("/c.pem".into()),
            ..Access::default()
        };
        assert!(matches!(access.tls(), Err(ChartsError::HalfIdentity)));
    }

    #[test]
    fn fuzzed() {
        let words = [
            "- name: ",
            "url: ",
            "password: ",
            "&a ",
            "*a",
            "<<: *a",
            "https://",
            "@",
        ];
        tracebloc_fuzz::fuzz("repositories.yaml", &[FILE.as_bytes()], &words, |bytes| {
            match Repositories::parse(bytes) {
                Ok(read) => {
                    for named in read.named() {
                        assert!(!named.name.is_empty());
                        assert!(read.access(&named.name).is_some());
                    }
                }
                Err(error) => assert!(!error.to_string().contains("hunter"), "{error}"),
            }
        });
    }
}
