//! The snapshot: everything observed, with its provenance and its gaps. It is plain data that can be stored; nothing in it is secret.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::claim::{ClaimId, LiveClaim, ReclaimPolicy};
use crate::cronjob::LiveJob;
use crate::image::{Digest, ImageRef, Repository, Tag};
use crate::index::{ChartChanges, ChartIndex};
use crate::manifest::{Documents, Platform};
use crate::name::{ChartName, Namespace};
use crate::release::{ChartMetadata, Defaults, Release, RevisionHead};
use crate::version::Version;
use crate::workload::{LiveWorkload, Pod, WorkloadId, WorkloadKind};

/// Something asked: the answer, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Evidence<T> {
    /// The answer.
    Known(T),
    /// No answer. What rests on it is unknown, never current.
    Unknown(Gap),
}

impl<T> Evidence<T> {
    /// The answer, if there is one.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// The reason why there is no answer.
    pub fn gap(&self) -> Option<&Gap> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(gap) => Some(gap),
        }
    }
}

/// Why something was not answered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// What was asked, as a noun phrase: `pods in namespace "edge"`.
    pub asked: String,
    /// The kind of failure.
    pub reason: GapReason,
    /// The failure in words, with host or verb and resource.
    pub message: String,
}

/// Kinds of failure. Readers must accept further ones.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum GapReason {
    /// The credentials are not allowed to ask.
    Forbidden,
    /// The credentials were refused, or there were none.
    Unauthorized,
    /// There is no such thing there.
    NotFound,
    /// The other side limits requests.
    RateLimited,
    /// Our own limit on requests left none for it.
    Budget,
    /// No connection: name, route, port or certificate.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// An answer that makes no sense.
    Malformed,
    /// The answer is not defined in this case, or not supported.
    Unsupported,
    /// Any other failure.
    Failed,
}

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

/// One release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedRelease {
    /// The newest revision, by its labels.
    pub newest: RevisionHead,
    /// The newest revision's record.
    pub record: Evidence<Release>,
    /// The record of the revision that was deployed last, where that is not the newest revision and there is one
    /// ([`standing`](crate::release::standing)).
    pub deployed: Option<Evidence<Release>>,
    /// Revisions before the newest, newest first, as far as they were asked for.
    #[serde(default)]
    pub earlier: Vec<EarlierRevision>,
    /// The repository to ask for its chart, where one is known.
    pub repository: Option<RepositoryRef>,
}

/// A revision before the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EarlierRevision {
    /// Which, by its labels.
    pub head: RevisionHead,
    /// What its record tells.
    pub facts: Evidence<RevisionFacts>,
}

/// What the record of a revision tells of how it came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RevisionFacts {
    /// The chart that it was made from.
    pub chart: ChartMetadata,
    /// When it was made.
    pub made_at: Option<Timestamp>,
    /// What Helm says of it; nothing of the user's values stands in it.
    pub description: String,
}

impl RevisionFacts {
    /// Those of a record.
    pub fn of(release: &Release) -> Self {
        Self {
            chart: release.chart.clone(),
            made_at: release.last_deployed,
            description: release.description.clone(),
        }
    }
}

impl ObservedRelease {
    /// Lets the records share what others have in memory already.
    pub fn share(&mut self, defaults: &mut Defaults) {
        for record in [Some(&mut self.record), self.deployed.as_mut()] {
            if let Some(Evidence::Known(release)) = record {
                defaults.share(&mut release.values);
            }
        }
    }

    /// The record that says what is installed: that of the revision that was deployed last, else the newest (DESIGN §6 "The release").
    pub fn current(&self) -> &Evidence<Release> {
        match &self.deployed {
            Some(deployed) => deployed,
            None => &self.record,
        }
    }
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

/// Claims and volumes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageFacts {
    /// The claims, in the namespaces of the releases' claims.
    pub claims: Vec<LiveClaim>,
    /// Namespaces whose claims could not be listed.
    pub unlisted: Vec<(Namespace, Gap)>,
    /// What becomes of each volume of the cluster when its claim is deleted.
    pub volumes: Evidence<BTreeMap<String, ReclaimPolicy>>,
}

impl StorageFacts {
    /// A claim as it is: `Known(None)` if it is surely absent.
    pub fn claim(&self, id: &ClaimId) -> Evidence<Option<&LiveClaim>> {
        if let Some(found) = self.claims.iter().find(|claim| claim.id == *id) {
            return Evidence::Known(Some(found));
        }
        let gap = self
            .unlisted
            .iter()
            .find(|(namespace, _)| *namespace == id.namespace);
        match gap {
            Some((_, gap)) => Evidence::Unknown(gap.clone()),
            None => Evidence::Known(None),
        }
    }

    /// What could not be read.
    pub fn gaps(&self) -> impl Iterator<Item = &Gap> {
        self.unlisted
            .iter()
            .map(|(_, gap)| gap)
            .chain(self.volumes.gap())
    }
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
    /// Whether the cluster has the API that the profile's chart needs; `None` where nothing gave reason to ask.
    #[serde(default)]
    pub has_needed_api: Option<Evidence<bool>>,
    /// Claims and volumes; `None` where they were not asked for.
    #[serde(default)]
    pub storage: Option<StorageFacts>,
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
            has_needed_api: None,
            storage: None,
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
