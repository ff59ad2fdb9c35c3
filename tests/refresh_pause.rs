//! The chart's own job while a long plan is carried out, in versions in which it does not look whether a rollout is under way: it is suspended, and let
//! run again by the run itself or by the next one.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::Value;
use tracebloc_bed::image::Image;
use tracebloc_bed::proxy::{Fault, Moment, Proxy, Rule};
use tracebloc_bed::{Helm, Install, Tenant};

use crate::outdated_faults::through;
use crate::refresh::{annotation, break_tag, object, plan, recorded, refresh, running, steps};
use crate::refresh_runs::{ended, kill_at, spawn, wait_for_change};
use crate::support::{command, finding, install, outdated, tenant};

/// The image that two workloads of the chart share.
const IMAGE: &str = "tracebloc/jobs-manager";

/// A rollout that may take so long meets every tick.
const LONG: [&str; 2] = ["--timeout", "10000h"];

/// A chart whose job acts also while a rollout is under way; it ticks once a year, so that no test is near a tick.
fn chart(name: &str) -> Install<'_> {
    Install::client(name, "1.4.4")
        .by(Helm::Four)
        .set("imageRefresh.schedule=0 0 1 1 *")
}

fn release(name: &str) -> Tenant<'static> {
    let tenant = tenant(name);
    install(&tenant, &chart(name));
    recorded(&tenant);
    tenant.wait_ready().unwrap();
    tenant
}

/// Whether the job is suspended, and what the mark of a run says.
fn job(tenant: &Tenant<'_>, release: &str) -> (bool, Option<String>) {
    let live = object(tenant, "cronjob", &format!("{release}-image-refresh"));
    let mark = live["metadata"]["annotations"].get("tracebloc.io/suspended");
    let mark = mark.and_then(Value::as_str).map(str::to_owned);
    (live["spec"]["suspend"] == true, mark)
}

/// What is done when the two workloads are brought forward.
const ROLLOUTS: [&str; 3] = ["restart", "restart", "record"];

/// The actions of a plan and what became of them.
fn done(plan: &Value) -> Vec<(&str, &str)> {
    steps(plan)
        .into_iter()
        .map(|(action, _, state)| (action, state))
        .collect()
}

#[test]
fn the_job_is_suspended_while_a_long_plan_runs_and_helm_upgrades_after_it() {
    let name = "pause";
    let tenant = release(name);
    let slow = Image::new("slow").steering("ready-delay", "5s");
    let moved = tenant.publish(IMAGE, "prod", &slow).unwrap().digest;
    let main = format!("{name}-jobs-manager");
    let child = spawn(&tenant, &[&LONG[..], &["-o", "json"]].concat());
    wait_for_change(&tenant, &main, "acting");
    let (suspended, mark) = job(&tenant, name);
    let mark: Value = serde_json::from_str(&mark.unwrap()).unwrap();
    assert!(suspended);
    assert_eq!(mark["command"], "refresh", "{mark}");
    // Whoever looks meanwhile is told who did it.
    let report = outdated(&tenant, &[]);
    let told = finding(&report, "refresh-suspended")["message"].to_string();
    let whose = format!(
        "the refresh lasts that {} began",
        mark["by"].as_str().unwrap()
    );
    assert!(told.contains(&whose), "{told}");
    let output = child.wait_with_output().unwrap();
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = [&["suspend"], &ROLLOUTS[..], &["resume"]].concat();
    let expected: Vec<_> = expected
        .into_iter()
        .map(|action| (action, "done"))
        .collect();
    assert_eq!(done(&plan), expected, "{plan:#}");
    assert_eq!(running(&tenant, "proxy"), [moved]);
    assert_eq!(job(&tenant, name), (false, None));
    assert_eq!(ours_of(&tenant, name), 0);
    let upgraded = tenant.upgrade(&chart(name).set("env.LOG_LEVEL=debug"));
    assert!(upgraded.as_ref().unwrap().is_success(), "{upgraded:?}");
}

