//! Values of the release, set by a Helm upgrade to the same chart: what must hold before, the upgrade, and a look at what came of it.

use serde_json::{Map, Value, json};
use tracebloc_core::change::{Change, ChangeState};
use tracebloc_core::plan::{ObjectRef, ValueChange};
use tracebloc_core::release::RevisionHead;

use super::rollout::{has, unchanged};
use super::settle::Settled;
use super::{Application, ApplyError};
use crate::cluster::ClusterError;
use crate::context::now;
use crate::helm::Upgrade;

impl Application<'_> {
    /// Sets values. Helm itself goes back where it does not come up.
    pub(super) async fn set_values(&self, wanted: &ValueChange) -> Result<(), ApplyError> {
        let Some(means) = self.means.helm else {
            return Err(ApplyError::NoHelm);
        };
        self.wait_for_jobs().await?;
        self.check_revision(wanted).await?;
        for rollout in &wanted.rollouts {
            let held = self.hold(&rollout.workload).await?;
            unchanged(&held, rollout)?;
            // What an earlier run of ours did not live to hand back would make Helm's server-side apply fail.
            if held.has_our_fields() {
                self.hand_back(&rollout.workload).await?;
            }
        }
        let values = nested(wanted);
        let begun = now();
        let upgrade = Upgrade {
            release: &self.plan.release,
            package: &means.package,
            values: &values,
            description: &wanted.description,
            timeout: self.means.pace.timeout,
            conceals: &self.means.conceals,
        };
        let outcome = {
            let _progress = self.means.ui.progress("helm upgrades and waits …");
            let stop = self.means.interrupt.asked();
            means.helm.upgrade(self.means.context, &upgrade, stop).await
        };
        let (state, reason) = match &outcome {
            Ok(None) => (ChangeState::Done, None),
            Ok(Some(left)) => {
                self.means.ui.note(&format!(
                    "what helm was told could not be removed: delete {} yourself",
                    left.display()
                ));
                (ChangeState::Done, None)
            }
            Err(error) if error.is_workstation() => {
                return outcome.map(|_| ()).map_err(ApplyError::Helm);
            }
            Err(error) if self.is_as_before(wanted).await => {
                (ChangeState::Undone, Some(error.to_string()))
            }
            Err(error) => (ChangeState::Failed, Some(error.to_string())),
        };
        // Helm made its revision: whatever is seen of it now, that is told.
        let looked = if state == ChangeState::Done {
            self.look(wanted).await
        } else {
            Ok(Ok(()))
        };
        let (state, reason) = match &looked {
            Ok(Err(why)) => (ChangeState::Failed, Some(why.clone())),
            Err(error) => (state, Some(error.to_string())),
            Ok(Ok(())) => (state, reason),
        };
        for rollout in &wanted.rollouts {
            let change = Change {
                id: self.run.clone(),
                command: self.plan.command.clone(),
                by: self.author.clone(),
                at: begun,
                state,
                containers: rollout.containers.clone(),
                reason: reason.clone(),
                attempt: None,
            };
            self.enter(&rollout.workload, &change).await;
            let object = ObjectRef::from(&rollout.workload);
            self.tell(&object, &rollout.uid, &change).await;
        }
        let release = self.plan.release.to_string();
        match (outcome, looked?) {
            (Ok(_), Ok(())) => Ok(()),
            (Ok(_), Err(reason)) => Err(ApplyError::Upgraded {
                release,
                reason,
                way_back: means.way_back.clone(),
            }),
            (Err(_), _) if self.means.interrupt.is_asked() => Err(ApplyError::Interrupted),
            (Err(error), _) => Err(ApplyError::Upgrade {
                release,
                reason: error.to_string(),
            }),
        }
    }

    /// True if Helm went back to what was there before.
    async fn is_as_before(&self, wanted: &ValueChange) -> bool {
        for rollout in &wanted.rollouts {
            match self.hold(&rollout.workload).await {
                Ok(held) if unchanged(&held, rollout).is_ok() => {}
                Ok(_) | Err(_) => return false,
            }
        }
        true
    }

    /// Nobody may be about to make another revision: what it writes next is not known. Who may not read the records was told with the plan.
    pub(super) async fn no_operation(&self) -> Result<(), ApplyError> {
        match self.newest().await {
            Ok(Some(head)) if head.status.is_pending() => Err(ApplyError::OtherRevision {
                release: self.plan.release.to_string(),
                revision: head.revision,
            }),
            Ok(_) | Err(ClusterError::Forbidden { .. }) => Ok(()),
            Err(source) => Err(self.unlisted(source)),
        }
    }

    async fn newest(&self) -> Result<Option<RevisionHead>, ClusterError> {
        let release = &self.plan.release;
        let selector = format!("name={}", release.name);
        let listed = self
            .cluster
            .releases(Some(&release.namespace), Some(&selector))
            .await?;
        Ok(listed
            .into_iter()
            .map(|revisions| revisions.newest.head)
            .find(|head| head.id == *release))
    }

    fn unlisted(&self, source: ClusterError) -> ApplyError {
        ApplyError::Cluster {
            asked: format!("the revisions of {}", self.plan.release),
            source,
        }
    }

    /// Nobody may have made another revision meanwhile: its values are not in the plan.
    async fn check_revision(&self, wanted: &ValueChange) -> Result<(), ApplyError> {
        let newest = self
            .newest()
            .await
            .map_err(|source| self.unlisted(source))?;
        match newest {
            Some(head) if head.revision == wanted.revision && !head.status.is_pending() => Ok(()),
            other => Err(ApplyError::OtherRevision {
                release: self.plan.release.to_string(),
                revision: other.map_or(0, |head| head.revision),
            }),
        }
    }

    /// Whether the workloads are what they were to be; the reason where they are not.
    async fn look(&self, wanted: &ValueChange) -> Result<Result<(), String>, ApplyError> {
        for rollout in &wanted.rollouts {
            let id = &rollout.workload;
            let held = match self.settle(id).await? {
                Settled::Yes(held) => held,
                Settled::No(reason) => return Ok(Err(reason)),
            };
            // Where a value is taken away, the chart says what comes in its place.
            let is_said = wanted.values.values().all(Option::is_some);
            let other = rollout
                .containers
                .iter()
                .find(|one| is_said && !has(&held, one, &one.to));
            if let Some(other) = other {
                return Ok(Err(format!(
                    "helm made its revision, and container {} of {id} is not set to {}: the chart does not take the value",
                    other.container, other.to
                )));
            }
        }
        Ok(Ok(()))
    }
}

/// The values as a file has them: paths are levels, and null takes a value of the user's away (FACTS 5.5).
fn nested(wanted: &ValueChange) -> Value {
    let mut root = Map::new();
    for (path, setting) in &wanted.values {
        let leaf = setting
            .as_ref()
            .map_or(Value::Null, |setting| setting.to_string().into());
        let mut parts = path.split('.').rev();
        let Some(last) = parts.next() else {
            continue;
        };
        let branch = parts.fold(json!({last: leaf}), |below, part| json!({part: below}));
        merge(&mut root, branch);
    }
    Value::Object(root)
}

fn merge(into: &mut Map<String, Value>, branch: Value) {
    let Value::Object(branch) = branch else {
        return;
    };
    for (key, value) in branch {
        match into.get_mut(&key) {
            Some(Value::Object(present)) if value.is_object() => merge(present, value),
            _ => {
                into.insert(key, value);
            }
        }
    }
}
