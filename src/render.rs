//! What answers look like: tables for people, JSON and YAML for programs.

/// Appends a line to a String, which cannot fail. Who uses it imports [`std::fmt::Write`].
macro_rules! line {
    ($text:expr, $($argument:tt)*) => {{
        let _infallible = writeln!($text, $($argument)*);
    }};
}

pub(crate) mod explain;
pub(crate) mod outdated;
pub(crate) mod schema;
mod text;

use serde::Serialize;

use crate::error::Error;

/// How much a table shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// What fits a screen.
    Short,
    /// Everything that fits a line.
    Wide,
}

/// The report as JSON, indented, with a newline at its end.
pub(crate) fn json(report: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string_pretty(report)
        .map(|text| text + "\n")
        .map_err(|_| Error::Encode { format: "JSON" })
}

/// The report as YAML.
pub(crate) fn yaml(report: &impl Serialize) -> Result<String, Error> {
    let mut text = serde_saphyr::to_string(report).map_err(|_| Error::Encode { format: "YAML" })?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}
