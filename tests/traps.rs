//! The traps: cases in which tools that look for drift are known to be wrong. Each is a test, or a row of a table, by its name.

use std::collections::BTreeMap;

use serde_json::json;
use tracebloc_bed::api::Patch;
use tracebloc_bed::chart::Chart;
use tracebloc_bed::image::{Image, Platform};
use tracebloc_bed::{Install, Tenant};

use crate::support::{codes, finding, image, install, installed, outdated, tenant};

/// Pretends that the pods of a workload run this content: what a kubelet reports is a field of the pod's status.
pub(crate) fn runs(tenant: &Tenant<'_>, pod_prefix: &str, container: &str, image_id: &str) {
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
        api.patch(&path, Patch::Merge, &change).unwrap();
    }
}

/// What a runtime reports, whatever the reference in the pod says. The tag was pushed three times: `first` is gone from it for long, `old` until
/// just now, `new` is what it points to.
#[test]
fn what_runs_against_a_tag_that_was_pushed_again() {
    let tenant = installed("trap-runs", "1.9.28");
    let push = |content: &str| {
        tenant
            .move_tag("tracebloc/pods-monitor", "prod", content)
            .unwrap()
    };
    let (old, new) = (push("two"), push("three"));
    let child = |of: &tracebloc_bed::registry::Published, architecture: &str| {
        let child = &of.children[&Platform::linux(architecture)];
        (child.manifest.clone(), child.config.clone())
    };
    let (old_child, old_config) = child(&old, "amd64");
    let (new_child, new_config) = child(&new, "amd64");
    let (foreign_child, _) = child(&new, "arm64");
    let repository = format!("{}/tracebloc/pods-monitor", tenant.registry_path());
    let hexadecimal = |digest: &str| digest.trim_start_matches("sha256:").to_owned();
    let nowhere = format!("sha256:{}", "0".repeat(64));
    for (case, image_id, expected) in [
        (
            "the current index",
            format!("{repository}@{}", new.digest),
            "current",
        ),
        (
            "the current index's child",
            format!("{repository}@{new_child}"),
            "current",
        ),
        (
            "a re-pushed tag: the old index",
            format!("{repository}@{}", old.digest),
            "behind",
        ),
        (
            "the old index's child",
            format!("{repository}@{old_child}"),
            "behind",
        ),
        (
            "another platform's child",
            format!("{repository}@{foreign_child}"),
            "behind",
        ),
        (
            "gone from the registry",
            format!("{repository}@{nowhere}"),
            "behind",
        ),
        (
            "docker-pullable, current",
            format!("docker-pullable://{repository}@{}", new.digest),
            "current",
        ),
        (
            "docker-pullable, old",
            format!("docker-pullable://{repository}@{}", old.digest),
            "behind",
        ),
        (
            "docker, by its configuration",
            format!("docker://{new_config}"),
            "current",
        ),
        ("a configuration, current", new_config.clone(), "current"),
        ("a configuration, old", old_config.clone(), "behind"),
        (
            "CRI-O: a bare configuration, current",
            hexadecimal(&new_config),
            "current",
        ),
        (
            "CRI-O: a bare configuration, old",
            hexadecimal(&old_config),
            "behind",
        ),
        (
            "CRI-O: the child by another name",
            format!("mirror.example.com/pods-monitor@{new_child}"),
            "current",
        ),
    ] {
        runs(
            &tenant,
            "trap-runs-jobs-manager",
            "pods-monitor-container",
            &image_id,
        );
        let report = outdated(&tenant, &["--only", "digest"]);
        let seen = image(&report, "pods-monitor");
        assert_eq!(seen["state"], expected, "{case}: {image_id}: {seen:#}");
    }
}

