//! Digest drift: what pods run against what their tags point to now (DESIGN §6 "Digest", FACTS 8.7); and newer version tags beside it.

mod advise;
mod cache;
mod mirror;
mod platform;
mod usage;
mod version;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Case, unknown};
use crate::finding::{Code, Finding, Subject};
use crate::image::{Digest, ImageRef, Repository, RunningImage, RunningKind};
use crate::manifest::{
    ContentVerdict, Document, Documents, Manifest, Need, Platform, Verdict, compare,
};
use crate::name::Namespace;
use crate::profile::Profile;
use crate::release::Release;
use crate::report::{
    ContainerId, DigestKind, DigestReport, ImageFlag, ImageReport, ImageState, Reference,
    RunningDigest, UnknownReason,
};
use crate::snapshot::{Evidence, GapReason, Snapshot};
use crate::time::counted;
use crate::workload::{Pod, PullPolicy, Rollout, WorkloadId};
pub use mirror::wanted_sources;
use usage::{Image, Usage, images};
pub use version::wanted_tag_lists;

/// A manifest that a judgement needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// Where to ask.
    pub repository: Repository,
    /// For what.
    pub digest: Digest,
}

/// A Secret with which the kubelet pulls images.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PullSecretId {
    /// The namespace of the pods that name it.
    pub namespace: Namespace,
    /// Its name.
    pub name: String,
}

impl fmt::Display for PullSecretId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// By repository that is asked: the pull secrets of the pods that run something of it.
pub fn wanted_pull_secrets(
    snapshot: &Snapshot,
    profile: &Profile,
) -> BTreeMap<Repository, BTreeSet<PullSecretId>> {
    let mut wanted: BTreeMap<Repository, BTreeSet<PullSecretId>> = BTreeMap::new();
    each_running(snapshot, profile, |tag, pod, _| {
        let secrets = pod.pull_secrets.iter().map(|name| PullSecretId {
            namespace: pod.workload.namespace.clone(),
            name: name.clone(),
        });
        let repository = tag.repository().clone();
        wanted.entry(repository).or_default().extend(secrets);
    });
    wanted
}

/// The tags whose digests a judgement needs: each once, and only those of which something runs.
pub fn wanted_tags(snapshot: &Snapshot, profile: &Profile) -> BTreeSet<ImageRef> {
    let mut tags = BTreeSet::new();
    each_running(snapshot, profile, |tag, _, _| {
        tags.insert(tag.clone());
    });
    tags
}

/// The manifests that a judgement needs next. Asking again after each answer comes to an end, since an answer is never asked for twice.
pub fn wanted_manifests(snapshot: &Snapshot, profile: &Profile) -> BTreeSet<Wanted> {
    let mut running = BTreeSet::new();
    each_running(snapshot, profile, |tag, pod, content| {
        running.insert((
            tag.clone(),
            content.clone(),
            platform_of(snapshot, pod).cloned(),
        ));
    });
    let of_sources = mirror::wanted_manifests(snapshot);
    running
        .into_iter()
        .filter_map(|(tag, running, platform)| {
            let published = snapshot.published.get(&tag)?.known()?;
            let documents = documents_of(snapshot, tag.repository());
            match compare(published, &running, platform.as_ref(), documents) {
                Verdict::Needs(Need::Manifest(digest)) => Some(Wanted {
                    repository: tag.repository().clone(),
                    digest,
                }),
                Verdict::Decided(_) => None,
            }
        })
        .chain(platform::wanted(snapshot, profile))
        .chain(of_sources)
        .collect()
}

/// Visits everything that runs and has a tag to be compared under.
fn each_running(
    snapshot: &Snapshot,
    profile: &Profile,
    mut visit: impl FnMut(&ImageRef, &Pod, &RunningImage),
) {
    for release in snapshot.known_releases() {
        for image in images(snapshot, profile, release) {
            let Some(tag) = &image.tag else { continue };
            for usage in &image.usages {
                for (pod, running) in running_content(snapshot, usage) {
                    visit(tag, pod, running);
                }
            }
        }
    }
}

/// What is known of a repository that nothing was asked of.
static NO_DOCUMENTS: Documents = Documents::new();

fn documents_of<'facts>(snapshot: &'facts Snapshot, repository: &Repository) -> &'facts Documents {
    snapshot.manifests.get(repository).unwrap_or(&NO_DOCUMENTS)
}

fn platform_of<'facts>(snapshot: &'facts Snapshot, pod: &Pod) -> Option<&'facts Platform> {
    snapshot.nodes.get(pod.node.as_ref()?)
}

