//! Storage safety as `status` tells it of real releases and real claims.

use serde_json::Value;
use tracebloc_bed::cluster::{Grant, Output, Scope};
use tracebloc_bed::{Helm, Install, Tenant};

use crate::support::{codes, command, finding, install, parse, paste, status, tenant};

/// The findings about claims and volumes.
fn about_storage(report: &Value) -> Vec<&str> {
    let mut codes = codes(report);
    codes.retain(|code| code.starts_with("pv"));
    codes
}

fn wait_bound(tenant: &Tenant<'_>) {
    let wait = [
        "wait",
        "persistentvolumeclaims",
        "--all",
        "--for=jsonpath={.status.phase}=Bound",
        "--timeout=60s",
    ];
    tenant.kubectl(&wait).unwrap().success().unwrap();
}

/// Runs the first line of a finding's advice.
fn follow(tenant: &Tenant<'_>, report: &Value, code: &str) {
    let advice = finding(report, code)["advice"][0].as_str().unwrap();
    paste(tenant, advice, Helm::Four).success().unwrap();
}

#[test]
fn claims_of_the_client_chart_are_kept_by_the_manifest_whatever_is_live() {
    let tenant = tenant("store-kept");
    install(&tenant, &Install::client("store-kept", "1.9.51"));
    wait_bound(&tenant);
    let report = status(&tenant, &[]);
    let claims = report["release"]["storage"].as_array().unwrap().clone();
    assert_eq!(claims.len(), 3, "{report:#}");
    for claim in &claims {
        assert_eq!(claim["kept"], true);
        assert_eq!(
            (&claim["phase"], &claim["reclaim"]),
            (&"Bound".into(), &"retain".into())
        );
    }
    assert_eq!(about_storage(&report), Vec::<&str>::new());
    let strip = [
        "annotate",
        "persistentvolumeclaims",
        "--all",
        "helm.sh/resource-policy-",
    ];
    tenant.kubectl(&strip).unwrap().success().unwrap();
    assert_eq!(
        about_storage(&status(&tenant, &[])),
        Vec::<&str>::new(),
        "uninstall reads the manifest"
    );
}

#[test]
fn claims_of_a_legacy_chart_go_with_it_and_the_advice_saves_the_volumes() {
    let tenant = tenant("store-lost");
    let legacy = Install {
        chart: "eks",
        version: "1.0.3",
        ..Install::client("store-lost", "1.0.3")
    };
    install(&tenant, &legacy);
    wait_bound(&tenant);
    let report = status(&tenant, &[]);
    let volume = report["release"]["storage"][0]["volume"].as_str().unwrap();
    let loosen = [
        "patch",
        "persistentvolume",
        volume,
        "--patch",
        r#"{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}"#,
    ];
    tenant.kubectl(&loosen).unwrap().success().unwrap();
    let report = status(&tenant, &[]);
    let found = |code: &str| {
        codes(&report)
            .iter()
            .filter(|found| **found == code)
            .count()
    };
    assert_eq!(
        (found("pvc-not-kept"), found("pv-not-retained")),
        (3, 1),
        "{report:#}"
    );
    assert_eq!(finding(&report, "pvc-not-kept")["severity"], "danger");
    follow(&tenant, &report, "pv-not-retained");
    assert!(!codes(&status(&tenant, &[])).contains(&"pv-not-retained"));
}

#[test]
fn a_claim_that_waits_for_a_volume_is_said() {
    let tenant = tenant("store-wait");
    let odd = Install::client("store-wait", "1.9.51").set("storageClass.name=no-such-class");
    tenant.install(&odd).unwrap().success().unwrap();
    let report = status(&tenant, &[]);
    assert_eq!(about_storage(&report), ["pvc-not-bound"; 3], "{report:#}");
    assert_eq!(report["release"]["storage"][0]["phase"], "Pending");
    follow(&tenant, &report, "pvc-not-bound");
}

#[test]
fn what_may_not_be_read_of_the_storage_is_unknown_and_the_rest_is_told() {
    let tenant = tenant("store-rights");
    install(&tenant, &Install::client("store-rights", "1.9.51"));
    wait_bound(&tenant);
    let cluster = tenant.bed().cluster();
    let may = |resource| Grant {
        scope: Scope::Cluster,
        groups: &[""],
        resources: resource,
        verbs: &["get", "list"],
    };
    let ask = |account: &str, grants: &[Grant<'_>]| {
        let kubeconfig = cluster
            .service_account(tenant.namespace(), account, grants)
            .unwrap();
        let namespace = tenant.namespace();
        let mut command = command(&tenant, &["status", "-o", "json", "-n", namespace]);
        parse(&Output::of(command.env("KUBECONFIG", kubeconfig)).unwrap())
    };
    let report = ask(
        "claims",
        &[may(&["secrets"]), may(&["persistentvolumeclaims"])],
    );
    let claim = &report["release"]["storage"][0];
    assert_eq!(
        (&claim["kept"], &claim["phase"]),
        (&true.into(), &"Bound".into())
    );
    assert_eq!(claim["unknown"]["reason"], "forbidden", "{report:#}");
    assert!(claim["reclaim"].is_null());
    let told = report.to_string();
    assert!(told.contains("list persistentvolumes"), "{report:#}");

    let report = ask("nothing", &[may(&["secrets"])]);
    let claim = &report["release"]["storage"][0];
    assert_eq!(claim["kept"], true, "the stored manifest says so");
    assert_eq!(claim["unknown"]["reason"], "forbidden", "{report:#}");
    assert_eq!(about_storage(&report), Vec::<&str>::new());
}
