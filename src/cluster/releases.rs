//! Release records: which revisions there are, by metadata only, and the few whose payload is needed (DESIGN §6, FACTS 5.1).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tracebloc_core::name::{Namespace, ReleaseId, ReleaseName};
use tracebloc_core::release::{
    DecodeError, Release, ReleaseStatus, RevisionHead, Scratch, standing,
};
use url::form_urlencoded;

use super::list::Query;
use super::{Answer, Cluster, ClusterError, METADATA_LIST, protobuf};
use crate::context::Storage;

/// What Helm labels its records with.
const OWNER: &str = "owner=helm";

/// How a record is asked for: as it lies in the store, or as JSON where something on the way knows only that.
const RECORD: &str = "application/vnd.kubernetes.protobuf,application/json";

/// A revision as the list of records told it.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    /// Which revision.
    pub(crate) head: RevisionHead,
    /// The version of its record. A server that has seen this one can answer from its memory, without asking the store.
    resource_version: String,
}

/// The revisions of one release that matter.
#[derive(Debug, Clone)]
pub(crate) struct Revisions {
    /// The newest.
    pub(crate) newest: Listed,
    /// The one that was deployed last, where that is not the newest.
    pub(crate) deployed: Option<Listed>,
    /// All before the newest, newest first.
    pub(crate) earlier: Vec<Listed>,
}

#[derive(Deserialize)]
struct Record {
    metadata: RecordMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordMetadata {
    namespace: String,
    #[serde(default)]
    resource_version: String,
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
                fields: None,
                accept: Some(METADATA_LIST),
            })
            .await?;
        Ok(newest(
            records
                .into_iter()
                .filter_map(|record| listed(record.metadata)),
        ))
    }

    /// The record of one revision, decoded beside this thread.
    pub(crate) async fn release(&self, listed: &Listed) -> Result<Release, ClusterError> {
        let answer = match self
            .record(&listed.head, Some(&listed.resource_version))
            .await
        {
            // A server that lags behind the one that listed, or has forgotten: then the store is asked.
            Err(ClusterError::Expired { .. }) => self.record(&listed.head, None).await?,
            outcome => outcome?,
        };
        let storage = self.storage;
        let scratches = Arc::clone(&self.scratches);
        let decoded = tokio::task::spawn_blocking(move || {
            let lock = || scratches.lock().unwrap_or_else(PoisonError::into_inner);
            let mut scratch = lock().pop().unwrap_or_default();
            let release = decode(&answer, storage, &mut scratch);
            lock().push(scratch);
            release
        });
        let decoded = decoded.await;
        decoded.unwrap_or(Err(ClusterError::Abandoned))
    }

    /// The object that holds a record.
    async fn record(
        &self,
        head: &RevisionHead,
        resource_version: Option<&str>,
    ) -> Result<Answer, ClusterError> {
        let resource = self.storage.resource();
        let ReleaseId { namespace, name } = &head.id;
        let mut path = format!(
            "/api/v1/namespaces/{namespace}/{resource}/sh.helm.release.v1.{name}.v{}",
            head.revision
        );
        if let Some(version) = resource_version.filter(|version| !version.is_empty()) {
            path.push_str("?resourceVersion=");
            path.extend(form_urlencoded::byte_serialize(version.as_bytes()));
        }
        let asked = format!("{resource} in namespace {namespace}");
        self.fetch(&path, RECORD, "get", &asked).await
    }
}

/// The release in an object that holds a record.
fn decode(
    answer: &Answer,
    storage: Storage,
    scratch: &mut Scratch,
) -> Result<Release, ClusterError> {
    if answer.is_protobuf {
        let record =
            protobuf::value_of(&answer.body, "release").ok_or_else(|| ClusterError::Malformed {
                asked: storage.resource().to_owned(),
                at: None,
            })?;
        return Ok(Release::decode_in(&record, scratch)?);
    }
    let payload: Payload =
        serde_json::from_slice(&answer.body).map_err(|error| ClusterError::Malformed {
            asked: storage.resource().to_owned(),
            at: Some((error.line(), error.column())),
        })?;
    let record = match storage {
        Storage::ConfigMaps => payload.data.release.into_bytes(),
        Storage::Secrets => STANDARD
            .decode(payload.data.release)
            .map_err(|_| DecodeError::Base64)?,
    };
    Ok(Release::decode_in(&record, scratch)?)
}

/// The revision that a record's labels name; `None` for an object that only looks like a record.
fn listed(metadata: RecordMetadata) -> Option<Listed> {
    let label = |name: &str| metadata.labels.get(name);
    let head = RevisionHead {
        id: ReleaseId {
            namespace: Namespace::parse(&metadata.namespace).ok()?,
            name: ReleaseName::parse(label("name")?).ok()?,
        },
        revision: label("version")?.parse().ok()?,
        status: ReleaseStatus::parse(label("status").map_or("", String::as_str)),
    };
    Some(Listed {
        head,
        resource_version: metadata.resource_version,
    })
}

/// The newest revision of each release, the one that says what is installed beside it, and those before.
fn newest(records: impl Iterator<Item = Listed>) -> Vec<Revisions> {
    let mut releases: BTreeMap<ReleaseId, Vec<Listed>> = BTreeMap::new();
    for record in records {
        releases
            .entry(record.head.id.clone())
            .or_default()
            .push(record);
    }
    releases
        .into_values()
        .filter_map(|mut revisions| {
            revisions.sort_by_key(|listed| std::cmp::Reverse(listed.head.revision));
            let mut revisions = revisions.into_iter();
            let newest = revisions.next()?;
            let earlier: Vec<Listed> = revisions.collect();
            let statuses: Vec<ReleaseStatus> =
                earlier.iter().map(|listed| listed.head.status).collect();
            let deployed = standing(newest.head.status, &statuses)
                .and_then(|position| earlier.get(position))
                .cloned();
            Some(Revisions {
                newest,
                deployed,
                earlier,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(name: &str, revision: u32, status: ReleaseStatus) -> Listed {
        Listed {
            head: RevisionHead {
                id: ReleaseId {
                    namespace: Namespace::parse("edge").unwrap(),
                    name: ReleaseName::parse(name).unwrap(),
                },
                revision,
                status,
            },
            resource_version: "1".to_owned(),
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
                revision("d", 1, Superseded),
                revision("d", 3, Failed),
                revision("d", 2, Superseded),
            ]
            .into_iter(),
        );
        let seen: Vec<_> = releases
            .iter()
            .map(|release| {
                (
                    release.newest.head.revision,
                    release.deployed.as_ref().map(|record| record.head.revision),
                )
            })
            .collect();
        assert_eq!(seen, [(1, None), (10, Some(9)), (1, None), (3, Some(2))]);
    }
}
