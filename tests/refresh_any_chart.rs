//! A release of a chart that no profile knows: what `refresh` does with it, where it was named.

use std::collections::BTreeMap;

use serde_json::json;
use tracebloc_bed::chart::Chart;
use tracebloc_bed::image::Image;
use tracebloc_bed::{Helm, Tenant};

use crate::refresh::{decision, object, plan, refresh, running, steps};
use crate::refresh_faults::{kubectl, refused};
use crate::support::{bed, run};

/// The containers of the shop, each of an image of its own.
const CONTAINERS: [&str; 3] = ["agent", "store", "web"];

/// A chart with one workload of each kind that rolls out: `RELEASE-web` with three pods, `RELEASE-store` with two, and `RELEASE-agent`.
const SHOP: &str = "
{{- range list (dict \"kind\" \"DaemonSet\" \"name\" \"agent\") (dict \"kind\" \"StatefulSet\" \"name\" \"store\" \"replicas\" 2) (dict \"kind\" \"Deployment\" \"name\" \"web\" \"replicas\" 3) }}
---
apiVersion: apps/v1
kind: {{ .kind }}
metadata: {name: \"{{ $.Release.Name }}-{{ .name }}\"}
spec:
  {{- with .replicas }}
  replicas: {{ . }}
  {{- end }}
  {{- if eq .kind \"StatefulSet\" }}
  serviceName: none
  {{- end }}
  selector: {matchLabels: {app: {{ .name }}}}
  template:
    metadata: {labels: {app: {{ .name }}}}
    spec:
      containers: [{name: {{ .name }}, image: \"REGISTRY/shop/{{ .name }}:stable\", imagePullPolicy: Always}]
{{- end }}
";

/// A settled release `name` of the shop.
pub(crate) fn shop(name: &str) -> Tenant<'static> {
    let tenant = bed().tenant(name).unwrap();
    for image in CONTAINERS {
        publish(&tenant, image, &Image::new(format!("{image} one")));
    }
    let template = SHOP.replace("REGISTRY", &tenant.registry_path());
    let chart = Chart::from_files(BTreeMap::from([
        (
            "Chart.yaml".to_owned(),
            b"apiVersion: v2\nname: shop\nversion: 1.0.0\n".to_vec(),
        ),
        ("templates/all.yaml".to_owned(), template.into_bytes()),
    ]));
    let cluster = tenant.bed().cluster();
    let archive = cluster.write(
        &format!("{}.tgz", tenant.namespace()),
        &chart.unwrap().bytes,
    );
    let archive = archive.unwrap();
    let arguments = [
        "install",
        name,
        archive.to_str().unwrap(),
        "--namespace",
        tenant.namespace(),
    ];
    let installed = cluster.helm(Helm::Four, &arguments);
    installed.unwrap().success().unwrap();
    settle(&tenant, name);
    tenant
}

/// Waits until all of a shop's pods are ready.
fn settle(tenant: &Tenant<'_>, name: &str) {
    for workload in [
        format!("daemonset/{name}-agent"),
        format!("statefulset/{name}-store"),
        format!("deployment/{name}-web"),
    ] {
        kubectl(
            tenant,
            &["rollout", "status", &workload, "--timeout", "90s"],
        );
    }
}

/// Publishes content of one of the shop's images; its digest.
pub(crate) fn publish(tenant: &Tenant<'_>, image: &str, content: &Image) -> String {
    let repository = format!("shop/{image}");
    tenant
        .publish(&repository, "stable", content)
        .unwrap()
        .digest
}

#[test]
fn a_release_of_any_chart_is_refreshed_once_it_is_named() {
    let name = "any-chart";
    let tenant = shop(name);
    let moved =
        CONTAINERS.map(|image| publish(&tenant, image, &Image::new(format!("{image} two"))));
    let unnamed = run(&tenant, &["refresh", "--yes", "--context", "bed"]);
    assert_eq!(unnamed.code, Some(0), "{unnamed}");
    assert!(unnamed.stderr.contains("name a release"), "{unnamed}");
    // No chart keeps records of it: there is nothing to see for the first time.
    let done = plan(&refresh(&tenant, &[name]), 0);
    let mut workloads = CONTAINERS.map(|image| format!("{name}-{image}"));
    // As Helm orders kinds.
    workloads.reverse();
    let expected: Vec<_> = workloads
        .iter()
        .map(|workload| ("restart", workload.as_str(), "done"))
        .collect();
    assert_eq!(steps(&done), expected, "{done:#}");
    for (image, digest) in CONTAINERS.iter().zip(&moved) {
        assert_eq!(running(&tenant, image), std::slice::from_ref(digest));
    }
    let history = object(&tenant, "configmap", &format!("tracebloc-history-{name}"));
    assert_eq!(history["data"].as_object().unwrap().len(), 3, "{history:#}");
    assert_eq!(steps(&plan(&refresh(&tenant, &[name]), 0)), []);
    // And gone back from.
    plan(
        &refresh(&tenant, &[name, "--rollback", "--image", "web"]),
        0,
    );
    assert_ne!(running(&tenant, "web"), std::slice::from_ref(&moved[2]));
    assert_eq!(refused(&tenant, &[name]), ["flapping"]);
}

#[test]
fn whoever_looks_after_any_chart_is_seen() {
    let name = "any-managed";
    let tenant = shop(name);
    publish(&tenant, "store", &Image::new("store two"));
    let workload = format!("statefulset/{name}-store");
    kubectl(
        &tenant,
        &["label", &workload, "helm.toolkit.fluxcd.io/name=shop"],
    );
    assert_eq!(refused(&tenant, &[name]), ["managed-elsewhere"]);
    let done = plan(&refresh(&tenant, &[name, "--override-managed"]), 0);
    assert_eq!(decision(&done, "store"), "move");
    assert_eq!(done["refusals"], json!([]));
}
