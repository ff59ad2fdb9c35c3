//! What figures stand on: a bed with one release of the sample chart, begun by the first figure that needs it.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tracebloc_bed::tools::Tool;
use tracebloc_bed::{Bed, Helm, Install, Tenant};

use crate::pipe::Pipe;
use crate::run::{Figures, measure};

/// The product, as cargo built it for benchmarks.
pub(crate) const PLUGIN: &str = env!("CARGO_BIN_EXE_kubectl-tracebloc");

/// The installed release.
pub(crate) const RELEASE: &str = "bench";

/// A bed, its one release, and a counting way to its API server.
pub(crate) struct Ground {
    bed: &'static Bed,
    pub(crate) tenant: Tenant<'static>,
    way: OnceCell<Way>,
}

/// A kubeconfig that leads through a pipe.
pub(crate) struct Way {
    pub(crate) pipe: Pipe,
    pub(crate) kubeconfig: PathBuf,
}

impl Ground {
    /// Brings the bed up and installs the release.
    pub(crate) fn new() -> Self {
        let bed = Bed::shared();
        let tenant = bed.tenant(RELEASE).unwrap();
        tenant.publish_all("prod", "one").unwrap();
        tenant
            .install(&Install::client(RELEASE, "1.9.28"))
            .unwrap()
            .success()
            .unwrap();
        tenant.wait_ready().unwrap();
        Self {
            bed,
            tenant,
            way: OnceCell::new(),
        }
    }

    pub(crate) fn bed(&self) -> &'static Bed {
        self.bed
    }

    pub(crate) fn kubectl(&self) -> &Path {
        self.bed.cluster().tools().path(Tool::Kubectl)
    }

    pub(crate) fn helm(&self, helm: Helm) -> &Path {
        self.bed.cluster().tools().path(helm.tool())
    }

    /// The way to the API server that only counts.
    pub(crate) fn way(&self) -> &Way {
        self.way.get_or_init(|| Way::new(self.bed, Duration::ZERO))
    }

    /// Our command line with the administrator's kubeconfig.
    pub(crate) fn ours(&self, arguments: &[&str]) -> Command {
        self.command(Path::new(PLUGIN), arguments)
    }

    /// A program of the bed, or ours, in a home of its own.
    pub(crate) fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = self.bed.cluster().command(program, RELEASE);
        command.args(arguments);
        command
    }
}

impl Way {
    /// To the bed's API server, `delay` longer in each direction.
    pub(crate) fn new(bed: &Bed, delay: Duration) -> Self {
        Self::to(bed, bed.cluster().server(), delay)
    }

    /// To a server with a certificate of the bed's authority.
    pub(crate) fn to(bed: &Bed, server: &str, delay: Duration) -> Self {
        let pipe = Pipe::before(server, delay);
        let kubeconfig = bed
            .cluster()
            .admin()
            .at(&format!("https://{}", pipe.host()));
        let name = format!("through-{}", pipe.host().replace(':', "-"));
        let kubeconfig = bed.cluster().write_kubeconfig(&name, &kubeconfig).unwrap();
        Self { pipe, kubeconfig }
    }

    /// Measures a command that goes this way.
    pub(crate) fn measure(&self, mut command: Command) -> Figures {
        command.env("KUBECONFIG", &self.kubeconfig);
        let before = self.pipe.bytes();
        let figures = measure(command);
        Figures {
            bytes: self.pipe.bytes() - before,
            ..figures
        }
    }
}
