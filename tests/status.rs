//! `status`: one release in full, on real releases.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tracebloc_bed::{Helm, Install};

use crate::support::{
    codes, finding, hang, image_of, install, installed, leave_saying, outdated, paste, record_of,
    run, status, store, tenant,
};

/// The workload of that name in a report.
fn workload<'report>(report: &'report Value, name: &str) -> &'report Value {
    report["workloads"]
        .as_array()
        .unwrap()
        .iter()
        .find(|workload| workload["workload"]["name"] == name)
        .unwrap_or_else(|| panic!("no workload {name} in {report:#}"))
}

#[test]
fn one_release_is_told_in_full() {
    let tenant = installed("status-full", "1.9.28");
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let report = status(&tenant, &[]);
    assert_eq!(report["kind"], "StatusReport");
    assert_eq!(report["release"]["name"], "status-full");
    assert_eq!(report["release"]["chart"]["state"], "behind");
    let version = report["kubernetes"].as_str().unwrap();
    assert!(
        version.trim_start_matches('v').starts_with("1."),
        "{version}"
    );

    let manager = workload(&report, "status-full-jobs-manager");
    assert_eq!(manager["state"], "settled", "{manager:#}");
    assert_eq!(
        manager["replicas"],
        json!({"desired": 1, "updated": 1, "ready": 1})
    );
    assert!(manager["nodes"][0]["name"].is_string(), "{manager:#}");
    assert_eq!(manager["nodes"][0]["platform"]["os"], "linux");
    let monitor = workload(&report, "status-full-resource-monitor");
    assert_eq!(monitor["workload"]["namespace"], tenant.agents_namespace());
    assert_eq!(
        monitor["replicas"]["ready"],
        monitor["nodes"].as_array().unwrap().len()
    );
    assert_eq!(
        workload(&report, "status-full-auto-upgrade")["state"],
        "scheduled"
    );

    let image = image_of(&report["release"], "jobs-manager");
    assert_eq!(image["state"], "behind");
    assert_ne!(
        image["digest"]["published"],
        image["digest"]["running"][0]["digest"]
    );
    assert_eq!(
        report["release"]["automation"]["autoUpgrade"]["state"],
        "ok"
    );
    assert_eq!(report["release"]["storage"].as_array().unwrap().len(), 3);
    assert_eq!(report["changes"][0]["revision"], 1);
    assert_eq!(report["changes"][0]["chart"], "client-1.9.28");
    assert_eq!(report["changes"][0]["description"], "Install complete");
    for code in ["chart-behind", "digest-behind"] {
        assert!(codes(&report).contains(&code), "{report:#}");
    }
    // What `outdated` says of the release, `status` says too.
    let other = outdated(&tenant, &[]);
    for part in ["chart", "managedBy", "status", "revision"] {
        let mut one = report["release"][part].clone();
        let mut two = other["releases"][0][part].clone();
        for report in [&mut one, &mut two] {
            if let Some(chart) = report.as_object_mut() {
                chart.remove("observedAt");
            }
        }
        assert_eq!(one, two, "{part}");
    }
}

#[test]
fn the_screen_has_every_section_and_the_lines_to_type_work() {
    let tenant = installed("status-screen", "1.9.28");
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let output = run(&tenant, &["status"]);
    assert!(output.is_success(), "{output}");
    let text = &output.stdout;
    for part in [
        "Context: ",
        "Release: status-screen",
        "Verdict: 1 chart behind, 1 image behind",
        "Chart\n  client 1.9.28  behind",
        "PUBLISHED  RECORDED  SPEC  RUNNING",
        "deployment/status-screen-jobs-manager",
        "Keeps itself current\n",
        "client-pvc",
        "deployed  revision 1: client-1.9.28, Install complete",
        "(digest-behind)",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    // One line may be the way out of several findings.
    let lines: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("$ "))
        .collect();
    assert!(lines.len() >= 3, "{text}");
    for line in lines {
        paste(&tenant, line, Helm::Four).success().unwrap();
    }
    tenant.wait_ready().unwrap();
    let report = status(&tenant, &[]);
    assert_eq!(report["release"]["chart"]["state"], "current", "{report:#}");
    assert!(!codes(&report).contains(&"digest-behind"), "{report:#}");
    let changes = report["changes"].as_array().unwrap();
    let revisions: Vec<&Value> = changes
        .iter()
        .filter(|change| change["change"] == "revision")
        .map(|change| &change["revision"])
        .collect();
    assert_eq!(revisions, [2, 1]);
    assert_eq!(
        changes
            .iter()
            .find(|change| change["revision"] == 2)
            .unwrap()["chart"],
        "client-1.9.51"
    );

    let wide = run(&tenant, &["status", "-o", "wide"]);
    assert!(wide.stdout.contains("published  sha256:"), "{wide}");
    assert!(
        wide.stdout
            .contains("deployment/status-screen-jobs-manager[api]"),
        "{wide}"
    );
}

