//! The rights in Kubernetes that a command needs, and what becomes unknown without each (DESIGN §7 "Rights in tiers").

use std::collections::{BTreeMap, BTreeSet};

use crate::assess::Question;
use crate::change::history_name;
use crate::name::ReleaseName;
use crate::profile::Profile;
use crate::workload::WorkloadKind;

/// Where a right is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the namespace of the releases.
    Releases,
    /// In every namespace that their workloads run in.
    Workloads,
    /// In the cluster as a whole.
    Cluster,
}

/// A right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// Where it is needed.
    pub place: Place,
    /// The API group; empty for the core.
    pub group: &'static str,
    /// The resources, in the plural.
    pub resources: Vec<String>,
    /// The verbs.
    pub verbs: &'static [&'static str],
    /// The one object that is meant, where it is one.
    pub name: Option<String>,
    /// What is unknown without it.
    pub without: &'static str,
}

/// What is asked of the cluster beside the question itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Records<'a> {
    /// The resource that holds Helm's records: `secrets` or `configmaps`.
    pub resource: &'static str,
    /// Whether pull secrets are read.
    pub pull_secrets: bool,
    /// The release, where one is named.
    pub release: Option<&'a ReleaseName>,
}

/// The least rights with which a question is answered in full.
pub fn needed(question: &Question, profile: &Profile, records: Records<'_>) -> Vec<Right> {
    let mut rights = vec![
        Right {
            place: Place::Releases,
            group: "",
            resources: vec![records.resource.to_owned()],
            verbs: &["get", "list"],
            name: None,
            without: "which releases there are, and everything about them",
        },
        Right {
            place: Place::Cluster,
            group: "",
            resources: vec!["namespaces".to_owned()],
            verbs: &["get"],
            name: Some("kube-system".to_owned()),
            without: "the cluster's identity in the report",
        },
    ];
    let pods = question.digest || question.image || question.automation;
    if pods || question.history {
        rights.extend(kinds(profile).into_iter().map(|(group, resources)| Right {
            place: Place::Workloads,
            group,
            resources,
            verbs: &["list"],
            name: None,
            without: "how the workloads are now: their present images, records and rollouts",
        }));
    }
    if pods {
        rights.push(Right {
            place: Place::Workloads,
            group: "",
            resources: vec!["pods".to_owned()],
            verbs: &["list"],
            name: None,
            without: "what runs",
        });
        rights.push(Right {
            place: Place::Cluster,
            group: "",
            resources: vec!["nodes".to_owned()],
            verbs: &["list"],
            name: None,
            without: "the platform of each pod, which an index is compared for",
        });
        if records.pull_secrets {
            rights.push(Right {
                place: Place::Workloads,
                group: "",
                resources: vec!["secrets".to_owned()],
                verbs: &["get"],
                name: None,
                without: "the pull secrets of --use-pull-secrets",
            });
        }
    }
    if question.automation || question.history {
        rights.push(Right {
            place: Place::Workloads,
            group: "batch",
            resources: vec!["jobs".to_owned()],
            verbs: &["list"],
            name: None,
            without: "how the chart's own jobs went",
        });
    }
    if question.automation {
        rights.push(Right {
            place: Place::Workloads,
            group: "rbac.authorization.k8s.io",
            resources: vec!["roles".to_owned(), "rolebindings".to_owned()],
            verbs: &["get"],
            name: None,
            without: "whether a run of the chart's own jobs that failed lacked rights; asked only after one",
        });
        rights.push(Right {
            place: Place::Cluster,
            group: "rbac.authorization.k8s.io",
            resources: vec!["clusterroles".to_owned(), "clusterrolebindings".to_owned()],
            verbs: &["get", "list"],
            name: None,
            without: "whether a failed upgrade or run lacked rights of the chart's own jobs; asked only after one",
        });
    }
    if question.storage {
        rights.extend(storage());
    }
    if question.history {
        rights.extend(past(records));
    }
    rights
}

/// What the safety of data is told by.
fn storage() -> [Right; 2] {
    [
        Right {
            place: Place::Releases,
            group: "",
            resources: vec!["persistentvolumeclaims".to_owned()],
            verbs: &["list"],
            name: None,
            without: "whether the claims are there and bound",
        },
        Right {
            place: Place::Cluster,
            group: "",
            resources: vec!["persistentvolumes".to_owned()],
            verbs: &["list"],
            name: None,
            without: "what becomes of a volume's data when its claim is deleted",
        },
    ]
}

/// What the past is told by, beside Helm's records, the workloads and their Jobs.
fn past(records: Records<'_>) -> [Right; 3] {
    [
        Right {
            place: Place::Releases,
            group: "",
            resources: vec!["configmaps".to_owned()],
            verbs: &["get"],
            name: records.release.map(history_name),
            without: "what this product did, and who told it to, as far as the workloads do not tell",
        },
        Right {
            place: Place::Workloads,
            group: "apps",
            resources: vec!["replicasets".to_owned(), "controllerrevisions".to_owned()],
            verbs: &["list"],
            name: None,
            without: "why earlier rollouts were made",
        },
        Right {
            place: Place::Workloads,
            group: "",
            resources: vec!["events".to_owned()],
            verbs: &["list"],
            name: None,
            without: "what went wrong in the last hour",
        },
    ]
}

/// The workloads of the chart, by API group.
fn kinds(profile: &Profile) -> BTreeMap<&'static str, Vec<String>> {
    let kinds: BTreeSet<WorkloadKind> = profile
        .images
        .iter()
        .flat_map(|image| image.containers.iter().map(|container| container.kind))
        .chain([profile.main_workload.kind])
        .collect();
    let mut groups: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for kind in kinds {
        let group = match kind {
            WorkloadKind::Deployment | WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => {
                "apps"
            }
            WorkloadKind::CronJob | WorkloadKind::Job => "batch",
            WorkloadKind::Pod => "",
        };
        groups
            .entry(group)
            .or_default()
            .push(format!("{}s", kind.resource()));
    }
    groups
}
