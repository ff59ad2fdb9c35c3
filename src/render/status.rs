//! The screen of `status`: one release, section by section.

mod images;

use std::fmt::Write as _;

use anstyle::Style;
use jiff::Timestamp;
use tracebloc_core::claim::ReclaimPolicy;
use tracebloc_core::name::Namespace;
use tracebloc_core::report::{
    AutomationState, ChartState, ClaimReport, JobReport, PinKind, StatusReport, TagSource,
    WorkloadReport, WorkloadState,
};
use tracebloc_core::time::{age, counted};

use super::grid::{Cell, Grid};
use super::outdated::verdict;
use super::rows;
use super::section::{self, ago, title};
use super::text::{chart_state, cut_middle, harmless, wrap};
use super::{Detail, Look, changes, findings};

/// The most columns of a volume's name on a terminal: both its ends tell it.
const LONGEST_VOLUME: usize = 24;

/// The whole answer for people, who call us by that name.
pub(crate) fn screen(report: &StatusReport, look: &Look, program: &str) -> String {
    let mut text = String::new();
    head(&mut text, report, look);
    chart(&mut text, report, look);
    images::section(&mut text, &report.release.images, look);
    workloads(&mut text, report, look);
    pins(&mut text, report, look);
    automation(&mut text, report, look);
    storage(&mut text, &report.release.storage, look);
    last_changes(&mut text, report, look);
    findings::section(&mut text, &report.findings, look, program);
    text
}

fn head(text: &mut String, report: &StatusReport, look: &Look) {
    let release = &report.release;
    let header = look.styles.header;
    section::context(text, &report.context, look);
    let mut told = vec![rows::revision(release)];
    if let Some(since) = release.installed_at {
        told.push(format!("first installed {}", ago(report.checked_at, since)));
    }
    if let Some(owner) = &release.managed_by {
        told.push(format!("looked after by {}", owner.tool));
    }
    if let Some(version) = &report.kubernetes {
        told.push(format!("on Kubernetes {version}"));
    }
    let id = format!("{}/{}", release.namespace, release.name);
    let whole = format!("Release: {id}  {}", harmless(&told.join(", ")));
    for line in wrap(&whole, look.width, "  ") {
        line!(
            text,
            "{}",
            line.replacen(&id, &format!("{header}{id}{header:#}"), 1)
        );
    }
    summary(text, report, look);
}

fn chart(text: &mut String, report: &StatusReport, look: &Look) {
    let Some(chart) = &report.release.chart else {
        return;
    };
    title(text, "Chart", look);
    let latest = match &chart.latest {
        Some(latest) => format!("{latest} is the newest that fits"),
        None if chart.state == ChartState::Replaced => "no longer published".to_owned(),
        None => "the newest is not known".to_owned(),
    };
    let mut notes = vec![latest];
    notes.extend(rows::chart_notes(report.checked_at, &report.release, chart));
    if let Some(repository) = chart
        .repository
        .as_ref()
        .filter(|_| look.detail == Detail::Wide)
    {
        notes.push(format!("in {repository}"));
    }
    let mut grid = Grid::default();
    grid.row([
        Cell::from(format!("{} {}", chart.name, chart.current)),
        Cell::new(
            chart_state(chart.state),
            rows::chart_style(chart, &look.styles),
        ),
        Cell::from(notes.join(", ")),
    ]);
    grid.write(text, look.width);
}

fn workloads(text: &mut String, report: &StatusReport, look: &Look) {
    if report.workloads.is_empty() {
        return;
    }
    let home = &report.release.namespace;
    title(text, "Workloads", look);
    let mut grid = Grid::titled(&["WORKLOAD", "READY", "STATE", "WHERE"], look.styles.faint);
    for report in &report.workloads {
        let ready = report.replicas.map_or_else(
            || "-".to_owned(),
            |replicas| format!("{}/{}", replicas.ready, replicas.desired),
        );
        let (word, style) = workload_state(report.state, look);
        grid.row([
            Cell::from(report.workload.to_string()),
            Cell::from(ready),
            Cell::new(word, style),
            Cell::from(place(report, home)),
        ]);
    }
    grid.write(text, look.width);
}

fn workload_state(state: WorkloadState, look: &Look) -> (&'static str, Style) {
    let styles = look.styles;
    match state {
        WorkloadState::Settled => ("settled", styles.good),
        WorkloadState::Progressing => ("progressing", styles.warning),
        WorkloadState::Paused => ("paused", styles.warning),
        WorkloadState::Idle => ("idle", styles.faint),
        WorkloadState::Scheduled => ("scheduled", styles.good),
        WorkloadState::Suspended => ("suspended", styles.warning),
        WorkloadState::Present => ("present", styles.good),
        WorkloadState::Missing => ("missing", styles.danger),
        WorkloadState::Unknown => ("unknown", styles.warning),
    }
}

/// The nodes of a workload's pods, and why pods wait; its namespace where that is not the release's.
fn place(report: &WorkloadReport, home: &Namespace) -> String {
    let mut parts: Vec<String> = report
        .nodes
        .iter()
        .map(|node| {
            let name = node.name.as_deref().unwrap_or("not scheduled");
            let platform = node
                .platform
                .as_ref()
                .map_or_else(String::new, |platform| format!(" ({platform})"));
            match node.pods {
                1 => format!("{name}{platform}"),
                pods => format!("{pods} on {name}{platform}"),
            }
        })
        .collect();
    parts.extend(report.waiting.iter().cloned());
    parts.extend(report.unknown.iter().map(|unknown| unknown.message.clone()));
    if report.workload.namespace != *home {
        parts.push(format!("in namespace {}", report.workload.namespace));
    }
    parts.join(", ")
}

