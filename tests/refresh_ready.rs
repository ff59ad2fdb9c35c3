//! Pods that become ready and then crash: without a probe every container is ready as soon as it runs, so that kubectl would call it done.

use tracebloc_bed::image::Image;
use tracebloc_bed::{Tenant, wait_until};

use crate::refresh::{annotation, decision, plan, recorded, refresh, running};
use crate::support::{codes, finding, installed, run, status};

/// Publishes content that is ready at once, and crashes after so long.
fn publish_crashing(tenant: &Tenant<'_>, after: &str) -> String {
    let bad = Image::new(format!("crashes after {after}"))
        .steering("crash", "api,proxy")
        .steering("crash-ready", "true")
        .steering("crash-after", after)
        .steering("crash-back-off", "60s");
    let published = tenant.publish("tracebloc/jobs-manager", "prod", &bad);
    published.unwrap().digest
}

#[test]
fn what_is_ready_and_then_crashes_is_not_recorded_but_brought_back() {
    let tenant = installed("ready-crash", "1.9.28");
    recorded(&tenant);
    let good = running(&tenant, "api");
    publish_crashing(&tenant, "2s");
    // With what is the default for everybody.
    let output = run(
        &tenant,
        &["refresh", "--yes", "--context", "bed", "--timeout", "10s"],
    );
    assert_eq!(output.code, Some(1), "{output}");
    assert!(output.stderr.contains("CrashLoopBackOff"), "{output}");
    assert!(output.stderr.contains("it was undone"), "{output}");
    assert_eq!(running(&tenant, "api"), good);
    let main = "ready-crash-jobs-manager";
    let of = |key: &str| annotation(&tenant, main, key);
    assert_eq!(
        of("last-refreshed-jobs-manager-digest").as_ref(),
        good.first()
    );
    assert_eq!(of("refresh-attempt").as_deref(), Some("3"));
}

#[test]
fn pods_that_stay_ready_for_long_enough_are_waited_for_beyond_the_timeout() {
    let tenant = installed("ready-stays", "1.9.28");
    recorded(&tenant);
    let moved = tenant.move_tag("tracebloc/pods-monitor", "prod", "two");
    // Time enough to become ready, and not to have been so for long.
    let arguments = ["--timeout", "6s", "--min-ready", "8s"];
    plan(&refresh(&tenant, &arguments), 0);
    let name = "ready-stays-jobs-manager";
    let record = annotation(&tenant, name, "last-refreshed-pods-monitor-digest");
    assert_eq!(record, Some(moved.unwrap().digest));
}

#[test]
fn a_crash_after_all_was_done_is_told_by_whoever_looks_next() {
    let tenant = installed("ready-later", "1.9.28");
    recorded(&tenant);
    let good = running(&tenant, "api");
    publish_crashing(&tenant, "6s");
    plan(&refresh(&tenant, &[]), 0);
    let crashes = || {
        let report = status(&tenant, &[]);
        Ok(if codes(&report).contains(&"container-crashing") {
            Ok(report)
        } else {
            Err(format!("{:?}", codes(&report)))
        })
    };
    let deadline = std::time::Duration::from_secs(60);
    let report = wait_until(deadline, "the crash is told", crashes).unwrap();
    let told = finding(&report, "container-crashing")["message"].to_string();
    assert!(told.contains("ready-later"), "{told}");
    let next = plan(&refresh(&tenant, &["--dry-run"]), 0);
    assert_eq!(decision(&next, "jobs-manager"), "current");
    let warning = next["warnings"].to_string();
    assert!(warning.contains("--rollback"), "{next:#}");
    // And what it says is possible.
    let back = ["--rollback", "--image", "jobs-manager"];
    plan(&refresh(&tenant, &back), 0);
    assert_eq!(running(&tenant, "api"), good);
    assert_eq!(running(&tenant, "proxy"), good);
}
