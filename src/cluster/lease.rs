//! One writer at a time (DESIGN §7): a Lease per release. Whether its holder lives is judged by watching it for as long as it holds, by our own
//! clock: the clocks of two machines need not agree.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tracebloc_core::name::Namespace;

use super::write::{Change, How};
use super::{Cluster, ClusterError, now};

/// How long a Lease holds after it was last renewed.
const HOLDS: Duration = Duration::from_secs(10);

/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(3);

/// How often somebody else's is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The group of the API that has Leases.
const API: &str = "/apis/coordination.k8s.io/v1";

/// Why the Lease is not ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LeaseError {
    /// Somebody else works on the release.
    #[error("{holder} works on it at this moment")]
    Held {
        /// Who.
        holder: String,
    },
    /// It was ours, and was not renewed in time.
    #[error("the lease {name} was lost: another run may be at work")]
    Lost {
        /// Its name.
        name: String,
    },
    /// The API server.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// A Lease that is ours until it is given back or dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    cluster: Cluster,
    place: Place,
    lost: Arc<AtomicBool>,
    renewal: JoinHandle<()>,
}

/// Which Lease, and for whom.
#[derive(Debug, Clone)]
struct Place {
    namespace: Namespace,
    name: String,
    holder: String,
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    resource_version: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    holder_identity: Option<String>,
    lease_duration_seconds: Option<u64>,
    lease_transitions: Option<u64>,
}

impl Spec {
    fn holder(&self) -> &str {
        self.holder_identity.as_deref().unwrap_or_default()
    }
}

impl Place {
    fn list(&self) -> String {
        format!("{API}/namespaces/{}/leases", self.namespace)
    }

    fn path(&self) -> String {
        format!("{}/{}", self.list(), self.name)
    }

    fn words(&self) -> String {
        format!("lease {} in namespace {}", self.name, self.namespace)
    }
}

impl Cluster {
    /// Takes the Lease of that name for the holder. Somebody else's is watched for as long as it holds: one that is renewed meanwhile is theirs.
    pub(crate) async fn lease(
        &self,
        namespace: &Namespace,
        name: &str,
        holder: &str,
    ) -> Result<Lease, LeaseError> {
        let place = Place {
            namespace: namespace.clone(),
            name: name.to_owned(),
            holder: holder.to_owned(),
        };
        let mut seen: Option<(String, Instant)> = None;
        loop {
            let outcome = match self.present(&place).await? {
                None => self.make(&place).await,
                Some(object) if object.spec.holder().is_empty() => self.take(&place, &object).await,
                Some(object) => {
                    let version = &object.metadata.resource_version;
                    let (first, since) =
                        seen.get_or_insert_with(|| (version.clone(), Instant::now()));
                    if first != version {
                        return Err(LeaseError::Held {
                            holder: object.spec.holder().to_owned(),
                        });
                    }
                    let holds = object
                        .spec
                        .lease_duration_seconds
                        .map_or(HOLDS, Duration::from_secs);
                    if since.elapsed() <= holds {
                        sleep(LOOK).await;
                        continue;
                    }
                    self.take(&place, &object).await
                }
            };
            match outcome {
                Ok(()) => return Ok(self.keep(place)),
                // Somebody was quicker: look again.
                Err(ClusterError::Conflict { .. } | ClusterError::Rejected { .. }) => seen = None,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn present(&self, place: &Place) -> Result<Option<Object>, ClusterError> {
        match self.get(&place.path(), None, "get", &place.words()).await {
            Ok(object) => Ok(Some(object)),
            Err(ClusterError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn make(&self, place: &Place) -> Result<(), ClusterError> {
        let now = micro_time(now());
        let body = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": place.name, "namespace": place.namespace},
            "spec": {
                "holderIdentity": place.holder,
                "leaseDurationSeconds": HOLDS.as_secs(),
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": 0,
            },
        });
        let _made: Value = self
            .send(&Change {
                path: &place.list(),
                how: How::Create,
                body: &body,
                object: &place.words(),
            })
            .await?;
        Ok(())
    }

    async fn take(&self, place: &Place, object: &Object) -> Result<(), ClusterError> {
        let now = micro_time(now());
        let transitions = object.spec.lease_transitions.unwrap_or(0) + 1;
        let body = json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": object.metadata.resource_version},
            {"op": "add", "path": "/spec", "value": {
                "holderIdentity": place.holder,
                "leaseDurationSeconds": HOLDS.as_secs(),
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": transitions,
            }},
        ]);
        self.set(place, &body).await
    }

    async fn set(&self, place: &Place, operations: &Value) -> Result<(), ClusterError> {
        let _set: Value = self
            .send(&Change {
                path: &place.path(),
                how: How::Operations,
                body: operations,
                object: &place.words(),
            })
            .await?;
        Ok(())
    }

    /// Renews a Lease of ours while it is wanted.
    fn keep(&self, place: Place) -> Lease {
        let lost = Arc::new(AtomicBool::new(false));
        let (cluster, theirs, flag) = (self.clone(), place.clone(), Arc::clone(&lost));
        let renewal = tokio::spawn(async move {
            let mut renewed = Instant::now();
            loop {
                sleep(RENEWAL).await;
                let operations = json!([
                    {"op": "test", "path": "/spec/holderIdentity", "value": theirs.holder},
                    {"op": "add", "path": "/spec/renewTime", "value": micro_time(now())},
                ]);
                match cluster.set(&theirs, &operations).await {
                    Ok(()) => renewed = Instant::now(),
                    Err(ClusterError::Rejected { .. } | ClusterError::NotFound { .. }) => break,
                    // It holds for a while without us.
                    Err(_) if renewed.elapsed() < HOLDS => {}
                    Err(_) => break,
                }
            }
            flag.store(true, Ordering::Relaxed);
        });
        Lease {
            cluster: self.clone(),
            place,
            lost,
            renewal,
        }
    }
}

impl Lease {
    /// Asks the server whether it is still ours: before each step (DESIGN §7).
    pub(crate) async fn check(&self) -> Result<(), LeaseError> {
        let lost = || LeaseError::Lost {
            name: self.place.name.clone(),
        };
        if self.lost.load(Ordering::Relaxed) {
            return Err(lost());
        }
        match self.cluster.present(&self.place).await? {
            Some(object) if object.spec.holder() == self.place.holder => Ok(()),
            Some(_) | None => Err(lost()),
        }
    }

    /// Gives it back, so that the next run need not wait until it ends by itself.
    pub(crate) async fn give_back(self) -> Result<(), ClusterError> {
        self.renewal.abort();
        let operations = json!([
            {"op": "test", "path": "/spec/holderIdentity", "value": self.place.holder},
            {"op": "replace", "path": "/spec/holderIdentity", "value": ""},
        ]);
        match self.cluster.set(&self.place, &operations).await {
            // Somebody else's by now, or gone: nothing to give back.
            Err(ClusterError::Rejected { .. } | ClusterError::NotFound { .. }) => Ok(()),
            outcome => outcome,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

/// A moment as Leases and Events have it: with exactly six digits of a second.
pub(super) fn micro_time(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_the_form_of_the_api() {
        let text = micro_time(now());
        assert_eq!(text.len(), "2026-11-21T10:00:00.000000Z".len(), "{text}");
        assert!(text.parse::<Timestamp>().is_ok());
    }
}
