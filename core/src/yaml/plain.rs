//! The plain part of YAML, which is how charts write: block mappings and sequences of scalars that end on their line.
//!
//! The library takes some 500 instructions for each byte of a manifest, which was a third of what fifty releases cost. What is read here is read
//! exactly as the library reads it, which tests hold; where a document has anything else, or anything that may not be valid, it is left to the
//! library as a whole. Nothing here knows what a document means.

use super::node::Node;

/// The deepest nesting that is read here; no object of Kubernetes comes near it.
const DEEPEST: usize = 64;

/// The most entries of one mapping that are read here: each key is held against those before it.
const MOST_ENTRIES: usize = 256;

/// The longest key that is read here. YAML's own limit is 1024 characters.
const LONGEST_KEY: usize = 128;

/// Words that are, or may be, no texts.
const NO_TEXTS: [&str; 12] = [
    "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity",
];

/// The units of quantities in Kubernetes that no number of YAML ends with.
const QUANTITIES: [&str; 9] = ["m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"];

/// Reads a document; `None` where it is not surely valid, or is not of the plain part.
pub(super) fn read(document: &str) -> Option<Node<'_>> {
    if !document.chars().all(is_harmless) {
        return None;
    }
    let mut reader = Reader {
        rest: document,
        line: None,
    };
    reader.advance();
    let node = reader.block(DEEPEST)?;
    reader.line.is_none().then_some(node)
}

/// True for what is printable and no line break but the usual one. Byte order marks and tabs have meanings of their own.
fn is_harmless(character: char) -> bool {
    matches!(character, '\n' | ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}

/// A line with content, or what is left of it after the dashes of a sequence.
#[derive(Clone, Copy)]
struct Line<'a> {
    column: usize,
    text: &'a str,
}

struct Reader<'a> {
    /// The lines after the current one.
    rest: &'a str,
    /// The current line; `None` at the end.
    line: Option<Line<'a>>,
}

impl<'a> Reader<'a> {
    /// Goes to the next line that is neither blank nor a comment.
    fn advance(&mut self) {
        self.line = None;
        while let Some((line, rest)) = next_line(self.rest) {
            self.rest = rest;
            let text = line.trim_start_matches(' ');
            if !text.is_empty() && !text.starts_with('#') {
                self.line = Some(Line {
                    column: line.len() - text.len(),
                    text: text.trim_end_matches(' '),
                });
                return;
            }
        }
    }

    /// The collection that begins at the current line.
    fn block(&mut self, depth: usize) -> Option<Node<'a>> {
        let Line { column, text } = self.line?;
        let depth = depth.checked_sub(1)?;
        let node = if item(text).is_some() {
            self.sequence(column, depth)?
        } else {
            self.mapping(column, depth)?
        };
        // A scalar that goes on in the next line, or indentation that fits nothing.
        let goes_on = self.line.is_some_and(|line| line.column > column);
        (!goes_on).then_some(node)
    }

    fn mapping(&mut self, column: usize, depth: usize) -> Option<Node<'a>> {
        let mut entries: Vec<(&str, Node<'_>)> = Vec::new();
        while let Some(line) = self.line.filter(|line| line.column == column) {
            let (key, value) = entry(line.text)?;
            let is_there = entries.iter().any(|(known, _)| *known == key);
            if is_there || entries.len() == MOST_ENTRIES {
                return None;
            }
            entries.push((key, self.value(value, column, true, depth)?));
        }
        Some(Node::Map(entries))
    }

    /// The items at a column. A mapping that has the sequence as a value may go on there.
    fn sequence(&mut self, column: usize, depth: usize) -> Option<Node<'a>> {
        let mut items = Vec::new();
        while let Some(line) = self.line.filter(|line| line.column == column)
            && let Some(text) = item(line.text)
        {
            items.push(if item(text).is_some() || entry(text).is_some() {
                self.line = Some(Line {
                    column: column + line.text.len() - text.len(),
                    text,
                });
                self.block(depth)?
            } else {
                self.value(text, column, false, depth)?
            });
        }
        Some(Node::List(items))
    }

    /// The value that begins with a text on the current line, of an entry or item at a column.
    fn value(
        &mut self,
        text: &'a str,
        column: usize,
        in_mapping: bool,
        depth: usize,
    ) -> Option<Node<'a>> {
        if text.is_empty() {
            self.advance();
            let is_below = self.line.is_some_and(|line| {
                line.column > column
                    || in_mapping && line.column == column && item(line.text).is_some()
            });
            return if is_below {
                self.block(depth)
            } else {
                Some(Node::Null)
            };
        }
        if matches!(text, "|" | "|-" | "|+" | ">" | ">-" | ">+") {
            self.skip_text(column)?;
            self.advance();
            return Some(Node::Unread);
        }
        let node = scalar(text)?;
        self.advance();
        Some(node)
    }

    /// Passes over the lines of a block scalar: those that are indented as its first one.
    fn skip_text(&mut self, column: usize) -> Option<()> {
        let (mut indentation, mut widest_blank) = (None, 0);
        while let Some((line, rest)) = next_line(self.rest) {
            let text = line.trim_start_matches(' ');
            let indented = line.len() - text.len();
            match indentation {
                _ if text.is_empty() => widest_blank = widest_blank.max(indented),
                Some(least) if indented < least => break,
                Some(_) => {}
                None if indented <= column => break,
                // Blank lines before the text may not be wider than it.
                None if widest_blank > indented => return None,
                None => indentation = Some(indented),
            }
            self.rest = rest;
        }
        Some(())
    }
}

