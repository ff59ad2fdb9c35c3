//! A real node: containerd, runc, pod networking and the kubelet, on this machine.
//!
//! It needs root and a few packages, so it is started only by the first test that asks for it ([`crate::Bed::real_node`]). Its programs run in
//! a process and a mount namespace of their own: when the first process of that namespace ends, in whatever way, the kernel ends every container,
//! shim and mount with it. What the kernel does not take along (the bridge, empty cgroups and folders) the watchdog of the run removes.

mod availability;
mod configuration;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use availability::Machine;
use configuration::Layout;
pub use configuration::TAINT_EFFECT;

use crate::api::Api;
use crate::control_plane::ControlPlane;
use crate::image::Image;
use crate::kwok::{self, NODE_LABEL};
use crate::port::free_port;
use crate::process::{Process, ProcessError, Run, isolated};
use crate::registry::{Registry, RegistryError};
use crate::tools::{self, Tool, ToolError};

/// The name of the node in the cluster.
pub const NODE_NAME: &str = "real-0";

/// Set where a machine that cannot run a node, or lacks a program, is a failure and no reason to skip a test.
const REQUIRE: &str = "TRACEBLOC_BED_REQUIRE_NODE";

/// How long a program of the node may take to answer, and the node to be ready.
const DEADLINE: Duration = Duration::from_secs(90);

/// How many beds on one machine can have a real node at once.
const SUBNETS: u8 = 32;

/// What the first process of the namespaces does: gives its programs places to write that no other sees, then waits, and takes over orphans.
///
/// `/var/lib/kubelet` and `/var/log` are compiled into the kubelet, `/run` into the runtime; `/var/lib/bed` is where volumes point.
const INIT: &str = r#"
set -e
mount --make-rprivate /
mount --make-rshared /
mkdir -p /var/lib/kubelet /var/lib/bed
mount -t tmpfs -o mode=755 tracebloc-bed /run
mount -t tmpfs -o mode=755 tracebloc-bed /var/log
mount -t tmpfs -o mode=755 tracebloc-bed /var/lib/kubelet
mount --bind "$1/volumes" /var/lib/bed
touch "$1/mounted"
while :; do sleep 1000 & wait $!; done
"#;

