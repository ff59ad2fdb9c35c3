//! Identities with few rights, for tests of what happens without them.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Cluster, ClusterError};
use crate::kubeconfig::{Kubeconfig, User};

/// Where a right holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// In one namespace.
    Namespace(&'a str),
    /// In all namespaces, and for objects outside of any.
    Cluster,
}

/// Rights on some resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant<'a> {
    /// Where they hold.
    pub scope: Scope<'a>,
    /// API groups; `""` is the core group.
    pub groups: &'a [&'a str],
    /// Resources in the plural.
    pub resources: &'a [&'a str],
    /// Verbs such as `get`.
    pub verbs: &'a [&'a str],
}

impl Cluster {
    /// Makes a service account with these rights and no others, and writes a kubeconfig that uses its token. The context is called as the
    /// account and has no namespace.
    pub fn service_account(
        &self,
        namespace: &str,
        name: &str,
        grants: &[Grant<'_>],
    ) -> Result<PathBuf, ClusterError> {
        let account = json!({"metadata": {"name": name}});
        self.api().create(
            &format!("/api/v1/namespaces/{namespace}/serviceaccounts"),
            &account,
        )?;
        for (number, grant) in grants.iter().enumerate() {
            self.grant(
                namespace,
                name,
                &format!("{namespace}-{name}-{number}"),
                grant,
            )?;
        }
        let kubeconfig = self.token_kubeconfig(namespace, name)?;
        self.write_kubeconfig(&format!("{namespace}-{name}"), &kubeconfig)
    }

    /// A kubeconfig with a fresh token of a service account.
    pub fn token_kubeconfig(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Kubeconfig, ClusterError> {
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}});
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
        let answer = self.api().create(&path, &request)?;
        let token = answer["status"]["token"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        Ok(self.kubeconfig_of(User::Token(token)).named(name))
    }

    /// Binds one grant to the account.
    fn grant(
        &self,
        namespace: &str,
        account: &str,
        name: &str,
        grant: &Grant<'_>,
    ) -> Result<(), ClusterError> {
        const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
        let Grant {
            scope,
            groups,
            resources,
            verbs,
        } = grant;
        let (base, role, binding) = match scope {
            Scope::Namespace(namespace) => (
                format!("{RBAC}/namespaces/{namespace}"),
                "Role",
                "rolebindings",
            ),
            Scope::Cluster => (RBAC.to_owned(), "ClusterRole", "clusterrolebindings"),
        };
        let collection = format!("{base}/{}s", role.to_lowercase());
        let rules: Value = json!([{"apiGroups": groups, "resources": resources, "verbs": verbs}]);
        self.api().create(
            &collection,
            &json!({"metadata": {"name": name}, "rules": rules}),
        )?;
        let bound = json!({
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name},
            "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": account}],
        });
        self.api().create(&format!("{base}/{binding}"), &bound)?;
        Ok(())
    }
}
