//! The findings, each with what to type next.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use tracebloc_core::finding::Finding;

use super::fold::{Told, fold};
use super::section::title;
use super::text::{harmless, wrap};
use super::{Detail, Look};

/// Every finding with what to type next.
pub(super) fn section(text: &mut String, findings: &[Finding], look: &Look, program: &str) {
    if findings.is_empty() {
        return;
    }
    title(text, "Findings", look);
    let mut advised: Vec<&[String]> = Vec::new();
    let mut explained = BTreeSet::new();
    for told in fold(findings) {
        let finding = told.finding;
        one(text, &told, look);
        if finding.advice.is_empty() {
            // What the word means is the next thing to ask where nothing need be done.
            if explained.insert(finding.code) {
                line!(text, "    $ {program} explain {}", finding.code);
            }
        } else if advised.contains(&finding.advice.as_slice()) {
            let faint = look.styles.faint;
            line!(text, "    {faint}the same as above{faint:#}");
        } else {
            advised.push(&finding.advice);
            // Never broken: it is there to be copied.
            for advice in &finding.advice {
                line!(text, "    $ {}", harmless(advice));
            }
        }
    }
}

fn one(text: &mut String, told: &Told<'_>, look: &Look) {
    let finding = told.finding;
    let (word, style) = (finding.severity.as_str(), look.styles.of(finding.severity));
    let whole = format!("  {word} {} ({})", told.message(), finding.code);
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
}
