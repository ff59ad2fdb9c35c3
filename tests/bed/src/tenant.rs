//! A tenant of the bed: what one test has to itself.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::bed::{Bed, BedError};
use crate::chart::{Chart, ChartError};
use crate::cluster::{ClusterError, Helm, Output, wait_until};
use crate::image::Image;
use crate::kwok::NODE_LABEL;
use crate::node::TAINT_EFFECT;
use crate::registry::{Published, Registry, RegistryError};
use crate::repository::Repository;

/// How long pods on fake nodes may take to be ready.
const READY_DEADLINE: Duration = Duration::from_secs(90);

/// The values with which every sample chart installs.
const MINIMAL_VALUES: &str = include_str!("../charts/values-minimal.yaml");

/// The images of the sample charts that follow the channel.
pub const CHANNEL_IMAGES: [&str; 3] = [
    "tracebloc/jobs-manager",
    "tracebloc/pods-monitor",
    "tracebloc/resource-monitor",
];

/// The other images of the sample charts, with their tags.
pub const OTHER_IMAGES: [(&str, &str); 8] = [
    ("tracebloc/mysql-client", "prod"),
    ("tracebloc/mysql-client", "latest"),
    ("tracebloc/ingestor", "0.3"),
    ("tracebloc/ingestor", "0.8"),
    ("busybox", "1.35"),
    ("ubuntu/squid", "6.6-24.04_beta"),
    ("alpine/k8s", "1.30.5"),
    ("alpine/helm", "3.16.4"),
];

/// Makes names unique within the process.
static NUMBER: AtomicU32 = AtomicU32::new(1);

/// Why a tenant could not do something.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The charts.
    #[error(transparent)]
    Chart(#[from] ChartError),
}

/// A release to install.
#[derive(Debug, Clone)]
pub struct Install<'a> {
    /// The release's name.
    pub release: &'a str,
    /// The sample chart, such as `client`.
    pub chart: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Which Helm.
    pub helm: Helm,
    /// Values over the minimal ones, as `--set` takes them.
    pub set: Vec<String>,
}

impl<'a> Install<'a> {
    /// The sample `client` chart of a version, by Helm 4.
    pub fn client(release: &'a str, version: &'a str) -> Self {
        Self {
            release,
            chart: "client",
            version,
            helm: Helm::Four,
            set: Vec::new(),
        }
    }

    /// By another Helm.
    #[must_use]
    pub fn by(mut self, helm: Helm) -> Self {
        self.helm = helm;
        self
    }

    /// With a value more.
    #[must_use]
    pub fn set(mut self, value: impl Into<String>) -> Self {
        self.set.push(value.into());
        self
    }
}

/// Where the pods of a tenant run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nodes {
    /// On the nodes that kwok plays.
    Fake,
    /// On the real node.
    Real,
}

impl Nodes {
    /// The value of [`NODE_LABEL`] on the nodes, and on the namespaces of their tenants.
    const fn label(self) -> &'static str {
        match self {
            Self::Fake => "kwok",
            Self::Real => "real",
        }
    }

    /// The namespace of a tenant, whose pods the API server sends to these nodes.
    fn namespace(self, name: &str) -> Value {
        let label = self.label();
        let mut annotations =
            json!({"scheduler.alpha.kubernetes.io/node-selector": format!("{NODE_LABEL}={label}")});
        if self == Self::Real {
            let toleration = json!([{"key": NODE_LABEL, "operator": "Equal", "value": label, "effect": TAINT_EFFECT}]);
            annotations["scheduler.alpha.kubernetes.io/defaultTolerations"] =
                toleration.to_string().into();
        }
        json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {NODE_LABEL: label}, "annotations": annotations},
        })
    }
}

/// A namespace, a registry path and a chart repository.
#[derive(Debug)]
pub struct Tenant<'bed> {
    bed: &'bed Bed,
    namespace: String,
    repository: Repository,
}

impl<'bed> Tenant<'bed> {
    pub(crate) fn create(bed: &'bed Bed, name: &str, nodes: Nodes) -> Result<Self, BedError> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("{name}-{number}");
        for namespace in [namespace.clone(), format!("{namespace}-agents")] {
            bed.cluster()
                .api()
                .create("/api/v1/namespaces", &nodes.namespace(&namespace))?;
        }
        let registry = format!("{}/{namespace}", bed.registry().host());
        let serve = || -> Result<Repository, String> {
            let charts = Chart::samples(&registry).map_err(|error| error.to_string())?;
            Repository::serve(charts).map_err(|error| error.to_string())
        };
        let repository = serve().map_err(|seen| ClusterError::Deadline {
            what: "the chart repository serves".to_owned(),
            seconds: 0,
            seen,
        })?;
        Ok(Self {
            bed,
            namespace,
            repository,
        })
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The namespace of the node agents.
    pub fn agents_namespace(&self) -> String {
        format!("{}-agents", self.namespace)
    }

    /// The chart repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The bed.
    pub fn bed(&self) -> &'bed Bed {
        self.bed
    }

