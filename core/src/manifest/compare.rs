//! Whether what runs is what is published: the comparison of one running image with the content that a tag points to now.
//!
//! Runtimes report the digest of an index, of a platform's manifest or of a configuration, so that equal content often has
//! unequal digests. This judgement needs documents from the registry for that. It asks for them one at a time, only where the
//! answer depends on them, and never takes missing evidence for "current".

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Child, Manifest, Platform};
use crate::image::{Digest, RunningImage, RunningKind};

/// The most manifests fetched to find a configuration where the node's platform is unknown.
const CONFIG_LOOKUP_LIMIT: usize = 4;

/// What came of asking the image's repository for a manifest by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Document {
    /// The manifest.
    Found(Manifest),
    /// The registry answered that it has none of that digest.
    Gone,
    /// It could not be had; the reason is for people.
    Unavailable(String),
}

/// The documents fetched so far, by digest.
pub type Documents = BTreeMap<Digest, Document>;

/// Why two contents are the same although, perhaps, their digests differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The digests are equal.
    SameDigest,
    /// The published index has the running manifest as a child.
    ChildOfPublished,
    /// The running index is another one, and its image for the node is the published one.
    SameChild,
    /// The configurations are equal, and with them all layers.
    SameConfig,
}

/// Why no judgement is possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// A manifest that the answer depends on could not be had.
    #[error("the manifest `{digest}` could not be read: {reason}")]
    Unavailable {
        /// Which one.
        digest: Digest,
        /// Why, in words for people.
        reason: String,
    },
    /// The registry names a digest, or lists a child, that it does not serve.
    #[error("the registry names the manifest `{digest}` and does not have it")]
    Vanished {
        /// Which one.
        digest: Digest,
    },
    /// The index has no image for the node that runs the container.
    #[error("the index `{digest}` has no image for `{platform}`")]
    NoPlatform {
        /// Which index.
        digest: Digest,
        /// The node's platform.
        platform: Platform,
    },
    /// The answer differs by platform, and the node's is unknown or fits several images.
    #[error(
        "the images of some platforms changed and those of others did not, and it is unknown which one runs"
    )]
    AmbiguousPlatform,
    /// A child of the index is an index again.
    #[error("the index lists another index, `{digest}`")]
    Nested {
        /// The inner index.
        digest: Digest,
    },
}

/// How running content relates to published content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentVerdict {
    /// The same.
    Current(How),
    /// Other content is published.
    Different,
    /// Not known.
    Unknown(Undecided),
}

/// What is needed to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// The manifest of that digest, from the image's repository.
    Manifest(Digest),
}

/// The outcome of a comparison with the documents at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is decided.
    Decided(ContentVerdict),
    /// Fetch this, add it to the documents and compare again.
    Needs(Need),
}

impl Verdict {
    fn current(how: How) -> Self {
        Self::Decided(ContentVerdict::Current(how))
    }

    fn unknown(reason: Undecided) -> Self {
        Self::Decided(ContentVerdict::Unknown(reason))
    }

    const DIFFERENT: Self = Self::Decided(ContentVerdict::Different);
}

/// Compares what a container runs with what its tag points to.
///
/// `published` is the digest that the registry gives for the tag now, `platform` that of the container's node where it is known,
/// `documents` what was fetched so far from the image's repository. Each answer [`Verdict::Needs`] names a digest that is not in
/// `documents`, so that a caller who adds an entry for it each time comes to an end.
pub fn compare(
    published: &Digest,
    running: &RunningImage,
    platform: Option<&Platform>,
    documents: &Documents,
) -> Verdict {
    if *published == running.digest {
        return Verdict::current(How::SameDigest);
    }
    let published_manifest = match required(published, documents) {
        Ok(manifest) => manifest,
        Err(verdict) => return verdict,
    };
    let candidates = match published_manifest {
        Manifest::Image { .. } => BTreeSet::from([published]),
        Manifest::Index { children } => {
            let candidates = for_node(children, platform);
            let listed = images(children).any(|child| child.digest == running.digest);
            // Where the index has nothing for the node, the node cannot run anything newer than any of its children.
            if candidates.contains(&running.digest) || (listed && candidates.is_empty()) {
                return Verdict::current(How::ChildOfPublished);
            }
            candidates
        }
    };
    if let (true, Some(platform)) = (candidates.is_empty(), platform) {
        return Verdict::unknown(Undecided::NoPlatform {
            digest: published.clone(),
            platform: platform.clone(),
        });
    }
    match running.kind {
        RunningKind::Config => {
            by_config(&running.digest, &candidates, platform.is_some(), documents)
        }
        RunningKind::Repository => by_manifest(
            &running.digest,
            published_manifest,
            &candidates,
            platform,
            documents,
        ),
    }
}

