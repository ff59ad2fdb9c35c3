//! What may be in the way of a refresh: guards, other runs, signals, and clusters that do not do what they are asked.

use std::process::Stdio;

use serde_json::{Value, json};
use tracebloc_bed::cluster::Output;
use tracebloc_bed::image::Image;
use tracebloc_bed::kwok;
use tracebloc_bed::proxy::{Fault, Proxy, Rule};
use tracebloc_bed::{Bed, Install, Tenant};

use crate::outdated_faults::through;
use crate::refresh::{annotation, decision, object, plan, recorded, refresh, running, steps};
use crate::refresh_runs::{ended, start_job, wait_for_change};
use crate::support::{command, install, installed};

/// A release whose jobs manager is behind, and known to be.
pub(crate) fn behind(name: &str, version: &str) -> (Tenant<'static>, String) {
    let tenant = installed(name, version);
    recorded(&tenant);
    let moved = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    (tenant, moved.digest)
}

pub(crate) fn kubectl(tenant: &Tenant<'_>, arguments: &[&str]) {
    tenant.kubectl(arguments).unwrap().success().unwrap();
}

/// The guards of a run that was refused, which changed nothing.
pub(crate) fn refused(tenant: &Tenant<'_>, arguments: &[&str]) -> Vec<String> {
    let before = tenant.kubectl(&[
        "get",
        "deployments",
        "-o",
        "jsonpath={.items[*].metadata.generation}",
    ]);
    let plan = plan(&refresh(tenant, arguments), 11);
    let after = tenant.kubectl(&[
        "get",
        "deployments",
        "-o",
        "jsonpath={.items[*].metadata.generation}",
    ]);
    assert_eq!(before.unwrap().stdout, after.unwrap().stdout);
    plan["refusals"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|refusal| {
            assert!(
                refusal["message"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty())
            );
            refusal["guard"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn guards_say_no_and_change_nothing() {
    let (tenant, moved) = behind("refuse", "1.9.28");
    let main = "deployment/refuse-jobs-manager";
    kubectl(&tenant, &["rollout", "pause", main]);
    assert_eq!(refused(&tenant, &[]), ["paused"]);
    kubectl(&tenant, &["rollout", "resume", main]);
    // A new template whose pods never become ready.
    let spoil = json!({"spec": {"template": {"metadata": {"annotations": {"bed.tracebloc.io/ready": "false"}}}}});
    kubectl(
        &tenant,
        &["patch", main, "--type", "merge", "-p", &spoil.to_string()],
    );
    assert_eq!(refused(&tenant, &[]), ["unsettled"]);
    let heal = json!({"spec": {"template": {"metadata": {"annotations": {"bed.tracebloc.io/ready": null}}}}});
    kubectl(
        &tenant,
        &["patch", main, "--type", "merge", "-p", &heal.to_string()],
    );
    tenant.wait_ready().unwrap();
    kubectl(
        &tenant,
        &[
            "annotate",
            main,
            "argocd.argoproj.io/tracking-id=app:apps/Deployment:x/y",
        ],
    );
    // A Deployment's generation grows with every annotation, and until its controller has seen it that looks like a rollout.
    tenant.wait_ready().unwrap();
    assert_eq!(refused(&tenant, &[]), ["managed-elsewhere"]);
    kubectl(
        &tenant,
        &["annotate", main, "argocd.argoproj.io/tracking-id-"],
    );
    kubectl(
        &tenant,
        &["annotate", main, "tracebloc.io/refresh-attempt=3"],
    );
    tenant.wait_ready().unwrap();
    assert_eq!(refused(&tenant, &[]), ["flapping"]);
    kubectl(
        &tenant,
        &["annotate", main, "tracebloc.io/refresh-attempt-"],
    );
    tenant.wait_ready().unwrap();
    start_job(&tenant, "refuse-image-refresh", "8s");
    assert_eq!(refused(&tenant, &[]), ["job-running"]);
    // It ends, and then there is nothing in the way.
    plan(
        &refresh(&tenant, &["--wait-for-jobs", "1m", "--wait-settled", "1m"]),
        0,
    );
    assert!(running(&tenant, "api").contains(&moved));
}

#[test]
fn wrong_input_is_told_and_nothing_is_asked_of_nobody() {
    let (tenant, _) = behind("refresh-input", "1.9.28");
    let namespace = tenant.namespace();
    for (arguments, code, told) in [
        (&["--image", "job-manager"][..], 2, "jobs-manager"),
        (&["--workload", "deployment/none"], 2, "there are"),
        (&["--parallel", "0"], 2, "--parallel"),
    ] {
        let output = refresh(&tenant, arguments);
        assert_eq!(output.code, Some(code), "{output}");
        assert!(output.stderr.contains(told), "{output}");
    }
    let unasked = Output::of(&mut command(&tenant, &["refresh", "-n", namespace])).unwrap();
    assert_eq!(unasked.code, Some(2), "{unasked}");
    assert!(unasked.stderr.contains("--yes"), "{unasked}");
    let anywhere = Output::of(&mut command(
        &tenant,
        &["refresh", "--yes", "-n", namespace],
    ))
    .unwrap();
    assert_eq!(anywhere.code, Some(2), "{anywhere}");
    assert!(anywhere.stderr.contains("--context"), "{anywhere}");
}

#[test]
fn where_the_answer_to_a_change_does_not_come_whole_the_workload_tells_whether_it_arrived() {
    let (tenant, moved) = behind("refresh-part", "1.9.28");
    let proxy = Proxy::before_api_server(tenant.bed().cluster()).unwrap();
    let kubeconfig = through(&tenant, &proxy);
    let part = Rule::new("/deployments/refresh-part-", Fault::Body("{".to_owned()));
    proxy.break_with(part.method(http::Method::PATCH).times(1));
    let namespace = tenant.namespace();
    let arguments = ["refresh", "--yes", "--context", "bed", "-n", namespace];
    let mut refresh = command(&tenant, &arguments);
    let output = Output::of(refresh.env("KUBECONFIG", kubeconfig)).unwrap();
    assert!(output.is_success(), "{output}");
    assert_eq!(running(&tenant, "api"), [moved]);
}

#[test]
fn a_server_that_does_not_tell_of_the_pods_for_a_while_is_asked_again() {
    let tenant = installed("refresh-again", "1.9.28");
    recorded(&tenant);
    let slow = Image::new("slow").steering("ready-delay", "4s");
    let published = tenant.publish("tracebloc/jobs-manager", "prod", &slow);
    let proxy = Proxy::before_api_server(tenant.bed().cluster()).unwrap();
    let namespace = tenant.namespace();
    let arguments = ["refresh", "--yes", "--context", "bed", "-n", namespace];
    let mut refresh = command(&tenant, &arguments);
    refresh.env("KUBECONFIG", through(&tenant, &proxy));
    refresh.stdout(Stdio::null()).stderr(Stdio::piped());
    let child = refresh.spawn().unwrap();
    wait_for_change(&tenant, "refresh-again-jobs-manager", "acting");
    let silent = Rule::new("/pods?", Fault::status(503)).times(2);
    proxy.break_with(silent.method(http::Method::GET));
    let (code, told) = ended(child);
    assert_eq!(code, Some(0), "{told}");
    let broken = proxy.log().all().into_iter();
    let broken = broken.filter(|request| request.status.is_some_and(|status| status == 503));
    assert_eq!(broken.count(), 2);
    assert_eq!(running(&tenant, "api"), [published.unwrap().digest]);
}

#[test]
fn a_quota_is_named_as_the_reason_and_the_former_pods_stay() {
    let (tenant, _) = behind("refresh-quota", "1.9.28");
    let before = running(&tenant, "api");
    kubectl(&tenant, &["create", "quota", "none", "--hard=pods=0"]);
    let output = refresh(&tenant, &["--timeout", "5s", "--image", "jobs-manager"]);
    assert_eq!(output.code, Some(1), "{output}");
    assert!(output.stderr.contains("exceeded quota"), "{output}");
    kubectl(&tenant, &["delete", "quota", "none"]);
    plan(
        &refresh(&tenant, &["--clear-flap", "--wait-settled", "2m"]),
        0,
    );
    assert_ne!(
        running(&tenant, "api"),
        before,
        "once the quota is gone it works"
    );
}

#[test]
fn a_crash_loop_is_told_with_its_pods_and_left_where_that_is_wanted() {
    let tenant = installed("refresh-crash", "1.9.40");
    recorded(&tenant);
    let before = running(&tenant, "pods-monitor-container");
    let bad = Image::new("crashes").steering("crash", "pods-monitor-container");
    tenant
        .publish("tracebloc/pods-monitor", "prod", &bad)
        .unwrap();
    let output = refresh(&tenant, &["--timeout", "6s", "--on-failure", "keep"]);
    assert_eq!(output.code, Some(1), "{output}");
    assert!(output.stderr.contains("it was left as it is"), "{output}");
    assert!(output.stderr.contains("pods-monitor-container"), "{output}");
    let name = "refresh-crash-jobs-manager";
    assert_eq!(
        annotation(&tenant, name, "refresh-attempt").as_deref(),
        Some("1")
    );
    assert_eq!(annotation(&tenant, name, "refresh-flap-detected"), None);
    // What was left as it is has not settled: nobody acts on it unasked.
    assert_eq!(refused(&tenant, &[]), ["unsettled"]);
    let back = plan(&refresh(&tenant, &["--rollback"]), 0);
    assert_eq!(
        running(&tenant, "pods-monitor-container"),
        before,
        "{back:#}"
    );
}

#[test]
fn a_daemon_set_on_fifty_nodes_is_refreshed_in_one_rollout() {
    // On a cluster of its own: every daemon set wants every node.
    let bed = Bed::private().unwrap();
    let tenant = bed.tenant("refresh-fifty").unwrap();
    tenant.publish_all("prod", "one").unwrap();
    kwok::add_nodes(bed.cluster().api(), "refresh-fifty", "amd64", 50).unwrap();
    install(&tenant, &Install::client("refresh-fifty", "1.9.40"));
    recorded(&tenant);
    let moved = tenant
        .move_tag("tracebloc/resource-monitor", "prod", "two")
        .unwrap();
    let done = plan(&refresh(&tenant, &["--timeout", "300s"]), 0);
    assert_eq!(
        steps(&done),
        [
            ("set-image", "refresh-fifty-resource-monitor", "done"),
            ("record", "refresh-fifty-jobs-manager", "done"),
        ],
        "{done:#}"
    );
    let record = annotation(
        &tenant,
        "refresh-fifty-jobs-manager",
        "last-refreshed-resource-monitor-digest",
    );
    assert_eq!(record, Some(moved.digest));
}

#[test]
fn a_refresh_is_gone_back_from_and_does_not_come_again_by_itself() {
    for (version, name) in [("1.9.28", "back-count"), ("1.9.9", "back-suspend")] {
        let chart = if version == "1.9.9" { "1.4.4" } else { version };
        let tenant = installed(name, chart);
        recorded(&tenant);
        let before = running(&tenant, "api");
        let moved = tenant
            .move_tag("tracebloc/jobs-manager", "prod", "two")
            .unwrap();
        plan(&refresh(&tenant, &["--wait-for-jobs", "2m"]), 0);
        let back = plan(
            &refresh(&tenant, &["--rollback", "--wait-for-jobs", "2m"]),
            0,
        );
        assert_eq!(running(&tenant, "api"), before, "{back:#}");
        let main = format!("{name}-jobs-manager");
        assert_eq!(
            annotation(&tenant, &main, "last-refreshed-jobs-manager-digest"),
            Some(before[0].clone()),
            "the record does not lie"
        );
        if version == "1.9.28" {
            assert_eq!(
                annotation(&tenant, &main, "refresh-attempt").as_deref(),
                Some("3")
            );
        } else {
            let job = object(&tenant, "cronjob", &format!("{name}-image-refresh"));
            assert_eq!(job["spec"]["suspend"], true);
        }
        assert_eq!(refused(&tenant, &["--wait-for-jobs", "2m"]), ["flapping"]);
        let again = plan(
            &refresh(&tenant, &["--rollback", "--wait-for-jobs", "2m"]),
            0,
        );
        assert_eq!(steps(&again), [], "once is enough: {again:#}");
        plan(
            &refresh(&tenant, &["--clear-flap", "--wait-for-jobs", "2m"]),
            0,
        );
        assert_eq!(running(&tenant, "api"), [moved.digest]);
    }
}

#[test]
fn an_image_of_another_platform_is_refused() {
    let tenant = installed("refresh-platform", "1.9.28");
    recorded(&tenant);
    let other = Image::new("arm").platforms([tracebloc_bed::image::Platform::linux("arm64")]);
    tenant
        .publish("tracebloc/jobs-manager", "prod", &other)
        .unwrap();
    let output = refresh(&tenant, &[]);
    let told: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_ne!(decision(&told, "jobs-manager"), "move", "{told:#}");
    assert_eq!(
        output.code,
        Some(1),
        "what cannot be judged is no success: {output}"
    );
}