/// The pods of a usage that have content, with it.
fn running_content<'facts>(
    snapshot: &'facts Snapshot,
    usage: &Usage<'_>,
) -> Vec<(&'facts Pod, &'facts RunningImage)> {
    let Evidence::Known(pods) = snapshot.pods_of(usage.workload) else {
        return Vec::new();
    };
    pods.into_iter()
        .filter_map(|pod| {
            let running = pod.containers.get(usage.container)?.running.as_ref()?;
            Some((pod, running))
        })
        .collect()
}

pub(super) fn judge(case: &Case<'_>, release: &Release) -> (Vec<ImageReport>, Vec<Finding>) {
    let mut reports = Vec::new();
    let mut findings = Vec::new();
    for image in images(case.snapshot, case.profile, release) {
        let version = if case.question.image {
            version::judge(case.snapshot, &image)
        } else {
            None
        };
        let tally = Tally::take(case.snapshot, &image);
        let (state, reason) = match &version {
            _ if case.question.digest => state(case.snapshot, &image, &tally),
            Some(version) => (
                version::state(case.snapshot, &image, version),
                version.unknown.clone(),
            ),
            // Its tag is no version, so that there is nothing to say of it.
            None => continue,
        };
        let mut report = report(case.snapshot, &image, &tally, state, reason);
        if case.question.digest {
            findings.extend(found(case, release, &image, &tally, &report));
        }
        if let Some(version) = &version {
            findings.extend(version::found(case, release, &image, version));
        }
        report.version = version;
        reports.push(report);
    }
    (reports, findings)
}

/// What came of comparing one pod's container.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Current,
    Different,
    Unknown(String),
}

/// What some pods of one workload run: the digest, what the runtime says that it names, and the nodes' platform.
type Content = (WorkloadId, Digest, RunningKind, Option<Platform>);

/// The comparisons of one image.
struct Tally {
    /// By workload, digest and platform: the outcome, and the names of the pods.
    contents: BTreeMap<Content, (Outcome, BTreeSet<String>)>,
    /// Pods without content, with the reason that the kubelet gives.
    waiting: BTreeMap<String, Option<String>>,
    /// Pods with content.
    pods: BTreeSet<String>,
    /// Those that run other content.
    behind: BTreeSet<String>,
}

impl Tally {
    fn take(snapshot: &Snapshot, image: &Image<'_>) -> Self {
        let mut tally = Self {
            contents: BTreeMap::new(),
            waiting: BTreeMap::new(),
            pods: BTreeSet::new(),
            behind: BTreeSet::new(),
        };
        for usage in &image.usages {
            let Evidence::Known(pods) = snapshot.pods_of(usage.workload) else {
                continue;
            };
            for pod in pods {
                let key = format!("{}/{}", pod.workload.namespace, pod.name);
                let container = pod.containers.get(usage.container);
                let Some(running) = container.and_then(|container| container.running.as_ref())
                else {
                    let reason = container.and_then(|container| container.waiting.clone());
                    tally.waiting.insert(key, reason);
                    continue;
                };
                let platform = platform_of(snapshot, pod);
                let outcome = outcome(snapshot, image, running, platform);
                tally.pods.insert(key.clone());
                if outcome == Outcome::Different {
                    tally.behind.insert(key.clone());
                }
                tally
                    .contents
                    .entry((
                        usage.workload.clone(),
                        running.digest.clone(),
                        running.kind,
                        platform.cloned(),
                    ))
                    .or_insert_with(|| (outcome, BTreeSet::new()))
                    .1
                    .insert(key);
            }
        }
        tally
    }

    /// True where pods run different content of the image: some the published and some not, or, on one platform, several that are not.
    fn is_skewed(&self) -> bool {
        let current = self
            .contents
            .values()
            .any(|(outcome, _)| *outcome == Outcome::Current);
        let mut different: BTreeMap<Option<&Platform>, BTreeSet<&Digest>> = BTreeMap::new();
        for ((_, digest, _, platform), (outcome, _)) in &self.contents {
            if *outcome == Outcome::Different {
                different
                    .entry(platform.as_ref())
                    .or_default()
                    .insert(digest);
            }
        }
        (current && !different.is_empty()) || different.values().any(|digests| digests.len() > 1)
    }
}

fn outcome(
    snapshot: &Snapshot,
    image: &Image<'_>,
    running: &RunningImage,
    platform: Option<&Platform>,
) -> Outcome {
    let Some(tag) = &image.tag else {
        // A pin without a known tag: all that can be said is whether the pods run it.
        return match &image.pinned {
            Some(pinned) if *pinned == running.digest => Outcome::Current,
            Some(_) | None => Outcome::Unknown("the tag that it follows is not known".to_owned()),
        };
    };
    match snapshot.published.get(tag) {
        Some(Evidence::Known(published)) => {
            match compare(
                published,
                running,
                platform,
                documents_of(snapshot, tag.repository()),
            ) {
                Verdict::Decided(ContentVerdict::Current(_)) => Outcome::Current,
                Verdict::Decided(ContentVerdict::Different) => Outcome::Different,
                Verdict::Decided(ContentVerdict::Unknown(reason)) => {
                    Outcome::Unknown(reason.to_string())
                }
                Verdict::Needs(Need::Manifest(digest)) => {
                    Outcome::Unknown(format!("the manifest `{digest}` was not fetched in time"))
                }
            }
        }
        Some(Evidence::Unknown(gap)) => Outcome::Unknown(gap.message.clone()),
        None => Outcome::Unknown("the registry was not asked".to_owned()),
    }
}

