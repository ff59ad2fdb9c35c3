//! The table of `outdated`: the context, a line for each chart and image, what is worth attention, and what to type next.

use std::fmt::Write as _;

use anstyle::Style;
use tabled::builder::Builder;
use tabled::settings::{Padding, Style as Border};
use tracebloc_core::finding::{Finding, Severity};
use tracebloc_core::image::Digest;
use tracebloc_core::report::{
    ChartReport, ChartState, ImageFlag, ImageReport, ImageState, OutdatedReport, ReleaseReport,
};
use tracebloc_core::time::{age, counted};

use super::Detail;
use super::text::harmless;
use crate::ui::Styles;

/// The column that says how things stand, counted from 0.
const STATE_COLUMN: usize = 5;

/// A line of the table.
struct Row {
    cells: Vec<String>,
    style: Style,
}

/// The whole answer for people.
pub(crate) fn table(
    report: &OutdatedReport,
    styles: &Styles,
    detail: Detail,
    headers: bool,
) -> String {
    let mut text = String::new();
    if headers {
        context_line(&mut text, report, styles);
    }
    let rows: Vec<Row> = report
        .releases
        .iter()
        .flat_map(|release| rows(report, release, styles, detail))
        .collect();
    if rows.is_empty() {
        return text;
    }
    write_rows(&mut text, &rows, styles, detail, headers);
    if headers {
        notes(&mut text, report, styles);
        next(&mut text, report, styles);
        summary(&mut text, report, styles);
    }
    text
}

fn context_line(text: &mut String, report: &OutdatedReport, styles: &Styles) {
    let name = report
        .context
        .name
        .as_ref()
        .map_or_else(|| "(none)".to_owned(), |name| harmless(name));
    let faint = styles.faint;
    line!(
        text,
        "Context: {name}  {faint}{}{faint:#}",
        report.context.server
    );
}

fn write_rows(text: &mut String, rows: &[Row], styles: &Styles, detail: Detail, headers: bool) {
    let mut builder = Builder::new();
    if headers {
        let mut names = vec![
            "NAMESPACE",
            "RELEASE",
            "WHAT",
            "CURRENT",
            "LATEST",
            "STATE",
            "NOTE",
        ];
        if detail == Detail::Wide {
            names.extend(["SOURCE", "USED BY"]);
        }
        builder.push_record(names.into_iter().map(str::to_owned));
    }
    for row in rows {
        builder.push_record(row.cells.iter().map(|cell| harmless(cell)));
    }
    let mut table = builder.build();
    table.with(Border::empty()).with(Padding::new(0, 3, 0, 0));
    // Colour is put on afterwards, so that it takes no width.
    for (number, line) in table.to_string().lines().enumerate() {
        let line = line.trim_end();
        let header = styles.header;
        match number
            .checked_sub(usize::from(headers))
            .and_then(|number| rows.get(number))
        {
            None => line!(text, "{header}{line}{header:#}"),
            Some(row) => line!(text, "{}", colored(line, row)),
        }
    }
}

/// The line with its state in colour.
fn colored(line: &str, row: &Row) -> String {
    let state = &row.cells[STATE_COLUMN];
    let before: usize = row.cells[..STATE_COLUMN]
        .iter()
        .map(std::string::String::len)
        .sum();
    let style = row.style;
    match line
        .get(before..)
        .and_then(|rest| rest.find(state.as_str()))
    {
        Some(place) if !state.is_empty() => {
            let start = before + place;
            let end = start + state.len();
            format!("{}{style}{state}{style:#}{}", &line[..start], &line[end..])
        }
        Some(_) | None => line.to_owned(),
    }
}

fn rows(
    report: &OutdatedReport,
    release: &ReleaseReport,
    styles: &Styles,
    detail: Detail,
) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(chart) = &release.chart {
        rows.push(chart_row(report, release, chart, styles, detail));
    }
    for image in &release.images {
        rows.push(image_row(release, image, styles, detail));
    }
    if rows.is_empty() {
        let mut cells = vec![
            release.namespace.to_string(),
            release.name.to_string(),
            format!("revision {}", release.revision),
            String::new(),
            String::new(),
            "unknown".to_owned(),
            release.status.to_string(),
        ];
        if detail == Detail::Wide {
            cells.extend([String::new(), String::new()]);
        }
        rows.push(Row {
            cells,
            style: styles.danger,
        });
    }
    rows
}

fn chart_row(
    report: &OutdatedReport,
    release: &ReleaseReport,
    chart: &ChartReport,
    styles: &Styles,
    detail: Detail,
) -> Row {
    let (state, style) = match chart.state {
        ChartState::Current => ("current", styles.good),
        ChartState::Behind => ("behind", styles.warning),
        ChartState::Ahead => ("ahead", styles.warning),
        ChartState::Mixed => ("mixed", styles.danger),
        ChartState::Replaced => ("replaced", styles.danger),
        ChartState::Unknown => ("unknown", styles.warning),
    };
    let mut note = Vec::new();
    if let Some(behind) = chart.versions_behind.filter(|behind| *behind > 0) {
        note.push(format!("{} behind", counted(u64::from(behind), "version")));
    }
    if let Some(since) = release.deployed_at {
        note.push(format!(
            "installed {} ago",
            age(report.checked_at.duration_since(since))
        ));
    }
    if let Some(attempted) = &chart.attempted {
        note.push(format!(
            "revision {} to {attempted} is {}",
            release.revision, release.status
        ));
    } else if release.status != tracebloc_core::release::ReleaseStatus::Deployed {
        note.push(format!(
            "revision {} is {}",
            release.revision, release.status
        ));
    }
    if let Some(unknown) = &chart.unknown {
        note.push(unknown.message.clone());
    }
    let mut cells = vec![
        release.namespace.to_string(),
        release.name.to_string(),
        format!("chart {}", chart.name),
        chart.current.clone(),
        chart
            .latest
            .as_ref()
            .map_or_else(|| "-".to_owned(), ToString::to_string),
        state.to_owned(),
        note.join(", "),
    ];
    if detail == Detail::Wide {
        cells.push(chart.repository.clone().unwrap_or_default());
        cells.push(String::new());
    }
    Row { cells, style }
}

