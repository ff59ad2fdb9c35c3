//! A refresh beside others: signals, another refresh, and the chart's own jobs.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tracebloc_bed::Tenant;
use tracebloc_bed::image::Image;

use crate::refresh::{annotation, plan, recorded, refresh, running, steps};
use crate::support::{command, installed};

/// A Job of a chart's `CronJob` that runs for so long.
pub(crate) fn start_job(tenant: &Tenant<'_>, cron_job: &str, run_time: &str) {
    let (from, name) = (
        format!("--from=cronjob/{cron_job}"),
        format!("{cron_job}-1"),
    );
    let job = tenant.kubectl(&[
        "create",
        "job",
        &from,
        &name,
        "--dry-run=client",
        "-o",
        "json",
    ]);
    let mut job: Value = serde_json::from_str(&job.unwrap().success().unwrap()).unwrap();
    job["spec"]["template"]["metadata"]["annotations"] =
        json!({"bed.tracebloc.io/run-time": run_time});
    job["metadata"]["namespace"] = tenant.namespace().into();
    let made = tenant
        .bed()
        .cluster()
        .kubectl_with_input(&["create", "-f", "-"], &job.to_string());
    made.unwrap().success().unwrap();
}

/// A run in the background.
pub(crate) fn spawn(tenant: &Tenant<'_>, arguments: &[&str]) -> Child {
    let mut whole = vec![
        "refresh",
        "--yes",
        "--min-ready",
        "0",
        "--context",
        "bed",
        "-n",
        tenant.namespace(),
    ];
    whole.extend(arguments);
    command(tenant, &whole)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn ended(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// Waits until a deployment's change is in that state.
pub(crate) fn wait_for_change(tenant: &Tenant<'_>, deployment: &str, state: &str) {
    let began = Instant::now();
    loop {
        let change = annotation(tenant, deployment, "change").unwrap_or_default();
        if change.contains(&format!("\"state\":\"{state}\"")) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{change}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_signal_ends_the_wait_and_the_next_run_goes_on() {
    let tenant = installed("refresh-signal", "1.9.28");
    recorded(&tenant);
    let slow = Image::new("slow").steering("ready-delay", "8s");
    let wanted = tenant
        .publish("tracebloc/jobs-manager", "prod", &slow)
        .unwrap()
        .digest;
    let name = "refresh-signal-jobs-manager";
    let child = spawn(&tenant, &[]);
    wait_for_change(&tenant, name, "acting");
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let began = Instant::now();
    let (code, told) = ended(child);
    assert_eq!(code, Some(130), "{told}");
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "a wait is not a step"
    );
    assert!(told.contains("goes on there"), "{told}");
    // Whoever looks meanwhile is told.
    let report = crate::support::outdated(&tenant, &[]);
    let open = crate::support::finding(&report, "change-unfinished");
    assert_eq!(open["subject"]["workload"]["name"], name, "{open:#}");
    let advice = open["advice"][0].as_str().unwrap();
    assert!(advice.starts_with("kubectl tracebloc refresh "), "{advice}");
    // The lease was given back, so that the next need not wait.
    let plan = plan(&refresh(&tenant, &[]), 0);
    assert_eq!(steps(&plan)[0], ("finish", name, "done"), "{plan:#}");
    assert_eq!(running(&tenant, "api"), std::slice::from_ref(&wanted));
    assert_eq!(running(&tenant, "proxy"), [wanted]);
}

#[test]
fn of_two_at_once_one_works_and_the_other_says_who_does() {
    let tenant = installed("refresh-two", "1.9.28");
    recorded(&tenant);
    let slow = Image::new("slow").steering("ready-delay", "8s");
    tenant
        .publish("tracebloc/jobs-manager", "prod", &slow)
        .unwrap();
    let child = spawn(&tenant, &[]);
    wait_for_change(&tenant, "refresh-two-jobs-manager", "acting");
    let second = refresh(&tenant, &[]);
    assert_eq!(second.code, Some(11), "{second}");
    assert!(
        second.stderr.contains("works on it at this moment"),
        "{second}"
    );
    let (code, told) = ended(child);
    assert_eq!(code, Some(0), "{told}");
}

#[test]
fn no_rollout_is_begun_beside_a_job_of_the_chart() {
    let tenant = installed("refresh-beside", "1.9.28");
    recorded(&tenant);
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let child = spawn(&tenant, &["--soak", "4s"]);
    wait_for_change(&tenant, "refresh-beside-jobs-manager", "done");
    start_job(&tenant, "refresh-beside-image-refresh", "10s");
    let (code, told) = ended(child);
    assert_eq!(code, Some(11), "{told}");
    assert!(told.contains("has started meanwhile"), "{told}");
    let rest = plan(&refresh(&tenant, &["--wait-for-jobs", "1m"]), 0);
    assert_eq!(
        steps(&rest)[0],
        ("restart", "refresh-beside-requests-proxy", "done"),
        "what was done is not done twice: {rest:#}"
    );
}

#[test]
fn rollouts_are_paced_across_runs_and_no_record_runs_ahead() {
    let tenant = installed("refresh-paced", "1.9.28");
    recorded(&tenant);
    let name = "refresh-paced-jobs-manager";
    let before = annotation(&tenant, name, "last-refreshed-jobs-manager-digest");
    let moved = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let paced = ["--max-rollouts", "1", "--per", "1h"];
    let first = plan(&refresh(&tenant, &paced), 0);
    assert_eq!(steps(&first), [("restart", name, "done")], "{first:#}");
    let second = plan(&refresh(&tenant, &paced), 0);
    assert_eq!(steps(&second), [], "{second:#}");
    assert_eq!(
        annotation(&tenant, name, "last-refreshed-jobs-manager-digest"),
        before,
        "one of two workloads is not all"
    );
    let rest = plan(&refresh(&tenant, &[]), 0);
    assert_eq!(
        steps(&rest),
        [
            ("restart", "refresh-paced-requests-proxy", "done"),
            ("record", name, "done"),
        ],
        "{rest:#}"
    );
    let record = annotation(&tenant, name, "last-refreshed-jobs-manager-digest");
    assert_eq!(record, Some(moved.digest));
}
