//! `-o markdown`: the report for a ticket or a chat, as GitHub and most others read it.

use std::fmt::Write as _;

use tracebloc_core::finding::Finding;
use tracebloc_core::report::{OutdatedReport, ReleaseReport};
use tracebloc_core::time::counted;

use super::Detail;
use super::outdated::verdict;
use super::rows::{self, Column};
use super::text::harmless;
use crate::ui::Styles;

/// What stands in each release's table.
const COLUMNS: [Column; 5] = [
    Column::What,
    Column::Current,
    Column::Latest,
    Column::State,
    Column::Note,
];

/// The whole report.
pub(crate) fn document(report: &OutdatedReport) -> String {
    let mut text = "# What is behind\n\n".to_owned();
    let name = report.context.name.as_deref().unwrap_or("(none)");
    line!(
        text,
        "Context {} ({}), checked at {:.0}.",
        code(name),
        code(&report.context.server),
        report.checked_at
    );
    line!(
        text,
        "{}: {}.",
        counted(u64::from(report.summary.releases), "release"),
        verdict(&report.summary)
    );
    for release in &report.releases {
        line!(text, "\n## {}\n", escape(&release.id().to_string()));
        table(&mut text, report, release);
        let id = release.id();
        findings(&mut text, report, |finding| {
            finding.subject.release.as_ref() == Some(&id)
        });
    }
    let general = |finding: &Finding| finding.subject.release.is_none();
    if report.findings.iter().any(general) {
        line!(text, "\n## All releases");
        findings(&mut text, report, general);
    }
    text
}

fn table(text: &mut String, report: &OutdatedReport, release: &ReleaseReport) {
    let mut write = |cells: Vec<String>| line!(text, "| {} |", cells.join(" | "));
    write(
        COLUMNS
            .iter()
            .map(|column| column.title().to_lowercase())
            .collect(),
    );
    write(COLUMNS.iter().map(|_| "---".to_owned()).collect());
    for row in rows::of_release(report, release, &Styles::PLAIN, Detail::Short) {
        write(
            COLUMNS
                .iter()
                .map(|column| escape(row.cell(*column)))
                .collect(),
        );
    }
}

/// The findings that are wanted, each with its advice.
fn findings(text: &mut String, report: &OutdatedReport, wanted: impl Fn(&Finding) -> bool) {
    for finding in report.findings.iter().filter(|finding| wanted(finding)) {
        line!(
            text,
            "\n**{}** {} ({})",
            finding.severity,
            escape(&finding.message),
            code(finding.code.as_str())
        );
        if !finding.advice.is_empty() {
            let advice = harmless_lines(&finding.advice);
            let fence = "`".repeat(longest_run(&advice, '`').max(2) + 1);
            line!(text, "\n{fence}sh\n{advice}\n{fence}");
        }
    }
}

fn harmless_lines(lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| harmless(line)).collect();
    lines.join("\n")
}

/// The text as it is, whatever it holds: markup, HTML, the bars of a table. What could break out of its line is replaced.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in harmless(text).chars() {
        // A line that begins with these would be a list, a heading or a quotation.
        let opens = escaped.is_empty() && matches!(character, '-' | '+' | '=' | '#' | '>');
        if opens
            || matches!(
                character,
                '\\' | '`'
                    | '*'
                    | '_'
                    | '['
                    | ']'
                    | '<'
                    | '>'
                    | '|'
                    | '~'
                    | '&'
                    | '#'
                    | '@'
                    | '!'
                    | '$'
            )
        {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// The text as code, with a fence that is longer than any in it.
fn code(text: &str) -> String {
    let text = harmless(text);
    let fence = "`".repeat(longest_run(&text, '`') + 1);
    let space = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{space}{text}{space}{fence}")
}

fn longest_run(text: &str, wanted: char) -> usize {
    text.split(|character| character != wanted)
        .map(str::len)
        .max()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn every_release_has_a_table_its_findings_and_what_to_type() {
        let mut report = sample::report();
        report.checked_at = "2026-02-01T00:00:00.123456Z".parse().unwrap();
        let text = document(&report);
        assert!(text.contains("checked at 2026-02-01T00:00:00Z."), "{text}");
        assert!(
            text.starts_with("# What is behind\n\nContext `production-eu`"),
            "{text}"
        );
        assert_eq!(text.matches("\n## edge/").count(), 4, "{text}");
        assert!(
            text.contains("| what | current | latest | state | note |\n| --- |"),
            "{text}"
        );
        assert!(
            text.contains("| chart client | 1.9.28 | 1.9.51 | behind | 2 versions behind, "),
            "{text}"
        );
        assert!(
            text.contains("\n**warning** client 1.9.28 is 2 versions"),
            "{text}"
        );
        assert!(text.contains("\n```sh\nhelm upgrade behind "), "{text}");
    }

    #[test]
    fn markup_from_elsewhere_is_text() {
        let text = document(&sample::report());
        assert!(text.contains(r"it is \| \<b\>\`damaged\`\</b\>"), "{text}");
        assert!(
            !text.contains('\u{1b}') && !text.contains("\n# and"),
            "{text}"
        );
        assert_eq!(escape("- a_b"), r"\- a\_b");
    }

    #[test]
    fn code_keeps_its_backticks() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a``b"), "```a``b```");
        assert_eq!(code("`"), "`` ` ``");
    }

    #[test]
    fn a_fence_is_longer_than_any_in_the_advice() {
        let mut report = sample::report();
        report.findings[0].advice = vec!["echo ```` x".to_owned()];
        let text = document(&report);
        assert!(text.contains("\n`````sh\necho ```` x\n`````\n"), "{text}");
    }
}
