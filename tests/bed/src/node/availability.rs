//! Whether this machine can run a real node, and if not, what is missing.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The programs of a node beside the kubelet, each with the Debian package that brings it.
const PROGRAMS: [(&str, &str); 6] = [
    ("containerd", "containerd"),
    ("containerd-shim-runc-v2", "containerd"),
    ("runc", "runc"),
    ("ip", "iproute2"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
];

/// The network plugins of a pod, all from the Debian package [`PLUGIN_PACKAGE`].
const PLUGINS: [&str; 3] = ["bridge", "host-local", "loopback"];
const PLUGIN_PACKAGE: &str = "containernetworking-plugins";

/// Where distributions put network plugins.
const PLUGIN_FOLDERS: [&str; 3] = ["/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"];

/// Where programs for the administrator lie, which a PATH may lack.
const ADMINISTRATOR_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// What a node needs of the machine, all found.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    /// A PATH on which every program is found.
    pub(super) path: String,
    /// The folder of the network plugins.
    pub(super) plugins: PathBuf,
}

impl Machine {
    /// Looks for everything that a node needs; an error tells all that is missing, and how to get it.
    pub(super) fn examine() -> Result<Self, String> {
        if !cfg!(target_os = "linux") {
            return Err("a real node needs Linux".to_owned());
        }
        if !is_root() {
            return Err("a real node needs root".to_owned());
        }
        let mut folders: Vec<PathBuf> =
            std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
        folders.extend(ADMINISTRATOR_FOLDERS.map(PathBuf::from));
        let mut packages: Vec<&str> = PROGRAMS
            .iter()
            .filter(|(program, _)| !folders.iter().any(|folder| folder.join(program).is_file()))
            .map(|(_, package)| *package)
            .collect();
        packages.dedup();
        let plugins = PLUGIN_FOLDERS
            .iter()
            .map(Path::new)
            .find(|folder| PLUGINS.iter().all(|plugin| folder.join(plugin).is_file()));
        if plugins.is_none() {
            packages.push(PLUGIN_PACKAGE);
        }
        let Some(plugins) = plugins.filter(|_| packages.is_empty()) else {
            return Err(format!(
                "a real node needs programs that are not here: `apt-get install {}` brings them",
                packages.join(" ")
            ));
        };
        let path = std::env::join_paths(folders)
            .map_err(|error| error.to_string())?
            .to_string_lossy()
            .into_owned();
        may_unshare()?;
        Ok(Self {
            path,
            plugins: plugins.to_owned(),
        })
    }
}

/// Whether this process acts as root: `/proc/self` belongs to whom it acts as.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Root inside a container often may not make namespaces.
fn may_unshare() -> Result<(), String> {
    let output = Command::new("unshare")
        .args(["--pid", "--mount", "--fork", "true"])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run `unshare`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "a real node needs namespaces of its own, and `unshare --pid --mount` is refused: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}
