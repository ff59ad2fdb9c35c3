//! The index of a chart repository, read for one chart.
//!
//! An `index.yaml` lists every version of every chart (helm `pkg/repo/index.go`). Unknown keys are ignored here, where Helm refuses them;
//! duplicate keys are refused, as Helm does; entries that Helm skips with a log line are kept as [`RejectedVersion`].

mod document;
mod history;
mod registry;
mod slice;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::nearest::nearest;
use crate::version::Version;
use crate::yaml::{YamlError, YamlErrorKind};
use document::{Document, Entry, Root};

pub use history::{ChartChanges, ChartHistory, Republished};
pub use registry::ChartConfig;

/// The most similar chart names that an error offers.
const HINT_LIMIT: usize = 5;

/// The versions of one chart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartIndex {
    /// Its versions, newest first.
    pub versions: Vec<ChartVersion>,
    /// Entries that name no usable version, in the order of the index.
    pub rejected: Vec<RejectedVersion>,
}

/// One published version of a chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartVersion {
    /// The version.
    pub version: Version,
    /// The application's version, where the chart names one.
    pub app_version: Option<String>,
    /// The constraint on the server's version, where the chart has one; not parsed.
    pub kube_version: Option<String>,
    /// True if the maintainers call it deprecated. Helm installs it all the same.
    pub deprecated: bool,
    /// True where nothing but the version is known yet: a registry lists tags, and what they hold has to be asked for.
    #[serde(default)]
    pub unread: bool,
    /// SHA-256 of the archive, or of the manifest in a registry: 64 lower-case hexadecimal digits. `None` if the index has none or it is not of that form.
    pub digest: Option<String>,
    /// Where the archive is: absolute, or relative to the repository. Helm uses the first only.
    pub urls: Vec<String>,
}

/// An entry that Helm skips.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RejectedVersion {
    /// Its place among the chart's entries, counted from 1.
    pub position: usize,
    /// The version's text, where there is one.
    pub version: Option<String>,
    /// Why it is skipped.
    pub reason: Rejection,
}

/// Why Helm skips an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rejection {
    /// The entry is null.
    Empty,
    /// It has no name.
    Nameless,
    /// It has no version.
    Versionless,
    /// Its version cannot be read.
    Unreadable,
    /// What the registry has under the tag is no chart.
    NoChart,
}

/// Why an index could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// Nothing but blanks and comments.
    #[error("the index is empty")]
    Empty,
    /// Something else than an index, such as the login page of a proxy.
    #[error("this is {found}, not the index of a chart repository")]
    NotAnIndex {
        /// What it looks like.
        found: &'static str,
    },
    /// Neither JSON nor YAML, or not of an index's shape.
    #[error("the index is damaged: {reason} (line {line}, column {column})")]
    Malformed {
        /// The line, counted from 1; 0 where it is not known.
        line: u64,
        /// The column, counted from 1; 0 where it is not known.
        column: u64,
        /// What is wrong, without content.
        reason: &'static str,
    },
    /// No `apiVersion`, which Helm requires.
    #[error("the index has no `apiVersion`")]
    MissingApiVersion,
    /// No `entries`.
    #[error("the index has no `entries`")]
    MissingEntries,
    /// The repository does not have the chart.
    #[error("the index has no chart `{chart}`{}", Hint(.similar))]
    ChartAbsent {
        /// The chart that was looked for.
        chart: String,
        /// Names that are like it, the most similar first; at most five.
        similar: Vec<String>,
    },
    /// More than is read.
    #[error("the index has too many nodes")]
    TooManyNodes,
}

struct Hint<'names>(&'names [String]);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            write!(
                formatter,
                "{}`{name}`",
                if index == 0 { "; it has " } else { ", " }
            )?;
        }
        Ok(())
    }
}

impl From<YamlError> for IndexError {
    fn from(error: YamlError) -> Self {
        match error.kind {
            YamlErrorKind::TooLarge => Self::TooManyNodes,
            YamlErrorKind::Malformed => Self::Malformed {
                line: error.line,
                column: error.column,
                reason: error.message,
            },
        }
    }
}

