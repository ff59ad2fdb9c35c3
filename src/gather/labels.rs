//! Releases by the labels of their workloads, where Helm's records may not be read: one list for each kind of the chart's workloads and namespace, which are
//! the rights that reading what runs takes anyhow.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _};
use tracebloc_core::labels::{self, LabelError, LabelledWorkload};
use tracebloc_core::name::{Namespace, ReleaseId};
use tracebloc_core::profile::Profile;
use tracebloc_core::release::Release;
use tracebloc_core::snapshot::{Evidence, Gap, GapReason, ObservedRelease, Unlisted};
use tracebloc_core::workload::WorkloadKind;

use super::QUESTIONS_AT_ONCE;
use crate::cluster::{Cluster, ClusterError};

/// What labels tell.
pub(super) struct Labelled {
    found: BTreeMap<ReleaseId, Result<Release, LabelError>>,
    /// Lists that would have told more.
    pub(super) unlisted: Vec<Unlisted>,
}

impl Labelled {
    /// The release of that name, where labels tell what it is.
    pub(super) fn release(&self, id: &ReleaseId) -> Option<&Release> {
        self.found.get(id)?.as_ref().ok()
    }

    /// Those that are wanted, with the reason for which their records may not be read.
    pub(super) fn into_releases(
        self,
        gap: &Gap,
        is_wanted: impl Fn(&ReleaseId) -> bool,
    ) -> (Vec<ObservedRelease>, Vec<Unlisted>) {
        let wanted = self.found.into_iter().filter(|(id, _)| is_wanted(id));
        let releases = wanted.map(|(id, found)| {
            let found = match found {
                Ok(release) => Evidence::Known(release),
                Err(error) => Evidence::Unknown(Gap {
                    asked: gap.asked.clone(),
                    reason: GapReason::Forbidden,
                    message: format!("{}, and {error}", gap.message),
                }),
            };
            ObservedRelease::by_labels(id, found, gap.clone())
        });
        (releases.collect(), self.unlisted)
    }
}

/// Finds the releases of a namespace, or of all. An error is one of the list that everything rests on: that of the kind that each release's main workload
/// has.
pub(super) async fn find(
    cluster: &Cluster,
    profile: &Profile,
    namespace: Option<&Namespace>,
) -> Result<Labelled, ClusterError> {
    let mut lists = Lists {
        cluster,
        profile,
        found: Vec::new(),
        unlisted: Vec::new(),
    };
    for (kind, error) in lists.read(namespace).await {
        if kind == profile.main_workload.kind {
            return Err(error);
        }
        let places: BTreeSet<Namespace> = match namespace {
            Some(namespace) => BTreeSet::from([namespace.clone()]),
            None => lists
                .found
                .iter()
                .map(|found| found.release.namespace.clone())
                .collect(),
        };
        for place in &places {
            lists.note(place, kind, &error);
        }
    }
    let ids: BTreeSet<ReleaseId> = lists
        .found
        .iter()
        .map(|found| found.release.clone())
        .filter(|id| namespace.is_none_or(|namespace| id.namespace == *namespace))
        .collect();
    if let Some(namespace) = namespace {
        let further: BTreeSet<Namespace> = ids
            .iter()
            .flat_map(|id| labels::further_namespaces(id, lists.found.iter(), profile))
            .filter(|further| further != namespace)
            .collect();
        for further in &further {
            // What is missing there is told, and the rest is judged.
            for (kind, error) in lists.read(Some(further)).await {
                lists.note(further, kind, &error);
            }
        }
    }
    let Lists {
        found, unlisted, ..
    } = lists;
    let found = ids
        .into_iter()
        .map(|id| {
            let release = labels::release(&id, &found, profile);
            (id, release)
        })
        // Of one that does not even have the main workload nothing speaks for this product.
        .filter(|(id, release)| release.is_ok() || labels::has_main(id, &found, profile))
        .collect();
    Ok(Labelled { found, unlisted })
}

/// The lists that were read so far.
struct Lists<'a> {
    cluster: &'a Cluster,
    profile: &'a Profile,
    found: Vec<LabelledWorkload>,
    unlisted: Vec<Unlisted>,
}

impl Lists<'_> {
    /// Reads the lists of one place; those that could not be had are given back.
    async fn read(&mut self, namespace: Option<&Namespace>) -> Vec<(WorkloadKind, ClusterError)> {
        let (cluster, profile) = (self.cluster, self.profile);
        let variables = profile.automation.image_refresh.rendered.variables();
        let lists: Vec<_> = stream::iter(profile.kinds())
            .map(|kind| {
                let variables = &variables;
                async move { (kind, cluster.labelled(namespace, kind, variables).await) }
            })
            .buffered(QUESTIONS_AT_ONCE)
            .collect()
            .await;
        let mut failures = Vec::new();
        for (kind, outcome) in lists {
            match outcome {
                Ok(found) => self.found.extend(found),
                Err(error) => failures.push((kind, error)),
            }
        }
        failures
    }

    fn note(&mut self, namespace: &Namespace, kind: WorkloadKind, error: &ClusterError) {
        self.unlisted.push(Unlisted {
            gap: error.gap(format!("{}s in namespace {namespace}", kind.resource())),
            namespace: namespace.clone(),
            kind: Some(kind),
        });
    }
}