/// The manifest of that digest, which the registry itself named.
fn required<'a>(digest: &Digest, documents: &'a Documents) -> Result<&'a Manifest, Verdict> {
    match documents.get(digest) {
        Some(Document::Found(manifest)) => Ok(manifest),
        Some(Document::Gone) => Err(Verdict::unknown(Undecided::Vanished {
            digest: digest.clone(),
        })),
        Some(Document::Unavailable(reason)) => Err(Verdict::unknown(Undecided::Unavailable {
            digest: digest.clone(),
            reason: reason.clone(),
        })),
        None => Err(Verdict::Needs(Need::Manifest(digest.clone()))),
    }
}

fn images(children: &[Child]) -> impl Iterator<Item = &Child> {
    children.iter().filter(|child| !child.attestation)
}

/// The images of an index that a node of that platform may run: all of them where the platform is unknown, and those without a
/// platform only where none is marked for the node's.
fn for_node<'a>(children: &'a [Child], platform: Option<&Platform>) -> BTreeSet<&'a Digest> {
    let Some(node) = platform else {
        return images(children).map(|child| &child.digest).collect();
    };
    let marked: BTreeSet<&Digest> = images(children)
        .filter(|child| {
            child
                .platform
                .as_ref()
                .is_some_and(|platform| platform.serves(node))
        })
        .map(|child| &child.digest)
        .collect();
    if !marked.is_empty() {
        return marked;
    }
    images(children)
        .filter(|child| child.platform.is_none())
        .map(|child| &child.digest)
        .collect()
}

/// Looks for a configuration among the published images.
fn by_config(
    config: &Digest,
    candidates: &BTreeSet<&Digest>,
    platform_known: bool,
    documents: &Documents,
) -> Verdict {
    if !platform_known && candidates.len() > CONFIG_LOOKUP_LIMIT {
        return Verdict::unknown(Undecided::AmbiguousPlatform);
    }
    let mut open = None;
    for digest in candidates {
        match required(digest, documents) {
            Ok(Manifest::Image { config: published }) if published == config => {
                return Verdict::current(How::SameConfig);
            }
            Ok(Manifest::Image { .. }) => {}
            Ok(Manifest::Index { .. }) => {
                open = open.or(Some(Verdict::unknown(Undecided::Nested {
                    digest: (*digest).clone(),
                })));
            }
            Err(needs @ Verdict::Needs(_)) => return needs,
            Err(verdict) => open = open.or(Some(verdict)),
        }
    }
    open.unwrap_or(Verdict::DIFFERENT)
}

/// Compares a running index or manifest, which is not the published one nor its child, by its own document.
fn by_manifest(
    running: &Digest,
    published_manifest: &Manifest,
    candidates: &BTreeSet<&Digest>,
    platform: Option<&Platform>,
    documents: &Documents,
) -> Verdict {
    // A registry that no longer has what runs has certainly replaced it.
    if documents.get(running) == Some(&Document::Gone) {
        return Verdict::DIFFERENT;
    }
    let running_manifest = match required(running, documents) {
        Ok(manifest) => manifest,
        Err(verdict) => return verdict,
    };
    match (running_manifest, published_manifest) {
        (Manifest::Image { config }, Manifest::Image { config: published })
            if config == published =>
        {
            Verdict::current(How::SameConfig)
        }
        (Manifest::Image { .. }, _) => Verdict::DIFFERENT,
        (Manifest::Index { children }, _) => {
            let ran = for_node(children, platform);
            match platform {
                Some(platform) if ran.is_empty() => Verdict::unknown(Undecided::NoPlatform {
                    digest: running.clone(),
                    platform: platform.clone(),
                }),
                _ if ran.is_disjoint(candidates) => Verdict::DIFFERENT,
                _ if ran == *candidates => Verdict::current(How::SameChild),
                _ => Verdict::unknown(Undecided::AmbiguousPlatform),
            }
        }
    }
}

#[cfg(test)]
mod tests;