#[test]
fn what_a_user_suspended_stays_so() {
    let name = "pause-user";
    let tenant = release(name);
    let suspend = [
        "patch",
        "cronjob",
        &format!("{name}-image-refresh"),
        "-p",
        r#"{"spec":{"suspend":true}}"#,
    ];
    tenant.kubectl(&suspend).unwrap().success().unwrap();
    tenant.move_tag(IMAGE, "prod", "two").unwrap();
    let plan = plan(&refresh(&tenant, &LONG), 0);
    let expected = ROLLOUTS.map(|action| (action, "done"));
    assert_eq!(done(&plan), expected, "{plan:#}");
    assert_eq!(job(&tenant, name), (true, None));
}

#[test]
fn a_run_that_is_killed_or_stopped_leaves_it_to_the_next_to_let_the_job_run_again() {
    let name = "pause-kill";
    let tenant = release(name);
    let main = format!("{name}-jobs-manager");
    let first = tenant.move_tag(IMAGE, "prod", "two").unwrap();
    // Between the two rollouts nothing is open.
    let mut child = spawn(&tenant, &["--soak", "10000h"]);
    wait_for_change(&tenant, &main, "done");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(job(&tenant, name), (true, Some(_))));
    let rest = plan(&refresh(&tenant, &[]), 0);
    let expected = ["restart", "record", "resume"].map(|action| (action, "done"));
    assert_eq!(done(&rest), expected, "{rest:#}");
    assert_eq!(running(&tenant, "proxy"), [first.digest]);
    assert_eq!(job(&tenant, name), (false, None));

    let slow = Image::new("slow").steering("ready-delay", "6s");
    tenant.publish(IMAGE, "prod", &slow).unwrap();
    let child = spawn(&tenant, &LONG);
    wait_for_change(&tenant, &main, "acting");
    stop(&child);
    let (code, told) = ended(child);
    assert_eq!(code, Some(130), "{told}");
    assert!(
        told.contains("stays suspended, until the next run"),
        "{told}"
    );
    assert!(matches!(job(&tenant, name), (true, Some(_))));
    let rest = plan(&refresh(&tenant, &[]), 0);
    let expected = ["finish", "resume", "restart", "record"].map(|action| (action, "done"));
    assert_eq!(done(&rest), expected, "{rest:#}");
    assert_eq!(job(&tenant, name), (false, None));

    // Where nothing is open there is nothing to wait for.
    tenant.move_tag(IMAGE, "prod", "three").unwrap();
    let child = spawn(&tenant, &["--soak", "10000h"]);
    let began = Instant::now();
    while !is_soaking(&tenant, name) {
        assert!(began.elapsed() < Duration::from_secs(60));
    }
    stop(&child);
    let (code, told) = ended(child);
    assert_eq!(code, Some(130), "{told}");
    assert_eq!(job(&tenant, name), (false, None), "{told}");
}

/// Asks a run to stop.
fn stop(child: &Child) {
    let process = child.id().to_string();
    let told = Command::new("kill").args(["-TERM", &process]).status();
    assert!(told.unwrap().success());
}

/// True between two rollouts of a run: the job is suspended, and the first one is done.
fn is_soaking(tenant: &Tenant<'_>, release: &str) -> bool {
    let (_, Some(mark)) = job(tenant, release) else {
        return false;
    };
    let mark: Value = serde_json::from_str(&mark).unwrap();
    let change = annotation(tenant, &format!("{release}-jobs-manager"), "change");
    let change: Value = serde_json::from_str(&change.unwrap()).unwrap();
    change["id"] == mark["id"] && change["state"] == "done"
}

#[test]
fn a_run_that_is_killed_at_the_job_itself_leaves_nothing_of_it_behind() {
    let name = "pause-instant";
    let tenant = release(name);
    let proxy = Proxy::before_api_server(tenant.bed().cluster()).unwrap();
    // It is suspended, and the field handed back; it is let run again, and the field handed back.
    for (at, moment) in [
        (0, Moment::After),
        (1, Moment::After),
        (2, Moment::Before),
        (2, Moment::After),
    ] {
        let told = format!("killed {moment:?} {at}");
        let published = tenant.move_tag(IMAGE, "prod", &told).unwrap().digest;
        kill_at(&proxy, ("cronjobs", at), moment, || start(&tenant, &proxy));
        let rest = plan(&refresh(&tenant, &[]), 0);
        let idle = plan(&refresh(&tenant, &[]), 0);
        assert_eq!(done(&idle), [], "{told}: {rest:#}\n{idle:#}");
        assert_eq!(job(&tenant, name), (false, None), "{told}: {rest:#}");
        assert_eq!(running(&tenant, "proxy"), [published], "{told}");
        assert_eq!(ours_of(&tenant, name), 0, "{told}: {rest:#}");
    }
}

