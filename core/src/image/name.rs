//! The parts of a reference: repositories with their registry, and tags.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ImageError, digest};

/// The registry of names that carry none.
const DEFAULT_REGISTRY: &str = "docker.io";

/// Another name of Docker Hub, from the days of its first protocol.
const LEGACY_DEFAULT_REGISTRY: &str = "index.docker.io";

/// The namespace of Docker Hub's names without one.
const OFFICIAL_NAMESPACE: &str = "library/";

/// The longest repository path that registries accept.
const PATH_LIMIT: usize = 255;

/// The longest tag that the OCI distribution specification allows.
const TAG_LIMIT: usize = 128;

/// A repository of a registry, such as `ghcr.io/tracebloc/ingestor`.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Repository {
    registry: String,
    path: String,
}

impl Repository {
    /// Reads `[registry/]path`. The first part is a registry where it has a dot, a colon or an upper-case letter, or is `localhost`.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        if text.is_empty() {
            return Err(ImageError::Empty);
        }
        let (registry, path) = match text.split_once('/') {
            Some((first, rest)) if names_a_registry(first) => (registry_of(first)?, rest),
            _ => (DEFAULT_REGISTRY.to_owned(), text),
        };
        let path = if registry == DEFAULT_REGISTRY && !path.contains('/') {
            format!("{OFFICIAL_NAMESPACE}{path}")
        } else {
            path.to_owned()
        };
        check_path(&path)?;
        Ok(Self { registry, path })
    }

    /// The registry's host, in lower case where that is still a host to Docker, with its port where one is given; `docker.io` for Docker Hub.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path in the registry, `library/` included.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The last part of the path: how people call the image.
    pub fn short_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The short form: without `docker.io/` and `library/` wherever that still means the same repository.
    pub fn familiar(&self) -> String {
        if self.registry != DEFAULT_REGISTRY {
            return self.to_string();
        }
        let short = self
            .path
            .strip_prefix(OFFICIAL_NAMESPACE)
            .filter(|rest| !rest.contains('/') && !digest::is_lower_hex(rest, 64));
        let candidate = short.unwrap_or(&self.path);
        if Self::parse(candidate).as_ref() == Ok(self) {
            candidate.to_owned()
        } else {
            self.to_string()
        }
    }
}

/// Docker's test for a registry in front of the first slash.
fn names_a_registry(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':'])
        || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Checks a host with an optional port, and gives its normal form.
fn registry_of(text: &str) -> Result<String, ImageError> {
    let malformed = || ImageError::Registry {
        text: text.to_owned(),
    };
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or_else(malformed)?;
            address.parse::<Ipv6Addr>().map_err(|_| malformed())?;
            (&text[..address.len() + 2], port)
        }
        None => text
            .find(':')
            .map_or((text, ""), |colon| text.split_at(colon)),
    };
    if !host.starts_with('[') && !host.split('.').all(is_host_label) {
        return Err(malformed());
    }
    if !port.is_empty() {
        let digits = port.strip_prefix(':').ok_or_else(malformed)?;
        let numeric = digits.bytes().all(|byte| byte.is_ascii_digit());
        if !numeric || digits.parse::<u16>().is_err() {
            return Err(malformed());
        }
    }
    let lower = text.to_ascii_lowercase();
    Ok(match lower.as_str() {
        LEGACY_DEFAULT_REGISTRY => DEFAULT_REGISTRY.to_owned(),
        // A host that only its upper-case letters mark as one must keep them to be read again.
        _ if !names_a_registry(&lower) => text.to_owned(),
        _ => lower,
    })
}

fn is_host_label(label: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    edge(label.as_bytes().first())
        && edge(label.as_bytes().last())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn check_path(path: &str) -> Result<(), ImageError> {
    if path.len() > PATH_LIMIT {
        return Err(ImageError::TooLong { limit: PATH_LIMIT });
    }
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(ImageError::UpperCase {
            text: path.to_owned(),
        });
    }
    if path.split('/').all(is_path_component) {
        Ok(())
    } else {
        Err(ImageError::Repository {
            text: path.to_owned(),
        })
    }
}

/// Letters and digits joined by one separator each: a dot, one or two underscores, or dashes.
fn is_path_component(component: &str) -> bool {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(alphanumeric);
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.split(alphanumeric).all(|separator| {
            matches!(separator, b"" | b"." | b"_" | b"__")
                || separator.iter().all(|byte| *byte == b'-')
        })
}

impl fmt::Display for Repository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.path)
    }
}

impl FromStr for Repository {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Repository {
    type Error = ImageError;

    fn try_from(text: String) -> Result<Self, ImageError> {
        Self::parse(&text)
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> Self {
        repository.to_string()
    }
}

/// A tag: a name for content that may move.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Tag(String);

impl Tag {
    /// Reads a tag by the OCI distribution specification's rule.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let begins_well = text.bytes().next().is_some_and(word);
        if begins_well
            && text.len() <= TAG_LIMIT
            && text
                .bytes()
                .all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(ImageError::Tag {
                text: text.to_owned(),
            })
        }
    }

    /// The tag of references that carry neither tag nor digest.
    pub fn latest() -> Self {
        Self("latest".to_owned())
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl FromStr for Tag {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Tag {
    type Error = ImageError;

    fn try_from(text: String) -> Result<Self, ImageError> {
        Self::parse(&text)
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.0
    }
}
