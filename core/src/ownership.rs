//! Who else looks after an object: the marks that tools leave on what they apply.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an object's metadata says of who looks after it. Labels and annotations are kept only where they are such marks: others may hold anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Labels and annotations that are marks of a tool.
    pub notes: BTreeMap<String, String>,
    /// The label `app.kubernetes.io/instance`, which Argo CD may use as its own.
    pub instance: Option<String>,
    /// The managers of its fields.
    pub managers: BTreeSet<String>,
    /// By container of the pod template: who owns its image.
    #[serde(default)]
    pub image_owners: BTreeMap<String, BTreeSet<String>>,
}

/// The tool that looks after a release from outside the cluster's own Helm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedBy {
    /// The tool's name: `Argo CD`, `Flux`, `Terraform`, `Pulumi`.
    pub tool: String,
    /// What it calls the object that it applies, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The mark that says so.
    pub mark: String,
}

/// A mark in a label or an annotation.
struct Note {
    tool: &'static str,
    key: &'static str,
}

/// The notes that name what a tool applies, surest first.
const NOTES: &[Note] = &[
    Note {
        tool: "Argo CD",
        key: "argocd.argoproj.io/tracking-id",
    },
    Note {
        tool: "Argo CD",
        key: "argocd.argoproj.io/instance",
    },
    Note {
        tool: "Flux",
        key: "helm.toolkit.fluxcd.io/name",
    },
    Note {
        tool: "Flux",
        key: "kustomize.toolkit.fluxcd.io/name",
    },
];

/// The beginnings of field managers' names. A provider of Terraform or Pulumi writes under its program's name.
const MANAGERS: &[(&str, &str)] = &[
    ("Argo CD", "argocd"),
    ("Flux", "helm-controller"),
    ("Flux", "kustomize-controller"),
    ("Terraform", "terraform-provider-"),
    ("Terraform", "Terraform"),
    ("Pulumi", "pulumi"),
];

/// What the keys begin with by which Keel is told what to do with a workload.
const KEEL: &str = "keel.sh/";

/// The annotation that tells Keel by which policy it moves the images of a workload.
pub const KEEL_POLICY: &str = "keel.sh/policy";

/// True if a label or an annotation of that key is a mark to keep.
pub fn is_mark(key: &str) -> bool {
    NOTES.iter().any(|note| note.key == key) || key.starts_with(KEEL)
}

impl Marks {
    /// True if Keel was told what to do with the workload.
    pub fn has_keel(&self) -> bool {
        self.notes.keys().any(|key| key.starts_with(KEEL))
    }

    /// The policy that Keel goes by.
    pub fn keel_policy(&self) -> Option<&str> {
        self.notes.get(KEEL_POLICY).map(String::as_str)
    }

    /// The tool that the marks speak of.
    pub fn owner(&self) -> Option<ManagedBy> {
        let noted = NOTES.iter().find_map(|note| {
            let value = self.notes.get(note.key)?;
            Some(ManagedBy {
                tool: note.tool.to_owned(),
                name: Some(name_in(value)),
                mark: note.key.to_owned(),
            })
        });
        noted.or_else(|| {
            self.managers.iter().find_map(|manager| {
                let (tool, _) = MANAGERS
                    .iter()
                    .find(|(_, beginning)| manager.starts_with(beginning))?;
                Some(ManagedBy {
                    tool: (*tool).to_owned(),
                    // Argo CD's oldest way of tracking: charts set the same label, so that it counts only beside its manager.
                    name: self.instance.clone().filter(|_| *tool == "Argo CD"),
                    mark: format!("field manager {manager}"),
                })
            })
        })
    }
}

/// The application in a tracking id, `APP:GROUP/KIND:NAMESPACE/NAME`; any other value is the name itself.
fn name_in(value: &str) -> String {
    value.split(':').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(notes: &[(&str, &str)], managers: &[&str]) -> Option<(String, Option<String>)> {
        let marks = Marks {
            notes: notes
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            instance: Some("edge".into()),
            managers: managers.iter().map(|name| (*name).to_owned()).collect(),
            ..Marks::default()
        };
        marks.owner().map(|owner| (owner.tool, owner.name))
    }

    #[test]
    fn tools_are_known_by_their_marks() {
        let tracked = "shop:apps/Deployment:edge/edge-jobs-manager";
        for (notes, managers, tool, name) in [
            (
                &[("argocd.argoproj.io/tracking-id", tracked)][..],
                &[][..],
                "Argo CD",
                Some("shop"),
            ),
            (
                &[("helm.toolkit.fluxcd.io/name", "edge")],
                &["helm-controller"],
                "Flux",
                Some("edge"),
            ),
            (
                &[],
                &["kube-controller-manager", "argocd-controller"],
                "Argo CD",
                Some("edge"),
            ),
            (
                &[],
                &["terraform-provider-helm_v2.17.0_x5"],
                "Terraform",
                None,
            ),
            (&[], &["pulumi-kubernetes-1a2b"], "Pulumi", None),
        ] {
            let expected = (tool.to_owned(), name.map(str::to_owned));
            assert_eq!(owner(notes, managers), Some(expected), "{tool}");
        }
    }

    #[test]
    fn helm_and_kubectl_are_nobody_else() {
        assert_eq!(
            owner(
                &[],
                &[
                    "helm",
                    "kubectl-set",
                    "kube-controller-manager",
                    "kubectl-tracebloc"
                ]
            ),
            None
        );
    }
}
