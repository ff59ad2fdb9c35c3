//! What a judgement of digests needs from registries: asked for by it, so that nothing is fetched that nothing depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::usage::images;
use super::{carried, documents_of, mirror, platform, platform_of, running_content};
use crate::assess::Question;
use crate::image::{Digest, ImageRef, Repository, RunningImage};
use crate::manifest::{Need, Verdict, compare};
use crate::name::Namespace;
use crate::profile::Profile;
use crate::snapshot::Snapshot;
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
    for release in snapshot.known_releases() {
        let images = images(snapshot, profile, release).into_iter();
        let wanted =
            images.filter(|image| question.all_images || platform::cannot_pull(snapshot, image));
        tags.extend(wanted.filter_map(|image| image.tag));
    }
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
        .chain(carried::wanted_manifests(snapshot, profile))
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
