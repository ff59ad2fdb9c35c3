//! A running cluster as a test sees it: its kubeconfigs, and the real `kubectl` and `helm` pointed at it.

mod access;
mod output;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use access::{Grant, Scope};
pub use output::Output;

use crate::api::{Api, ApiError};
use crate::certificate::{CertificateError, Validity};
use crate::control_plane::ControlPlane;
use crate::kubeconfig::{Kubeconfig, User};
use crate::process::{Run, isolated};
use crate::tools::{Tool, Toolbox};

/// A major version of Helm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Helm {
    /// Helm 3.
    Three,
    /// Helm 4.
    Four,
}

impl Helm {
    /// Both, the newer one first.
    pub const ALL: [Self; 2] = [Self::Four, Self::Three];

    /// The program.
    pub const fn tool(self) -> Tool {
        match self {
            Self::Three => Tool::Helm3,
            Self::Four => Tool::Helm4,
        }
    }
}

/// Why something could not be done to the cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The API server refused or did not answer.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A program did not succeed.
    #[error("{0}")]
    Command(Box<Output>),
    /// A program could not be started.
    #[error("cannot run `{command}`")]
    Start {
        /// The command line.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the run.
    #[error("cannot write `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something that was waited for did not come.
    #[error("{what}: not after {seconds} s; last seen: {seen}")]
    Deadline {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// What was there instead.
        seen: String,
    },
}

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    // The control plane goes before the folder that its programs use.
    control_plane: ControlPlane,
    tools: Toolbox,
    run: Arc<Run>,
}

impl Cluster {
    /// Takes a control plane into use: puts `kubectl` and `helm` into a folder that can stand on a PATH.
    pub(crate) fn new(
        run: Arc<Run>,
        tools: Toolbox,
        control_plane: ControlPlane,
    ) -> Result<Self, ClusterError> {
        let link = |folder: &str, name: &str, tool: Tool| {
            if !tools.has(tool) {
                return Ok(());
            }
            let path = run.directory().join(folder).join(name);
            let failed = |source| ClusterError::File {
                path: path.clone(),
                source,
            };
            std::fs::create_dir_all(run.directory().join(folder)).map_err(failed)?;
            std::os::unix::fs::symlink(tools.path(tool), &path).map_err(failed)
        };
        for folder in ["bin", "bin-helm3"] {
            link(folder, "kubectl", Tool::Kubectl)?;
        }
        link("bin", "helm", Tool::Helm4)?;
        link("bin-helm3", "helm", Tool::Helm3)?;
        Ok(Self {
            control_plane,
            tools,
            run,
        })
    }

    /// The control plane below.
    pub fn control_plane(&self) -> &ControlPlane {
        &self.control_plane
    }

    /// The API server with the administrator's identity.
    pub fn api(&self) -> &Api {
        &self.control_plane.api
    }

    /// The address of the API server.
    pub fn server(&self) -> &str {
        &self.control_plane.server
    }

    /// The administrator's kubeconfig; its context is called `bed`.
    pub fn kubeconfig(&self) -> &Path {
        &self.control_plane.kubeconfig
    }

    /// The folder of the run, for files of a test. It is removed with the bed.
    pub fn directory(&self) -> &Path {
        self.run.directory()
    }

    /// The programs of the bed.
    pub fn tools(&self) -> &Toolbox {
        &self.tools
    }

    /// A folder that holds `kubectl` and this major's `helm`, for a PATH.
    pub fn programs(&self, helm: Helm) -> PathBuf {
        self.run.directory().join(match helm {
            Helm::Four => "bin",
            Helm::Three => "bin-helm3",
        })
    }

    /// An administrator's kubeconfig to be changed and written with [`Cluster::write_kubeconfig`].
    pub fn admin(&self) -> Kubeconfig {
        self.kubeconfig_of(User::Certificate(self.control_plane.admin.clone()))
    }

    /// A kubeconfig with another identity, context `bed`.
    pub fn kubeconfig_of(&self, user: User) -> Kubeconfig {
        Kubeconfig::new(
            "bed",
            self.server(),
            self.control_plane.authority.certificate(),
            user,
        )
    }

    /// A kubeconfig whose client certificate has expired.
    pub fn expired(&self) -> Result<Kubeconfig, ClusterError> {
        let pair = self.control_plane.authority.client(
            "bed-admin",
            Some(crate::certificate::SYSTEM_MASTERS),
            Validity::Expired,
        )?;
        Ok(self.kubeconfig_of(User::Certificate(pair)))
    }

