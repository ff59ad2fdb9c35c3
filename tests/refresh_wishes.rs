//! What the user may wish of a refresh beside the usual: at once, in one way only, not too young; what the values exempt; and that Helm goes on after
//! whatever came of it.

use std::time::Duration;

use serde_json::Value;
use tracebloc_bed::Helm;

use crate::pin::images;
use crate::refresh::{
    annotation, break_tag, decision, object, plan, recorded, refresh, running, steps,
};
use crate::refresh_faults::{behind, kubectl};
use crate::support::{install, installed, quiet, run, tenant};

#[test]
fn by_force_what_was_never_recorded_is_acted_on_at_once() {
    let tenant = installed("wish-force", "1.9.28");
    let moved = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap()
        .digest;
    let seen = plan(&refresh(&tenant, &["--dry-run"]), 0);
    assert_eq!(decision(&seen, "jobs-manager"), "record");
    let forced = plan(&refresh(&tenant, &["--force"]), 0);
    assert_eq!(decision(&forced, "jobs-manager"), "move", "{forced:#}");
    assert_eq!(running(&tenant, "api"), std::slice::from_ref(&moved));
    let record = annotation(
        &tenant,
        "wish-force-jobs-manager",
        "last-refreshed-jobs-manager-digest",
    );
    assert_eq!(record, Some(moved));
}

#[test]
fn an_action_that_is_named_is_the_one_that_is_taken() {
    let (tenant, moved) = behind("wish-action", "1.9.28");
    let name = "wish-action-jobs-manager";
    let before = running(&tenant, "api");
    let written = plan(&refresh(&tenant, &["--action", "record"]), 0);
    assert_eq!(decision(&written, "jobs-manager"), "record", "{written:#}");
    assert_eq!(running(&tenant, "api"), before, "no pod is touched");
    let set = plan(&refresh(&tenant, &["--action", "set-image"]), 0);
    assert_eq!(steps(&set)[0], ("set-image", name, "done"), "{set:#}");
    assert_eq!(running(&tenant, "api"), std::slice::from_ref(&moved));
    assert!(images(&tenant, name)[0].ends_with(&format!("@{moved}")));
    // An exact reference is not pulled anew by a restart.
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "three")
        .unwrap();
    let vain = plan(&refresh(&tenant, &["--action", "restart"]), 11);
    assert_eq!(vain["refusals"][0]["guard"], "restart-in-vain", "{vain:#}");
    assert_eq!(running(&tenant, "api"), [moved]);
}

#[test]
fn what_is_too_young_waits_and_then_goes() {
    let (tenant, moved) = behind("wish-age", "1.9.28");
    let before = running(&tenant, "api");
    let young = plan(&refresh(&tenant, &["--min-age", "1h"]), 0);
    assert_eq!(decision(&young, "jobs-manager"), "too-young", "{young:#}");
    assert_eq!(running(&tenant, "api"), before);
    // What was seen then is old enough for a smaller wish.
    std::thread::sleep(Duration::from_secs(2));
    let old = plan(&refresh(&tenant, &["--min-age", "1s"]), 0);
    assert_eq!(decision(&old, "jobs-manager"), "move", "{old:#}");
    assert_eq!(running(&tenant, "api"), [moved]);
}

#[test]
fn with_all_pinned_there_is_nothing_to_do_and_that_is_said() {
    let tenant = tenant("wish-pinned");
    let mut chart = quiet("wish-pinned", "1.9.28");
    for (value, repository) in [
        ("jobsManager", "jobs-manager"),
        ("requestsProxy", "jobs-manager"),
        ("podsMonitor", "pods-monitor"),
        ("resourceMonitor", "resource-monitor"),
    ] {
        let place = format!("{}/tracebloc/{repository}", tenant.namespace());
        let digest = tenant.bed().registry().digest(&place, "prod").unwrap();
        chart = chart.set(format!("images.{value}.digest={}", digest.unwrap()));
    }
    install(&tenant, &chart);
    for repository in ["jobs-manager", "pods-monitor", "resource-monitor"] {
        let repository = format!("tracebloc/{repository}");
        tenant.move_tag(&repository, "prod", "two").unwrap();
    }
    let idle = plan(&refresh(&tenant, &[]), 0);
    assert_eq!(steps(&idle), [], "{idle:#}");
    for image in ["jobs-manager", "pods-monitor", "resource-monitor"] {
        assert_eq!(decision(&idle, image), "pinned", "{idle:#}");
    }
    let told = run(&tenant, &["refresh"]);
    assert_eq!(told.code, Some(0), "{told}");
    assert!(told.stdout.contains("Nothing to do."), "{told}");
}

#[test]
fn what_the_values_exempt_is_left() {
    let tenant = tenant("wish-exempt");
    let chart = quiet("wish-exempt", "1.4.4").set("images.ingestor.autoRefresh=false");
    install(&tenant, &chart);
    // What the chart's own refresh set before it was told to leave it.
    let set = format!("INGESTOR_IMAGE_DIGEST=sha256:{}", "1".repeat(64));
    let main = "deployment/wish-exempt-jobs-manager";
    kubectl(&tenant, &["set", "env", main, "--containers=api", &set]);
    tenant.wait_ready().unwrap();
    let left = plan(&refresh(&tenant, &[]), 0);
    assert_eq!(decision(&left, "ingestor"), "opted-out", "{left:#}");
}

#[test]
fn helm_four_upgrades_after_an_undo_and_after_a_way_back() {
    let name = "wish-helm";
    let tenant = tenant(name);
    let chart = quiet(name, "1.9.40").by(Helm::Four);
    install(&tenant, &chart);
    recorded(&tenant);
    let good = running(&tenant, "api");
    let upgrade = |value: &str| {
        let upgraded = tenant.upgrade(&chart.clone().set(value)).unwrap();
        assert!(upgraded.is_success(), "{value}: {upgraded}");
        tenant.wait_ready().unwrap();
    };
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    plan(&refresh(&tenant, &[]), 0);
    plan(&refresh(&tenant, &["--rollback"]), 0);
    assert_eq!(running(&tenant, "api"), good);
    upgrade("env.LOG_LEVEL=debug");
    break_tag(&tenant, "tracebloc/jobs-manager");
    let failed = plan(&refresh(&tenant, &["--clear-flap", "--timeout", "5s"]), 1);
    let is_failed = |step: &(&str, &str, &str)| step.2 == "failed";
    assert!(steps(&failed).iter().any(is_failed), "{failed:#}");
    tenant.publish_all("prod", "one").unwrap();
    upgrade("env.LOG_LEVEL=info");
    let live: Value = object(&tenant, "deployment", &format!("{name}-jobs-manager"));
    let owners = live["metadata"]["managedFields"].to_string();
    assert!(owners.contains("\"helm\""), "{owners}");
}
