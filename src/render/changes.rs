//! A change as a line of a table: when, how it ended, what it was.

use anstyle::Style;
use jiff::Timestamp;
use tracebloc_core::release::ReleaseStatus;
use tracebloc_core::report::{ChangeReport, Outcome};

use super::grid::Cell;
use super::section::ago;
use super::{Detail, Look};
use crate::ui::Styles;

/// The line of one change.
pub(super) fn row(change: &ChangeReport, now: Timestamp, look: &Look) -> [Cell; 3] {
    let when = match change.at {
        Some(at) if look.detail == Detail::Wide => at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Some(at) => ago(now, at),
        None => "-".to_owned(),
    };
    let (word, style) = state(change, &look.styles);
    let mut told = change.summary.clone();
    if look.detail == Detail::Wide && !change.evidence.is_empty() {
        told.push_str(&format!(" [{}]", change.evidence.join(", ")));
    }
    [Cell::from(when), Cell::new(word, style), Cell::from(told)]
}

/// Helm's own word for a revision, ours for the rest.
fn state(change: &ChangeReport, styles: &Styles) -> (&'static str, Style) {
    let style = match (change.status, change.outcome) {
        (Some(ReleaseStatus::Superseded | ReleaseStatus::Uninstalled), _) | (_, None) => {
            styles.faint
        }
        (_, Some(Outcome::Done)) => styles.good,
        (_, Some(Outcome::Failed)) => styles.danger,
        (_, Some(Outcome::Undone | Outcome::Open)) => styles.warning,
    };
    let word = match (change.status, change.outcome) {
        (Some(status), _) => status.as_str(),
        (None, Some(outcome)) => outcome.as_str(),
        (None, None) => "-",
    };
    (word, style)
}
