//! Reading YAML as Helm does. All use of the YAML library is here.
//!
//! Helm reads the scalars of YAML 1.1 (`no` is false, `010` is 8) and refuses duplicate keys. The values of releases pass through here, so no
//! error repeats anything that a document holds.

mod node;
mod plain;

use serde::de::{DeserializeOwned, DeserializeSeed};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, Options};

/// The most nodes read: forty times the library's own limit, which a large public chart repository exceeds.
const NODE_LIMIT: usize = 10_000_000;

/// The most events kept for later aliases: a hundred times what a rich values file anchors.
const ANCHORED_LIMIT: usize = 100_000;

/// What kind of mistake a document has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum YamlErrorKind {
    /// It is not YAML, or not of the expected shape.
    Malformed,
    /// It has more nodes or aliases, or is nested deeper, than is read.
    TooLarge,
}

/// Why a document could not be read, without anything that it holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (line {line}, column {column})")]
pub struct YamlError {
    /// The line, counted from 1; 0 where it is not known.
    pub line: u64,
    /// The column, counted from 1; 0 where it is not known.
    pub column: u64,
    /// What is wrong, in words of our own.
    pub message: &'static str,
    /// Which kind of mistake it is.
    pub kind: YamlErrorKind,
}

/// Reads one document.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, YamlError> {
    serde_saphyr::from_slice_with_options(bytes, options()).map_err(|error| describe(&error))
}

/// Reads one document of a manifest. As [`from_slice`], but quick where it is written as charts write.
pub(crate) fn from_document<T: DeserializeOwned>(document: &str) -> Result<T, YamlError> {
    let quick = plain::read(document).and_then(|node| T::deserialize(node).ok());
    match quick {
        Some(value) => Ok(value),
        None => from_slice(document.as_bytes()),
    }
}

/// Reads one document of our own by way of a tree. What is read so is read once and small, and each type that is not read from YAML itself leaves
/// the program some kilobytes smaller.
pub(crate) fn from_tree<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, YamlError> {
    let tree: serde_json::Value = from_slice(bytes)?;
    serde_json::from_value(tree).map_err(|_| YamlError {
        line: 0,
        column: 0,
        message: "a field is missing, unknown or of the wrong type",
        kind: YamlErrorKind::Malformed,
    })
}

/// Reads one document into what a seed makes of it.
pub(crate) fn from_slice_seed<T>(
    bytes: &[u8],
    seed: impl for<'de> DeserializeSeed<'de, Value = T>,
) -> Result<T, YamlError> {
    serde_saphyr::with_deserializer_from_slice_with_options(bytes, options(), |deserializer| {
        seed.deserialize(deserializer)
    })
    .map_err(|error| describe(&error))
}

/// The documents of a manifest, without their `---` lines. Those of blanks and comments only are left out.
pub fn documents(manifest: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(manifest);
    std::iter::from_fn(move || {
        let text = rest?;
        let (document, after) = match separator(text) {
            Some((start, end)) => (&text[..start], Some(&text[end..])),
            None => (text, None),
        };
        rest = after;
        Some(document)
    })
    .filter(|document| {
        document
            .lines()
            .map(str::trim)
            .any(|line| !line.is_empty() && !line.starts_with('#'))
    })
}

/// The bounds of the first `---`, which stands at the beginning of a line and alone or before a blank. What follows on its line is content.
fn separator(text: &str) -> Option<(usize, usize)> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if let Some(after) = line.strip_prefix("---")
            && after.chars().next().is_none_or(char::is_whitespace)
        {
            return Some((start, start + 3));
        }
        start += line.len();
    }
    None
}

fn options() -> Options {
    let mut budget = serde_saphyr::Budget::default();
    budget.max_nodes = NODE_LIMIT;
    budget.max_events = 2 * NODE_LIMIT;
    budget.max_total_scalar_bytes = usize::MAX;
    budget.max_recorded_anchor_events = ANCHORED_LIMIT;
    serde_saphyr::options! {
        budget: Some(budget),
        legacy_octal_numbers: true,
        with_snippet: false,
    }
}

