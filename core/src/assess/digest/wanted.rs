//! What a judgement of digests needs from registries: asked for by it, so that nothing is fetched that nothing depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::usage::{Image, images};
use super::{carried, documents_of, further, mirror, platform, platform_of, running_content};
use crate::assess::Question;
use crate::change::{ANNOTATION, Change};
use crate::image::{Digest, ImageRef, Repository, RunningImage};
use crate::manifest::{Document, Manifest, Need, Verdict, compare};
use crate::name::Namespace;
use crate::profile::{Kinship, Profile};
use crate::release::Release;
use crate::snapshot::{Evidence, Snapshot};
use crate::workload::Pod;

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

/// The tags whose digests a judgement needs: each once, and only those of which something runs or cannot be pulled, unless [`Question::all_images`].
pub fn wanted_tags(
    snapshot: &Snapshot,
    profile: &Profile,
    question: &Question,
) -> BTreeSet<ImageRef> {
    let mut tags = carried::wanted_tags(snapshot, profile, question);
    tags.extend(further::wanted_tags(snapshot, profile, question));
    for release in snapshot.known_releases() {
        let images = images(snapshot, profile, release).into_iter();
        let asked = images.filter(|image| is_asked(image, profile, release, question));
        let wanted = asked.filter(|image| {
            let runs = |usage| !running_content(snapshot, usage).is_empty();
            question.all_images
                || platform::cannot_pull(snapshot, image)
                || image.usages.iter().any(runs)
        });
        tags.extend(wanted.filter_map(|image| image.tag));
    }
    tags
}

/// True if an image is asked about.
fn is_asked(image: &Image<'_>, profile: &Profile, release: &Release, question: &Question) -> bool {
    let Some(names) = &question.images else {
        return true;
    };
    let is_changed = image.usages.iter().any(|usage| {
        let change = usage.live.and_then(|live| live.records.get(ANNOTATION));
        change
            .and_then(|text| Change::parse(text))
            .is_some_and(|change| change.state.is_open())
    });
    profile.kinship(release) != Kinship::Ours || names.contains(&image.name) || is_changed
}

/// Whether a judgement needs the platforms of nodes: not where all that runs is, to the letter, what is published.
pub fn needs_platforms(snapshot: &Snapshot, profile: &Profile, question: &Question) -> bool {
    if !snapshot.cached.is_empty() || !carried::wanted_tags(snapshot, profile, question).is_empty()
    {
        return true;
    }
    let mut needed = false;
    each_running(snapshot, profile, |tag, _, content| {
        let published = snapshot.published.get(tag).and_then(Evidence::known);
        needed |= published.is_some_and(|published| *published != content.digest);
    });
    needed
        || snapshot.known_releases().any(|release| {
            images(snapshot, profile, release)
                .iter()
                .any(|image| platform::cannot_pull(snapshot, image))
        })
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
        .chain(wanted_records(snapshot, profile))
        .chain(carried::wanted_manifests(snapshot, profile))
        .chain(of_sources)
        .collect()
}

/// The content that is recorded of images whose pods run the manifests of several platforms, and others than are published: what serves all of these
/// nodes is the index, and it is what a refresh that fails goes back to.
fn wanted_records(snapshot: &Snapshot, profile: &Profile) -> BTreeSet<Wanted> {
    let mut wanted = BTreeSet::new();
    for release in snapshot.known_releases() {
        for image in images(snapshot, profile, release) {
            let (Some(tag), Some(recorded)) = (&image.tag, &image.recorded) else {
                continue;
            };
            let repository = tag.repository();
            let published = snapshot.published.get(tag).and_then(Evidence::known);
            let documents = documents_of(snapshot, repository);
            let is_manifest = |running: &RunningImage| {
                matches!(
                    documents.get(&running.digest),
                    Some(Document::Found(Manifest::Image { .. }))
                )
            };
            let running = image.usages.iter().flat_map(|usage| {
                let content = running_content(snapshot, usage).into_iter();
                content.filter(|(_, running)| is_manifest(running))
            });
            let (platforms, digests): (BTreeSet<_>, BTreeSet<_>) = running
                .map(|(pod, running)| (platform_of(snapshot, pod), &running.digest))
                .unzip();
            if platforms.len() > 1
                && digests.len() > 1
                && published.is_some_and(|published| published != recorded)
                && !documents.contains_key(recorded)
            {
                wanted.insert(Wanted {
                    repository: repository.clone(),
                    digest: recorded.clone(),
                });
            }
        }
    }
    wanted
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
