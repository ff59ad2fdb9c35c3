//! `refresh --parallel`: several rollouts at once, never more than were allowed, and what becomes of them where one fails or the run is killed.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};
use tracebloc_bed::Tenant;
use tracebloc_bed::cluster::Output;
use tracebloc_bed::image::Image;
use tracebloc_bed::proxy::{Moment, Proxy};
use tracebloc_bed::request_log::LoggedRequest;

use crate::outdated_faults::through;
use crate::refresh::{annotation, object, plan, recorded, refresh, running, steps};
use crate::refresh_runs::kill_at;
use crate::support::{command, run, store, tenant};

/// How many workloads share the image.
const WORKLOADS: usize = 8;

/// The image that all of them run.
const IMAGE: &str = "tracebloc/jobs-manager";

/// The name of a workload; the first is the one that carries the records.
fn name(release: &str, workload: usize) -> String {
    match workload {
        0 => format!("{release}-jobs-manager"),
        other => format!("{release}-worker-{other}"),
    }
}

/// The container of a workload.
fn container(workload: usize) -> String {
    match workload {
        0 => "api".to_owned(),
        other => format!("worker-{other}"),
    }
}

/// A release of the client chart whose workloads share an image. Of those named, the pods do what the image says; those of all others become ready
/// whatever it is.
fn release(name_of: &str, fragile: &[usize]) -> Tenant<'static> {
    let tenant = tenant(name_of);
    let namespace = tenant.namespace();
    let api = tenant.bed().cluster().api();
    let mut manifest = String::new();
    for workload in 0..WORKLOADS {
        let name = name(name_of, workload);
        let image = format!("{}/{IMAGE}:prod", tenant.registry_path());
        let steering = if fragile.contains(&workload) {
            json!({})
        } else {
            json!({"bed.tracebloc.io/ready": "true"})
        };
        let deployment = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}, "annotations": steering},
                    "spec": {"containers": [
                        {"name": container(workload), "image": image, "imagePullPolicy": "Always"},
                    ]},
                },
            },
        });
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
        api.create(&path, &deployment).unwrap();
        manifest += &format!("---\n{deployment}\n");
    }
    store(
        &tenant,
        &json!({
            "name": name_of,
            "namespace": namespace,
            "version": 1,
            "info": {
                "first_deployed": "2026-11-01T10:00:00Z",
                "last_deployed": "2026-11-01T10:00:00Z",
                "description": "Install complete",
                "status": "deployed",
            },
            "chart": {
                "metadata": {"apiVersion": "v2", "name": "client", "version": "1.9.28"},
                "values": {},
            },
            "config": {},
            "manifest": manifest,
        }),
    );
    tenant.wait_ready().unwrap();
    recorded(&tenant);
    // Its controller has yet to see what was written.
    tenant.wait_ready().unwrap();
    tenant
}

/// Moves the tag to content that takes a while to become ready, so that what is under way at once stays so; answers its digest.
fn publish_slow(tenant: &Tenant<'_>, content: &str) -> String {
    let slow = Image::new(content).steering("ready-delay", "2s");
    tenant.publish(IMAGE, "prod", &slow).unwrap().digest
}

