//! A report for tests: one release that is behind, one that is current, one of which nothing is known, and one that cannot be read.

use serde_json::{Value, json};
use tracebloc_core::report::OutdatedReport;

/// Digests that differ from their first digit on.
pub(super) fn digest(digit: char) -> String {
    format!("sha256:{}", String::from(digit).repeat(64))
}

/// The report, all of whose releases are in one namespace.
pub(super) fn report() -> OutdatedReport {
    let value = json!({
        "apiVersion": "tracebloc.io/v1alpha1",
        "kind": "OutdatedReport",
        "context": {"name": "production-eu", "server": "https://10.0.0.1:6443"},
        "checkedAt": "2026-02-01T00:00:00Z",
        "releases": [
            release("behind", &chart("behind", Some(2)), &json!([image("behind", 3, 1)])),
            release("current", &chart("current", Some(0)), &json!([image("current", 2, 0)])),
            release("unknown", &chart("unknown", None), &json!([image("unknown", 1, 0)])),
            {"namespace": "edge", "name": "unread", "revision": 4, "status": "deployed", "images": []},
        ],
        "summary": {"releases": 4, "chartsBehind": 1, "digestsBehind": 1, "unknown": 3},
        "findings": [
            {
                "code": "chart-behind", "severity": "warning",
                "subject": {"release": {"namespace": "edge", "name": "behind"}},
                "message": "client 1.9.28 is 2 versions behind 1.9.51, installed 98 days ago",
                "advice": ["helm upgrade behind client --repo https://charts.example.com --version 1.9.51 --reset-then-reuse-values --namespace edge"],
            },
            {
                "code": "release-unreadable", "severity": "danger",
                "subject": {"release": {"namespace": "edge", "name": "unread"}},
                "message": "record: it is | <b>`damaged`</b>\u{1b}[31m\n# and *more*",
            },
            {
                "code": "digest-unknown", "severity": "warning",
                "subject": {"release": {"namespace": "edge", "name": "unknown"}, "image": "jobs-manager"},
                "message": "whether jobs-manager:prod runs its published content is unknown: docker.io did not answer within 5 seconds",
            },
        ],
    });
    serde_json::from_value(value).unwrap()
}

/// The report with so many releases that are behind, each in a namespace of its own.
pub(super) fn fleet(count: usize) -> OutdatedReport {
    let mut report = report();
    let sample = report.releases[0].clone();
    report.releases = (0..count)
        .map(|number| {
            let mut release = sample.clone();
            release.namespace = format!("customer-{number:03}").parse().unwrap();
            release
        })
        .collect();
    report
}

fn release(name: &str, chart: &Value, images: &Value) -> Value {
    json!({
        "namespace": "edge", "name": name, "revision": 3, "status": "deployed",
        "installedAt": "2025-10-01T00:00:00Z", "deployedAt": "2025-10-26T00:00:00Z",
        "chart": chart, "images": images,
    })
}

fn chart(state: &str, behind: Option<u32>) -> Value {
    json!({
        "name": "client", "current": "1.9.28", "state": state, "versionsBehind": behind,
        "latest": behind.map(|_| "1.9.51"),
        "unknown": behind.is_none().then(|| json!({
            "reason": "timeout", "message": "https://charts.example.com did not answer within 5 seconds",
        })),
    })
}

fn image(state: &str, pods: u32, behind: u32) -> Value {
    json!({
        "name": "jobs-manager", "repository": "tracebloc/jobs-manager", "tag": "prod", "source": "default",
        "state": state, "pods": pods, "podsBehind": behind,
        "references": [{
            "workload": {"kind": "Deployment", "namespace": "edge", "name": "jobs-manager", "container": "api"},
            "spec": "tracebloc/jobs-manager:prod",
        }],
        "digest": {
            "published": digest('b'),
            "running": [{
                "workload": {"kind": "Deployment", "namespace": "edge", "name": "jobs-manager"},
                "digest": digest('a'), "kind": "index", "pods": pods,
            }],
        },
        "unknown": (state == "unknown").then(|| json!({
            "reason": "timeout", "message": "docker.io did not answer within 5 seconds",
        })),
    })
}
