use super::*;
use crate::finding::Subject;
use crate::report::{API_VERSION, ContextReport};

/// A report of releases `NAMESPACE/NAME`, with versions behind and the day of installation.
fn report(releases: &[(&str, &str, Option<u32>, Option<u8>)]) -> OutdatedReport {
    let releases = releases
        .iter()
        .map(|(namespace, name, behind, day)| {
            let state = match behind {
                None => "unknown",
                Some(0) => "current",
                Some(_) => "behind",
            };
            let deployed = day.map(|day| format!("2026-01-{day:02}T00:00:00Z"));
            let release = serde_json::json!({
                "namespace": namespace, "name": name, "revision": 1, "status": "deployed",
                "installedAt": deployed, "deployedAt": deployed, "images": [],
                "chart": {
                    "name": "client", "current": "1.0.0", "state": state, "versionsBehind": behind,
                },
            });
            serde_json::from_value(release).unwrap()
        })
        .collect();
    OutdatedReport {
        api_version: API_VERSION.to_owned(),
        kind: "OutdatedReport".to_owned(),
        context: ContextReport {
            name: None,
            server: String::new(),
            cluster_uid: None,
        },
        checked_at: "2026-02-01T00:00:00Z".parse().unwrap(),
        releases,
        summary: Summary::default(),
        findings: Vec::new(),
    }
}

fn sample() -> OutdatedReport {
    let mut sample = report(&[
        ("b", "one", Some(2), Some(3)),
        ("a", "two", Some(0), Some(2)),
        ("a", "one", None, None),
        ("c", "zero", Some(7), Some(5)),
    ]);
    sample.findings = [
        (Code::ChartBehind, Some("b/one")),
        (Code::ChartBehind, Some("c/zero")),
        (Code::ReleasePending, Some("c/zero")),
        (Code::ChartVersionUnlisted, Some("a/two")),
        (Code::ClusterUnanswered, None),
    ]
    .into_iter()
    .map(|(code, release)| {
        let id = |text: &str| {
            sample
                .releases
                .iter()
                .map(ReleaseReport::id)
                .find(|id| id.to_string() == text)
        };
        let subject = Subject {
            release: release.and_then(id),
            ..Subject::default()
        };
        Finding::new(code, subject, "")
    })
    .collect();
    sample
}

fn order(report: &OutdatedReport) -> Vec<String> {
    let ids = report.releases.iter().map(ReleaseReport::id);
    ids.map(|id| id.to_string()).collect()
}

fn codes(report: &OutdatedReport) -> Vec<Code> {
    report.findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn releases_are_put_in_every_order() {
    for (wanted, expected) in [
        (Order::Namespace, ["a/one", "a/two", "b/one", "c/zero"]),
        (Order::Name, ["a/one", "b/one", "a/two", "c/zero"]),
        (Order::Behind, ["c/zero", "b/one", "a/one", "a/two"]),
        (Order::Age, ["a/two", "b/one", "c/zero", "a/one"]),
        (Order::Severity, ["c/zero", "b/one", "a/two", "a/one"]),
    ] {
        let mut report = sample();
        report.sort_by(wanted);
        assert_eq!(order(&report), expected, "{wanted:?}");
    }
}

#[test]
fn findings_follow_their_releases() {
    let mut report = sample();
    report.sort_by(Order::Behind);
    let expected = [
        Code::ChartBehind,
        Code::ReleasePending,
        Code::ChartBehind,
        Code::ChartVersionUnlisted,
        Code::ClusterUnanswered,
    ];
    assert_eq!(codes(&report), expected);
    let first = report.findings[0].subject.release.as_ref().unwrap();
    assert_eq!(first.to_string(), "c/zero");
}

#[test]
fn findings_are_taken_out_by_code_and_severity_and_states_stay() {
    let mut report = sample();
    report.ignore(&[Code::ChartBehind]);
    assert!(!codes(&report).contains(&Code::ChartBehind));
    assert!(!report.meets(&["chart-behind".parse().unwrap()]));
    assert!(report.meets(&["release-pending=danger".parse().unwrap()]));
    assert!(report.releases[0].is_behind());
    report.keep_from(Severity::Warning);
    let expected = [Code::ReleasePending, Code::ClusterUnanswered];
    assert_eq!(codes(&report), expected);
    report.keep_from(Severity::Danger);
    assert_eq!(codes(&report), [Code::ReleasePending]);
}
