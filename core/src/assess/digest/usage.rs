//! Which images a release uses, and where: containers grouped by the reference that they are compared under.

use std::collections::BTreeMap;

use crate::image::{Digest, ImageRef, Tag};
use crate::profile::{Profile, ProfileImage};
use crate::release::{Origin, Release};
use crate::report::TagSource;
use crate::snapshot::{Evidence, Snapshot};
use crate::workload::{Container, LiveWorkload, PullPolicy, WorkloadId};

/// One image of a release.
pub(super) struct Image<'facts> {
    pub(super) name: String,
    /// True if the profile knows it.
    pub(super) known: bool,
    /// Registry and repository as users write them.
    pub(super) repository: String,
    /// The tag to compare under; `None` where only a digest is known.
    pub(super) tag: Option<ImageRef>,
    pub(super) source: TagSource,
    /// The value that chooses the tag, where the profile knows it.
    pub(super) tag_value: Option<&'facts str>,
    /// The digest that the stored manifest pins.
    pub(super) pinned: Option<Digest>,
    /// True if it is not known whether a value pins it.
    pub(super) unsure: bool,
    /// What the main workload's annotation says.
    pub(super) recorded: Option<Digest>,
    /// The text, where it is no image reference.
    pub(super) malformed: Option<&'facts str>,
    pub(super) usages: Vec<Usage<'facts>>,
}

/// One container that uses an image.
pub(super) struct Usage<'facts> {
    pub(super) workload: &'facts WorkloadId,
    pub(super) container: &'facts str,
    /// As the stored manifest declares it.
    pub(super) stored: &'facts Container,
    /// The workload as the cluster has it, where it could be read.
    pub(super) live: Option<&'facts LiveWorkload>,
    /// The container as the cluster has it.
    pub(super) live_container: Option<&'facts Container>,
}

/// What makes two containers use the same image.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    name: String,
    compared: Option<ImageRef>,
    pinned: Option<Digest>,
    unsure: bool,
    text: String,
}

/// The images of a release in order of their names.
pub(super) fn images<'facts>(
    snapshot: &'facts Snapshot,
    profile: &'facts Profile,
    release: &'facts Release,
) -> Vec<Image<'facts>> {
    let mut images: BTreeMap<Key, Image<'facts>> = BTreeMap::new();
    for workload in &release.workloads {
        let live = match snapshot.live_workload(&workload.id) {
            Evidence::Known(live) => live,
            Evidence::Unknown(_) => None,
        };
        for stored in &workload.containers {
            let known = profile.image_of(&release.head.id.name, &workload.id, &stored.name);
            let usage = Usage {
                workload: &workload.id,
                container: &stored.name,
                stored,
                live,
                live_container: live.and_then(|live| live.workload.container(&stored.name)),
            };
            let (key, image) = describe(snapshot, profile, release, known, &usage);
            images.entry(key).or_insert(image).usages.push(usage);
        }
    }
    images.into_values().collect()
}

fn describe<'facts>(
    snapshot: &Snapshot,
    profile: &Profile,
    release: &Release,
    known: Option<&'facts ProfileImage>,
    usage: &Usage<'facts>,
) -> (Key, Image<'facts>) {
    let reference = match &usage.stored.image {
        Ok(reference) => reference,
        Err(text) => return malformed(known, text),
    };
    let name = known.map_or_else(
        || reference.repository().short_name().to_owned(),
        |known| known.name.clone(),
    );
    let (tag, source) = compared_under(profile, release, known, reference, usage.live_container);
    let unsure = release.is_pin_unknown(usage.workload, usage.stored);
    let image = Image {
        name: name.clone(),
        known: known.is_some(),
        repository: reference.repository().familiar(),
        tag: tag.clone(),
        source,
        tag_value: known.and_then(|known| known.tag_value.as_deref()),
        pinned: reference.digest().cloned(),
        unsure,
        recorded: known
            .and_then(|known| known.record.as_ref())
            .and_then(|key| recorded(snapshot, profile, release, key)),
        malformed: None,
        usages: Vec::new(),
    };
    let key = Key {
        name,
        compared: tag,
        pinned: reference.digest().cloned(),
        unsure,
        text: reference.repository().to_string(),
    };
    (key, image)
}

