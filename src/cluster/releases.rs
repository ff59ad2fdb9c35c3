//! Release records: which revisions there are, by metadata only, and the few whose payload is needed (DESIGN §6, FACTS 5.1).

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tracebloc_core::name::{Namespace, ReleaseId, ReleaseName};
use tracebloc_core::release::{DecodeError, Release, ReleaseStatus, RevisionHead};

use super::list::Query;
use super::{Cluster, ClusterError, METADATA_LIST};
use crate::context::Storage;

/// What Helm labels its records with.
const OWNER: &str = "owner=helm";

/// The revisions of one release that matter.
#[derive(Debug, Clone)]
pub(crate) struct Revisions {
    /// The newest.
    pub(crate) newest: RevisionHead,
    /// The newest deployed one, where the newest is not.
    pub(crate) deployed: Option<RevisionHead>,
}

#[derive(Deserialize)]
struct Record {
    metadata: RecordMetadata,
}

#[derive(Deserialize)]
struct RecordMetadata {
    namespace: String,
    #[serde(default)]
    labels: HashMap<String, String>,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    data: PayloadData,
}

#[derive(Deserialize, Default)]
struct PayloadData {
    #[serde(default)]
    release: String,
}

impl Cluster {
    /// The releases of a namespace, or of all, by namespace and name. One metadata-only list.
    pub(crate) async fn releases(
        &self,
        namespace: Option<&Namespace>,
        selector: Option<&str>,
    ) -> Result<Vec<Revisions>, ClusterError> {
        let labels = match selector {
            Some(selector) => format!("{OWNER},{selector}"),
            None => OWNER.to_owned(),
        };
        let records: Vec<Record> = self
            .list(&Query {
                api: "/api/v1",
                resource: self.storage.resource(),
                namespace,
                labels: Some(labels),
                accept: Some(METADATA_LIST),
            })
            .await?;
        Ok(newest(
            records.iter().filter_map(|record| head(&record.metadata)),
        ))
    }

    /// The record of one revision, decoded.
    pub(crate) async fn release(&self, head: &RevisionHead) -> Result<Release, ClusterError> {
        let resource = self.storage.resource();
        let ReleaseId { namespace, name } = &head.id;
        let object = format!("sh.helm.release.v1.{name}.v{}", head.revision);
        let payload: Payload = self
            .get(
                &format!("/api/v1/namespaces/{namespace}/{resource}/{object}"),
                None,
                "get",
                &format!("{resource} in namespace {namespace}"),
            )
            .await?;
        let record = match self.storage {
            Storage::ConfigMaps => payload.data.release.into_bytes(),
            Storage::Secrets => STANDARD
                .decode(payload.data.release)
                .map_err(|_| DecodeError::Base64)?,
        };
        Ok(Release::decode(&record)?)
    }
}

impl Storage {
    fn resource(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::ConfigMaps => "configmaps",
        }
    }
}

/// The revision that a record's labels name; `None` for an object that only looks like a record.
fn head(metadata: &RecordMetadata) -> Option<RevisionHead> {
    let label = |name: &str| metadata.labels.get(name);
    Some(RevisionHead {
        id: ReleaseId {
            namespace: Namespace::parse(&metadata.namespace).ok()?,
            name: ReleaseName::parse(label("name")?).ok()?,
        },
        revision: label("version")?.parse().ok()?,
        status: ReleaseStatus::parse(label("status").map_or("", String::as_str)),
    })
}

/// The newest revision of each release, and the newest deployed one beside it.
fn newest(heads: impl Iterator<Item = RevisionHead>) -> Vec<Revisions> {
    let mut releases: BTreeMap<ReleaseId, (RevisionHead, Option<RevisionHead>)> = BTreeMap::new();
    for head in heads {
        let (newest, deployed) = releases
            .entry(head.id.clone())
            .or_insert_with(|| (head.clone(), None));
        if head.revision > newest.revision {
            *newest = head.clone();
        }
        let is_newer = deployed
            .as_ref()
            .is_none_or(|known| head.revision > known.revision);
        if head.status == ReleaseStatus::Deployed && is_newer {
            *deployed = Some(head);
        }
    }
    releases
        .into_values()
        .map(|(newest, deployed)| Revisions {
            deployed: deployed.filter(|deployed| deployed.revision != newest.revision),
            newest,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(name: &str, revision: u32, status: ReleaseStatus) -> RevisionHead {
        RevisionHead {
            id: ReleaseId {
                namespace: Namespace::parse("edge").unwrap(),
                name: ReleaseName::parse(name).unwrap(),
            },
            revision,
            status,
        }
    }

    #[test]
    fn the_newest_counts_whatever_the_order_and_the_digits() {
        use ReleaseStatus::{Deployed, Failed, PendingUpgrade, Superseded};
        let releases = newest(
            [
                revision("b", 10, PendingUpgrade),
                revision("b", 9, Deployed),
                revision("b", 2, Superseded),
                revision("a", 1, Deployed),
                revision("c", 1, Failed),
            ]
            .into_iter(),
        );
        let seen: Vec<_> = releases
            .iter()
            .map(|release| {
                (
                    release.newest.revision,
                    release.deployed.as_ref().map(|head| head.revision),
                )
            })
            .collect();
        assert_eq!(seen, [(1, None), (10, Some(9)), (1, None)]);
    }
}
