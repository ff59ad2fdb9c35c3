//! The chart's own jobs: whether what is behind will fix itself.

use serde_json::{Value, json};
use tracebloc_bed::api::Patch;
use tracebloc_bed::proxy::{Proxy, Rule};
use tracebloc_bed::{Helm, Tenant};

use crate::outdated_faults::{ask, forbidden, through};
use crate::support::{
    NEVER, codes, codes_beside_advisories, finding, install, installed, leave, outdated, parse,
    paste, quiet, tenant,
};

fn automation<'report>(report: &'report Value, job: &str) -> &'report Value {
    &report["releases"][0]["automation"][job]
}

fn state<'report>(report: &'report Value, job: &str) -> &'report str {
    automation(report, job)["state"].as_str().unwrap()
}

/// The findings about automation.
fn found(report: &Value) -> Vec<&str> {
    let mut found = codes_beside_advisories(report);
    found.retain(|code| {
        ["upgrade-", "refresh-", "automation-"]
            .iter()
            .any(|prefix| code.starts_with(prefix))
    });
    found
}

fn kubectl(tenant: &Tenant<'_>, arguments: &[&str]) {
    tenant.kubectl(arguments).unwrap().success().unwrap();
}

/// Writes into the status of a `CronJob`, as its controller does.
fn cron_status(tenant: &Tenant<'_>, cron_job: &str, status: &Value) {
    let path = format!(
        "/apis/batch/v1/namespaces/{}/cronjobs/{cron_job}/status",
        tenant.namespace()
    );
    let api = tenant.bed().cluster().api();
    api.patch(&path, Patch::Merge, &json!({"status": status}))
        .unwrap();
}

/// Pastes every line of advice of a finding.
fn follow(tenant: &Tenant<'_>, report: &Value, code: &str) -> Vec<String> {
    let lines: Vec<String> = finding(report, code)["advice"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap().to_owned())
        .collect();
    assert!(!lines.is_empty(), "{code} advises nothing");
    for line in &lines {
        paste(tenant, line, Helm::Four).success().unwrap();
    }
    lines
}

#[test]
fn jobs_that_keep_up_say_when_they_run_next() {
    let tenant = installed("auto-ok", "1.9.51");
    let report = outdated(&tenant, &[]);
    for job in ["autoUpgrade", "imageRefresh"] {
        let shown = automation(&report, job);
        assert_eq!(shown["state"], "ok", "{shown:#}");
        assert_eq!(shown["schedule"], NEVER);
        let next = shown["nextRun"].as_str().unwrap();
        assert!(next.ends_with("-01-01T00:00:00Z"), "{next}");
        assert_eq!(shown.get("lastRun"), None);
    }
    assert_eq!(found(&report), Vec::<&str>::new());
    let narrow = outdated(&tenant, &["--only", "chart"]);
    assert_eq!(narrow["releases"][0].get("automation"), None);
}

#[test]
fn a_job_suspended_in_the_cluster_is_let_go_by_the_advice() {
    let tenant = installed("auto-held", "1.9.51");
    kubectl(
        &tenant,
        &[
            "patch",
            "cronjob/auto-held-auto-upgrade",
            "--patch",
            r#"{"spec":{"suspend":true}}"#,
        ],
    );
    let report = outdated(&tenant, &[]);
    assert_eq!(state(&report, "autoUpgrade"), "suspended");
    assert_eq!(automation(&report, "autoUpgrade").get("nextRun"), None);
    assert_eq!(found(&report), ["upgrade-suspended"]);
    let message = finding(&report, "upgrade-suspended")["message"].to_string();
    assert!(message.contains("in the cluster"), "{message}");
    follow(&tenant, &report, "upgrade-suspended");
    assert_eq!(found(&outdated(&tenant, &[])), Vec::<&str>::new());
}

#[test]
fn a_job_suspended_by_a_value_is_let_go_by_the_advice() {
    let tenant = tenant("auto-value");
    install(
        &tenant,
        &quiet("auto-value", "1.9.51").set("imageRefresh.suspend=true"),
    );
    let report = outdated(&tenant, &[]);
    assert_eq!(state(&report, "imageRefresh"), "suspended");
    let message = finding(&report, "refresh-suspended")["message"].to_string();
    assert!(message.contains("imageRefresh.suspend"), "{message}");
    assert!(message.contains("restarts do not pull either"), "{message}");
    follow(&tenant, &report, "refresh-suspended");
    let after = outdated(&tenant, &[]);
    assert_eq!(state(&after, "imageRefresh"), "ok");
    assert_eq!(
        automation(&after, "imageRefresh")["schedule"],
        NEVER,
        "the other values are kept"
    );
}

