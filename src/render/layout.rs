//! The table's columns: how wide each is, and what gives way on a narrow terminal.
//!
//! In this order: the namespace, if it is the same everywhere and can be told above the table; the later digits of digests; a space between
//! columns; the ends of notes, then of the names of charts and images; the notes; at last the middle of whatever is longest.

use std::fmt::Write as _;

use super::rows::{Column, Row};
use super::text::{cut, cut_middle, pad, width_of};
use super::{Detail, Look};

/// Columns between two cells.
const GAP: usize = 3;

/// The same where there is not enough room.
const NARROW_GAP: usize = 2;

/// The fewest columns that a note is worth.
const SMALLEST_NOTE: usize = 12;

/// The fewest columns in which the images of a release can still be told apart.
const SMALLEST_NAME: usize = 16;

/// The fewest columns that any cell is given.
const SMALLEST_CELL: usize = 4;

/// The digits that are left of a digest: as many as people use to tell commits apart.
const DIGEST_LENGTH: usize = 8;

/// The table with its columns laid out.
#[derive(Debug)]
pub(super) struct Layout {
    columns: Vec<Column>,
    rows: Vec<Row>,
    widths: Vec<usize>,
    gap: usize,
    headers: bool,
    common_namespace: Option<String>,
    is_cut: bool,
}

impl Layout {
    /// Lays out the rows, on at most that many columns where a width is given.
    pub(super) fn fit(rows: Vec<Row>, detail: Detail, headers: bool, width: Option<usize>) -> Self {
        let mut layout = Self {
            columns: Column::shown(detail),
            rows,
            widths: Vec::new(),
            gap: GAP,
            headers,
            common_namespace: None,
            is_cut: false,
        };
        layout.measure();
        if let Some(width) = width {
            layout.narrow(width);
        }
        layout
    }

    /// True where there is no row.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// True where notes lost their ends.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The namespace of all rows, where its column was left out.
    pub(super) fn common_namespace(&self) -> Option<&str> {
        self.common_namespace.as_deref()
    }

    /// Appends the table.
    pub(super) fn write(&self, text: &mut String, look: &Look) {
        if self.headers {
            let header = look.styles.header;
            let line = self.line(|column| column.title().to_owned());
            line!(text, "{header}{line}{header:#}");
        }
        for row in &self.rows {
            let style = row.style;
            let (before, after) = self.around_state(row);
            let state = row.cell(Column::State);
            line!(text, "{before}{style}{state}{style:#}{after}");
        }
    }

    /// A line of the table, without spaces at its end.
    fn line(&self, cell: impl Fn(Column) -> String) -> String {
        let mut line = String::new();
        for (column, width) in self.columns.iter().zip(&self.widths) {
            line.push_str(&pad(
                &fitting(*column, &cell(*column), *width),
                width + self.gap,
            ));
        }
        line.truncate(line.trim_end().len());
        line
    }

    /// What stands before and behind a row's state, so that its colour takes no width.
    fn around_state(&self, row: &Row) -> (String, String) {
        let line = self.line(|column| row.cell(column).to_owned());
        let place = self
            .columns
            .iter()
            .position(|column| *column == Column::State)
            .unwrap_or_default();
        let before: String = self.columns[..place]
            .iter()
            .zip(&self.widths)
            .map(|(column, width)| {
                pad(
                    &fitting(*column, row.cell(*column), *width),
                    width + self.gap,
                )
            })
            .collect();
        let after = line
            .strip_prefix(&before)
            .and_then(|rest| rest.strip_prefix(row.cell(Column::State)))
            .unwrap_or_default()
            .to_owned();
        (before, after)
    }

    fn measure(&mut self) {
        self.widths = self
            .columns
            .iter()
            .map(|column| {
                let title = if self.headers { column.title() } else { "" };
                self.rows
                    .iter()
                    .map(|row| width_of(row.cell(*column)))
                    .chain([width_of(title)])
                    .max()
                    .unwrap_or_default()
            })
            .collect();
    }

    /// How many columns the longest line takes.
    fn total(&self) -> usize {
        self.widths.iter().sum::<usize>() + self.gap * self.widths.len().saturating_sub(1)
    }

    fn narrow(&mut self, width: usize) {
        if self.total() > width {
            self.drop_common_namespace();
        }
        if self.total() > width {
            self.shorten_digests();
        }
        if self.total() > width {
            self.gap = NARROW_GAP;
        }
        self.give_way(
            Column::Note,
            self.total().saturating_sub(width),
            SMALLEST_NOTE,
        );
        self.give_way(
            Column::What,
            self.total().saturating_sub(width),
            SMALLEST_NAME,
        );
        if self.total() > width {
            self.drop_column(Column::Note);
            self.is_cut = true;
        }
        while self.total() > width {
            let longest = self
                .columns
                .iter()
                .zip(&self.widths)
                // Without its state a line says nothing.
                .filter(|(column, width)| **column != Column::State && **width > SMALLEST_CELL)
                .max_by_key(|(_, width)| **width)
                .map(|(column, _)| *column);
            match longest {
                Some(column) => self.give_way(column, 1, SMALLEST_CELL),
                None => break,
            }
        }
    }

    /// Only where there is a place above the table to tell it.
    fn drop_common_namespace(&mut self) {
        let Some(first) = self.rows.first().filter(|_| self.headers) else {
            return;
        };
        let namespace = first.cell(Column::Namespace).to_owned();
        if self
            .rows
            .iter()
            .all(|row| row.cell(Column::Namespace) == namespace)
        {
            self.drop_column(Column::Namespace);
            self.common_namespace = Some(namespace);
        }
    }

    fn drop_column(&mut self, dropped: Column) {
        self.columns.retain(|column| *column != dropped);
        self.measure();
    }

    fn shorten_digests(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        self.rows = rows
            .into_iter()
            .map(|row| {
                [Column::Current, Column::Latest]
                    .into_iter()
                    .fold(row, |row, column| {
                        let shorter = shorter_digest(row.cell(column));
                        row.set(column, &shorter)
                    })
            })
            .collect();
        self.measure();
    }

    fn give_way(&mut self, column: Column, excess: usize, smallest: usize) {
        for (place, width) in self.columns.iter().zip(&mut self.widths) {
            if excess > 0 && *place == column && *width > smallest {
                *width = smallest.max(width.saturating_sub(excess));
                self.is_cut |= column == Column::Note;
            }
        }
    }
}

/// The text of a cell in at most that many columns. Names often differ at their ends only, so that theirs are kept.
fn fitting(column: Column, text: &str, width: usize) -> String {
    match column {
        Column::Namespace | Column::Release => cut_middle(text, width),
        _ => cut(text, width),
    }
}

/// A digest without its algorithm, in few digits; anything else as it is.
fn shorter_digest(cell: &str) -> String {
    match cell.split_once(':') {
        Some((_, digits)) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            digits.chars().take(DIGEST_LENGTH).collect()
        }
        Some(_) | None => cell.to_owned(),
    }
}
