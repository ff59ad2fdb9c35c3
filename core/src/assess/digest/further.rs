//! Tags beside those that images run under: what `refresh --tag` is about to move an image to.

use std::collections::BTreeSet;

use super::usage::images;
use super::wanted::Wanted;
use super::{carried, documents_of};
use crate::assess::Question;
use crate::image::{ImageRef, Repository};
use crate::profile::Profile;
use crate::snapshot::{Evidence, Snapshot};

/// The tags that [`Question::tags`] asks about, in each repository that an image of that name comes from.
pub(super) fn wanted_tags(
    snapshot: &Snapshot,
    profile: &Profile,
    question: &Question,
) -> BTreeSet<ImageRef> {
    let mut tags = BTreeSet::new();
    if question.tags.is_empty() {
        return tags;
    }
    for release in snapshot.known_releases() {
        let images = images(snapshot, profile, release).into_iter();
        let own = images.filter_map(|image| {
            let repository = Repository::parse(&image.repository).ok()?;
            Some((image.name, repository))
        });
        let carried = carried::repositories(snapshot, profile, release);
        for (name, repository) in own.chain(carried) {
            if let Some(tag) = question.tags.get(&name) {
                tags.insert(ImageRef::new(repository, Some(tag.clone()), None));
            }
        }
    }
    tags
}

/// What these tags point to, which is to be read for the platforms that it is for.
pub fn wanted_of_tags(
    snapshot: &Snapshot,
    profile: &Profile,
    question: &Question,
) -> BTreeSet<Wanted> {
    wanted_tags(snapshot, profile, question)
        .into_iter()
        .filter_map(|tag| {
            let digest = snapshot.published.get(&tag).and_then(Evidence::known)?;
            let repository = tag.repository();
            let is_read = documents_of(snapshot, repository).contains_key(digest);
            (!is_read).then(|| Wanted {
                repository: repository.clone(),
                digest: digest.clone(),
            })
        })
        .collect()
}
