//! What may be in the way of a pin: guards, packages that are not the published ones, a missing Helm, upgrades that fail, and signals.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tracebloc_bed::chart::Chart;
use tracebloc_bed::cluster::Output;
use tracebloc_bed::image::Image;
use tracebloc_bed::repository::push_oci;
use tracebloc_bed::{Helm, Install, Tenant};

use crate::pin::{SECRET, hold, images};
use crate::refresh::{object, plan, steps};
use crate::support::{hang, install, installed, paste, tenant};

/// The guards of a run that was refused.
pub(crate) fn refused(tenant: &Tenant<'_>, image: &str) -> Vec<String> {
    let plan = plan(&hold(tenant, "pin", image, &[]), 11);
    let refusals = plan["refusals"].as_array().unwrap();
    refusals
        .iter()
        .map(|refusal| refusal["guard"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn guards_say_no_before_anything_is_begun() {
    let tenant = installed("pin-refuse", "1.9.28");
    assert_eq!(refused(&tenant, "auto-upgrade"), ["not-pinnable"]);
    let main = "deployment/pin-refuse-jobs-manager";
    let kubectl = |arguments: &[&str]| tenant.kubectl(arguments).unwrap().success().unwrap();
    let mark = "argocd.argoproj.io/tracking-id";
    kubectl(&["annotate", main, &format!("{mark}=app:apps/Deployment:x/y")]);
    assert_eq!(refused(&tenant, "jobs-manager"), ["managed-elsewhere"]);
    let override_it = ["--override-managed", "--dry-run"];
    let over = plan(&hold(&tenant, "pin", "jobs-manager", &override_it), 0);
    assert_eq!(steps(&over), [("set-value", "pin-refuse", "pending")]);
    kubectl(&["annotate", main, &format!("{mark}-")]);
    // What the chart's own refresh does in later versions.
    let two = tenant
        .move_tag("tracebloc/pods-monitor", "prod", "two")
        .unwrap();
    let set = format!(
        "pods-monitor-container={}/tracebloc/pods-monitor@{}",
        tenant.registry_path(),
        two.digest
    );
    kubectl(&["set", "image", main, &set]);
    tenant.wait_ready().unwrap();
    let told = plan(
        &hold(&tenant, "pin", "jobs-manager", &["--timeout", "60s"]),
        11,
    );
    let refusal = &told["refusals"][0];
    assert_eq!(refusal["guard"], "fields-owned");
    let line = refusal["advice"][0].as_str().unwrap();
    assert!(
        line.contains(" --image jobs-manager,pods-monitor "),
        "{line}"
    );
    let both = paste(
        &tenant,
        &format!("{line} --output json --timeout 60s"),
        Helm::Four,
    );
    assert_eq!(
        steps(&plan(&both, 0)),
        [("set-value", "pin-refuse", "done")],
        "both want the same"
    );
    let wrong = hold(&tenant, "pin", "job-manager", &[]);
    assert_eq!(wrong.code, Some(2), "{wrong}");
    assert!(wrong.stderr.contains("jobs-manager"), "{wrong}");
}

#[test]
fn a_pending_release_is_left_alone() {
    let tenant = installed("pin-pending", "1.9.28");
    hang(&tenant, "pin-pending", "2026-11-21T10:00:00Z");
    let told = plan(&hold(&tenant, "pin", "jobs-manager", &[]), 11);
    assert_eq!(told["refusals"][0]["guard"], "release-pending");
    let lines = told["refusals"][0]["advice"].as_array().unwrap();
    assert!(
        lines[1].as_str().unwrap().starts_with("helm rollback "),
        "{told:#}"
    );
    for line in lines {
        let line = line.as_str().unwrap();
        paste(&tenant, line, Helm::Four).success().unwrap();
    }
    plan(&hold(&tenant, "pin", "jobs-manager", &[]), 0);
}

#[test]
fn a_package_that_is_not_the_published_one_is_not_installed() {
    let tenant = installed("pin-package", "1.9.28");
    let index = tenant.repository().index();
    let other = Chart::sample("client-1.9.28", &tenant.registry_path())
        .unwrap()
        .with_file("README.md", "another one")
        .unwrap();
    tenant.repository().publish(other);
    tenant.repository().replace_index(index);
    let output = hold(&tenant, "pin", "jobs-manager", &[]);
    let told = plan(&output, 1);
    assert_eq!(steps(&told), [("set-value", "pin-package", "skipped")]);
    assert!(output.stderr.contains("not the one"), "{output}");
    assert!(images(&tenant, "pin-package-jobs-manager")[0].ends_with(":prod"));
}

#[test]
fn a_chart_in_a_registry_serves_as_well_and_only_the_chart_that_is_deployed() {
    let tenant = installed("pin-oci", "1.9.28");
    let registry = tenant.bed().registry();
    let sample = |name: &str| Chart::sample(name, &tenant.registry_path()).unwrap();
    let right = format!("{}/charts", tenant.namespace());
    push_oci(registry, &right, &sample("client-1.9.28")).unwrap();
    // The tag of the deployed version, with another one in it; and with an image in it.
    let wrong = format!("{}/wrong", tenant.namespace());
    let mut other = sample("client-1.9.40");
    other.version = "1.9.28".to_owned();
    push_oci(registry, &wrong, &other).unwrap();
    tenant
        .publish("images/client", "1.9.28", &Image::new("no chart"))
        .unwrap();
    let from = |place: &str| {
        let address = format!("oci://{}/{place}", registry.host());
        hold(&tenant, "pin", "jobs-manager", &["--repo", &address])
    };
    for place in [wrong, format!("{}/images", tenant.namespace())] {
        let output = from(&place);
        assert_eq!(output.code, Some(1), "{output}");
        assert!(
            output.stderr.contains("not that version of the chart"),
            "{output}"
        );
        assert!(images(&tenant, "pin-oci-jobs-manager")[0].ends_with(":prod"));
    }
    let pinned = plan(&from(&right), 0);
    assert_eq!(
        steps(&pinned),
        [("set-value", "pin-oci", "done")],
        "{pinned:#}"
    );
    assert!(images(&tenant, "pin-oci-jobs-manager")[0].contains("@sha256:"));
}

#[test]
fn without_a_helm_it_is_the_workstation() {
    let tenant = installed("pin-nohelm", "1.9.28");
    let mut command = crate::support::command(
        &tenant,
        &[
            "pin",
            "--image",
            "jobs-manager",
            "--yes",
            "--context",
            "bed",
            "-o",
            "json",
            "-n",
            tenant.namespace(),
        ],
    );
    command.env("PATH", "/no/such/folder");
    let output = Output::of(&mut command).unwrap();
    let told = plan(&output, 3);
    assert_eq!(steps(&told), [("set-value", "pin-nohelm", "skipped")]);
    let lines = |output: &Output| -> Vec<String> {
        let hints = output.stderr.lines();
        let hints = hints.filter_map(|line| line.trim().strip_prefix("hint: "));
        hints
            .filter(|line| line.contains("--namespace") || line.contains("--context"))
            .map(str::to_owned)
            .collect()
    };
    let [print, upgrade] = &lines(&output)[..] else {
        panic!("{output}")
    };
    assert!(print.contains("--print-values"), "{output}");
    paste(&tenant, print, Helm::Four).success().unwrap();
    // Another Helm does the same.
    paste(&tenant, upgrade, Helm::Four).success().unwrap();
    tenant.wait_ready().unwrap();
    assert!(images(&tenant, "pin-nohelm-jobs-manager")[0].contains("@sha256:"));
    let mut command = crate::support::command(&tenant, &["unpin", "--image", "jobs-manager"]);
    command.args(["--yes", "--context", "bed", "-n", tenant.namespace()]);
    command.env("PATH", "/no/such/folder");
    let output = Output::of(&mut command).unwrap();
    assert_eq!(output.code, Some(3), "{output}");
    let [upgrade] = &lines(&output)[..] else {
        panic!("unpin has no --print-values: {output}")
    };
    paste(&tenant, upgrade, Helm::Four).success().unwrap();
    assert!(images(&tenant, "pin-nohelm-jobs-manager")[0].ends_with(":prod"));
}

/// A quota lets no further pod come up.
pub(crate) fn allow_no_pods(tenant: &Tenant<'_>) {
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "none", "namespace": tenant.namespace()}, "spec": {"hard": {"pods": "0"}},
    });
    let made = tenant
        .bed()
        .cluster()
        .kubectl_with_input(&["create", "-f", "-"], &quota.to_string());
    made.unwrap().success().unwrap();
}

