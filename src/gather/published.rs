//! What is published: one HEAD for each tag of which something runs, the tags where that tag is a version, and manifests only where a judgement
//! depends on them.

use futures_util::future::join;
use futures_util::stream::{self, StreamExt as _};
use tracebloc_core::assess::{Question, Wanted, wanted_manifests, wanted_tag_lists, wanted_tags};
use tracebloc_core::manifest::Document;
use tracebloc_core::profile::Profile;
use tracebloc_core::snapshot::{Evidence, Snapshot};

use crate::registry::{Registry, RegistryError};

/// How many questions are under way at once over all registries; each registry has its own, lower limit.
const AT_ONCE: usize = 64;

/// How often the judgement is asked what it still needs: an index, its child, the running index and its child.
const ROUNDS: usize = 6;

pub(super) async fn observe(
    registry: &Registry,
    snapshot: &mut Snapshot,
    profile: &Profile,
    question: &Question,
) {
    let wanted_if = |asked: bool| asked.then_some(&*snapshot);
    let tags = wanted_if(question.digest).map(|snapshot| wanted_tags(snapshot, profile));
    let lists = wanted_if(question.image).map(|snapshot| wanted_tag_lists(snapshot, profile));
    let published = stream::iter(tags.into_iter().flatten())
        .map(|tag| async move {
            let digest = match registry.published(&tag).await {
                Ok(published) => Evidence::Known(published.digest),
                Err(error) => {
                    Evidence::Unknown(error.gap(format!("the digest of {}", tag.familiar())))
                }
            };
            (tag, digest)
        })
        .buffer_unordered(AT_ONCE)
        .collect();
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
    (snapshot.published, snapshot.tags) = join(published, lists).await;
    if !question.digest {
        return;
    }
    for _ in 0..ROUNDS {
        let wanted = wanted_manifests(snapshot, profile);
        if wanted.is_empty() {
            return;
        }
        let answers: Vec<(Wanted, Document)> = stream::iter(wanted)
            .map(|wanted| async move {
                let document = match registry.manifest(&wanted.repository, &wanted.digest).await {
                    Ok(manifest) => Document::Found(manifest),
                    Err(RegistryError::NotFound { .. }) => Document::Gone,
                    Err(error) => Document::Unavailable(error.to_string()),
                };
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
