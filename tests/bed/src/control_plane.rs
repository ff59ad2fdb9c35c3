//! The control plane: real etcd, API server, controller manager and scheduler on loopback.

use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::api::{Api, ApiError};
use crate::certificate::{
    Authority, CertificateError, Pair, SYSTEM_MASTERS, Validity, signing_key,
};
use crate::kubeconfig::{Kubeconfig, User};
use crate::port::free_port;
use crate::process::{Process, ProcessError, Run, isolated};
use crate::tools::{Tool, Toolbox};

/// The programs of a control plane.
pub const TOOLS: [Tool; 4] = [
    Tool::Etcd,
    Tool::KubeApiserver,
    Tool::KubeControllerManager,
    Tool::KubeScheduler,
];

/// How long each program may take to start; a machine that builds something else beside it is slow.
const DEADLINE: Duration = Duration::from_secs(120);
/// The addresses of services. Nothing routes them without a kube-proxy.
const SERVICE_RANGE: &str = "10.96.0.0/16";
/// The first address of [`SERVICE_RANGE`], the API server's own.
const API_SERVICE: &str = "10.96.0.1";

/// Why there is no control plane.
#[derive(Debug, thiserror::Error)]
pub enum ControlPlaneError {
    /// A program did not start.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// No client for the API server.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A file or port of the run.
    #[error("cannot prepare {what} for the control plane")]
    Prepare {
        /// What was being prepared.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl ControlPlaneError {
    fn prepare(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Prepare { what, source }
    }
}

/// A running control plane. Its programs end with it.
#[derive(Debug)]
pub struct ControlPlane {
    /// The authority that signed the server's certificate and signs those of clients.
    pub authority: Authority,
    /// A client certificate of `system:masters`.
    pub admin: Pair,
    /// The address of the API server, `https://127.0.0.1:PORT`.
    pub server: String,
    /// The port of the API server.
    pub port: u16,
    /// A kubeconfig of the administrator.
    pub kubeconfig: PathBuf,
    /// The API server with the administrator's identity.
    pub api: Api,
    processes: Vec<Process>,
}

impl ControlPlane {
    /// Starts the four programs and waits until the API server is ready.
    pub fn start(run: &Run, tools: &Toolbox) -> Result<Self, ControlPlaneError> {
        let plan = Plan::make(run)?;
        let etcd = run.spawn("etcd", &plan.etcd(tools))?;
        // The API server waits for etcd by itself, and the other two for the API server: all begin at once.
        let mut api_server = run.spawn("kube-apiserver", &plan.api_server(tools))?;
        let api = Api::new(&plan.server, plan.authority.certificate(), &plan.admin)?;
        let mut processes = vec![etcd];
        api_server.wait_ready(DEADLINE, || {
            if let Some(ended) = processes
                .iter_mut()
                .find_map(|process| process.check_running().err())
            {
                return Err(ended.to_string());
            }
            api.ready()
        })?;
        processes.push(api_server);
        processes.push(run.spawn("kube-controller-manager", &plan.controller_manager(tools))?);
        processes.push(run.spawn("kube-scheduler", &plan.scheduler(tools))?);
        let Plan {
            authority,
            admin,
            server,
            port,
            kubeconfig,
            ..
        } = plan;
        Ok(Self {
            authority,
            admin,
            server,
            port,
            kubeconfig,
            api,
            processes,
        })
    }

    /// A program of the control plane by its name, for tests that stop or restart one.
    pub fn process(&mut self, name: &str) -> Option<&mut Process> {
        self.processes
            .iter_mut()
            .find(|process| process.name() == name)
    }

    /// Sends a signal to a program of the control plane, such as `STOP` and later `CONT`. Returns whether there is one of that name.
    pub fn signal(&self, name: &str, signal: &str) -> bool {
        let process = self.processes.iter().find(|process| process.name() == name);
        if let Some(process) = process {
            process.signal(signal);
        }
        process.is_some()
    }
}

/// Everything that the flags name.
struct Plan {
    authority: Authority,
    admin: Pair,
    server: String,
    port: u16,
    etcd_client: String,
    etcd_peer: String,
    data: PathBuf,
    files: Files,
    kubeconfig: PathBuf,
}

/// The files of the control plane.
struct Files {
    authority: PathBuf,
    server: PairFiles,
    kubelet_client: PairFiles,
    signing_key: PathBuf,
    verifying_key: PathBuf,
}

/// Where a certificate and its key lie.
struct PairFiles {
    certificate: PathBuf,
    key: PathBuf,
}

impl Plan {
    fn make(run: &Run) -> Result<Self, ControlPlaneError> {
        let authority = Authority::new("tracebloc-bed")?;
        let names = [
            "127.0.0.1",
            "localhost",
            API_SERVICE,
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
        ];
        let admin = authority.client("bed-admin", Some(SYSTEM_MASTERS), Validity::Current)?;
        let write = |name: &str, content: &str| {
            run.write(format!("pki/{name}"), content)
                .map_err(ControlPlaneError::prepare("certificates"))
        };
        let write_pair = |name: &str, pair: &Pair| {
            let certificate = write(&format!("{name}.crt"), &pair.certificate)?;
            let key = write(&format!("{name}.key"), &pair.key)?;
            Ok::<_, ControlPlaneError>(PairFiles { certificate, key })
        };
        let (private, public) = signing_key()?;
        let files = Files {
            authority: write("ca.crt", authority.certificate())?,
            server: write_pair(
                "kube-apiserver",
                &authority.server("kube-apiserver", &names)?,
            )?,
            kubelet_client: write_pair(
                "kubelet-client",
                &authority.client(
                    "kube-apiserver-kubelet-client",
                    Some(SYSTEM_MASTERS),
                    Validity::Current,
                )?,
            )?,
            signing_key: write("service-accounts.key", &private)?,
            // The API server reads a public key here, and no private one in this form.
            verifying_key: write("service-accounts.pub", &public)?,
        };
        let port = || free_port().map_err(ControlPlaneError::prepare("a port"));
        let api_port = port()?;
        let server = format!("https://127.0.0.1:{api_port}");
        let kubeconfig = Kubeconfig::new(
            "bed",
            &server,
            authority.certificate(),
            User::Certificate(admin.clone()),
        );
        let kubeconfig = run
            .write("admin.kubeconfig", kubeconfig.render())
            .map_err(ControlPlaneError::prepare("a kubeconfig"))?;
        Ok(Self {
            authority,
            admin,
            server,
            port: api_port,
            etcd_client: format!("http://127.0.0.1:{}", port()?),
            etcd_peer: format!("http://127.0.0.1:{}", port()?),
            data: run.directory().join("etcd"),
            files,
            kubeconfig,
        })
    }

