//! The rights that a release gives service accounts, by the bindings of its stored manifest.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::manifest::namespace_of;
use crate::name::Namespace;
use crate::yaml;

/// The kind of an object that gives rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AccessKind {
    /// A binding in one namespace.
    RoleBinding,
    /// A role in one namespace.
    Role,
    /// A binding in all namespaces.
    ClusterRoleBinding,
    /// A role of the whole cluster.
    ClusterRole,
}

impl AccessKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::RoleBinding,
        Self::Role,
        Self::ClusterRoleBinding,
        Self::ClusterRole,
    ];

    /// Its name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RoleBinding => "RoleBinding",
            Self::Role => "Role",
            Self::ClusterRoleBinding => "ClusterRoleBinding",
            Self::ClusterRole => "ClusterRole",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    fn is_in_a_namespace(self) -> bool {
        matches!(self, Self::RoleBinding | Self::Role)
    }
}

/// An object that gives rights.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AccessId {
    /// Its kind.
    pub kind: AccessKind,
    /// Its namespace; `None` for one of the whole cluster.
    pub namespace: Option<Namespace>,
    /// Its name.
    pub name: String,
}

impl fmt::Display for AccessId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.as_str().to_ascii_lowercase();
        match &self.namespace {
            Some(namespace) => write!(formatter, "{kind} {} in namespace {namespace}", self.name),
            None => write!(formatter, "{kind} {}", self.name),
        }
    }
}

/// A binding of the stored manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredBinding {
    /// The binding.
    pub id: AccessId,
    /// The role that it gives. The release need not bring it: every cluster has some.
    pub role: AccessId,
    /// The service accounts that get it, by namespace and name.
    pub accounts: BTreeSet<(Namespace, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    metadata: Metadata,
    role_ref: RoleRef,
    #[serde(default)]
    subjects: Option<Vec<Subject>>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: Option<String>,
}

#[derive(Deserialize)]
struct RoleRef {
    kind: String,
    name: String,
}

#[derive(Deserialize)]
struct Subject {
    kind: String,
    name: String,
    #[serde(default)]
    namespace: Option<String>,
}

/// Reads a document of that kind; `None` where it is no binding, or cannot be read: then nothing is said of it.
pub(super) fn binding(
    document: &str,
    written: &str,
    release_namespace: &Namespace,
) -> Option<DeclaredBinding> {
    let kind = AccessKind::parse(written)?;
    if !matches!(
        kind,
        AccessKind::RoleBinding | AccessKind::ClusterRoleBinding
    ) {
        return None;
    }
    let document: Document = yaml::from_slice(document.as_bytes()).ok()?;
    let namespace = namespace_of(document.metadata.namespace.as_deref(), release_namespace)?;
    let id = |kind: AccessKind, name: String| AccessId {
        kind,
        namespace: kind.is_in_a_namespace().then(|| namespace.clone()),
        name,
    };
    let accounts = document
        .subjects
        .unwrap_or_default()
        .into_iter()
        .filter(|subject| subject.kind == "ServiceAccount")
        .filter_map(|subject| {
            let namespace = namespace_of(subject.namespace.as_deref(), release_namespace)?;
            Some((namespace, subject.name))
        })
        .collect();
    Some(DeclaredBinding {
        role: id(
            AccessKind::parse(&document.role_ref.kind)?,
            document.role_ref.name,
        ),
        id: id(kind, document.metadata.name),
        accounts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_are_read_with_their_roles_and_accounts() {
        let home = Namespace::parse("edge").unwrap();
        let document = "kind: RoleBinding\nmetadata: {name: edge-image-refresh, namespace: agents}\nroleRef: {kind: Role, name: edge-refresh}\nsubjects: [{kind: ServiceAccount, name: edge-image-refresh}, {kind: User, name: jane}]\n";
        let read = binding(document, "RoleBinding", &home).unwrap();
        assert_eq!(
            read.id.to_string(),
            "rolebinding edge-image-refresh in namespace agents"
        );
        assert_eq!(
            read.role.to_string(),
            "role edge-refresh in namespace agents"
        );
        let account = (home.clone(), "edge-image-refresh".to_owned());
        assert_eq!(read.accounts, BTreeSet::from([account]));
        let wide = document.replace("RoleBinding", "ClusterRoleBinding");
        let wide = wide.replace("kind: Role,", "kind: ClusterRole,");
        let read = binding(&wide, "ClusterRoleBinding", &home).unwrap();
        assert_eq!(
            (read.id.namespace, read.role.to_string().as_str()),
            (None, "clusterrole edge-refresh")
        );
        assert_eq!(binding(document, "Role", &home), None);
        assert_eq!(binding("kind: RoleBinding\n", "RoleBinding", &home), None);
    }
}
