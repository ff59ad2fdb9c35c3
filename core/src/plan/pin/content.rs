//! Which content an image is held at: the one that all its pods run, by the digest that serves every platform where there is one.

use std::collections::BTreeSet;

use super::{Facts, No};
use crate::image::Digest;
use crate::plan::Guard;
use crate::report::{DigestKind, ImageReport, TagSource};

/// The content to hold.
pub(super) struct Content {
    pub(super) digest: Digest,
    /// True if the digest names the manifest of a single platform.
    pub(super) is_of_one_platform: bool,
}

impl Facts<'_> {
    /// What all pods run of an image, or why there is nothing to hold.
    pub(super) fn content(&self, image: &ImageReport) -> Result<Content, No> {
        let refuse = |guard, message: &str| Err(No::new(guard, message).advise(self.status()));
        if image.source == TagSource::Env {
            return match &image.digest.carried {
                Some(carried) => Ok(Content {
                    digest: carried.clone(),
                    is_of_one_platform: false,
                }),
                None => refuse(
                    Guard::NotPinnable,
                    "the environment names a tag, and no pod of the release runs it: there is no content to hold",
                ),
            };
        }
        let running = &image.digest.running;
        if running.is_empty() {
            return refuse(
                Guard::NotPinnable,
                "nothing of it runs: there is no content to hold",
            );
        }
        if running.iter().any(|one| one.kind == DigestKind::Config) {
            return refuse(
                Guard::NotPinnable,
                "the nodes tell only the digest of its configuration, by which no registry serves an image",
            );
        }
        let whole: BTreeSet<(Digest, bool)> = running
            .iter()
            .map(|one| match self.ground.index_of(image, &one.digest) {
                Some(index) => (index, false),
                None => (one.digest.clone(), one.kind == DigestKind::Manifest),
            })
            .collect();
        let mut whole = whole.into_iter();
        match (whole.next(), whole.next()) {
            (Some((digest, is_of_one_platform)), None) => Ok(Content {
                digest,
                is_of_one_platform,
            }),
            (Some((one, _)), Some((other, _))) => {
                let message = format!(
                    "its pods run different content, such as {} and {}: refresh brings them together",
                    one.short(),
                    other.short()
                );
                Err(No::new(Guard::Skewed, message).advise(self.together(image)))
            }
            (None, _) => refuse(
                Guard::NotPinnable,
                "nothing of it runs: there is no content to hold",
            ),
        }
    }

    /// What brings the pods of an image together, also where it was never recorded.
    fn together(&self, image: &ImageReport) -> String {
        let mut words = vec!["--image", &image.name];
        words.extend(image.digest.recorded.is_none().then_some("--force"));
        let id = &self.ground.observed.newest.id;
        self.ground.advisor.refresh(id, &words)
    }
}
