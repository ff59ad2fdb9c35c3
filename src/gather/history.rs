//! The past of a release, asked beside the workloads: our own history, what is left of earlier rollouts, and events.

use std::collections::BTreeSet;

use futures_util::future::join3;
use futures_util::stream::{self, StreamExt as _};
use tracebloc_core::assess::Question;
use tracebloc_core::change::history_name;
use tracebloc_core::name::{Namespace, ReleaseId};
use tracebloc_core::snapshot::{HistoryFacts, Snapshot};
use tracebloc_core::workload::WorkloadKind;

use super::{QUESTIONS_AT_ONCE, evidence};
use crate::cluster::{Cluster, ClusterError};

/// What to ask.
pub(super) struct Questions {
    release: ReleaseId,
    /// Where rollouts left which objects.
    rollouts: BTreeSet<(Namespace, &'static str)>,
    /// Where the release has workloads.
    namespaces: BTreeSet<Namespace>,
}

impl Questions {
    /// What to ask about the first release of a snapshot; `None` where its past is not asked for.
    pub(super) fn about(snapshot: &Snapshot, question: &Question) -> Option<Self> {
        let observed = snapshot.releases.first().filter(|_| question.history)?;
        let release = observed.newest.id.clone();
        let mut questions = Self {
            rollouts: BTreeSet::new(),
            namespaces: BTreeSet::new(),
            release,
        };
        for workload in snapshot
            .known_releases()
            .flat_map(|release| &release.workloads)
        {
            let namespace = &workload.id.namespace;
            questions.namespaces.insert(namespace.clone());
            let resource = match workload.id.kind {
                WorkloadKind::Deployment => "replicasets",
                WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => "controllerrevisions",
                WorkloadKind::CronJob | WorkloadKind::Job | WorkloadKind::Pod => continue,
            };
            questions.rollouts.insert((namespace.clone(), resource));
        }
        Some(questions)
    }

    /// Asks.
    pub(super) async fn ask(self, cluster: &Cluster) -> HistoryFacts {
        let rollouts = stream::iter(self.rollouts)
            .map(|(namespace, resource)| async move {
                let outcome = cluster.rollouts(&namespace, resource).await;
                (format!("{resource} in namespace {namespace}"), outcome)
            })
            .buffered(QUESTIONS_AT_ONCE)
            .collect();
        let events = stream::iter(self.namespaces)
            .map(|namespace| async move {
                let outcome = cluster.events(&namespace).await;
                (format!("events in namespace {namespace}"), outcome)
            })
            .buffered(QUESTIONS_AT_ONCE)
            .collect();
        let (entries, rollouts, events) =
            join3(cluster.history(&self.release), rollouts, events).await;
        let ReleaseId { namespace, name } = &self.release;
        let asked = format!("configmap {} in namespace {namespace}", history_name(name));
        let mut facts = HistoryFacts {
            entries: evidence(entries, &asked),
            rollouts: Vec::new(),
            events: Vec::new(),
            unlisted: Vec::new(),
        };
        facts.rollouts = listed(rollouts, &mut facts);
        facts.events = listed(events, &mut facts);
        facts
    }
}

/// What the lists had; why one could not be had is noted.
fn listed<T>(
    outcomes: Vec<(String, Result<Vec<T>, ClusterError>)>,
    facts: &mut HistoryFacts,
) -> Vec<T> {
    let mut all = Vec::new();
    for (asked, outcome) in outcomes {
        match outcome {
            Ok(found) => all.extend(found),
            Err(error) => facts.unlisted.push(error.gap(asked)),
        }
    }
    all
}
