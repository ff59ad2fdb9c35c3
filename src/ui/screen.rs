//! A text on a terminal that is drawn over itself: what was above it stays, nothing flickers, and the last one is left when the program ends.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

/// Deletes the rest of a line.
const CLEAR_LINE: &str = "\x1b[K";

/// Deletes everything below the cursor.
const CLEAR_BELOW: &str = "\x1b[J";

/// The size of a terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

/// What was drawn last.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    /// The columns of each line; how many rows they take may have changed with the terminal's size since.
    drawn: Vec<usize>,
}

impl Screen {
    /// The bytes that draw a text, and a last line below it, over what was drawn before. What is too long for the terminal is cut, and that is told.
    pub(crate) fn draw(&mut self, text: &str, footer: &str, size: Size) -> String {
        let mut output = String::new();
        let up: usize = self.drawn.iter().map(|width| rows(*width, size)).sum();
        if up > 0 {
            // Writing to a String cannot fail.
            let _infallible = write!(output, "\x1b[{up}A\r");
        }
        self.drawn.clear();
        for line in fitting(text, footer, size) {
            self.drawn.push(width(&line));
            output.push_str(&line);
            output.push_str(CLEAR_LINE);
            output.push('\n');
        }
        output.push_str(CLEAR_BELOW);
        output
    }
}

/// The lines that fit, with the last one. One row is left for the cursor: a terminal that scrolls would carry the first line out of reach.
fn fitting(text: &str, footer: &str, size: Size) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let room = size.rows.saturating_sub(1 + rows(width(footer), size));
    let mut taken = 0;
    let mut kept = Vec::new();
    for line in &lines {
        taken += rows(width(line), size);
        if taken > room {
            break;
        }
        kept.push((*line).to_owned());
    }
    if kept.len() < lines.len() {
        // A line of it makes place for what tells of the rest.
        kept.pop();
        kept.push(format!(
            "… {} more lines: enlarge the terminal, or ask without --watch",
            lines.len() - kept.len()
        ));
    }
    kept.push(footer.to_owned());
    kept
}

/// How many columns a line takes, its colours left out.
fn width(line: &str) -> usize {
    anstream::adapter::strip_str(line).to_string().width()
}

/// How many rows so many columns take.
fn rows(width: usize, size: Size) -> usize {
    width.div_ceil(size.columns.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size {
        columns: 10,
        rows: 6,
    };

    #[test]
    fn a_second_text_covers_the_first() {
        let mut screen = Screen::default();
        let first = screen.draw("one\ntwo\n", "end", SIZE);
        assert_eq!(first, "one\x1b[K\ntwo\x1b[K\nend\x1b[K\n\x1b[J");
        let second = screen.draw("\x1b[31mred\x1b[0m and wider", "end", SIZE);
        assert!(second.starts_with("\x1b[3A\r\x1b[31mred"), "{second:?}");
        let third = screen.draw("x", "end", SIZE);
        assert!(
            third.starts_with("\x1b[3A\r"),
            "13 columns take two rows of 10: {third:?}"
        );
    }

    #[test]
    fn rows_are_counted_for_the_size_of_now() {
        let mut screen = Screen::default();
        screen.draw("0123456789", "end", SIZE);
        let narrow = Size {
            columns: 5,
            rows: 6,
        };
        assert!(screen.draw("x", "end", narrow).starts_with("\x1b[3A"));
    }

    #[test]
    fn what_does_not_fit_is_cut_and_told() {
        let mut screen = Screen::default();
        let wide = Size {
            columns: 80,
            rows: 6,
        };
        let drawn = screen.draw("1\n2\n3\n4\n5\n6\n7", "end", wide);
        assert!(drawn.contains("3\x1b[K\n… 4 more lines"), "{drawn:?}");
        assert!(!drawn.contains("4\x1b[K"), "{drawn:?}");
        assert_eq!(
            drawn.matches('\n').count(),
            5,
            "the last row is the cursor's"
        );
    }
}