/// The image's state; for [`ImageState::Unknown`] with the reason.
fn state(
    snapshot: &Snapshot,
    image: &Image<'_>,
    tally: &Tally,
) -> (ImageState, Option<UnknownReason>) {
    let unknown_because =
        |reason, message: String| (ImageState::Unknown, Some(UnknownReason { reason, message }));
    if let Some(text) = image.malformed {
        return unknown_because(
            GapReason::Malformed,
            format!("`{text}` is not an image reference"),
        );
    }
    if !tally.behind.is_empty() {
        let rolling = image.usages.iter().any(|usage| {
            usage
                .live
                .is_some_and(|live| live.rollout == Rollout::Progressing)
        });
        let state = if rolling {
            ImageState::Rolling
        } else {
            ImageState::Behind
        };
        return (state, None);
    }
    for usage in &image.usages {
        if let Evidence::Unknown(gap) = snapshot.pods_of(usage.workload) {
            return (ImageState::Unknown, Some(unknown(&gap)));
        }
    }
    if tally.pods.is_empty() {
        return match tally.waiting.iter().next() {
            None => (ImageState::Idle, None),
            Some((pod, reason)) => unknown_because(
                GapReason::NotFound,
                format!(
                    "no pod has content of it yet: {pod} waits{}",
                    reason
                        .as_ref()
                        .map_or_else(String::new, |reason| format!(" ({reason})"))
                ),
            ),
        };
    }
    let reasons = tally
        .contents
        .values()
        .find_map(|(outcome, _)| match outcome {
            Outcome::Unknown(reason) => Some(reason.clone()),
            Outcome::Current | Outcome::Different => None,
        });
    let asked = image
        .tag
        .as_ref()
        .and_then(|tag| snapshot.published.get(tag));
    match (reasons, asked) {
        (Some(_), Some(Evidence::Unknown(gap))) => (ImageState::Unknown, Some(unknown(gap))),
        (Some(reason), _) => unknown_because(GapReason::Failed, reason),
        (None, _) => (ImageState::Current, None),
    }
}

fn report(
    snapshot: &Snapshot,
    image: &Image<'_>,
    tally: &Tally,
    state: ImageState,
    unknown: Option<UnknownReason>,
) -> ImageReport {
    let mut flags = BTreeSet::new();
    if image.pinned.is_some() {
        flags.insert(ImageFlag::Pinned);
    }
    if tally.is_skewed() {
        flags.insert(ImageFlag::Skewed);
    }
    if image.usages.iter().any(Usage::restarts_in_vain) {
        flags.insert(ImageFlag::RestartInVain);
    }
    if cache::is_stale(snapshot, image) {
        flags.insert(ImageFlag::CacheStale);
    }
    let published = image
        .tag
        .as_ref()
        .and_then(|tag| snapshot.published.get(tag)?.known().cloned());
    let count = |pods: &BTreeSet<String>| u32::try_from(pods.len()).unwrap_or(u32::MAX);
    ImageReport {
        name: image.name.clone(),
        repository: image.repository.clone(),
        tag: image
            .tag
            .as_ref()
            .and_then(ImageRef::tag)
            .map(|tag| tag.as_str().to_owned()),
        source: image.source,
        version: None,
        state,
        flags: flags.into_iter().collect(),
        references: image
            .usages
            .iter()
            .map(|usage| Reference {
                workload: ContainerId {
                    workload: usage.workload.clone(),
                    container: usage.container.to_owned(),
                },
                spec: usage.spec(),
            })
            .collect(),
        digest: DigestReport {
            observed_at: published.is_some().then_some(snapshot.observed_at),
            published,
            cached: cache::report(snapshot, image),
            source: mirror::report(snapshot, image),
            recorded: image.recorded.clone(),
            pinned: image.pinned.clone(),
            running: tally
                .contents
                .iter()
                .map(
                    |((workload, digest, kind, platform), (outcome, pods))| RunningDigest {
                        workload: workload.clone(),
                        digest: digest.clone(),
                        kind: digest_kind(snapshot, image, digest, *kind),
                        platform: platform.clone(),
                        pods: count(pods),
                        current: match outcome {
                            Outcome::Current => Some(true),
                            Outcome::Different => Some(false),
                            Outcome::Unknown(_) => None,
                        },
                    },
                )
                .collect(),
        },
        pods: count(&tally.pods),
        pods_behind: count(&tally.behind),
        unknown,
    }
}

