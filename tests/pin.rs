//! `pin` and `unpin`: an image held at what runs, by a Helm upgrade that changes nothing else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tracebloc_bed::chart::Chart;
use tracebloc_bed::cluster::Output;
use tracebloc_bed::{Bed, Helm, Install, Tenant};

use crate::refresh::{annotation, decision, object, plan, recorded, refresh, running, steps};
use crate::support::{PLUGIN, hang, install, installed, run, tenant};

/// What nothing may repeat: a value of the release.
const SECRET: &str = "hunter2-of-the-client";

/// Runs one of the two as a robot does, with the plan as JSON.
pub(crate) fn hold(tenant: &Tenant<'_>, command: &str, image: &str, more: &[&str]) -> Output {
    let mut whole = vec![command, "--image", image, "--yes", "--context", "bed"];
    whole.extend(["--output", "json"]);
    if !more.contains(&"--timeout") {
        whole.extend(["--timeout", "60s"]);
    }
    whole.extend(more);
    run(tenant, &whole)
}

/// A `helm` that writes down what it is told, with the modes of the files it is given, and then does it.
struct Listener {
    folder: PathBuf,
    log: PathBuf,
    temporary: PathBuf,
}

impl Listener {
    fn around(tenant: &Tenant<'_>, helm: Helm) -> Self {
        let cluster = tenant.bed().cluster();
        let name = tenant.namespace();
        let log = cluster.write(&format!("listen/{name}/log"), "").unwrap();
        let real = cluster.programs(helm).join("helm");
        let script = format!(
            "#!/bin/sh\nfor word in \"$@\"; do\n  printf '%s\\n' \"$word\"\n  [ -f \"$word\" ] && stat -c 'mode %a' \"$word\"\ndone >>'{}'\nprintf 'debug %s\\n' \"$HELM_DEBUG\" >>'{}'\nexec '{}' \"$@\"\n",
            log.display(),
            log.display(),
            real.display()
        );
        let program = cluster
            .write(&format!("listen/{name}/helm"), script)
            .unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let folder = program.parent().unwrap().to_owned();
        let temporary = folder.join("tmp");
        fs::create_dir_all(&temporary).unwrap();
        Self {
            folder,
            log,
            temporary,
        }
    }

    /// The product with this helm: called by it as its plugin where it is Helm 3, and else found on the PATH.
    fn run(&self, tenant: &Tenant<'_>, helm: Helm, arguments: &[&str]) -> Output {
        let cluster = tenant.bed().cluster();
        let mut command: Command = cluster.command_with(PLUGIN, tenant.namespace(), helm);
        command.env("TMPDIR", &self.temporary);
        if helm == Helm::Three {
            command.arg("--helm-plugin").args(arguments);
            command
                .env("HELM_BIN", self.folder.join("helm"))
                .env("HELM_KUBECONTEXT", "bed")
                .env("HELM_NAMESPACE", tenant.namespace())
                .env("HELM_DEBUG", "true");
        } else {
            let path = std::env::join_paths([
                self.folder.as_path(),
                Path::new("/usr/bin"),
                Path::new("/bin"),
            ]);
            command.env("PATH", path.unwrap());
            command
                .args(arguments)
                .args(["--context", "bed", "--namespace", tenant.namespace()]);
        }
        let output = Output::of(&mut command).unwrap();
        for place in [&output.stdout, &output.stderr] {
            assert!(!place.contains(SECRET), "{output}");
        }
        output
    }

    /// Holds what was told to what may be told.
    fn check(&self) -> String {
        let told = fs::read_to_string(&self.log).unwrap();
        for secret in [SECRET, "sample-password", "client-key", "token"] {
            assert!(!told.contains(secret), "{told}");
        }
        assert!(!told.contains("debug true"), "{told}");
        let modes: Vec<&str> = told
            .lines()
            .filter(|line| line.starts_with("mode "))
            .collect();
        assert!(
            modes.len() >= 3,
            "the package, the values and the kubeconfig: {told}"
        );
        assert!(modes.iter().all(|mode| *mode == "mode 600"), "{told}");
        let left: Vec<_> = fs::read_dir(&self.temporary).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        told
    }
}

