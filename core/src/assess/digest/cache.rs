//! Pull-through caches: what the nodes really get for a tag (DESIGN §6).

use super::usage::Image;
use crate::assess::Case;
use crate::finding::{Code, Finding, Subject};
use crate::image::ImageRef;
use crate::report::CachedDigest;
use crate::snapshot::{CachedTag, Evidence, Snapshot};

fn cached<'facts>(snapshot: &'facts Snapshot, image: &Image<'_>) -> Option<&'facts CachedTag> {
    snapshot.cached.get(image.tag.as_ref()?)
}

/// True where the cache surely serves something else than the registry.
pub(super) fn is_stale(snapshot: &Snapshot, image: &Image<'_>) -> bool {
    let published = image
        .tag
        .as_ref()
        .and_then(|tag| snapshot.published.get(tag)?.known());
    let served = cached(snapshot, image).and_then(|cached| cached.digest.known());
    matches!((published, served), (Some(published), Some(served)) if published != served)
}

/// What the cache serves, for the report.
pub(super) fn report(snapshot: &Snapshot, image: &Image<'_>) -> Option<CachedDigest> {
    cached(snapshot, image).map(|cached| CachedDigest {
        through: cached.through.clone(),
        digest: cached.digest.known().cloned(),
    })
}

/// What is worth telling of the cache.
pub(super) fn found(case: &Case<'_>, image: &Image<'_>, name: &str) -> Option<Finding> {
    let cached = cached(case.snapshot, image)?;
    let subject = Subject {
        image: Some(image.name.clone()),
        ..case.subject()
    };
    let through = cached.through.familiar();
    let registry = image
        .tag
        .as_ref()
        .map_or("", |tag| tag.repository().registry());
    let unconfirmed = |message| Finding::new(Code::CacheUnconfirmed, subject.clone(), message);
    match &cached.digest {
        Evidence::Unknown(gap) => Some(unconfirmed(format!(
            "what the cache serves for {name} is unknown: {}",
            gap.message
        ))),
        Evidence::Known(_) if cached.stands_in => Some(unconfirmed(format!(
            "{name} is compared with what the cache {through} serves, because {registry} did not answer"
        ))),
        Evidence::Known(served) if is_stale(case.snapshot, image) => Some(
            Finding::new(
                Code::CacheStale,
                subject,
                format!("the cache serves old content for {name} ({through}): a restart gains nothing until it is fresh"),
            )
            .because([
                format!("{through}: {served}"),
                format!("{}: {}", familiar(image.tag.as_ref()), published(case, image)),
            ]),
        ),
        Evidence::Known(_) => None,
    }
}

fn familiar(tag: Option<&ImageRef>) -> String {
    tag.map_or_else(String::new, ImageRef::familiar)
}

fn published(case: &Case<'_>, image: &Image<'_>) -> String {
    image
        .tag
        .as_ref()
        .and_then(|tag| case.snapshot.published.get(tag)?.known())
        .map_or_else(String::new, ToString::to_string)
}
