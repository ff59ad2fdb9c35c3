//! `refresh`: a tick with nothing to do, beside the chart's own script, and a hundred workloads that share an image.

use std::cell::Cell;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tracebloc_bed::proxy::Proxy;
use tracebloc_bed::request_log::RequestLog;
use tracebloc_bed::{Install, Tenant};

use crate::ground::{Ground, PLUGIN, RELEASE, Way};
use crate::records;
use crate::run::alternate;
use crate::show::{Goal, count, goal, heading, milliseconds, note, ratio, show};

/// How often a tick is measured.
const RUNS: usize = 9;

/// The chart whose script is run.
const CHART: &str = "1.9.40";

/// How many distinct images the script follows, and we with it.
const IMAGES: usize = 3;

/// How many workloads share an image.
const WORKLOADS: usize = 100;

pub(crate) fn run(ground: &Ground) {
    tick(ground);
    hundred(ground);
}

/// What one tick asked.
#[derive(Clone, Copy)]
struct Asked {
    api: usize,
    registry: usize,
    heads: usize,
}

/// Runs a command once by a way that counts.
fn counted(way: &Way, api: &RequestLog, registry: &RequestLog, mut command: Command) -> Asked {
    api.clear();
    registry.clear();
    let output = command.env("KUBECONFIG", &way.kubeconfig).output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    let heads = registry.matching(&Method::HEAD, "/manifests/");
    Asked {
        api: api.all().len(),
        registry: registry.all().len(),
        heads: heads.len(),
    }
}

/// A program with a home that nobody used before, as in the pod of a Job.
fn fresh(ground: &Ground, program: &str, homes: &Cell<usize>) -> Command {
    homes.set(homes.get() + 1);
    let home = format!("tick-{}", homes.get());
    ground.bed().cluster().command(program, &home)
}

fn tick(ground: &Ground) {
    heading(&format!(
        "a tick of refresh with nothing to do, chart {CHART}, all on loopback, nothing kept between ticks (medians of {RUNS})"
    ));
    let bed = ground.bed();
    let registry = Proxy::before(&format!("http://{}", bed.registry().host())).unwrap();
    let tenant = bed.tenant("tick").unwrap();
    tenant.publish_all("prod", "one").unwrap();
    let place = format!("{}/{}", registry.host(), tenant.namespace());
    let install = Install::client("tick", CHART).set(format!("global.imageRegistry={place}"));
    tenant.install(&install).unwrap().success().unwrap();
    tenant.wait_ready().unwrap();

    let homes = Cell::new(0);
    let namespace = tenant.namespace().to_owned();
    let ours = || {
        let mut command = fresh(ground, PLUGIN, &homes);
        command.args([
            "refresh",
            "tick",
            "--yes",
            "--context",
            "bed",
            "-n",
            &namespace,
        ]);
        command
    };
    let script = || {
        let mut command = fresh(ground, "bash", &homes);
        command.arg(script_path());
        environment(&mut command, &tenant, &place);
        command
    };
    // The first observation is not what is measured.
    let way = ground.way();
    assert!(ours().status().unwrap().success());
    let api = Proxy::before_api_server_over_tls(bed.cluster()).unwrap();
    let counting = Way::to(bed, &api.url(), Duration::ZERO);
    let mine = counted(&counting, api.log(), registry.log(), ours());
    let mut kinds: Vec<String> = api
        .log()
        .all()
        .iter()
        .map(|asked| asked.path.clone())
        .collect();
    kinds.sort();
    let lists = kinds.iter().filter(|path| is_list(path)).count();
    let theirs = counted(&counting, api.log(), registry.log(), script());
    let [chart, own] = alternate(RUNS, [&|| way.measure(script()), &|| way.measure(ours())]);
    show("the chart's image-refresh.sh", chart);
    show("kubectl-tracebloc refresh", own);
    for (name, asked) in [("the script", theirs), ("ours", mine)] {
        note(&format!(
            "{name}: {} requests to the API server, {} to the registry, of which {} HEADs of tags",
            asked.api, asked.registry, asked.heads
        ));
    }
    goal(
        "HEADs for each distinct image",
        count(mine.heads) / count(IMAGES),
        Goal::AtMost(1.0),
    );
    goal(
        "requests to the API server beside one list per kind and place",
        count(mine.api - lists),
        Goal::AtMost(2.0),
    );
    goal(
        "requests to the API server, ours to the script's",
        count(mine.api) / count(theirs.api),
        Goal::AtMost(1.0),
    );
    goal(
        "wall, ours to the script's",
        ratio(own.wall, chart.wall),
        Goal::AtMost(0.5),
    );
    goal(
        "processors, ours to the script's",
        ratio(own.cpu, chart.cpu),
        Goal::AtMost(0.25),
    );
    clear(ground, &tenant);
}

