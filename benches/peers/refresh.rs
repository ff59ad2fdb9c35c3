//! `refresh`: a tick with nothing to do, beside the chart's own script, and a hundred workloads that share an image.

use std::cell::Cell;
use std::collections::BTreeMap;
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

/// How many of them are refreshed at once, where they are not refreshed one after the other.
const AT_ONCE: usize = 10;

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
        homes.set(homes.get() + 1);
        let job = tenant.chart_job("tick-image-refresh", &format!("tick-{}", homes.get()));
        let mut command = job.unwrap().unwrap();
        // On a mirror it would do nothing: here the registry is its own.
        command.env("DEFAULT_REGISTRY", &place);
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
    let refresh = |at_once: usize| {
        let arguments = [
            "refresh",
            "hundred",
            "--yes",
            "--all",
            "--force",
            "--min-ready",
            "0",
            "--context",
            "bed",
            "--parallel",
            &at_once.to_string(),
            "-n",
            namespace,
        ];
        ground.ours(&arguments)
    };
    // What runs is recorded where it is new, and nothing else.
    assert!(refresh(1).status().unwrap().success());
    // Its controller has yet to see what was written.
    tenant.wait_ready().unwrap();
    let idle = counted(&counting, api.log(), registry.log(), refresh(1));
    note(&format!(
        "nothing to do: {} requests to the API server, {} HEADs",
        idle.api, idle.heads
    ));
    for at_once in [1, AT_ONCE] {
        tenant
            .move_tag(
                "tracebloc/jobs-manager",
                "prod",
                &format!("{at_once} at once"),
            )
            .unwrap();
        let began = Instant::now();
        let moved = counted(&counting, api.log(), registry.log(), refresh(at_once));
        let wall = began.elapsed();
        note(&format!(
            "all of them refreshed, {at_once} at once, in {:.0} ms, {:.0} ms each, with {:.1} requests to the API server each, and {} HEADs",
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
        goal(
            "rollouts under way at once, at most",
            count(most_at_once(&api, namespace)),
            Goal::AtMost(count(at_once)),
        );
        tenant.wait_ready().unwrap();
    }
    let live = bed
        .cluster()
        .api()
        .get(&format!("/api/v1/namespaces/{namespace}/pods"));
    let pods = live.unwrap()["items"].as_array().map_or(0, Vec::len);
    note(&format!("{pods} pods after it"));
    clear(ground, &tenant);
}

/// How many rollouts were under way at once, at most, as the API server was asked: one begins with the first patch of its workload, and the second
/// says that it has ended.
fn most_at_once(api: &Proxy, namespace: &str) -> usize {
    let place = format!("/apis/apps/v1/namespaces/{namespace}/deployments/");
    let mut patches: BTreeMap<String, usize> = BTreeMap::new();
    let mut most = 0;
    for request in api.log().matching(&Method::PATCH, &place) {
        *patches.entry(request.path).or_default() += 1;
        most = most.max(patches.values().filter(|count| **count == 1).count());
    }
    most
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
