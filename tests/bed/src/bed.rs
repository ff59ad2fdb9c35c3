//! The whole bed: control plane, fake nodes, registry, and the webhook that resolves images.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::admission::{Admission, AdmissionError};
use crate::api::ApiError;
use crate::cluster::{Cluster, ClusterError};
use crate::control_plane::{self, ControlPlane, ControlPlaneError};
use crate::distribution::Distribution;
use crate::kwok;
use crate::node::{NodeError, RealNode};
use crate::process::{Process, ProcessError, Run};
use crate::progress::{say, spoken};
use crate::registry::Registry;
use crate::tenant::{Nodes, Tenant};
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
    /// There is no real node.
    #[error(transparent)]
    Node(#[from] Arc<NodeError>),
}

/// A running bed. It ends with this value, or with the process.
#[derive(Debug)]
pub struct Bed {
    // Dropped in this order: what uses the cluster goes before it.
    real_node: OnceLock<Result<RealNode, Arc<NodeError>>>,
    _admission: Admission,
    _kwok: Process,
    registry: Distribution,
    cluster: Cluster,
    run: Arc<Run>,
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
        let control_plane = ControlPlane::start(&run, &tools)?;
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
            real_node: OnceLock::new(),
            _admission: admission,
            _kwok: kwok,
            registry,
            cluster,
            run,
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
        Tenant::create(self, name, Nodes::Fake)
    }

    /// The real node, started by the first call.
    pub fn real_node(&self) -> Result<&RealNode, Arc<NodeError>> {
        let start = || {
            let control_plane = self.cluster.control_plane();
            RealNode::start(&self.run, control_plane, self.registry()).map_err(Arc::new)
        };
        self.real_node
            .get_or_init(start)
            .as_ref()
            .map_err(Arc::clone)
    }

    /// As [`Bed::tenant`], with pods on the real node. Nothing where this machine cannot run one and need not: the reader of the test's output
    /// is told, and the test has nothing left to do. With `TRACEBLOC_BED_REQUIRE_NODE` set that is an error.
    ///
    /// A `DaemonSet` of such a tenant never settles: it wants the fake nodes too, where its pods may not go.
    pub fn tenant_on_real_node(&self, name: &str) -> Result<Option<Tenant<'_>>, BedError> {
        match self.real_node() {
            Ok(_) => Tenant::create(self, name, Nodes::Real).map(Some),
            Err(error) if error.may_skip() => {
                say(&format!("SKIPPED, no real node for `{name}`: {error}"));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}
