//! Charts in registries.

use std::time::{Duration, Instant};

use tracebloc_bed::chart::Chart;
use tracebloc_bed::proxy::{Fault, Proxy, Rule};
use tracebloc_bed::repository::push_oci;
use tracebloc_bed::{Helm, Install, Tenant};

use crate::outdated_repositories::{CHART, chart, client};
use crate::support::{
    codes, codes_beside_advisories, finding, install, installed, outdated, paste, tenant,
};

/// Pushes `client` in that version below the tenant's path, and returns the chart's address.
pub(crate) fn push(tenant: &Tenant<'_>, version: &str, more: &str) -> String {
    let registry = tenant.bed().registry();
    let prefix = format!("{}/charts", tenant.namespace());
    push_oci(registry, &prefix, &client(tenant, version, more)).unwrap();
    format!("oci://{}/{prefix}", registry.host())
}

#[test]
fn a_registry_is_read_from_the_newest_version_down() {
    let tenant = installed("repos-oci", "1.9.28");
    let registry = tenant.bed().registry();
    for version in ["1.9.28", "1.9.40", "1.9.51"] {
        push(&tenant, version, "");
    }
    push(&tenant, "1.9.52+build.7", "");
    push(&tenant, "1.9.60", "deprecated: true\n");
    push(&tenant, "1.9.61-rc.1", "");
    let address = push(&tenant, "2.0.0", "kubeVersion: '>=1.99.0-0'\n");
    // Other things that lie in a registry.
    let repository = format!("{}/charts/client", tenant.namespace());
    let digest = registry.digest(&repository, "1.9.40").unwrap().unwrap();
    for tag in ["latest", "v9.9.9", "sha256-0123.sig"] {
        registry.move_tag(&repository, tag, &digest).unwrap();
    }
    let image = tracebloc_bed::image::Image::new("no chart");
    tenant.publish("charts/client", "3.0.0", &image).unwrap();
    // With the chart's name and without.
    for address in [&address, &format!("{address}/client/")] {
        let report = outdated(&tenant, &["--only", "chart", "--repo", address]);
        let chart = chart(&report);
        assert_eq!(chart["latest"], "1.9.52+build.7", "{chart:#}");
        assert_eq!(chart["versionsBehind"], 3, "{chart:#}");
        let skipped: Vec<&str> = chart["skipped"]
            .as_array()
            .unwrap()
            .iter()
            .map(|skipped| skipped["version"].as_str().unwrap())
            .collect();
        assert_eq!(skipped, ["2.0.0", "1.9.61-rc.1", "1.9.60"], "{chart:#}");
    }
    let with_prereleases = ["--only", "chart", "--devel", "--repo", &address];
    assert_eq!(
        chart(&outdated(&tenant, &with_prereleases))["latest"],
        "1.9.61-rc.1"
    );
}

#[test]
fn a_release_that_names_a_registry_is_held_against_it_and_the_advice_works() {
    let tenant = tenant("repos-oci-own");
    let registry = tenant.bed().registry();
    let address = format!("oci://{}/{}/charts", registry.host(), tenant.namespace());
    let release = Install::client("repos-oci-own", "1.9.40");
    install(
        &tenant,
        &release.set(format!("autoUpgrade.repoUrl={address}")),
    );
    let sample = Chart::sample("client-1.9.51", &tenant.registry_path()).unwrap();
    push_oci(registry, &format!("{}/charts", tenant.namespace()), &sample).unwrap();
    let report = outdated(&tenant, &CHART);
    assert_eq!(chart(&report)["latest"], "1.9.51", "{report:#}");
    for line in finding(&report, "chart-behind")["advice"]
        .as_array()
        .unwrap()
    {
        let line = line.as_str().unwrap();
        assert!(line.contains("--plain-http"), "{line}");
        paste(&tenant, line, Helm::Four).success().unwrap();
    }
    assert_eq!(chart(&outdated(&tenant, &CHART))["state"], "current");
}

#[test]
fn a_registry_without_the_chart_is_unknown() {
    let tenant = installed("repos-oci-absent", "1.9.40");
    let address = format!("oci://{}/nowhere", tenant.bed().registry().host());
    let report = outdated(&tenant, &["--only", "chart", "--repo", &address]);
    assert_eq!(chart(&report)["state"], "unknown", "{report:#}");
    assert_eq!(chart(&report)["unknown"]["reason"], "not-found");
    // Nor is a version that cannot be read passed over: it may be the newest that fits.
    push(&tenant, "1.9.60", "");
    let registry = format!("http://{}", tenant.bed().registry().host());
    let proxy = Proxy::before(&registry).unwrap();
    let address = format!("oci://{}/{}/charts", proxy.host(), tenant.namespace());
    let ask = || {
        outdated(
            &tenant,
            &["--only", "chart", "--no-cache", "--repo", &address],
        )
    };
    assert_eq!(chart(&ask())["latest"], "1.9.60");
    proxy.break_with(Rule::new("/charts/client/blobs/", Fault::status(403)));
    let report = ask();
    assert_eq!(chart(&report)["state"], "unknown", "{report:#}");
    assert_eq!(chart(&report)["unknown"]["reason"], "forbidden");
}

#[test]
fn a_tag_that_moves_in_a_registry_is_told() {
    let tenant = installed("repos-moved", "1.9.28");
    let address = push(&tenant, "1.9.51", "");
    let ask = || outdated(&tenant, &["--only", "chart", "--repo", &address]);
    assert_eq!(
        codes_beside_advisories(&ask()),
        ["chart-behind", "chart-version-unlisted"]
    );
    push(&tenant, "1.9.51", "description: other content\n");
    assert!(codes(&ask()).contains(&"chart-republished"));
}

#[test]
fn a_registry_that_is_slow_is_not_waited_for() {
    let tenant = installed("oci-slow", "1.9.28");
    push(&tenant, "1.9.51", "");
    let registry = format!("http://{}", tenant.bed().registry().host());
    let proxy = Proxy::before(&registry).unwrap();
    let address = format!("oci://{}/{}/charts", proxy.host(), tenant.namespace());
    let slow = Fault::Latency(Duration::from_secs(60));
    proxy.break_with(Rule::new("/charts/client/manifests/", slow));
    let begun = Instant::now();
    let report = outdated(&tenant, &["--only", "chart", "--repo", &address]);
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(chart(&report)["state"], "unknown", "{report:#}");
    assert_eq!(chart(&report)["unknown"]["reason"], "timeout");
}
