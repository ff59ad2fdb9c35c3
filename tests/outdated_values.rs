//! What is known of a chart version and of the values that a release runs with, and who else looks after it.

use serde_json::Value;
use tracebloc_bed::{Helm, Install, Tenant};

use crate::support::{codes, finding, install, installed, outdated, paste, tenant};

fn message(report: &Value, code: &str) -> String {
    finding(report, code)["message"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn has(report: &Value, code: &str) -> bool {
    codes(report).contains(&code)
}

/// Judges the chart only: what is tested here needs no registry.
fn judged(tenant: &Tenant<'_>) -> Value {
    outdated(tenant, &["--only", "chart"])
}

#[test]
fn a_version_with_known_faults_says_so_and_the_newest_has_none() {
    let old = installed("values-old", "1.4.4");
    let report = judged(&old);
    let found = finding(&report, "missing-fix");
    assert_eq!(found["severity"], "danger", "mysql is not pinned");
    assert!(found["evidence"].as_array().unwrap().len() > 3, "{found:#}");
    let new = installed("values-new", "1.9.51");
    assert!(!has(&judged(&new), "missing-fix"));
}

#[test]
fn trainings_without_the_pull_secret_are_told_and_healed_by_the_upgrade() {
    let tenant = tenant("values-pull");
    let registry = Install::client("values-pull", "1.9.40")
        .set("dockerRegistry.create=true")
        .set("dockerRegistry.server=https://registry.example.com")
        .set("dockerRegistry.username=robot")
        .set("dockerRegistry.password=s3cret-word")
        .set("dockerRegistry.email=robot@example.com");
    install(&tenant, &registry);
    let environment = || {
        let arguments = [
            "get",
            "deployment/values-pull-jobs-manager",
            "--output=jsonpath={.spec.template.spec.containers[?(@.name=='api')].env}",
        ];
        tenant.kubectl(&arguments).unwrap().success().unwrap()
    };
    assert!(!environment().contains("IMAGE_PULL_SECRET_NAME"));
    let report = judged(&tenant);
    let fault = |report: &Value| {
        has(report, "missing-fix")
            && finding(report, "missing-fix")["evidence"]
                .to_string()
                .contains("fixed in 1.9.50: trainings do not get the pull secret")
    };
    assert!(fault(&report), "{report:#}");
    assert!(!report.to_string().contains("s3cret-word"));
    let upgrade = finding(&report, "chart-behind")["advice"][0].clone();
    paste(&tenant, upgrade.as_str().unwrap(), Helm::Four)
        .success()
        .unwrap();
    assert!(environment().contains("values-pull-regcred"));
    assert!(!fault(&judged(&tenant)));
}

#[test]
fn defaults_kept_by_reuse_values_are_found_and_healed_by_the_advice() {
    let tenant = installed("values-reuse", "1.9.40");
    assert!(!has(&judged(&tenant), "values-frozen"));
    let url = tenant.repository().url();
    let upgrade = format!(
        "helm upgrade values-reuse client --repo {url} --version 1.9.51 --reuse-values --set gpu.devicePlugin.enabled=false --namespace {}",
        tenant.namespace()
    );
    paste(&tenant, &upgrade, Helm::Four).success().unwrap();
    let report = judged(&tenant);
    assert!(message(&report, "values-frozen").contains("before 1.9.44"));
    let advice = finding(&report, "values-frozen")["advice"][0].clone();
    paste(&tenant, advice.as_str().unwrap(), Helm::Four)
        .success()
        .unwrap();
    assert!(!has(&judged(&tenant), "values-frozen"));
}

#[test]
fn an_alias_that_the_chart_takes_for_a_tag_is_found() {
    let tenant = tenant("values-alias");
    tenant.publish_all("staging", "one").unwrap();
    install(
        &tenant,
        &Install::client("values-alias", "1.9.28").set("env.CLIENT_ENV=staging"),
    );
    assert!(message(&judged(&tenant), "channel-alias").contains("`stg`"));
}

#[test]
fn pins_are_told_by_who_set_them() {
    let digest = format!("sha256:{}", "1".repeat(64));
    let user = tenant("values-pin");
    install(
        &user,
        &Install::client("values-pin", "1.9.51").set(format!("images.ingestor.digest={digest}")),
    );
    let report = judged(&user);
    assert!(message(&report, "pin-stored").contains("images.ingestor.digest"));
    assert!(!has(&report, "pin-held"));
    // The bed's charts have no digest of their own: here the value stands for the chart's.
    let chart = tenant("values-held");
    install(
        &chart,
        &Install::client("values-held", "1.9.51")
            .set(format!("images.ingestor.prodDigest={digest}")),
    );
    let report = judged(&chart);
    assert!(message(&report, "pin-held").contains("ingestor"));
    assert!(!has(&report, "pin-stored"));
    let chosen = Install::client("values-held", "1.9.51")
        .set(format!("images.ingestor.prodDigest={digest}"))
        .set("images.ingestor.prodPin=false");
    chart.upgrade(&chosen).unwrap().success().unwrap();
    let report = judged(&chart);
    assert!(!has(&report, "pin-held"));
    assert!(message(&report, "hold-released").contains("images.ingestor.prodPin"));
    let advice = finding(&report, "hold-released")["advice"].clone();
    let line = advice.as_array().unwrap().last().unwrap();
    paste(&chart, line.as_str().unwrap(), Helm::Four)
        .success()
        .unwrap();
    assert!(has(&judged(&chart), "pin-held"));
}

#[test]
fn a_tool_that_looks_after_a_release_is_named() {
    let tenant = installed("values-argo", "1.9.28");
    let before = outdated(&tenant, &["--only", "digest"]);
    assert!(!has(&before, "managed-elsewhere"));
    assert_eq!(before["releases"][0].get("managedBy"), None);
    let workload = "deployment/values-argo-jobs-manager";
    let write = |arguments: &[&str]| {
        tenant.kubectl(arguments).unwrap().success().unwrap();
    };
    // A field manager alone is enough, as Terraform leaves nothing else.
    write(&[
        "annotate",
        "--field-manager=terraform-provider-helm_v2.17.0",
        workload,
        "example.com/owner=infra",
    ]);
    let report = outdated(&tenant, &["--only", "digest"]);
    assert_eq!(report["releases"][0]["managedBy"]["tool"], "Terraform");
    write(&[
        "annotate",
        workload,
        "argocd.argoproj.io/tracking-id=shop:apps/Deployment:edge/x",
    ]);
    let report = outdated(&tenant, &["--only", "digest"]);
    let owner = &report["releases"][0]["managedBy"];
    assert_eq!(owner["tool"], "Argo CD", "an explicit mark goes first");
    assert_eq!(owner["name"], "shop");
    assert!(message(&report, "managed-elsewhere").contains("Argo CD"));
}
