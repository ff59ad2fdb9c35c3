//! The lines of the table, cell by cell: one for each chart and image.

use anstyle::Style;
use jiff::Timestamp;
use tracebloc_core::image::Digest;
use tracebloc_core::report::{
    ChartReport, ChartState, ImageFlag, ImageReport, ImageState, OutdatedReport, ReleaseReport,
    TagSource,
};
use tracebloc_core::time::{age, counted};
use tracebloc_core::version::Change;

use super::Detail;
use super::text::{chart_state, harmless, image_state};
use crate::ui::Styles;

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Namespace,
    Release,
    What,
    Current,
    Latest,
    State,
    Note,
    Source,
    UsedBy,
}

impl Column {
    /// Every column, in the order of the table.
    const ALL: [Self; 9] = [
        Self::Namespace,
        Self::Release,
        Self::What,
        Self::Current,
        Self::Latest,
        Self::State,
        Self::Note,
        Self::Source,
        Self::UsedBy,
    ];

    /// Those that are shown.
    pub(super) fn shown(detail: Detail) -> Vec<Self> {
        Self::ALL
            .into_iter()
            .filter(|column| {
                detail == Detail::Wide || !matches!(column, Self::Source | Self::UsedBy)
            })
            .collect()
    }

    /// What stands above it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Namespace => "NAMESPACE",
            Self::Release => "RELEASE",
            Self::What => "WHAT",
            Self::Current => "CURRENT",
            Self::Latest => "LATEST",
            Self::State => "STATE",
            Self::Note => "NOTE",
            Self::Source => "SOURCE",
            Self::UsedBy => "USED BY",
        }
    }
}

/// A line of the table. Its cells are harmless for a terminal.
#[derive(Debug, Clone)]
pub(super) struct Row {
    cells: [String; Column::ALL.len()],
    /// The colour of its state.
    pub(super) style: Style,
}

impl Row {
    fn new(release: &ReleaseReport, style: Style) -> Self {
        let row = Self {
            cells: Default::default(),
            style,
        };
        row.set(Column::Namespace, release.namespace.as_str())
            .set(Column::Release, release.name.as_str())
    }

    /// The row with this text in a cell.
    #[must_use]
    pub(super) fn set(mut self, column: Column, text: &str) -> Self {
        self.cells[column as usize] = harmless(text);
        self
    }

    /// The text of a cell.
    pub(super) fn cell(&self, column: Column) -> &str {
        &self.cells[column as usize]
    }
}

/// The lines of a release: its chart, its images; one line where neither is known.
pub(super) fn of_release(
    report: &OutdatedReport,
    release: &ReleaseReport,
    styles: &Styles,
    detail: Detail,
) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(chart) = &release.chart {
        rows.push(chart_row(report, release, chart, styles));
    }
    for image in &release.images {
        rows.push(image_row(release, image, styles, detail));
    }
    if rows.is_empty() {
        let (what, note) = match release.revision {
            Some(number) => (format!("revision {number}"), release.status.to_string()),
            None => ("release".to_owned(), revision(release)),
        };
        rows.push(
            Row::new(release, styles.danger)
                .set(Column::What, &what)
                .set(Column::State, "unknown")
                .set(Column::Note, &note),
        );
    }
    rows
}

/// How the newest revision stands.
pub(super) fn revision(release: &ReleaseReport) -> String {
    match release.revision {
        Some(number) => format!("revision {number} is {}", release.status),
        None => "known by its labels alone".to_owned(),
    }
}

fn chart_row(
    report: &OutdatedReport,
    release: &ReleaseReport,
    chart: &ChartReport,
    styles: &Styles,
) -> Row {
    let style = chart_style(chart, styles);
    let note = chart_notes(report.checked_at, release, chart);
    let latest = chart
        .latest
        .as_ref()
        .map_or_else(|| "-".to_owned(), ToString::to_string);
    Row::new(release, style)
        .set(Column::What, &format!("chart {}", chart.name))
        .set(Column::Current, &chart.current)
        .set(Column::Latest, &latest)
        .set(Column::State, chart_state(chart.state))
        .set(Column::Note, &note.join(", "))
        .set(
            Column::Source,
            chart.repository.as_deref().unwrap_or_default(),
        )
}