/// The first line, and those after it.
fn next_line(text: &str) -> Option<(&str, &str)> {
    if text.is_empty() {
        return None;
    }
    Some(text.split_once('\n').unwrap_or((text, "")))
}

/// What follows the dash of an item.
fn item(text: &str) -> Option<&str> {
    let after = text.strip_prefix('-')?;
    (after.is_empty() || after.starts_with(' ')).then(|| after.trim_start_matches(' '))
}

/// The key of an entry, and what follows its colon.
fn entry(text: &str) -> Option<(&str, &str)> {
    let (key, after) = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once("\":")?,
        None => text.split_once(':')?,
    };
    let is_key = key.len() <= LONGEST_KEY
        && key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.bytes().all(is_of_word)
        && !is_no_text(key);
    let ends = after.is_empty() || after.starts_with(' ');
    (is_key && ends).then(|| (key, after.trim_start_matches(' ')))
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'-')
}

fn is_no_text(word: &str) -> bool {
    NO_TEXTS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(word))
}

/// A value that ends on its line.
fn scalar(text: &str) -> Option<Node<'_>> {
    let (node, after) = match text.as_bytes().first()? {
        b'"' | b'\'' => quoted(text)?,
        b'[' => flow_sequence(text)?,
        b'{' => (Node::Map(Vec::new()), text.strip_prefix("{}")?),
        _ => {
            let text = text.split_once(" #").map_or(text, |(text, _)| text);
            return plain(text.trim_end_matches(' '));
        }
    };
    let comment = after.trim_start_matches(' ');
    let ends = comment.is_empty() || comment.starts_with('#') && after.starts_with(' ');
    ends.then_some(node)
}

/// A text in quotes without anything to undo, and what follows it.
fn quoted(text: &str) -> Option<(Node<'_>, &str)> {
    let quote = text.chars().next()?;
    let (inner, after) = text.get(1..)?.split_once(quote)?;
    let is_verbatim = is_ascii(inner) && !inner.contains('\\') && !after.starts_with(quote);
    is_verbatim.then_some((Node::Text(inner), after))
}

/// A sequence in brackets of words and quoted texts, and what follows it.
fn flow_sequence(text: &str) -> Option<(Node<'_>, &str)> {
    let mut rest = text.strip_prefix('[')?.trim_start_matches(' ');
    let mut items = Vec::new();
    if let Some(after) = rest.strip_prefix(']') {
        return Some((Node::List(items), after));
    }
    loop {
        let (node, after) = if rest.starts_with(['"', '\'']) {
            quoted(rest)?
        } else {
            let end = rest.bytes().position(|byte| !is_of_word(byte))?;
            let (word, after) = rest.split_at(end);
            (plain(word)?, after)
        };
        items.push(node);
        let after = after.trim_start_matches(' ');
        match after.strip_prefix(',') {
            Some(more) => rest = more.trim_start_matches(' '),
            None => return Some((Node::List(items), after.strip_prefix(']')?)),
        }
    }
}

/// A scalar without quotes, where it is surely what it looks like.
fn plain(text: &str) -> Option<Node<'_>> {
    match text {
        "~" | "null" => return Some(Node::Null),
        "true" => return Some(Node::Bool(true)),
        "false" => return Some(Node::Bool(false)),
        _ if is_no_text(text) => return None,
        _ => {}
    }
    let is_whole = is_ascii(text) && !text.contains(": ") && !text.ends_with(':');
    match text.as_bytes() {
        _ if !is_whole => None,
        [b'0'] => Some(Node::Number(0)),
        [b'1'..=b'9', more @ ..] if more.iter().all(u8::is_ascii_digit) => {
            text.parse().ok().map(Node::Number)
        }
        // Of numbers and times none has a slash, or ends like a quantity.
        [b'0'..=b'9', ..] if text.contains('/') || is_quantity(text) => Some(Node::Text(text)),
        [first, ..] if first.is_ascii_alphabetic() || matches!(first, b'/' | b'$') => {
            Some(Node::Text(text))
        }
        _ => None,
    }
}

/// True for a number with a unit, such as `250m` or `1Gi`.
fn is_quantity(text: &str) -> bool {
    let unit = text.trim_start_matches(|digit: char| digit.is_ascii_digit());
    QUANTITIES.contains(&unit)
}

fn is_ascii(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests;
