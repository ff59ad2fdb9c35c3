//! An image that is tagged by version is moved to another tag: what other tools do by policies that rewrite tags, but never to an older one unasked, and
//! only to one that the registry has (PEERS 3.4).

mod choice;

use std::collections::{BTreeMap, BTreeSet};

use super::judge::{Judged, Way, containers, refuse};
use super::{Facts, No, users};
use crate::assess;
use crate::change::ContainerChange;
use crate::image::{Digest, ImageRef, Tag};
use crate::plan::{Decision, Guard, Setting};
use crate::profile::ProfileImage;
use crate::report::{ContainerId, DigestKind, ImageReport, TagSource};
use crate::snapshot::Evidence;
use crate::workload::WorkloadId;

use choice::{Choice, newer};

impl<'facts> Facts<'facts> {
    pub(super) fn judge_tag(
        &self,
        tag: &Tag,
        allow_downgrade: bool,
        known: Option<&'facts ProfileImage>,
        judged: &mut Judged<'_>,
    ) -> (Decision, String) {
        match self.to_tag(tag, allow_downgrade, known, judged) {
            Ok(decided) => decided,
            Err(no) => refuse(judged, no),
        }
    }

    fn to_tag(
        &self,
        tag: &Tag,
        allow_downgrade: bool,
        known: Option<&'facts ProfileImage>,
        judged: &mut Judged<'_>,
    ) -> Result<(Decision, String), No> {
        let image = judged.image;
        let choice = self.choice(known, image)?;
        if choice.tag.is_none() {
            self.would_last(known, image)?;
        }
        let wanted = self.published(image, tag)?;
        judged.plan.published = Some(wanted.clone());
        if self.is_under(tag, &choice, image) {
            return Ok((
                Decision::Current,
                "it is under that tag already; without --tag what moved under it is pulled"
                    .to_owned(),
            ));
        }
        if !allow_downgrade {
            newer(image, tag)?;
        }
        self.served(image, &wanted)?;
        let Some(path) = choice.tag else {
            judged.way = Way::Live;
            judged.changes = self.tag_changes(image, |used, from| {
                Some(retagged(
                    image,
                    used,
                    from,
                    &from.with_tag(tag.clone()),
                    &wanted,
                ))
            });
            return Ok((
                Decision::Move,
                format!(
                    "to {tag}: the chart has no value for its tag, so that the workload itself is changed"
                ),
            ));
        };
        let pins = choice.digests.iter();
        judged.settings = pins
            .map(|path| (path.clone(), Some(Setting::Digest(wanted.clone()))))
            .chain([(path.to_owned(), Some(Setting::Tag(tag.clone())))])
            .collect();
        judged.way = Way::Values;
        judged.changes = if image.source == TagSource::Env {
            self.carried_tag(image, tag, &wanted)
        } else {
            let is_pinned = !choice.digests.is_empty();
            self.tag_changes(image, |used, from| {
                let base = self.ground.rendered(used).unwrap_or(from);
                let to = if is_pinned {
                    base.with_digest(wanted.clone())
                } else {
                    base.with_tag(tag.clone())
                };
                Some(retagged(image, used, from, &to, &wanted))
            })
        };
        let paths: Vec<&str> = judged.settings.keys().map(String::as_str).collect();
        Ok((
            Decision::Move,
            format!("to {tag} by {}", paths.join(" and ")),
        ))
    }

    /// Refused where a change of the workloads alone would not last.
    fn would_last(&self, known: Option<&ProfileImage>, image: &ImageReport) -> Result<(), No> {
        if let Some(job) = self.would_be_moved_by(known) {
            let channel = &self.ground.profile.values.channel;
            let reason = format!(
                "its tag is the channel that {channel} names, and {job} would bring it back to that at its next run"
            );
            return Err(No::new(Guard::RefreshActive, reason).advise_all(self.stop_refresh()));
        }
        if users(image).is_empty() {
            let reason =
                "the chart has no value for its tag, and what runs it is made anew each time";
            return Err(No::new(Guard::TagNotInForce, reason).advise(self.status()));
        }
        Ok(())
    }

    /// True if the values say that tag, and the workloads have it.
    fn is_under(&self, tag: &Tag, choice: &Choice<'_>, image: &ImageReport) -> bool {
        let is_said = choice.tag.is_none_or(|path| {
            let text = self.ground.release.values.text(path);
            text.is_some_and(|(text, _)| text == tag.as_str())
        });
        is_said && image.tag.as_deref() == Some(tag.as_str())
    }