/// The colour of a chart's state.
pub(super) fn chart_style(chart: &ChartReport, styles: &Styles) -> Style {
    match chart.state {
        ChartState::Current => styles.good,
        ChartState::Behind | ChartState::Ahead | ChartState::Unknown => styles.warning,
        ChartState::Mixed | ChartState::Replaced => styles.danger,
    }
}

/// What is told of a chart beside its versions.
pub(super) fn chart_notes(
    checked_at: Timestamp,
    release: &ReleaseReport,
    chart: &ChartReport,
) -> Vec<String> {
    let mut note = Vec::new();
    // First, since the end of a note may be cut.
    if let Some(unknown) = &chart.unknown {
        note.push(unknown.message.clone());
    }
    if let Some(behind) = chart.versions_behind.filter(|behind| *behind > 0) {
        note.push(format!("{} behind", counted(u64::from(behind), "version")));
    }
    if let Some(since) = release.deployed_at {
        note.push(format!(
            "installed {} ago",
            age(checked_at.duration_since(since))
        ));
    }
    match (&chart.attempted, release.revision) {
        (Some(attempted), Some(number)) => note.push(format!(
            "revision {number} to {attempted} is {}",
            release.status
        )),
        _ if release.status != tracebloc_core::release::ReleaseStatus::Deployed => {
            note.push(revision(release));
        }
        _ => {}
    }
    note
}

fn image_row(release: &ReleaseReport, image: &ImageReport, styles: &Styles, detail: Detail) -> Row {
    let style = image_style(image, styles);
    let note = image_notes(image);
    let mut running: Vec<&Digest> = image
        .digest
        .running
        .iter()
        .map(|running| &running.digest)
        .chain(&image.digest.carried)
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
    let published = image.digest.published.as_ref();
    let (current, latest) = match (&image.version, published) {
        // Where only versions were asked for there is no digest to show.
        (Some(version), None) if version.latest.is_some() => {
            (version.current.clone(), version.latest.clone())
        }
        _ => (current, published.map(shown)),
    };
    let users: Vec<String> = image
        .references
        .iter()
        .map(|reference| reference.workload.to_string())
        .collect();
    Row::new(release, style)
        .set(Column::What, &name)
        .set(Column::Current, &current)
        .set(Column::Latest, &latest.unwrap_or_else(|| "-".to_owned()))
        .set(Column::State, image_state(image.state))
        .set(Column::Note, &note.join(", "))
        .set(Column::Source, &image.repository)
        .set(Column::UsedBy, &users.join(" "))
}

/// The colour of an image's state.
pub(super) fn image_style(image: &ImageReport, styles: &Styles) -> Style {
    match image.state {
        ImageState::Current => styles.good,
        ImageState::Behind | ImageState::Rolling | ImageState::Unknown => styles.warning,
        ImageState::Idle => styles.faint,
    }
}

/// What is told of an image beside its digests.
pub(super) fn image_notes(image: &ImageReport) -> Vec<String> {
    let mut note = Vec::new();
    match image.state {
        ImageState::Behind | ImageState::Rolling if image.source == TagSource::Env => {
            note.push("old in the environment".to_owned());
        }
        ImageState::Idle | ImageState::Current if image.source == TagSource::Env => {
            note.push("named in an environment".to_owned());
        }
        // Only its version is old: the pods run what their tag points to.
        ImageState::Behind if image.pods_behind == 0 => {
            note.push(counted(u64::from(image.pods), "pod"));
        }
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
            // Said by the other one.
            ImageFlag::Pinned if image.flags.contains(&ImageFlag::Held) => {}
            ImageFlag::Pinned => note.push("pinned".to_owned()),
            ImageFlag::MaybePinned => note.push("may be pinned".to_owned()),
            ImageFlag::Held => note.push("held on purpose".to_owned()),
            ImageFlag::Skewed => note.push("skewed".to_owned()),
            ImageFlag::RestartInVain
                if image.state == ImageState::Behind && image.pods_behind > 0 =>
            {
                note.push("a restart would not pull".to_owned());
            }
            ImageFlag::RestartInVain => {}
            ImageFlag::CacheStale => note.push("the cache is stale".to_owned()),
        }
    }
    if let Some(version) = &image.version
        && version.change != Change::None
        && let Some(latest) = &version.latest
    {
        note.push(format!("{latest} is published"));
    }
    if let Some(unknown) = &image.unknown {
        note.push(unknown.message.clone());
    }
    note
}
