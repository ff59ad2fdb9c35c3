//! Asking everyone: the one place with concurrency. It fills a [`Snapshot`]; a question without an answer becomes a gap in it, and only where
//! nothing at all can be said does it fail.

mod access;
mod automation;
mod charts;
mod history;
mod labels;
mod needs;
mod package;
mod published;
mod pull_secrets;
mod scope;
mod storage;
mod surroundings;

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use futures_util::future::{OptionFuture, join, join3, join4};
use futures_util::stream::{self, StreamExt as _};
use tokio::time::Instant;
use tracebloc_core::assess::{Question, is_product, wanted_access};
use tracebloc_core::image::{MirrorSource, Mirrors, RegistryMirror};
use tracebloc_core::name::Namespace;
use tracebloc_core::profile::Profile;
use tracebloc_core::release::{Defaults, Release};
use tracebloc_core::snapshot::{
    ContextFacts, EarlierRevision, Evidence, Gap, GapReason, ObservedRelease, RevisionFacts,
    Snapshot, Unlisted,
};
use tracebloc_core::version::Version;

use crate::cache::Cache;
use crate::charts::Charts;
use crate::cluster::{Cluster, ClusterError, Listed, Revisions};
use crate::context::Context;
use crate::error::Error;
use crate::http::{ExtraRoots, HttpClient};
use crate::registry::{Registry, RegistryOptions};
use crate::ui::Ui;

pub(crate) use package::package;
use scope::Found;
pub(crate) use scope::Scope;

/// How many release records are read at once: each may take a few MiB while it is decoded.
const RECORDS_AT_ONCE: usize = 6;

/// How many other questions the API server is asked at once.
const QUESTIONS_AT_ONCE: usize = 16;

/// What to find out.
#[derive(Debug)]
pub(crate) struct Request {
    /// Which releases.
    pub(crate) scope: Scope,
    /// What about them.
    pub(crate) question: Question,
    /// Whether releases of charts that the profile does not know are looked at too.
    pub(crate) all_charts: bool,
    /// `--repo`.
    pub(crate) repository: Option<String>,
    /// Whether copies of what was answered before may be used and kept.
    pub(crate) use_cache: bool,
    /// Registries to ask over http.
    pub(crate) plain_http: Vec<String>,
    /// The caches through which nodes pull, as the user said for this call.
    pub(crate) mirrors: Vec<RegistryMirror>,
    /// Where the source of a mirror is, if it is asked too.
    pub(crate) compare_source: Option<MirrorSource>,
    /// Whether registries are asked with the pull secrets of what runs too.
    pub(crate) use_pull_secrets: bool,
    /// Certificate authorities to trust beside the system's.
    pub(crate) roots: ExtraRoots,
    /// The most requests to each host of a registry.
    pub(crate) max_requests: Option<NonZeroU32>,
    /// How many of the revisions before the newest are read too.
    pub(crate) earlier: usize,
    /// Whether one release is wanted, so that several are a question back.
    pub(crate) single: bool,
}

/// What was found out.
pub(crate) struct Gathered {
    pub(crate) snapshot: Snapshot,
    /// What the user should know of the way to it.
    pub(crate) notes: Vec<String>,
}

