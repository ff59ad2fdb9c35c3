//! `make try`: what a new user is shown.

use std::path::Path;
use std::process::Command;

use tracebloc_bed::control_plane;
use tracebloc_bed::progress::say;
use tracebloc_bed::tools::{self, Tool};

use crate::Failure;
use crate::daemon::{self, Daemon, RELEASE};

/// Starts the bed and runs the product against it, through kubectl and through Helm.
pub(crate) fn run(plugin: &Path, helm_plugin: &Path) -> Result<(), Failure> {
    let mut wanted = control_plane::TOOLS.to_vec();
    wanted.extend([Tool::Kubectl, Tool::Helm4, Tool::Kwok, Tool::Registry]);
    tools::ensure(&wanted)?;
    say(
        "starting a control plane, two fake nodes, a registry and a chart repository on 127.0.0.1,",
    );
    say(&format!(
        "installing the sample chart client as release {RELEASE}, and moving an image tag since …"
    ));
    let daemon = daemon::start()?;
    install(&daemon, plugin, helm_plugin)?;
    show(&daemon, "kubectl", &["tracebloc", "outdated"])?;
    show(
        &daemon,
        "helm",
        &["tracebloc", "outdated", "--namespace", &daemon.namespace],
    )?;
    go_on(&daemon);
    Ok(())
}

/// Puts the plugin where kubectl and Helm look for it: beside them, and in Helm's plugin folder.
fn install(daemon: &Daemon, plugin: &Path, helm_plugin: &Path) -> Result<(), Failure> {
    let plugin = plugin.canonicalize()?;
    let linked = daemon.programs.join("kubectl-tracebloc");
    std::os::unix::fs::symlink(&plugin, linked)?;
    let folder = plugins(daemon).join("tracebloc");
    std::fs::create_dir_all(&folder)?;
    std::fs::copy(helm_plugin.join("plugin.yaml"), folder.join("plugin.yaml"))?;
    std::os::unix::fs::symlink(&plugin, folder.join("kubectl-tracebloc"))?;
    Ok(())
}

fn plugins(daemon: &Daemon) -> std::path::PathBuf {
    daemon.programs.join("helm-plugins")
}

/// Runs a command as a user would type it, and shows both.
fn show(daemon: &Daemon, program: &str, arguments: &[&str]) -> Result<(), Failure> {
    say(&format!("\n$ {program} {}", arguments.join(" ")));
    let mut paths = vec![daemon.programs.clone()];
    paths.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let status = Command::new(daemon.programs.join(program))
        .args(arguments)
        .env("PATH", std::env::join_paths(paths)?)
        .env("KUBECONFIG", &daemon.kubeconfig)
        .env("HELM_PLUGINS", plugins(daemon))
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{program}` ended with {status}").into())
    }
}

fn go_on(daemon: &Daemon) {
    let Daemon {
        kubeconfig,
        programs,
        namespace,
        repository,
        registry,
        ..
    } = daemon;
    say(&format!(
        "
Go on by hand:
  export KUBECONFIG={}
  export PATH={}:$PATH
  export HELM_PLUGINS={}

  kubectl tracebloc outdated -o wide
  kubectl tracebloc outdated -o json
  kubectl tracebloc outdated --only digest --exit-code; echo $?
  kubectl get pods -n {namespace}

The chart repository is {repository}, the images are below {registry}.
Type what `Next` suggests, and ask again. Stop everything with `make stop`.",
        kubeconfig.display(),
        programs.display(),
        plugins(daemon).display(),
    ));
}