/// The run of a robot whose requests go through a proxy.
fn start(tenant: &Tenant<'_>, proxy: &Proxy) -> Child {
    let mut command = command(
        tenant,
        &[
            "refresh",
            "--yes",
            "--context",
            "bed",
            "--parallel",
            "3",
            "-n",
            tenant.namespace(),
        ],
    );
    command.env("KUBECONFIG", through(tenant, proxy));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// The workloads whose change is not ended, as the cluster has them.
fn open(tenant: &Tenant<'_>, release: &str) -> Vec<usize> {
    let acting = |workload: &usize| {
        annotation(tenant, &name(release, *workload), "change")
            .is_some_and(|change| change.contains(r#""state":"acting""#))
    };
    (0..WORKLOADS).filter(acting).collect()
}

/// The workload that a patch changes.
fn patched(release: &str, request: &LoggedRequest) -> Option<usize> {
    let path = request.path.split('?').next()?;
    let (_, deployment) = path.split_once("/deployments/")?;
    let is_patch = request.method == Method::PATCH;
    (0..WORKLOADS).find(|workload| is_patch && name(release, *workload) == deployment)
}

/// The workloads in the order in which they were patched: a rollout begins with its first patch, and is ended with its second, which says so.
fn patches(release: &str, proxy: &Proxy) -> Vec<usize> {
    let log = proxy.log().all();
    log.iter()
        .filter_map(|request| patched(release, request))
        .collect()
}

/// The wave of each step of a plan.
fn waves(plan: &Value) -> Vec<Option<u64>> {
    let steps = plan["steps"].as_array().unwrap().iter();
    steps.map(|step| step["wave"].as_u64()).collect()
}

/// Every workload runs what is published, it is recorded, and no change is left open.
fn assert_all_run(tenant: &Tenant<'_>, release: &str, published: &str) {
    for workload in 0..WORKLOADS {
        assert_eq!(
            running(tenant, &container(workload)),
            [published],
            "workload {workload}"
        );
    }
    assert_eq!(open(tenant, release), [0_usize; 0]);
    let record = annotation(
        tenant,
        &name(release, 0),
        "last-refreshed-jobs-manager-digest",
    );
    assert_eq!(record.as_deref(), Some(published));
}

#[test]
fn no_more_are_under_way_than_may_be_and_the_first_goes_alone() {
    let release_name = "parallel-waves";
    let tenant = release(release_name, &[]);
    let published = publish_slow(&tenant, "two");
    let shown = run(&tenant, &["refresh", "--dry-run", "--parallel", "3"]);
    let at_once: Vec<&str> = shown
        .stdout
        .lines()
        .filter_map(|line| line.strip_suffix(" at once:"))
        .collect();
    assert_eq!(at_once, ["2 to 4", "5 to 7"], "{shown}");
    let proxy = Proxy::before_api_server(tenant.bed().cluster()).unwrap();
    let output = Output::of(&mut {
        let mut command = command(&tenant, &["refresh", "--yes", "--context", "bed"]);
        command.args(["-o", "json", "--parallel", "3", "-n", tenant.namespace()]);
        command.env("KUBECONFIG", through(&tenant, &proxy));
        command
    })
    .unwrap();
    let done = plan(&output, 0);
    let waves = waves(&done);
    let told = [1, 2, 2, 2, 3, 3, 3, 4].map(Some);
    assert_eq!(waves, [&told[..], &[None]].concat(), "{done:#}");
    let states: Vec<_> = steps(&done)
        .into_iter()
        .map(|(_, _, state)| state)
        .collect();
    assert_eq!(states, ["done"; WORKLOADS + 1]);
    assert_all_run(&tenant, release_name, &published);
    // What the server was asked, in the order in which it was.
    let mut under_way: Vec<usize> = Vec::new();
    let mut ended: Vec<usize> = Vec::new();
    let mut at_once = Vec::new();
    for workload in patches(release_name, &proxy) {
        if ended.contains(&workload) {
            // The record, which the first one carries.
            assert_eq!((workload, ended.len()), (0, WORKLOADS));
        } else if let Some(index) = under_way.iter().position(|other| *other == workload) {
            ended.push(under_way.remove(index));
        } else {
            let earlier = waves[workload];
            let all_ended = (0..WORKLOADS)
                .filter(|other| waves[*other] < earlier)
                .all(|other| ended.contains(&other));
            assert!(all_ended, "{workload} begins before an earlier wave ended");
            under_way.push(workload);
            at_once.push(under_way.len());
        }
    }
    assert_eq!(ended.len(), WORKLOADS, "{ended:?}");
    assert_eq!(at_once, [1, 1, 2, 3, 1, 2, 3, 1]);
}

#[test]
fn once_one_has_failed_no_other_begins_and_those_under_way_come_to_their_end() {
    let release_name = "parallel-fail";
    // The first proves nothing here: two of the second wave do not bear the new content.
    let tenant = release(release_name, &[2, 3]);
    let before = running(&tenant, "api").remove(0);
    let bad = Image::new("bad").steering("ready", "false");
    let published = tenant.publish(IMAGE, "prod", &bad).unwrap().digest;
    let output = refresh(&tenant, &["--parallel", "3", "--timeout", "6s"]);
    let failed = plan(&output, 1);
    let states: Vec<_> = steps(&failed)
        .into_iter()
        .map(|(_, _, state)| state)
        .collect();
    let skipped = ["skipped"; 5];
    assert_eq!(
        states,
        [&["done", "done", "failed", "failed"], &skipped[..]].concat(),
        "{output}"
    );
    for workload in [2, 3] {
        let told = format!("deployment/{}: the rollout", name(release_name, workload));
        assert!(output.stderr.contains(&told), "{told}: {output}");
    }
    assert!(output.stderr.contains("beside it: "), "{output}");
    assert_eq!(
        output.stderr.matches("it was undone").count(),
        2,
        "{output}"
    );
    for workload in 0..WORKLOADS {
        let wanted = if workload < 2 { &published } else { &before };
        assert_eq!(
            &running(&tenant, &container(workload))[..],
            std::slice::from_ref(wanted),
            "workload {workload}"
        );
    }
    let main = name(release_name, 0);
    let of = |key: &str| annotation(&tenant, &main, key);
    assert_eq!(of("last-refreshed-jobs-manager-digest"), Some(before));
    assert_eq!(of("refresh-attempt").as_deref(), Some("3"), "once");
    let kept = object(
        &tenant,
        "configmap",
        &format!("tracebloc-history-{release_name}"),
    );
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for entry in kept["data"].as_object().unwrap().values() {
        let entry: Value = serde_json::from_str(entry.as_str().unwrap()).unwrap();
        let state = entry["state"].as_str().unwrap().to_owned();
        *ends.entry(state).or_default() += 1;
    }
    let expected = [("done".to_owned(), 2), ("undone".to_owned(), 2)];
    assert_eq!(ends, BTreeMap::from(expected));
}

#[test]
fn a_signal_leaves_all_that_is_under_way_to_the_next_run() {
    let release_name = "parallel-signal";
    let tenant = release(release_name, &[]);
    let slow = Image::new("two").steering("ready-delay", "4s");
    let published = tenant.publish(IMAGE, "prod", &slow).unwrap().digest;
    let proxy = Proxy::before_api_server(tenant.bed().cluster()).unwrap();
    let child = start(&tenant, &proxy);
    let began = Instant::now();
    while open(&tenant, release_name) != [1, 2, 3] {
        assert!(began.elapsed() < Duration::from_secs(60));
    }
    let told = std::process::Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(told.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert_eq!(open(&tenant, release_name), [1, 2, 3]);
    let rest = plan(&refresh(&tenant, &["--parallel", "3"]), 0);
    let began: Vec<&str> = steps(&rest).into_iter().map(|(did, ..)| did).collect();
    let expected = [&["finish"; 3][..], &["restart"; 4], &["record"]].concat();
    assert_eq!(began, expected, "{rest:#}");
    let told = [1, 1, 1, 2, 3, 3, 3].map(Some);
    assert_eq!(waves(&rest), [&told[..], &[None]].concat(), "{rest:#}");
    assert_all_run(&tenant, release_name, &published);
}

#[test]
fn a_run_that_is_killed_with_several_under_way_is_finished_by_the_next() {
    let release_name = "parallel-kill";
    let tenant = release(release_name, &[]);
    let proxy = Proxy::before_api_server(tenant.bed().cluster()).unwrap();
    // Two patches are those of the first rollout, and each of the next three begins one of the second wave.
    for (patch, wanted) in [(3, &[1, 2][..]), (4, &[1, 2, 3])] {
        let published = publish_slow(&tenant, &format!("killed at {patch}"));
        kill_at(&proxy, ("deployments", patch), Moment::After, || {
            start(&tenant, &proxy)
        });
        assert_eq!(open(&tenant, release_name), wanted);
        let rest = plan(&refresh(&tenant, &["--parallel", "3"]), 0);
        let finished = steps(&rest)
            .into_iter()
            .filter(|step| (step.0, step.2) == ("finish", "done"));
        assert_eq!(finished.count(), wanted.len(), "{rest:#}");
        assert_all_run(&tenant, release_name, &published);
    }
}
