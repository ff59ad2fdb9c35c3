//! Waiting for a rollout, by kubectl's rules (FACTS 10), and what can be said of the pods where it does not end well.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracebloc_core::workload::{Pod, Rollout, WorkloadId};

use super::{Application, ApplyError};
use crate::cluster::{ClusterError, Held};

/// How soon a rollout is looked at again, at first and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

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
    /// Waits until the workload has settled. A server that does not answer for a while is asked again until the time is over.
    pub(super) async fn settle(&self, id: &WorkloadId) -> Result<Settled, ApplyError> {
        let timeout = self.means.pace.timeout;
        let began = Instant::now();
        let (mut pause, most) = LOOK;
        loop {
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
                    let counts = held.live.replicas.map(|replicas| {
                        format!(
                            "{}/{} new, {} ready",
                            replicas.updated, replicas.desired, replicas.ready
                        )
                    });
                    let trouble = trouble.map(|trouble| trouble.message.clone());
                    trouble.or(counts).unwrap_or_default()
                }
                Err(ClusterError::NotFound { .. }) => {
                    return Err(ApplyError::Changed {
                        id: id.clone(),
                        what: "it was deleted".to_owned(),
                    });
                }
                Err(error @ (ClusterError::Forbidden { .. } | ClusterError::Unauthorized)) => {
                    return Err(ApplyError::Cluster {
                        asked: id.to_string(),
                        source: error,
                    });
                }
                Err(error) => error.to_string(),
            };
            if began.elapsed() >= timeout {
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
    pub(super) async fn last_state(&self, id: &WorkloadId) -> Vec<String> {
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
