//! Whether what is published is for the platforms of the nodes (DOMAIN §13, 15).

use std::collections::{BTreeMap, BTreeSet};

use super::usage::{Image, images};
use super::wanted::Wanted;
use super::{documents_of, platform_of};
use crate::assess::Case;
use crate::finding::{Code, Finding, Subject};
use crate::image::{Digest, ImageRef, Repository};
use crate::manifest::{Document, Manifest, Platform};
use crate::profile::Profile;
use crate::snapshot::{Evidence, Snapshot};
use crate::workload::Pod;

/// The indexes of images that some pod waits for in vain while others have them: worth one question. Elsewhere what was read for the
/// comparison is enough.
pub(super) fn wanted(snapshot: &Snapshot, profile: &Profile) -> BTreeSet<Wanted> {
    let mut wanted = BTreeSet::new();
    for release in snapshot.known_releases() {
        for image in images(snapshot, profile, release) {
            let Some((tag, digest)) = published(snapshot, &image) else {
                continue;
            };
            let repository = tag.repository();
            if cannot_pull(snapshot, &image)
                && !documents_of(snapshot, repository).contains_key(digest)
            {
                wanted.insert(Wanted {
                    repository: repository.clone(),
                    digest: digest.clone(),
                });
            }
        }
    }
    wanted
}

/// True if the kubelet says of some pod that it cannot pull the image.
pub(super) fn cannot_pull(snapshot: &Snapshot, image: &Image<'_>) -> bool {
    pods(snapshot, image).any(|(pod, container)| {
        let waiting = pod
            .containers
            .get(container)
            .and_then(|container| container.waiting.as_deref());
        waiting.is_some_and(|reason| reason.contains("ImagePull"))
    })
}

/// The platforms for which the published index has nothing, each with the nodes that have it and run the image.
pub(super) fn missing(
    snapshot: &Snapshot,
    image: &Image<'_>,
) -> BTreeMap<Platform, BTreeSet<String>> {
    let mut missing: BTreeMap<Platform, BTreeSet<String>> = BTreeMap::new();
    let Some(offered) = offered(snapshot, image) else {
        return missing;
    };
    for (pod, _) in pods(snapshot, image) {
        let (Some(platform), Some(node)) = (platform_of(snapshot, pod), &pod.node) else {
            continue;
        };
        if !offered.iter().any(|offer| offer.serves(platform)) {
            missing
                .entry(platform.clone())
                .or_default()
                .insert(node.clone());
        }
    }
    missing
}

pub(super) fn found(case: &Case<'_>, image: &Image<'_>, name: &str) -> Option<Finding> {
    let missing = missing(case.snapshot, image);
    let (platform, nodes) = missing.first_key_value()?;
    let offered: Vec<String> = offered(case.snapshot, image)?
        .iter()
        .map(ToString::to_string)
        .collect();
    let node = nodes.first()?;
    let subject = Subject {
        image: Some(image.name.clone()),
        ..case.subject()
    };
    Some(
        Finding::new(
            Code::PlatformMissing,
            subject,
            format!(
                "what is published as {name} has no image for {platform}, which node {node} needs: pods that start there cannot pull it"
            ),
        )
        .advise(vec![case.advisor.nodes()])
        .because([format!("it is for {}", offered.join(", "))])
        .because(missing.iter().flat_map(|(platform, nodes)| {
            nodes
                .iter()
                .map(move |node| format!("node {node} is {platform}"))
        })),
    )
}

/// The platforms that the published index is for; `None` where that is not known, as of a single image or an entry without a platform.
fn offered<'facts>(
    snapshot: &'facts Snapshot,
    image: &Image<'_>,
) -> Option<BTreeSet<&'facts Platform>> {
    let (tag, digest) = published(snapshot, image)?;
    of_index(snapshot, tag.repository(), digest)
}

/// The platforms that an index is for, where it was read.
pub(crate) fn of_index<'facts>(
    snapshot: &'facts Snapshot,
    repository: &Repository,
    digest: &Digest,
) -> Option<BTreeSet<&'facts Platform>> {
    match documents_of(snapshot, repository).get(digest)? {
        Document::Found(Manifest::Index { children }) => children
            .iter()
            .filter(|child| !child.attestation)
            .map(|child| child.platform.as_ref())
            .collect(),
        Document::Found(Manifest::Image { .. }) | Document::Gone | Document::Unavailable(_) => None,
    }
}

fn published<'a, 'facts>(
    snapshot: &'facts Snapshot,
    image: &'a Image<'_>,
) -> Option<(&'a ImageRef, &'facts Digest)> {
    let tag = image.tag.as_ref()?;
    Some((tag, snapshot.published.get(tag)?.known()?))
}

/// The pods of an image, each with the name of its container.
fn pods<'a>(
    snapshot: &'a Snapshot,
    image: &'a Image<'_>,
) -> impl Iterator<Item = (&'a Pod, &'a str)> {
    image
        .usages
        .iter()
        .filter_map(|usage| match snapshot.pods_of(usage.workload) {
            Evidence::Known(pods) => Some((pods, usage.container)),
            Evidence::Unknown(_) => None,
        })
        .flat_map(|(pods, container)| pods.into_iter().map(move |pod| (pod, container)))
}

#[cfg(test)]
mod tests;
