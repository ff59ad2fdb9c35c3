//! A thousand releases with five pods each on one API server: memory, time and requests as they grow.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tracebloc_bed::api::{Api, Patch};
use tracebloc_bed::proxy::Proxy;
use tracebloc_bed::wait_until;

use crate::ground::{Ground, RELEASE, Way};
use crate::records;
use crate::run::{Figures, middle};
use crate::show::{Goal, count, goal, heading, note, show, to_f64};

/// How many releases there are at each measurement.
const SIZES: [usize; 3] = [250, 500, 1000];

/// Pods of each release.
const PODS: usize = 5;

/// How many releases are written at once.
const WRITERS: usize = 8;

const RUNS: usize = 3;

/// How long the fake nodes may take to start the pods.
const DEADLINE: Duration = Duration::from_secs(300);

/// What one size took.
struct Measured {
    releases: usize,
    figures: Figures,
    requests: usize,
}

pub(crate) fn run(ground: &Ground) {
    heading(&format!(
        "{} releases with {PODS} pods each (medians of {RUNS})",
        SIZES[SIZES.len() - 1]
    ));
    // The pods are written here. Controllers would only wonder whose they are, and take part of the machine from what is measured.
    let plane = ground.bed().cluster().control_plane();
    assert!(plane.signal("kube-controller-manager", "STOP"));
    let proxy = Proxy::before_api_server_over_tls(ground.bed().cluster()).unwrap();
    let counting = Way::to(ground.bed(), &proxy.url(), Duration::ZERO);
    let mut all: Vec<Measured> = Vec::new();
    let mut written = 0;
    for size in SIZES {
        fill(ground, written..size);
        written = size;
        let runs: Vec<Figures> = (0..RUNS)
            .map(|_| ground.way().measure(ground.ours(&["outdated", "-A"])))
            .collect();
        let figures = middle(&runs);
        show(&format!("outdated -A, {size} releases"), figures);
        proxy.log().clear();
        check(ground, &counting, size);
        let requests = proxy.log().all().len();
        note(&format!("{requests} requests to the API server"));
        all.push(Measured {
            releases: size,
            figures,
            requests,
        });
    }
    let _running = plane.signal("kube-controller-manager", "CONT");
    let [first, .., last] = all.as_slice() else {
        return;
    };
    goal(
        "peak memory in MiB",
        to_f64(last.figures.peak_kib) / 1024.0,
        Goal::AtMost(100.0),
    );
    let each = |time: Duration, measured: &Measured| time.as_secs_f64() / count(measured.releases);
    goal(
        "time for each release, at the end to at first",
        each(last.figures.wall, last) / each(first.figures.wall, first),
        Goal::AtMost(1.25),
    );
    goal(
        "processor time for each release, the same",
        each(last.figures.cpu, last) / each(first.figures.cpu, first),
        Goal::AtMost(1.25),
    );
    for pair in all.windows(2) {
        let [before, after] = pair else { continue };
        let grown =
            count(after.requests - before.requests) / count(after.releases - before.releases);
        note(&format!(
            "{grown:.2} requests for each release between {} and {}",
            before.releases, after.releases
        ));
    }
    let each = |measured: &Measured| count(measured.requests) / count(measured.releases);
    goal(
        "requests for each release, at the end to at first",
        each(last) / each(first),
        Goal::AtMost(1.0),
    );
}

/// That the answer is whole, by a way that counts.
fn check(ground: &Ground, way: &Way, releases: usize) {
    let mut command = ground.ours(&["outdated", "-A", "-o", "json"]);
    let output = command.env("KUBECONFIG", &way.kubeconfig).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    // The one that the bed began with is among them.
    assert!(report["releases"].as_array().unwrap().len() > releases);
    let unknown = report["summary"]["unknown"].as_u64().unwrap();
    if unknown > 0 {
        note(&format!("{unknown} unknown"));
    }
}

/// Writes releases, a few at a time.
fn fill(ground: &Ground, numbers: std::ops::Range<usize>) {
    let api = ground.bed().cluster().api();
    let tenant = &ground.tenant;
    let (_, record) = records::read(api, tenant.namespace(), RELEASE);
    let registry = tenant.registry_path();
    let next = AtomicUsize::new(numbers.start);
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= numbers.end {
                        return;
                    }
                    write(api, &registry, &record, &format!("of-many-{number:04}"));
                }
            });
        }
    });
    let waiting = "/api/v1/pods?limit=1&fieldSelector=status.phase!=Running";
    wait_until(DEADLINE, "all pods run", || {
        let left = api.get(waiting)?;
        let pod = left["items"][0]["metadata"]["name"]
            .as_str()
            .map(str::to_owned);
        Ok(pod.map_or(Ok(()), Err))
    })
    .unwrap();
}

/// Writes one release: its record, its workload as it stands after a rollout, and the pods of that.
fn write(api: &Api, registry: &str, record: &Value, name: &str) {
    let workload = format!("{name}-jobs-manager");
    let labels = json!({"app": name, "pod-template-hash": "5d4f8c7b9d"});
    let containers = json!([
        {"name": "api", "image": format!("{registry}/tracebloc/jobs-manager:prod"), "imagePullPolicy": "Always"},
        {"name": "pods-monitor-container", "image": format!("{registry}/tracebloc/pods-monitor:prod"), "imagePullPolicy": "Always"},
    ]);
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": workload, "namespace": name},
        "spec": {
            "replicas": PODS,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}},
        },
    });
    let create = |path: &str, object: &Value| api.create(path, object).unwrap();
    let core = format!("/api/v1/namespaces/{name}");
    create(
        "/api/v1/namespaces",
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
    );
    // No pod without one.
    create(
        &format!("{core}/serviceaccounts"),
        &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}),
    );
    let mut record = record.clone();
    record["name"] = json!(name);
    record["namespace"] = json!(name);
    record["manifest"] = json!(records::document(&deployment));
    create(&format!("{core}/secrets"), &records::secret(&record));
    let deployments = format!("/apis/apps/v1/namespaces/{name}/deployments");
    create(&deployments, &deployment);
    let status = json!({"status": {
        "observedGeneration": 1, "replicas": PODS, "updatedReplicas": PODS, "readyReplicas": PODS, "availableReplicas": PODS,
    }});
    api.patch(
        &format!("{deployments}/{workload}/status"),
        Patch::Merge,
        &status,
    )
    .unwrap();
    for number in 0..PODS {
        let owner = json!([{
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{workload}-5d4f8c7b9d"), "controller": true,
            "uid": "00000000-0000-4000-8000-000000000000",
        }]);
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("{workload}-5d4f8c7b9d-{number}"), "labels": labels, "ownerReferences": owner},
            "spec": {"nodeName": format!("kwok-{}", number % 2), "automountServiceAccountToken": false, "containers": containers},
        });
        create(&format!("{core}/pods"), &pod);
    }
}
