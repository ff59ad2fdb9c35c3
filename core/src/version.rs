//! Versions as Helm reads them.
//!
//! Helm parses versions with Masterminds/semver's lenient `NewVersion`: the minor and patch numbers may be missing, a `v` may stand in front and
//! numbers may have leading zeros. Strict semver parsers refuse such texts, so the rules are written out here.

mod constraint;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

pub use constraint::{Constraint, ConstraintError};

/// The longest version that Helm's parser takes, in bytes.
const LENGTH_LIMIT: usize = 256;

/// Why a text is not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// The text is empty.
    #[error("a version must not be empty")]
    Empty,
    /// The text is longer than Helm's parser takes; it is not repeated.
    #[error("the version is longer than {LENGTH_LIMIT} characters")]
    TooLong,
    /// The text has not the form `MAJOR.MINOR.PATCH-PRERELEASE+BUILD`.
    #[error("`{0}` is not a version: it should look like `1.2.3` or `1.2.3-rc.1`")]
    Malformed(String),
    /// A number of the text does not fit in 64 bits.
    #[error("`{0}` is not a version: a number in it is too large")]
    TooLarge(String),
    /// A numeric identifier of the prerelease begins with a zero, which semver forbids.
    #[error("`{0}` is not a version: a number in its prerelease begins with `0`")]
    LeadingZero(String),
}

/// A version, and the text it was read from.
///
/// Ordered by semver precedence. Versions of the same precedence (`1.2` and `1.2.0`, or two builds) are not equal: the text decides between
/// them, so that order and equality agree. [`Self::precedence_cmp`] leaves the text out.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    major: u64,
    minor: u64,
    patch: u64,
    prerelease: String,
    text: String,
}

impl Version {
    /// Reads a version as Helm does.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        if text.is_empty() {
            return Err(VersionError::Empty);
        }
        if text.len() > LENGTH_LIMIT {
            return Err(VersionError::TooLong);
        }
        let malformed = || VersionError::Malformed(text.to_owned());
        let rest = text.strip_prefix('v').unwrap_or(text);
        let (rest, build) = split(rest, '+');
        let (numbers, prerelease) = split(rest, '-');
        if !build.is_none_or(is_identifiers) || !prerelease.is_none_or(is_identifiers) {
            return Err(malformed());
        }
        let mut parsed = [0; 3];
        for (index, number) in numbers.split('.').enumerate() {
            let slot = parsed.get_mut(index).ok_or_else(malformed)?;
            if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(malformed());
            }
            *slot = number
                .parse()
                .map_err(|_| VersionError::TooLarge(text.to_owned()))?;
        }
        let prerelease = prerelease.unwrap_or_default();
        if prerelease.split('.').any(has_leading_zero) {
            return Err(VersionError::LeadingZero(text.to_owned()));
        }
        let [major, minor, patch] = parsed;
        Ok(Self {
            major,
            minor,
            patch,
            prerelease: prerelease.to_owned(),
            text: text.to_owned(),
        })
    }

    /// The first number.
    pub fn major(&self) -> u64 {
        self.major
    }

    /// The second number; 0 where the text has none.
    pub fn minor(&self) -> u64 {
        self.minor
    }

    /// The third number; 0 where the text has none.
    pub fn patch(&self) -> u64 {
        self.patch
    }

    /// The identifiers after the first `-`; empty for a stable version.
    pub fn prerelease(&self) -> &str {
        &self.prerelease
    }

    /// True for a version with a prerelease part. Kubernetes versions of managed clusters such as `1.33.4-gke.1` count as such too.
    pub fn is_prerelease(&self) -> bool {
        !self.prerelease.is_empty()
    }

    /// The text as it was read.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Semver precedence: build metadata and the way of writing do not count.
    pub fn precedence_cmp(&self, other: &Self) -> Ordering {
        (self.major, self.minor, self.patch)
            .cmp(&(other.major, other.minor, other.patch))
            .then_with(|| match (self.is_prerelease(), other.is_prerelease()) {
                (true, true) => compare_prereleases(&self.prerelease, &other.prerelease),
                (own, others) => others.cmp(&own),
            })
    }

    /// How large the step to another version is: the most significant part in which the two differ, in whichever direction.
    pub fn change_to(&self, newer: &Self) -> Change {
        if self.major != newer.major {
            Change::Major
        } else if self.minor != newer.minor {
            Change::Minor
        } else if self.patch != newer.patch {
            Change::Patch
        } else if self.prerelease != newer.prerelease {
            Change::Prerelease
        } else {
            Change::None
        }
    }
}

/// How large the step between two versions is, the smallest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// The same precedence.
    None,
    /// Only the prerelease part differs.
    Prerelease,
    /// The patch number differs.
    Patch,
    /// The minor number differs.
    Minor,
    /// The major number differs.
    Major,
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::None => "none",
            Self::Prerelease => "prerelease",
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        })
    }
}

fn split(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// True for dot-separated identifiers of letters, digits and `-`.
fn is_identifiers(text: &str) -> bool {
    text.split('.').all(|identifier| {
        !identifier.is_empty()
            && identifier
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

fn has_leading_zero(identifier: &str) -> bool {
    identifier.len() > 1
        && identifier.starts_with('0')
        && identifier.bytes().all(|byte| byte.is_ascii_digit())
}

/// Numbers go before words and by value, words by their bytes, and the shorter list first. A number above 64 bits counts as a word, as in Masterminds.
fn compare_prereleases(left: &str, right: &str) -> Ordering {
    let key = |identifier: &str| identifier.parse::<u64>().ok();
    let mut others = right.split('.');
    for own in left.split('.') {
        let Some(other) = others.next() else {
            return Ordering::Greater;
        };
        let order = match (key(own), key(other)) {
            (Some(own), Some(other)) => own.cmp(&other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => own.cmp(other),
        };
        if order.is_ne() {
            return order;
        }
    }
    match others.next() {
        Some(_) => Ordering::Less,
        None => Ordering::Equal,
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Version {}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.precedence_cmp(other)
            .then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Version({})", self.text)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.text
    }
}

impl JsonSchema for Version {
    fn schema_name() -> Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests;
