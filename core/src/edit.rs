//! Changes of single fields, past whoever applies the object: who wrote which, as the API server keeps it (`metadata.managedFields`).

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The field manager under which this product writes (DESIGN §7).
pub const OUR_MANAGER: &str = "kubectl-tracebloc";

/// The beginning of the names under which Helm writes: a program writes under its own file's name, and some call it `helm3`.
const HELM: &str = "helm";

/// Managers whose writing is the daily work of a cluster, or nobody's: the last one stands for what was there before server-side apply.
const SILENT: [&str; 3] = [
    "kube-controller-manager",
    "kube-scheduler",
    "before-first-apply",
];

/// What one manager wrote of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The program's name, as it gave it.
    pub manager: String,
    /// When it wrote last.
    pub at: Option<Timestamp>,
    /// What it wrote, then and before, as far as nobody has written it since.
    pub parts: BTreeSet<Part>,
}

/// A part of a workload. Readers must accept further ones.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(
    tag = "part",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub enum Part {
    /// The image of a container.
    Image {
        /// The container's name.
        container: String,
    },
    /// The environment of a container.
    Environment {
        /// The container's name.
        container: String,
        /// The variable's name; absent where the whole of it was written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        variable: Option<String>,
    },
    /// Anything else of a container.
    Container {
        /// Its name.
        container: String,
    },
    /// The mark of the pod template by which pods are started anew.
    Restart,
    /// How many pods there are.
    Replicas,
    /// Whether a rollout is paused.
    Pause,
    /// Whether a `CronJob` starts Jobs.
    Suspension,
    /// When a `CronJob` starts Jobs.
    Schedule,
    /// Anything else of the pod template.
    Template,
    /// Anything else of what the workload is to be.
    Specification,
    /// An annotation of the workload itself.
    Annotation {
        /// Its key.
        key: String,
    },
    /// Labels of the workload itself.
    Labels,
}

impl Part {
    /// True if it decides which content runs.
    pub fn decides_content(&self) -> bool {
        match self {
            Self::Image { .. } | Self::Environment { .. } | Self::Restart => true,
            Self::Container { .. }
            | Self::Replicas
            | Self::Pause
            | Self::Suspension
            | Self::Schedule
            | Self::Template
            | Self::Specification
            | Self::Annotation { .. }
            | Self::Labels => false,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image { container } => write!(formatter, "the image of {container}"),
            Self::Environment {
                container,
                variable: Some(variable),
            } => write!(formatter, "{variable} of {container}"),
            Self::Environment {
                container,
                variable: None,
            } => write!(formatter, "the environment of {container}"),
            Self::Container { container } => write!(formatter, "the container {container}"),
            Self::Restart => formatter.write_str("the mark of a restart"),
            Self::Replicas => formatter.write_str("the number of replicas"),
            Self::Pause => formatter.write_str("the pause"),
            Self::Suspension => formatter.write_str("the suspension"),
            Self::Schedule => formatter.write_str("the schedule"),
            Self::Template => formatter.write_str("the pod template"),
            Self::Specification => formatter.write_str("the specification"),
            Self::Annotation { key } => write!(formatter, "the annotation {key}"),
            Self::Labels => formatter.write_str("labels"),
        }
    }
}

/// True if what a manager writes is worth telling. What Helm writes is told by its revisions, and what controllers write of an object's status
/// by the object.
pub fn is_told(manager: &str, subresource: &str) -> bool {
    subresource != "status" && !manager.starts_with(HELM) && !SILENT.contains(&manager)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helm_and_controllers_write_is_not_told() {
        for (manager, subresource, told) in [
            ("kubectl-set", "", true),
            ("kubectl", "scale", true),
            (OUR_MANAGER, "", true),
            ("argocd-controller", "", true),
            ("helm", "", false),
            ("helm3", "", false),
            ("helm-controller", "", false),
            ("kube-controller-manager", "", false),
            ("kubectl-edit", "status", false),
            ("before-first-apply", "", false),
        ] {
            assert_eq!(is_told(manager, subresource), told, "{manager}");
        }
    }

    #[test]
    fn parts_are_told_to_programs_by_their_kind() {
        let image = Part::Image {
            container: "api".to_owned(),
        };
        let json = serde_json::to_value(&image).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"part": "image", "container": "api"})
        );
        assert_eq!(serde_json::from_value::<Part>(json).unwrap(), image);
        assert_eq!(image.to_string(), "the image of api");
        let restart = serde_json::to_value(Part::Restart).unwrap();
        assert_eq!(restart, serde_json::json!({"part": "restart"}));
    }
}
