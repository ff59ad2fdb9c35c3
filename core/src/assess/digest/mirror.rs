//! The lag of a mirror behind its source (DESIGN §6 "Digest"). The source is an optional check: where it does not answer, nothing else is unknown.

use std::collections::{BTreeMap, BTreeSet};

use super::usage::{Image, images};
use super::wanted::Wanted;
use super::{documents_of, running_content};
use crate::assess::Case;
use crate::finding::{Code, Finding, Subject};
use crate::image::{Digest, ImageRef, MirrorSource, RunningImage, RunningKind};
use crate::manifest::{ContentVerdict, Need, Verdict, compare};
use crate::profile::Profile;
use crate::report::SourceDigest;
use crate::snapshot::{Evidence, Snapshot, SourceTag};

/// By tag in a mirror: the same tag at the mirror's source, which the profile knows unless `place` is another. Only of images that the profile knows, since
/// others may come from elsewhere, and only where something runs.
pub fn wanted_sources(
    snapshot: &Snapshot,
    profile: &Profile,
    place: &MirrorSource,
) -> BTreeMap<ImageRef, ImageRef> {
    let mut sources = BTreeMap::new();
    for release in snapshot.known_releases() {
        let Some((mirror, source)) = profile.mirror_of(release) else {
            continue;
        };
        let source = match place {
            MirrorSource::Usual => &source,
            MirrorSource::At(place) => place,
        };
        for image in images(snapshot, profile, release) {
            let Some(tag) = image.tag.as_ref().filter(|_| image.known) else {
                continue;
            };
            let runs = image
                .usages
                .iter()
                .any(|usage| !running_content(snapshot, usage).is_empty());
            if let (true, Some(repository)) = (runs, mirror.moved(tag.repository(), source)) {
                let at_source = ImageRef::new(repository, tag.effective_tag(), None);
                sources.insert(tag.clone(), at_source);
            }
        }
    }
    sources
}

/// The manifests by which a mirror's content is compared with its source's.
pub(super) fn wanted_manifests(snapshot: &Snapshot) -> BTreeSet<Wanted> {
    let wanted = |(tag, source): (&ImageRef, &SourceTag)| {
        let Some(Verdict::Needs(Need::Manifest(digest))) = lag(snapshot, tag, source) else {
            return None;
        };
        // Each digest is asked for where it was told.
        let is_mirrors = published(snapshot, tag) == Some(&digest);
        let of = if is_mirrors { tag } else { &source.image };
        Some(Wanted {
            repository: of.repository().clone(),
            digest,
        })
    };
    snapshot.sources.iter().filter_map(wanted).collect()
}

fn published<'facts>(snapshot: &'facts Snapshot, tag: &ImageRef) -> Option<&'facts Digest> {
    snapshot.published.get(tag)?.known()
}

/// How the mirror's content relates to the source's; `None` where one of them is not known.
fn lag(snapshot: &Snapshot, tag: &ImageRef, source: &SourceTag) -> Option<Verdict> {
    let at_source = source.digest.known()?;
    let in_mirror = RunningImage {
        digest: published(snapshot, tag)?.clone(),
        kind: RunningKind::Repository,
    };
    let mut documents = documents_of(snapshot, tag.repository()).clone();
    documents.extend(documents_of(snapshot, source.image.repository()).clone());
    Some(compare(at_source, &in_mirror, None, &documents))
}

fn asked<'facts>(
    snapshot: &'facts Snapshot,
    image: &'facts Image<'_>,
) -> Option<(&'facts ImageRef, &'facts SourceTag)> {
    let tag = image.tag.as_ref()?;
    Some((tag, snapshot.sources.get(tag)?))
}

/// What the source has, for the report.
pub(super) fn report(snapshot: &Snapshot, image: &Image<'_>) -> Option<SourceDigest> {
    let (_, source) = asked(snapshot, image)?;
    Some(SourceDigest {
        image: source.image.clone(),
        digest: source.digest.known().cloned(),
    })
}

/// What is worth telling of the source.
pub(super) fn found(case: &Case<'_>, image: &Image<'_>, name: &str) -> Option<Finding> {
    let (tag, source) = asked(case.snapshot, image)?;
    let subject = Subject {
        image: Some(image.name.clone()),
        ..case.subject()
    };
    let familiar = source.image.familiar();
    let unconfirmed = |reason: &str| {
        Some(Finding::new(
            Code::MirrorUnconfirmed,
            subject.clone(),
            format!("whether the mirror has what {familiar} is now, is unknown: {reason}"),
        ))
    };
    let at_source = match &source.digest {
        Evidence::Known(digest) => digest,
        Evidence::Unknown(gap) => return unconfirmed(&gap.message),
    };
    // Where the mirror itself does not answer, the image is unknown anyhow.
    match lag(case.snapshot, tag, source)? {
        Verdict::Decided(ContentVerdict::Current(_)) => None,
        Verdict::Decided(ContentVerdict::Unknown(reason)) => unconfirmed(&reason.to_string()),
        Verdict::Needs(_) => unconfirmed("a manifest was not fetched in time"),
        Verdict::Decided(ContentVerdict::Different) => Some(
            Finding::new(
                Code::MirrorBehind,
                subject,
                format!("the mirror has other content for {name} than its source {familiar}"),
            )
            .because(
                [
                    (tag, published(case.snapshot, tag)),
                    (&source.image, Some(at_source)),
                ]
                .into_iter()
                .filter_map(|(image, digest)| Some(format!("{}: {}", image.familiar(), digest?))),
            ),
        ),
    }
}
