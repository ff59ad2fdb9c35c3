//! What became of the charts' own jobs: asked beside the workloads, one list for each namespace.

use std::collections::BTreeSet;

use futures_util::future::join;
use futures_util::stream::{self, StreamExt as _};
use tracebloc_core::assess::Question;
use tracebloc_core::cronjob::LiveJob;
use tracebloc_core::name::Namespace;
use tracebloc_core::profile::Profile;
use tracebloc_core::release::ReleaseStatus;
use tracebloc_core::snapshot::{Evidence, Grants, Snapshot, Unlisted};
use tracebloc_core::workload::WorkloadKind;

use super::QUESTIONS_AT_ONCE;
use crate::cluster::{Cluster, ClusterError};

/// What to ask.
pub(super) struct Questions {
    /// Where the releases have `CronJob`s.
    namespaces: BTreeSet<Namespace>,
    /// The component of the roles to look for, where a release gives reason to.
    component: Option<String>,
}

/// What was answered.
pub(super) struct Answers {
    jobs: Vec<(Namespace, Result<Vec<LiveJob>, ClusterError>)>,
    grants: Option<Result<Grants, ClusterError>>,
}

impl Questions {
    /// What the releases of a snapshot give reason to ask.
    pub(super) fn about(snapshot: &Snapshot, profile: &Profile, question: &Question) -> Self {
        let mut questions = Self {
            namespaces: BTreeSet::new(),
            component: None,
        };
        if !question.automation && !question.history && !question.jobs {
            return questions;
        }
        for observed in &snapshot.releases {
            let Evidence::Known(release) = observed.current() else {
                continue;
            };
            questions.namespaces.extend(
                release
                    .workloads
                    .iter()
                    .filter(|workload| workload.id.kind == WorkloadKind::CronJob)
                    .map(|workload| workload.id.namespace.clone()),
            );
            // An updater loses its rights only by an upgrade of its own that failed (DOMAIN §5).
            if question.automation && observed.newest.status == ReleaseStatus::Failed {
                let component = &profile.automation.auto_upgrade.rights.component;
                questions.component = Some(component.clone());
            }
        }
        questions
    }

    /// Asks.
    pub(super) async fn ask(self, cluster: &Cluster) -> Answers {
        let jobs = stream::iter(self.namespaces)
            .map(|namespace| async move {
                let outcome = cluster.jobs(&namespace).await;
                (namespace, outcome)
            })
            .buffered(QUESTIONS_AT_ONCE)
            .collect();
        let grants = async {
            match &self.component {
                Some(component) => Some(cluster.grants(component).await),
                None => None,
            }
        };
        let (jobs, grants) = join(jobs, grants).await;
        Answers { jobs, grants }
    }
}

impl Answers {
    /// Writes the answers into the snapshot.
    pub(super) fn note(self, snapshot: &mut Snapshot) {
        for (namespace, outcome) in self.jobs {
            match outcome {
                Ok(jobs) => snapshot.jobs.extend(jobs),
                Err(error) => snapshot.unlisted.push(Unlisted {
                    gap: error.gap(format!("jobs in namespace {namespace}")),
                    namespace,
                    kind: Some(WorkloadKind::Job),
                }),
            }
        }
        snapshot.grants = self.grants.map(|outcome| match outcome {
            Ok(grants) => Evidence::Known(grants),
            Err(error) => {
                Evidence::Unknown(error.gap("the cluster-wide rights of the chart's updater"))
            }
        });
    }
}
