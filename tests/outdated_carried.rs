//! Images that an environment carries for others to run: the ingestor, which the jobs manager starts.

use serde_json::{Value, json};
use tracebloc_bed::{Helm, Install, Tenant};

use crate::support::{codes, finding, image, install, outdated, paste, status, tenant};

/// The digest that the registry has under a tag of the tenant's ingestor.
fn ingestor(tenant: &Tenant<'_>, tag: &str, content: &str) -> String {
    tenant
        .move_tag("tracebloc/ingestor", tag, content)
        .unwrap()
        .digest
}

#[test]
fn a_pinned_ingestor_is_compared_with_the_tag_that_it_stands_for() {
    let tenant = tenant("carried-pin");
    let old = ingestor(&tenant, "0.7", "one");
    let release = Install::client("carried-pin", "1.9.28")
        .set(format!("images.ingestor.digest={old}"))
        .set("images.ingestor.channelTags.prod=0.7");
    install(&tenant, &release);
    let report = outdated(&tenant, &["--only", "digest"]);
    let carried = image(&report, "ingestor");
    assert_eq!(
        (&carried["state"], &carried["source"], &carried["tag"]),
        (&json!("current"), &json!("env"), &json!("0.7")),
        "{carried:#}"
    );
    assert_eq!(carried["digest"]["carried"], old.as_str());
    assert_eq!(carried["flags"], json!(["pinned"]));
    let container = &carried["references"][0]["workload"];
    assert_eq!(container["container"], "api", "{carried:#}");

    ingestor(&tenant, "0.7", "two");
    let report = outdated(&tenant, &["--only", "digest"]);
    assert_eq!(image(&report, "ingestor")["state"], "behind");
    assert_eq!(report["summary"]["digestsBehind"], 0, "a pin is a choice");
    let told = finding(&report, "digest-pinned")["message"].as_str();
    assert!(told.unwrap().contains("in the environment of"), "{told:?}");
}

#[test]
fn what_is_held_on_purpose_is_not_even_asked_about() {
    let tenant = tenant("carried-held");
    let old = ingestor(&tenant, "0.8", "one");
    let release = Install::client("carried-held", "1.9.51")
        .set(format!("images.ingestor.prodDigest={old}"))
        .set("images.ingestor.channelTags.prod=0.8");
    install(&tenant, &release);
    let published = ingestor(&tenant, "0.8", "two");
    let report = outdated(&tenant, &[]);
    let held = image(&report, "ingestor");
    assert_eq!(held["state"], "idle", "{held:#}");
    assert_eq!(held["flags"], json!(["pinned", "held"]));
    assert_eq!(held["digest"].get("published"), None, "{held:#}");

    let report = outdated(&tenant, &["--all-images"]);
    let held = image(&report, "ingestor");
    assert_eq!(held["state"], "behind", "{held:#}");
    assert_eq!(held["digest"]["published"], published.as_str());
    assert!(!codes(&report).contains(&"digest-pinned"), "{report:#}");
    assert!(codes(&report).contains(&"pin-held"), "{report:#}");
    assert_eq!(report["summary"]["digestsBehind"], 0);
}

#[test]
fn the_refresh_of_old_charts_is_helped_along_by_the_advice() {
    let tenant = tenant("carried-refresh");
    let old = ingestor(&tenant, "0.3", "one");
    install(&tenant, &Install::client("carried-refresh", "1.4.4"));
    let name = "deployment/carried-refresh-jobs-manager";
    let set = format!("INGESTOR_IMAGE_DIGEST={old}");
    let refresh = ["set", "env", name, "--containers", "api", &set];
    tenant.kubectl(&refresh).unwrap().success().unwrap();
    tenant.wait_ready().unwrap();
    // Charts of that age name the public repository; here the tenant's stands in for it.
    let through = format!("--registry-mirror=ghcr.io={}", tenant.registry_path());
    let ask = || -> Value { outdated(&tenant, &[&through, "--only", "digest"]) };
    assert_eq!(image(&ask(), "ingestor")["state"], "current");
    let published = ingestor(&tenant, "0.3", "two");
    let report = ask();
    let behind = image(&report, "ingestor");
    assert_eq!(behind["state"], "behind", "{behind:#}");
    assert_eq!(behind["flags"], json!([]));
    let found = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["code"] == "digest-behind")
        .unwrap();
    let advice = found["advice"][0].as_str().unwrap();
    assert!(advice.starts_with("kubectl tracebloc refresh "), "{advice}");
    let whole = format!("{advice} {through}");
    paste(&tenant, &whole, Helm::Four).success().unwrap();
    let live = tenant.kubectl(&[
        "get",
        name,
        "-o",
        "jsonpath={.spec.template.spec.containers[*].env}",
    ]);
    assert!(live.unwrap().stdout.contains(&published));
    assert_eq!(image(&ask(), "ingestor")["state"], "current");

    let report = status(&tenant, &[&through]);
    let pins = report["pins"].as_array().unwrap();
    assert!(
        pins.iter().all(|pin| pin["image"] != "ingestor"),
        "{pins:#?}"
    );
}