#[test]
fn a_refresh_that_gave_up_is_armed_again_by_the_advice() {
    let tenant = installed("auto-flap", "1.9.28");
    let note = |text: &str| {
        let workload = "deployment/auto-flap-jobs-manager";
        kubectl(&tenant, &["annotate", "--overwrite", workload, text]);
    };
    note("tracebloc.io/refresh-attempt=1");
    assert_eq!(found(&outdated(&tenant, &[])), ["refresh-retrying"]);
    note("tracebloc.io/refresh-attempt=3");
    note("tracebloc.io/refresh-flap-detected=true");
    let report = outdated(&tenant, &[]);
    assert_eq!(state(&report, "imageRefresh"), "flapping");
    assert_eq!(found(&report), ["refresh-flapping"]);
    follow(&tenant, &report, "refresh-flapping");
    let after = outdated(&tenant, &[]);
    assert_eq!(state(&after, "imageRefresh"), "ok", "{after:#}");
}

#[test]
fn skips_without_end_and_runs_without_success_are_stalls() {
    let tenant = installed("auto-stall", "1.9.51");
    let workload = "deployment/auto-stall-jobs-manager";
    kubectl(
        &tenant,
        &["annotate", workload, "tracebloc.io/refresh-skip-streak=8"],
    );
    let long_ago = json!({"lastScheduleTime": "2020-01-01T00:00:00Z", "lastSuccessfulTime": "2020-01-01T00:00:05Z"});
    cron_status(&tenant, "auto-stall-auto-upgrade", &long_ago);
    let report = outdated(&tenant, &[]);
    assert_eq!(state(&report, "imageRefresh"), "stalled");
    let upgrade = automation(&report, "autoUpgrade");
    assert_eq!(upgrade["state"], "stalled", "{upgrade:#}");
    assert_eq!(upgrade["since"], "2020-01-01T00:00:05Z");
    assert_eq!(upgrade["lastRun"], "2020-01-01T00:00:00Z");
    assert_eq!(found(&report), ["upgrade-stalled", "refresh-stalled"]);
    follow(&tenant, &report, "upgrade-stalled");
    follow(&tenant, &report, "refresh-stalled");
}

#[test]
fn a_job_that_somebody_starts_by_hand_is_a_run() {
    let tenant = installed("auto-jobs", "1.9.51");
    let from = "--from=cronjob/auto-jobs-image-refresh";
    kubectl(&tenant, &["create", "job", "by-hand", from]);
    let complete = [
        "wait",
        "--for=condition=Complete",
        "job/by-hand",
        "--timeout=60s",
    ];
    kubectl(&tenant, &complete);
    let report = outdated(&tenant, &[]);
    let last = automation(&report, "imageRefresh")["lastRun"].as_str();
    assert!(last.is_some(), "{report:#}");
    assert_eq!(automation(&report, "autoUpgrade").get("lastRun"), None);
}

#[test]
fn what_may_not_be_read_is_unknown_and_jobs_are_listed_once() {
    let tenant = installed("auto-rbac", "1.9.51");
    let proxy = Proxy::before_api_server(tenant.bed().cluster()).unwrap();
    let kubeconfig = through(&tenant, &proxy);
    let cron_jobs = format!("/namespaces/{}/cronjobs", tenant.namespace());
    let jobs = format!("/namespaces/{}/jobs", tenant.namespace());
    proxy.break_with(Rule::new(&cron_jobs, forbidden("cronjobs")));
    let report = parse(&ask(&tenant, &kubeconfig, &[]));
    for job in ["autoUpgrade", "imageRefresh"] {
        assert_eq!(state(&report, job), "unknown");
        assert_eq!(automation(&report, job)["unknown"]["reason"], "forbidden");
    }
    assert_eq!(found(&report), Vec::<&str>::new());
    proxy.heal();
    proxy.break_with(Rule::new(&jobs, forbidden("jobs")));
    proxy.log().clear();
    let report = parse(&ask(&tenant, &kubeconfig, &[]));
    assert_eq!(state(&report, "autoUpgrade"), "ok", "nothing rests on them");
    let gap = finding(&report, "cluster-unanswered")["message"].to_string();
    assert!(gap.contains("jobs in namespace"), "{gap}");
    let asked = |path: &str| {
        let all = proxy.log().all();
        all.iter()
            .filter(|request| request.path.contains(path))
            .count()
    };
    assert_eq!((asked(&jobs), asked("rbac.authorization")), (1, 0));
    proxy.log().clear();
    parse(&ask(&tenant, &kubeconfig, &["--only", "digest"]));
    assert_eq!(asked(&jobs), 0, "not asked for");
}

