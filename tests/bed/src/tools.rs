//! The programs of the cluster, built from pinned Go modules.
//!
//! Nothing is downloaded as a binary: `tests/bed/tools/` holds Go modules whose `go.mod` and `go.sum` name every version,
//! and Go is all that is asked of the machine. What was built is kept in `$TRACEBLOC_BED_CACHE` (else
//! `$XDG_CACHE_HOME/tracebloc-bed`, else `~/.cache/tracebloc-bed`) in a folder named after the pins and flags, so a change
//! of either builds anew. Where `KUBEBUILDER_ASSETS` (the convention of envtest) holds etcd, kube-apiserver or kubectl, those are
//! taken instead.

mod build;
mod module;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use module::Module;

/// A program of the bed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tool {
    /// The store of the API server.
    Etcd,
    /// The Kubernetes API server.
    KubeApiserver,
    /// The controllers of Kubernetes.
    KubeControllerManager,
    /// The scheduler of Kubernetes.
    KubeScheduler,
    /// The command line of Kubernetes.
    Kubectl,
    /// The node agent: only for a real node.
    Kubelet,
    /// Helm, major version 4.
    Helm4,
    /// Helm, major version 3.
    Helm3,
    /// Nodes and pods without machines.
    Kwok,
    /// The container registry of the distribution project.
    Registry,
    /// A peer that tells what a tag points to: only for comparison.
    Crane,
    /// Another one.
    Regctl,
}

impl Tool {
    /// The peers, which no test needs.
    pub const PEERS: [Self; 2] = [Self::Crane, Self::Regctl];

    /// All programs of the bed itself, the slowest to build first.
    pub const ALL: [Self; 10] = [
        Self::KubeApiserver,
        Self::KubeControllerManager,
        Self::KubeScheduler,
        Self::Kubectl,
        Self::Kubelet,
        Self::Etcd,
        Self::Helm4,
        Self::Helm3,
        Self::Kwok,
        Self::Registry,
    ];

    /// The file name of the program, which is also how the command line of the bed calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::KubeScheduler => "kube-scheduler",
            Self::Kubectl => "kubectl",
            Self::Kubelet => "kubelet",
            Self::Helm4 => "helm4",
            Self::Helm3 => "helm3",
            Self::Kwok => "kwok",
            Self::Registry => "registry",
            Self::Crane => "crane",
            Self::Regctl => "regctl",
        }
    }

    /// The program of that name.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter().chain(Self::PEERS);
        all.find(|tool| tool.name() == name)
    }

    /// The Go package that is built.
    const fn package(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::KubeApiserver => "k8s.io/kubernetes/cmd/kube-apiserver",
            Self::KubeControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
            Self::KubeScheduler => "k8s.io/kubernetes/cmd/kube-scheduler",
            Self::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
            Self::Kubelet => "k8s.io/kubernetes/cmd/kubelet",
            Self::Helm4 => "helm.sh/helm/v4/cmd/helm",
            Self::Helm3 => "helm.sh/helm/v3/cmd/helm",
            Self::Kwok => "sigs.k8s.io/kwok/cmd/kwok",
            Self::Registry => "github.com/distribution/distribution/v3/cmd/registry",
            Self::Crane => "github.com/google/go-containerregistry/cmd/crane",
            Self::Regctl => "github.com/regclient/regclient/cmd/regctl",
        }
    }

    /// What `go build` calls the program.
    const fn built_name(self) -> &'static str {
        match self {
            // The last element of a package path, a major version aside.
            Self::Etcd => "server",
            Self::Helm4 | Self::Helm3 => "helm",
            _ => self.name(),
        }
    }

    /// The folder below `tests/bed/tools/` whose `go.mod` pins the program.
    const fn module(self) -> &'static str {
        match self {
            Self::Helm4 | Self::Helm3 | Self::Kwok | Self::Registry => "clients",
            Self::Crane | Self::Regctl => "peers",
            _ => "kubernetes",
        }
    }

    /// Programs of one group are built by one `go build`. Both majors of Helm have one file name, so they cannot share.
    const fn group(self) -> (&'static str, bool) {
        (self.module(), matches!(self, Self::Helm3))
    }

    /// Minutes that a build from an empty cache takes on two cores, for the reader of the progress lines.
    const fn cold_minutes(self) -> u64 {
        match self {
            Self::KubeApiserver => 6,
            Self::Helm4 => 4,
            Self::KubeControllerManager | Self::Kwok | Self::Helm3 | Self::Registry => 2,
            Self::Etcd
            | Self::Kubectl
            | Self::Kubelet
            | Self::KubeScheduler
            | Self::Crane
            | Self::Regctl => 1,
        }
    }

    /// Whether envtest's folder of ready programs may hold this one.
    const fn in_kubebuilder_assets(self) -> bool {
        matches!(self, Self::Etcd | Self::KubeApiserver | Self::Kubectl)
    }
}

