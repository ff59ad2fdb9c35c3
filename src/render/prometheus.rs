//! `-o prometheus`: the text format of Prometheus, for the textfile collector of its node exporter.
//!
//! What is unknown has a series all the same, with the value NaN: it is neither 0, which would mean current, nor more or less than any count.
//! The `state` of the information series says it in a word.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tracebloc_core::finding::{Code, Severity};
use tracebloc_core::report::{
    ChartReport, ChartState, ImageFlag, ImageReport, ImageState, OutdatedReport, ReleaseReport,
};

use super::text::{chart_state, harmless, image_state};

/// The whole report as gauges.
pub(crate) fn metrics(report: &OutdatedReport) -> String {
    let context = report.context.name.as_deref().unwrap_or_default();
    let mut info = Family::new(
        "tracebloc_release_info",
        "A release with its chart; the value is always 1.",
    );
    let mut versions = Family::new(
        "tracebloc_release_chart_versions_behind",
        "How many newer versions of the chart fit; NaN where it is unknown.",
    );
    let mut image_info = Family::new(
        "tracebloc_image_info",
        "An image of a release with its state; the value is always 1.",
    );
    let mut pods = Family::new(
        "tracebloc_image_pods",
        "How many pods run the image; those whose content is known.",
    );
    let mut behind = Family::new(
        "tracebloc_image_behind_pods",
        "How many of them run other content than is published; NaN where it is unknown.",
    );
    for release in &report.releases {
        let labels = release_labels(context, release);
        if let Some(chart) = &release.chart {
            let named = labels.with("chart", &chart.name);
            let latest = chart.latest.as_ref().map(ToString::to_string);
            let details = named
                .with("current", &chart.current)
                .with("latest", latest.as_deref().unwrap_or_default())
                .with("state", chart_state(chart.state));
            info.set(&details, 1.0);
            versions.set(&named, versions_behind(chart));
        } else if release.is_unread() {
            let named = labels.with("chart", "");
            let details = named.with("current", "").with("latest", "");
            info.set(&details.with("state", "unknown"), 1.0);
            versions.set(&named, f64::NAN);
        }
        for image in &release.images {
            let labels = image_labels(&labels, image);
            let pinned = image.flags.contains(&ImageFlag::Pinned).to_string();
            let details = labels
                .with("state", image_state(image.state))
                .with("pinned", &pinned);
            image_info.set(&details, 1.0);
            pods.add(&labels, f64::from(image.pods));
            behind.add(&labels, pods_behind(image));
        }
    }
    let mut text = String::new();
    for family in [info, versions, image_info, pods, behind] {
        family.write(&mut text);
    }
    totals(report, context, &mut text);
    text
}

fn totals(report: &OutdatedReport, context: &str, text: &mut String) {
    let labels = Labels::default().with("context", context);
    let mut findings = Family::new(
        "tracebloc_findings",
        "How many findings there are with a code; without a series there is none.",
    );
    let mut counts: BTreeMap<(Code, Severity), u32> = BTreeMap::new();
    for finding in &report.findings {
        *counts.entry((finding.code, finding.severity)).or_default() += 1;
    }
    for ((code, severity), count) in counts {
        let labels = labels
            .with("code", code.as_str())
            .with("severity", severity.as_str());
        findings.set(&labels, f64::from(count));
    }
    findings.write(text);
    let checked = report.checked_at.as_duration().as_secs_f64().floor();
    for (name, help, value) in [
        (
            "tracebloc_releases",
            "How many releases were looked at.",
            f64::from(report.summary.releases),
        ),
        (
            "tracebloc_unknown_total",
            "How many charts and images have an unknown state, and how many releases could not be read.",
            f64::from(report.summary.unknown),
        ),
        (
            "tracebloc_checked_timestamp_seconds",
            "When the facts were observed, in seconds since 1970.",
            checked,
        ),
    ] {
        let mut family = Family::new(name, help);
        family.set(&labels, value);
        family.write(text);
    }
}

fn release_labels(context: &str, release: &ReleaseReport) -> Labels {
    Labels::default()
        .with("context", context)
        .with("namespace", release.namespace.as_str())
        .with("release", release.name.as_str())
}

/// Repository and tag belong to it: one name can stand for several images of a release.
fn image_labels(release: &Labels, image: &ImageReport) -> Labels {
    release
        .with("image", &image.name)
        .with("repository", &image.repository)
        .with("tag", image.tag.as_deref().unwrap_or_default())
}

fn versions_behind(chart: &ChartReport) -> f64 {
    match (chart.state, chart.versions_behind) {
        (ChartState::Unknown, _) | (_, None) => f64::NAN,
        (_, Some(behind)) => f64::from(behind),
    }
}

fn pods_behind(image: &ImageReport) -> f64 {
    if image.state == ImageState::Unknown {
        f64::NAN
    } else {
        f64::from(image.pods_behind)
    }
}

/// The labels of a series, in the order in which they were added.
#[derive(Debug, Clone, Default)]
struct Labels(String);

