//! The whole chart on a real node: what containerd and the kubelet report is what is compared, nothing plays their part.

use serde_json::Value;
use tracebloc_bed::image::{Image, Platform};
use tracebloc_bed::{Helm, Install, Tenant};

use crate::support::{bed, finding, image, install, outdated, paste};

/// A tenant on the real node; nothing where this machine has none and need not.
pub(crate) fn tenant(name: &str) -> Option<Tenant<'static>> {
    let tenant = bed().tenant_on_real_node(name).unwrap()?;
    tenant.publish_all("prod", "one").unwrap();
    Some(tenant)
}

/// A release without the resource monitor, whose daemon set wants every node of the bed.
pub(crate) fn release<'a>(name: &'a str, version: &'a str) -> Install<'a> {
    Install::client(name, version).set("resourceMonitor=false")
}

/// What the one running pod of an image runs.
fn running<'a>(report: &'a Value, name: &str) -> &'a Value {
    let running = image(report, name)["digest"]["running"].as_array().unwrap();
    assert_eq!(running.len(), 1, "{running:#?}");
    &running[0]
}

#[test]
fn a_tag_moved_under_real_pods_is_behind_until_the_advice_is_followed() {
    let Some(tenant) = tenant("node-moved") else {
        return;
    };
    install(&tenant, &release("node-moved", "1.9.28"));
    let before = outdated(&tenant, &["--only", "digest"]);
    for image in before["releases"][0]["images"].as_array().unwrap() {
        let state = image["state"].as_str().unwrap();
        assert!(matches!(state, "current" | "idle"), "{image:#}");
    }
    let moved = tenant
        .move_tag("tracebloc/pods-monitor", "prod", "two")
        .unwrap();
    let report = outdated(&tenant, &["--only", "digest"]);
    assert_eq!(image(&report, "pods-monitor")["state"], "behind");
    for line in finding(&report, "digest-behind")["advice"]
        .as_array()
        .unwrap()
    {
        paste(&tenant, line.as_str().unwrap(), Helm::Four)
            .success()
            .unwrap();
    }
    tenant.wait_ready().unwrap();
    let report = outdated(&tenant, &["--only", "digest"]);
    assert_eq!(image(&report, "pods-monitor")["state"], "current");
    let running = running(&report, "pods-monitor");
    assert_eq!(running["digest"], moved.digest.as_str());
}

#[test]
fn an_index_pushed_again_around_the_same_content_leaves_real_pods_current() {
    let Some(tenant) = tenant("node-again") else {
        return;
    };
    install(&tenant, &release("node-again", "1.9.28"));
    let again = Image::new("tracebloc/pods-monitor one").index_annotation("build", "2");
    let moved = tenant
        .publish("tracebloc/pods-monitor", "prod", &again)
        .unwrap();
    let report = outdated(&tenant, &["--only", "digest"]);
    let image = image(&report, "pods-monitor");
    assert_eq!(image["digest"]["published"], moved.digest.as_str());
    assert_ne!(
        running(&report, "pods-monitor")["digest"],
        moved.digest.as_str()
    );
    assert_eq!(image["state"], "current", "{image:#}");
}

#[test]
fn a_real_pod_of_one_platforms_manifest_is_current_as_long_as_the_index_holds_it() {
    let Some(tenant) = tenant("node-child") else {
        return;
    };
    let published = tenant
        .publish(
            "tracebloc/pods-monitor",
            "prod",
            &Image::new("tracebloc/pods-monitor one"),
        )
        .unwrap();
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => panic!("the bed has no images for {other}"),
    };
    let child = &published.children[&Platform::linux(architecture)].manifest;
    install(
        &tenant,
        &release("node-child", "1.9.28").set(format!("images.podsMonitor.digest={child}")),
    );
    let report = outdated(&tenant, &["--only", "digest"]);
    let running = running(&report, "pods-monitor");
    assert_eq!(running["digest"], child.as_str());
    assert_eq!(running["kind"], "manifest");
    assert_eq!(image(&report, "pods-monitor")["state"], "current");
    tenant
        .move_tag("tracebloc/pods-monitor", "prod", "two")
        .unwrap();
    let report = outdated(&tenant, &["--only", "digest"]);
    let image = image(&report, "pods-monitor");
    assert_eq!(image["state"], "behind", "{image:#}");
    assert_eq!(image["flags"], serde_json::json!(["pinned"]));
}
