//! What screens of one release have in common: where it was asked, titles, ages.

use std::fmt::Write as _;

use jiff::Timestamp;
use tracebloc_core::report::ContextReport;
use tracebloc_core::time::age;

use super::Look;
use super::text::harmless;

/// The first line: the cluster that was asked.
pub(super) fn context(text: &mut String, context: &ContextReport, look: &Look) {
    let faint = look.styles.faint;
    line!(
        text,
        "Context: {}  {faint}{}{faint:#}",
        harmless(context.name.as_deref().unwrap_or("(none)")),
        harmless(&context.server)
    );
}

/// A section's title, with an empty line before it.
pub(super) fn title(text: &mut String, name: &str, look: &Look) {
    let header = look.styles.header;
    line!(text, "\n{header}{name}{header:#}");
}

/// How long ago something was.
pub(super) fn ago(now: Timestamp, at: Timestamp) -> String {
    format!("{} ago", age(now.duration_since(at)))
}