fn image_row(release: &ReleaseReport, image: &ImageReport, styles: &Styles, detail: Detail) -> Row {
    let (state, style) = match image.state {
        ImageState::Current => ("current", styles.good),
        ImageState::Behind => ("behind", styles.warning),
        ImageState::Rolling => ("rolling", styles.warning),
        ImageState::Idle => ("idle", styles.faint),
        ImageState::Unknown => ("unknown", styles.warning),
    };
    let mut note = Vec::new();
    match image.state {
        ImageState::Behind | ImageState::Rolling => {
            note.push(format!(
                "{} of {} old",
                image.pods_behind,
                counted(u64::from(image.pods), "pod")
            ));
        }
        ImageState::Current if image.pods > 0 => note.push(counted(u64::from(image.pods), "pod")),
        ImageState::Idle => note.push("nothing runs".to_owned()),
        ImageState::Current | ImageState::Unknown => {}
    }
    for flag in &image.flags {
        match flag {
            ImageFlag::Pinned => note.push("pinned".to_owned()),
            ImageFlag::Skewed => note.push("skewed".to_owned()),
            ImageFlag::RestartInVain if image.state == ImageState::Behind => {
                note.push("a restart would not pull".to_owned());
            }
            ImageFlag::RestartInVain => {}
        }
    }
    if let Some(unknown) = &image.unknown {
        note.push(unknown.message.clone());
    }
    let mut running: Vec<&Digest> = image
        .digest
        .running
        .iter()
        .map(|running| &running.digest)
        .collect();
    running.sort();
    running.dedup();
    let shown = |digest: &Digest| match detail {
        Detail::Short => digest.short(),
        Detail::Wide => digest.to_string(),
    };
    let current = match running.as_slice() {
        [] => "-".to_owned(),
        [one] => shown(one),
        several => format!("{} digests", several.len()),
    };
    let name = match &image.tag {
        Some(tag) => format!("image {}:{tag}", image.name),
        None => format!("image {}", image.name),
    };
    let mut cells = vec![
        release.namespace.to_string(),
        release.name.to_string(),
        name,
        current,
        image
            .digest
            .published
            .as_ref()
            .map_or_else(|| "-".to_owned(), shown),
        state.to_owned(),
        note.join(", "),
    ];
    if detail == Detail::Wide {
        cells.push(image.repository.clone());
        cells.push(
            image
                .references
                .iter()
                .map(|reference| reference.workload.to_string())
                .collect::<Vec<_>>()
                .join(" "),
        );
    }
    Row { cells, style }
}

/// Findings that the table's lines do not tell already.
fn notes(text: &mut String, report: &OutdatedReport, styles: &Styles) {
    use tracebloc_core::finding::Code;
    let told = [
        Code::ChartBehind,
        Code::DigestBehind,
        Code::DigestPinned,
        Code::DigestUnknown,
        Code::ChartUnknown,
    ];
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
    for finding in worth {
        let (word, style) = match finding.severity {
            Severity::Info => ("info", styles.faint),
            Severity::Warning => ("warning", styles.warning),
            Severity::Danger => ("danger", styles.danger),
        };
        let about = finding
            .subject
            .release
            .as_ref()
            .map_or_else(String::new, |release| format!("{release}: "));
        line!(
            text,
            "{style}{word}{style:#} {about}{} ({})",
            harmless(&finding.message),
            finding.code
        );
    }
}

/// What to type next, each line once, under what it is for.
fn next(text: &mut String, report: &OutdatedReport, styles: &Styles) {
    let mut told: Vec<&str> = Vec::new();
    let (header, faint) = (styles.header, styles.faint);
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
        let about = finding
            .subject
            .release
            .as_ref()
            .map_or_else(String::new, |release| format!("{release}: "));
        line!(
            text,
            "  {faint}# {about}{}{faint:#}",
            harmless(&finding.message)
        );
        for advice in new {
            line!(text, "  {}", harmless(advice));
            told.push(advice);
        }
    }
}

fn summary(text: &mut String, report: &OutdatedReport, styles: &Styles) {
    let summary = &report.summary;
    let mut parts = Vec::new();
    for (count, noun) in [
        (summary.charts_behind, "chart"),
        (summary.digests_behind, "image"),
    ] {
        if count > 0 {
            parts.push(format!("{} behind", counted(u64::from(count), noun)));
        }
    }
    if summary.unknown > 0 {
        parts.push(format!("{} unknown", summary.unknown));
    }
    let (style, verdict) = if parts.is_empty() {
        (styles.good, "nothing is behind".to_owned())
    } else {
        (styles.warning, parts.join(", "))
    };
    line!(
        text,
        "\n{}: {style}{verdict}{style:#}",
        counted(u64::from(summary.releases), "release")
    );
}
