//! What screens of one release have in common: where it was asked, titles, findings.

use std::fmt::Write as _;

use jiff::Timestamp;
use tracebloc_core::finding::Finding;
use tracebloc_core::report::ContextReport;
use tracebloc_core::time::age;

use super::text::{harmless, wrap};
use super::{Detail, Look};

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

/// Every finding with what to type next, for people who call us by that name.
pub(super) fn findings(text: &mut String, findings: &[Finding], look: &Look, program: &str) {
    if findings.is_empty() {
        return;
    }
    title(text, "Findings", look);
    for finding in findings {
        one(text, finding, look);
        if finding.advice.is_empty() {
            // What the word means is the next thing to ask where nothing need be done.
            line!(text, "    $ {program} explain {}", finding.code);
        }
    }
}

fn one(text: &mut String, finding: &Finding, look: &Look) {
    let (word, style) = (finding.severity.as_str(), look.styles.of(finding.severity));
    let whole = format!("  {word} {} ({})", harmless(&finding.message), finding.code);
    for (number, line) in wrap(&whole, look.width, "    ").into_iter().enumerate() {
        match line.trim_start().strip_prefix(word).filter(|_| number == 0) {
            Some(rest) => line!(text, "  {style}{word}{style:#}{rest}"),
            None => line!(text, "{line}"),
        }
    }
    let faint = look.styles.faint;
    if look.detail == Detail::Wide {
        for fact in &finding.evidence {
            line!(text, "    {faint}{}{faint:#}", harmless(fact));
        }
    }
    // Never broken: it is there to be copied.
    for advice in &finding.advice {
        line!(text, "    $ {}", harmless(advice));
    }
}