/// What a running digest names, as far as the documents at hand tell.
fn digest_kind(
    snapshot: &Snapshot,
    image: &Image<'_>,
    digest: &Digest,
    kind: RunningKind,
) -> DigestKind {
    if kind == RunningKind::Config {
        return DigestKind::Config;
    }
    let Some(tag) = &image.tag else {
        return DigestKind::Unknown;
    };
    let documents = documents_of(snapshot, tag.repository());
    match documents.get(digest) {
        Some(Document::Found(Manifest::Index { .. })) => return DigestKind::Index,
        Some(Document::Found(Manifest::Image { .. })) => return DigestKind::Manifest,
        Some(Document::Gone | Document::Unavailable(_)) | None => {}
    }
    let is_child = documents.values().any(|document| match document {
        Document::Found(Manifest::Index { children }) => {
            children.iter().any(|child| child.digest == *digest)
        }
        Document::Found(Manifest::Image { .. }) | Document::Gone | Document::Unavailable(_) => {
            false
        }
    });
    if is_child {
        DigestKind::Manifest
    } else {
        DigestKind::Unknown
    }
}

fn found(
    case: &Case<'_>,
    release: &Release,
    image: &Image<'_>,
    tally: &Tally,
    report: &ImageReport,
) -> Vec<Finding> {
    let subject = || Subject {
        image: Some(image.name.clone()),
        ..case.subject()
    };
    let name = || match &report.tag {
        Some(tag) => format!("{}:{tag}", image.name),
        None => image.name.clone(),
    };
    let mut findings = Vec::new();
    match (report.state, &image.pinned) {
        (ImageState::Behind, Some(pinned)) => findings.push(Finding::new(
            Code::DigestPinned,
            subject(),
            format!(
                "{} is pinned to {}, and its tag has moved on",
                name(),
                pinned.short()
            ),
        )),
        (ImageState::Behind, None) => {
            findings.push(
                Finding::new(
                    Code::DigestBehind,
                    subject(),
                    behind_message(&name(), report),
                )
                .advise(advise::move_to_published(case, image, tally, report))
                .because(advise::evidence(release, image, report)),
            );
            if report.digest.recorded.is_some() && report.digest.recorded == report.digest.published
            {
                findings.push(Finding::new(
                    Code::RecordLies,
                    subject(),
                    format!(
                        "the annotation says that {} was refreshed to what is published, but pods run other content: the chart's own refresh will not act",
                        name()
                    ),
                ));
            }
        }
        (ImageState::Unknown, _) => findings.push(
            Finding::new(
                Code::DigestUnknown,
                subject(),
                format!(
                    "whether {} runs its published content is unknown: {}",
                    name(),
                    report
                        .unknown
                        .as_ref()
                        .map_or("no reason given", |reason| reason.message.as_str())
                ),
            )
            .advise(advise::look_at_pods(case, image, tally)),
        ),
        (ImageState::Current | ImageState::Rolling | ImageState::Idle, _) => {}
    }
    findings.extend(cache::found(case, image, &name()));
    findings.extend(platform::found(case, image, &name()));
    findings.extend(mirror::found(case, image, &name()));
    if report.flags.contains(&ImageFlag::Skewed) && report.state == ImageState::Behind {
        findings.push(Finding::new(
            Code::DigestSkewed,
            subject(),
            format!("pods run different content of {}", name()),
        ));
    }
    findings
}

fn behind_message(name: &str, report: &ImageReport) -> String {
    let verb = if report.pods == 1 { "runs" } else { "run" };
    format!(
        "{} of {} {verb} old content of {name}",
        report.pods_behind,
        counted(u64::from(report.pods), "pod"),
    )
}

impl Usage<'_> {
    /// The pull policy in force: that of the live container, else of the stored one.
    fn pull_policy(&self) -> PullPolicy {
        self.live_container
            .map_or(self.stored.pull_policy, |container| container.pull_policy)
    }

    /// True where a restart need not pull a tag that moved.
    fn restarts_in_vain(&self) -> bool {
        let by_tag = self
            .live_container
            .unwrap_or(self.stored)
            .image
            .as_ref()
            .is_ok_and(|image| image.digest().is_none());
        by_tag && self.pull_policy() != PullPolicy::Always
    }

    /// The image as the cluster has it.
    fn spec(&self) -> String {
        let container = self.live_container.unwrap_or(self.stored);
        match &container.image {
            Ok(image) => image.familiar(),
            Err(text) => text.clone(),
        }
    }
}
