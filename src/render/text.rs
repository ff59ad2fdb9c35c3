//! Text for terminals: harmless, measured, broken into lines, cut.

use unicode_width::UnicodeWidthStr as _;

/// The text without control characters: a registry, a repository or a cluster may send escape sequences.
pub(super) fn harmless(text: &str) -> String {
    text.chars()
        .map(|character| {
            let hidden = character.is_control()
                || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if hidden { '\u{fffd}' } else { character }
        })
        .collect()
}

/// How many columns the text takes.
pub(super) fn width_of(text: &str) -> usize {
    text.width()
}

/// The text with spaces up to that many columns.
pub(super) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(width_of(text))))
}

/// The text broken between words into lines of at most that many columns, all but the first with an indent; in one line without a width.
/// A word that is longer than a line is not broken: it may be a digest or a URL to be copied.
pub(super) fn wrap(text: &str, width: Option<usize>, indent: &str) -> Vec<String> {
    let Some(width) = width else {
        return vec![text.to_owned()];
    };
    let mut lines = Vec::new();
    let start = text.len() - text.trim_start().len();
    let (mut line, rest) = (text[..start].to_owned(), &text[start..]);
    let mut empty = true;
    for word in rest.split(' ') {
        if !empty && width_of(&line) + 1 + width_of(word) > width {
            lines.push(std::mem::replace(&mut line, indent.to_owned()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(
            harmless("a\x1b[31mb\nc\u{202e}"),
            "a\u{fffd}[31mb\u{fffd}c\u{fffd}"
        );
        assert_eq!(harmless("grün"), "grün");
    }

    #[test]
    fn words_are_kept_whole() {
        let lines = wrap("  one two three sha256:0123456789", Some(11), "    ");
        assert_eq!(lines, ["  one two", "    three", "    sha256:0123456789"]);
        assert_eq!(wrap("one two", None, " "), ["one two"]);
    }
}