    /// `host:port/path`, which this tenant's images begin with.
    pub fn registry_path(&self) -> String {
        format!("{}/{}", self.registry().host(), self.namespace)
    }

    fn registry(&self) -> &Registry {
        self.bed.registry()
    }

    /// Pushes an image below the tenant's path.
    pub fn publish(
        &self,
        repository: &str,
        tag: &str,
        image: &Image,
    ) -> Result<Published, TenantError> {
        Ok(self
            .registry()
            .publish(&format!("{}/{repository}", self.namespace), tag, image)?)
    }

    /// Pushes all images of the sample charts; `tag` is the channel. The content of each is its repository and `generation`.
    pub fn publish_all(&self, tag: &str, generation: &str) -> Result<(), TenantError> {
        let channel = CHANNEL_IMAGES.iter().map(|repository| (*repository, tag));
        for (repository, tag) in channel.chain(OTHER_IMAGES) {
            self.publish(
                repository,
                tag,
                &Image::new(format!("{repository} {generation}")),
            )?;
        }
        Ok(())
    }

    /// Moves a tag to new content, as a vendor does who releases.
    pub fn move_tag(
        &self,
        repository: &str,
        tag: &str,
        content: &str,
    ) -> Result<Published, TenantError> {
        self.publish(repository, tag, &Image::new(content))
    }

    /// Installs a sample chart with the real Helm.
    pub fn install(&self, install: &Install<'_>) -> Result<Output, TenantError> {
        self.helm_with_values("install", install)
    }

    /// Upgrades to a sample chart with the real Helm.
    pub fn upgrade(&self, install: &Install<'_>) -> Result<Output, TenantError> {
        self.helm_with_values("upgrade", install)
    }

    fn helm_with_values(&self, verb: &str, install: &Install<'_>) -> Result<Output, TenantError> {
        let Install {
            release,
            chart,
            version,
            helm,
            set,
        } = install;
        let cluster = self.bed.cluster();
        let values = cluster.write(&format!("values/{}.yaml", self.namespace), MINIMAL_VALUES)?;
        let url = self.repository.url();
        let values = values.display().to_string();
        let mut arguments: Vec<String> =
            [verb, release, chart, "--repo", &url, "--version", version]
                .into_iter()
                .chain(["--namespace", &self.namespace, "--values", &values])
                .map(str::to_owned)
                .collect();
        let own = [
            format!("autoUpgrade.repoUrl={url}"),
            format!("nodeAgents.namespace.name={}", self.agents_namespace()),
            "nodeAgents.namespace.create=false".to_owned(),
            format!("storageClass.name={}", crate::kwok::STORAGE_CLASS_RETAIN),
        ];
        for value in own.iter().chain(set) {
            arguments.extend(["--set".to_owned(), value.clone()]);
        }
        Ok(cluster.helm(*helm, &arguments)?)
    }

    /// Runs `kubectl` in the tenant's namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<Output, TenantError> {
        let mut whole = vec!["--namespace", self.namespace.as_str()];
        whole.extend(arguments);
        Ok(self.bed.cluster().kubectl(&whole)?)
    }

    /// The pods of the tenant's namespace as JSON.
    pub fn pods(&self) -> Result<Vec<Value>, TenantError> {
        let list = self
            .bed
            .cluster()
            .api()
            .get(&format!("/api/v1/namespaces/{}/pods", self.namespace))
            .map_err(ClusterError::from)?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }

    /// Waits until every Deployment and `DaemonSet` of both namespaces has settled.
    pub fn wait_ready(&self) -> Result<(), TenantError> {
        for namespace in [self.namespace.clone(), self.agents_namespace()] {
            let path = |kind: &str| format!("/apis/apps/v1/namespaces/{namespace}/{kind}");
            wait_until(
                READY_DEADLINE,
                &format!("the workloads of {namespace} are ready"),
                || {
                    let mut waiting = Vec::new();
                    for kind in ["deployments", "daemonsets"] {
                        let list = self.bed.cluster().api().get(&path(kind))?;
                        for object in list["items"].as_array().into_iter().flatten() {
                            if !is_settled(object) {
                                waiting.push(object["metadata"]["name"].to_string());
                            }
                        }
                    }
                    Ok(if waiting.is_empty() {
                        Ok(())
                    } else {
                        Err(waiting.join(", "))
                    })
                },
            )?;
        }
        Ok(())
    }
}

/// kubectl's `rollout status`, and no pod of an old template left.
fn is_settled(object: &Value) -> bool {
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    let status = &object["status"];
    let observed =
        number(&status["observedGeneration"]) >= number(&object["metadata"]["generation"]);
    if object["spec"].get("replicas").is_some() {
        let replicas = number(&object["spec"]["replicas"]);
        observed
            && number(&status["updatedReplicas"]) == replicas
            && number(&status["replicas"]) == replicas
            && number(&status["availableReplicas"]) == replicas
    } else {
        let desired = number(&status["desiredNumberScheduled"]);
        observed
            && number(&status["updatedNumberScheduled"]) == desired
            && number(&status["numberAvailable"]) == desired
    }
}
