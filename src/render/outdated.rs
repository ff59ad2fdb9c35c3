//! The table of `outdated`: the context, a line for each chart and image, what is worth attention, and what to type next.

use std::fmt::Write as _;

use tracebloc_core::finding::{Code, Finding};
use tracebloc_core::report::{OutdatedReport, Summary};
use tracebloc_core::time::counted;

use super::fold::fold;
use super::layout::Layout;
use super::text::{cut, harmless, width_of, wrap};
use super::{Detail, Look};
use super::{itself, rows};

/// Findings that the lines of the table tell already.
const TOLD: [Code; 6] = [
    Code::ChartBehind,
    Code::DigestBehind,
    Code::DigestPinned,
    Code::DigestUnknown,
    Code::ChartUnknown,
    Code::ImageBehind,
];

/// Those that are told all the same where a note was cut: the table's other columns and the advice say them.
const TOLD_IN_BRIEF: [Code; 2] = [Code::ChartBehind, Code::DigestBehind];

/// The whole answer for people.
pub(crate) fn table(report: &OutdatedReport, look: &Look) -> String {
    let rows: Vec<rows::Row> = report
        .releases
        .iter()
        .flat_map(|release| rows::of_release(report, release, &look.styles, look.detail))
        .collect();
    // Who asks for the wide form wants it whole.
    let width = look.width.filter(|_| look.detail == Detail::Short);
    let layout = Layout::fit(rows, look.detail, look.headers, width);
    let mut text = String::new();
    if look.headers {
        context_line(&mut text, report, &layout, look);
    }
    if layout.is_empty() {
        return text;
    }
    layout.write(&mut text, look);
    if look.headers {
        itself(&mut text, report, look);
        notes(&mut text, report, &layout, look);
        next(&mut text, report, look);
        summary(&mut text, report, look);
    }
    text
}

fn context_line(text: &mut String, report: &OutdatedReport, layout: &Layout, look: &Look) {
    let name = report
        .context
        .name
        .as_ref()
        .map_or_else(|| "(none)".to_owned(), |name| harmless(name));
    let namespace = layout
        .common_namespace()
        .map_or_else(String::new, |namespace| format!("  Namespace: {namespace}"));
    let (faint, server) = (look.styles.faint, harmless(&report.context.server));
    let line = format!("Context: {name}{namespace}");
    match look.width {
        Some(width) if width_of(&line) + 2 + width_of(&server) > width => {
            let server = cut(&server, width.saturating_sub(2));
            line!(text, "{line}\n  {faint}{server}{faint:#}");
        }
        Some(_) | None => line!(text, "{line}  {faint}{server}{faint:#}"),
    }
}

/// Whether what is behind will be brought up to date without anybody.
fn itself(text: &mut String, report: &OutdatedReport, look: &Look) {
    let lines = itself::lines(report);
    if !lines.is_empty() {
        line!(text, "");
    }
    for line in lines.iter().flat_map(|whole| wrap(whole, look.width, "  ")) {
        line!(text, "{line}");
    }
}

/// Findings that the table's lines do not tell already.
fn notes(text: &mut String, report: &OutdatedReport, layout: &Layout, look: &Look) {
    let told = if layout.is_cut() {
        &TOLD_IN_BRIEF[..]
    } else {
        &TOLD
    };
    let mut worth: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|finding| !told.contains(&finding.code))
        .collect();
    worth.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    if worth.is_empty() {
        return;
    }
    line!(text, "");
    for told in fold(worth) {
        let finding = told.finding;
        let (word, style) = (finding.severity.as_str(), look.styles.of(finding.severity));
        let whole = format!(
            "{word} {}{} ({})",
            about(finding),
            told.message(),
            finding.code
        );
        for (number, line) in wrap(&whole, look.width, "  ").into_iter().enumerate() {
            match line.strip_prefix(word).filter(|_| number == 0) {
                Some(rest) => line!(text, "{style}{word}{style:#}{rest}"),
                None => line!(text, "{line}"),
            }
        }
    }
}

/// The release that a finding is about, to stand before the message.
fn about(finding: &Finding) -> String {
    finding
        .subject
        .release
        .as_ref()
        .map_or_else(String::new, |release| format!("{release}: "))
}

/// The finding that says best what its lines are for, of those with the same: for an upgrade how far the chart is behind, for a look at something
/// else in its place what keeps from it.
fn title<'a>(report: &'a OutdatedReport, finding: &'a Finding) -> &'a Finding {
    let upgrades = |line: &String| line.starts_with("helm upgrade ");
    let best = if finding.advice.iter().any(upgrades) {
        Code::ChartBehind
    } else {
        Code::UpgradeBlocked
    };
    report
        .findings
        .iter()
        .find(|other| other.code == best && other.advice == finding.advice)
        .unwrap_or(finding)
}

/// What to type next, each line once, under what it is for.
fn next(text: &mut String, report: &OutdatedReport, look: &Look) {
    let mut told: Vec<&str> = Vec::new();
    let (header, faint) = (look.styles.header, look.styles.faint);
    for finding in &report.findings {
        let new: Vec<&str> = finding
            .advice
            .iter()
            .map(String::as_str)
            .filter(|line| !told.contains(line))
            .collect();
        if new.is_empty() {
            continue;
        }
        if told.is_empty() {
            line!(text, "\n{header}Next{header:#}");
        }
        let only_tries = new.iter().any(|line| line.contains(" --dry-run="));
        let comment = format!(
            "  # {}{}{}",
            about(finding),
            harmless(&title(report, finding).message),
            if only_tries {
                "; this line only tries the upgrade, see upgrade-blocked"
            } else {
                ""
            }
        );
        for line in wrap(&comment, look.width, "  #   ") {
            line!(text, "{faint}{line}{faint:#}");
        }
        // Never broken: it is there to be copied.
        for advice in new {
            line!(text, "  {}", harmless(advice));
            told.push(advice);
        }
    }
}

/// What is behind and what is unknown, in numbers.
pub(super) fn verdict(summary: &Summary) -> String {
    let mut parts = Vec::new();
    for (count, noun) in [
        (summary.charts_behind, "chart"),
        (summary.digests_behind, "image"),
    ] {
        if count > 0 {
            parts.push(format!("{} behind", counted(u64::from(count), noun)));
        }
    }
    if summary.images_behind > 0 {
        parts.push(format!(
            "{} with a newer version",
            counted(u64::from(summary.images_behind), "image")
        ));
    }
    if summary.unknown > 0 {
        parts.push(format!("{} unknown", summary.unknown));
    }
    if parts.is_empty() {
        "nothing is behind".to_owned()
    } else {
        parts.join(", ")
    }
}

fn summary(text: &mut String, report: &OutdatedReport, look: &Look) {
    let style = if report.summary.is_behind() || report.summary.is_incomplete() {
        look.styles.warning
    } else {
        look.styles.good
    };
    line!(
        text,
        "\n{}: {style}{}{style:#}",
        counted(u64::from(report.summary.releases), "release"),
        verdict(&report.summary)
    );
}

#[cfg(test)]
mod tests;