fn malformed<'facts>(known: Option<&ProfileImage>, text: &'facts str) -> (Key, Image<'facts>) {
    let name = known.map_or_else(|| text.to_owned(), |known| known.name.clone());
    let key = Key {
        name: name.clone(),
        compared: None,
        pinned: None,
        unsure: false,
        text: text.to_owned(),
    };
    let image = Image {
        name,
        known: known.is_some(),
        repository: text.to_owned(),
        tag: None,
        source: TagSource::Value,
        tag_value: None,
        pinned: None,
        unsure: false,
        recorded: None,
        malformed: Some(text),
        usages: Vec::new(),
    };
    (key, image)
}

/// The tag that a container's content is compared under, and who chose it.
///
/// The stored manifest says it, because a refresh replaces the live `repository:tag` by `repository@digest` (DOMAIN §4). A live reference by
/// tag goes before it: that is what pods pull. A digest that the values pinned is compared under the tag that the values would give.
fn compared_under(
    profile: &Profile,
    release: &Release,
    known: Option<&ProfileImage>,
    stored: &ImageRef,
    live: Option<&Container>,
) -> (Option<ImageRef>, TagSource) {
    let by_value = |path: &str| {
        release
            .values
            .text(path)
            .filter(|(text, _)| !text.is_empty())
            .map_or(TagSource::Default, |(_, origin)| source(origin))
    };
    let (channel, channel_origin) = profile.channel(release);
    let channel = match release.rendered() {
        Some(rendered) => rendered.channel.clone(),
        None => Some(channel),
    };
    let chosen_by = match known {
        _ if release.is_by_labels() => TagSource::Unknown,
        Some(known) if known.follows_channel => source(channel_origin),
        Some(ProfileImage {
            tag_value: Some(path),
            ..
        }) => by_value(path),
        Some(_) | None => TagSource::Default,
    };
    let live_tag = live
        .and_then(|container| container.image.as_ref().ok())
        .filter(|image| image.digest().is_none())
        .and_then(|image| Some(image.with_tag(image.effective_tag()?)));
    if let (Some(live_tag), None) = (live_tag, stored.digest()) {
        return (Some(live_tag), chosen_by);
    }
    if let Some(tag) = stored.effective_tag() {
        return (Some(stored.with_tag(tag)), chosen_by);
    }
    let tag = match known {
        Some(known) if known.follows_channel => channel,
        Some(ProfileImage {
            tag_value: Some(path),
            ..
        }) => release
            .values
            .text(path)
            .map(|(text, _)| text)
            .filter(|text| !text.is_empty()),
        Some(_) | None => None,
    };
    let tag = tag.and_then(|tag| Tag::parse(&tag).ok());
    (tag.map(|tag| stored.with_tag(tag)), chosen_by)
}

fn source(origin: Origin) -> TagSource {
    match origin {
        Origin::User => TagSource::Value,
        Origin::Chart => TagSource::Default,
    }
}

/// The digest that an annotation of the main workload records.
pub(super) fn recorded(
    snapshot: &Snapshot,
    profile: &Profile,
    release: &Release,
    key: &str,
) -> Option<Digest> {
    let main = release.workloads.iter().find(|workload| {
        profile
            .main_workload
            .matches(&workload.id, &release.head.id.name)
    })?;
    let Evidence::Known(Some(live)) = snapshot.live_workload(&main.id) else {
        return None;
    };
    Digest::parse(live.records.get(key)?.trim()).ok()
}

impl Usage<'_> {
    /// The pull policy in force: that of the live container, else of the stored one.
    pub(super) fn pull_policy(&self) -> PullPolicy {
        self.live_container
            .map_or(self.stored.pull_policy, |container| container.pull_policy)
    }

    /// True where a restart need not pull a tag that moved.
    pub(super) fn restarts_in_vain(&self) -> bool {
        let by_tag = self
            .live_container
            .unwrap_or(self.stored)
            .image
            .as_ref()
            .is_ok_and(|image| image.digest().is_none());
        by_tag && self.pull_policy() != PullPolicy::Always
    }

    /// The image as the cluster has it.
    pub(super) fn spec(&self) -> String {
        let container = self.live_container.unwrap_or(self.stored);
        match &container.image {
            Ok(image) => image.familiar(),
            Err(text) => text.clone(),
        }
    }
}
