//! The whole bed: control plane, fake nodes, registry, and the webhook that resolves images.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::admission::{Admission, AdmissionError};
use crate::api::ApiError;
use crate::cluster::{Cluster, ClusterError};
use crate::control_plane::{self, ControlPlane, ControlPlaneError, ControlPlaneOptions};
use crate::distribution::Distribution;
use crate::kwok;
use crate::process::{Process, ProcessError, Run};
use crate::progress::{say, spoken};
use crate::registry::Registry;
use crate::tenant::Tenant;
use crate::tools::{self, Tool, ToolError};

/// How many fake nodes a bed begins with.
const NODES: usize = 2;

/// Why there is no bed.
#[derive(Debug, thiserror::Error)]
pub enum BedError {
    /// A program could not be built.
    #[error(transparent)]
    Tools(#[from] ToolError),
    /// A program did not run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The control plane did not come up.
    #[error(transparent)]
    ControlPlane(#[from] ControlPlaneError),
    /// The webhook did not come up.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// The cluster refused what the bed needs.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The API server refused what the bed needs.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// A running bed. It ends with this value, or with the process.
#[derive(Debug)]
pub struct Bed {
    // Dropped in this order: what uses the cluster goes before it.
    _admission: Admission,
    _kwok: Process,
    registry: Distribution,
    cluster: Cluster,
}

static SHARED: OnceLock<Bed> = OnceLock::new();

impl Bed {
    /// The bed of this test process, started by the first call.
    ///
    /// # Panics
    /// Where the bed does not start: no test could go on.
    #[expect(
        clippy::panic,
        reason = "without the bed no test of this process can go on"
    )]
    pub fn shared() -> &'static Self {
        SHARED.get_or_init(|| match Self::private() {
            Ok(bed) => bed,
            Err(error) => panic!("the test bed does not start: {}", crate::api::chain(&error)),
        })
    }

    /// A bed of one's own, with both majors of Helm.
    pub fn private() -> Result<Self, BedError> {
        Self::start(&[Tool::Helm3, Tool::Helm4])
    }

    /// A bed with these majors of Helm.
    pub fn start(helms: &[Tool]) -> Result<Self, BedError> {
        let mut wanted = control_plane::TOOLS.to_vec();
        wanted.extend([Tool::Kubectl, Tool::Kwok, Tool::Registry]);
        wanted.extend(helms);
        let tools = tools::ensure(&wanted)?;
        let started = Instant::now();
        let run = Arc::new(Run::start()?);
        let registry = Distribution::start(&run, &tools)?;
        let control_plane = ControlPlane::start(&run, &tools, &ControlPlaneOptions::default())?;
        let kwok = kwok::start(&run, &tools, &control_plane)?;
        let admission = Admission::start(&control_plane.api, registry.client())?;
        kwok::add_storage_classes(&control_plane.api)?;
        let cluster = Cluster::new(Arc::clone(&run), tools, control_plane)?;
        cluster.add_nodes("kwok", "amd64", NODES)?;
        cluster
            .kubectl_with_input(
                &["apply", "-f", "-"],
                include_str!("../charts/metrics-api.yaml"),
            )?
            .success()?;
        say(&format!(
            "the bed is up after {}",
            spoken(started.elapsed())
        ));
        Ok(Self {
            _admission: admission,
            _kwok: kwok,
            registry,
            cluster,
        })
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        self.registry.client()
    }

    /// A namespace, a registry path and a chart repository of one's own, all named after `name`.
    pub fn tenant(&self, name: &str) -> Result<Tenant<'_>, BedError> {
        Tenant::create(self, name)
    }
}