/// Asks the cluster, then chart repositories and registries beside each other.
pub(crate) async fn gather(
    context: &Context,
    ui: &Ui,
    profile: &Profile,
    request: &Request,
) -> Result<Gathered, Error> {
    let failed = |asked: String| {
        move |source: ClusterError| Error::Cluster {
            asked,
            server: context.server(),
            source,
        }
    };
    let deadline = context.time_limit.map(|limit| Instant::now() + limit);
    let cluster = Cluster::connect(context, deadline).map_err(failed("the cluster".to_owned()))?;
    // The system's certificate authorities are read and parsed while the API server thinks.
    let roots = request.roots.clone();
    let http = tokio::task::spawn_blocking(move || HttpClient::new(roots, deadline));
    let (found, (version, uid)) = join(
        scope::find(context, &cluster, profile, &request.scope),
        facts(&cluster, &request.question),
    )
    .await;
    let Found {
        revisions,
        labelled,
        mut unlisted,
        mut notes,
    } = found?;
    ui.detail(|| format!("{} releases listed", revisions.len()));
    let mut releases = records(&cluster, &revisions, request.earlier).await;
    unlisted.extend(by_labels(&cluster, profile, &mut releases).await);
    releases.extend(labelled);
    if !request.scope.names_releases() {
        let before = releases.len();
        releases.retain(|observed| request.all_charts || is_product(observed, profile));
        if releases.is_empty() {
            notes.extend(scope::nothing_found(context, &request.scope, before));
        }
    }
    if request.single && releases.len() > 1 {
        return Err(scope::several(context, &releases));
    }
    ui.detail(|| format!("{} release records read", releases.len()));
    let mut snapshot = begin(context, version, uid, releases);
    snapshot.unlisted = unlisted;
    let http = match http.await {
        Ok(outcome) => outcome?,
        Err(_abandoned) => HttpClient::new(request.roots.clone(), deadline)?,
    };
    let cache = context
        .cache
        .as_deref()
        .filter(|_| request.use_cache)
        .map(|directory| Cache::at(directory, context.now));
    let registry = registry(context, request, &http, cache.clone());
    let wanted = if request.question.chart {
        charts::wanted(
            &mut snapshot,
            context,
            profile,
            &registry,
            request.repository.as_deref(),
        )?
    } else {
        Vec::new()
    };
    let charts = Charts::new(http, &registry, cache, context.repositories(), context.now);
    let kubernetes = snapshot.kubernetes.known().cloned();
    let needs = needs::wanted(&snapshot, profile, &request.question);
    let ((), answers, has_needed_api) = join3(
        surround(
            &cluster,
            &registry,
            context,
            ui,
            profile,
            request,
            &mut snapshot,
        ),
        charts::ask(&charts, &wanted, &request.question, kubernetes.as_ref()),
        needs::ask(&cluster, needs),
    )
    .await;
    charts::settle(&mut snapshot, answers);
    snapshot.has_needed_api = has_needed_api;
    if request.question.chart && !request.scope.names_releases() {
        notes.extend(charts::leave_out(&mut snapshot, profile));
    }
    ui.detail(|| format!("{} requests to the API server", cluster.requests()));
    Ok(Gathered { snapshot, notes })
}

/// Registries, asked as the call and the user's configuration say.
fn registry(
    context: &Context,
    request: &Request,
    http: &HttpClient,
    cache: Option<Cache>,
) -> Registry {
    Registry::new(
        http.limited(request.max_requests),
        RegistryOptions {
            plain_http: [&request.plain_http[..], &context.pulls.insecure].concat(),
            credentials: context.credentials.clone(),
            cache,
            ..RegistryOptions::default()
        },
    )
}

/// What runs, and what is published of it.
async fn surround(
    cluster: &Cluster,
    registry: &Registry,
    context: &Context,
    ui: &Ui,
    profile: &Profile,
    request: &Request,
    snapshot: &mut Snapshot,
) {
    let question = &request.question;
    let asks_registries = question.digest || question.image;
    let namespaces = storage::namespaces(snapshot, question);
    let claims = storage::ask(cluster, &namespaces);
    let with_pods = asks_registries || question.automation || question.jobs;
    if with_pods || question.history {
        let runs = automation::Questions::about(snapshot, profile, question);
        let past = history::Questions::about(snapshot, question);
        let ((), runs, storage, past) = join4(
            surroundings::observe(cluster, snapshot, profile, question, with_pods),
            runs.ask(cluster),
            claims,
            OptionFuture::from(past.map(|past| past.ask(cluster))),
        )
        .await;
        runs.note(snapshot);
        snapshot.storage = storage;
        snapshot.history = past;
        let (workloads, pods) = (snapshot.live.len(), snapshot.pods.len());
        ui.detail(|| format!("{workloads} workloads and {pods} pods read"));
    } else {
        snapshot.storage = claims.await;
    }
    let access = access::ask(cluster, wanted_access(snapshot, profile, question));
    if asks_registries {
        let published = async {
            if request.use_pull_secrets {
                pull_secrets::lend(cluster, registry, snapshot, profile).await;
            }
            snapshot.unread.extend(context.pulls.unread.iter().cloned());
            let mirrors = Mirrors::new(request.mirrors.clone(), context.pulls.rules.clone());
            published::observe(cluster, registry, &mirrors, request, snapshot, profile).await;
        };
        let ((), access) = join(published, access).await;
        snapshot.access = access;
        ui.detail(|| format!("{} tags asked for", snapshot.published.len()));
        for (registry, allowance) in registry.allowances() {
            ui.detail(|| format!("{registry}: {allowance}"));
        }
    } else {
        snapshot.access = access.await;
    }
}

