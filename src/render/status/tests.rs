use serde_json::json;
use tracebloc_core::report::StatusReport;

use super::screen;
use crate::render::sample::{digest, report};
use crate::render::text::width_of;
use crate::render::{Detail, Look};
use crate::ui::{Styles, is_harmful};

/// A release with something in every section, some of it hostile.
fn sample() -> StatusReport {
    let outdated = report();
    let mut release = serde_json::to_value(&outdated.releases[0]).unwrap();
    release["automation"] = json!({
        "autoUpgrade": {"state": "ok", "schedule": "23 * * * *", "lastSuccess": "2026-01-31T23:23:00Z", "nextRun": "2026-02-01T00:23:00Z"},
        "imageRefresh": {"state": "stalled", "detail": "ends well and did nothing", "since": "2026-01-01T00:00:00Z"},
    });
    release["storage"] = json!([
        {"namespace": "edge", "name": "mysql-pvc", "kept": false, "phase": "Bound", "volume": "pvc-65acae46-2dbe-41c5-a4c9-dd212683ed0b", "reclaim": "delete"},
        {"namespace": "edge", "name": "client-pvc", "kept": true},
    ]);
    let workload =
        json!({"kind": "DaemonSet", "namespace": "agents", "name": "behind-resource-monitor"});
    let value = json!({
        "apiVersion": "tracebloc.io/v1alpha1", "kind": "StatusReport",
        "context": outdated.context, "kubernetes": "1.35.4", "checkedAt": outdated.checked_at,
        "release": release,
        "workloads": [{
            "workload": workload, "state": "progressing",
            "replicas": {"desired": 2, "updated": 2, "ready": 1},
            "nodes": [{"name": "node-1", "platform": {"os": "linux", "architecture": "arm64"}, "pods": 2}],
            "waiting": ["ImagePullBackOff\u{1b}[2J"],
        }],
        "pins": [{"image": "mysql-client", "pin": "digest", "value": "images.mysqlClient.digest", "text": digest('c'), "source": "default"}],
        "changes": [
            {"at": "2026-01-30T00:00:00Z", "change": "restart", "workload": workload, "summary": "daemonset/behind-resource-monitor restarted"},
            {"change": "revision", "revision": 3, "status": "failed", "outcome": "failed", "summary": "revision 3: client-1.9.28, Upgrade failed:\nno \u{9b}31m"},
        ],
        "summary": {"releases": 1, "chartsBehind": 1, "imagesBehind": 0, "digestsBehind": 1, "unknown": 0},
        "findings": outdated.findings,
    });
    serde_json::from_value(value).unwrap()
}

fn shown(report: &StatusReport, detail: Detail, width: Option<usize>) -> String {
    let look = Look {
        styles: Styles::PLAIN,
        detail,
        headers: true,
        width,
    };
    screen(report, &look, "kubectl tracebloc")
}

#[test]
fn every_section_is_there_and_says_what_matters() {
    let text = shown(&sample(), Detail::Short, None);
    for part in [
        "Verdict: 1 chart behind, 1 image behind, 3 findings",
        "client 1.9.28  behind  1.9.51 is the newest that fits",
        "jobs-manager:prod  bbbbbbbb   -         tag   aaaaaaaa  behind, 1 of 3 pods old",
        "1/2    progressing  2 on node-1 (linux/arm64), ImagePullBackOff",
        "in namespace agents",
        "mysql-client  cccccccc  pinned, by the chart's default images.mysqlClient.digest",
        "chart upgrade  ok       37 minutes ago  in 23 minutes  at 23 * * * *",
        "stalled  -               -              ends well and did nothing; since 31 days ago",
        "mysql-pvc   deletes it  Bound    delete",
        "client-pvc  keeps it    unknown  unknown  -",
        "2 days ago  -       daemonset/behind-resource-monitor restarted",
        "failed  revision 3: client-1.9.28, Upgrade failed:",
        "    $ helm upgrade behind client",
        "    $ kubectl tracebloc explain digest-unknown",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let wide = shown(&sample(), Detail::Wide, None);
    assert!(
        wide.contains(&digest('b')) && wide.contains("ends well and did nothing"),
        "{wide}"
    );
}

#[test]
fn nothing_harmful_reaches_a_terminal_and_lines_fit_it() {
    for detail in [Detail::Short, Detail::Wide] {
        let text = shown(&sample(), detail, Some(80));
        let harmful = |character: char| is_harmful(character) && character != '\n';
        assert!(!text.contains(harmful), "{text:?}");
    }
    let text = shown(&sample(), Detail::Short, Some(80));
    for line in text
        .lines()
        .filter(|line| !line.trim_start().starts_with("$ "))
    {
        assert!(width_of(line) <= 80, "{line:?} in\n{text}");
    }
}

#[test]
fn a_narrow_terminal_has_no_column_without_anything_in_it() {
    let mut report = sample();
    let image = &mut report.release.images[0];
    image.digest.recorded = None;
    image.name = "an-image-with-a-rather-long-name".into();
    let narrow = shown(&report, Detail::Short, Some(80));
    assert!(!narrow.contains("RECORDED"), "{narrow}");
    assert!(narrow.contains("an-image-w…g-name:prod"), "{narrow}");
    assert!(shown(&report, Detail::Short, Some(120)).contains("RECORDED"));
    let image = &mut report.release.images[0];
    image.digest.recorded = image.digest.published.clone();
    assert!(shown(&report, Detail::Short, Some(80)).contains("RECORDED"));
}

#[test]
fn a_line_stands_once_and_findings_of_the_same_kind_are_explained_once() {
    let mut report = sample();
    let again = report.findings.clone();
    report.findings.extend(again);
    let text = shown(&report, Detail::Short, None);
    assert_eq!(text.matches("$ helm upgrade").count(), 1, "{text}");
    assert!(text.contains("    the same as above\n"), "{text}");
    let explained = text.matches("explain digest-unknown").count();
    assert_eq!(explained, 1, "{text}");
}

#[test]
fn a_release_of_which_little_is_known_has_only_what_is_known() {
    let mut report = sample();
    report.release.chart = None;
    report.release.images.clear();
    report.release.automation = None;
    report.release.storage.clear();
    report.workloads.clear();
    report.pins.clear();
    report.findings.clear();
    let text = shown(&report, Detail::Short, Some(80));
    for section in [
        "Chart",
        "Images",
        "Workloads",
        "Pins",
        "Keeps",
        "Storage",
        "Findings",
    ] {
        assert!(
            !text.contains(&format!("\n{section}")),
            "{section} in\n{text}"
        );
    }
    assert!(
        text.contains("no findings") && text.contains("Last changes"),
        "{text}"
    );
}