impl ChartIndex {
    /// Reads the versions of `chart` from the bytes of an index. The caller limits how many bytes there are.
    pub fn parse(body: &[u8], chart: &str) -> Result<Self, IndexError> {
        let start = body
            .iter()
            .position(|byte| !byte.is_ascii_whitespace())
            .ok_or(IndexError::Empty)?;
        let content = &body[start..];
        if content.starts_with(b"<") {
            return Err(IndexError::NotAnIndex {
                found: markup(content),
            });
        }
        let document = if content.starts_with(b"{") {
            // Flow mappings of YAML begin alike, so what is not JSON may still be an index.
            document::from_json(content, chart).map_or_else(|| full(body, chart), Ok)?
        } else {
            match slice::read(body, chart) {
                Some(document) => document,
                None => full(body, chart)?,
            }
        };
        Self::from_document(document, chart)
    }

    /// An index that answers for these charts as this one does, and is as short as they are: all others are left with their names only. `None`
    /// where it is not written in the style of Helm, so that it cannot be shortened without a full parse.
    pub fn excerpt(body: &[u8], charts: &[&str]) -> Option<Vec<u8>> {
        slice::excerpt(body, charts)
    }

    fn from_document(document: Document, chart: &str) -> Result<Self, IndexError> {
        if document
            .api_version
            .is_none_or(|version| version.is_empty())
        {
            return Err(IndexError::MissingApiVersion);
        }
        let entries = document.entries.ok_or(IndexError::MissingEntries)?;
        let Some(own) = entries.own else {
            return Err(IndexError::ChartAbsent {
                chart: chart.to_owned(),
                similar: nearest(entries.others.iter().map(String::as_str), chart, HINT_LIMIT),
            });
        };
        let mut versions = Vec::new();
        let mut rejected = Vec::new();
        for (index, entry) in own.into_iter().enumerate() {
            match accept(entry) {
                Ok(version) => versions.push(version),
                Err((version, reason)) => rejected.push(RejectedVersion {
                    position: index + 1,
                    version,
                    reason,
                }),
            }
        }
        versions.sort_by(|a, b| b.version.cmp(&a.version));
        Ok(Self { versions, rejected })
    }
}

fn full(body: &[u8], chart: &str) -> Result<Document, IndexError> {
    match document::from_yaml(body, chart)? {
        Root::Index(document) => Ok(document),
        Root::Nothing => Err(IndexError::Empty),
        Root::Other(found) => Err(IndexError::NotAnIndex { found }),
    }
}

fn markup(content: &[u8]) -> &'static str {
    let head = content[..content.len().min(512)].to_ascii_lowercase();
    let has = |wanted: &[u8]| head.windows(wanted.len()).any(|window| window == wanted);
    if has(b"<!doctype html") || has(b"<html") || has(b"<head") || has(b"<body") {
        "an HTML page"
    } else {
        "an XML document"
    }
}

fn accept(entry: Option<Entry>) -> Result<ChartVersion, (Option<String>, Rejection)> {
    let entry = entry.ok_or((None, Rejection::Empty))?;
    let text = entry.version.filter(|version| !version.is_empty());
    if entry.name.is_none_or(|name| name.is_empty()) {
        return Err((text, Rejection::Nameless));
    }
    let text = text.ok_or((None, Rejection::Versionless))?;
    let Ok(version) = Version::parse(&text) else {
        return Err((Some(text), Rejection::Unreadable));
    };
    Ok(ChartVersion {
        version,
        app_version: entry.app_version.filter(|text| !text.is_empty()),
        kube_version: entry.kube_version.filter(|text| !text.is_empty()),
        deprecated: entry.deprecated.unwrap_or_default(),
        unread: false,
        digest: entry.digest.as_deref().and_then(digest),
        urls: entry.urls.unwrap_or_default(),
    })
}

fn digest(text: &str) -> Option<String> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    let whole = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then(|| hex.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
