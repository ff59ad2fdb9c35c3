//! What the pods of an image run, compared with what is published.

use std::collections::{BTreeMap, BTreeSet};

use super::usage::Image;
use super::{documents_of, platform_of};
use crate::image::{Digest, RunningImage, RunningKind};
use crate::manifest::{ContentVerdict, Need, Platform, Verdict, compare};
use crate::snapshot::{Evidence, Snapshot};
use crate::workload::WorkloadId;

/// What came of comparing one pod's container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Current,
    Different,
    Unknown(String),
}

/// What some pods of one workload run: the digest, what the runtime says that it names, and the nodes' platform.
pub(super) type Content = (WorkloadId, Digest, RunningKind, Option<Platform>);

/// The comparisons of one image.
pub(super) struct Tally {
    /// By workload, digest and platform: the outcome, and the names of the pods.
    pub(super) contents: BTreeMap<Content, (Outcome, BTreeSet<String>)>,
    /// Pods without content, with the reason that the kubelet gives.
    pub(super) waiting: BTreeMap<String, Option<String>>,
    /// Pods with content.
    pub(super) pods: BTreeSet<String>,
    /// Those that run other content.
    pub(super) behind: BTreeSet<String>,
}

impl Tally {
    /// Compares everything that runs of an image.
    pub(super) fn take(snapshot: &Snapshot, image: &Image<'_>) -> Self {
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
    pub(super) fn is_skewed(&self) -> bool {
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
