//! What answers look like: tables for people, JSON, YAML and metrics for programs, markdown for tickets.

/// Appends a line to a String, which cannot fail. Who uses it imports [`std::fmt::Write`].
macro_rules! line {
    ($text:expr, $($argument:tt)*) => {{
        let _infallible = writeln!($text, $($argument)*);
    }};
}

pub(crate) mod explain;
mod layout;
pub(crate) mod markdown;
pub(crate) mod name;
pub(crate) mod outdated;
pub(crate) mod prometheus;
mod rows;
#[cfg(test)]
mod sample;
pub(crate) mod schema;
mod text;

use serde::Serialize;

use crate::error::Error;
use crate::ui::Styles;

/// How much a table shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// What fits a screen.
    Short,
    /// Everything that fits a line.
    Wide,
}

/// How an answer for people looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// Its colours.
    pub(crate) styles: Styles,
    /// How much it shows.
    pub(crate) detail: Detail,
    /// Whether the lines around the table are shown, with its headers.
    pub(crate) headers: bool,
    /// The columns of the terminal; nothing is shortened where there is none.
    pub(crate) width: Option<usize>,
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
