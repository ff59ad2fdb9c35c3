//! What answers look like: tables for people, JSON, YAML and metrics for programs, markdown for tickets.

/// Appends a line to a String, which cannot fail. Who uses it imports [`std::fmt::Write`].
macro_rules! line {
    ($text:expr, $($argument:tt)*) => {{
        let _infallible = writeln!($text, $($argument)*);
    }};
}

mod changes;
pub(crate) mod explain;
mod findings;
mod fold;
mod grid;
pub(crate) mod history;
mod itself;
mod layout;
pub(crate) mod markdown;
pub(crate) mod name;
pub(crate) mod outdated;
pub(crate) mod plan;
pub(crate) mod prometheus;
pub(crate) mod rights;
mod rows;
#[cfg(test)]
mod sample;
pub(crate) mod schema;
mod section;
pub(crate) mod status;
mod text;
mod tree;
pub(crate) mod values;

use std::fmt::Write as _;

use serde::Serialize;

use crate::error::Error;
use crate::ui::{Styles, is_harmful};
use tree::Tree;

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
        .map(|text| escaped(&text) + "\n")
        .map_err(|_| Error::Encode { format: "JSON" })
}

/// The report as YAML.
pub(crate) fn yaml(report: &impl Serialize) -> Result<String, Error> {
    let fault = || Error::Encode { format: "YAML" };
    let json = serde_json::to_string(report).map_err(|_| fault())?;
    let tree: Tree = serde_json::from_str(&json).map_err(|_| fault())?;
    let mut text = serde_saphyr::to_string(&tree).map_err(|_| fault())?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// JSON in which no character is left that a terminal may take for a command, or that turns the direction of writing. Such characters stand
/// in strings only, so that their escapes mean the same.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if is_harmful(character) && character != '\n' {
            // Writing to a String cannot fail.
            let _infallible = write!(text, "\\u{:04x}", u32::from(character));
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tracebloc_core::report::OutdatedReport;

    use super::*;

    #[test]
    fn programs_get_every_character_and_terminals_none_that_does_harm() {
        for hostile in [
            "a\u{1b}[2J\u{9b}31m\u{7f}\u{202e}\n\u{85}b: # c",
            "a\u{9b}2J",
            "\u{1b}]0;x\u{7}",
        ] {
            let json = json(&hostile).unwrap();
            let yaml = yaml(&hostile).unwrap();
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), hostile);
            assert_eq!(serde_saphyr::from_str::<String>(&yaml).unwrap(), hostile);
            assert!(!json.trim_end().contains(is_harmful), "{json:?}");
            // YAML has no escape outside quotes for what turns the direction of writing; a terminal does nothing else with it.
            let commands = |character: char| character.is_control() && character != '\n';
            assert!(!yaml.contains(commands), "{yaml:?}");
        }
    }

    /// The places of all texts in a document.
    fn texts(value: &Value, place: &str, found: &mut Vec<String>) {
        match value {
            Value::String(_) => found.push(place.to_owned()),
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    texts(item, &format!("{place}/{at}"), found);
                }
            }
            Value::Object(fields) => {
                for (key, field) in fields {
                    texts(field, &format!("{place}/{key}"), found);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    #[test]
    fn whatever_text_is_hostile_no_form_lets_it_reach_the_terminal() {
        const HOSTILE: &str = "a\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\r\u{8}\u{7f}\u{202e}b";
        let document = serde_json::to_value(sample::report()).unwrap();
        let mut places = Vec::new();
        texts(&document, "", &mut places);
        let mut taken = 0;
        for place in &places {
            let mut hostile = document.clone();
            *hostile.pointer_mut(place).unwrap() = HOSTILE.into();
            // Names, digests, versions and words of the vocabulary take no such text: nothing like it gets into a report.
            let Ok(report) = serde_json::from_value::<OutdatedReport>(hostile) else {
                continue;
            };
            taken += 1;
            let table = |detail, width| {
                let look = Look {
                    styles: Styles::PLAIN,
                    detail,
                    headers: true,
                    width,
                };
                outdated::table(&report, &look)
            };
            for text in [
                table(Detail::Short, None),
                table(Detail::Short, Some(80)),
                table(Detail::Wide, None),
                json(&report).unwrap(),
                name::names(&report),
                markdown::document(&report),
                prometheus::metrics(&report),
            ] {
                let harm = text.replace('\n', " ").contains(is_harmful);
                assert!(!harm, "{place}: {text:?}");
            }
            let yaml = yaml(&report).unwrap().replace('\n', " ");
            assert!(!yaml.contains(char::is_control), "{place}: {yaml:?}");
        }
        assert!(taken > 15, "{taken} of {places:?}");
    }
}
