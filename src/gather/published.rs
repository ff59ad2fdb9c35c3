//! What is published: one HEAD for each tag of which something runs, the tags where that tag is a version, and manifests only where a judgement
//! depends on them.

use futures_util::future::{join, join3};
use futures_util::stream::{self, StreamExt as _};
use tracebloc_core::assess::{
    Question, Wanted, needs_platforms, wanted_manifests, wanted_of_tags, wanted_sources,
    wanted_tag_lists, wanted_tags,
};
use tracebloc_core::image::{Digest, ImageRef, Mirrors};
use tracebloc_core::manifest::Document;
use tracebloc_core::profile::Profile;
use tracebloc_core::snapshot::{CachedTag, Evidence, Snapshot, SourceTag};

use super::Request;
use crate::cluster::Cluster;
use crate::registry::{Registry, RegistryError};

/// How many questions are under way at once over all registries; each registry has its own, lower limit.
const AT_ONCE: usize = 64;

/// How often the judgement is asked what it still needs: an index, its child, the running index and its child.
const ROUNDS: usize = 6;

pub(super) async fn observe(
    cluster: &Cluster,
    registry: &Registry,
    mirrors: &Mirrors,
    request: &Request,
    snapshot: &mut Snapshot,
    profile: &Profile,
) {
    let Request {
        question,
        compare_source,
        ..
    } = request;
    let wanted_if = |asked: bool| asked.then_some(&*snapshot);
    let tags = wanted_if(question.digest).map(|snapshot| wanted_tags(snapshot, profile, question));
    let lists =
        wanted_if(question.image).map(|snapshot| wanted_tag_lists(snapshot, profile, question));
    let published = stream::iter(tags.into_iter().flatten())
        .map(|tag| one_tag(registry, mirrors, tag))
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>();
    let lists = stream::iter(lists.into_iter().flatten())
        .map(|repository| async move {
            let tags = match registry.tags(&repository).await {
                Ok(tags) => Evidence::Known(tags),
                Err(error) => {
                    Evidence::Unknown(error.gap(format!("the tags of {}", repository.familiar())))
                }
            };
            (repository, tags)
        })
        .buffer_unordered(AT_ONCE)
        .collect();
    let sources = compare_source
        .as_ref()
        .filter(|_| question.digest)
        .map(|place| wanted_sources(snapshot, profile, place));
    let sources = stream::iter(sources.into_iter().flatten())
        .map(|(tag, image)| async move {
            let digest = digest_of(registry, &image).await;
            (tag, SourceTag { image, digest })
        })
        .buffer_unordered(AT_ONCE)
        .collect();
    let (published, lists, sources) = join3(published, lists, sources).await;
    snapshot.tags = lists;
    snapshot.sources = sources;
    for (tag, digest, cached) in published {
        if let Some(cached) = cached {
            snapshot.cached.insert(tag.clone(), cached);
        }
        snapshot.published.insert(tag, digest);
    }
    if question.nodes_where_needed && needs_platforms(snapshot, profile, question) {
        // Without platforms the comparison asks for any platform and says where that is not enough (FACTS 8.7).
        snapshot.nodes = cluster.platforms().await.unwrap_or_default();
    }
    if question.digest {
        manifests(registry, mirrors, snapshot, profile, question).await;
    }
}

/// What a tag points to, and what the cache serves for it if nodes pull through one. Where only the cache answers, its word counts.
async fn one_tag(
    registry: &Registry,
    mirrors: &Mirrors,
    tag: ImageRef,
) -> (ImageRef, Evidence<Digest>, Option<CachedTag>) {
    let Some(through) = mirrors.through(tag.repository()) else {
        let digest = digest_of(registry, &tag).await;
        return (tag, digest, None);
    };
    let through = ImageRef::new(through, tag.effective_tag(), None);
    let (source, cache) = join(digest_of(registry, &tag), digest_of(registry, &through)).await;
    let stands_in = source.known().is_none() && cache.known().is_some();
    let digest = if stands_in { cache.clone() } else { source };
    let cached = CachedTag {
        through,
        digest: cache,
        stands_in,
    };
    (tag, digest, Some(cached))
}

async fn digest_of(registry: &Registry, tag: &ImageRef) -> Evidence<Digest> {
    match registry.published(tag).await {
        Ok(published) => Evidence::Known(published.digest),
        Err(error) => Evidence::Unknown(error.gap(format!("the digest of {}", tag.familiar()))),
    }
}

/// Fetches manifests until the judgement needs no more.
async fn manifests(
    registry: &Registry,
    mirrors: &Mirrors,
    snapshot: &mut Snapshot,
    profile: &Profile,
    question: &Question,
) {
    for _ in 0..ROUNDS {
        let mut wanted = wanted_manifests(snapshot, profile);
        wanted.extend(wanted_of_tags(snapshot, profile, question));
        if wanted.is_empty() {
            return;
        }
        let answers: Vec<(Wanted, Document)> = stream::iter(wanted)
            .map(|wanted| async move {
                let document = document(registry, mirrors, &wanted).await;
                (wanted, document)
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for (wanted, document) in answers {
            snapshot
                .manifests
                .entry(wanted.repository)
                .or_default()
                .insert(wanted.digest, document);
        }
    }
}

/// The content of a digest. A cache that has it answers in place of the registry: the digest says that it is the same.
async fn document(registry: &Registry, mirrors: &Mirrors, wanted: &Wanted) -> Document {
    let Wanted { repository, digest } = wanted;
    if let Some(through) = mirrors.through(repository)
        && let Ok(manifest) = registry.manifest(&through, digest).await
    {
        return Document::Found(manifest);
    }
    match registry.manifest(repository, digest).await {
        Ok(manifest) => Document::Found(manifest),
        Err(RegistryError::NotFound { .. }) => Document::Gone,
        Err(error) => Document::Unavailable(error.to_string()),
    }
}