    /// What the registry has under the tag.
    fn published(&self, image: &ImageReport, tag: &Tag) -> Result<Digest, No> {
        let name = format!("{}:{tag}", image.repository);
        let newer = || {
            let id = &self.ground.observed.newest.id;
            self.ground.advisor.newer_tags(id)
        };
        let no = |reason: String| No::new(Guard::TagUnavailable, reason).advise(newer());
        let reference = ImageRef::parse(&name).map_err(|error| no(format!("{name}: {error}")))?;
        let snapshot = self.ground.snapshot;
        let published = match snapshot.published.get(&reference) {
            Some(Evidence::Known(published)) => published,
            Some(Evidence::Unknown(gap)) => return Err(no(gap.message.clone())),
            None => return Err(no(format!("nobody was asked for {name}"))),
        };
        let cached = snapshot.cached.get(&reference);
        if let Some(cached) = cached.and_then(|cached| cached.digest.known())
            && cached != published
        {
            let message =
                format!("{name}: the cache that nodes pull through serves other content under it");
            return Err(No::new(Guard::CacheStale, message));
        }
        Ok(published.clone())
    }

    /// Refused where the nodes that run the image have a platform that the tag is not for.
    fn served(&self, image: &ImageReport, wanted: &Digest) -> Result<(), No> {
        let snapshot = self.ground.snapshot;
        let repository = ImageRef::parse(&image.repository);
        let offered = repository
            .ok()
            .and_then(|reference| assess::platforms_of(snapshot, reference.repository(), wanted));
        let Some(offered) = offered else {
            return Ok(());
        };
        for id in users(image) {
            let Evidence::Known(pods) = snapshot.pods_of(id) else {
                continue;
            };
            let nodes: BTreeSet<&String> =
                pods.iter().filter_map(|pod| pod.node.as_ref()).collect();
            for node in nodes {
                let platform = snapshot.nodes.get(node);
                if let Some(platform) = platform
                    && !offered.iter().any(|offer| offer.serves(platform))
                {
                    let message =
                        format!("the tag has no image for {platform}, which node {node} needs");
                    let nodes = self.ground.advisor.nodes();
                    return Err(No::new(Guard::PlatformMissing, message).advise(nodes));
                }
            }
        }
        Ok(())
    }

    /// One change for each container that runs the image.
    fn tag_changes(
        &self,
        image: &ImageReport,
        change: impl Fn(&ContainerId, &'facts ImageRef) -> Option<ContainerChange>,
    ) -> BTreeMap<WorkloadId, Vec<ContainerChange>> {
        let mut changes: BTreeMap<WorkloadId, Vec<ContainerChange>> = BTreeMap::new();
        for used in containers(image) {
            let from = self.ground.live_image(used);
            if let Some(change) = from.and_then(|from| change(used, from)) {
                changes
                    .entry(used.workload.clone())
                    .or_default()
                    .push(change);
            }
        }
        changes
    }

    fn carried_tag(
        &self,
        image: &ImageReport,
        tag: &Tag,
        wanted: &Digest,
    ) -> BTreeMap<WorkloadId, Vec<ContainerChange>> {
        let pattern = self
            .ground
            .known(image)
            .and_then(|known| known.carried.as_ref());
        let mut changes: BTreeMap<WorkloadId, Vec<ContainerChange>> = BTreeMap::new();
        for used in containers(image) {
            let change = ContainerChange {
                container: used.container.clone(),
                image: image.name.clone(),
                variable: pattern.map(|pattern| format!("{}_IMAGE_TAG", pattern.variables)),
                from: image.tag.clone().unwrap_or_default(),
                to: tag.to_string(),
                former: None,
                wanted: wanted.clone(),
            };
            changes
                .entry(used.workload.clone())
                .or_default()
                .push(change);
        }
        changes
    }

    /// What should be known before an image is moved to another tag.
    pub(super) fn tag_warnings(&self, judged: &Judged<'_>) -> Vec<String> {
        let name = &judged.plan.name;
        let mut warnings = Vec::new();
        if matches!(judged.way, Way::Live) {
            warnings.push(format!(
                "{name}: the next Helm upgrade sets the tag again that the chart renders"
            ));
        }
        for id in judged.changes.keys() {
            let stored = self.ground.release.workloads.iter();
            let claims: Vec<&str> = stored
                .filter(|workload| workload.id == *id)
                .flat_map(|workload| &workload.shape.claims)
                .map(String::as_str)
                .collect();
            if !claims.is_empty() {
                warnings.push(format!(
                    "{id} keeps data in {}: what a later version writes there an earlier one may not read, so that going back may not help",
                    claims.join(", ")
                ));
            }
        }
        warnings
    }
}

fn retagged(
    image: &ImageReport,
    used: &ContainerId,
    from: &ImageRef,
    to: &ImageRef,
    wanted: &Digest,
) -> ContainerChange {
    ContainerChange {
        container: used.container.clone(),
        image: image.name.clone(),
        variable: None,
        from: from.to_string(),
        to: to.to_string(),
        former: image
            .digest
            .running
            .iter()
            .filter(|running| running.workload == used.workload)
            .filter(|running| running.kind != DigestKind::Config)
            .max_by_key(|running| running.pods)
            .map(|running| running.digest.clone()),
        wanted: wanted.clone(),
    }
}

#[cfg(test)]
mod tests;
