//! Lines in columns, the last of which is broken between words where it is too long.

use std::fmt::Write as _;

use anstyle::Style;

use super::text::{harmless, pad, width_of, wrap};

/// What stands before each line.
const INDENT: &str = "  ";

/// The narrowest last column that is broken; below it lines are left as they are.
const NARROWEST: usize = 16;

/// A cell: harmless text and its colour.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(super) fn new(text: &str, style: Style) -> Self {
        Self {
            text: harmless(text),
            style,
        }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text.as_ref(), Style::new())
    }
}

/// Lines of equally many cells.
#[derive(Debug, Default)]
pub(super) struct Grid {
    rows: Vec<Vec<Cell>>,
}

impl Grid {
    /// A grid under a line of titles.
    pub(super) fn titled(titles: &[&str], style: Style) -> Self {
        let titles = titles.iter().map(|title| Cell::new(title, style)).collect();
        Self { rows: vec![titles] }
    }

    /// Adds a line.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Writes the lines, in at most that many columns where the last cell alone is too long.
    pub(super) fn write(&self, output: &mut String, width: Option<usize>) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                self.rows
                    .iter()
                    .filter_map(|row| row.get(column))
                    .map(|cell| width_of(&cell.text))
                    .max()
                    .unwrap_or_default()
            })
            .collect();
        let before: usize = width_of(INDENT)
            + widths
                .iter()
                .take(columns.saturating_sub(1))
                .map(|width| width + 2)
                .sum::<usize>();
        let room = width
            .map(|width| width.saturating_sub(before))
            .filter(|room| *room >= NARROWEST);
        for row in &self.rows {
            let mut line = INDENT.to_owned();
            let Some((last, cells)) = row.split_last() else {
                continue;
            };
            for (cell, width) in cells.iter().zip(&widths) {
                let style = cell.style;
                // Writing to a String cannot fail.
                let _infallible = write!(line, "{style}{}{style:#}  ", pad(&cell.text, *width));
            }
            let style = last.style;
            let indent = " ".repeat(before);
            for (number, part) in wrap(&last.text, room, "").into_iter().enumerate() {
                let start = if number == 0 { line.as_str() } else { &indent };
                let whole = format!("{start}{style}{part}{style:#}");
                line!(output, "{}", whole.trim_end());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_and_the_last_is_broken() {
        let mut grid = Grid::titled(&["A", "LONG", "LAST"], Style::new());
        grid.row(["one", "x", "some words that are too many"].map(Cell::from));
        let mut text = String::new();
        grid.write(&mut text, Some(30));
        assert_eq!(
            text,
            "  A    LONG  LAST\n  one  x     some words that\n             are too many\n"
        );
    }

    #[test]
    fn a_terminal_without_room_breaks_nothing() {
        let mut grid = Grid::default();
        grid.row(["a\u{1b}b", "some words"].map(Cell::from));
        let mut text = String::new();
        grid.write(&mut text, Some(10));
        assert_eq!(text, "  a\u{fffd}b  some words\n");
    }
}
