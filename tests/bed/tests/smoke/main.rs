//! What the rest of the tests stand on: that the bed behaves as a real cluster where it plays a part of one, and leaves nothing behind.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails as its test does"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tracebloc_bed::image::Image;
use tracebloc_bed::kwok::{STORAGE_CLASS_DELETE, STORAGE_CLASS_RETAIN};
use tracebloc_bed::process::signal_group;
use tracebloc_bed::{Bed, Tenant, wait_until};

const DEADLINE: Duration = Duration::from_secs(60);
/// Names the file in which [`hold_a_bed_until_killed`] tells where its bed is.
const HOLD: &str = "TRACEBLOC_BED_SMOKE_HOLD";

fn tenant(name: &str) -> Tenant<'static> {
    Bed::shared().tenant(name).unwrap()
}

/// A pod with one container `main`, steered by annotations.
fn pod(name: &str, image: &str, annotations: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"containers": [{"name": "main", "image": image}]},
    })
}

fn create(tenant: &Tenant<'_>, collection: &str, object: &Value) {
    let path = format!("/{collection}").replacen("NAMESPACE", tenant.namespace(), 1);
    tenant.bed().cluster().api().create(&path, object).unwrap();
}

/// Waits for a pod in which `wanted` holds, and returns it.
fn wait_pod(tenant: &Tenant<'_>, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/api/v1/namespaces/{}/pods/{name}", tenant.namespace());
    wait_until(DEADLINE, what, || {
        let pod = tenant.bed().cluster().api().get(&path)?;
        Ok(if wanted(&pod) {
            Ok(pod)
        } else {
            Err(pod["status"].to_string())
        })
    })
    .unwrap()
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions
        .iter()
        .find(|condition| condition["type"] == kind)?["status"]
        .as_str()
}

fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready") == Some("True")
}

fn main_status(pod: &Value) -> &Value {
    &pod["status"]["containerStatuses"][0]
}

#[test]
fn a_restart_after_a_moved_tag_runs_the_new_content_and_the_old_pods_kept_theirs() {
    let tenant = tenant("smoke-move");
    let old = tenant
        .publish("tracebloc/api", "prod", &Image::new("old"))
        .unwrap()
        .digest;
    let image = format!("{}/tracebloc/api:prod", tenant.registry_path());
    tenant
        .kubectl(&[
            "create",
            "deployment",
            "api",
            "--replicas=2",
            "--image",
            &image,
        ])
        .unwrap()
        .success()
        .unwrap();
    tenant.wait_ready().unwrap();
    assert_eq!(image_ids(&tenant), vec![running(&tenant, &old); 2]);

    let new = tenant
        .move_tag("tracebloc/api", "prod", "new")
        .unwrap()
        .digest;
    assert_ne!(old, new);
    assert_eq!(image_ids(&tenant), vec![running(&tenant, &old); 2]);

    tenant
        .kubectl(&["rollout", "restart", "deployment/api"])
        .unwrap()
        .success()
        .unwrap();
    tenant
        .kubectl(&["rollout", "status", "deployment/api", "--timeout=60s"])
        .unwrap()
        .success()
        .unwrap();
    tenant.wait_ready().unwrap();
    assert_eq!(image_ids(&tenant), vec![running(&tenant, &new); 2]);
}

/// The `imageID` of content that a tenant's `tracebloc/api` runs.
fn running(tenant: &Tenant<'_>, digest: &str) -> String {
    format!("{}/tracebloc/api@{digest}", tenant.registry_path())
}

