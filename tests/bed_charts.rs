//! The chart repository and the OCI charts of the bed, as the real Helm sees them.

use tracebloc_bed::chart::Chart;
use tracebloc_bed::repository::{ChartUrls, push_oci};
use tracebloc_bed::{Helm, Tenant};

/// The output of a Helm that succeeded, with repositories and caches of the tenant's own.
fn helm(tenant: &Tenant<'_>, helm: Helm, arguments: &[&str]) -> String {
    let cluster = tenant.bed().cluster();
    let home = format!("{}-{helm:?}", tenant.namespace());
    let mut command = cluster.command_with(cluster.tools().path(helm.tool()), &home, helm);
    command.args(arguments).current_dir(cluster.directory());
    let output = tracebloc_bed::Output::of(&mut command).unwrap();
    assert!(output.is_success(), "{output}");
    output.stdout
}

#[test]
fn helm_adds_searches_and_pulls() {
    let tenant = crate::support::bed().tenant("charts-http").unwrap();
    let repository = tenant.repository();
    repository.require_basic("reader", "secret");
    for major in [Helm::Three, Helm::Four] {
        for urls in [ChartUrls::Absolute, ChartUrls::Relative] {
            repository.chart_urls(urls);
            let credentials = ["--username", "reader", "--password", "secret"];
            let url = repository.url();
            let add = ["repo", "add", "bed", &url, "--force-update"];
            helm(&tenant, major, &[&add[..], &credentials].concat());
            let found = helm(
                &tenant,
                major,
                &["search", "repo", "bed/client", "-l", "-o", "json"],
            );
            assert!(found.contains("\"version\":\"1.9.51\""), "{found}");
            let directory = format!("{}-{major:?}", tenant.namespace());
            let pulled = tenant.bed().cluster().directory().join(&directory);
            std::fs::create_dir_all(&pulled).unwrap();
            let pull = [
                "pull",
                "bed/client",
                "--version",
                "1.9.40",
                "-d",
                &directory,
            ];
            helm(&tenant, major, &pull);
            let bytes = std::fs::read(pulled.join("client-1.9.40.tgz")).unwrap();
            let sample = Chart::sample("client-1.9.40", &tenant.registry_path()).unwrap();
            assert_eq!(bytes, sample.bytes);
        }
    }
}

#[test]
fn helm_reads_charts_of_a_registry() {
    let tenant = crate::support::bed().tenant("charts-oci").unwrap();
    let registry = tenant.bed().registry();
    let prefix = format!("{}/charts", tenant.namespace());
    let sample = Chart::sample("client-1.9.51", &tenant.registry_path()).unwrap();
    let digest = push_oci(registry, &prefix, &sample).unwrap();
    let built = sample.with_version("1.9.52+build.1").unwrap();
    push_oci(registry, &prefix, &built).unwrap();
    let address = format!("oci://{}/{prefix}/client", registry.host());
    for major in [Helm::Three, Helm::Four] {
        let show = ["show", "chart", &address, "--plain-http", "--version"];
        let shown = helm(&tenant, major, &[&show[..], &["1.9.51"]].concat());
        assert!(shown.contains("version: 1.9.51"), "{shown}");
        let newest = helm(&tenant, major, &[&show[..], &["^1"]].concat());
        assert!(newest.contains("1.9.52+build.1"), "{newest}");
        let pinned = format!("{address}@{digest}");
        let shown = helm(&tenant, major, &["show", "chart", &pinned, "--plain-http"]);
        assert!(shown.contains("version: 1.9.51"), "{shown}");
    }
}
