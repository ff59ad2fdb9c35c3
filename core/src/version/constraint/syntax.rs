//! The grammar of constraints: text to comparisons.

use super::{Comparison, Group, Open, Operator};
use crate::version::Version;

/// Writes every `A - B` as `>= A, <= B`.
pub(super) fn expand_ranges(text: &str) -> String {
    let mut expanded = text.to_owned();
    let mut from = 0;
    while from < text.len() {
        match range_at(text, from) {
            Some(range) => {
                let replacement = format!(">= {}, <= {} ", range.low, range.high);
                expanded = expanded.replacen(&text[from..range.end], &replacement, 1);
                from = range.end;
            }
            None => from += text[from..].chars().next().map_or(1, char::len_utf8),
        }
    }
    expanded
}

struct Range<'text> {
    low: &'text str,
    high: &'text str,
    end: usize,
}

fn range_at(text: &str, from: usize) -> Option<Range<'_>> {
    let start = skip_blanks(text, from);
    let low_end = version_end(text, start)?;
    let dash = skip_blanks(text, low_end);
    if dash == low_end || text.as_bytes().get(dash) != Some(&b'-') {
        return None;
    }
    let high_start = skip_blanks(text, dash + 1);
    if high_start == dash + 1 {
        return None;
    }
    let high_end = version_end(text, high_start)?;
    Some(Range {
        low: &text[start..low_end],
        high: &text[high_start..high_end],
        end: skip_blanks(text, high_end),
    })
}

/// Reads one "and" group. The error is the place, in bytes, of what cannot be read.
pub(super) fn group(text: &str) -> Result<Group, usize> {
    let mut comparisons = Vec::new();
    let mut at = skip_blanks(text, 0);
    loop {
        let operator_end = at + operator_length(&text[at..]);
        let operator = operator(&text[at..operator_end]).ok_or(at)?;
        let start = skip_blanks(text, operator_end);
        let end = version_end(text, start).ok_or(start)?;
        let (version, open) = pattern(&text[start..end]).ok_or(start)?;
        comparisons.push(Comparison {
            operator,
            version,
            open,
        });
        let mut next = skip_blanks(text, end);
        if next == text.len() {
            break;
        }
        if text.as_bytes().get(next) == Some(&b',') {
            next = skip_blanks(text, next + 1);
        } else if next == end {
            return Err(next);
        }
        at = next;
    }
    let prereleases = comparisons
        .iter()
        .any(|comparison| comparison.version.is_prerelease());
    Ok(Group {
        comparisons,
        prereleases,
    })
}

fn operator_length(text: &str) -> usize {
    text.bytes()
        .take_while(|byte| b"=!<>~^".contains(byte))
        .count()
}

fn operator(text: &str) -> Option<Operator> {
    Some(match text {
        "" | "=" => Operator::Equal,
        "!=" => Operator::NotEqual,
        ">" => Operator::Greater,
        "<" => Operator::Less,
        ">=" | "=>" => Operator::GreaterOrEqual,
        "<=" | "=<" => Operator::LessOrEqual,
        "~" | "~>" => Operator::Tilde,
        "^" => Operator::Caret,
        _ => return None,
    })
}

fn skip_blanks(text: &str, from: usize) -> usize {
    run(text, from, |byte| {
        matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0c')
    })
}

fn run(text: &str, from: usize, belongs: impl Fn(u8) -> bool) -> usize {
    let bytes = text.as_bytes().get(from..).unwrap_or_default();
    from + bytes.iter().take_while(|byte| belongs(**byte)).count()
}

/// The end of the number or wildcard at `from`, if there is one. The grammar of Masterminds lets `|` stand in a number; what remains of it is
/// refused when the number is read, unless a wildcard before it means that it is not.
fn number_end(text: &str, from: usize) -> Option<usize> {
    let end = run(text, from, |byte| {
        byte.is_ascii_digit() || b"xX*|".contains(&byte)
    });
    (end > from).then_some(end)
}

/// The end of the dot-separated identifiers at `from`, if there are any.
fn identifiers_end(text: &str, from: usize) -> Option<usize> {
    let word = |from: usize| {
        let end = run(text, from, |byte| {
            byte.is_ascii_alphanumeric() || byte == b'-'
        });
        (end > from).then_some(end)
    };
    let mut end = word(from)?;
    while let Some(next) = after(text, end, b'.').and_then(word) {
        end = next;
    }
    Some(end)
}

fn after(text: &str, at: usize, wanted: u8) -> Option<usize> {
    (text.as_bytes().get(at) == Some(&wanted)).then_some(at + 1)
}

/// The end of the longest version pattern that begins at `from`, if one does.
fn version_end(text: &str, from: usize) -> Option<usize> {
    let mut end = number_end(text, after(text, from, b'v').unwrap_or(from))?;
    for _ in 0..2 {
        if let Some(next) = after(text, end, b'.').and_then(|dot| number_end(text, dot)) {
            end = next;
        }
    }
    for mark in [b'-', b'+'] {
        if let Some(next) = after(text, end, mark).and_then(|start| identifiers_end(text, start)) {
            end = next;
        }
    }
    Some(end)
}

/// A version pattern as the lowest version that it covers, and where it is open.
fn pattern(text: &str) -> Option<(Version, Open)> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    let without_build = bare.split('+').next().unwrap_or_default();
    let (numbers, prerelease) = match without_build.find('-') {
        Some(dash) => without_build.split_at(dash),
        None => (without_build, ""),
    };
    let mut numbers = numbers.split('.');
    let mut fixed = || {
        numbers
            .next()
            .filter(|number| !matches!(*number, "x" | "X" | "*"))
    };
    let (lowest, open) = match (fixed(), fixed(), fixed()) {
        (None, ..) => (format!("0.0.0{prerelease}"), Open::Major),
        (Some(major), None, _) => (format!("{major}.0.0{prerelease}"), Open::Minor),
        (Some(major), Some(minor), None) => (format!("{major}.{minor}.0{prerelease}"), Open::Patch),
        (Some(_), Some(_), Some(_)) => (text.to_owned(), Open::Nothing),
    };
    Version::parse(&lowest).ok().map(|version| (version, open))
}