#[test]
fn a_mirror_makes_the_refresh_inert() {
    let tenant = tenant("auto-mirror");
    let mirror = format!("global.imageRegistry={}", tenant.registry_path());
    install(&tenant, &quiet("auto-mirror", "1.9.40").set(mirror));
    let report = outdated(&tenant, &[]);
    assert_eq!(state(&report, "imageRefresh"), "inert");
    assert_eq!(found(&report), ["refresh-inert"]);
}

#[test]
fn a_refresh_whose_runs_leave_no_record_never_worked() {
    let tenant = installed("auto-green", "1.4.4");
    let green = json!({"lastSuccessfulTime": report_time(&tenant)});
    cron_status(&tenant, "auto-green-image-refresh", &green);
    let report = outdated(&tenant, &[]);
    assert_eq!(state(&report, "imageRefresh"), "stalled");
    assert_eq!(found(&report), ["refresh-never-worked"]);
}

/// The time of the program's own clock.
fn report_time(tenant: &Tenant<'_>) -> String {
    let report = outdated(tenant, &["--only", "chart"]);
    let text = report["checkedAt"].as_str().unwrap();
    format!("{}Z", &text[..19])
}

#[test]
fn what_is_switched_off_or_deleted_is_absent() {
    let off = tenant("auto-off");
    install(
        &off,
        &quiet("auto-off", "1.9.51")
            .set("autoUpgrade.enabled=false")
            .set("imageRefresh.enabled=false"),
    );
    let report = outdated(&off, &[]);
    assert_eq!(state(&report, "autoUpgrade"), "absent");
    assert_eq!(found(&report), ["upgrade-absent", "refresh-absent"]);
    let deleted = installed("auto-gone", "1.9.51");
    kubectl(&deleted, &["delete", "cronjob/auto-gone-image-refresh"]);
    let report = outdated(&deleted, &[]);
    assert_eq!(state(&report, "imageRefresh"), "absent");
    assert_eq!(found(&report), ["automation-deleted"]);
    follow(&deleted, &report, "automation-deleted");
    assert_eq!(state(&outdated(&deleted, &[]), "imageRefresh"), "ok");
}

#[test]
fn an_updater_without_rights_is_locked_out() {
    let tenant = installed("auto-lock", "1.9.51");
    leave(&tenant, "auto-lock", "failed", "2026-08-21T10:00:00Z");
    let report = outdated(&tenant, &[]);
    assert_eq!(state(&report, "autoUpgrade"), "ok", "its rights are there");
    kubectl(&tenant, &["delete", "clusterrole/auto-lock-auto-upgrade"]);
    let report = outdated(&tenant, &[]);
    assert_eq!(state(&report, "autoUpgrade"), "locked-out");
    assert_eq!(finding(&report, "upgrade-locked-out")["severity"], "danger");
    follow(&tenant, &report, "upgrade-locked-out");
    let after = outdated(&tenant, &[]);
    assert_eq!(state(&after, "autoUpgrade"), "ok", "{after:#}");
}

