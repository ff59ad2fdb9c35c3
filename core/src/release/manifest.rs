//! The stored manifest: which workloads and claims a release declares. Only what is judged is read:
//! names, containers and images, how pods give way to new ones, what they mount, and what becomes of claims.

mod kind;

use serde::Deserialize;

use super::access::{self, DeclaredBinding};
use crate::claim::{ClaimId, DeclaredClaim};
use crate::name::Namespace;
use crate::workload::{Container, EnvironmentVariable, Shape, Workload, WorkloadId, WorkloadKind};
use crate::yaml;
use kind::declared_kind;

/// What a manifest holds of interest.
pub(super) struct Contents {
    pub(super) workloads: Vec<Workload>,
    pub(super) claims: Vec<DeclaredClaim>,
    pub(super) bindings: Vec<DeclaredBinding>,
    pub(super) unreadable: Vec<String>,
}

/// The kind of a claim.
const CLAIM: &str = "PersistentVolumeClaim";

/// What a document is called whose kind cannot be read.
pub(super) const DOCUMENT: &str = "document";

#[derive(Deserialize)]
struct ClaimDocument {
    metadata: ClaimMetadata,
    #[serde(default)]
    spec: ClaimSpec,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct ClaimSpec {
    #[serde(default)]
    access_modes: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct ClaimMetadata {
    #[serde(flatten)]
    names: Metadata,
    #[serde(default)]
    annotations: Option<ClaimAnnotations>,
}

#[derive(Deserialize)]
struct ClaimAnnotations {
    #[serde(default, rename = "helm.sh/resource-policy")]
    policy: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: Option<String>,
}

/// The pod specification sits at another depth in each kind; one shape reads them all: a Pod has the containers itself, the others a template,
/// and a `CronJob` a template of a Job.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    replicas: Option<u32>,
    #[serde(default)]
    strategy: Option<Strategy>,
    template: Option<Template>,
    job_template: Option<JobTemplate>,
    #[serde(default)]
    init_containers: Option<Vec<DeclaredContainer>>,
    #[serde(default)]
    containers: Option<Vec<DeclaredContainer>>,
}

/// How a Deployment replaces its pods; a `DaemonSet` and a `StatefulSet` call it otherwise.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Strategy {
    #[serde(rename = "type", default)]
    name: Option<String>,
    #[serde(default)]
    rolling_update: Option<RollingUpdate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RollingUpdate {
    #[serde(default)]
    max_surge: Option<serde_json::Value>,
}

impl Strategy {
    /// True where a new pod is started before an old one ends, which is the default.
    fn overlaps(&self) -> bool {
        let surge = self
            .rolling_update
            .as_ref()
            .and_then(|update| update.max_surge.as_ref());
        let none = surge.is_some_and(|surge| match surge {
            serde_json::Value::String(text) => text == "0" || text == "0%",
            number => number.as_u64() == Some(0),
        });
        self.name.as_deref() != Some("Recreate") && !none
    }
}

#[derive(Deserialize)]
struct Template {
    #[serde(default)]
    spec: PodSpec,
}

#[derive(Deserialize)]
struct JobTemplate {
    spec: JobSpec,
}

#[derive(Deserialize)]
struct JobSpec {
    template: Template,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    #[serde(default)]
    init_containers: Option<Vec<DeclaredContainer>>,
    #[serde(default)]
    containers: Option<Vec<DeclaredContainer>>,
    #[serde(default)]
    volumes: Option<Vec<Volume>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Volume {
    #[serde(default)]
    persistent_volume_claim: Option<ClaimVolume>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClaimVolume {
    claim_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeclaredContainer {
    name: String,
    #[serde(default)]
    image: String,
    #[serde(default)]
    image_pull_policy: Option<String>,
    #[serde(default)]
    env: Option<Vec<EnvironmentVariable>>,
}

/// Reads the workloads of a stored manifest. Objects without a namespace are in the release's.
pub(super) fn parse(manifest: &str, release_namespace: &Namespace) -> Contents {
    let mut contents = Contents {
        workloads: Vec::new(),
        claims: Vec::new(),
        bindings: Vec::new(),
        unreadable: Vec::new(),
    };
    for document in yaml::documents(manifest) {
        let written = match declared_kind(document) {
            Ok(Some(written)) => written,
            Ok(None) => continue,
            Err(_) => {
                contents.unreadable.push(DOCUMENT.to_owned());
                continue;
            }
        };
        let is_read = if written == CLAIM {
            claim(document, release_namespace).map(|claim| contents.claims.push(claim))
        } else if let Some(kind) = WorkloadKind::parse(&written) {
            read(document, kind, release_namespace)
                .map(|workload| contents.workloads.push(workload))
        } else {
            let binding = access::binding(document, &written, release_namespace);
            contents.bindings.extend(binding);
            continue;
        };
        if is_read.is_none() {
            contents.unreadable.push(written.into_owned());
        }
    }
    contents.workloads.sort_by(|a, b| a.id.cmp(&b.id));
    contents
}

fn claim(document: &str, release_namespace: &Namespace) -> Option<DeclaredClaim> {
    let document: ClaimDocument = yaml::from_document(document).ok()?;
    let Metadata { name, namespace } = document.metadata.names;
    let policy = document.metadata.annotations.and_then(|notes| notes.policy);
    Some(DeclaredClaim {
        id: ClaimId {
            namespace: namespace_of(namespace.as_deref(), release_namespace)?,
            name,
        },
        // Helm reads the value in any case and with space around it (helm `pkg/action/resource_policy.go`).
        kept: policy.is_some_and(|policy| policy.trim().eq_ignore_ascii_case("keep")),
        one_node: document.spec.access_modes.is_some_and(|modes| {
            !modes.is_empty() && modes.iter().all(|mode| mode.starts_with("ReadWriteOnce"))
        }),
    })
}

/// The namespace of an object, which is the release's where it names none.
pub(super) fn namespace_of(
    written: Option<&str>,
    release_namespace: &Namespace,
) -> Option<Namespace> {
    match written {
        None | Some("") => Some(release_namespace.clone()),
        Some(name) => Namespace::parse(name).ok(),
    }
}

fn read(document: &str, kind: WorkloadKind, release_namespace: &Namespace) -> Option<Workload> {
    let document: Document = yaml::from_document(document).ok()?;
    if document.kind != kind.as_str() {
        return None;
    }
    let namespace = namespace_of(document.metadata.namespace.as_deref(), release_namespace)?;
    let Spec {
        replicas,
        strategy,
        template,
        job_template,
        init_containers,
        containers: main,
    } = document.spec;
    let mut pod = match (template, job_template) {
        (Some(template), _) => template.spec,
        (None, Some(job)) => job.spec.template.spec,
        (None, None) => PodSpec {
            init_containers,
            containers: main,
            volumes: None,
        },
    };
    let volumes = pod.volumes.take().unwrap_or_default();
    let shape = Shape {
        replicas,
        overlaps: kind == WorkloadKind::Deployment && strategy.unwrap_or_default().overlaps(),
        claims: volumes
            .into_iter()
            .filter_map(|volume| Some(volume.persistent_volume_claim?.claim_name))
            .collect(),
    };
    Some(Workload {
        id: WorkloadId {
            kind,
            namespace,
            name: document.metadata.name,
        },
        containers: containers(pod),
        shape,
    })
}

fn containers(pod: PodSpec) -> Vec<Container> {
    let read = |declared: DeclaredContainer, init: bool| {
        Container::declared(
            declared.name,
            &declared.image,
            declared.image_pull_policy.as_deref(),
            init,
        )
        .carrying(&declared.env.unwrap_or_default())
    };
    let init = pod.init_containers.unwrap_or_default();
    let main = pod.containers.unwrap_or_default();
    init.into_iter()
        .map(|declared| read(declared, true))
        .chain(main.into_iter().map(|declared| read(declared, false)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::PullPolicy;

    const MANIFEST: &str = "---
# Source: client/templates/secret.yaml
apiVersion: v1
kind: Secret
metadata:
  name: edge-secrets
stringData:
  note: |
    kind: Deployment
---
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: edge-resource-monitor
  namespace: tracebloc-node-agents
spec:
  template:
    spec:
      containers:
        - name: tracebloc-resource-monitor
          image: 127.0.0.1:5000/tracebloc/resource-monitor@sha256:0000000000000000000000000000000000000000000000000000000000000000
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: edge-image-refresh}
spec:
  schedule: '7 * * * *'
  jobTemplate:
    spec:
      template:
        spec:
          containers: [{name: refresh, image: 'alpine/k8s:1.30.5'}]
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: mysql-client
spec:
  template:
    spec:
      initContainers:
        - name: init-mysql-data
          image: busybox:1.35
      containers:
        - name: mysql-client
          image: tracebloc/mysql-client:prod
          imagePullPolicy: Always
---
apiVersion: apps/v1
kind: Deployment
metadata: [broken
";

    #[test]
    fn workloads_are_found_at_every_depth() {
        let contents = parse(MANIFEST, &Namespace::parse("edge").unwrap());
        let names: Vec<String> = contents
            .workloads
            .iter()
            .map(|workload| format!("{}:{}", workload.id.namespace, workload.id))
            .collect();
        assert_eq!(
            names,
            [
                "edge:deployment/mysql-client",
                "tracebloc-node-agents:daemonset/edge-resource-monitor",
                "edge:cronjob/edge-image-refresh"
            ]
        );
        let mysql = &contents.workloads[0];
        assert!(mysql.containers[0].init && !mysql.containers[1].init);
        assert_eq!(mysql.containers[0].pull_policy, PullPolicy::IfNotPresent);
        assert_eq!(mysql.containers[1].pull_policy, PullPolicy::Always);
    }

    #[test]
    fn how_pods_give_way_is_read_with_what_they_mount() {
        let shape = |spec: &str| {
            let text = format!(
                "---\nkind: Deployment\nmetadata: {{name: x}}\nspec: {{{spec} template: {{spec: {{containers: [], volumes: [{{name: tmp, emptyDir: {{}}}}, {{name: data, persistentVolumeClaim: {{claimName: client-pvc}}}}]}}}}}}\n"
            );
            parse(&text, &Namespace::parse("edge").unwrap())
                .workloads
                .remove(0)
                .shape
        };
        let plain = shape("");
        assert_eq!((plain.replicas, plain.overlaps), (None, true));
        assert_eq!(plain.claims, ["client-pvc"]);
        assert_eq!(shape("replicas: 2,").replicas, Some(2));
        assert!(!shape("strategy: {type: Recreate},").overlaps);
        assert!(shape("strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}},").overlaps);
        assert!(shape("strategy: {rollingUpdate: {maxSurge: 25%}},").overlaps);
        for none in ["0", "0%", "'0%'"] {
            let spec = format!("strategy: {{rollingUpdate: {{maxSurge: {none}}}}},");
            assert!(!shape(&spec).overlaps, "{none}");
        }
    }

    #[test]
    fn one_node_alone_mounts_a_claim_by_its_access_modes() {
        for (modes, expected) in [
            ("[ReadWriteOnce]", true),
            ("[ReadWriteOncePod]", true),
            ("[ReadWriteMany]", false),
            ("[ReadWriteOnce, ReadOnlyMany]", false),
            ("[]", false),
        ] {
            let text = format!(
                "---\nkind: PersistentVolumeClaim\nmetadata: {{name: x}}\nspec: {{accessModes: {modes}}}\n"
            );
            let contents = parse(&text, &Namespace::parse("edge").unwrap());
            assert_eq!(contents.claims[0].one_node, expected, "{modes}");
        }
    }

    #[test]
    fn a_claim_is_kept_by_its_annotation_alone() {
        let claim = |annotations: &str| {
            let text = format!(
                "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: mysql-pvc\n  labels: {{helm.sh/resource-policy: keep}}\n{annotations}"
            );
            let contents = parse(&text, &Namespace::parse("edge").unwrap());
            assert_eq!(contents.unreadable, Vec::<String>::new());
            assert_eq!(
                contents.claims[0].id.to_string(),
                "persistentvolumeclaim/mysql-pvc"
            );
            contents.claims[0].kept
        };
        assert!(claim("  annotations: {helm.sh/resource-policy: keep}\n"));
        assert!(claim(
            "  annotations:\n    helm.sh/resource-policy: ' Keep '\n"
        ));
        assert!(!claim(
            "  annotations: {helm.sh/resource-policy: delete, other: keep}\n"
        ));
        assert!(!claim("  annotations:\n"));
        assert!(!claim(""));
    }

    #[test]
    fn a_damaged_workload_is_named_and_the_rest_is_read() {
        let contents = parse(MANIFEST, &Namespace::parse("edge").unwrap());
        assert_eq!(contents.unreadable, ["Deployment"]);
    }
}
