//! The rights in Kubernetes that a command needs, and what becomes unknown without each (DESIGN §7 "Rights in tiers").

mod refresh;

use std::collections::BTreeMap;

use crate::assess::Question;
use crate::change::history_name;
use crate::name::ReleaseName;
use crate::profile::Profile;

pub use refresh::{of_pin, of_refresh};

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
    /// The objects that are meant; all of them where none is named.
    pub names: Vec<String>,
    /// What becomes of the call without it.
    pub without: Without,
}

/// What becomes of a call without a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Without {
    /// So much is unknown, and the rest is answered.
    Unknown(&'static str),
    /// So much is left out, and the rest is done.
    LeftOut(&'static str),
    /// Nothing is changed.
    Refused(&'static str),
    /// It is needed only in a case that most never meet, and is too much to be given for nothing.
    Rare(&'static str),
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
    let pods = question.digest || question.image || question.automation || question.jobs;
    let mut rights = vec![
        Right {
            place: Place::Releases,
            group: "",
            resources: vec![records.resource.to_owned()],
            verbs: &["get", "list"],
            names: Vec::new(),
            // With workloads to go by, releases are found by their labels.
            without: Without::Unknown(if pods || question.history {
                "what Helm's records alone tell: values, pins and opt-outs by value, the stored manifest, revisions and their status; releases are found by the labels of their workloads then"
            } else {
                "which releases there are, and everything about them"
            }),
        },
        Right {
            place: Place::Cluster,
            group: "",
            resources: vec!["namespaces".to_owned()],
            verbs: &["get"],
            names: vec!["kube-system".to_owned()],
            without: Without::Unknown("the cluster's identity in the report"),
        },
    ];
    if pods || question.history {
        rights.extend(kinds(profile).into_iter().map(|(group, resources)| Right {
            place: Place::Workloads,
            group,
            resources,
            verbs: &["list"],
            names: Vec::new(),
            without: Without::Unknown(
                "how the workloads are now: their present images, records and rollouts",
            ),
        }));
    }
    if pods {
        rights.push(Right {
            place: Place::Workloads,
            group: "",
            resources: vec!["pods".to_owned()],
            verbs: &["list"],
            names: Vec::new(),
            without: Without::Unknown("what runs"),
        });
        rights.push(Right {
            place: Place::Cluster,
            group: "",
            resources: vec!["nodes".to_owned()],
            verbs: &["list"],
            names: Vec::new(),
            without: Without::Unknown("the platform of each pod, which an index is compared for"),
        });
        if records.pull_secrets {
            rights.push(Right {
                place: Place::Workloads,
                group: "",
                resources: vec!["secrets".to_owned()],
                verbs: &["get"],
                names: Vec::new(),
                without: Without::Unknown("the pull secrets of --use-pull-secrets"),
            });
        }
    }
    rights.extend(of_automation(question));
    rights.extend(of_storage(question));
    if question.history {
        rights.extend(past(records));
    }
    rights
}

/// What a question about the chart's own jobs needs.
fn of_automation(question: &Question) -> Vec<Right> {
    let mut rights = Vec::new();
    if question.automation || question.jobs || question.history {
        rights.push(Right {
            place: Place::Workloads,
            group: "batch",
            resources: vec!["jobs".to_owned()],
            verbs: &["list"],
            names: Vec::new(),
            without: Without::Unknown(if question.automation {
                "how the chart's own jobs went"
            } else {
                "which Jobs of the chart run, beside what their CronJobs say of it"
            }),
        });
    }
    if question.automation {
        rights.push(Right {
            place: Place::Workloads,
            group: "rbac.authorization.k8s.io",
            resources: vec!["roles".to_owned(), "rolebindings".to_owned()],
            verbs: &["get"],
            names: Vec::new(),
            without: Without::Unknown("whether a run of the chart's own jobs that failed lacked rights; asked only after one"),
        });
        rights.push(Right {
            place: Place::Cluster,
            group: "rbac.authorization.k8s.io",
            resources: vec!["clusterroles".to_owned(), "clusterrolebindings".to_owned()],
            verbs: &["get", "list"],
            names: Vec::new(),
            without: Without::Unknown("whether a failed upgrade or run lacked rights of the chart's own jobs; asked only after one"),
        });
    }
    rights
}

/// What a question about the data needs.
fn of_storage(question: &Question) -> Vec<Right> {
    if !question.storage {
        return Vec::new();
    }
    vec![
        Right {
            place: Place::Releases,
            group: "",
            resources: vec!["persistentvolumeclaims".to_owned()],
            verbs: &["list"],
            names: Vec::new(),
            without: Without::Unknown("whether the claims are there and bound"),
        },
        Right {
            place: Place::Cluster,
            group: "",
            resources: vec!["persistentvolumes".to_owned()],
            verbs: &["list"],
            names: Vec::new(),
            without: Without::Unknown("what becomes of a volume's data when its claim is deleted"),
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
            names: records.release.map(history_name).into_iter().collect(),
            without: Without::Unknown(
                "what this product did, and who told it to, as far as the workloads do not tell",
            ),
        },
        Right {
            place: Place::Workloads,
            group: "apps",
            resources: vec!["replicasets".to_owned(), "controllerrevisions".to_owned()],
            verbs: &["list"],
            names: Vec::new(),
            without: Without::Unknown("why earlier rollouts were made"),
        },
        Right {
            place: Place::Workloads,
            group: "",
            resources: vec!["events".to_owned()],
            verbs: &["list"],
            names: Vec::new(),
            without: Without::Unknown("what went wrong in the last hour"),
        },
    ]
}

/// The workloads of the chart, by API group.
fn kinds(profile: &Profile) -> BTreeMap<&'static str, Vec<String>> {
    let mut groups: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for kind in profile.kinds() {
        groups
            .entry(kind.group())
            .or_default()
            .push(format!("{}s", kind.resource()));
    }
    groups
}
