//! What is published: one HEAD for each tag of which something runs, and manifests only where a judgement depends on them.

use futures_util::stream::{self, StreamExt as _};
use tracebloc_core::assess::{Wanted, wanted_manifests, wanted_tags};
use tracebloc_core::manifest::Document;
use tracebloc_core::profile::Profile;
use tracebloc_core::snapshot::{Evidence, Snapshot};

use crate::registry::{Registry, RegistryError};

/// How many questions are under way at once over all registries; each registry has its own, lower limit.
const AT_ONCE: usize = 64;

/// How often the judgement is asked what it still needs: an index, its child, the running index and its child.
const ROUNDS: usize = 6;

pub(super) async fn observe(registry: &Registry, snapshot: &mut Snapshot, profile: &Profile) {
    let tags = wanted_tags(snapshot, profile);
    snapshot.published = stream::iter(tags)
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
        .collect()
        .await;
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