#[test]
fn a_re_pushed_index_with_an_unchanged_child() {
    let tenant = installed("trap-index", "1.9.28");
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

/// A chart of Deployments, one for each reference; `init` is that of an init container of the first.
fn chart_of(images: &[(&str, String)], init: &str) -> Chart {
    let mut manifests = String::new();
    for (number, (name, image)) in images.iter().enumerate() {
        let before = if number == 0 {
            format!(
                "\n      initContainers: [{{name: before, image: '{init}', imagePullPolicy: Always, args: [exit]}}]"
            )
        } else {
            String::new()
        };
        manifests += &format!(
            "---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{trap: {name}}}}}
  template:
    metadata: {{labels: {{trap: {name}}}}}
    spec:
      containers: [{{name: main, image: '{image}', imagePullPolicy: Always}}]{before}
"
        );
    }
    let metadata = "apiVersion: v2\nname: traps\nversion: 1.0.0\n";
    Chart::from_files(BTreeMap::from([
        ("Chart.yaml".to_owned(), metadata.into()),
        ("templates/all.yaml".to_owned(), manifests.into()),
    ]))
    .unwrap()
}

/// The case, the image by which it is told, its state and flags after tags moved, and the newer version that is published.
type Form = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    Option<&'static str>,
);

const FORMS: &[Form] = &[
    ("a re-pushed tag", "moved", "behind", &[], None),
    ("a tag that stayed", "quiet", "current", &[], None),
    (":latest, moved", "newest", "behind", &[], None),
    ("no tag, moved", "untagged", "behind", &[], None),
    (
        "an init container's tag, moved",
        "before",
        "behind",
        &[],
        None,
    ),
    ("repo@digest", "digest", "current", &["pinned"], None),
    (
        "repo:tag@digest, the tag moved",
        "both",
        "behind",
        &["pinned"],
        None,
    ),
    (
        "a registry with a port",
        "port",
        "current",
        &[],
        Some("1.1.0"),
    ),
    (
        "a deep path, and a suffix",
        "deep",
        "current",
        &[],
        Some("2.1.0-alpine"),
    ),
];

/// How a reference is written, in a release of a chart that nobody knows and no known repository has.
#[test]
fn references_of_every_form_in_a_chart_of_no_known_repository() {
    let tenant = tenant("trap-forms");
    let publish = |repository: &str, tag: &str, content: &str| {
        tenant
            .publish(repository, tag, &Image::new(content))
            .unwrap()
            .digest
    };
    let path = tenant.registry_path();
    let mut references = Vec::new();
    for (name, repository, tag) in [
        ("moved", "moved", ":prod"),
        ("quiet", "quiet", ":prod"),
        ("latest", "newest", ":latest"),
        ("untagged", "untagged", ""),
        ("port", "port", ":1.0.0"),
        ("deep", "a/b/c/d/deep", ":2.0.0-alpine"),
    ] {
        let written = tag.strip_prefix(':').unwrap_or("latest");
        publish(repository, written, "one");
        references.push((name, format!("{path}/{repository}{tag}")));
    }
    let digest = publish("digest", "prod", "one");
    references.push(("digest", format!("{path}/digest@{digest}")));
    let digest = publish("both", "prod", "one");
    references.push(("both", format!("{path}/both:prod@{digest}")));
    publish("before", "prod", "one");
    tenant
        .repository()
        .publish(chart_of(&references, &format!("{path}/before:prod")));
    let release = Install {
        chart: "traps",
        ..Install::client("trap-forms", "1.0.0")
    };
    install(&tenant, &release);
    let ask = || outdated(&tenant, &["trap-forms"]);
    let report = ask();
    for image in report["releases"][0]["images"].as_array().unwrap() {
        assert_eq!(
            image["state"], "current",
            "before anything moved: {image:#}"
        );
    }
    for (repository, tag) in [
        ("moved", "prod"),
        ("newest", "latest"),
        ("untagged", "latest"),
        ("digest", "prod"),
        ("both", "prod"),
        ("before", "prod"),
        ("port", "1.1.0"),
        ("a/b/c/d/deep", "2.1.0-alpine"),
        ("a/b/c/d/deep", "2.2.0"),
    ] {
        publish(repository, tag, "two");
    }
    let report = ask();
    for (case, name, state, flags, newer) in FORMS {
        let seen = image(&report, name);
        assert_eq!(seen["state"], *state, "{case}: {seen:#}");
        assert_eq!(seen["flags"], json!(flags), "{case}: {seen:#}");
        assert_eq!(
            seen["version"]["latest"].as_str(),
            *newer,
            "{case}: {seen:#}"
        );
    }
    // Pins, here and above, are somebody's choice.
    assert_eq!(report["summary"]["digestsBehind"], 4, "{report:#}");
    let chart = &report["releases"][0]["chart"];
    assert_eq!(
        chart["state"], "unknown",
        "a chart in no known repository: {chart:#}"
    );
    assert!(codes(&report).contains(&"chart-unknown"));
}