/// Why a program is not there.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// Go is not installed.
    #[error(
        "`go` is not on the PATH: install Go {version} or newer, it is all that the test bed needs to build its cluster"
    )]
    NoGo {
        /// The version that `go.mod` asks for.
        version: String,
    },
    /// The compiler refused.
    #[error("building {programs} failed; the end of the compiler's output:\n{output}")]
    Build {
        /// The names of the programs.
        programs: String,
        /// The last lines of the compiler's output.
        output: String,
    },
    /// Neither a cache variable nor a home directory is set.
    #[error("no place to keep the built programs: set TRACEBLOC_BED_CACHE or HOME")]
    NoCache,
    /// `go.mod` does not name what the flags need.
    #[error("`{path}` does not name {what}")]
    Pins {
        /// The file that was read.
        path: PathBuf,
        /// What is missing in it.
        what: &'static str,
    },
    /// A file could not be read or written.
    #[error("cannot use `{path}`")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ToolError {
    /// Names the file in an error of the system.
    fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File {
            path: path.into(),
            source,
        }
    }
}

/// Where each of the wanted programs lies.
#[derive(Debug, Clone, Default)]
pub struct Toolbox {
    paths: BTreeMap<Tool, PathBuf>,
}

impl Toolbox {
    /// The path of a program.
    ///
    /// # Panics
    /// Where the program was not among those that [`ensure`] was asked for: a mistake in the test bed itself.
    #[expect(
        clippy::panic,
        reason = "asking for a program that was never ensured is a mistake in the bed's own code"
    )]
    pub fn path(&self, tool: Tool) -> &Path {
        match self.paths.get(&tool) {
            Some(path) => path,
            None => panic!("`{}` was not asked for when this bed was made", tool.name()),
        }
    }

    /// Whether the program was asked for.
    pub fn has(&self, tool: Tool) -> bool {
        self.paths.contains_key(&tool)
    }
}

/// Makes sure that the programs exist, building only what is missing.
///
/// Concurrent callers, in this process or another, wait for each other instead of building twice. Progress is shown on standard error.
pub fn ensure(wanted: &[Tool]) -> Result<Toolbox, ToolError> {
    let mut toolbox = Toolbox::default();
    let mut groups: BTreeMap<(&str, bool), Vec<Tool>> = BTreeMap::new();
    for &tool in wanted {
        if let Some(path) = in_kubebuilder_assets(tool) {
            toolbox.paths.insert(tool, path);
        } else {
            groups.entry(tool.group()).or_default().push(tool);
        }
    }
    let cache = cache_directory()?.join("bin");
    // The cluster's own programs come first: they take longest, and the clients profit from what they compile.
    for ((folder, _), tools) in groups.into_iter().rev() {
        let module = Module::read(&modules_directory().join(folder))?;
        let directory = cache.join(module.key());
        build::missing(&module, &directory, &tools)?;
        toolbox.paths.extend(
            tools
                .into_iter()
                .map(|tool| (tool, directory.join(tool.name()))),
        );
    }
    Ok(toolbox)
}

/// The folder that keeps what is expensive to make, shared by all runs on this machine.
pub fn cache_directory() -> Result<PathBuf, ToolError> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("TRACEBLOC_BED_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|base| base.join("tracebloc-bed")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/tracebloc-bed")))
        .ok_or(ToolError::NoCache)
}

/// The folder of the pinned Go modules in this checkout.
fn modules_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tools")
}

/// The program in `$KUBEBUILDER_ASSETS`, where it is there and may be run.
fn in_kubebuilder_assets(tool: Tool) -> Option<PathBuf> {
    if !tool.in_kubebuilder_assets() {
        return None;
    }
    let path = PathBuf::from(std::env::var_os("KUBEBUILDER_ASSETS")?).join(tool.name());
    is_executable(&path).then_some(path)
}

/// Whether the file exists and somebody may execute it.
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path)
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_found_by_its_name() {
        for tool in Tool::ALL.into_iter().chain(Tool::PEERS) {
            assert_eq!(Tool::named(tool.name()), Some(tool));
        }
        assert_eq!(Tool::named("helm"), None);
    }

    #[test]
    fn no_two_programs_of_one_build_have_the_same_file() {
        let mut seen = std::collections::BTreeSet::new();
        for tool in Tool::ALL.into_iter().chain(Tool::PEERS) {
            assert!(
                seen.insert((tool.group(), tool.built_name())),
                "{}",
                tool.name()
            );
        }
    }

    #[test]
    fn every_program_is_pinned_as_a_tool_of_its_module() {
        for tool in Tool::ALL.into_iter().chain(Tool::PEERS) {
            let path = modules_directory().join(tool.module()).join("go.mod");
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(
                text.lines().any(|line| line.trim() == tool.package()),
                "{} in {}",
                tool.package(),
                path.display()
            );
        }
    }
}
