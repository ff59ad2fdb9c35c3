//! Whether a tag would have an effect, and whether it is newer.

use std::cmp::Ordering;

use crate::image::{Tag, VersionTag};
use crate::plan::Guard;
use crate::plan::pin::judge::containers;
use crate::plan::pin::{Facts, No, users};
use crate::profile::ProfileImage;
use crate::release::Origin;
use crate::report::{ImageFlag, ImageReport, TagSource};

/// What the values are to be for a tag.
pub(super) struct Choice<'facts> {
    /// The value that names the tag; `None` where the chart has none.
    pub(super) tag: Option<&'facts str>,
    /// The values by which the chart pins content, which goes before every tag.
    pub(super) digests: Vec<String>,
}

impl<'facts> Facts<'facts> {
    /// How the tag is chosen, or why no tag would have an effect.
    pub(super) fn choice(
        &self,
        known: Option<&'facts ProfileImage>,
        image: &ImageReport,
    ) -> Result<Choice<'facts>, No> {
        let no = |message: &str| Err(No::new(Guard::TagNotInForce, message).advise(self.status()));
        if image.flags.contains(&ImageFlag::Held) {
            return no("the chart holds it behind its tag on purpose");
        }
        let unpin = || {
            let id = &self.ground.observed.newest.id;
            self.ground.advisor.unpin(id, &image.name)
        };
        let values = &self.ground.release.values;
        let set: Vec<(&str, Origin)> = known
            .map(|known| known.digest_values(self.ground.release))
            .into_iter()
            .flatten()
            .filter_map(|path| {
                let (text, origin) = values.text(path)?;
                (!text.is_empty()).then_some((path, origin))
            })
            .collect();
        if let Some((path, _)) = set.iter().find(|(_, origin)| *origin == Origin::User) {
            let message = format!("the value {path} pins it, which goes before its tag");
            return Err(No::new(Guard::TagNotInForce, message).advise(unpin()));
        }
        if users(image)
            .iter()
            .any(|id| self.ground.is_held_live(id, image))
        {
            let message = "pin holds it on its workload";
            return Err(No::new(Guard::TagNotInForce, message).advise(unpin()));
        }
        let tag = known
            .and_then(|known| known.tag_value.as_deref())
            .filter(|path| values.text(path).is_some());
        if image.source == TagSource::Env {
            if image.digest.carried.is_some() {
                return no(
                    "the environment names its content by digest, which goes before its tag",
                );
            }
            if tag.is_none() || !self.carries_tag(known, image) {
                return no("this chart version does not name its tag in the environment");
            }
        } else if set.is_empty() && image.digest.pinned.is_some() {
            return no("the chart itself names its content by digest, and has no value for that");
        }
        Ok(Choice {
            tag,
            digests: set.into_iter().map(|(path, _)| path.to_owned()).collect(),
        })
    }

    /// True if an environment names the tag of an image that it carries.
    fn carries_tag(&self, known: Option<&ProfileImage>, image: &ImageReport) -> bool {
        let Some(pattern) = known.and_then(|known| known.carried.as_ref()) else {
            return false;
        };
        containers(image).into_iter().any(|used| {
            let container = self
                .ground
                .live(&used.workload)
                .and_then(|live| live.workload.container(&used.container));
            container
                .and_then(|container| container.carries.get(&pattern.variables))
                .is_some_and(|parts| parts.tag.is_some())
        })
    }
}

/// Refused unless the tag is newer for sure: the same variant, and a later version.
pub(super) fn newer(image: &ImageReport, tag: &Tag) -> Result<(), No> {
    let current = image.tag.as_deref().unwrap_or_default();
    if current == tag.as_str() {
        return Ok(());
    }
    let no = |message: String| {
        let way_out = "--allow-downgrade moves it all the same";
        Err(No::new(Guard::Downgrade, message).advise(way_out))
    };
    let present = Tag::parse(current)
        .ok()
        .and_then(|present| VersionTag::parse(&present));
    let Some(present) = present else {
        return no(format!(
            "whether {tag} is newer cannot be told, since {} is no version",
            if current.is_empty() {
                "what runs"
            } else {
                current
            }
        ));
    };
    let Some(wished) = VersionTag::parse(tag) else {
        return no(format!(
            "whether {tag} is newer cannot be told, since it is no version"
        ));
    };
    match present.compare(&wished) {
        Some(Ordering::Less | Ordering::Equal) => Ok(()),
        Some(Ordering::Greater) => no(format!("{tag} is older than {current}")),
        None => no(format!(
            "whether {tag} is newer than {current} cannot be told: they are of different variants, or not equally exact"
        )),
    }
}