/// True for a list: its path ends with a resource in the plural, not with a name.
fn is_list(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    [
        "secrets",
        "deployments",
        "daemonsets",
        "cronjobs",
        "pods",
        "jobs",
        "nodes",
    ]
    .contains(&last)
}

/// Takes the records away again, for the figures that come after.
fn clear(ground: &Ground, tenant: &Tenant<'_>) {
    let records = format!("/api/v1/namespaces/{}/secrets", tenant.namespace());
    ground.bed().cluster().api().delete(&records).unwrap();
}

/// The chart's own script, as it stands.
fn script_path() -> PathBuf {
    let charts = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/bed/charts");
    charts.join(format!("client-{CHART}/files/image-refresh.sh"))
}

/// What the `CronJob` of the chart gives the script. On a mirror it would do nothing: here the registry is its own.
fn environment(command: &mut Command, tenant: &Tenant<'_>, registry: &str) {
    let image = |name: &str| format!("{registry}/tracebloc/{name}:prod");
    command
        .env("NAMESPACE", tenant.namespace())
        .env("DEPLOYMENT", "tick-jobs-manager")
        .env("JOBS_MANAGER_IMAGE", image("jobs-manager"))
        .env("PODS_MONITOR_IMAGE", image("pods-monitor"))
        .env("REQUESTS_PROXY", "tick-requests-proxy")
        .env("MONITOR_IMAGE", image("resource-monitor"))
        .env("MONITOR", "tick-resource-monitor")
        .env("NODE_AGENTS_NAMESPACE", tenant.agents_namespace())
        .env("REGISTRY", registry)
        .env("DEFAULT_REGISTRY", registry)
        .env("MAX_REFRESH_ATTEMPTS", "3")
        .env("ROLLOUT_TIMEOUT", "10m");
}

fn hundred(ground: &Ground) {
    heading(&format!("{WORKLOADS} workloads that share an image"));
    let bed = ground.bed();
    let tenant = bed.tenant("hundred").unwrap();
    tenant.publish_all("prod", "one").unwrap();
    let registry = Proxy::before(&format!("http://{}", bed.registry().host())).unwrap();
    deploy(ground, &tenant, &registry.host());
    let api = Proxy::before_api_server_over_tls(bed.cluster()).unwrap();
    let counting = Way::to(bed, &api.url(), Duration::ZERO);
    let namespace = tenant.namespace();
    let refresh = || {
        let arguments = [
            "refresh",
            "hundred",
            "--yes",
            "--all",
            "--force",
            "--context",
            "bed",
            "-n",
            namespace,
        ];
        ground.ours(&arguments)
    };
    // What runs is recorded where it is new, and nothing else.
    assert!(refresh().status().unwrap().success());
    // Its controller has yet to see what was written.
    tenant.wait_ready().unwrap();
    let idle = counted(&counting, api.log(), registry.log(), refresh());
    note(&format!(
        "nothing to do: {} requests to the API server, {} HEADs",
        idle.api, idle.heads
    ));
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let began = Instant::now();
    let moved = counted(&counting, api.log(), registry.log(), refresh());
    let wall = began.elapsed();
    note(&format!(
        "all of them refreshed in {:.0} ms, {:.0} ms each, with {:.1} requests to the API server each, and {} HEADs",
        milliseconds(wall),
        milliseconds(wall) / count(WORKLOADS),
        count(moved.api) / count(WORKLOADS),
        moved.heads
    ));
    goal(
        "HEADs of the tag that they share",
        count(moved.heads),
        Goal::AtMost(1.0),
    );
    let live = bed
        .cluster()
        .api()
        .get(&format!("/api/v1/namespaces/{namespace}/pods"));
    let pods = live.unwrap()["items"].as_array().map_or(0, Vec::len);
    note(&format!("{pods} pods after it"));
    clear(ground, &tenant);
}

/// A release of the client chart whose workloads are these.
fn deploy(ground: &Ground, tenant: &Tenant<'_>, registry: &str) {
    let namespace = tenant.namespace();
    let api = ground.bed().cluster().api();
    let mut manifest = String::new();
    for workload in 0..WORKLOADS {
        let name = match workload {
            0 => "hundred-jobs-manager".to_owned(),
            other => format!("hundred-{other}"),
        };
        let image = format!("{registry}/{namespace}/tracebloc/jobs-manager:prod");
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{"name": "api", "image": image, "imagePullPolicy": "Always"}]},
                },
            },
        });
        api.create(
            &format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
            &deployment,
        )
        .unwrap();
        manifest += &records::document(&deployment);
    }
    let model = (ground.tenant.namespace(), RELEASE);
    records::stand_in(api, model, (namespace, "hundred"), &manifest);
    tenant.wait_ready().unwrap();
}
