//! What the rest of the tests stand on: that the bed behaves as a real cluster where it plays a part of one, and leaves nothing behind.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails as its test does"
)]

mod ends;
mod node;

use std::time::Duration;

use serde_json::{Value, json};
use tracebloc_bed::image::Image;
use tracebloc_bed::kwok::{STORAGE_CLASS_DELETE, STORAGE_CLASS_RETAIN};
use tracebloc_bed::{Bed, Tenant, wait_until};

const DEADLINE: Duration = Duration::from_secs(60);

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
