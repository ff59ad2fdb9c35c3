//! What a difference means: whether moving is safe, and what will go wrong without anything being behind.

use serde_json::{Value, json};
use tracebloc_bed::api::Patch;
use tracebloc_bed::chart::Chart;
use tracebloc_bed::image::{Image, Platform};
use tracebloc_bed::proxy::{Fault, Proxy, Rule};
use tracebloc_bed::{Helm, Install, Tenant};

use crate::outdated_faults::{ask, forbidden, through};
use crate::support::{
    codes, finding, image, install, installed, outdated, parse, paste, run, tenant,
};

fn has(report: &Value, code: &str) -> bool {
    codes(report).contains(&code)
}

/// The lines that a finding advises.
fn advice(report: &Value, code: &str) -> Vec<String> {
    finding(report, code)["advice"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap().to_owned())
        .collect()
}

/// Pastes every line that a finding advises.
fn follow(tenant: &Tenant<'_>, report: &Value, code: &str) {
    let lines = advice(report, code);
    assert!(!lines.is_empty(), "{code} advises nothing: {report:#}");
    for line in lines {
        paste(tenant, &line, Helm::Four).success().unwrap();
    }
}

fn message(report: &Value, code: &str) -> String {
    finding(report, code)["message"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn kubectl(tenant: &Tenant<'_>, arguments: &[&str]) {
    tenant.kubectl(arguments).unwrap().success().unwrap();
}

fn judged(tenant: &Tenant<'_>) -> Value {
    outdated(tenant, &["--only", "chart"])
}

#[test]
fn an_upgrade_that_would_change_claims_is_advised_with_the_value_that_keeps_them() {
    let tenant = tenant("know-claims");
    let host_path = Install::client("know-claims", "1.9.28").set("hostPath.enabled=true");
    // Its pods never start: claims for many do not fit volumes for one.
    tenant.install(&host_path).unwrap().success().unwrap();
    let report = judged(&tenant);
    assert!(message(&report, "upgrade-blocked").contains("pvcAccessMode=ReadWriteMany"));
    let lines = advice(&report, "chart-behind");
    assert_eq!(lines, advice(&report, "upgrade-blocked"));
    let bare = lines[0].replace(" --set pvcAccessMode=ReadWriteMany", "");
    assert_ne!(bare, lines[0]);
    let refused = paste(&tenant, &bare, Helm::Four);
    assert!(!refused.is_success(), "{refused}");
    follow(&tenant, &judged(&tenant), "chart-behind");
    let report = judged(&tenant);
    assert_eq!(report["releases"][0]["chart"]["state"], "current");
    assert!(!has(&report, "upgrade-blocked"), "{report:#}");
}

#[test]
fn where_no_value_can_be_guessed_the_advice_only_tries_the_upgrade() {
    let tenant = tenant("know-channel");
    tenant.publish_all("canary", "one").unwrap();
    let canary = Install::client("know-channel", "1.9.28").set("env.CLIENT_ENV=canary");
    install(&tenant, &canary);
    let report = judged(&tenant);
    assert!(message(&report, "upgrade-blocked").contains("env.CLIENT_ENV"));
    assert!(
        !report.to_string().contains("canary"),
        "values are not shown: {report:#}"
    );
    let lines = advice(&report, "chart-behind");
    assert_eq!(lines.len(), 1, "{lines:?}");
    let refused = paste(&tenant, &lines[0], Helm::Four);
    assert!(
        !refused.is_success() && refused.stderr.contains("CLIENT_ENV"),
        "{refused}"
    );
    assert_eq!(judged(&tenant)["releases"][0]["revision"], 1);
    // What is wrong with the values is what the dry run shows: with them right it works, and changes nothing either.
    let right = format!("{} --set env.CLIENT_ENV=prod", lines[0]);
    let shown = paste(&tenant, &right, Helm::Four).success().unwrap();
    assert!(
        !shown.contains("sample-password"),
        "the dry run hides secrets"
    );
    assert_eq!(judged(&tenant)["releases"][0]["revision"], 1);
}

#[test]
fn keys_that_the_newest_version_does_not_know_block_and_are_not_shown() {
    let tenant = tenant("know-keys");
    let keys = Install::client("know-keys", "1.9.28").set("images.ingestor.channelTags.canary=x");
    install(&tenant, &keys);
    let report = judged(&tenant);
    assert!(message(&report, "upgrade-blocked").contains("images.ingestor.channelTags"));
    assert!(!report.to_string().contains("canary"), "{report:#}");
    let lines = advice(&report, "chart-behind");
    let refused = paste(&tenant, &lines[0], Helm::Four);
    assert!(
        !refused.is_success() && refused.stderr.contains("canary"),
        "{refused}"
    );
    let without = format!("{} --set images.ingestor.channelTags.canary=null", lines[0]);
    paste(&tenant, &without, Helm::Four).success().unwrap();
}

#[test]
fn fields_that_kubectl_set_owns_are_taken_back_by_the_advised_upgrade() {
    let tenant = installed("know-fields", "1.9.40");
    let image = format!("api={}/tracebloc/jobs-manager:prod", tenant.registry_path());
    assert!(!has(&outdated(&tenant, &[]), "upgrade-blocked"));
    let moved = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let exact = image.replace(":prod", &format!("@{}", moved.digest));
    kubectl(
        &tenant,
        &[
            "set",
            "image",
            "deployment/know-fields-jobs-manager",
            &exact,
        ],
    );
    let report = outdated(&tenant, &[]);
    assert!(message(&report, "upgrade-blocked").contains("--force-conflicts"));
    let lines = advice(&report, "chart-behind");
    let bare = lines[0].replace(" --force-conflicts", "");
    let refused = paste(&tenant, &bare, Helm::Four);
    assert!(
        !refused.is_success() && refused.stderr.contains("conflict"),
        "{refused}"
    );
    paste(&tenant, &lines[0], Helm::Four).success().unwrap();
    assert_eq!(judged(&tenant)["releases"][0]["chart"]["state"], "current");
}

#[test]
fn what_an_upgrade_changes_is_told_and_what_is_not_judged_is_to_be_checked() {
    let tenant = installed("know-caution", "1.4.4");
    let report = judged(&tenant);
    let caution = finding(&report, "upgrade-caution");
    assert_eq!(caution["severity"], "info");
    let evidence = caution["evidence"].to_string();
    for told in [
        "recreate: ",
        "database-restart: ",
        "readiness, not judged from here: ",
    ] {
        assert!(evidence.contains(told), "{caution:#}");
    }
    assert!(!has(&report, "upgrade-blocked"), "{report:#}");
    follow(&tenant, &report, "chart-behind");
}

#[test]
fn a_cluster_without_the_metrics_api_is_told_and_the_advised_upgrade_does_without() {
    let tenant = installed("know-metrics", "1.9.40");
    let proxy = Proxy::before_api_server(tenant.bed().cluster()).unwrap();
    let kubeconfig = through(&tenant, &proxy);
    let asked = || {
        let all = proxy.log().all();
        all.iter()
            .filter(|request| request.path.starts_with("/apis/metrics.k8s.io"))
            .count()
    };
    let report = parse(&ask(&tenant, &kubeconfig, &["--only", "chart"]));
    assert!(!has(&report, "metrics-api-missing") && !has(&report, "upgrade-blocked"));
    assert_eq!(asked(), 1);
    let group = "/apis/metrics.k8s.io";
    proxy.break_with(Rule::new(group, Fault::status(404)));
    let report = parse(&ask(&tenant, &kubeconfig, &["--only", "chart"]));
    assert!(
        message(&report, "metrics-api-missing").contains("daemonset/know-metrics-resource-monitor")
    );
    follow(&tenant, &report, "metrics-api-missing");
    assert!(message(&report, "upgrade-blocked").contains("metrics.k8s.io"));
    follow(&tenant, &report, "upgrade-blocked");
    let report = parse(&ask(&tenant, &kubeconfig, &["--only", "chart"]));
    assert!(
        !has(&report, "metrics-api-missing"),
        "nothing reads it any more"
    );
    proxy.log().clear();
    parse(&ask(&tenant, &kubeconfig, &[]));
    assert_eq!(asked(), 0, "nor asks");
}

#[test]
fn an_api_that_may_not_be_asked_for_is_unknown() {
    let tenant = installed("know-refused", "1.9.40");
    let proxy = Proxy::before_api_server(tenant.bed().cluster()).unwrap();
    let kubeconfig = through(&tenant, &proxy);
    proxy.break_with(Rule::new(
        "/apis/metrics.k8s.io",
        forbidden("metrics.k8s.io"),
    ));
    let report = parse(&ask(&tenant, &kubeconfig, &["--only", "chart"]));
    assert!(message(&report, "cluster-unanswered").contains("API group metrics.k8s.io"));
    assert!(!has(&report, "metrics-api-missing") && !has(&report, "upgrade-blocked"));
    let evidence = finding(&report, "upgrade-caution")["evidence"].to_string();
    assert!(
        evidence.contains("metrics-api-needed, not judged from here"),
        "{evidence}"
    );
}

#[test]
fn a_prerelease_that_the_updater_never_leaves_is_left_by_the_advice() {
    let tenant = tenant("know-rc");
    let newest = Chart::sample("client-1.9.51", &tenant.registry_path()).unwrap();
    for version in ["1.9.61-rc.1", "1.9.61"] {
        tenant
            .repository()
            .publish(newest.with_version(version).unwrap());
    }
    install(&tenant, &Install::client("know-rc", "1.9.61-rc.1"));
    let report = judged(&tenant);
    assert!(
        message(&report, "rc-stuck").starts_with("1.9.61-rc.1 never moves to 1.9.61 by itself")
    );
    follow(&tenant, &report, "rc-stuck");
    let report = judged(&tenant);
    assert!(!has(&report, "rc-stuck"));
    assert_eq!(report["releases"][0]["chart"]["current"], "1.9.61");
}

/// Publishes the resource monitor for an architecture that no node of the bed has.
fn for_arm64_only(tenant: &Tenant<'_>) -> String {
    let only = Image::new("resource-monitor two").platforms([Platform::linux("arm64")]);
    let published = tenant
        .publish("tracebloc/resource-monitor", "prod", &only)
        .unwrap();
    published.digest
}

#[test]
fn a_tag_pushed_again_without_the_platform_of_a_node_is_told() {
    let tenant = installed("know-platform", "1.9.28");
    assert!(!has(
        &outdated(&tenant, &["--only", "digest"]),
        "platform-missing"
    ));
    for_arm64_only(&tenant);
    let report = outdated(&tenant, &["--only", "digest"]);
    assert!(message(&report, "platform-missing").contains("linux/amd64"));
    assert_eq!(image(&report, "resource-monitor")["state"], "unknown");
    assert!(!has(&report, "digest-behind"), "{report:#}");
    follow(&tenant, &report, "platform-missing");
}

#[test]
fn pods_that_wait_are_reason_enough_to_read_the_index() {
    let tenant = installed("know-waiting", "1.9.28");
    let digest = for_arm64_only(&tenant);
    let api = tenant.bed().cluster().api();
    let agents = tenant.agents_namespace();
    let pods = api
        .get(&format!("/api/v1/namespaces/{agents}/pods"))
        .unwrap();
    for (number, pod) in pods["items"].as_array().unwrap().iter().enumerate() {
        let mut statuses = pod["status"]["containerStatuses"].clone();
        // What runs the published index gives no reason to read it; what waits for it does.
        if number == 0 {
            statuses[0]["imageID"] = json!("");
            statuses[0]["state"] =
                json!({"running": null, "waiting": {"reason": "ImagePullBackOff"}});
        } else {
            let image = format!(
                "{}/tracebloc/resource-monitor@{digest}",
                tenant.registry_path()
            );
            statuses[0]["imageID"] = json!(image);
        }
        let name = pod["metadata"]["name"].as_str().unwrap();
        let path = format!("/api/v1/namespaces/{agents}/pods/{name}/status");
        let change = json!({"status": {"containerStatuses": statuses}});
        api.patch(&path, Patch::Merge, &change).unwrap();
    }
    let report = outdated(&tenant, &["--only", "digest"]);
    assert!(
        message(&report, "platform-missing").contains("linux/amd64"),
        "{report:#}"
    );
}

#[test]
fn replicas_set_by_hand_are_told_and_those_of_an_autoscaler_are_not() {
    let tenant = installed("know-scale", "1.9.51");
    kubectl(
        &tenant,
        &["scale", "deployment/mysql-client", "--replicas=0"],
    );
    let report = outdated(&tenant, &[]);
    assert!(message(&report, "replicas-drift").contains("deployment/mysql-client is scaled to 0"));
    follow(&tenant, &report, "replicas-drift");
    assert!(!has(&outdated(&tenant, &[]), "replicas-drift"));
    let path = format!(
        "/apis/apps/v1/namespaces/{}/deployments/know-scale-requests-proxy/scale?fieldManager=kube-controller-manager",
        tenant.namespace()
    );
    let api = tenant.bed().cluster().api();
    api.patch(&path, Patch::Merge, &json!({"spec": {"replicas": 3}}))
        .unwrap();
    assert!(!has(&outdated(&tenant, &[]), "replicas-drift"));
}

#[test]
fn a_rollout_that_can_hang_on_a_claim_is_told_where_the_chart_overlaps_pods() {
    for (name, version, expected) in [
        ("know-overlap", "1.4.4", true),
        ("know-recreate", "1.9.51", false),
    ] {
        let tenant = tenant(name);
        let once = Install::client(name, version).set("pvcAccessMode=ReadWriteOnce");
        tenant.install(&once).unwrap().success().unwrap();
        let report = outdated(&tenant, &[]);
        assert_eq!(has(&report, "rollout-deadlock"), expected, "{report:#}");
        if expected {
            assert!(message(&report, "rollout-deadlock").contains("client-pvc"));
            follow(&tenant, &report, "rollout-deadlock");
        }
    }
    let many = installed("know-many", "1.4.4");
    assert!(
        !has(&judged(&many), "rollout-deadlock"),
        "any node can mount its claims"
    );
}

#[test]
fn a_refresh_with_too_little_time_is_given_more_by_the_advice() {
    let tenant = tenant("know-time");
    let slow = Install::client("know-time", "1.9.51").set("imageRefresh.rolloutTimeout=30m");
    install(&tenant, &slow);
    // As the refresh itself does; Helm 4 would stumble over it.
    let moved = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let exact = format!(
        "api={}/tracebloc/jobs-manager@{}",
        tenant.registry_path(),
        moved.digest
    );
    let workload = "deployment/know-time-jobs-manager";
    kubectl(&tenant, &["set", "image", workload, &exact]);
    let report = outdated(&tenant, &[]);
    assert!(
        message(&report, "refresh-deadline").contains("3600 seconds, and 3 rollouts may take 5400")
    );
    assert!(advice(&report, "refresh-deadline")[0].contains("--force-conflicts"));
    follow(&tenant, &report, "refresh-deadline");
    assert!(!has(&outdated(&tenant, &[]), "refresh-deadline"));
}

#[test]
fn the_table_says_whether_a_release_will_update_itself() {
    // With the chart's own schedules.
    let tenant = tenant("know-itself");
    install(&tenant, &Install::client("know-itself", "1.9.28"));
    let table = || {
        let output = run(&tenant, &["outdated"]);
        output.success().unwrap()
    };
    let text = table();
    let start = format!(
        "{}/know-itself: updates itself, chart next ",
        tenant.namespace()
    );
    let line = text.lines().find(|line| line.starts_with(&start));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    assert!(
        line.ends_with(" UTC") && line.contains(" UTC, images next "),
        "{line}"
    );
    let suspend = r#"{"spec":{"suspend":true}}"#;
    kubectl(
        &tenant,
        &[
            "patch",
            "cronjob/know-itself-auto-upgrade",
            "--patch",
            suspend,
        ],
    );
    let text = table();
    assert!(
        text.contains("updates itself in part, images next "),
        "{text}"
    );
    assert!(text.contains("; not chart: suspended"), "{text}");
}