    /// Writes a kubeconfig into the folder of the run under that name and returns its path.
    pub fn write_kubeconfig(
        &self,
        name: &str,
        kubeconfig: &Kubeconfig,
    ) -> Result<PathBuf, ClusterError> {
        self.write(&format!("kubeconfigs/{name}"), kubeconfig.render())
    }

    /// Writes a file that only this user may read into the folder of the run and returns its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf, ClusterError> {
        self.run
            .write(name, content)
            .map_err(|source| ClusterError::File {
                path: self.run.directory().join(name),
                source,
            })
    }

    /// A command whose environment holds nothing of the caller's: the administrator's kubeconfig, a PATH that begins with the bed's
    /// `kubectl` and `helm` 4, and homes of its own for every program, under `home` in the folder of the run.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>, home: &str) -> Command {
        self.command_with(program, home, Helm::Four)
    }

    /// As [`Cluster::command`], with that major of `helm` on the PATH.
    pub fn command_with(
        &self,
        program: impl AsRef<std::ffi::OsStr>,
        home: &str,
        helm: Helm,
    ) -> Command {
        let mut paths = vec![self.programs(helm)];
        paths.extend(std::env::split_paths(
            &std::env::var_os("PATH").unwrap_or_default(),
        ));
        let home = self.run.directory().join("homes").join(home);
        let mut command = isolated(program);
        command
            // A path with a separator in it cannot be part of a PATH; then the PATH stays as it is.
            .env("PATH", std::env::join_paths(paths).unwrap_or_default())
            .env("HOME", &home)
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_DATA_HOME", home.join("data"))
            .env("HELM_CACHE_HOME", home.join("cache/helm"))
            .env("HELM_CONFIG_HOME", home.join("config/helm"))
            .env("HELM_DATA_HOME", home.join("data/helm"))
            .env("KUBECACHEDIR", home.join("cache/kube"))
            .env("KUBECONFIG", self.kubeconfig())
            .stdin(Stdio::null());
        command
    }

    /// Runs `kubectl` as the administrator.
    pub fn kubectl<A: AsRef<str>>(&self, arguments: &[A]) -> Result<Output, ClusterError> {
        let mut command = self.command(self.tools.path(Tool::Kubectl), "shared");
        command.args(arguments.iter().map(AsRef::as_ref));
        Output::of(&mut command)
    }

    /// Runs `kubectl` with standard input, such as `apply -f -`.
    pub fn kubectl_with_input<A: AsRef<str>>(
        &self,
        arguments: &[A],
        input: &str,
    ) -> Result<Output, ClusterError> {
        let mut command = self.command(self.tools.path(Tool::Kubectl), "shared");
        command.args(arguments.iter().map(AsRef::as_ref));
        Output::of_input(&mut command, input)
    }

    /// Runs Helm as the administrator.
    pub fn helm<A: AsRef<str>>(&self, helm: Helm, arguments: &[A]) -> Result<Output, ClusterError> {
        let mut command = self.command_with(self.tools.path(helm.tool()), "shared", helm);
        command.args(arguments.iter().map(AsRef::as_ref));
        Output::of(&mut command)
    }

    /// Adds fake nodes `<prefix>-0`, … of an architecture and waits until they are ready.
    pub fn add_nodes(
        &self,
        prefix: &str,
        architecture: &str,
        count: usize,
    ) -> Result<Vec<String>, ClusterError> {
        let names = crate::kwok::add_nodes(self.api(), prefix, architecture, count)?;
        for name in &names {
            wait_until(
                crate::kwok::NODE_DEADLINE,
                &format!("node `{name}` is ready"),
                || {
                    let node = self.api().get(&format!("/api/v1/nodes/{name}"))?;
                    Ok(if crate::kwok::is_ready(&node) {
                        Ok(())
                    } else {
                        Err(node["status"]["conditions"].to_string())
                    })
                },
            )?;
        }
        Ok(names)
    }
}

/// Asks again and again until there is an answer. `probe` returns what was waited for, or else what it saw, which the error shows
/// in the end.
pub fn wait_until<T>(
    deadline: Duration,
    what: &str,
    mut probe: impl FnMut() -> Result<Result<T, String>, ClusterError>,
) -> Result<T, ClusterError> {
    let started = Instant::now();
    loop {
        let seen = match probe()? {
            Ok(answer) => return Ok(answer),
            Err(seen) => seen,
        };
        if started.elapsed() > deadline {
            return Err(ClusterError::Deadline {
                what: what.to_owned(),
                seconds: deadline.as_secs(),
                seen,
            });
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
