//! Image drift: newer version tags, within the way in which the tag in force is written.

use serde_json::json;
use tracebloc_bed::image::Image;
use tracebloc_bed::proxy::{Fault, Rule};
use tracebloc_bed::{Helm, Install, Tenant};

use crate::support::{
    behind_a_proxy, codes, finding, image, install, outdated, paste, run, tenant,
};

/// Publishes newer versions of the sample images, some of them of other families.
fn publish_newer(tenant: &Tenant<'_>) {
    for (repository, tag) in [
        ("busybox", "1.36"),
        ("busybox", "1.36.1"),
        ("busybox", "1.37-musl"),
        ("busybox", "latest"),
        ("busybox", "20240606"),
        ("ubuntu/squid", "6.9-24.04_beta"),
        ("ubuntu/squid", "6.10-24.10_edge"),
    ] {
        let image = Image::new(format!("{repository} {tag}"));
        tenant.publish(repository, tag, &image).unwrap();
    }
}

#[test]
fn a_tag_that_the_chart_chooses_is_told_and_does_not_count() {
    let tenant = tenant("image-default");
    install(&tenant, &Install::client("image-default", "1.9.28"));
    publish_newer(&tenant);
    let report = outdated(&tenant, &["--only", "image"]);
    let names: Vec<&str> = report["releases"][0]["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| image["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"busybox"), "{names:?}");
    assert!(
        !names.contains(&"jobs-manager"),
        "a channel is no version: {names:?}"
    );
    let busybox = image(&report, "busybox");
    assert_eq!(
        busybox["version"],
        json!({"current": "1.35", "latest": "1.36", "change": "minor"})
    );
    assert_eq!(busybox["state"], "behind");
    let squid = image(&report, "egress-proxy");
    assert_eq!(
        squid["version"],
        json!({"current": "6.6-24.04_beta", "latest": "6.9-24.04_beta", "change": "minor"})
    );
    let idle = image(&report, "auto-upgrade");
    assert_eq!(idle["state"], "idle");
    assert_eq!(
        idle["version"],
        json!({"current": "3.16.4", "change": "none"}),
        "nothing runs, nothing is asked"
    );
    let behind = finding(&report, "image-behind");
    assert_eq!(behind["severity"], "info");
    assert!(
        behind["message"]
            .as_str()
            .unwrap()
            .contains("the chart chooses the tag"),
        "{behind:#}"
    );
    assert_eq!(report["summary"]["imagesBehind"], 0);
    let output = run(&tenant, &["outdated", "--only", "image", "--exit-code"]);
    assert_eq!(output.code, Some(0), "{output}");
    assert!(output.stdout.contains("1.36 is published"), "{output}");
    // Beside the other kinds of drift the state is that of the content.
    let report = outdated(&tenant, &[]);
    let busybox = image(&report, "busybox");
    assert_eq!(
        (&busybox["state"], &busybox["version"]["latest"]),
        (&json!("current"), &json!("1.36"))
    );
}

#[test]
fn a_tag_that_the_values_choose_counts_and_its_advice_moves_it() {
    let tenant = tenant("image-value");
    let own = Install::client("image-value", "1.9.28").set("images.busybox.tag=1.35");
    install(&tenant, &own);
    publish_newer(&tenant);
    let output = run(&tenant, &["outdated", "--only", "image", "--exit-code"]);
    assert_eq!(output.code, Some(10), "{output}");
    assert!(output.stdout.contains("pod, 1.36 is published"), "{output}");
    let report = outdated(&tenant, &[]);
    assert_eq!(report["summary"]["imagesBehind"], 1);
    let behind = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| {
            finding["code"] == "image-behind" && finding["subject"]["image"] == "busybox"
        })
        .unwrap();
    assert_eq!(behind["severity"], "warning");
    let advice = behind["advice"].as_array().unwrap();
    assert_eq!(advice.len(), 1, "{advice:?}");
    let line = advice[0].as_str().unwrap();
    assert!(line.contains("--image busybox --tag 1.36"), "{line}");
    paste(&tenant, line, Helm::Four).success().unwrap();
    tenant.wait_ready().unwrap();
    let report = outdated(&tenant, &[]);
    let busybox = image(&report, "busybox");
    assert_eq!(
        busybox["version"],
        json!({"current": "1.36", "latest": "1.36", "change": "none"})
    );
    assert_eq!(report["summary"]["imagesBehind"], 0);
}

#[test]
fn tags_that_cannot_be_listed_are_unknown_and_the_content_is_judged() {
    let (tenant, proxy) = behind_a_proxy("image-unlisted");
    proxy.break_with(Rule::new("/tags/list", Fault::status(403)));
    let report = outdated(&tenant, &["--only", "image,digest"]);
    let busybox = image(&report, "busybox");
    assert_eq!(busybox["state"], "current");
    assert_eq!(busybox["version"]["unknown"]["reason"], "forbidden");
    assert_eq!(busybox["version"].get("latest"), None);
    assert!(codes(&report).contains(&"image-unknown"), "{report:#}");
    assert_eq!(report["summary"]["unknown"], 0, "the chart chooses the tag");
    proxy.heal();
    proxy.log().clear();
    outdated(&tenant, &["--only", "digest"]);
    let lists = proxy.log().matching(&http::Method::GET, "/tags/list");
    assert_eq!(lists.len(), 0, "what is not asked for is not fetched");
}