fn describe(error: &Error) -> YamlError {
    let location = error.without_snippet().location();
    let error = innermost(error);
    let kind = match error {
        Error::Budget { breach, .. } if !matches!(breach, BudgetBreach::SequenceUnbalanced) => {
            YamlErrorKind::TooLarge
        }
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => YamlErrorKind::TooLarge,
        _ => YamlErrorKind::Malformed,
    };
    YamlError {
        line: location.map_or(0, |location| location.line()),
        column: location.map_or(0, |location| location.column()),
        message: reason(error, kind),
        kind,
    }
}

/// The error itself, out of what says that it was met while an alias was expanded.
fn innermost(error: &Error) -> &Error {
    match error.without_snippet() {
        Error::AliasError { error: inner, .. } => innermost(inner),
        plain => plain,
    }
}

/// The library's own texts may hold keys and values of the document, so none of them is passed on.
fn reason(error: &Error, kind: YamlErrorKind) -> &'static str {
    match error {
        _ if kind == YamlErrorKind::TooLarge => "the document is too large or nested too deep",
        Error::Eof { .. } => "the document ends too early",
        Error::MultipleDocuments { .. } => "there is more than one document",
        Error::DuplicateMappingKey { .. } => "a key is there twice",
        Error::SerdeMissingField { .. } => "a field is missing",
        Error::SerdeUnknownField { .. } => "a field is not known",
        Error::UnknownAnchor { .. } => "an alias has no anchor",
        Error::InvalidUtf8Input => "the text is not UTF-8",
        Error::ExternalMessage { .. } => "the text is not valid YAML",
        _ => "a value is not of the expected kind",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn scalars_are_read_as_helm_reads_them() {
        let read: Value =
            from_slice(b"a: no\nb: on\nc: y\nd: 010\ne: 1.10\nf: 0x10\ng: 2026-01-02\nh: '010'\n")
                .unwrap();
        assert_eq!(
            read,
            json!({"a": false, "b": true, "c": true, "d": 8, "e": 1.1, "f": 16, "g": "2026-01-02", "h": "010"})
        );
    }

    #[test]
    fn errors_tell_the_place_and_nothing_that_the_document_holds() {
        for text in [
            "a: s3cret\nb: s3cret\nb: s3cret\n",
            "a:\n  - s3cret\n bad: s3cret\n",
            "s3cret: [1, s3cret\n",
            "a: *s3cret\n",
            "- s3cret\n",
            "a: !s3cret {b: \"s3cret}\n",
            "a: 1\n---\nb: s3cret\n",
        ] {
            let error =
                from_slice::<std::collections::BTreeMap<String, u8>>(text.as_bytes()).unwrap_err();
            assert!(
                !format!("{error} {error:?}").contains("s3cret"),
                "{error:?}"
            );
            assert!(error.line > 0 && error.column > 0, "{text:?} {error:?}");
        }
    }

    #[test]
    fn duplicate_keys_are_refused_at_their_place() {
        let error = from_slice::<Value>(b"a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!(error.to_string(), "a key is there twice (line 3, column 1)");
    }

    #[test]
    fn deep_nesting_and_alias_bombs_are_refused() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(from_slice::<Value>(deep.as_bytes()).is_err());
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(
                &[
                    "a",
                    &level.to_string(),
                    ": &a",
                    &level.to_string(),
                    " [",
                    &aliases,
                    "]\n",
                ]
                .concat(),
            );
        }
        assert_eq!(
            from_slice::<Value>(bomb.as_bytes()).unwrap_err().kind,
            YamlErrorKind::TooLarge
        );
    }

    #[test]
    fn large_documents_are_read() {
        let large = "- a\n".repeat(300_000);
        assert_eq!(
            from_slice::<Vec<String>>(large.as_bytes()).unwrap().len(),
            300_000
        );
    }

    #[test]
    fn a_manifest_is_split_at_its_separators_only() {
        let manifest =
            "---\n# only a comment\n---\r\na: 1\n--- \nb: |\n  ---\n  x\n---c: 2\n--- {d: 3}\n---";
        let split: Vec<&str> = documents(manifest).collect();
        assert_eq!(
            split,
            ["\r\na: 1\n", " \nb: |\n  ---\n  x\n---c: 2\n", " {d: 3}\n"]
        );
        assert_eq!(documents("").count(), 0);
    }
}