fn pins(text: &mut String, report: &StatusReport, look: &Look) {
    if report.pins.is_empty() {
        return;
    }
    title(text, "Pins", look);
    let mut grid = Grid::default();
    for pin in &report.pins {
        let what = match pin.pin {
            PinKind::Digest => "pinned",
            PinKind::Held => "held by the chart, behind its tag on purpose",
            PinKind::OptOut => "left by the chart's refresh",
        };
        let who = match pin.source {
            TagSource::Value => "the release's value",
            TagSource::Default | TagSource::Env => "the chart's default",
            TagSource::Unknown => "it is not known by whom",
        };
        grid.row([
            Cell::from(&pin.image),
            Cell::from(match look.detail {
                Detail::Short => images::brief(&pin.text),
                Detail::Wide => pin.text.clone(),
            }),
            Cell::from(format!("{what}, by {who} {}", pin.value)),
        ]);
    }
    grid.write(text, look.width);
}

fn automation(text: &mut String, report: &StatusReport, look: &Look) {
    let Some(automation) = &report.release.automation else {
        return;
    };
    title(text, "Keeps itself current", look);
    let titles = ["JOB", "STATE", "LAST SUCCESS", "NEXT", "DETAIL"];
    let mut grid = Grid::titled(&titles, look.styles.faint);
    for (name, job) in [
        ("chart upgrade", &automation.auto_upgrade),
        ("image refresh", &automation.image_refresh),
    ] {
        let detail = job_detail(job, report, look);
        grid.row(job_row(name, job, &detail, report.checked_at, look));
    }
    grid.write(text, look.width);
}

/// When a job runs, and what else is to be said of it, unless a finding says it.
fn job_detail(job: &JobReport, report: &StatusReport, look: &Look) -> String {
    let is_told = |detail: &str| {
        let mut findings = report.findings.iter();
        look.detail == Detail::Short && findings.any(|finding| finding.message.contains(detail))
    };
    let schedule = job.schedule.as_ref();
    let detail = job.detail.as_ref().filter(|detail| !is_told(detail));
    let since = job
        .since
        .map(|since| format!("since {}", ago(report.checked_at, since)));
    let parts = [
        schedule.map(|schedule| format!("at {schedule}")),
        detail.cloned(),
        since,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn job_row(name: &str, job: &JobReport, detail: &str, now: Timestamp, look: &Look) -> [Cell; 5] {
    let styles = look.styles;
    let (word, style) = match job.state {
        AutomationState::Ok => ("ok", styles.good),
        AutomationState::Suspended => ("suspended", styles.warning),
        AutomationState::Stalled => ("stalled", styles.warning),
        AutomationState::Flapping => ("flapping", styles.warning),
        AutomationState::Wedged => ("wedged", styles.danger),
        AutomationState::Inert => ("inert", styles.warning),
        AutomationState::LockedOut => ("locked-out", styles.danger),
        AutomationState::Absent => ("absent", styles.faint),
        AutomationState::Unknown => ("unknown", styles.warning),
    };
    let never = || "-".to_owned();
    [
        Cell::from(name),
        Cell::new(word, style),
        Cell::from(job.last_success.map_or_else(never, |at| ago(now, at))),
        Cell::from(
            job.next_run
                .map_or_else(never, |at| format!("in {}", age(at.duration_since(now)))),
        ),
        Cell::from(detail),
    ]
}

fn storage(text: &mut String, claims: &[ClaimReport], look: &Look) {
    if claims.is_empty() {
        return;
    }
    title(text, "Storage", look);
    let titles = ["CLAIM", "UNINSTALL", "PHASE", "RECLAIM", "VOLUME"];
    let mut grid = Grid::titled(&titles, look.styles.faint);
    for claim in claims {
        let (fate, style) = if claim.kept {
            ("keeps it", look.styles.good)
        } else {
            ("deletes it", look.styles.danger)
        };
        let (reclaim, reclaim_style) = match claim.reclaim {
            Some(ReclaimPolicy::Retain) => ("retain", look.styles.good),
            Some(ReclaimPolicy::Delete) => ("delete", look.styles.danger),
            Some(ReclaimPolicy::Recycle) => ("recycle", look.styles.danger),
            Some(ReclaimPolicy::Unknown) | None => ("unknown", look.styles.warning),
        };
        let volume = claim.volume.as_deref().unwrap_or("-");
        grid.row([
            Cell::from(&claim.id.name),
            Cell::new(fate, style),
            Cell::from(claim.phase.as_deref().unwrap_or("unknown")),
            Cell::new(reclaim, reclaim_style),
            Cell::from(match look.width.filter(|_| look.detail == Detail::Short) {
                Some(_) => cut_middle(volume, LONGEST_VOLUME),
                None => volume.to_owned(),
            }),
        ]);
    }
    grid.write(text, look.width);
}

fn last_changes(text: &mut String, report: &StatusReport, look: &Look) {
    if report.changes.is_empty() {
        return;
    }
    title(text, "Last changes", look);
    let mut grid = Grid::default();
    for change in &report.changes {
        grid.row(changes::row(change, report.checked_at, look));
    }
    grid.write(text, look.width);
}

/// What is behind or unknown, in numbers: first, since a small terminal shows the first lines only.
fn summary(text: &mut String, report: &StatusReport, look: &Look) {
    let behind = report.summary.is_behind() || report.summary.is_incomplete();
    let style = if behind {
        look.styles.warning
    } else {
        look.styles.good
    };
    let findings = match report.findings.len() {
        0 => "no findings".to_owned(),
        count => counted(u64::try_from(count).unwrap_or(u64::MAX), "finding"),
    };
    line!(
        text,
        "Verdict: {style}{}{style:#}, {findings}",
        verdict(&report.summary)
    );
}

#[cfg(test)]
mod tests;
