//! Waiting for a rollout, by kubectl's rules (FACTS 10), and what can be said of the pods where it does not end well.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracebloc_core::workload::{Pod, Rollout, WorkloadId};

use super::rollout::changed;
use super::{Application, ApplyError};
use crate::cluster::{ClusterError, Held};

/// How soon a rollout is looked at again, at first and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

/// How long a server that does not answer is asked beyond the time that a rollout has: that nobody saw how it ended is no failure of the rollout.
const GRACE: Duration = Duration::from_secs(60);

/// The most pods whose end is told.
const TOLD: usize = 3;

/// How a rollout ended.
pub(super) enum Settled {
    /// All pods are new and available.
    Yes(Box<Held>),
    /// It did not end in time, or its controller gave it up.
    No(String),
}

impl Application<'_> {
    /// Waits until the workload has settled, and its pods have stayed ready for as long as was asked for: a container without a probe is ready as
    /// soon as it runs, and may end a moment later.
    pub(super) async fn settle_for_good(&self, id: &WorkloadId) -> Result<Settled, ApplyError> {
        let (timeout, began) = (self.means.pace.timeout, Instant::now());
        loop {
            let settled = self.settle_since(id, began).await?;
            if self.means.pace.min_ready.is_zero() || matches!(settled, Settled::No(_)) {
                return Ok(settled);
            }
            let reason = match self.stays(id).await? {
                Ok(held) => return Ok(Settled::Yes(held)),
                Err(reason) => reason,
            };
            if began.elapsed() >= timeout {
                return Ok(Settled::No(reason));
            }
        }
    }

    /// Looks at a settled workload until its pods have been ready for long enough; the reason where they did not stay so.
    async fn stays(&self, id: &WorkloadId) -> Result<Result<Box<Held>, String>, ApplyError> {
        let end = Instant::now() + self.means.pace.min_ready;
        let before = restarts(&self.pods_at_last(id).await?);
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            tokio::select! {
                () = sleep(rest.min(LOOK.1)) => {}
                () = self.means.interrupt.asked() => return Err(ApplyError::Interrupted),
            }
            let prefix = &self.means.profile.record_prefix;
            let held = match self.cluster.hold(id, prefix).await {
                Ok(held) => held,
                Err(error) if is_final(&error) || Instant::now() >= end + GRACE => {
                    return Err(unseen(id, error));
                }
                Err(_) => continue,
            };
            if held.live.rollout != Rollout::Settled {
                let counts = counts(&held).unwrap_or_default();
                return Ok(Err(format!(
                    "its pods were ready and did not stay so: {counts}"
                )));
            }
            if Instant::now() < end {
                continue;
            }
            let after = restarts(&self.pods_at_last(id).await?);
            let again = after
                .iter()
                .find(|(pod, restarts)| before.get(*pod).is_some_and(|before| before < restarts));
            return Ok(match again {
                Some((pod, _)) => Err(format!("pod {pod} was ready, and a container of it ended")),
                None => Ok(Box::new(held)),
            });
        }
    }

    /// Waits until the workload has settled. A server that does not answer for a while is asked again until the time is over.
    pub(super) async fn settle(&self, id: &WorkloadId) -> Result<Settled, ApplyError> {
        self.settle_since(id, Instant::now()).await
    }

    async fn settle_since(&self, id: &WorkloadId, began: Instant) -> Result<Settled, ApplyError> {
        let timeout = self.means.pace.timeout;
        let (mut pause, most) = LOOK;
        loop {
            let mut unseen_for_now = false;
            let outcome = self
                .cluster
                .hold(id, &self.means.profile.record_prefix)
                .await;
            let stands = match outcome {
                Ok(held) if held.live.rollout == Rollout::Settled => {
                    return Ok(Settled::Yes(Box::new(held)));
                }
                Ok(held) => {
                    let trouble = held.live.trouble.as_ref();
                    if let Some(trouble) = trouble.filter(|trouble| trouble.gave_up) {
                        return Ok(Settled::No(trouble.message.clone()));
                    }
                    let counts = counts(&held);
                    let trouble = trouble.map(|trouble| trouble.message.clone());
                    trouble.or(counts).unwrap_or_default()
                }
                Err(error) if is_final(&error) || began.elapsed() >= timeout + GRACE => {
                    return Err(unseen(id, error));
                }
                Err(error) => {
                    unseen_for_now = true;
                    error.to_string()
                }
            };
            if began.elapsed() >= timeout && !unseen_for_now {
                return Ok(Settled::No(format!(
                    "the rollout did not end within {} s: {stands}",
                    timeout.as_secs()
                )));
            }
            let _progress = self.means.ui.progress(&format!(
                "{id}: {stands} ({} s) …",
                began.elapsed().as_secs()
            ));
            tokio::select! {
                () = sleep(pause) => {}
                () = self.means.interrupt.asked() => return Err(ApplyError::Interrupted),
            }
            pause = (pause * 2).min(most);
        }
    }

    /// The pods of a workload that count.
    pub(super) async fn pods(&self, id: &WorkloadId) -> Result<Vec<Pod>, ApplyError> {
        let pods =
            self.cluster
                .pods(&id.namespace)
                .await
                .map_err(|source| ApplyError::Cluster {
                    asked: format!("the pods of {id}"),
                    source,
                })?;
        Ok(pods.into_iter().filter(|pod| pod.workload == *id).collect())
    }

    /// What can be said of the pods that are not as they should be.
    ///
    /// What containers say may hold what the release's values gave them.
    pub(super) async fn last_state(&self, id: &WorkloadId) -> Vec<String> {
        let told = self.state_of_pods(id).await;
        let conceals = &self.means.conceals;
        told.iter().map(|line| conceals.conceal(line)).collect()
    }

    async fn state_of_pods(&self, id: &WorkloadId) -> Vec<String> {
        let Ok(pods) = self.pods(id).await else {
            return Vec::new();
        };
        let mut told = Vec::new();
        for pod in &pods {
            if let Some(why) = &pod.unscheduled {
                told.push(format!("pod {}: no node takes it: {why}", pod.name));
            }
            for (name, container) in &pod.containers {
                if told.len() >= TOLD {
                    return told;
                }
                let mut words = Vec::new();
                words.extend(container.waiting.clone());
                words.extend(
                    container
                        .ended
                        .as_ref()
                        .map(|ended| format!("ended: {ended}")),
                );
                if container.restarts > 0 {
                    words.push(format!("{} restarts", container.restarts));
                }
                if words.is_empty() && (container.ready || pod.unscheduled.is_some()) {
                    continue;
                }
                if words.is_empty() {
                    words.push("not ready".to_owned());
                }
                let ended = container.restarts > 0;
                let namespace = pod.workload.namespace.as_str();
                match self
                    .cluster
                    .last_lines(namespace, &pod.name, name, ended)
                    .await
                {
                    Ok(lines) if !lines.is_empty() => {
                        words.push(format!("it said: {}", lines.join(" ⏎ ")));
                    }
                    Err(error @ ClusterError::Forbidden { .. }) => {
                        words.push(format!("what it said could not be read: {error}"));
                    }
                    // It may have said nothing yet, or its node does not answer.
                    Ok(_) | Err(_) => {}
                }
                told.push(format!(
                    "pod {} container {name}: {}",
                    pod.name,
                    words.join(", ")
                ));
            }
        }
        if told.is_empty() && pods.is_empty() {
            told.push(format!("{id} has no pods"));
        }
        told
    }
}

/// True where asking again would not help.
fn is_final(error: &ClusterError) -> bool {
    matches!(
        error,
        ClusterError::NotFound { .. } | ClusterError::Forbidden { .. } | ClusterError::Unauthorized
    )
}

/// How a rollout ended could not be seen.
fn unseen(id: &WorkloadId, source: ClusterError) -> ApplyError {
    match source {
        ClusterError::NotFound { .. } => changed(id, "it was deleted"),
        source => ApplyError::Cluster {
            asked: id.to_string(),
            source,
        },
    }
}

fn counts(held: &Held) -> Option<String> {
    let replicas = held.live.replicas?;
    Some(format!(
        "{}/{} new, {} ready",
        replicas.updated, replicas.desired, replicas.ready
    ))
}

/// How often containers of each pod were started again.
fn restarts(pods: &[Pod]) -> BTreeMap<String, u32> {
    pods.iter()
        .map(|pod| {
            let of_containers = pod.containers.values().map(|container| container.restarts);
            (pod.name.clone(), of_containers.sum())
        })
        .collect()
}
