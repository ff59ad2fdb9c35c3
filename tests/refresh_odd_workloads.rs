//! Workloads that do not simply replace their pods: some replaced only by hand, one pod that stays behind, pods that are guarded.

use serde_json::{Value, json};
use tracebloc_bed::image::Image;
use tracebloc_bed::{Bed, Helm, Install, Tenant, wait_until};

use crate::refresh::{annotation, object, plan, recorded, refresh, running, steps};
use crate::refresh_any_chart::{publish, shop};
use crate::refresh_faults::{behind, kubectl, refused};
use crate::support::{install, installed, paste};

/// Patches an object of the tenant's.
fn patch(tenant: &Tenant<'_>, object: &str, patch: &Value) {
    kubectl(
        tenant,
        &["patch", object, "--type", "merge", "-p", &patch.to_string()],
    );
}

#[test]
fn pods_that_are_replaced_by_hand_only_are_refused_with_the_way_out() {
    let name = "odd-on-delete";
    let tenant = shop(name);
    for (kind, image) in [("daemonset", "agent"), ("statefulset", "store")] {
        let workload = format!("{kind}/{name}-{image}");
        patch(
            &tenant,
            &workload,
            &json!({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}}}),
        );
        let moved = publish(&tenant, image, &Image::new(format!("{image} two")));
        let old = running(&tenant, image);
        assert_eq!(refused(&tenant, &[name]), ["on-delete"], "{kind}");
        assert_eq!(running(&tenant, image), old, "{kind}");
        // The others are not held up by it.
        let others = publish(&tenant, "web", &Image::new(format!("web beside {kind}")));
        let web = format!("{name}-web");
        let done = plan(&refresh(&tenant, &[name, "--workload", &web]), 0);
        assert_eq!(steps(&done), [("restart", web.as_str(), "done")], "{kind}");
        assert_eq!(running(&tenant, "web"), [others], "{kind}");
        // What is told as the way out is one.
        let told = plan(&refresh(&tenant, &[name]), 11);
        let advice = told["refusals"][0]["advice"][0].as_str().unwrap();
        paste(&tenant, advice, Helm::Four).success().unwrap();
        let what = format!("{kind} runs what is published");
        let seen = || {
            Ok(if running(&tenant, image) == [moved.clone()] {
                Ok(())
            } else {
                Err(running(&tenant, image).join(" "))
            })
        };
        wait_until(std::time::Duration::from_secs(60), &what, seen).unwrap();
        assert_eq!(steps(&plan(&refresh(&tenant, &[name]), 0)), [], "{kind}");
    }
}

/// Makes so many pods of an app ready that were not.
fn make_ready(tenant: &Tenant<'_>, label: &str, count: usize) {
    let new = || {
        let pods = tenant.pods().unwrap();
        let unready = pods.iter().filter(|pod| {
            pod["metadata"]["labels"]["app"] == label
                && pod["metadata"]["annotations"]["bed.tracebloc.io/ready"] == "false"
        });
        let names: Vec<String> = unready
            .map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned())
            .collect();
        Ok(if names.len() > count {
            Ok(names)
        } else {
            Err(format!("{names:?}"))
        })
    };
    let deadline = std::time::Duration::from_secs(60);
    let names = wait_until(deadline, "all new pods are there", new).unwrap();
    for name in &names[..count] {
        let pod = format!("pod/{name}");
        kubectl(tenant, &["annotate", &pod, "bed.tracebloc.io/ready-"]);
    }
}

#[test]
fn one_pod_of_several_that_stays_behind_is_named_and_all_are_brought_back() {
    let tenant = installed("odd-one", "1.9.28");
    recorded(&tenant);
    let main = "odd-one-jobs-manager";
    kubectl(
        &tenant,
        &["scale", &format!("deployment/{main}"), "--replicas=3"],
    );
    tenant.wait_ready().unwrap();
    let good = running(&tenant, "api");
    let bad = Image::new("bad").steering("ready", "false");
    tenant
        .publish("tracebloc/jobs-manager", "prod", &bad)
        .unwrap();
    let output = std::thread::scope(|scope| {
        let beside = scope.spawn(|| make_ready(&tenant, "manager", 2));
        let output = refresh(&tenant, &["--timeout", "25s"]);
        beside.join().unwrap();
        output
    });
    plan(&output, 1);
    assert!(output.stderr.contains("3/3 new, 2 ready"), "{output}");
    let told: Vec<&str> = output
        .stderr
        .lines()
        .filter(|line| line.contains("container api: "))
        .collect();
    assert_eq!(told.len(), 1, "the one that is not ready: {output}");
    assert!(told[0].contains("not ready"), "{output}");
    assert!(output.stderr.contains("it was undone"), "{output}");
    assert_eq!(running(&tenant, "api"), good);
    assert_eq!(
        annotation(&tenant, main, "last-refreshed-jobs-manager-digest").as_ref(),
        good.first()
    );
}

#[test]
fn a_pod_that_no_node_takes_is_told_in_the_schedulers_words() {
    // On a cluster of its own, whose nodes take nothing more.
    let bed = Bed::private().unwrap();
    let tenant = bed.tenant("odd-nodes").unwrap();
    tenant.publish_all("prod", "one").unwrap();
    install(&tenant, &Install::client("odd-nodes", "1.9.28"));
    recorded(&tenant);
    let moved = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    kubectl(&tenant, &["cordon", "--selector", "bed.tracebloc.io/node"]);
    let output = refresh(&tenant, &["--timeout", "8s", "--on-failure", "keep"]);
    plan(&output, 1);
    assert!(
        output.stderr.contains("no node takes it: 0/2 nodes"),
        "{output}"
    );
    kubectl(
        &tenant,
        &["uncordon", "--selector", "bed.tracebloc.io/node"],
    );
    tenant.wait_ready().unwrap();
    plan(&refresh(&tenant, &["--clear-flap"]), 0);
    assert_eq!(running(&tenant, "proxy"), [moved.digest]);
}

#[test]
fn a_disruption_budget_that_allows_nothing_is_about_evictions_and_no_hindrance() {
    let (tenant, moved) = behind("odd-budget", "1.9.28");
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": "nothing", "namespace": tenant.namespace()},
        "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "manager"}}},
    });
    let cluster = tenant.bed().cluster();
    let made = cluster.kubectl_with_input(&["create", "-f", "-"], &budget.to_string());
    made.unwrap().success().unwrap();
    let allowed = || {
        let budget = object(&tenant, "poddisruptionbudget", "nothing");
        let status = &budget["status"];
        Ok(
            if status["observedGeneration"] == 1 && status["disruptionsAllowed"] == 0 {
                Ok(())
            } else {
                Err(status.to_string())
            },
        )
    };
    let deadline = std::time::Duration::from_secs(60);
    wait_until(deadline, "the budget is in force", allowed).unwrap();
    plan(&refresh(&tenant, &[]), 0);
    assert_eq!(running(&tenant, "api"), [moved]);
}

#[test]
fn pods_that_come_one_after_the_other_are_brought_back_too() {
    let name = "odd-ordered";
    let tenant = shop(name);
    let good = running(&tenant, "store");
    let bad = Image::new("bad").steering("ready", "false");
    publish(&tenant, "store", &bad);
    let output = refresh(&tenant, &[name, "--timeout", "8s"]);
    plan(&output, 1);
    assert!(output.stderr.contains("it was undone"), "{output}");
    let hung = format!("pod {name}-store-1 was deleted");
    assert!(output.stderr.contains(&hung), "{output}");
    assert_eq!(running(&tenant, "store"), good);
}