#[test]
fn a_restart_is_among_the_last_changes() {
    let tenant = installed("status-restart", "1.9.28");
    let restart = [
        "rollout",
        "restart",
        "deployment/status-restart-jobs-manager",
    ];
    tenant.kubectl(&restart).unwrap().success().unwrap();
    let report = status(&tenant, &[]);
    let change = &report["changes"][0];
    assert_eq!(change["change"], "restart", "{report:#}");
    assert_eq!(change["workload"]["name"], "status-restart-jobs-manager");
    assert_eq!(report["changes"][1]["change"], "revision");
    assert!(change["at"].as_str() >= report["changes"][1]["at"].as_str());
}

#[test]
fn what_failed_says_why_without_what_the_values_hold() {
    let tenant = tenant("status-failed");
    install(
        &tenant,
        &Install::client("status-failed", "1.9.28").set("clientPassword=sw0rdf1sh"),
    );
    leave_saying(
        &tenant,
        "status-failed",
        "failed",
        "2026-01-05T10:00:00Z",
        "Upgrade \"status-failed\" failed: Secret is invalid: \"sw0rdf1sh\" (c3cwcmRmMXNo)",
    );
    let report = status(&tenant, &[]);
    let change = &report["changes"][0];
    assert_eq!(
        (&change["revision"], &change["status"]),
        (&2.into(), &"failed".into())
    );
    let told = change["description"].as_str().unwrap();
    assert!(
        told.contains("Secret is invalid: \"(hidden)\" ((hidden))"),
        "{told}"
    );
    let evidence = finding(&report, "release-failed")["evidence"].to_string();
    assert!(evidence.contains("Secret is invalid"), "{evidence}");
    for arguments in [
        &["status", "-o", "json"][..],
        &["status"],
        &["status", "-o", "wide"],
        &["outdated", "-o", "json"],
    ] {
        let output = run(&tenant, arguments);
        assert!(!output.stdout.contains("sw0rdf1sh"), "{output}");
        assert!(!output.stdout.contains("c3cwcmRmMXNo"), "{output}");
    }
}

#[test]
fn pins_name_their_value_and_who_set_it() {
    let tenant = tenant("status-pins");
    let published = tenant
        .move_tag("tracebloc/jobs-manager", "pinned", "one")
        .unwrap();
    let digest = published.digest;
    let pinned = Install::client("status-pins", "1.9.51")
        .set(format!("images.jobsManager.digest={digest}"))
        .set(format!("images.ingestor.prodDigest={digest}"));
    install(&tenant, &pinned);
    let report = status(&tenant, &[]);
    let pins = report["pins"].as_array().unwrap();
    let pin = |image: &str| pins.iter().find(|pin| pin["image"] == image).cloned();
    assert_eq!(
        pin("jobs-manager"),
        Some(
            json!({"image": "jobs-manager", "pin": "digest", "value": "images.jobsManager.digest", "text": digest, "source": "value"})
        )
    );
    let held = pin("ingestor").unwrap();
    assert_eq!(
        (&held["pin"], &held["source"]),
        (&"held".into(), &"value".into())
    );
    assert_eq!(pin("pods-monitor"), None);

    let other = self::tenant("status-optout");
    install(
        &other,
        &Install::client("status-optout", "1.4.4").set("images.ingestor.autoRefresh=false"),
    );
    let report = status(&other, &[]);
    let pins = report["pins"].as_array().unwrap();
    assert!(
        pins.iter()
            .any(|pin| pin["pin"] == "opt-out" && pin["image"] == "ingestor"),
        "{pins:#?}"
    );
}

#[test]
fn workloads_that_do_not_run_say_so() {
    let tenant = installed("status-idle", "1.9.28");
    let scale = [
        "scale",
        "deployment/status-idle-requests-proxy",
        "--replicas=0",
    ];
    tenant.kubectl(&scale).unwrap().success().unwrap();
    let pause = ["rollout", "pause", "deployment/status-idle-jobs-manager"];
    tenant.kubectl(&pause).unwrap().success().unwrap();
    tenant
        .kubectl(&["delete", "deployment/mysql-client"])
        .unwrap()
        .success()
        .unwrap();
    let suspend = [
        "patch",
        "cronjob/status-idle-auto-upgrade",
        "--patch",
        r#"{"spec":{"suspend":true}}"#,
    ];
    tenant.kubectl(&suspend).unwrap().success().unwrap();
    tenant
        .kubectl(&[
            "wait",
            "pods",
            "-l",
            "app=requests-proxy",
            "--for=delete",
            "--timeout=60s",
        ])
        .unwrap()
        .success()
        .unwrap();
    let report = status(&tenant, &[]);
    for (name, state) in [
        ("status-idle-requests-proxy", "idle"),
        ("status-idle-jobs-manager", "paused"),
        ("mysql-client", "missing"),
        ("status-idle-auto-upgrade", "suspended"),
    ] {
        assert_eq!(
            workload(&report, name)["state"],
            state,
            "{name}: {report:#}"
        );
    }
}

