//! Guards whose cause lies outside of the workload: who else looks after it, what the nodes' cache serves, what the nodes can run, what pods report.

use tracebloc_bed::image::{Image, Platform};
use tracebloc_bed::{Bed, Install};

use crate::outdated_cache::{fill, mirror};
use crate::refresh::{annotation, decision, plan, recorded, refresh, running, steps};
use crate::refresh_faults::{behind, kubectl, refused};
use crate::support::{behind_a_proxy, install, installed, quiet, tenant};
use crate::traps::runs;
use crate::{pin, pin_faults};

#[test]
fn a_cache_that_serves_the_old_content_is_no_reason_to_start_pods_anew() {
    let (tenant, proxy) = behind_a_proxy("guard-cache");
    let cache = mirror(&tenant, &proxy.host());
    recorded(&tenant);
    fill(
        &tenant,
        "tracebloc/jobs-manager",
        "prod",
        "tracebloc/jobs-manager one",
    );
    let moved = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let old = running(&tenant, "api");
    assert_eq!(refused(&tenant, &[&cache]), ["cache-stale"]);
    assert_eq!(running(&tenant, "api"), old);
    // The exact content is asked for by its digest, which no tag of the cache stands for.
    let exact = ["--action", "set-image", "--dry-run", &cache];
    let way_out = plan(&refresh(&tenant, &exact), 0);
    assert_eq!(steps(&way_out)[0].0, "set-image", "{way_out:#}");
    fill(&tenant, "tracebloc/jobs-manager", "prod", "two");
    plan(&refresh(&tenant, &[&cache]), 0);
    assert_eq!(running(&tenant, "api"), [moved.digest]);
}

#[test]
fn whoever_else_looks_after_a_release_is_asked_first() {
    let (tenant, moved) = behind("guard-managed", "1.9.28");
    let main = "deployment/guard-managed-jobs-manager";
    for label in [
        "kustomize.toolkit.fluxcd.io/name",
        "helm.toolkit.fluxcd.io/name",
    ] {
        kubectl(&tenant, &["label", main, &format!("{label}=edge")]);
        assert_eq!(refused(&tenant, &[]), ["managed-elsewhere"], "{label}");
        kubectl(&tenant, &["label", main, &format!("{label}-")]);
    }
    let beside = [
        "annotate",
        main,
        "example.com/note=x",
        "--field-manager",
        "terraform-provider-helm_v3.0.0_x5",
    ];
    kubectl(&tenant, &beside);
    let told = plan(&refresh(&tenant, &[]), 11);
    let refusal = &told["refusals"][0];
    assert_eq!(refusal["guard"], "managed-elsewhere", "{told:#}");
    assert!(refusal["message"].to_string().contains("Terraform"));
    plan(&refresh(&tenant, &["--override-managed"]), 0);
    assert_eq!(running(&tenant, "api"), [moved]);
}

#[test]
fn content_that_a_node_cannot_run_is_not_brought_to_any() {
    // On a cluster of its own, with a node of another kind: the daemon set wants them all.
    let bed = Bed::private().unwrap();
    bed.cluster().add_nodes("arm", "arm64", 1).unwrap();
    let tenant = bed.tenant("guard-platform").unwrap();
    tenant.publish_all("prod", "one").unwrap();
    install(&tenant, &Install::client("guard-platform", "1.9.40"));
    recorded(&tenant);
    let name = "guard-platform-jobs-manager";
    let record = || annotation(&tenant, name, "last-refreshed-resource-monitor-digest");
    let before = record();
    let lacking = Image::new("two").platforms([Platform::linux("amd64")]);
    tenant
        .publish("tracebloc/resource-monitor", "prod", &lacking)
        .unwrap();
    let told = plan(&refresh(&tenant, &[]), 11);
    assert_eq!(decision(&told, "resource-monitor"), "move", "{told:#}");
    let refusal = &told["refusals"][0];
    assert_eq!(refusal["guard"], "platform-missing", "{told:#}");
    assert!(refusal["message"].to_string().contains("arm64"), "{told:#}");
    assert_eq!(record(), before);
    let whole = tenant.move_tag("tracebloc/resource-monitor", "prod", "three");
    plan(&refresh(&tenant, &[]), 0);
    assert_eq!(record(), Some(whole.unwrap().digest));
}

#[test]
fn what_pods_do_not_agree_on_or_cannot_name_is_not_pinned() {
    let tenant = installed("guard-pin", "1.9.28");
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let proxy = "deployment/guard-pin-requests-proxy";
    kubectl(&tenant, &["rollout", "restart", proxy]);
    tenant.wait_ready().unwrap();
    assert_eq!(pin_faults::refused(&tenant, "jobs-manager"), ["skewed"]);
    // Some runtimes tell only the digest of the configuration, by which nothing can be pulled.
    let configuration = format!("docker://sha256:{}", "c".repeat(64));
    let (pods, container) = ("guard-pin-jobs-manager", "pods-monitor-container");
    runs(&tenant, pods, container, &configuration);
    assert_eq!(
        pin_faults::refused(&tenant, "pods-monitor"),
        ["not-pinnable"]
    );
    // Where pods agree again, it is held.
    plan(
        &refresh(&tenant, &["--force", "--image", "jobs-manager"]),
        0,
    );
    let held = pin::hold(&tenant, "pin", "jobs-manager", &["--dry-run"]);
    assert_eq!(decision(&plan(&held, 0), "jobs-manager"), "pin");
}

#[test]
fn an_image_in_the_environment_goes_back_where_its_rollout_fails() {
    let name = "guard-carried";
    let tenant = tenant(name);
    let publish = |content: &str| {
        let published = tenant.move_tag("tracebloc/ingestor", "0.3", content);
        published.unwrap().digest
    };
    let old = publish("one");
    install(&tenant, &quiet(name, "1.4.4"));
    let main = format!("deployment/{name}-jobs-manager");
    let set = format!("INGESTOR_IMAGE_DIGEST={old}");
    kubectl(&tenant, &["set", "env", &main, "--containers", "api", &set]);
    tenant.wait_ready().unwrap();
    // Charts of that age name the public registry; here the tenant's stands in for it.
    let through = format!("--registry-mirror=ghcr.io={}", tenant.registry_path());
    plan(&refresh(&tenant, &[&through]), 0);
    let new = publish("two");
    kubectl(&tenant, &["create", "quota", "none", "--hard=pods=0"]);
    let output = refresh(&tenant, &[&through, "--timeout", "6s"]);
    let failed = plan(&output, 1);
    assert_eq!(
        steps(&failed)[0],
        (
            "set-environment",
            format!("{name}-jobs-manager").as_str(),
            "failed"
        ),
        "{failed:#}"
    );
    assert!(output.stderr.contains("it was undone"), "{output}");
    let environment = || {
        let path = "jsonpath={.spec.template.spec.containers[?(@.name=='api')].env}";
        let live = tenant.kubectl(&["get", &main, "-o", path]);
        live.unwrap().success().unwrap()
    };
    assert!(environment().contains(&old), "{}", environment());
    let record = || {
        let name = format!("{name}-jobs-manager");
        annotation(&tenant, &name, "last-refreshed-ingestor-digest")
    };
    assert_eq!(record(), Some(old));
    kubectl(&tenant, &["delete", "quota", "none"]);
    // The content was not at fault, and it takes a word to try it again.
    assert_eq!(refused(&tenant, &[&through]), ["flapping"]);
    plan(&refresh(&tenant, &[&through, "--clear-flap"]), 0);
    assert!(environment().contains(&new), "{}", environment());
    assert_eq!(record(), Some(new));
}
