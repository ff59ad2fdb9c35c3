//! A real node, where the machine can have one.

use std::path::{Path, PathBuf};

use tracebloc_bed::Bed;
use tracebloc_bed::image::Image;

use crate::{image_ids, main_status, running};

#[test]
fn a_real_node_pulls_runs_shows_logs_and_executes() {
    let Some(tenant) = Bed::shared().tenant_on_real_node("smoke-node").unwrap() else {
        return;
    };
    let old = tenant
        .publish("tracebloc/api", "prod", &Image::new("old content"))
        .unwrap()
        .digest;
    let image = format!("{}/tracebloc/api:prod", tenant.registry_path());
    let kubectl = |arguments: &[&str]| tenant.kubectl(arguments).unwrap().success().unwrap();
    kubectl(&["create", "deployment", "api", "--image", &image]);
    // Nothing of the bed plays the pull here.
    kubectl(&[
        "patch",
        "deployment/api",
        "--patch",
        r#"{"spec":{"template":{"spec":{"containers":[{"name":"api","imagePullPolicy":"Always"}]}}}}"#,
    ]);
    kubectl(&["rollout", "status", "deployment/api", "--timeout=60s"]);
    tenant.wait_ready().unwrap();
    assert_eq!(image_ids(&tenant), [running(&tenant, &old)]);
    let logs = kubectl(&["logs", "deployment/api"]);
    assert!(logs.contains("old content"), "{logs}");
    let executed = kubectl(&["exec", "deployment/api", "--", "/payload", "exit"]);
    assert!(executed.contains("old content"), "{executed}");

    let new = tenant
        .move_tag("tracebloc/api", "prod", "new content")
        .unwrap()
        .digest;
    assert_eq!(image_ids(&tenant), [running(&tenant, &old)]);
    kubectl(&["rollout", "restart", "deployment/api"]);
    kubectl(&["rollout", "status", "deployment/api", "--timeout=60s"]);
    tenant.wait_ready().unwrap();
    assert_eq!(image_ids(&tenant), [running(&tenant, &new)]);
    // Of two pods kubectl would show the one that is ending.
    let pods = tenant.pods().unwrap();
    let stays = pods
        .iter()
        .find(|pod| pod["metadata"]["deletionTimestamp"].is_null())
        .unwrap();
    let logs = kubectl(&["logs", stays["metadata"]["name"].as_str().unwrap()]);
    assert!(logs.contains("new content"), "{logs}");
}

#[test]
fn a_real_node_ends_with_its_bed() {
    let bed = Bed::start(&[]).unwrap();
    let Some(tenant) = bed.tenant_on_real_node("smoke-node-end").unwrap() else {
        return;
    };
    tenant
        .publish("tracebloc/api", "prod", &Image::new("content"))
        .unwrap();
    let image = format!("{}/tracebloc/api:prod", tenant.registry_path());
    tenant
        .kubectl(&["create", "deployment", "api", "--image", &image])
        .unwrap()
        .success()
        .unwrap();
    tenant.wait_ready().unwrap();
    let bridge = bed.real_node().unwrap().bridge().to_owned();
    let directory = bed.cluster().directory().to_owned();
    let link = PathBuf::from("/sys/class/net").join(&bridge);
    assert!(link.exists());
    assert!(!processes_that_name(&directory).is_empty());
    let containers: Vec<String> = tenant
        .pods()
        .unwrap()
        .iter()
        .map(|pod| main_status(pod)["containerID"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        containers
            .iter()
            .flat_map(|container| cgroups_of(container))
            .any(|cgroup| cgroup.exists())
    );

    drop(tenant);
    drop(bed);
    assert!(!link.exists(), "the bridge {bridge} is left");
    assert_eq!(processes_that_name(&directory), Vec::<String>::new());
    assert!(!directory.exists());
    for cgroup in containers
        .iter()
        .flat_map(|container| cgroups_of(container))
    {
        assert!(!cgroup.exists(), "{} is left", cgroup.display());
    }
}

/// Where the cgroups of a container may be: one hierarchy, or many.
fn cgroups_of(container: &str) -> Vec<PathBuf> {
    let below = Path::new("k8s.io").join(container.rsplit('/').next().unwrap());
    let root = Path::new("/sys/fs/cgroup");
    let mut cgroups = vec![root.join(&below)];
    for hierarchy in std::fs::read_dir(root).unwrap() {
        cgroups.push(hierarchy.unwrap().path().join(&below));
    }
    cgroups
}

/// The command lines of running processes that name a folder: shims of containers do, whoever their parent is.
fn processes_that_name(directory: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap() {
        // A process may end while it is looked at.
        let line = std::fs::read(process.unwrap().path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(directory.to_str().unwrap()) && !line.starts_with("sh -c ") {
            lines.push(line);
        }
    }
    lines
}
