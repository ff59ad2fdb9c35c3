//! The short way: the block of one chart is found by its indentation, and only that is parsed as YAML.
//!
//! It is taken only for the plain block style that Helm writes. In that style a line that is indented no further than the names of the charts
//! is never inside a scalar, because scalars are indented further than the key that they belong to. Whatever is not exactly so is left to the
//! full parse, and so is any mistake, for its place to be told right.

use super::document::{Document, Entries, Entry};
use crate::yaml;

/// Reads the entries of `chart`; `None` if the index is not in the expected style.
pub(super) fn read(body: &[u8], chart: &str) -> Option<Document> {
    let text = std::str::from_utf8(body).ok()?;
    let mut scan = Scan {
        chart,
        ..Scan::default()
    };
    scan.lines(text)?;
    scan.finish(text)
}

/// The index with the entries of these charts as they stand and of all others only the names: enough to read these charts from it again.
/// `None` if the index is not in the expected style, or an entry may refer to another one.
pub(super) fn excerpt(body: &[u8], charts: &[&str]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut scan = Scan::default();
    scan.lines(text)?;
    let (first, end) = (*scan.starts.first()?, scan.end.unwrap_or(text.len()));
    let mut excerpt = text.get(..first)?.to_owned();
    let ends = scan.starts.iter().copied().skip(1).chain([end]);
    for ((name, start), end) in scan.others.iter().zip(&scan.starts).zip(ends) {
        let block = text.get(*start..end)?;
        if charts.contains(&name.as_str()) {
            if has_reference(block) {
                return None;
            }
            excerpt.push_str(block);
        } else {
            excerpt.push_str(block.lines().next()?);
        }
        if !excerpt.ends_with('\n') {
            excerpt.push('\n');
        }
    }
    excerpt.push_str(text.get(end..)?);
    Some(excerpt.into_bytes())
}

#[derive(Default)]
struct Scan<'text> {
    chart: &'text str,
    begun: bool,
    api_version: Option<String>,
    generated: bool,
    server_info: bool,
    entries: bool,
    /// True between `entries:` and the next key of the document.
    inside: bool,
    /// How far the names of the charts are indented, once it is known.
    indent: Option<usize>,
    /// Where the chart's block begins, after the line of its name.
    block_start: Option<usize>,
    block_end: Option<usize>,
    others: Vec<String>,
    /// Where the line of each chart's name begins, in the order of the index.
    starts: Vec<usize>,
    /// Where what comes after the charts begins.
    end: Option<usize>,
}

impl Scan<'_> {
    /// Takes all lines. `None` means: not understood.
    fn lines(&mut self, text: &str) -> Option<()> {
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            self.line(line.strip_suffix('\n').unwrap_or(line), start)?;
            start += line.len();
        }
        Some(())
    }

    /// Takes one line, without its end, that begins at byte `start`. `None` means: not understood.
    fn line(&mut self, line: &str, start: usize) -> Option<()> {
        let next = start + line.len() + 1;
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.contains('\r') {
            return None;
        }
        let rest = line.trim_start_matches(' ');
        if rest.is_empty() {
            return Some(());
        }
        if rest.starts_with('\t') {
            return None;
        }
        match line.len() - rest.len() {
            0 => self.top(line, start),
            indent if self.inside => self.nested(rest, indent, start, next),
            _ => None,
        }
    }

    /// A line that is not indented: a key of the document.
    fn top(&mut self, line: &str, start: usize) -> Option<()> {
        if self.inside {
            self.close(start);
            self.end = Some(start);
            self.inside = false;
        }
        if line.starts_with('#') {
            // Before anything else only: a comment ends a scalar, which the search for the chart would not see.
            return (!self.begun).then_some(());
        }
        let first = !self.begun;
        self.begun = true;
        let (key, value) = match line.split_once(':') {
            Some((key, value)) => (key, value.trim_matches(' ')),
            None => return (line == "---" && first).then_some(()),
        };
        let once = match key {
            "apiVersion" => self
                .api_version
                .replace(simple(value)?.to_owned())
                .is_none(),
            "generated" => simple(value).is_some() && !std::mem::replace(&mut self.generated, true),
            "serverInfo" => value == "{}" && !std::mem::replace(&mut self.server_info, true),
            "entries" => {
                self.inside = true;
                value.is_empty() && !std::mem::replace(&mut self.entries, true)
            }
            _ => false,
        };
        once.then_some(())
    }

    /// An indented line below `entries`.
    fn nested(&mut self, rest: &str, indent: usize, start: usize, next: usize) -> Option<()> {
        let level = *self.indent.get_or_insert(indent);
        if indent > level {
            return (!self.others.is_empty() || self.block_start.is_some()).then_some(());
        }
        if indent < level {
            return None;
        }
        if rest == "-" || rest.starts_with("- ") {
            // Helm indents the list of a chart no further than the chart's name.
            return (!self.others.is_empty() || self.block_start.is_some()).then_some(());
        }
        let name = rest.trim_end_matches(' ').strip_suffix(':')?;
        if !is_plain_name(name) {
            return None;
        }
        self.close(start);
        self.starts.push(start);
        if name == self.chart {
            if self.block_start.is_some() {
                return None;
            }
            self.block_start = Some(next);
        } else {
            self.others.push(name.to_owned());
        }
        Some(())
    }

    fn close(&mut self, at: usize) {
        if self.block_start.is_some() && self.block_end.is_none() {
            self.block_end = Some(at);
        }
    }

    fn finish(self, text: &str) -> Option<Document> {
        // Without any chart the value of `entries` is null, which the full parse tells from an empty map.
        if !self.entries || (self.others.is_empty() && self.block_start.is_none()) {
            return None;
        }
        let own = match self.block_start {
            Some(start) => Some(entries(
                text.get(start..self.block_end.unwrap_or(text.len()))?,
            )?),
            None => None,
        };
        Some(Document {
            api_version: self.api_version,
            entries: Some(Entries {
                own,
                others: self.others,
            }),
        })
    }
}

fn entries(block: &str) -> Option<Vec<Option<Entry>>> {
    if has_reference(block) {
        return None;
    }
    yaml::from_slice::<Option<Vec<Option<Entry>>>>(block.as_bytes())
        .ok()
        .map(Option::unwrap_or_default)
}

/// True if there may be an anchor or an alias, which could belong to one outside the block. Emphasis in a description looks the same; it only
/// costs the full parse.
fn has_reference(block: &str) -> bool {
    block.as_bytes().windows(3).any(|window| {
        matches!(window[0], b' ' | b'[' | b'{' | b',' | b':')
            && matches!(window[1], b'&' | b'*')
            && !window[2].is_ascii_whitespace()
    })
}

/// A short scalar on one line: a word of harmless characters, in quotes or not.
fn simple(value: &str) -> Option<&str> {
    let bare = ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value);
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"._+:-".contains(&byte);
    let first = bare.bytes().next()?;
    // A plain scalar may not begin with an indicator, end with a colon or be a word for null.
    let plain =
        first.is_ascii_alphanumeric() && !bare.ends_with(':') && !bare.eq_ignore_ascii_case("null");
    (plain && bare.bytes().all(harmless)).then_some(bare)
}

/// A chart name that needs no quotes.
fn is_plain_name(name: &str) -> bool {
    !name.eq_ignore_ascii_case("null")
        && name
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests;