    fn etcd(&self, tools: &Toolbox) -> Command {
        let mut command = isolated(tools.path(Tool::Etcd));
        command
            .arg("--data-dir")
            .arg(&self.data)
            .args([
                "--name=bed",
                "--log-level=warn",
                "--unsafe-no-fsync",
                "--quota-backend-bytes=8589934592",
            ])
            .args(flag("listen-client-urls", &self.etcd_client))
            .args(flag("advertise-client-urls", &self.etcd_client))
            .args(flag("listen-peer-urls", &self.etcd_peer))
            .args(flag("initial-advertise-peer-urls", &self.etcd_peer))
            .args(flag("initial-cluster", &format!("bed={}", self.etcd_peer)));
        command
    }

    fn api_server(&self, tools: &Toolbox) -> Command {
        let Files {
            authority,
            server,
            kubelet_client,
            signing_key,
            verifying_key,
        } = &self.files;
        let mut command = isolated(tools.path(Tool::KubeApiserver));
        command
            .arg("--bind-address=127.0.0.1")
            .args(flag("secure-port", &self.port.to_string()))
            .args(flag("etcd-servers", &self.etcd_client))
            .args(flag("service-cluster-ip-range", SERVICE_RANGE))
            // A loopback address is refused as an endpoint, and without a kube-proxy nobody reads that endpoint.
            .args(flag("endpoint-reconciler-type", "none"))
            .args(flag("authorization-mode", "RBAC"))
            // The first pins the pods of a namespace to fake or to real nodes, the second lets them onto tainted ones.
            .args(flag(
                "enable-admission-plugins",
                "PodNodeSelector,PodTolerationRestriction",
            ))
            .args(flag("allow-privileged", "true"))
            .args(flag(
                "service-account-issuer",
                "https://kubernetes.default.svc",
            ))
            .args(flag("kubelet-preferred-address-types", "InternalIP"))
            // Tests run side by side; none is to wait for the fairness among them.
            .args(flag("max-requests-inflight", "2000"))
            .args(flag("max-mutating-requests-inflight", "1000"))
            .args(file_flag("client-ca-file", authority))
            .args(file_flag("tls-cert-file", &server.certificate))
            .args(file_flag("tls-private-key-file", &server.key))
            .args(file_flag(
                "kubelet-client-certificate",
                &kubelet_client.certificate,
            ))
            .args(file_flag("kubelet-client-key", &kubelet_client.key))
            .args(file_flag("service-account-key-file", verifying_key))
            .args(file_flag("service-account-signing-key-file", signing_key));
        command
    }

    fn controller_manager(&self, tools: &Toolbox) -> Command {
        let mut command = isolated(tools.path(Tool::KubeControllerManager));
        command
            .args(file_flag("kubeconfig", &self.kubeconfig))
            .args(file_flag(
                "service-account-private-key-file",
                &self.files.signing_key,
            ))
            .args(file_flag("root-ca-file", &self.files.authority))
            // No HTTP of its own, and nobody to elect against.
            .args([
                "--secure-port=0",
                "--leader-elect=false",
                "--kube-api-qps=300",
                "--kube-api-burst=600",
            ]);
        command
    }

    fn scheduler(&self, tools: &Toolbox) -> Command {
        let mut command = isolated(tools.path(Tool::KubeScheduler));
        command
            .args(file_flag("kubeconfig", &self.kubeconfig))
            .args([
                "--secure-port=0",
                "--leader-elect=false",
                "--kube-api-qps=300",
                "--kube-api-burst=600",
            ]);
        command
    }
}

/// `--name=value`.
fn flag(name: &str, value: &str) -> [String; 1] {
    [format!("--{name}={value}")]
}

/// `--name=path`.
fn file_flag(name: &str, path: &std::path::Path) -> [String; 1] {
    [format!("--{name}={}", path.display())]
}
