//! The snapshot: everything observed, with its provenance and its gaps. It is plain data that can be stored; nothing in it is secret.

mod evidence;
mod history;
mod release;
mod storage;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use evidence::{Evidence, Gap, GapReason};
pub use history::{HistoryFacts, KeptEntry, ObservedEvent, PastRollout};
pub use release::{EarlierRevision, ObservedRelease, RevisionFacts};
pub use storage::StorageFacts;

use crate::cronjob::LiveJob;
use crate::image::{Digest, ImageRef, Repository, Tag};
use crate::index::{ChartChanges, ChartIndex};
use crate::manifest::{Documents, Platform};
use crate::name::{ChartName, Namespace};
use crate::release::{AccessId, Release};
use crate::version::Version;
use crate::workload::{LiveWorkload, Pod, WorkloadId, WorkloadKind};

/// The cluster that was asked, and how to ask it again from a command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContextFacts {
    /// The context's name; `None` for in-cluster configuration and for a bare `--server`.
    pub name: Option<String>,
    /// The API server's URL, without user info.
    pub server: String,
    /// The UID of the namespace `kube-system`: the cluster's identity.
    pub cluster_uid: Evidence<String>,
    /// A `--kubeconfig` that was given on the command line, to be repeated in advice.
    pub kubeconfig: Option<String>,
}

/// A chart repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryRef {
    /// Its URL, without user info and query.
    pub url: String,
    /// True if something secret was left out of the URL.
    pub masked: bool,
    /// Its name in the user's `repositories.yaml`, where it has an entry there.
    #[serde(default)]
    pub name: Option<String>,
    /// True if it is a registry that is asked over http, which Helm has to be told.
    #[serde(default)]
    pub plain_http: bool,
    /// Who named it.
    pub origin: RepositoryOrigin,
}

impl RepositoryRef {
    /// True if both lead to the same place with the same credentials, whoever named them.
    pub fn is_same(&self, other: &Self) -> bool {
        self.url == other.url && self.name == other.name && self.masked == other.masked
    }

    /// True if it is a registry.
    pub fn is_oci(&self) -> bool {
        self.url.starts_with("oci://")
    }
}

/// Who named a chart repository, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepositoryOrigin {
    /// `--repo`.
    Flag,
    /// The release's own updater.
    Release,
    /// The user's `repositories.yaml`.
    User,
    /// The profile.
    Profile,
}

/// One chart of one repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedChart {
    /// Where.
    pub repository: RepositoryRef,
    /// Which chart.
    pub chart: ChartName,
    /// Its versions.
    pub index: Evidence<ChartIndex>,
    /// When the repository confirmed them; `None` where it did not.
    pub observed_at: Option<Timestamp>,
    /// In which way they are not what the repository listed before.
    #[serde(default)]
    pub changes: ChartChanges,
}

/// A list that the cluster did not give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unlisted {
    /// Its namespace.
    pub namespace: Namespace,
    /// The workloads' kind; `None` for pods.
    pub kind: Option<WorkloadKind>,
    /// Why.
    pub gap: Gap,
}

/// Roles and bindings of the whole cluster, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grants {
    /// `ClusterRole`s.
    pub roles: BTreeSet<String>,
    /// `ClusterRoleBinding`s.
    pub bindings: BTreeSet<String>,
}

/// Whether an object that gives rights is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedAccess {
    /// The object.
    pub id: AccessId,
    /// True if it is.
    pub there: Evidence<bool>,
}

/// Everything observed for a reading command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The cluster.
    pub context: ContextFacts,
    /// When observing began.
    pub observed_at: Timestamp,
    /// The API server's version.
    pub kubernetes: Evidence<Version>,
    /// The releases in scope, by namespace and name.
    pub releases: Vec<ObservedRelease>,
    /// Workloads as they are, in the namespaces of the releases' workloads.
    pub live: Vec<LiveWorkload>,
    /// Pods that count, of those workloads.
    pub pods: Vec<Pod>,
    /// Lists of workloads and pods that could not be had.
    pub unlisted: Vec<Unlisted>,
    /// Jobs that `CronJob`s started, in the namespaces of the releases' `CronJob`s.
    #[serde(default)]
    pub jobs: Vec<LiveJob>,
    /// The cluster-wide rights of the charts' updaters; `None` where nothing gave reason to ask.
    #[serde(default)]
    pub grants: Option<Evidence<Grants>>,
    /// The rights of the charts' jobs whose last run failed.
    #[serde(default)]
    pub access: Vec<ObservedAccess>,
    /// Whether the cluster has the API that the profile's chart needs; `None` where nothing gave reason to ask.
    #[serde(default)]
    pub has_needed_api: Option<Evidence<bool>>,
    /// Claims and volumes; `None` where they were not asked for.
    #[serde(default)]
    pub storage: Option<StorageFacts>,
    /// The past of the first release; `None` where it was not asked for.
    #[serde(default)]
    pub history: Option<HistoryFacts>,
    /// The platform of each node; missing where nodes could not be read.
    pub nodes: BTreeMap<String, Platform>,
    /// Charts asked for.
    pub charts: Vec<ObservedChart>,
    /// Configuration of the user that could not be read, and what it would have told.
    #[serde(default)]
    pub unread: Vec<Gap>,
    /// What each tag points to now.
    pub published: BTreeMap<ImageRef, Evidence<Digest>>,
    /// What the pull-through cache of the nodes serves for a tag, by the tag that references name.
    #[serde(default)]
    pub cached: BTreeMap<ImageRef, CachedTag>,
    /// What the source of a mirror has, by the tag in the mirror; empty where the source was not asked.
    #[serde(default)]
    pub sources: BTreeMap<ImageRef, SourceTag>,
    /// The tags of each repository whose versions matter.
    #[serde(default)]
    pub tags: BTreeMap<Repository, Evidence<Vec<Tag>>>,
    /// Manifests of each repository, as far as they were needed.
    pub manifests: BTreeMap<Repository, Documents>,
}