#[test]
fn a_digest_in_the_values_of_the_client_chart() {
    let tenant = tenant("trap-pinned");
    let registry = tenant.bed().registry();
    let digest = registry
        .digest(
            &format!("{}/tracebloc/jobs-manager", tenant.namespace()),
            "prod",
        )
        .unwrap()
        .unwrap();
    let pinned =
        Install::client("trap-pinned", "1.9.40").set(format!("images.jobsManager.digest={digest}"));
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
fn image_pull_back_off_without_image_id() {
    let tenant = tenant("trap-pull");
    let registry = tenant.bed().registry();
    install(&tenant, &Install::client("trap-pull", "1.9.28"));
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
    // Why, as far as the registry tells.
    let told = image["unknown"]["message"].as_str().unwrap();
    assert!(told.contains("has no `prod` of"), "{told}");
    assert!(codes(&report).contains(&"digest-unknown"));
}

#[test]
fn an_annotation_says_current_and_pods_do_not_run_it() {
    let tenant = installed("trap-lies", "1.9.40");
    let moved = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let record = format!(
        "tracebloc.io/last-refreshed-jobs-manager-digest={}",
        moved.digest
    );
    tenant
        .kubectl(&["annotate", "deployment/trap-lies-jobs-manager", &record])
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
fn a_failed_release() {
    let tenant = installed("trap-failed", "1.9.28");
    let broken = Chart::sample("client-1.9.51", &tenant.registry_path())
        .unwrap()
        .with_version("1.9.52")
        .unwrap()
        .with_file(
            "templates/broken.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: Not_A_Name\n",
        )
        .unwrap();
    tenant.repository().publish(broken);
    let upgrade = tenant
        .upgrade(&Install::client("trap-failed", "1.9.52"))
        .unwrap();
    assert!(!upgrade.is_success(), "{upgrade}");
    let report = outdated(&tenant, &["--only", "chart"]);
    let release = &report["releases"][0];
    assert_eq!(release["status"], "failed", "{report:#}");
    assert_eq!(release["chart"]["state"], "mixed");
    assert_eq!(release["chart"]["current"], "1.9.28");
    assert_eq!(release["chart"]["attempted"], "1.9.52");
    let finding = finding(&report, "release-failed");
    assert!(
        finding["message"].as_str().unwrap().contains("revision 1"),
        "{finding}"
    );
    assert_eq!(finding["severity"], "danger");
}

#[test]
fn a_pending_release() {
    let tenant = installed("trap-pending", "1.9.28");
    crate::support::hang(&tenant, "trap-pending", &jiff::Timestamp::now().to_string());
    let report = outdated(&tenant, &["--only", "chart"]);
    assert_eq!(
        report["releases"][0]["status"], "pending-upgrade",
        "{report:#}"
    );
    let pending = finding(&report, "release-pending");
    assert!(
        pending["advice"][0]
            .as_str()
            .unwrap()
            .starts_with("helm history trap-pending"),
        "{pending}"
    );
    // Helm would refuse the upgrade, so that it is not advised.
    assert_eq!(
        finding(&report, "chart-behind")["advice"],
        serde_json::json!([])
    );
}

#[test]
fn an_installed_version_pruned_from_the_index() {
    let tenant = installed("trap-pruned", "1.9.40");
    tenant.repository().remove("client", "1.9.40");
    let report = outdated(&tenant, &["--only", "chart"]);
    assert_eq!(report["releases"][0]["chart"]["state"], "behind");
    assert!(codes(&report).contains(&"chart-version-unlisted"));
}

#[test]
fn an_installed_version_ahead_of_the_repository() {
    let tenant = installed("trap-ahead", "1.9.51");
    tenant.repository().remove("client", "1.9.51");
    let report = outdated(&tenant, &["--only", "chart"]);
    assert_eq!(report["releases"][0]["chart"]["state"], "ahead");
    assert!(codes(&report).contains(&"chart-ahead"));
    assert_eq!(report["summary"]["chartsBehind"], 0);
}
