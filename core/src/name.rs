//! Names of things in a cluster, parsed once so that the rest can trust them.
//!
//! The rules are those of Kubernetes (RFC 1123 labels) and of Helm (`chartutil.ValidateReleaseName`).

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest namespace name: an RFC 1123 label.
const NAMESPACE_LIMIT: usize = 63;

/// The longest release name that Helm accepts, so that derived object names still fit in 63 characters.
const RELEASE_NAME_LIMIT: usize = 53;

/// Why a text is not a valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a {what} must not be empty")]
    Empty {
        /// What the text should have named.
        what: &'static str,
    },
    /// The text is longer than the API server or Helm allows.
    #[error("the {what} `{text}` is longer than {limit} characters")]
    TooLong {
        /// What the text should have named.
        what: &'static str,
        /// The text itself.
        text: String,
        /// The most characters allowed.
        limit: usize,
    },
    /// The text has a character that is not allowed where it stands.
    #[error(
        "the {what} `{text}` is not valid: it takes lower-case letters, digits and `-`{extra}, and begins and ends with a letter or digit"
    )]
    Malformed {
        /// What the text should have named.
        what: &'static str,
        /// The text itself.
        text: String,
        /// Further characters this kind of name allows.
        extra: &'static str,
    },
}

/// True for an RFC 1123 label, without its length rule.
fn is_label(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    edge(text.as_bytes().first())
        && edge(text.as_bytes().last())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

macro_rules! name_type {
    ($(#[$docs:meta])* $name:ident) => {
        $(#[$docs])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }
    };
}

name_type! {
    /// A Kubernetes namespace: an RFC 1123 label.
    Namespace
}

name_type! {
    /// A Helm release name: RFC 1123 labels joined by dots, 53 characters at most.
    ReleaseName
}

name_type! {
    /// The name of a chart, as in `metadata.name` of its `Chart.yaml`. Helm allows any text there; we only refuse none.
    ChartName
}

name_type! {
    /// The name of a kubeconfig context: any text that is not empty.
    ContextName
}

impl Namespace {
    /// Parses a namespace name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let what = "namespace";
        check_length(text, what, NAMESPACE_LIMIT)?;
        if is_label(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(malformed(text, what, ""))
        }
    }
}

impl ReleaseName {
    /// Parses a release name by Helm's rule.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let what = "release name";
        check_length(text, what, RELEASE_NAME_LIMIT)?;
        if text.split('.').all(is_label) {
            Ok(Self(text.to_owned()))
        } else {
            Err(malformed(text, what, " and `.`"))
        }
    }
}

impl ChartName {
    /// Parses a chart name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_length(text, "chart name", usize::MAX)?;
        Ok(Self(text.to_owned()))
    }
}

impl ContextName {
    /// Parses a context name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_length(text, "context name", usize::MAX)?;
        Ok(Self(text.to_owned()))
    }
}

fn check_length(text: &str, what: &'static str, limit: usize) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { what });
    }
    if text.len() > limit {
        return Err(NameError::TooLong {
            what,
            text: text.to_owned(),
            limit,
        });
    }
    Ok(())
}

fn malformed(text: &str, what: &'static str, extra: &'static str) -> NameError {
    NameError::Malformed {
        what,
        text: text.to_owned(),
        extra,
    }
}

/// A release in a cluster: Helm's names are unique per namespace only.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct ReleaseId {
    /// The namespace that holds the release's records.
    pub namespace: Namespace,
    /// The release's name.
    pub name: ReleaseName,
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn namespaces_follow_rfc_1123() {
        for good in ["a", "tracebloc", "a-b", "0", &"x".repeat(63)] {
            assert!(Namespace::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "-a", "a-", "a.b", "a_b", "ä", &"x".repeat(64)] {
            assert!(Namespace::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn release_names_follow_helm() {
        for good in ["a", "a.b", "a-1.b-2", &"x".repeat(53)] {
            assert!(ReleaseName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "a..b", ".a", "a.", "a/b", &"x".repeat(54)] {
            assert!(ReleaseName::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_parsed_name_prints_as_it_was_written(text in ".{0,70}") {
            if let Ok(name) = ReleaseName::parse(&text) {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
