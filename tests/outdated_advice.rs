//! Advice: every line that is behind has a command to type next, and it works.

use serde_json::Value;
use tracebloc_bed::{Helm, Install};

use crate::support::{finding, image, install, installed, outdated, paste, tenant};

fn advice(finding: &Value) -> Vec<String> {
    let lines: Vec<String> = finding["advice"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap().to_owned())
        .collect();
    assert!(!lines.is_empty(), "{finding:#}");
    lines
}

#[test]
fn the_advised_upgrade_makes_the_chart_current_with_both_helms() {
    for (name, helm) in [("advice-four", Helm::Four), ("advice-three", Helm::Three)] {
        let tenant = tenant(name);
        install(&tenant, &Install::client(name, "1.9.28").by(helm));
        let report = outdated(&tenant, &["--only", "chart"]);
        for line in advice(finding(&report, "chart-behind")) {
            assert!(
                line.contains(&format!("--namespace {}", tenant.namespace())),
                "{line}"
            );
            assert!(line.contains("--kube-context bed"), "{line}");
            paste(&tenant, &line, helm).success().unwrap();
        }
        let report = outdated(&tenant, &["--only", "chart"]);
        assert_eq!(
            report["releases"][0]["chart"]["state"], "current",
            "{report:#}"
        );
        // The user's own values survive.
        assert_eq!(
            report["releases"][0]["chart"]["repository"],
            tenant.repository().url()
        );
    }
}

#[test]
fn the_advised_restart_brings_pods_to_what_is_published() {
    let tenant = installed("advice-restart", "1.9.28");
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    tenant
        .move_tag("tracebloc/resource-monitor", "prod", "two")
        .unwrap();
    let report = outdated(&tenant, &["--only", "digest"]);
    let mut lines = Vec::new();
    for finding in report["findings"].as_array().unwrap() {
        lines.extend(advice(finding));
    }
    // Of the resource monitor this chart keeps no record, so that it need not be told to act at once.
    lines.sort();
    assert_eq!(lines.len(), 2, "{lines:?}");
    for line in lines {
        assert!(
            line.starts_with("kubectl tracebloc refresh advice-restart-"),
            "{line}"
        );
        paste(&tenant, &line, Helm::Four).success().unwrap();
    }
    tenant.wait_ready().unwrap();
    let report = outdated(&tenant, &["--only", "digest"]);
    assert_eq!(image(&report, "jobs-manager")["state"], "current");
    assert_eq!(image(&report, "resource-monitor")["state"], "current");
}

#[test]
fn where_a_restart_would_not_pull_the_exact_content_is_advised() {
    let tenant = installed("advice-exact", "1.9.40");
    let moved = tenant
        .move_tag("tracebloc/pods-monitor", "prod", "two")
        .unwrap();
    let report = outdated(&tenant, &["--only", "digest"]);
    let flags = &image(&report, "pods-monitor")["flags"];
    assert!(
        flags
            .as_array()
            .unwrap()
            .contains(&"restart-in-vain".into()),
        "{flags}"
    );
    let lines = advice(finding(&report, "digest-behind"));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].starts_with("kubectl tracebloc refresh "),
        "{lines:?}"
    );
    paste(&tenant, &lines[0], Helm::Four).success().unwrap();
    tenant.wait_ready().unwrap();
    let report = outdated(&tenant, &["--only", "digest"]);
    let image = image(&report, "pods-monitor");
    // Live it names a digest now, and is still compared under the tag of the stored manifest.
    assert_eq!(
        (&image["state"], &image["tag"]),
        (&"current".into(), &"prod".into()),
        "{image:#}"
    );
    assert!(
        image["references"][0]["spec"]
            .as_str()
            .unwrap()
            .ends_with(&moved.digest),
        "{image:#}"
    );
}

#[test]
fn a_paused_deployment_is_to_be_resumed_first() {
    let tenant = installed("advice-paused", "1.9.28");
    tenant
        .kubectl(&["rollout", "pause", "deployment/advice-paused-jobs-manager"])
        .unwrap()
        .success()
        .unwrap();
    tenant
        .move_tag("tracebloc/pods-monitor", "prod", "two")
        .unwrap();
    let report = outdated(&tenant, &["--only", "digest"]);
    let lines = advice(finding(&report, "digest-behind"));
    assert!(
        lines[0].starts_with("kubectl rollout resume deployment/advice-paused-jobs-manager"),
        "{lines:?}"
    );
    for line in &lines {
        paste(&tenant, line, Helm::Four).success().unwrap();
    }
    tenant.wait_ready().unwrap();
    assert_eq!(
        image(&outdated(&tenant, &["--only", "digest"]), "pods-monitor")["state"],
        "current"
    );
}

#[test]
fn what_is_advised_for_legacy_and_failed_releases_can_be_typed() {
    let tenant = tenant("advice-legacy");
    let legacy = Install {
        chart: "eks",
        ..Install::client("advice-legacy", "1.0.3")
    };
    tenant
        .install(&legacy.set("clusterRole=false"))
        .unwrap()
        .success()
        .unwrap();
    let report = outdated(&tenant, &["--only", "chart"]);
    for line in advice(finding(&report, "chart-replaced")) {
        let output = paste(&tenant, &line, Helm::Four).success().unwrap();
        assert!(output.contains("pvc"), "{output}");
    }
}

#[test]
fn a_release_that_hangs_for_long_is_rolled_back_by_the_advised_line() {
    let tenant = installed("advice-hang", "1.9.28");
    crate::support::hang(&tenant, "advice-hang", "2026-01-01T00:00:00Z");
    let report = outdated(&tenant, &["--only", "chart"]);
    let pending = finding(&report, "release-pending");
    let lines = advice(pending);
    assert!(
        lines[0].starts_with("helm rollback advice-hang 1 "),
        "{lines:?}"
    );
    for line in lines {
        paste(&tenant, &line, Helm::Four).success().unwrap();
    }
    let report = outdated(&tenant, &["--only", "chart"]);
    assert_eq!(report["releases"][0]["status"], "deployed", "{report:#}");
}

#[test]
fn a_repository_with_credentials_in_its_url_is_advised_without_them() {
    let tenant = tenant("advice-masked");
    let url = tenant.repository().url();
    let secret = url.replacen("http://", "http://reader:hunter2@", 1);
    let with_credentials =
        Install::client("advice-masked", "1.9.28").set(format!("autoUpgrade.repoUrl={secret}"));
    install(&tenant, &with_credentials);
    let report = outdated(&tenant, &["--only", "chart"]);
    let behind = finding(&report, "chart-behind");
    assert!(!report.to_string().contains("hunter2"), "{report:#}");
    let message = behind["message"].as_str().unwrap();
    assert!(message.contains("REPOSITORY_URL stands for"), "{message}");
    for line in advice(behind) {
        assert!(line.contains("--repo \"$REPOSITORY_URL\""), "{line}");
        let line = format!("REPOSITORY_URL='{secret}'; {line}");
        paste(&tenant, &line, Helm::Four).success().unwrap();
    }
    let report = outdated(&tenant, &["--only", "chart"]);
    assert_eq!(report["releases"][0]["chart"]["state"], "current");
}