/// A run whose requests go through a proxy.
fn start(tenant: &Tenant<'_>, proxy: &Proxy) -> Child {
    let mut command = command(tenant, &["refresh", "--yes", "--context", "bed"]);
    command.args(["-n", tenant.namespace()]).args(LONG);
    command.env("KUBECONFIG", through(tenant, proxy));
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// How many entries of the job's managed fields are ours.
fn ours_of(tenant: &Tenant<'_>, release: &str) -> usize {
    let live = object(tenant, "cronjob", &format!("{release}-image-refresh"));
    let managers = live["metadata"]["managedFields"].as_array().unwrap().iter();
    let ours = managers.filter(|entry| entry["manager"] == "kubectl-tracebloc");
    ours.count()
}

#[test]
fn a_job_that_could_not_be_let_run_again_is_by_the_next_run_which_has_nothing_else_to_do() {
    let name = "pause-idle";
    let tenant = release(name);
    let main = format!("{name}-jobs-manager");
    let slow = Image::new("slow").steering("ready-delay", "4s");
    tenant.publish(IMAGE, "prod", &slow).unwrap();
    let proxy = Proxy::before_api_server(tenant.bed().cluster()).unwrap();
    let child = start(&tenant, &proxy);
    let began = Instant::now();
    while !matches!(job(&tenant, name), (true, Some(_))) {
        assert!(began.elapsed() < Duration::from_secs(60));
    }
    wait_for_change(&tenant, &main, "acting");
    proxy.break_with(Rule::new("/cronjobs/", Fault::status(503)).method(Method::PATCH));
    let (code, told) = ended(child);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("could not be let run again"), "{told}");
    assert!(matches!(job(&tenant, name), (true, Some(_))));
    let shown = plan(&refresh(&tenant, &["--dry-run"]), 0);
    assert_eq!(done(&shown), [("resume", "pending")], "{shown:#}");
    let rest = plan(&refresh(&tenant, &[]), 0);
    assert_eq!(done(&rest), [("resume", "done")], "{rest:#}");
    assert_eq!(job(&tenant, name), (false, None));
    let idle = plan(&refresh(&tenant, &[]), 0);
    assert_eq!(done(&idle), [], "{idle:#}");
}

#[test]
fn after_a_failure_the_job_runs_again_unless_it_would_do_the_same() {
    let name = "pause-fail";
    let tenant = release(name);
    let failing = ["--timeout", "5s", "--soak", "10000h"];
    break_tag(&tenant, IMAGE);
    // What was left as it is the job may see, and what was undone it would do again.
    let output = refresh(&tenant, &failing);
    let undone = plan(&output, 1);
    let expected = [
        ("suspend", "done"),
        ("restart", "failed"),
        ("restart", "skipped"),
        ("record", "skipped"),
        ("resume", "skipped"),
    ];
    assert_eq!(done(&undone), expected, "{output}");
    assert!(output.stderr.contains("was suspended, since"), "{output}");
    assert!(!output.stderr.contains("stays suspended"), "{output}");
    assert_eq!(job(&tenant, name), (true, None), "for good");
    let next = plan(&refresh(&tenant, &[]), 11);
    assert!(!done(&next).contains(&("resume", "pending")), "{next:#}");

    let on_again = [
        "patch",
        "cronjob",
        &format!("{name}-image-refresh"),
        "-p",
        r#"{"spec":{"suspend":false}}"#,
    ];
    tenant.kubectl(&on_again).unwrap().success().unwrap();
    let keep = [&failing[..], &["--on-failure", "keep", "--clear-flap"]].concat();
    let output = refresh(&tenant, &keep);
    let kept = plan(&output, 1);
    let mut expected = expected;
    expected[1].0 = "set-image";
    expected[4].1 = "done";
    assert_eq!(done(&kept), expected, "{output}");
    assert_eq!(job(&tenant, name), (false, None));
}