/// The image ids of pods that are not being deleted.
fn image_ids(tenant: &Tenant<'_>) -> Vec<String> {
    let pods = tenant.pods().unwrap();
    let stays = pods
        .iter()
        .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    stays
        .map(|pod| {
            main_status(pod)["imageID"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
}

#[test]
fn an_image_that_does_not_exist_is_not_pulled_until_it_is_steered_otherwise() {
    let tenant = tenant("smoke-pull");
    let image = format!("{}/tracebloc/absent:prod", tenant.registry_path());
    create(
        &tenant,
        "api/v1/namespaces/NAMESPACE/pods",
        &pod("absent", &image, &json!({})),
    );
    let seen = wait_pod(&tenant, "absent", "the pull backs off", |pod| {
        main_status(pod)["state"]["waiting"]["reason"] == "ImagePullBackOff"
    });
    assert_eq!(seen["status"]["phase"], "Pending");
    assert_eq!(main_status(&seen)["imageID"], "");
    tenant
        .kubectl(&["annotate", "pod/absent", "bed.tracebloc.io/pull-error-"])
        .unwrap()
        .success()
        .unwrap();
    wait_pod(&tenant, "absent", "the pod starts", is_ready);
}

#[test]
fn readiness_follows_the_annotations() {
    let tenant = tenant("smoke-ready");
    tenant
        .publish("tracebloc/api", "prod", &Image::new("one"))
        .unwrap();
    let image = format!("{}/tracebloc/api:prod", tenant.registry_path());
    let pods = "api/v1/namespaces/NAMESPACE/pods";
    create(
        &tenant,
        pods,
        &pod("never", &image, &json!({"bed.tracebloc.io/ready": "false"})),
    );
    create(
        &tenant,
        pods,
        &pod(
            "late",
            &image,
            &json!({"bed.tracebloc.io/ready-delay": "3s"}),
        ),
    );
    let running = |pod: &Value| pod["status"]["phase"] == "Running";
    assert!(!is_ready(&wait_pod(&tenant, "late", "late runs", running)));
    assert!(!is_ready(&wait_pod(
        &tenant,
        "never",
        "never runs",
        running
    )));
    wait_pod(&tenant, "late", "late is ready", is_ready);
    assert!(!is_ready(&wait_pod(
        &tenant,
        "never",
        "never still runs",
        running
    )));
    tenant
        .kubectl(&["annotate", "pod/never", "bed.tracebloc.io/ready-"])
        .unwrap()
        .success()
        .unwrap();
    wait_pod(&tenant, "never", "never is ready after all", is_ready);
    tenant
        .kubectl(&["annotate", "pod/late", "bed.tracebloc.io/ready=false"])
        .unwrap()
        .success()
        .unwrap();
    wait_pod(&tenant, "late", "late is not ready any more", |pod| {
        !is_ready(pod)
    });
}

#[test]
fn a_crash_loop_counts_restarts_and_ends_with_its_annotation() {
    let tenant = tenant("smoke-crash");
    tenant
        .publish("tracebloc/api", "prod", &Image::new("one"))
        .unwrap();
    let image = format!("{}/tracebloc/api:prod", tenant.registry_path());
    let steering = json!({
        "bed.tracebloc.io/crash": "*",
        "bed.tracebloc.io/crash-after": "200ms",
        "bed.tracebloc.io/crash-back-off": "200ms",
    });
    create(
        &tenant,
        "api/v1/namespaces/NAMESPACE/pods",
        &pod("crash", &image, &steering),
    );
    let seen = wait_pod(&tenant, "crash", "it restarts", |pod| {
        main_status(pod)["restartCount"].as_i64() >= Some(2)
            && main_status(pod)["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    });
    assert!(!is_ready(&seen));
    assert_eq!(main_status(&seen)["lastState"]["terminated"]["exitCode"], 1);
    tenant
        .kubectl(&["annotate", "pod/crash", "bed.tracebloc.io/crash-"])
        .unwrap()
        .success()
        .unwrap();
    wait_pod(&tenant, "crash", "it recovers", is_ready);
}

#[test]
fn jobs_complete_and_fail() {
    let tenant = tenant("smoke-job");
    tenant
        .publish("tracebloc/api", "prod", &Image::new("one"))
        .unwrap();
    let image = format!("{}/tracebloc/api:prod", tenant.registry_path());
    for (name, code, end) in [("good", "0", "Complete"), ("bad", "3", "Failed")] {
        let job = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": name},
            "spec": {"backoffLimit": 0, "template": {
                "metadata": {"annotations": {"bed.tracebloc.io/run-time": "100ms", "bed.tracebloc.io/exit-code": code}},
                "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": image}]},
            }},
        });
        create(&tenant, "apis/batch/v1/namespaces/NAMESPACE/jobs", &job);
        let path = format!(
            "/apis/batch/v1/namespaces/{}/jobs/{name}",
            tenant.namespace()
        );
        wait_until(DEADLINE, &format!("the job is {end}"), || {
            let job = tenant.bed().cluster().api().get(&path)?;
            Ok(if condition(&job, end) == Some("True") {
                Ok(())
            } else {
                Err(job["status"].to_string())
            })
        })
        .unwrap();
    }
}

#[test]
fn volumes_are_bound_and_go_or_stay_as_their_class_says() {
    let tenant = tenant("smoke-volume");
    let api = tenant.bed().cluster().api();
    for (class, stays) in [(STORAGE_CLASS_DELETE, false), (STORAGE_CLASS_RETAIN, true)] {
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": class},
            "spec": {"accessModes": ["ReadWriteMany"], "storageClassName": class, "resources": {"requests": {"storage": "1Gi"}}},
        });
        create(
            &tenant,
            "api/v1/namespaces/NAMESPACE/persistentvolumeclaims",
            &claim,
        );
        let path = format!(
            "/api/v1/namespaces/{}/persistentvolumeclaims/{class}",
            tenant.namespace()
        );
        let volume = wait_until(DEADLINE, "the claim is bound", || {
            let claim = api.get(&path)?;
            let volume = claim["spec"]["volumeName"].as_str().map(str::to_owned);
            Ok(volume
                .filter(|_| claim["status"]["phase"] == "Bound")
                .ok_or_else(|| claim["status"].to_string()))
        })
        .unwrap();
        api.delete(&path).unwrap();
        wait_until(DEADLINE, "the volume is what its class says", || {
            let volume = api.find(&format!("/api/v1/persistentvolumes/{volume}"))?;
            let phase = volume
                .as_ref()
                .map(|volume| volume["status"]["phase"].clone());
            let holds = if stays {
                phase == Some(json!("Released"))
            } else {
                phase.is_none()
            };
            Ok(if holds {
                Ok(())
            } else {
                Err(format!("{phase:?}"))
            })
        })
        .unwrap();
    }
}

