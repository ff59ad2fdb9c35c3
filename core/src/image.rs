//! References to container images as users write them, and the content that a runtime says it runs.
//!
//! The grammar and the defaults (`docker.io`, `library/`) are those of Docker's reference package, which the kubelet and every
//! container runtime use too.

mod carried;
mod digest;
mod mirror;
mod name;
mod running;
mod version_tag;

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use carried::{CarriedImage, carried};
pub use digest::{Algorithm, Digest};
pub use mirror::{MirrorError, MirrorSource, Mirrors, Place, RegistryMirror, RegistryRule};
pub use name::{Repository, Tag};
pub use running::{RunningImage, RunningKind};
pub use version_tag::VersionTag;

/// Why a text is no image reference, or no part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// There is no text.
    #[error("an image reference must not be empty")]
    Empty,
    /// The registry part is no host with an optional port.
    #[error("`{text}` is no registry host, with or without a port")]
    Registry {
        /// The part in question.
        text: String,
    },
    /// The repository has upper-case letters, which registries refuse.
    #[error("the repository `{text}` must be lower case")]
    UpperCase {
        /// The part in question.
        text: String,
    },
    /// The repository breaks the grammar of path components.
    #[error(
        "`{text}` is no repository: its parts take lower-case letters and digits, joined by `.`, `_`, `__` or dashes"
    )]
    Repository {
        /// The part in question.
        text: String,
    },
    /// The repository path is longer than registries allow.
    #[error("the repository path is longer than {limit} characters")]
    TooLong {
        /// The most characters allowed.
        limit: usize,
    },
    /// The part after `:` is no tag.
    #[error(
        "`{text}` is no tag: it takes up to 128 letters, digits, `_`, `.` and `-`, and begins with none of the last two"
    )]
    Tag {
        /// The part in question.
        text: String,
    },
    /// The part after `@` is no digest of an algorithm that we know.
    #[error(
        "`{text}` is no digest: `sha256:` with 64 or `sha512:` with 128 lower-case hexadecimal digits"
    )]
    Digest {
        /// The part in question.
        text: String,
    },
    /// 64 hexadecimal digits alone, which Docker reads as the identifier of a local image and not as a name.
    #[error("`{text}` is the identifier of an image, not a reference to one")]
    Identifier {
        /// The text itself.
        text: String,
    },
    /// A container status names its image in a form that no known runtime writes.
    #[error("`{text}` names no content: no digest is in it")]
    NoContent {
        /// The text itself.
        text: String,
    },
}

/// A reference to an image: `[registry/]repository[:tag][@digest]`.
///
/// `Display` and serde give the canonical form, with registry and `library/` written out; [`ImageRef::familiar`] gives the short one.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ImageRef {
    repository: Repository,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

impl ImageRef {
    /// A reference of those parts.
    pub fn new(repository: Repository, tag: Option<Tag>, digest: Option<Digest>) -> Self {
        Self {
            repository,
            tag,
            digest,
        }
    }

    /// Reads a reference by Docker's rules.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        if text.is_empty() {
            return Err(ImageError::Empty);
        }
        if digest::is_lower_hex(text, 64) {
            return Err(ImageError::Identifier {
                text: text.to_owned(),
            });
        }
        let (named, digest) = match text.split_once('@') {
            Some((named, digest)) => (named, Some(Digest::parse(digest)?)),
            None => (text, None),
        };
        let name_start = named.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match named[name_start..].find(':') {
            Some(colon) => {
                let colon = name_start + colon;
                (&named[..colon], Some(Tag::parse(&named[colon + 1..])?))
            }
            None => (named, None),
        };
        Ok(Self {
            repository: Repository::parse(repository)?,
            tag,
            digest,
        })
    }

    /// The repository, with its registry.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The registry's host, with its port where one is given.
    pub fn registry(&self) -> &str {
        self.repository.registry()
    }

    /// The tag as written.
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// The digest as written.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The tag that a runtime resolves: the one written, `latest` where neither tag nor digest is written, none for a bare digest.
    pub fn effective_tag(&self) -> Option<Tag> {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => Some(tag.clone()),
            (None, None) => Some(Tag::latest()),
            (None, Some(_)) => None,
        }
    }

    /// The same repository under another tag, without a digest.
    #[must_use]
    pub fn with_tag(&self, tag: Tag) -> Self {
        Self::new(self.repository.clone(), Some(tag), None)
    }

    /// The same repository pinned to a digest, without a tag.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self::new(self.repository.clone(), None, Some(digest))
    }

    /// The short form that Docker shows: without `docker.io/` and `library/` wherever that still means the same image.
    pub fn familiar(&self) -> String {
        self.with_name(&self.repository.familiar())
    }

    fn with_name(&self, name: &str) -> String {
        let mut text = name.to_owned();
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag.as_str());
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(&digest.to_string());
        }
        text
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.with_name(&self.repository.to_string()))
    }
}

impl FromStr for ImageRef {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for ImageRef {
    type Error = ImageError;

    fn try_from(text: String) -> Result<Self, ImageError> {
        Self::parse(&text)
    }
}

impl From<ImageRef> for String {
    fn from(image: ImageRef) -> Self {
        image.to_string()
    }
}

#[cfg(test)]
mod tests;
