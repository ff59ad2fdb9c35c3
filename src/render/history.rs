//! The screen of `history`: one line a change, newest first.

use std::fmt::Write as _;

use tracebloc_core::report::HistoryReport;

use super::grid::Grid;
use super::{Look, changes, findings, section};

/// The whole answer for people, who call us by that name.
pub(crate) fn screen(report: &HistoryReport, look: &Look, program: &str) -> String {
    let mut text = String::new();
    let (faint, header) = (look.styles.faint, look.styles.header);
    section::context(&mut text, &report.context, look);
    line!(text, "Release: {header}{}{header:#}\n", report.release);
    if report.entries.is_empty() {
        line!(text, "  nothing is known to have been done in this time");
    } else {
        let mut grid = Grid::titled(&["WHEN", "STATE", "WHAT"], faint);
        for change in &report.entries {
            grid.row(changes::row(change, report.checked_at, look));
        }
        grid.write(&mut text, look.width);
    }
    if report.truncated {
        line!(
            text,
            "\n  {faint}older entries were left out: --max shows more{faint:#}"
        );
    }
    findings::section(&mut text, &report.findings, look, program);
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::render::Detail;
    use crate::render::text::width_of;
    use crate::ui::{Styles, is_harmful};

    fn sample() -> HistoryReport {
        let workload =
            json!({"kind": "Deployment", "namespace": "edge", "name": "edge-jobs-manager"});
        let value = json!({
            "apiVersion": "tracebloc.io/v1alpha1", "kind": "HistoryReport",
            "context": {"name": "bed", "server": "https://127.0.0.1:6443"},
            "checkedAt": "2026-08-21T10:25:00Z",
            "release": {"namespace": "edge", "name": "edge"},
            "entries": [
                {"at": "2026-08-21T10:20:00Z", "change": "change", "outcome": "undone", "workload": workload,
                 "summary": "refresh of deployment/edge-jobs-manager by jane: jobs-manager from aaaaaaaaaaaa to bbbbbbbbbbbb (started anew); CrashLoopBackOff\u{1b}[2J",
                 "evidence": ["configmap/tracebloc-history-edge"]},
                {"at": "2026-08-21T10:10:00Z", "change": "edit", "workload": workload, "summary": "kubectl-set changed the image of api in deployment/edge-jobs-manager"},
                {"at": "2026-08-20T10:00:00Z", "change": "revision", "revision": 2, "status": "superseded", "outcome": "done", "summary": "revision 2: client-1.9.28, Upgrade complete"},
                {"change": "revision", "revision": 1, "status": "failed", "outcome": "failed", "summary": "revision 1: not allowed"},
            ],
            "truncated": true,
            "findings": [{"code": "cluster-unanswered", "severity": "warning", "subject": {}, "message": "configmap tracebloc-history-edge in namespace edge: forbidden", "advice": []}],
        });
        serde_json::from_value(value).unwrap()
    }

    fn shown(detail: Detail, width: Option<usize>) -> String {
        let look = Look {
            styles: Styles::PLAIN,
            detail,
            headers: true,
            width,
        };
        screen(&sample(), &look, "kubectl tracebloc")
    }

    #[test]
    fn a_line_says_when_how_it_ended_and_what_it_was() {
        let text = shown(Detail::Short, None);
        for part in [
            "Release: edge/edge\n\n  WHEN            STATE       WHAT\n",
            "  5 minutes ago   undone      refresh of deployment/edge-jobs-manager by jane: ",
            "  15 minutes ago  -           kubectl-set changed the image of api",
            "  1 day ago       superseded  revision 2: client-1.9.28, Upgrade complete",
            "  -               failed      revision 1: not allowed",
            "older entries were left out",
            "warning configmap tracebloc-history-edge in namespace edge: forbidden (cluster-unanswered)",
            "$ kubectl tracebloc explain cluster-unanswered",
        ] {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
        assert!(!text.replace('\n', " ").contains(is_harmful), "{text:?}");
        let wide = shown(Detail::Wide, None);
        assert!(
            wide.contains("2026-08-21T10:20:00Z  undone")
                && wide.contains("[configmap/tracebloc-history-edge]"),
            "{wide}"
        );
    }

    #[test]
    fn eighty_columns_are_enough() {
        let text = shown(Detail::Short, Some(80));
        assert!(text.lines().all(|line| width_of(line) <= 80), "{text}");
        assert!(text.lines().count() > shown(Detail::Short, None).lines().count());
    }
}
