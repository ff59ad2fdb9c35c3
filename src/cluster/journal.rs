//! What is written about changes: the history of a release in a `ConfigMap`, an Event on the workload, and who we are to the API server.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use tracebloc_core::change::{self, HISTORY_LIMIT, HistoryEntry};
use tracebloc_core::name::ReleaseId;
use tracebloc_core::plan::ObjectRef;

use super::history::ConfigMap;
use super::lease::micro_time;
use super::write::{Change, FIELD_MANAGER, How};
use super::{Cluster, ClusterError};

/// How often an entry is tried where others write at the same time.
const ATTEMPTS: usize = 3;

#[derive(Deserialize)]
struct Review {
    #[serde(default)]
    status: ReviewStatus,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ReviewStatus {
    user_info: UserInfo,
}

#[derive(Deserialize, Default)]
struct UserInfo {
    #[serde(default)]
    username: String,
}

/// Something that was done to a workload.
pub(crate) struct Event<'a> {
    /// The workload.
    pub(crate) object: &'a ObjectRef,
    /// Its uid.
    pub(crate) uid: &'a str,
    /// True for what went wrong.
    pub(crate) warning: bool,
    /// In one word, such as `Refreshed`.
    pub(crate) reason: &'a str,
    /// In a sentence.
    pub(crate) note: &'a str,
    /// Which run.
    pub(crate) run: &'a str,
}

impl Cluster {
    /// Who we are to the API server, which everybody may ask; an empty text where it does not say.
    pub(crate) async fn author(&self) -> Result<String, ClusterError> {
        let body = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "SelfSubjectReview",
        });
        let review: Review = self
            .send(&Change {
                path: "/apis/authentication.k8s.io/v1/selfsubjectreviews",
                how: How::Create,
                body: &body,
                object: "the review of ourselves",
            })
            .await?;
        Ok(review.status.user_info.username)
    }

    /// Adds an entry to the history of a release; the oldest give way.
    pub(crate) async fn enter(
        &self,
        release: &ReleaseId,
        entry: &HistoryEntry,
    ) -> Result<(), ClusterError> {
        let name = change::history_name(&release.name);
        let list = format!("/api/v1/namespaces/{}/configmaps", release.namespace);
        let path = format!("{list}/{name}");
        let words = format!("configmap {name} in namespace {}", release.namespace);
        let mut attempt = 1;
        loop {
            let outcome = match self.get::<ConfigMap>(&path, None, "get", &words).await {
                Ok(present) => {
                    let surplus = (present.data.len() + 1).saturating_sub(HISTORY_LIMIT);
                    let mut data: BTreeMap<String, Value> = present
                        .data
                        .into_keys()
                        .take(surplus)
                        .map(|oldest| (oldest, Value::Null))
                        .collect();
                    data.insert(entry.key(), entry.to_text().into());
                    self.send::<ConfigMap>(&Change {
                        path: &path,
                        how: How::Merge,
                        body: &json!({"data": data}),
                        object: &words,
                    })
                    .await
                }
                Err(ClusterError::NotFound { .. }) => {
                    let body = json!({
                        "apiVersion": "v1",
                        "kind": "ConfigMap",
                        "metadata": {
                            "name": name,
                            "namespace": release.namespace,
                            "labels": {
                                "app.kubernetes.io/managed-by": FIELD_MANAGER,
                                "tracebloc.io/release": release.name,
                            },
                        },
                        "data": {entry.key(): entry.to_text()},
                    });
                    self.send::<ConfigMap>(&Change {
                        path: &list,
                        how: How::Create,
                        body: &body,
                        object: &words,
                    })
                    .await
                }
                Err(error) => Err(error),
            };
            match outcome {
                Ok(_) => return Ok(()),
                Err(ClusterError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Tells of a change by an Event on the workload.
    pub(crate) async fn tell(&self, event: &Event<'_>) -> Result<(), ClusterError> {
        let Event { object, .. } = event;
        let now = super::now();
        let name = format!("{}.{:x}", object.name, now.as_nanosecond());
        let body = json!({
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": object.namespace},
            "eventTime": micro_time(now),
            "reportingController": FIELD_MANAGER,
            "reportingInstance": event.run,
            "action": event.reason,
            "reason": event.reason,
            "type": if event.warning { "Warning" } else { "Normal" },
            "note": event.note,
            "regarding": {
                "apiVersion": object.api_version,
                "kind": object.kind,
                "namespace": object.namespace,
                "name": object.name,
                "uid": event.uid,
            },
        });
        let path = format!(
            "/apis/events.k8s.io/v1/namespaces/{}/events",
            object.namespace
        );
        let _made: Value = self
            .send(&Change {
                path: &path,
                how: How::Create,
                body: &body,
                object: &format!("an event in namespace {}", object.namespace),
            })
            .await?;
        Ok(())
    }
}