/// A snapshot of the releases, in which nothing else is known yet.
fn begin(
    context: &Context,
    kubernetes: Evidence<Version>,
    cluster_uid: Evidence<String>,
    releases: Vec<ObservedRelease>,
) -> Snapshot {
    let facts = ContextFacts {
        name: context.target.context.clone(),
        server: context.target.server.clone(),
        cluster_uid,
        kubeconfig: context
            .target
            .kubeconfig
            .as_ref()
            .map(|path| path.display().to_string()),
    };
    Snapshot::of_releases(facts, context.now, kubernetes, releases)
}

fn evidence<T>(outcome: Result<T, ClusterError>, asked: &str) -> Evidence<T> {
    match outcome {
        Ok(value) => Evidence::Known(value),
        Err(error) => Evidence::Unknown(error.gap(asked)),
    }
}

/// The version of the cluster, and which one it is. Only charts ask for a version of Kubernetes.
async fn facts(cluster: &Cluster, question: &Question) -> (Evidence<Version>, Evidence<String>) {
    let asked = "the server's version";
    let version = async {
        if question.chart {
            return evidence(cluster.version().await, asked);
        }
        Evidence::Unknown(Gap {
            asked: asked.to_owned(),
            reason: GapReason::Unsupported,
            message: "nothing that was asked rests on it".to_owned(),
        })
    };
    let uid = async { evidence(cluster.uid().await, "namespace kube-system") };
    join(version, uid).await
}

/// The records that say what is installed, a few at a time.
async fn records(
    cluster: &Cluster,
    revisions: &[Revisions],
    earlier: usize,
) -> Vec<ObservedRelease> {
    // While they come: all of them at once would take the memory that this saves.
    let mut defaults = Defaults::default();
    stream::iter(revisions)
        .map(|revisions| async move {
            let deployed = async {
                match &revisions.deployed {
                    Some(listed) => Some(record(cluster, listed).await),
                    None => None,
                }
            };
            let earlier = stream::iter(revisions.earlier.iter().take(earlier))
                .map(|listed| earlier_revision(cluster, listed))
                .buffered(RECORDS_AT_ONCE)
                .collect();
            let (record, deployed, earlier) =
                join3(record(cluster, &revisions.newest), deployed, earlier).await;
            ObservedRelease {
                newest: revisions.newest.head.clone(),
                record,
                deployed,
                earlier,
                repository: None,
                unread: None,
            }
        })
        .buffered(RECORDS_AT_ONCE)
        .map(|mut observed| {
            observed.share(&mut defaults);
            observed
        })
        .collect()
        .await
}

/// Lets labels stand in for records that may be listed and not read. Lists that would have told more are given back.
async fn by_labels(
    cluster: &Cluster,
    profile: &Profile,
    releases: &mut [ObservedRelease],
) -> Vec<Unlisted> {
    let places: BTreeSet<Namespace> = releases
        .iter()
        .filter(|observed| observed.forbidden().is_some())
        .map(|observed| observed.newest.id.namespace.clone())
        .collect();
    let mut unlisted = Vec::new();
    for place in &places {
        // Without labels the records stay unread, which is told.
        let Ok(labelled) = labels::find(cluster, profile, Some(place)).await else {
            continue;
        };
        for observed in releases.iter_mut() {
            if let Some(found) = labelled.release(&observed.newest.id) {
                observed.stand_in(found.clone());
            }
        }
        unlisted.extend(labelled.unlisted);
    }
    unlisted
}

/// What the record of an earlier revision tells; the rest of it is not kept.
async fn earlier_revision(cluster: &Cluster, listed: &Listed) -> EarlierRevision {
    EarlierRevision {
        head: listed.head.clone(),
        facts: match record(cluster, listed).await {
            Evidence::Known(release) => Evidence::Known(RevisionFacts::of(&release)),
            Evidence::Unknown(gap) => Evidence::Unknown(gap),
        },
    }
}

async fn record(cluster: &Cluster, listed: &Listed) -> Evidence<Release> {
    match cluster.release(listed).await {
        Ok(release) => Evidence::Known(release),
        Err(error) => {
            let asked = format!("the record of revision {}", listed.head.revision);
            Evidence::Unknown(error.gap(asked))
        }
    }
}
