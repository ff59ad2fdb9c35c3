//! Digest drift: what pods run against what their tags point to.

use serde_json::{Value, json};
use tracebloc_bed::Install;

use crate::support::{codes, finding, image, install, installed, outdated, tenant};

fn states(report: &Value) -> Vec<(&str, &str)> {
    report["releases"][0]["images"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|image| {
            (
                image["name"].as_str().unwrap(),
                image["state"].as_str().unwrap(),
            )
        })
        .collect()
}

#[test]
fn a_moved_tag_is_behind_until_the_pods_are_restarted() {
    let tenant = installed("digest-moved", "1.9.28");
    let before = outdated(&tenant, &["--only", "digest"]);
    assert!(
        states(&before)
            .iter()
            .all(|(_, state)| matches!(*state, "current" | "idle")),
        "{before:#}"
    );
    assert_eq!(codes(&before), Vec::<&str>::new());
    let moved = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let report = outdated(&tenant, &["--only", "digest"]);
    let image = image(&report, "jobs-manager");
    assert_eq!(image["state"], "behind", "{image:#}");
    assert_eq!(image["digest"]["published"], moved.digest.as_str());
    assert_eq!(
        (&image["pods"], &image["podsBehind"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(
        image["references"].as_array().unwrap().len(),
        2,
        "api and proxy share it"
    );
    assert_eq!(
        finding(&report, "digest-behind")["message"],
        "2 of 2 pods run old content of jobs-manager:prod"
    );
    assert_eq!(report["summary"]["digestsBehind"], 1);
    for workload in [
        "deployment/digest-moved-jobs-manager",
        "deployment/digest-moved-requests-proxy",
    ] {
        tenant
            .kubectl(&["rollout", "restart", workload])
            .unwrap()
            .success()
            .unwrap();
    }
    tenant.wait_ready().unwrap();
    let after = outdated(&tenant, &["--only", "digest"]);
    assert_eq!(
        crate::support::image(&after, "jobs-manager")["state"],
        "current",
        "{after:#}"
    );
}

#[test]
fn one_head_is_sent_for_each_tag_and_nothing_more_while_nothing_moved() {
    let tenant = tenant("digest-heads");
    let registry = format!("http://{}", tenant.bed().registry().host());
    let proxy = tracebloc_bed::proxy::Proxy::before(&registry).unwrap();
    let mirror = format!(
        "global.imageRegistry={}/{}",
        proxy.host(),
        tenant.namespace()
    );
    install(
        &tenant,
        &Install::client("digest-heads", "1.9.28").set(mirror),
    );
    proxy.log().clear();
    let report = outdated(&tenant, &["--only", "digest"]);
    assert_eq!(
        image(&report, "jobs-manager")["state"],
        "current",
        "{report:#}"
    );
    let mut asked: Vec<(String, String)> = proxy
        .log()
        .all()
        .iter()
        .map(|request| (request.method.to_string(), request.path.clone()))
        .collect();
    asked.sort();
    let of = |repository: &str, tag: &str| {
        (
            "HEAD".to_owned(),
            format!("/v2/{}/{repository}/manifests/{tag}", tenant.namespace()),
        )
    };
    let mut expected = vec![
        of("busybox", "1.35"),
        of("tracebloc/jobs-manager", "prod"),
        of("tracebloc/mysql-client", "prod"),
        of("tracebloc/pods-monitor", "prod"),
        of("tracebloc/resource-monitor", "prod"),
        of("ubuntu/squid", "6.6-24.04_beta"),
    ];
    expected.sort();
    assert_eq!(
        asked, expected,
        "CronJobs run nothing, so that their images are not asked for"
    );
}

#[test]
fn replicas_that_differ_are_skewed() {
    let tenant = installed("digest-skew", "1.9.28");
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    tenant
        .kubectl(&[
            "rollout",
            "restart",
            "deployment/digest-skew-requests-proxy",
        ])
        .unwrap()
        .success()
        .unwrap();
    tenant.wait_ready().unwrap();
    let report = outdated(&tenant, &["--only", "digest"]);
    let image = image(&report, "jobs-manager");
    assert_eq!(image["state"], "behind", "{image:#}");
    assert_eq!(image["flags"], json!(["skewed"]));
    assert_eq!(
        (&image["pods"], &image["podsBehind"]),
        (&json!(2), &json!(1))
    );
    assert!(codes(&report).contains(&"digest-skewed"));
}

#[test]
fn nothing_is_asked_of_what_does_not_run_unless_all_images_are_wanted() {
    let tenant = installed("digest-idle", "1.9.28");
    tenant
        .kubectl(&["scale", "deployment/mysql-client", "--replicas=0"])
        .unwrap()
        .success()
        .unwrap();
    tracebloc_bed::wait_until(std::time::Duration::from_secs(60), "mysql is gone", || {
        let left = tenant
            .pods()
            .unwrap()
            .iter()
            .filter(|pod| pod["metadata"]["name"].to_string().contains("mysql"))
            .count();
        Ok(if left == 0 {
            Ok(())
        } else {
            Err(format!("{left} pods"))
        })
    })
    .unwrap();
    let report = outdated(&tenant, &["--only", "digest"]);
    let image = image(&report, "mysql-client");
    assert_eq!(image["state"], "idle");
    assert_eq!(image["digest"].get("published"), None, "{image:#}");

    let report = outdated(&tenant, &["--all-images"]);
    let image = crate::support::image(&report, "mysql-client");
    assert_eq!(image["state"], "idle", "{image:#}");
    assert!(image["digest"]["published"].is_string(), "{image:#}");
    let repository = format!("{}/tracebloc/mysql-client", tenant.namespace());
    let digest = image["digest"]["published"].as_str().unwrap();
    tenant
        .bed()
        .registry()
        .delete_manifest(&repository, digest)
        .unwrap();
    let report = outdated(&tenant, &["--all-images"]);
    let image = crate::support::image(&report, "mysql-client");
    assert_eq!(image["state"], "idle", "it still runs nothing: {image:#}");
    assert_eq!(image["unknown"]["reason"], "not-found", "{image:#}");
}

#[test]
fn other_tenants_and_foreign_pods_are_not_counted() {
    let tenant = installed("digest-foreign", "1.9.28");
    let foreign = format!("{}/tracebloc/jobs-manager:prod", tenant.registry_path());
    tenant
        .kubectl(&["run", "stranger", "--image", &foreign])
        .unwrap()
        .success()
        .unwrap();
    let report = outdated(&tenant, &["--only", "digest"]);
    assert_eq!(image(&report, "jobs-manager")["pods"], 2, "{report:#}");
}
