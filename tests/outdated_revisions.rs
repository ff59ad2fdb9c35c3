//! Histories in which no revision is deployed: which one says what is installed.

use tracebloc_bed::chart::Chart;
use tracebloc_bed::{Helm, Install, Tenant};

use crate::support::{finding, hang, installed, outdated, paste};

/// Publishes a version that the API server refuses.
fn publish_broken(tenant: &Tenant<'_>, version: &str) {
    let chart = Chart::sample("client-1.9.51", &tenant.registry_path())
        .unwrap()
        .with_version(version)
        .unwrap()
        .with_file(
            "templates/broken.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: Not_A_Name\n",
        )
        .unwrap();
    tenant.repository().publish(chart);
}

/// Revision 1 works, 2 fails, 3 works, and a rollback to 2 fails as 4. Helm calls 3 superseded all the same.
#[test]
fn a_rollback_that_fails_leaves_the_last_that_worked() {
    for (name, helm) in [
        ("revisions-four", Helm::Four),
        ("revisions-three", Helm::Three),
    ] {
        let tenant = installed(name, "1.9.28");
        publish_broken(&tenant, "1.9.52");
        let upgrade = |version| {
            tenant
                .upgrade(&Install::client(name, version).by(helm))
                .unwrap()
        };
        let refused = upgrade("1.9.52");
        assert!(!refused.is_success(), "{refused}");
        upgrade("1.9.40").success().unwrap();
        let namespace = tenant.namespace();
        let back = paste(
            &tenant,
            &format!("helm rollback {name} 2 -n {namespace}"),
            helm,
        );
        assert!(!back.is_success(), "{back}");
        let labels = tenant
            .kubectl(&[
                "get",
                "secret",
                "-l",
                "owner=helm",
                "-o",
                "jsonpath={.items[*].metadata.labels.status}",
            ])
            .unwrap()
            .success()
            .unwrap();
        assert_eq!(labels, "superseded failed superseded failed");

        let report = outdated(&tenant, &["--only", "chart"]);
        let chart = &report["releases"][0]["chart"];
        assert_eq!(chart["state"], "mixed", "{report:#}");
        assert_eq!(
            (&chart["current"], &chart["attempted"]),
            (&"1.9.40".into(), &"1.9.52".into())
        );
        let failed = finding(&report, "release-failed")["message"]
            .as_str()
            .unwrap();
        assert!(
            failed.contains("the last that worked is revision 3, and Helm calls none deployed"),
            "{failed}"
        );
    }
}

/// An upgrade that is killed after Helm called the revision before superseded, and before it called its own deployed.
#[test]
fn what_holds_a_release_is_ended_by_going_back_to_the_last_that_worked() {
    let tenant = installed("revisions-held", "1.9.28");
    hang(&tenant, "revisions-held", "2026-01-05T10:00:00Z");
    let first = "sh.helm.release.v1.revisions-held.v1";
    let label = ["label", "secret", first, "status=superseded", "--overwrite"];
    tenant.kubectl(&label).unwrap().success().unwrap();
    let report = outdated(&tenant, &["--only", "chart"]);
    let advice = finding(&report, "release-pending")["advice"][0]
        .as_str()
        .unwrap();
    assert!(
        advice.starts_with("helm rollback revisions-held 1 "),
        "{report:#}"
    );
    paste(&tenant, advice, Helm::Four).success().unwrap();
    let report = outdated(&tenant, &["--only", "chart"]);
    assert_eq!(report["releases"][0]["status"], "deployed", "{report:#}");
}
