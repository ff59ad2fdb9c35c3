//! Values of the release, set by a Helm upgrade to the same chart: what must hold before, the upgrade, and a look at what came of it.

use serde_json::{Map, Value, json};
use tracebloc_core::change::{Change, ChangeState};
use tracebloc_core::plan::{ObjectRef, ValueChange};

use super::rollout::{has, unchanged};
use super::settle::Settled;
use super::{Application, ApplyError};
use crate::context::now;
use crate::helm::Upgrade;

impl Application<'_> {
    /// Sets values. Helm itself goes back where it does not come up.
    pub(super) async fn set_values(&self, wanted: &ValueChange) -> Result<(), ApplyError> {
        let Some(means) = self.means.helm else {
            return Err(ApplyError::NoHelm);
        };
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
            conceals: &means.conceals,
        };
        let outcome = {
            let _progress = self.means.ui.progress("helm upgrades and waits …");
            let stop = self.means.interrupt.asked();
            means.helm.upgrade(self.means.context, &upgrade, stop).await
        };
        let outcome = match outcome {
            Ok(()) => self.look(wanted).await?,
            Err(error) if error.is_workstation() => return Err(ApplyError::Helm(error)),
            Err(error) => Err(error.to_string()),
        };
        let state = match &outcome {
            Ok(()) => ChangeState::Done,
            Err(_) if self.is_as_before(wanted).await => ChangeState::Undone,
            Err(_) => ChangeState::Failed,
        };
        for rollout in &wanted.rollouts {
            let change = Change {
                id: self.run.clone(),
                command: self.plan.command.clone(),
                by: self.author.clone(),
                at: begun,
                state,
                containers: rollout.containers.clone(),
                reason: outcome.as_ref().err().cloned(),
                attempt: None,
            };
            self.enter(&rollout.workload, &change).await;
            let object = ObjectRef::from(&rollout.workload);
            self.tell(&object, &rollout.uid, &change).await;
        }
        match outcome {
            Ok(()) => Ok(()),
            Err(_) if self.means.interrupt.is_asked() => Err(ApplyError::Interrupted),
            Err(reason) => Err(ApplyError::Upgrade {
                release: self.plan.release.to_string(),
                reason,
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

    /// Nobody may have made another revision meanwhile: its values are not in the plan.
    async fn check_revision(&self, wanted: &ValueChange) -> Result<(), ApplyError> {
        let release = &self.plan.release;
        let failed = |source| ApplyError::Cluster {
            asked: format!("the revisions of {release}"),
            source,
        };
        let selector = format!("name={}", release.name);
        let listed = self
            .cluster
            .releases(Some(&release.namespace), Some(&selector));
        let listed = listed.await.map_err(failed)?;
        let newest = listed
            .iter()
            .map(|revisions| &revisions.newest.head)
            .find(|head| head.id == *release);
        match newest {
            Some(head) if head.revision == wanted.revision && !head.status.is_pending() => Ok(()),
            Some(head) => Err(ApplyError::OtherRevision {
                release: release.to_string(),
                revision: head.revision,
            }),
            None => Err(ApplyError::OtherRevision {
                release: release.to_string(),
                revision: 0,
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