#[test]
fn an_upgrade_that_fails_is_rolled_back_and_told_without_secrets() {
    let tenant = tenant("pin-fails");
    install(
        &tenant,
        &Install::client("pin-fails", "1.9.28").set(format!("clientPassword={SECRET}")),
    );
    let main = "pin-fails-jobs-manager";
    let kubectl = |arguments: &[&str]| tenant.kubectl(arguments).unwrap().success().unwrap();
    kubectl(&["label", "deployment", main, "keel.sh/policy=force"]);
    allow_no_pods(&tenant);
    let output = hold(&tenant, "pin", "jobs-manager", &["--timeout", "8s"]);
    assert_eq!(output.code, Some(1), "{output}");
    let keel = || {
        object(&tenant, "deployment", main)["metadata"]["annotations"]
            .get("keel.sh/policy")
            .cloned()
    };
    assert_eq!(keel(), None, "Keel looks after what is not held");
    // What an earlier version left so is given back, although nothing is pinned.
    let left = ["keel.sh/policy=never", "tracebloc.io/keel-policy=poll"];
    kubectl(&[&["annotate", "deployment", main][..], &left].concat());
    let let_go = plan(&hold(&tenant, "unpin", "jobs-manager", &[]), 0);
    assert_eq!(steps(&let_go), [("annotate", main, "done")], "{let_go:#}");
    assert_eq!(keel(), Some(json!("poll")));
    assert!(output.stderr.contains("helm"), "{output}");
    assert!(!format!("{output}").contains(SECRET));
    assert!(
        images(&tenant, "pin-fails-jobs-manager")[0].ends_with(":prod"),
        "{output}"
    );
    let entries = object(&tenant, "configmap", "tracebloc-history-pin-fails")["data"].to_string();
    assert!(entries.contains(r#"\"state\":\"undone\""#), "{entries}");
    assert!(!entries.contains(SECRET));
}

#[test]
fn a_signal_is_handed_on_and_helm_ends_in_good_order() {
    let tenant = installed("pin-signal", "1.9.28");
    allow_no_pods(&tenant);
    let child = crate::support::command(
        &tenant,
        &[
            "pin",
            "--image",
            "jobs-manager",
            "--yes",
            "--context",
            "bed",
            "--timeout",
            "20s",
            "-n",
            tenant.namespace(),
        ],
    )
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let began = Instant::now();
    let pinned = || images(&tenant, "pin-signal-jobs-manager")[0].contains('@');
    while !pinned() {
        assert!(began.elapsed() < Duration::from_secs(60), "it never began");
        std::thread::sleep(Duration::from_millis(100));
    }
    let id = child.id().to_string();
    Command::new("kill").args(["-TERM", &id]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{told}");
    let arguments = ["--namespace", tenant.namespace(), "--output", "json"];
    let status = [&["status", "pin-signal"][..], &arguments].concat();
    let status = tenant
        .bed()
        .cluster()
        .helm(Helm::Four, &status)
        .unwrap()
        .success()
        .unwrap();
    let status: Value = serde_json::from_str(&status).unwrap();
    let status = status["info"]["status"].as_str().unwrap();
    assert!(!status.starts_with("pending"), "{status}: {told}");
}
