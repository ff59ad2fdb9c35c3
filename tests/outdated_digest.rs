//! Digest drift: what pods run against what their tags point to.

use serde_json::{Value, json};
use tracebloc_bed::image::{Image, Platform};
use tracebloc_bed::{Install, Tenant};

use crate::support::{codes, finding, image, install, installed, outdated, tenant};

/// Pretends that the pods of a workload run this content: what a kubelet reports is a field of the pod's status.
fn runs(tenant: &Tenant<'_>, pod_prefix: &str, container: &str, image_id: &str) {
    let api = tenant.bed().cluster().api();
    for pod in tenant.pods().unwrap() {
        let name = pod["metadata"]["name"].as_str().unwrap();
        if !name.starts_with(pod_prefix) {
            continue;
        }
        let mut statuses = pod["status"]["containerStatuses"].clone();
        for status in statuses.as_array_mut().unwrap() {
            if status["name"] == container {
                status["imageID"] = json!(image_id);
            }
        }
        let path = format!(
            "/api/v1/namespaces/{}/pods/{name}/status",
            tenant.namespace()
        );
        let change = json!({"status": {"containerStatuses": statuses}});
        api.patch(&path, tracebloc_bed::api::Patch::Merge, &change)
            .unwrap();
    }
}

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
fn platform_children_of_the_index_are_the_same_content() {
    let tenant = installed("digest-child", "1.9.28");
    let published = tenant
        .move_tag("tracebloc/pods-monitor", "prod", "two")
        .unwrap();
    let amd64 = &published.children[&Platform::linux("amd64")];
    let arm64 = &published.children[&Platform::linux("arm64")];
    let repository = format!("{}/tracebloc/pods-monitor", tenant.registry_path());
    let state = |image_id: &str| {
        runs(
            &tenant,
            "digest-child-jobs-manager",
            "pods-monitor-container",
            image_id,
        );
        let report = outdated(&tenant, &["--only", "digest"]);
        image(&report, "pods-monitor")["state"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        state(&format!("{repository}@{}", amd64.manifest)),
        "current"
    );
    assert_eq!(
        state(&format!(
            "docker-pullable://{repository}@{}",
            published.digest
        )),
        "current"
    );
    assert_eq!(
        state(&amd64.config),
        "current",
        "a configuration digest, as images loaded from an archive have"
    );
    assert_eq!(
        state(&format!("{repository}@{}", arm64.manifest)),
        "behind",
        "another platform's image"
    );
    assert_eq!(
        state(&format!("{repository}@sha256:{}", "0".repeat(64))),
        "behind",
        "gone from the registry"
    );
}

#[test]
fn a_re_pushed_index_with_the_same_image_is_current() {
    let tenant = installed("digest-index", "1.9.28");
    let image_of = |annotation: &str| {
        Image::new("tracebloc/pods-monitor one").index_annotation("build", annotation)
    };
    let again = tenant
        .publish("tracebloc/pods-monitor", "prod", &image_of("2"))
        .unwrap();
    let report = outdated(&tenant, &["--only", "digest"]);
    let image = image(&report, "pods-monitor");
    assert_eq!(image["digest"]["published"], again.digest.as_str());
    assert_ne!(
        image["digest"]["running"][0]["digest"],
        again.digest.as_str()
    );
    assert_eq!(image["state"], "current", "{image:#}");
}

#[test]
fn pods_that_could_not_pull_are_unknown_and_never_current() {
    let tenant = tenant("digest-pull");
    let registry = tenant.bed().registry();
    install(&tenant, &Install::client("digest-pull", "1.9.28"));
    let digest = registry
        .digest(
            &format!("{}/tracebloc/pods-monitor", tenant.namespace()),
            "prod",
        )
        .unwrap()
        .unwrap();
    registry
        .delete_manifest(
            &format!("{}/tracebloc/pods-monitor", tenant.namespace()),
            &digest,
        )
        .unwrap();
    tenant
        .kubectl(&["delete", "pods", "--all", "--wait=true"])
        .unwrap()
        .success()
        .unwrap();
    let waits = || {
        let pods = tenant.pods().unwrap();
        pods.iter().any(|pod| {
            pod["status"]["containerStatuses"]
                .to_string()
                .contains("ImagePull")
                || pod["status"]["containerStatuses"]
                    .to_string()
                    .contains("ErrImagePull")
        })
    };
    tracebloc_bed::wait_until(
        std::time::Duration::from_secs(60),
        "a pod cannot pull",
        || {
            Ok(if waits() {
                Ok(())
            } else {
                Err("no such pod".to_owned())
            })
        },
    )
    .unwrap();
    let report = outdated(&tenant, &["--only", "digest"]);
    let image = image(&report, "pods-monitor");
    assert_eq!(image["state"], "unknown", "{image:#}");
    assert!(
        image["unknown"]["message"]
            .as_str()
            .unwrap()
            .contains("Pull"),
        "{image:#}"
    );
    assert!(codes(&report).contains(&"digest-unknown"));
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
fn a_record_that_lies_is_said() {
    let tenant = installed("digest-lies", "1.9.40");
    let moved = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let record = format!(
        "tracebloc.io/last-refreshed-jobs-manager-digest={}",
        moved.digest
    );
    tenant
        .kubectl(&["annotate", "deployment/digest-lies-jobs-manager", &record])
        .unwrap()
        .success()
        .unwrap();
    let report = outdated(&tenant, &["--only", "digest"]);
    let image = image(&report, "jobs-manager");
    assert_eq!(image["digest"]["recorded"], moved.digest.as_str());
    assert_eq!(image["state"], "behind");
    assert!(codes(&report).contains(&"record-lies"), "{report:#}");
}

#[test]
fn a_pinned_image_is_told_and_does_not_count_as_behind() {
    let tenant = tenant("digest-pinned");
    let registry = tenant.bed().registry();
    let digest = registry
        .digest(
            &format!("{}/tracebloc/jobs-manager", tenant.namespace()),
            "prod",
        )
        .unwrap()
        .unwrap();
    let pinned = Install::client("digest-pinned", "1.9.40")
        .set(format!("images.jobsManager.digest={digest}"));
    install(&tenant, &pinned);
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let report = outdated(&tenant, &["--only", "digest"]);
    let image = image(&report, "jobs-manager");
    assert_eq!(image["digest"]["pinned"], digest.as_str(), "{image:#}");
    assert_eq!(image["state"], "behind");
    assert!(
        image["flags"]
            .as_array()
            .unwrap()
            .contains(&json!("pinned")),
        "{image:#}"
    );
    assert!(codes(&report).contains(&"digest-pinned"));
    assert_eq!(report["summary"]["digestsBehind"], 0);
}

#[test]
fn nothing_is_asked_of_what_does_not_run() {
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