/// What a pull-through cache serves for a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CachedTag {
    /// The tag in the cache.
    pub through: ImageRef,
    /// What it points to there.
    pub digest: Evidence<Digest>,
    /// True where the registry itself did not answer, so that the cache's word counts as what is published.
    pub stands_in: bool,
}

/// What a mirror's source has for a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceTag {
    /// The tag at the source.
    pub image: ImageRef,
    /// What it points to there.
    pub digest: Evidence<Digest>,
}

impl Snapshot {
    /// A snapshot of the releases, in which nothing else is known yet.
    pub fn of_releases(
        context: ContextFacts,
        observed_at: Timestamp,
        kubernetes: Evidence<Version>,
        releases: Vec<ObservedRelease>,
    ) -> Self {
        Self {
            context,
            observed_at,
            kubernetes,
            releases,
            live: Vec::new(),
            pods: Vec::new(),
            unlisted: Vec::new(),
            jobs: Vec::new(),
            grants: None,
            access: Vec::new(),
            has_needed_api: None,
            storage: None,
            history: None,
            nodes: BTreeMap::new(),
            charts: Vec::new(),
            unread: Vec::new(),
            published: BTreeMap::new(),
            cached: BTreeMap::new(),
            sources: BTreeMap::new(),
            tags: BTreeMap::new(),
            manifests: BTreeMap::new(),
        }
    }

    /// The releases whose record could be read.
    pub fn known_releases(&self) -> impl Iterator<Item = &Release> {
        self.releases
            .iter()
            .filter_map(|observed| observed.current().known())
    }

    /// The chart of a repository, if it was asked for.
    pub fn chart(&self, repository: &RepositoryRef, chart: &ChartName) -> Option<&ObservedChart> {
        self.charts
            .iter()
            .find(|observed| observed.repository.is_same(repository) && observed.chart == *chart)
    }

    /// A workload as it is: `Known(None)` if it is surely absent.
    pub fn live_workload(&self, id: &WorkloadId) -> Evidence<Option<&LiveWorkload>> {
        if let Some(found) = self.live.iter().find(|live| live.workload.id == *id) {
            return Evidence::Known(Some(found));
        }
        match self.unlisted_gap(&id.namespace, Some(id.kind)) {
            Some(gap) => Evidence::Unknown(gap.clone()),
            None => Evidence::Known(None),
        }
    }

    /// The pods of a workload.
    pub fn pods_of(&self, id: &WorkloadId) -> Evidence<Vec<&Pod>> {
        match self.unlisted_gap(&id.namespace, None) {
            Some(gap) => Evidence::Unknown(gap.clone()),
            None => Evidence::Known(self.pods.iter().filter(|pod| pod.workload == *id).collect()),
        }
    }

    /// The Jobs that a `CronJob` started.
    pub fn jobs_of(&self, id: &WorkloadId) -> Evidence<Vec<&LiveJob>> {
        match self.unlisted_gap(&id.namespace, Some(WorkloadKind::Job)) {
            Some(gap) => Evidence::Unknown(gap.clone()),
            None => Evidence::Known(
                self.jobs
                    .iter()
                    .filter(|job| job.namespace == id.namespace && job.cron_job == id.name)
                    .collect(),
            ),
        }
    }

    fn unlisted_gap(&self, namespace: &Namespace, kind: Option<WorkloadKind>) -> Option<&Gap> {
        self.unlisted
            .iter()
            .find(|unlisted| unlisted.namespace == *namespace && unlisted.kind == kind)
            .map(|unlisted| &unlisted.gap)
    }
}