/// What is left to remove: the bridge, the cgroups of containers that were killed, and the places to mount on where nobody else uses them.
const CLEAN_UP: &str = r#"
ip link delete BRIDGE 2>/dev/null
# A group whose processes were killed a moment ago is not empty yet.
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    left=
    for record in DIRECTORY/containerd/io.containerd.grpc.v1.cri/*/*; do
        for group in /sys/fs/cgroup/k8s.io/"${record##*/}" /sys/fs/cgroup/*/k8s.io/"${record##*/}"; do
            [ ! -d "$group" ] || rmdir "$group" 2>/dev/null || left=$group
        done
    done
    [ -n "$left" ] || break
    sleep 0.2
done
rmdir /sys/fs/cgroup/k8s.io /sys/fs/cgroup/*/k8s.io /var/lib/kubelet /var/lib/bed 2>/dev/null
"#;

/// Why there is no real node.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// This machine cannot run one.
    #[error("{reason}")]
    Unavailable {
        /// What is missing, and how to get it.
        reason: String,
    },
    /// The kubelet could not be built.
    #[error(transparent)]
    Tools(#[from] ToolError),
    /// A program did not run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The sandbox image could not be pushed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A file, port or link.
    #[error("cannot prepare {what} for the real node")]
    Prepare {
        /// What was being prepared.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl NodeError {
    fn prepare(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Prepare { what, source }
    }

    /// Whether a test that needs a node may be left out on this machine: the machine cannot run one, and nobody said that it must.
    pub fn may_skip(&self) -> bool {
        matches!(self, Self::Unavailable { .. }) && may_skip()
    }
}

/// Whether a test may be left out for what this machine lacks: nobody said that all must run.
pub(crate) fn may_skip() -> bool {
    std::env::var_os(REQUIRE).is_none_or(|value| value.is_empty())
}

/// A running node. It ends with this value, or with the process.
#[derive(Debug)]
pub struct RealNode {
    // Dropped in this order. The end of the first process of the namespaces ends whatever is left in them.
    kubelet: Process,
    _containerd: Process,
    _namespaces: Process,
    bridge: String,
}

impl RealNode {
    /// Starts the node and waits until it takes pods.
    pub fn start(
        run: &Run,
        control_plane: &ControlPlane,
        registry: &Registry,
    ) -> Result<Self, NodeError> {
        let machine = Machine::examine().map_err(|reason| NodeError::Unavailable { reason })?;
        let tools = tools::ensure(&[Tool::Kubelet])?;
        let sandbox = "tracebloc-bed/sandbox";
        registry.publish(sandbox, "1", &Image::new("sandbox").silent())?;
        let directory = run.directory().join("node");
        let (bridge, subnet) = add_bridge(run, &directory)?;
        let layout = Layout {
            directory: &directory,
            bridge: &bridge,
            subnet,
            plugins: &machine.plugins,
            sandbox: &format!("{}/{sandbox}:1", registry.host()),
            authority: &run.directory().join("pki/ca.crt"),
            port: free_port().map_err(NodeError::prepare("a port"))?,
        };
        let files = write(run, &layout, registry.host())?;
        let mut namespaces = run.spawn("node-namespaces", &unshare(&machine, &directory))?;
        namespaces.wait_ready(DEADLINE, || exists(&directory.join("mounted")))?;
        let inside = Inside::of(&namespaces, &machine)?;
        let mut containerd = run.spawn(
            "containerd",
            inside
                .command(Path::new("containerd"))
                .arg("--config")
                .arg(&files.containerd),
        )?;
        containerd.wait_ready(DEADLINE, || exists(Path::new(&layout.socket())))?;
        let mut kubelet = inside.command(tools.path(Tool::Kubelet));
        kubelet
            .arg(format!("--config={}", files.kubelet.display()))
            .arg(format!(
                "--kubeconfig={}",
                control_plane.kubeconfig.display()
            ))
            .arg(format!(
                "--root-dir={}",
                directory.join("kubelet").display()
            ))
            .arg(format!("--node-ip={}", layout.address()))
            .arg(format!("--hostname-override={NODE_NAME}"))
            .arg(format!("--node-labels={NODE_LABEL}=real"));
        let mut kubelet = run.spawn("kubelet", &kubelet)?;
        kubelet.wait_ready(DEADLINE, || is_ready(&control_plane.api))?;
        Ok(Self {
            kubelet,
            _containerd: containerd,
            _namespaces: namespaces,
            bridge,
        })
    }

    /// The kubelet, for tests that pause it.
    pub fn kubelet(&self) -> &Process {
        &self.kubelet
    }

    /// The network interface of this machine that the pods are connected to.
    pub fn bridge(&self) -> &str {
        &self.bridge
    }
}

/// Where the configuration lies.
struct Files {
    containerd: PathBuf,
    kubelet: PathBuf,
}

fn write(run: &Run, layout: &Layout<'_>, registry: &str) -> Result<Files, NodeError> {
    let failed = || NodeError::prepare("configuration files");
    let write =
        |name: &str, content: &str| run.write(format!("node/{name}"), content).map_err(failed());
    for folder in ["volumes", "pod-logs", "volume-plugins"] {
        fs::create_dir_all(layout.directory.join(folder)).map_err(failed())?;
    }
    write(
        &format!("hosts/{registry}/hosts.toml"),
        &Layout::hosts(registry),
    )?;
    write("cni/10-bed.conflist", &layout.network())?;
    Ok(Files {
        containerd: write("containerd.toml", &layout.containerd())?,
        kubelet: write("kubelet.json", &layout.kubelet())?,
    })
}

/// A bridge of a subnet that nobody on this machine uses. It is removed with the run.
fn add_bridge(run: &Run, directory: &Path) -> Result<(String, u8), NodeError> {
    let routes = output_of(Command::new("ip").args(["-4", "route", "show", "table", "all"]))?;
    for subnet in 0..SUBNETS {
        let address = configuration::address(subnet);
        let network = format!("10.244.{subnet}.");
        if routes.contains(&network) {
            continue;
        }
        let bridge = format!("tracebloc{subnet}");
        // Of two runs at once the slower one finds the name taken.
        if output_of(Command::new("ip").args(["link", "add", &bridge, "type", "bridge"])).is_err() {
            continue;
        }
        run.at_end(
            "node",
            &CLEAN_UP
                .replace("BRIDGE", &bridge)
                .replace("DIRECTORY", &directory.display().to_string()),
        )
        .map_err(NodeError::prepare("the removal of the bridge"))?;
        output_of(Command::new("ip").args([
            "address",
            "add",
            &format!("{address}/24"),
            "dev",
            &bridge,
        ]))?;
        output_of(Command::new("ip").args(["link", "set", &bridge, "up"]))?;
        return Ok((bridge, subnet));
    }
    Err(NodeError::Unavailable {
        reason: format!(
            "all of 10.244.0.0/24 to 10.244.{}.0/24 are in use on this machine: `ip -4 route` shows by whom",
            SUBNETS - 1
        ),
    })
}

fn output_of(command: &mut Command) -> Result<String, NodeError> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(NodeError::prepare("the network"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(NodeError::prepare("the network")(io::Error::other(said)))
}

/// The first process of the namespaces.
fn unshare(machine: &Machine, directory: &Path) -> Command {
    let mut command = isolated("unshare");
    command
        .env("PATH", &machine.path)
        .args([
            "--pid",
            "--mount",
            "--mount-proc",
            "--fork",
            "--kill-child",
            "sh",
            "-c",
            INIT,
            "bed-node",
        ])
        .arg(directory);
    command
}

/// The way into the namespaces.
struct Inside<'a> {
    first: String,
    machine: &'a Machine,
}

impl<'a> Inside<'a> {
    /// `unshare` itself stays outside; its one child is the first process inside.
    fn of(namespaces: &Process, machine: &'a Machine) -> Result<Self, NodeError> {
        let number = namespaces.id();
        let children = fs::read_to_string(format!("/proc/{number}/task/{number}/children"))
            .map_err(NodeError::prepare("the namespaces"))?;
        Ok(Self {
            first: children.trim().to_owned(),
            machine,
        })
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = isolated("nsenter");
        command
            .env("PATH", &self.machine.path)
            .args(["--target", &self.first, "--pid", "--mount", "--"])
            .arg(program);
        command
    }
}

fn exists(path: &Path) -> Result<(), String> {
    if path.exists() {
        Ok(())
    } else {
        Err(format!("{} is not there yet", path.display()))
    }
}

fn is_ready(api: &Api) -> Result<(), String> {
    match api.find(&format!("/api/v1/nodes/{NODE_NAME}")) {
        Ok(Some(node)) if kwok::is_ready(&node) => Ok(()),
        Ok(Some(node)) => Err(node["status"]["conditions"].to_string()),
        Ok(None) => Err("the node has not registered".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