/// A run of a `CronJob` that fails: it has a second for an image that there is not.
fn failing_run(tenant: &Tenant<'_>, cron_job: &str, name: &str) {
    let from = format!("--from=cronjob/{cron_job}");
    let arguments = ["create", "job", name, &from, "--dry-run=client", "-o=json"];
    let written = tenant.kubectl(&arguments).unwrap().success().unwrap();
    let mut job: Value = serde_json::from_str(&written).unwrap();
    job["spec"]["activeDeadlineSeconds"] = json!(1);
    let image = format!("{}/nobody/nothing:1", tenant.registry_path());
    job["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
    let namespace = format!("--namespace={}", tenant.namespace());
    let cluster = tenant.bed().cluster();
    cluster
        .kubectl_with_input(&["apply", &namespace, "-f", "-"], &job.to_string())
        .unwrap()
        .success()
        .unwrap();
    let job = format!("job/{name}");
    kubectl(tenant, &["wait", &job, "--for=condition=Failed"]);
}

#[test]
fn jobs_whose_rights_were_deleted_are_locked_out_and_get_them_back_by_the_advice() {
    let tenant = installed("auto-access", "1.9.51");
    failing_run(&tenant, "auto-access-image-refresh", "one");
    let report = outdated(&tenant, &[]);
    assert_eq!(state(&report, "imageRefresh"), "ok", "its rights are there");
    let agents = format!("--namespace={}", tenant.agents_namespace());
    let roles = tenant.kubectl(&["get", "roles", &agents, "-o=name"]);
    let roles = roles.unwrap().success().unwrap();
    let role = roles.lines().find(|role| role.contains("image-refresh"));
    kubectl(&tenant, &["delete", role.unwrap(), &agents]);
    let report = outdated(&tenant, &[]);
    assert_eq!(state(&report, "imageRefresh"), "locked-out");
    let message = finding(&report, "refresh-locked-out")["message"].to_string();
    assert!(message.contains(&tenant.agents_namespace()), "{message}");
    assert_eq!(found(&report), ["refresh-locked-out"]);
    follow(&tenant, &report, "refresh-locked-out");
    assert_eq!(state(&outdated(&tenant, &[]), "imageRefresh"), "ok");

    failing_run(&tenant, "auto-access-auto-upgrade", "two");
    assert_eq!(state(&outdated(&tenant, &[]), "autoUpgrade"), "ok");
    kubectl(&tenant, &["delete", "rolebinding/auto-access-auto-upgrade"]);
    let report = outdated(&tenant, &[]);
    assert_eq!(state(&report, "autoUpgrade"), "locked-out");
    follow(&tenant, &report, "upgrade-locked-out");
    assert_eq!(state(&outdated(&tenant, &[]), "autoUpgrade"), "ok");
}

#[test]
fn a_killed_upgrade_wedges_the_updater_and_a_failed_one_stalls_an_old_one() {
    let tenant = installed("auto-wedge", "1.9.28");
    crate::support::hang(&tenant, "auto-wedge", "2020-08-21T10:00:00Z");
    let report = outdated(&tenant, &[]);
    assert_eq!(state(&report, "autoUpgrade"), "wedged");
    assert!(codes(&report).contains(&"release-pending"));
    let tenant = installed("auto-done", "1.9.28");
    leave(&tenant, "auto-done", "failed", "2020-08-21T10:00:00Z");
    let report = outdated(&tenant, &[]);
    assert_eq!(state(&report, "autoUpgrade"), "stalled");
    assert_eq!(found(&report), ["upgrade-stalled"]);
}

#[test]
fn a_suspended_refresh_and_a_pull_policy_that_keeps_leave_no_way_for_an_image() {
    let tenant = installed("automation-path", "1.9.28");
    let keep = r#"[{"op":"replace","path":"/spec/template/spec/containers/0/imagePullPolicy","value":"IfNotPresent"}]"#;
    let patch = [
        "patch",
        "deployment/automation-path-jobs-manager",
        "--type=json",
        "--patch",
        keep,
    ];
    tenant.kubectl(&patch).unwrap().success().unwrap();
    tenant.wait_ready().unwrap();
    assert!(!codes(&outdated(&tenant, &[])).contains(&"no-update-path"));
    let suspend = [
        "patch",
        "cronjob/automation-path-image-refresh",
        "--patch",
        r#"{"spec":{"suspend":true}}"#,
    ];
    tenant.kubectl(&suspend).unwrap().success().unwrap();
    let report = outdated(&tenant, &[]);
    let found = finding(&report, "no-update-path");
    assert!(
        found["message"].as_str().unwrap().contains("jobs-manager"),
        "{found:#}"
    );
    let advice = found["advice"][0].as_str().unwrap();
    paste(&tenant, advice, Helm::Four).success().unwrap();
    assert!(!codes(&outdated(&tenant, &[])).contains(&"no-update-path"));
}