#[test]
fn two_beds_stand_side_by_side_and_one_ends_alone() {
    let shared = Bed::shared();
    let other = Bed::private().unwrap();
    assert_ne!(shared.cluster().server(), other.cluster().server());
    assert_ne!(shared.registry().host(), other.registry().host());
    let directory = other.cluster().directory().to_owned();
    let children = children(&directory);
    assert!(children.len() >= 6, "{children:?}");
    assert_eq!(running_groups(&children), children);
    drop(other);
    assert!(!directory.exists(), "{}", directory.display());
    assert_eq!(running_groups(&children), Vec::<u32>::new());
    shared.cluster().api().ready().unwrap();
}

#[test]
fn nothing_is_left_when_the_test_process_is_killed() {
    let told = std::env::temp_dir().join(format!("tracebloc-bed-smoke-{}", std::process::id()));
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "hold_a_bed_until_killed"])
        .env(HOLD, &told)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let directory = wait_until(
        Duration::from_secs(180),
        "the other process has a bed",
        || {
            Ok(std::fs::read_to_string(&told)
                .map(PathBuf::from)
                .map_err(|error| error.to_string()))
        },
    );
    let children = directory
        .as_ref()
        .map(|directory| children(directory))
        .unwrap_or_default();
    let ran = running_groups(&children);
    holder.kill().unwrap();
    holder.wait().unwrap();
    std::fs::remove_file(&told).unwrap();
    let directory = directory.unwrap();
    assert!(children.len() >= 6, "{children:?}");
    assert_eq!(ran, children);
    let gone = wait_until(
        Duration::from_secs(20),
        "the bed of the killed process is gone",
        || {
            let left = running_groups(&children);
            let gone = left.is_empty() && !directory.exists();
            Ok(if gone {
                Ok(())
            } else {
                Err(format!("{left:?} {}", directory.display()))
            })
        },
    );
    // Where the watchdog failed, this test still leaves nothing behind.
    for group in children {
        signal_group(group, "KILL");
    }
    gone.unwrap();
}

#[test]
#[ignore = "the process that `nothing_is_left_when_the_test_process_is_killed` starts and kills"]
fn hold_a_bed_until_killed() {
    let Some(told) = std::env::var_os(HOLD).map(PathBuf::from) else {
        return;
    };
    let bed = Bed::private().unwrap();
    // Renamed into place, so that a reader sees the whole path or nothing.
    let aside = told.with_extension("part");
    std::fs::write(
        &aside,
        bed.cluster().directory().as_os_str().as_encoded_bytes(),
    )
    .unwrap();
    std::fs::rename(aside, told).unwrap();
    std::thread::sleep(Duration::from_secs(600));
}

/// The process groups of the children of a run.
fn children(directory: &Path) -> Vec<u32> {
    let files = std::fs::read_dir(directory.join("pids")).unwrap();
    files
        .map(|file| {
            std::fs::read_to_string(file.unwrap().path())
                .unwrap()
                .trim()
                .parse()
                .unwrap()
        })
        .collect()
}

/// Those of the process groups that still have a living process. A zombie does not count: whoever inherited it reaps it in its own time.
fn running_groups(groups: &[u32]) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    // A process may end between the listing and the reading.
    let states =
        processes.filter_map(|process| std::fs::read_to_string(process.path().join("stat")).ok());
    let running: BTreeSet<u32> = states.filter_map(|state| running_group(&state)).collect();
    groups
        .iter()
        .copied()
        .filter(|group| running.contains(group))
        .collect()
}

/// The process group of a line of `/proc/<pid>/stat`: `pid (name) state parent group ...`. The name may hold anything.
fn running_group(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?;
    let group = fields.nth(1)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(group)
}

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
