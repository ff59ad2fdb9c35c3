//! Text for terminals: harmless, measured, broken into lines, cut.

pub(super) use crate::ui::harmless;
use tracebloc_core::report::{ChartState, ImageState};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// What stands where a text was cut.
const ELLIPSIS: char = '…';

/// The state of a chart in a word, as in JSON.
pub(super) fn chart_state(state: ChartState) -> &'static str {
    match state {
        ChartState::Current => "current",
        ChartState::Behind => "behind",
        ChartState::Ahead => "ahead",
        ChartState::Mixed => "mixed",
        ChartState::Replaced => "replaced",
        ChartState::Unknown => "unknown",
    }
}

/// The state of an image in a word, as in JSON.
pub(super) fn image_state(state: ImageState) -> &'static str {
    match state {
        ImageState::Current => "current",
        ImageState::Behind => "behind",
        ImageState::Rolling => "rolling",
        ImageState::Idle => "idle",
        ImageState::Unknown => "unknown",
    }
}

/// How many columns the text takes.
pub(super) fn width_of(text: &str) -> usize {
    text.width()
}

/// The text with spaces up to that many columns.
pub(super) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(width_of(text))))
}

/// The text in at most that many columns; what was cut is an ellipsis.
pub(super) fn cut(text: &str, width: usize) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut taken = 0;
    for character in text.chars() {
        taken += character.width().unwrap_or_default();
        if taken + 1 > width {
            break;
        }
        kept.push(character);
    }
    let mut kept = kept.trim_end().to_owned();
    if width > 0 {
        kept.push(ELLIPSIS);
    }
    kept
}

/// The text in at most that many columns; what was cut out of its middle is an ellipsis.
pub(super) fn cut_middle(text: &str, width: usize) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    let head = cut(text, width.div_ceil(2));
    let mut tail = String::new();
    for character in text.chars().rev() {
        if width_of(&head) + width_of(&tail) + character.width().unwrap_or_default() > width {
            break;
        }
        tail.insert(0, character);
    }
    head + &tail
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
    fn a_cut_text_fits_and_says_that_it_was_cut() {
        assert_eq!(cut("unchanged", 9), "unchanged");
        assert_eq!(cut("unchanged", 8), "unchang…");
        assert_eq!(cut("two words", 5), "two…");
        assert_eq!(
            cut("漢字漢字", 5),
            "漢字…",
            "wide characters take two columns"
        );
        assert_eq!(cut("any", 0), "");
        assert_eq!(cut_middle("customer-001", 12), "customer-001");
        assert_eq!(cut_middle("customer-001", 8), "cus…-001");
        assert_eq!(cut_middle("customer-001", 1), "…");
    }

    #[test]
    fn words_are_kept_whole() {
        let lines = wrap("  one two three sha256:0123456789", Some(11), "    ");
        assert_eq!(lines, ["  one two", "    three", "    sha256:0123456789"]);
        assert_eq!(wrap("one two", None, " "), ["one two"]);
    }
}
