//! `refresh` on a real node: containerd pulls, the kubelet says what is ready, and what crashes really crashes.

use tracebloc_bed::image::Image;

use crate::outdated_node::{release, tenant};
use crate::refresh::{annotation, plan, recorded, refresh, running};
use crate::support::install;

#[test]
fn content_that_really_crashes_is_brought_back_to_pods_that_really_run() {
    let name = "node-undo";
    let Some(tenant) = tenant(name) else {
        return;
    };
    // This chart has no probes: its pods are ready as soon as they run.
    // What it says before it crashes holds a word that the values keep.
    install(
        &tenant,
        &release(name, "1.9.28").set("clientPassword=crashing"),
    );
    recorded(&tenant);
    let good = running(&tenant, "api");
    let bad = Image::new("crashes").crashing_after("2s");
    tenant
        .publish("tracebloc/jobs-manager", "prod", &bad)
        .unwrap();
    let output = refresh(&tenant, &["--min-ready", "5s", "--timeout", "15s"]);
    plan(&output, 1);
    assert!(output.stderr.contains("it was undone"), "{output}");
    assert!(output.stderr.contains("payload: (hidden)"), "{output}");
    assert!(!output.stderr.contains("crashing"), "{output}");
    tenant.wait_ready().unwrap();
    assert_eq!(running(&tenant, "api"), good);
    for pod in tenant.pods().unwrap() {
        for status in pod["status"]["containerStatuses"].as_array().unwrap() {
            let is_going = pod["metadata"].get("deletionTimestamp").is_some();
            assert!(
                is_going || status["state"]["running"].is_object(),
                "{pod:#}"
            );
        }
    }
    let main = format!("{name}-jobs-manager");
    let record = || annotation(&tenant, &main, "last-refreshed-jobs-manager-digest");
    assert_eq!(record().as_ref(), good.first());
    // Once something else is published it is pulled and runs.
    let fixed = tenant.move_tag("tracebloc/jobs-manager", "prod", "fixed");
    let fixed = fixed.unwrap().digest;
    plan(&refresh(&tenant, &["--clear-flap", "--min-ready", "3s"]), 0);
    assert_eq!(running(&tenant, "api"), std::slice::from_ref(&fixed));
    assert_eq!(running(&tenant, "proxy"), std::slice::from_ref(&fixed));
    assert_eq!(record(), Some(fixed));
}
