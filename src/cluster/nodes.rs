//! Nodes: the platform of each, by the labels that every kubelet sets, so that metadata is enough.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use tracebloc_core::manifest::Platform;

use super::list::Query;
use super::{Cluster, ClusterError, METADATA_LIST};

#[derive(Deserialize)]
struct Node {
    metadata: NodeMetadata,
}

#[derive(Deserialize)]
struct NodeMetadata {
    name: String,
    #[serde(default)]
    labels: HashMap<String, String>,
}

impl Cluster {
    /// The platform of each node that tells one.
    pub(crate) async fn platforms(&self) -> Result<BTreeMap<String, Platform>, ClusterError> {
        let nodes: Vec<Node> = self
            .list(&Query {
                api: "/api/v1",
                resource: "nodes",
                namespace: None,
                labels: None,
                fields: None,
                accept: Some(METADATA_LIST),
            })
            .await?;
        Ok(nodes
            .into_iter()
            .filter_map(|node| {
                let label = |name: &str| node.metadata.labels.get(name);
                let platform = Platform::new(
                    label("kubernetes.io/os")?,
                    label("kubernetes.io/arch")?,
                    None,
                );
                Some((node.metadata.name, platform))
            })
            .collect())
    }
}