#[test]
fn which_release_is_meant_is_never_guessed() {
    let tenant = installed("status-one", "1.9.28");
    let none = run(&tenant, &["status", "no-such-release"]);
    assert_eq!(none.code, Some(4), "{none}");
    hang(&tenant, "status-one", "2026-01-05T10:00:00Z");
    let report = status(&tenant, &["status-one"]);
    assert_eq!(report["release"]["status"], "pending-upgrade");
    assert_eq!(report["changes"][0]["revision"], 2);
    let all = run(&tenant, &["status", "a", "b"]);
    assert_eq!(all.code, Some(2), "{all}");

    // The chart's own names keep a second release out of the namespace: a record alone tells of one.
    let record = record_of(&tenant, "status-one").to_string();
    let other = record.replace("status-one", "status-two");
    let other = other.replace(
        &format!(
            "\"namespace\":\"{}\"",
            tenant.namespace().replace("status-one", "status-two")
        ),
        &format!("\"namespace\":\"{}\"", tenant.namespace()),
    );
    store(&tenant, &serde_json::from_str(&other).unwrap());
    let several = run(&tenant, &["status"]);
    assert_eq!(several.code, Some(2), "{several}");
    for part in [
        "there are several releases",
        "name one: ",
        "/status-one",
        "/status-two",
    ] {
        assert!(several.stderr.contains(part), "no {part:?} in {several}");
    }
    assert_eq!(several.stdout, "");

    let empty = crate::support::bed().tenant("status-empty").unwrap();
    let nothing = run(&empty, &["status"]);
    assert_eq!(
        (nothing.code, nothing.stdout.as_str()),
        (Some(0), ""),
        "{nothing}"
    );
    assert!(
        nothing.stderr.contains("no Helm release in namespace"),
        "{nothing}"
    );
}

#[test]
fn findings_are_chosen_and_counted_as_by_outdated() {
    let tenant = installed("status-codes", "1.9.28");
    let failed = run(&tenant, &["status", "--exit-code"]);
    assert_eq!(failed.code, Some(10), "{failed}");
    let failed = run(&tenant, &["status", "--fail-on", "chart-behind=danger"]);
    assert_eq!(failed.code, Some(0), "{failed}");
    let report = status(&tenant, &["--ignore", "chart-behind,missing-fix"]);
    assert!(!codes(&report).contains(&"chart-behind"), "{report:#}");
    let report = status(&tenant, &["--severity", "danger"]);
    assert_eq!(codes(&report), Vec::<&str>::new());
    let roles = run(&tenant, &["status", "--print-rbac"]);
    for part in [
        "persistentvolumeclaims",
        "persistentvolumes",
        "kubectl-tracebloc-status",
    ] {
        assert!(roles.stdout.contains(part), "{roles}");
    }
}

#[test]
fn containers_that_do_not_stay_up_are_told() {
    let tenant = installed("status-crash", "1.9.28");
    let crash =
        r#"{"spec":{"template":{"metadata":{"annotations":{"bed.tracebloc.io/crash":"proxy"}}}}}"#;
    let patch = [
        "patch",
        "deployment/status-crash-requests-proxy",
        "--patch",
        crash,
    ];
    tenant.kubectl(&patch).unwrap().success().unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let mut report = status(&tenant, &[]);
    while !codes(&report).contains(&"container-crashing") {
        assert!(std::time::Instant::now() < deadline, "{report:#}");
        std::thread::sleep(std::time::Duration::from_millis(500));
        report = status(&tenant, &[]);
    }
    let found = finding(&report, "container-crashing");
    assert_eq!(
        found["subject"]["workload"]["name"],
        "status-crash-requests-proxy"
    );
    assert!(
        found["advice"][0]
            .as_str()
            .unwrap()
            .contains("--container proxy --previous"),
        "{found:#}"
    );
    let told = &workload(&report, "status-crash-requests-proxy")["waiting"];
    assert_eq!(told[0], "CrashLoopBackOff", "{told:#}");

    // The kubelet's word for a container that the kernel ended.
    let pods = tenant.pods().unwrap();
    let pod = pods
        .iter()
        .find(|pod| pod["metadata"]["name"].to_string().contains("mysql-client"))
        .unwrap();
    let name = pod["metadata"]["name"].as_str().unwrap();
    let mut containers = pod["status"]["containerStatuses"].clone();
    containers[0]["lastState"] = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
    containers[0]["restartCount"] = 4.into();
    let killed = json!({"status": {"containerStatuses": containers}}).to_string();
    let patch = [
        "patch",
        "pod",
        name,
        "--subresource=status",
        "--type=merge",
        "--patch",
        &killed,
    ];
    tenant.kubectl(&patch).unwrap().success().unwrap();
    let report = status(&tenant, &[]);
    let found = finding(&report, "container-out-of-memory");
    assert!(
        found["message"]
            .as_str()
            .unwrap()
            .contains("4 restarts in all"),
        "{found:#}"
    );
}
