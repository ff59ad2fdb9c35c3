//! The mirror that a release's images come from, held against its source.

use tracebloc_bed::Tenant;
use tracebloc_bed::image::{Image, Platform};
use tracebloc_bed::proxy::{Fault, Proxy, Rule};

use crate::support::{behind_a_proxy, codes, finding, image, outdated, run};

const IMAGES: [&str; 6] = [
    "busybox:1.35",
    "tracebloc/jobs-manager:prod",
    "tracebloc/mysql-client:prod",
    "tracebloc/pods-monitor:prod",
    "tracebloc/resource-monitor:prod",
    "ubuntu/squid:6.6-24.04_beta",
];

/// Where the source of the tenant's mirror has an image.
fn at_source(tenant: &Tenant<'_>, repository: &str) -> String {
    format!("source-of-{}/{repository}", tenant.namespace())
}

/// A source of its own with the content of the mirror, reached through a proxy, and the flag that names it.
fn source(tenant: &Tenant<'_>) -> (Proxy, String) {
    let registry = tenant.bed().registry();
    for image in IMAGES {
        let (repository, tag) = image.split_once(':').unwrap();
        let content = Image::new(format!("{repository} one"));
        registry
            .publish(&at_source(tenant, repository), tag, &content)
            .unwrap();
    }
    let proxy = Proxy::before(&format!("http://{}", registry.host())).unwrap();
    let place = format!("{}/source-of-{}", proxy.host(), tenant.namespace());
    (proxy, format!("--compare-source={place}"))
}

#[test]
fn a_mirror_that_lags_behind_its_source_is_told_and_is_what_pods_are_compared_with() {
    let (tenant, _mirror) = behind_a_proxy("mirror-lags");
    let (source, flag) = source(&tenant);
    let arguments = ["--only", "digest", flag.as_str()];
    let report = outdated(&tenant, &arguments);
    assert_eq!(codes(&report), [""; 0], "{report:#}");
    let asked = source.log().all().len();
    assert_eq!(asked, IMAGES.len(), "one question for each image that runs");

    let moved = tenant
        .bed()
        .registry()
        .publish(
            &at_source(&tenant, "tracebloc/jobs-manager"),
            "prod",
            &Image::new("two"),
        )
        .unwrap();
    let report = outdated(&tenant, &arguments);
    assert_eq!(codes(&report), ["mirror-behind"], "{report:#}");
    let lag = finding(&report, "mirror-behind");
    assert_eq!(lag["severity"], "warning");
    assert_eq!(lag["subject"]["image"], "jobs-manager");
    assert!(
        lag["evidence"].to_string().contains(&moved.digest),
        "{lag:#}"
    );
    let image = image(&report, "jobs-manager");
    assert_eq!(
        image["state"], "current",
        "the mirror is what nodes pull: {image:#}"
    );
    assert_eq!(image["digest"]["source"]["digest"], moved.digest.as_str());
    assert_ne!(image["digest"]["published"], moved.digest.as_str());
    // Nobody is asked whom the flags do not name.
    source.log().clear();
    let report = outdated(&tenant, &["--only", "digest"]);
    assert_eq!(codes(&report), [""; 0]);
    assert!(source.log().all().is_empty());
}

#[test]
fn a_copy_of_one_platform_does_not_lag() {
    let (tenant, _mirror) = behind_a_proxy("mirror-partial");
    let (_source, flag) = source(&tenant);
    // As `docker pull` and `docker push` leave it: the image of one platform, without the index.
    let one = Image::new("tracebloc/pods-monitor one").single(Platform::linux("amd64"));
    tenant
        .publish("tracebloc/pods-monitor", "prod", &one)
        .unwrap();
    let report = outdated(&tenant, &["--only", "digest", &flag]);
    assert!(!codes(&report).contains(&"mirror-behind"), "{report:#}");
    assert!(
        !codes(&report).contains(&"mirror-unconfirmed"),
        "{report:#}"
    );
    let source = &image(&report, "pods-monitor")["digest"];
    assert_ne!(
        source["published"], source["source"]["digest"],
        "{source:#}"
    );
}

#[test]
fn a_source_that_does_not_answer_makes_nothing_else_unknown() {
    let (tenant, _mirror) = behind_a_proxy("mirror-alone");
    let (source, flag) = source(&tenant);
    source.break_with(Rule::new("/v2/", Fault::Reset));
    let arguments = ["--only", "digest", flag.as_str()];
    let report = outdated(&tenant, &arguments);
    assert_eq!(codes(&report), ["mirror-unconfirmed"; 6], "{report:#}");
    let told = finding(&report, "mirror-unconfirmed")["message"].to_string();
    assert!(told.contains(&source.host()), "{told}");
    assert_eq!(report["summary"]["unknown"], 0);
    let output = run(
        &tenant,
        &[&["outdated", "--exit-code"], &arguments[..]].concat(),
    );
    assert_eq!(output.code, Some(0), "{output}");
}

#[test]
fn what_is_no_source_is_refused() {
    let (tenant, _mirror) = behind_a_proxy("mirror-usage");
    let output = run(&tenant, &["outdated", "--compare-source=https://h.example"]);
    assert_eq!(output.code, Some(2), "{output}");
    assert!(output.stderr.contains("HOST[/PREFIX]"), "{output}");
}
