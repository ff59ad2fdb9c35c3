//! What is told of an image: its references, its digests, and what qualifies its state.

use std::collections::BTreeSet;

use super::tally::{Outcome, Tally};
use super::usage::{Image, Usage};
use super::{cache, documents_of, mirror};
use crate::image::{Digest, ImageRef, RunningKind};
use crate::manifest::{Document, Manifest};
use crate::report::{
    ContainerId, DigestKind, DigestReport, ImageFlag, ImageReport, ImageState, Reference,
    RunningDigest, UnknownReason,
};
use crate::snapshot::Snapshot;

/// The report of an image in that state; for one that is unknown, with the reason.
pub(super) fn of(
    snapshot: &Snapshot,
    image: &Image<'_>,
    tally: &Tally,
    state: ImageState,
    unknown: Option<UnknownReason>,
) -> ImageReport {
    let mut flags = BTreeSet::new();
    if image.unsure {
        flags.insert(ImageFlag::MaybePinned);
    } else if image.pinned.is_some() {
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
            pinned: image.pinned.clone().filter(|_| !image.unsure),
            carried: None,
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