/// The images of a deployment's containers.
fn images(tenant: &Tenant<'_>, deployment: &str) -> Vec<String> {
    object(tenant, "deployment", deployment)["spec"]["template"]["spec"]["containers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|container| container["image"].as_str().unwrap().to_owned())
        .collect()
}

/// What the user's values of a release have at a place.
fn value(tenant: &Tenant<'_>, release: &str, place: &str) -> Value {
    let arguments = [
        "get",
        "values",
        release,
        "--output",
        "json",
        "--namespace",
        tenant.namespace(),
    ];
    let output = tenant.bed().cluster().helm(Helm::Four, &arguments).unwrap();
    let values: Value = serde_json::from_str(&output.success().unwrap()).unwrap();
    values.pointer(place).cloned().unwrap_or_default()
}

/// An upgrade of the user's own, to the same chart with another value.
fn upgrade_kept(tenant: &Tenant<'_>, release: &str, version: &str, helm: Helm) {
    let url = tenant.repository().url();
    let arguments = [
        "upgrade",
        release,
        "client",
        "--repo",
        &url,
        "--version",
        version,
        "--namespace",
        tenant.namespace(),
        "--reset-then-reuse-values",
        "--set",
        "env.LOG_LEVEL=debug",
    ];
    tenant
        .bed()
        .cluster()
        .helm(helm, &arguments)
        .unwrap()
        .success()
        .unwrap();
    tenant.wait_ready().unwrap();
}

#[test]
fn a_pin_lasts_until_it_is_taken_away_with_both_helms() {
    for (helm, name) in [(Helm::Three, "pin-three"), (Helm::Four, "pin-four")] {
        let tenant = tenant(name);
        let chart = Install::client(name, "1.9.28")
            .by(helm)
            .set(format!("clientPassword={SECRET}"));
        install(&tenant, &chart);
        recorded(&tenant);
        let held = running(&tenant, "api");
        let listener = Listener::around(&tenant, helm);
        let arguments = [
            "--image",
            "jobs-manager",
            "--yes",
            "--output",
            "json",
            "--timeout",
            "60s",
        ];
        let call = |command: &str| {
            let mut whole = vec![command];
            whole.extend(arguments);
            listener.run(&tenant, helm, &whole)
        };
        let pinned = plan(&call("pin"), 0);
        assert_eq!(steps(&pinned), [("set-value", name, "done")], "{pinned:#}");
        assert_eq!(decision(&pinned, "jobs-manager"), "pin");
        let told = listener.check();
        assert!(told.contains("--reset-then-reuse-values"), "{told}");
        let (main, proxy) = (
            format!("{name}-jobs-manager"),
            format!("{name}-requests-proxy"),
        );
        let at = format!("@{}", held[0]);
        assert!(images(&tenant, &main)[0].ends_with(&at));
        assert!(
            images(&tenant, &proxy)[0].ends_with(&at),
            "the other container of the image too"
        );
        assert!(
            images(&tenant, &main)[1].ends_with(":prod"),
            "and nothing else"
        );
        assert_eq!(value(&tenant, name, "/clientPassword"), SECRET);
        let history = tenant
            .bed()
            .cluster()
            .helm(helm, &["history", name, "--namespace", tenant.namespace()]);
        let history = history.unwrap().success().unwrap();
        assert!(
            history.contains("kubectl-tracebloc pin: jobs-manager"),
            "{history}"
        );
        let entries = object(&tenant, "configmap", &format!("tracebloc-history-{name}"));
        assert!(
            entries["data"]
                .to_string()
                .contains(r#"\"command\":\"pin\""#),
            "{entries:#}"
        );
        // The tag moves, somebody upgrades, and it stays.
        let moved = tenant
            .move_tag("tracebloc/jobs-manager", "prod", "two")
            .unwrap();
        assert_eq!(
            decision(&plan(&refresh(&tenant, &[]), 0), "jobs-manager"),
            "pinned"
        );
        upgrade_kept(&tenant, name, "1.9.28", helm);
        assert_eq!(running(&tenant, "api"), held);
        let again = plan(&call("pin"), 0);
        assert_eq!(
            (steps(&again), decision(&again, "jobs-manager")),
            (vec![], "pinned")
        );
        let let_go = plan(&call("unpin"), 0);
        assert_eq!(steps(&let_go), [("set-value", name, "done")], "{let_go:#}");
        assert_eq!(
            value(&tenant, name, "/images/jobsManager/digest"),
            Value::Null
        );
        assert_eq!(
            value(&tenant, name, "/env/LOG_LEVEL"),
            "debug",
            "the rest is kept"
        );
        for deployment in [&main, &proxy] {
            assert!(
                images(&tenant, deployment)[0].ends_with(":prod"),
                "{helm:?}"
            );
        }
        assert_eq!(running(&tenant, "api"), [moved.digest], "it follows again");
        let nothing = plan(&call("unpin"), 0);
        assert_eq!(decision(&nothing, "jobs-manager"), "not-pinned");
        listener.check();
    }
}

#[test]
fn values_are_printed_for_those_who_keep_them_elsewhere() {
    let tenant = installed("pin-values", "1.9.40");
    let before = object(&tenant, "deployment", "pin-values-jobs-manager");
    let output = run(
        &tenant,
        &[
            "pin",
            "--image",
            "jobs-manager,pods-monitor",
            "--print-values",
        ],
    );
    let printed: Value =
        tracebloc_core::yaml::from_slice(output.success().unwrap().as_bytes()).unwrap();
    let digest = |container: &str| json!({"digest": running(&tenant, container)[0]});
    let expected = json!({"images": {"jobsManager": digest("api"), "podsMonitor": digest("pods-monitor-container")}});
    assert_eq!(printed, expected);
    let after = object(&tenant, "deployment", "pin-values-jobs-manager");
    assert_eq!(
        before["metadata"]["generation"],
        after["metadata"]["generation"]
    );
}

/// The guards of a run that was refused.
pub(crate) fn refused(tenant: &Tenant<'_>, image: &str) -> Vec<String> {
    let plan = plan(&hold(tenant, "pin", image, &[]), 11);
    let refusals = plan["refusals"].as_array().unwrap();
    refusals
        .iter()
        .map(|refusal| refusal["guard"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn guards_say_no_before_anything_is_begun() {
    let tenant = installed("pin-refuse", "1.9.28");
    assert_eq!(refused(&tenant, "auto-upgrade"), ["not-pinnable"]);
    let main = "deployment/pin-refuse-jobs-manager";
    let kubectl = |arguments: &[&str]| tenant.kubectl(arguments).unwrap().success().unwrap();
    let mark = "argocd.argoproj.io/tracking-id";
    kubectl(&["annotate", main, &format!("{mark}=app:apps/Deployment:x/y")]);
    assert_eq!(refused(&tenant, "jobs-manager"), ["managed-elsewhere"]);
    kubectl(&["annotate", main, &format!("{mark}-")]);
    // What the chart's own refresh does in later versions.
    let two = tenant
        .move_tag("tracebloc/pods-monitor", "prod", "two")
        .unwrap();
    let set = format!(
        "pods-monitor-container={}/tracebloc/pods-monitor@{}",
        tenant.registry_path(),
        two.digest
    );
    kubectl(&["set", "image", main, &set]);
    tenant.wait_ready().unwrap();
    assert_eq!(refused(&tenant, "jobs-manager"), ["fields-owned"]);
    let both = plan(&hold(&tenant, "pin", "jobs-manager,pods-monitor", &[]), 0);
    assert_eq!(
        steps(&both),
        [("set-value", "pin-refuse", "done")],
        "both want the same"
    );
    let wrong = hold(&tenant, "pin", "job-manager", &[]);
    assert_eq!(wrong.code, Some(2), "{wrong}");
    assert!(wrong.stderr.contains("jobs-manager"), "{wrong}");
}

#[test]
fn a_pending_release_is_left_alone() {
    let tenant = installed("pin-pending", "1.9.28");
    hang(&tenant, "pin-pending", "2026-11-21T10:00:00Z");
    assert_eq!(refused(&tenant, "jobs-manager"), ["release-pending"]);
}

#[test]
fn a_package_that_is_not_the_published_one_is_not_installed() {
    let tenant = installed("pin-package", "1.9.28");
    let index = tenant.repository().index();
    let other = Chart::sample("client-1.9.28", &tenant.registry_path())
        .unwrap()
        .with_file("README.md", "another one")
        .unwrap();
    tenant.repository().publish(other);
    tenant.repository().replace_index(index);
    let output = hold(&tenant, "pin", "jobs-manager", &[]);
    assert_eq!(output.code, Some(1), "{output}");
    assert!(output.stderr.contains("not the one"), "{output}");
    assert!(images(&tenant, "pin-package-jobs-manager")[0].ends_with(":prod"));
}

#[test]
fn without_a_helm_it_is_the_workstation() {
    let tenant = installed("pin-nohelm", "1.9.28");
    let mut command = crate::support::command(
        &tenant,
        &[
            "pin",
            "--image",
            "jobs-manager",
            "--yes",
            "--context",
            "bed",
            "-n",
            tenant.namespace(),
        ],
    );
    command.env("PATH", "/no/such/folder");
    let output = Output::of(&mut command).unwrap();
    assert_eq!(output.code, Some(3), "{output}");
    assert!(output.stderr.contains("--print-values"), "{output}");
}

#[test]
fn an_upgrade_that_fails_is_rolled_back_and_told_without_secrets() {
    let tenant = tenant("pin-fails");
    install(
        &tenant,
        &Install::client("pin-fails", "1.9.28").set(format!("clientPassword={SECRET}")),
    );
    // A quota lets no further pod come up.
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "none", "namespace": tenant.namespace()}, "spec": {"hard": {"pods": "0"}},
    });
    let made = tenant
        .bed()
        .cluster()
        .kubectl_with_input(&["create", "-f", "-"], &quota.to_string());
    made.unwrap().success().unwrap();
    let output = hold(&tenant, "pin", "jobs-manager", &["--timeout", "8s"]);
    assert_eq!(output.code, Some(1), "{output}");
    assert!(output.stderr.contains("helm"), "{output}");
    assert!(!format!("{output}").contains(SECRET));
    assert!(
        images(&tenant, "pin-fails-jobs-manager")[0].ends_with(":prod"),
        "{output}"
    );
    let entries = object(&tenant, "configmap", "tracebloc-history-pin-fails")["data"].to_string();
    assert!(entries.contains(r#"\"state\":\"undone\""#), "{entries}");
    assert!(!entries.contains(SECRET));
}

#[test]
fn gone_back_and_held_by_one_command() {
    let tenant = installed("pin-back", "1.9.28");
    recorded(&tenant);
    let good = running(&tenant, "api");
    let moved = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    plan(&refresh(&tenant, &[]), 0);
    assert_eq!(running(&tenant, "api"), [moved.digest]);
    let output = run(
        &tenant,
        &[
            "refresh",
            "--rollback",
            "--pin",
            "--yes",
            "--context",
            "bed",
            "--timeout",
            "60s",
        ],
    );
    assert_eq!(output.code, Some(0), "{output}");
    assert_eq!(running(&tenant, "api"), good);
    assert_eq!(
        value(&tenant, "pin-back", "/images/jobsManager/digest"),
        good[0].as_str()
    );
    assert_eq!(
        decision(&plan(&refresh(&tenant, &[]), 0), "jobs-manager"),
        "pinned"
    );
}

#[test]
fn a_chart_without_such_a_value_is_held_on_its_workload_and_keel_is_told() {
    // On a cluster of its own: the roles of the old chart have one name for all releases.
    let bed = Bed::private().unwrap();
    let tenant = bed.tenant("pin-live").unwrap();
    tenant.publish_all("prod", "one").unwrap();
    let chart = Install {
        chart: "eks",
        version: "1.0.3",
        ..Install::client("pin-live", "")
    };
    install(&tenant, &chart);
    let deployments = tenant
        .kubectl(&["get", "deployments", "-o", "name"])
        .unwrap()
        .success()
        .unwrap();
    let main = deployments
        .lines()
        .filter_map(|line| line.strip_prefix("deployment.apps/"))
        .find(|name| name.ends_with("jobs-manager"))
        .unwrap()
        .to_owned();
    tenant
        .kubectl(&["label", "deployment", &main, "keel.sh/policy=force"])
        .unwrap()
        .success()
        .unwrap();
    let release = ["pin-live"];
    let held = running_of(&tenant, &main);
    let pinned = plan(&hold(&tenant, "pin", "jobs-manager", &release), 0);
    let words: Vec<&str> = steps(&pinned).iter().map(|step| step.0).collect();
    assert_eq!(words, ["annotate", "set-image", "annotate"], "{pinned:#}");
    assert!(images(&tenant, &main)[0].ends_with(&held));
    let keel = |tenant: &Tenant<'_>| {
        object(tenant, "deployment", &main)["metadata"]["annotations"]["keel.sh/policy"].clone()
    };
    assert_eq!(keel(&tenant), "never");
    assert!(annotation(&tenant, &main, "pinned-jobs-manager-digest").is_some());
    let moved = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    assert_eq!(
        decision(&plan(&refresh(&tenant, &release), 0), "jobs-manager"),
        "pinned"
    );
    plan(&hold(&tenant, "unpin", "jobs-manager", &release), 0);
    assert!(images(&tenant, &main)[0].ends_with(":prod"));
    assert_eq!(keel(&tenant), "force");
    assert_eq!(format!("@{}", moved.digest), running_of(&tenant, &main));
}

/// `@digest` of what the first container of a deployment runs.
fn running_of(tenant: &Tenant<'_>, deployment: &str) -> String {
    let container = object(tenant, "deployment", deployment)["spec"]["template"]["spec"]["containers"][0]["name"].clone();
    format!("@{}", running(tenant, container.as_str().unwrap())[0])
}

#[test]
fn a_signal_is_handed_on_and_helm_ends_in_good_order() {
    let tenant = installed("pin-signal", "1.9.28");
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "none", "namespace": tenant.namespace()}, "spec": {"hard": {"pods": "0"}},
    });
    let cluster = tenant.bed().cluster();
    let made = cluster.kubectl_with_input(&["create", "-f", "-"], &quota.to_string());
    made.unwrap().success().unwrap();
    let child = crate::support::command(
        &tenant,
        &[
            "pin",
            "--image",
            "jobs-manager",
            "--yes",
            "--context",
            "bed",
            "--timeout",
            "20s",
            "-n",
            tenant.namespace(),
        ],
    )
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let began = Instant::now();
    let pinned = || images(&tenant, "pin-signal-jobs-manager")[0].contains('@');
    while !pinned() {
        assert!(began.elapsed() < Duration::from_secs(60), "it never began");
        std::thread::sleep(Duration::from_millis(100));
    }
    let id = child.id().to_string();
    Command::new("kill").args(["-TERM", &id]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{told}");
    let arguments = ["--namespace", tenant.namespace(), "--output", "json"];
    let status = [&["status", "pin-signal"][..], &arguments].concat();
    let status = cluster
        .helm(Helm::Four, &status)
        .unwrap()
        .success()
        .unwrap();
    let status: Value = serde_json::from_str(&status).unwrap();
    let status = status["info"]["status"].as_str().unwrap();
    assert!(!status.starts_with("pending"), "{status}: {told}");
}
