//! What a `refresh` with nothing to do asks: a tick comes every quarter of an hour, for every release of every cluster.

use std::collections::BTreeSet;

use reqwest::Method;
use tracebloc_bed::cluster::Output;
use tracebloc_bed::proxy::Proxy;

use crate::refresh::{plan, recorded, steps};
use crate::support::{behind_a_proxy, command};

#[test]
fn a_tick_with_nothing_to_do_lists_each_kind_once_and_asks_two_things_more() {
    let (tenant, registry) = behind_a_proxy("tick");
    recorded(&tenant);
    let cluster = tenant.bed().cluster();
    let api = Proxy::before_api_server_over_tls(cluster).unwrap();
    let kubeconfig = cluster
        .write_kubeconfig("counted-tick", &cluster.admin().at(&api.url()))
        .unwrap();
    registry.log().clear();
    let namespace = tenant.namespace();
    let arguments = [
        "refresh",
        "--yes",
        "--context",
        "bed",
        "-o",
        "json",
        "-n",
        namespace,
    ];
    let mut refresh = command(&tenant, &arguments);
    let output = Output::of(refresh.env("KUBECONFIG", &kubeconfig)).unwrap();
    let plan = plan(&output, 0);
    assert_eq!(steps(&plan), [], "{plan:#}");

    let asked: Vec<String> = api
        .log()
        .all()
        .iter()
        .map(|request| {
            assert_eq!(request.method, Method::GET, "{}", request.path);
            let path = request.path.split('?').next().unwrap_or_default();
            path.to_owned()
        })
        .collect();
    let agents = tenant.agents_namespace();
    let lists = [
        format!("/api/v1/namespaces/{namespace}/secrets"),
        format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
        format!("/apis/apps/v1/namespaces/{agents}/daemonsets"),
        format!("/apis/batch/v1/namespaces/{namespace}/cronjobs"),
        format!("/apis/batch/v1/namespaces/{namespace}/jobs"),
        format!("/api/v1/namespaces/{namespace}/pods"),
        format!("/api/v1/namespaces/{agents}/pods"),
        // No nodes: pods run to the letter what is published, whatever their platform.
    ];
    let beside = [
        format!("/api/v1/namespaces/{namespace}/secrets/sh.helm.release.v1.tick.v1"),
        "/api/v1/namespaces/kube-system".to_owned(),
    ];
    let wanted: BTreeSet<&String> = lists.iter().chain(&beside).collect();
    assert_eq!(asked.iter().collect::<BTreeSet<_>>(), wanted);
    assert_eq!(asked.len(), wanted.len(), "each once: {asked:#?}");

    let heads = registry.log().matching(&Method::HEAD, "/manifests/");
    let distinct: BTreeSet<&str> = heads.iter().map(|head| head.path.as_str()).collect();
    assert_eq!(heads.len(), distinct.len(), "one HEAD for each image");
    assert_eq!(
        heads.len(),
        3,
        "of those that the chart's own refresh follows: {distinct:?}"
    );
    assert_eq!(
        registry.log().matching(&Method::GET, "/manifests/"),
        [],
        "what nothing depends on is not fetched"
    );
}
