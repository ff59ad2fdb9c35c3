//! `pin` and `unpin`: an image held at what runs, by a Helm upgrade that changes nothing else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tracebloc_bed::cluster::Output;
use tracebloc_bed::image::Image;
use tracebloc_bed::{Bed, Helm, Install, Tenant};

use crate::refresh::{annotation, decision, object, plan, recorded, refresh, running, steps};
use crate::refresh_runs::wait_for_change;
use crate::support::{PLUGIN, command, install, installed, run, tenant};

/// What nothing may repeat: a value of the release.
pub(crate) const SECRET: &str = "hunter2-of-the-client";

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
pub(crate) fn images(tenant: &Tenant<'_>, deployment: &str) -> Vec<String> {
    object(tenant, "deployment", deployment)["spec"]["template"]["spec"]["containers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|container| container["image"].as_str().unwrap().to_owned())
        .collect()
}

/// What the user's values of a release have at a place.
pub(crate) fn value(tenant: &Tenant<'_>, release: &str, place: &str) -> Value {
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
pub(crate) fn upgrade_kept(tenant: &Tenant<'_>, release: &str, version: &str, helm: Helm) {
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
    let both = plan(&refresh(&tenant, &["--rollback", "--pin"]), 0);
    let (main, proxy) = ("pin-back-jobs-manager", "pin-back-requests-proxy");
    assert_eq!(
        steps(&both),
        [
            ("record", main, "done"),
            ("set-image", main, "done"),
            ("set-image", proxy, "done"),
            ("record", main, "done"),
            ("set-value", "pin-back", "done"),
        ],
        "{both:#}"
    );
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
fn what_was_gone_back_to_is_told_also_where_it_cannot_be_held() {
    let tenant = installed("pin-nohold", "1.9.28");
    recorded(&tenant);
    let good = running(&tenant, "api");
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    plan(&refresh(&tenant, &[]), 0);
    let mut command = crate::support::command(&tenant, &[]);
    command.env("PATH", "/no/such/folder");
    command.args([
        "refresh",
        "--rollback",
        "--pin",
        "--yes",
        "--context",
        "bed",
    ]);
    command.args([
        "--output",
        "json",
        "--timeout",
        "60s",
        "--namespace",
        tenant.namespace(),
    ]);
    let output = Output::of(&mut command).unwrap();
    let back = plan(&output, 3);
    let (hold, done) = steps(&back)
        .split_last()
        .map(|(last, done)| (*last, done.to_vec()))
        .unwrap();
    assert!(done.iter().all(|step| step.2 == "done"), "{output}");
    assert_eq!(hold, ("set-value", "pin-nohold", "skipped"));
    assert_eq!(running(&tenant, "api"), good);
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
    assert!(
        pinned["steps"][2]["id"]
            .as_str()
            .unwrap()
            .starts_with("keel-"),
        "{pinned:#}"
    );
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
    // Killed in the wait, it is finished by a refresh, which leaves what is held; a second pin does the rest.
    let slow = Image::new("slow").steering("ready-delay", "6s");
    let slow = tenant.publish("tracebloc/jobs-manager", "prod", &slow);
    let held = format!("@{}", slow.unwrap().digest);
    plan(&refresh(&tenant, &release), 0);
    assert_eq!(running_of(&tenant, &main), held);
    let arguments = ["pin", "pin-live", "--image", "jobs-manager", "--yes"];
    let mut killed = command(&tenant, &arguments)
        .args(["--context", "bed", "--namespace", tenant.namespace()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for_change(&tenant, &main, "acting");
    killed.kill().unwrap();
    killed.wait().unwrap();
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "three")
        .unwrap();
    let finished = plan(&refresh(&tenant, &release), 0);
    assert_eq!(
        steps(&finished),
        [("finish", main.as_str(), "done")],
        "{finished:#}"
    );
    assert_eq!(decision(&finished, "jobs-manager"), "pinned");
    assert!(images(&tenant, &main)[0].ends_with(&held));
    let rest = plan(&hold(&tenant, "pin", "jobs-manager", &release), 0);
    assert_eq!(
        steps(&rest),
        [("annotate", main.as_str(), "done")],
        "{rest:#}"
    );
    assert_eq!(keel(&tenant), "never");
}

/// `@digest` of what the first container of a deployment runs.
fn running_of(tenant: &Tenant<'_>, deployment: &str) -> String {
    let container = object(tenant, "deployment", deployment)["spec"]["template"]["spec"]["containers"][0]["name"].clone();
    format!("@{}", running(tenant, container.as_str().unwrap())[0])
}