impl Labels {
    fn with(&self, name: &str, value: &str) -> Self {
        let Self(labels) = self;
        let separator = if labels.is_empty() { "" } else { "," };
        let value = harmless(value).replace('\\', r"\\").replace('"', "\\\"");
        Self(format!("{labels}{separator}{name}=\"{value}\""))
    }
}

/// All series of one name. No two of them may have the same labels: the collector would refuse the whole file.
struct Family {
    name: &'static str,
    help: &'static str,
    series: BTreeMap<String, f64>,
}

impl Family {
    fn new(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            series: BTreeMap::new(),
        }
    }

    fn set(&mut self, labels: &Labels, value: f64) {
        self.series.insert(labels.0.clone(), value);
    }

    /// Adds to the series, so that one that is unknown in part is unknown as a whole.
    fn add(&mut self, labels: &Labels, value: f64) {
        *self.series.entry(labels.0.clone()).or_default() += value;
    }

    fn write(&self, text: &mut String) {
        let Self { name, help, series } = self;
        line!(text, "# HELP {name} {help}");
        line!(text, "# TYPE {name} gauge");
        for (labels, value) in series {
            line!(text, "{name}{{{labels}}} {value}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    /// The value of the one series with this name and these labels in it.
    fn value<'text>(text: &'text str, name: &str, labels: &[&str]) -> &'text str {
        let mut found = text.lines().filter(|line| {
            line.starts_with(&format!("{name}{{"))
                && labels.iter().all(|label| line.contains(label))
        });
        let line = found.next().unwrap();
        assert_eq!(found.next(), None, "one series");
        line.rsplit(' ').next().unwrap()
    }

    #[test]
    fn counts_are_gauges() {
        let text = metrics(&sample::report());
        let behind = [r#"namespace="edge",release="behind""#];
        for (name, expected) in [
            ("tracebloc_release_chart_versions_behind", "2"),
            ("tracebloc_image_pods", "3"),
            ("tracebloc_image_behind_pods", "1"),
        ] {
            assert_eq!(value(&text, name, &behind), expected, "{text}");
        }
        let info = r#"tracebloc_release_info{context="production-eu",namespace="edge",release="behind",chart="client",current="1.9.28",latest="1.9.51",state="behind"} 1"#;
        assert!(text.lines().any(|line| line == info), "{text}");
        let found = [r#"code="chart-behind",severity="warning""#];
        assert_eq!(value(&text, "tracebloc_findings", &found), "1");
        assert_eq!(value(&text, "tracebloc_unknown_total", &[]), "3");
        assert_eq!(
            value(&text, "tracebloc_checked_timestamp_seconds", &[]),
            "1769904000"
        );
    }

    #[test]
    fn what_is_unknown_has_a_series_that_is_not_zero() {
        let text = metrics(&sample::report());
        for (release, names) in [
            (
                "unknown",
                &[
                    "tracebloc_release_chart_versions_behind",
                    "tracebloc_image_behind_pods",
                ][..],
            ),
            ("unread", &["tracebloc_release_chart_versions_behind"]),
        ] {
            let labels = [format!("release=\"{release}\"")];
            for name in names {
                assert_eq!(value(&text, name, &[&labels[0]]), "NaN", "{name} {release}");
            }
            let state = [labels[0].as_str(), "state=\"unknown\""];
            assert_eq!(value(&text, "tracebloc_release_info", &state), "1");
        }
    }

    #[test]
    fn no_series_comes_twice_and_every_name_is_described_first() {
        let mut report = sample::report();
        let image = report.releases[0].images[0].clone();
        report.releases[0].images.push(image);
        let text = metrics(&report);
        let mut seen = std::collections::BTreeSet::new();
        let mut described = "";
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                described = rest.strip_suffix(" gauge").unwrap();
            } else if !line.starts_with('#') {
                let (series, _) = line.rsplit_once(' ').unwrap();
                assert!(seen.insert(series), "{series} twice");
                assert_eq!(series.split('{').next(), Some(described));
            }
        }
    }

    #[test]
    fn images_of_one_name_are_kept_apart_by_repository_and_tag() {
        let mut report = sample::report();
        let images = &mut report.releases[0].images;
        for (repository, tag) in [
            ("mirror/jobs-manager", "prod"),
            ("mirror/jobs-manager", "dev"),
        ] {
            let mut image = images[0].clone();
            image.repository = repository.to_owned();
            image.tag = Some(tag.to_owned());
            images.push(image);
        }
        let text = metrics(&report);
        let series = text.lines().filter(|line| {
            line.starts_with("tracebloc_image_pods{") && line.contains("\"behind\"")
        });
        assert_eq!(series.count(), 3, "{text}");
    }

    #[test]
    fn label_values_are_escaped() {
        let labels = Labels::default().with("context", "a\"b\\c\nd");
        assert_eq!(labels.0, "context=\"a\\\"b\\\\c\u{fffd}d\"");
    }
}
