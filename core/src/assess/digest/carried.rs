//! Images that an environment carries for others to run (DESIGN §6 "Env-carried images"): what is in force there against what its tag points to.

mod found;

use std::collections::BTreeSet;

use super::wanted::Wanted;
use super::{MAYBE_PINNED, documents_of, platform};
use crate::assess::{Case, Question, unknown};
use crate::finding::Finding;
use crate::image::{CarriedImage, Digest, ImageRef, Repository, RunningImage, RunningKind, Tag};
use crate::manifest::{ContentVerdict, Need, Platform, Verdict, compare};
use crate::profile::{CarriedPattern, Kinship, Profile, ProfileImage};
use crate::release::{Origin, Release};
use crate::report::{
    ContainerId, DigestReport, ImageFlag, ImageReport, ImageState, Reference, TagSource,
    UnknownReason,
};
use crate::snapshot::{Evidence, GapReason, Snapshot};

/// What moves the digest that an environment carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mover {
    /// The chart's own refresh.
    Refresh,
    /// The release's values, or the chart with its versions.
    Values,
    /// Nothing: the chart holds it behind its tag on purpose.
    Nobody,
    /// One of those, and it is not known which: the release's record may not be read.
    Unknown,
    /// The values or the chart, which may hold it on purpose: the release's record may not be read.
    ValuesOrNobody,
}

/// An image in an environment.
struct Carried<'facts> {
    image: &'facts ProfileImage,
    pattern: &'facts CarriedPattern,
    container: ContainerId,
    repository: Repository,
    tag: Option<ImageRef>,
    digest: Option<Digest>,
    mover: Mover,
}

impl Carried<'_> {
    /// The tag whose digest a judgement needs. What floats is resolved anew at each start, and what is held is not to be moved: these are asked about
    /// only with [`Question::all_images`].
    fn wanted(&self, question: &Question) -> Option<&ImageRef> {
        let is_judged = match self.mover {
            Mover::Refresh | Mover::Values => self.digest.is_some(),
            Mover::Nobody | Mover::Unknown | Mover::ValuesOrNobody => false,
        };
        self.tag
            .as_ref()
            .filter(|_| is_judged || question.all_images)
    }

    /// How what is carried relates to what is published; `None` where one of them is not known.
    fn compare(&self, snapshot: &Snapshot) -> Option<Verdict> {
        let tag = self.tag.as_ref()?;
        let published = snapshot.published.get(tag)?.known()?;
        let carried = RunningImage {
            digest: self.digest.clone()?,
            kind: RunningKind::Repository,
        };
        let documents = documents_of(snapshot, &self.repository);
        Some(compare(published, &carried, None, documents))
    }

    /// The index to be read for its platforms.
    fn wanted_index(&self, snapshot: &Snapshot) -> Option<Digest> {
        let digest = self.digest.clone()?;
        let is_read = documents_of(snapshot, &self.repository).contains_key(&digest);
        (!is_read && !other_platforms(snapshot).is_empty()).then_some(digest)
    }

    /// The platforms of nodes that the carried index has nothing for; none where it is no index, or was not read.
    fn unserved<'facts>(&self, snapshot: &'facts Snapshot) -> Vec<&'facts Platform> {
        let offered = self
            .digest
            .as_ref()
            .and_then(|digest| platform::of_index(snapshot, &self.repository, digest));
        let Some(offered) = offered else {
            return Vec::new();
        };
        other_platforms(snapshot)
            .into_iter()
            .filter(|node| !offered.iter().any(|offer| offer.serves(node)))
            .collect()
    }

    /// As users write it.
    fn spec(&self) -> String {
        ImageRef::new(
            self.repository.clone(),
            self.tag.as_ref().and_then(ImageRef::tag).cloned(),
            self.digest.clone(),
        )
        .familiar()
    }

    /// Its name with the tag.
    fn name(&self) -> String {
        match self.tag.as_ref().and_then(ImageRef::tag) {
            Some(tag) => format!("{}:{tag}", self.image.name),
            None => self.image.name.clone(),
        }
    }
}

/// The tags that judgements of these images need.
pub(super) fn wanted_tags(
    snapshot: &Snapshot,
    profile: &Profile,
    question: &Question,
) -> BTreeSet<ImageRef> {
    snapshot
        .known_releases()
        .flat_map(|release| all(snapshot, profile, release))
        .filter_map(|carried| carried.wanted(question).cloned())
        .collect()
}

/// The repositories of a release's images of this kind, by the names of the images.
pub(super) fn repositories(
    snapshot: &Snapshot,
    profile: &Profile,
    release: &Release,
) -> Vec<(String, Repository)> {
    all(snapshot, profile, release)
        .into_iter()
        .map(|carried| (carried.image.name.clone(), carried.repository))
        .collect()
}

/// The manifests that they need next.
pub(super) fn wanted_manifests(snapshot: &Snapshot, profile: &Profile) -> Vec<Wanted> {
    snapshot
        .known_releases()
        .flat_map(|release| all(snapshot, profile, release))
        .filter_map(|carried| {
            let digest = match carried.compare(snapshot) {
                Some(Verdict::Needs(Need::Manifest(digest))) => digest,
                Some(Verdict::Decided(_)) | None => carried.wanted_index(snapshot)?,
            };
            Some(Wanted {
                repository: carried.repository,
                digest,
            })
        })
        .collect()
}

/// The platforms of nodes beside the one that every image is built for: only with such nodes is it worth a question whether a digest is for them.
fn other_platforms(snapshot: &Snapshot) -> BTreeSet<&Platform> {
    let usual = Platform::new("linux", "amd64", None);
    snapshot
        .nodes
        .values()
        .filter(|platform| **platform != usual)
        .collect()
}

/// The images that the environments of a release's containers carry.
fn all<'facts>(
    snapshot: &'facts Snapshot,
    profile: &'facts Profile,
    release: &'facts Release,
) -> Vec<Carried<'facts>> {
    if profile.kinship(release) != Kinship::Ours {
        return Vec::new();
    }
    profile
        .images
        .iter()
        .filter_map(|image| Some((image, image.carried.as_ref()?)))
        .filter_map(|(image, pattern)| one(snapshot, profile, release, image, pattern))
        .collect()
}

fn one<'facts>(
    snapshot: &Snapshot,
    profile: &Profile,
    release: &Release,
    image: &'facts ProfileImage,
    pattern: &'facts CarriedPattern,
) -> Option<Carried<'facts>> {
    let name = &release.head.id.name;
    let (workload, stored) = release.workloads.iter().find_map(|workload| {
        let container = workload.containers.iter().find(|container| {
            pattern
                .container
                .matches(name, &workload.id, &container.name)
        })?;
        Some((workload, container))
    })?;
    // What the cluster has goes before what Helm wrote: the chart's refresh changes it there.
    let live = match snapshot.live_workload(&workload.id) {
        Evidence::Known(live) => live.and_then(|live| live.workload.container(&stored.name)),
        Evidence::Unknown(_) => None,
    };
    let parts: &CarriedImage = live.unwrap_or(stored).carries.get(&pattern.variables)?;
    let repository = match &parts.repository {
        Some(repository) => repository.clone(),
        None => Repository::parse(&pattern.repository).ok()?,
    };
    let by_value = || {
        let (text, _) = release.values.text(image.tag_value.as_deref()?)?;
        Tag::parse(&text).ok()
    };
    let tag = parts.tag.clone().or_else(by_value);
    Some(Carried {
        image,
        pattern,
        container: ContainerId {
            workload: workload.id.clone(),
            container: stored.name.clone(),
        },
        tag: tag.map(|tag| ImageRef::new(repository.clone(), Some(tag), None)),
        repository,
        digest: parts.digest.clone(),
        mover: mover(profile, release, image, pattern),
    })
}

fn mover(
    profile: &Profile,
    release: &Release,
    image: &ProfileImage,
    pattern: &CarriedPattern,
) -> Mover {
    let is_refreshed = pattern.is_refreshed(release.chart.version.as_ref());
    if release.is_by_labels() {
        return if is_refreshed {
            Mover::Unknown
        } else {
            Mover::ValuesOrNobody
        };
    }
    let pinned_by_user = image.digest_value.as_ref().is_some_and(|path| {
        release
            .values
            .text(path)
            .is_some_and(|(text, origin)| origin == Origin::User && !text.is_empty())
    });
    let opted_out = profile
        .opt_outs
        .iter()
        .any(|opt_out| opt_out.image == image.name && opt_out.is_in_force(release));
    if profile.held.image == image.name && profile.holds(release) {
        Mover::Nobody
    } else if is_refreshed && !pinned_by_user && !opted_out {
        Mover::Refresh
    } else {
        Mover::Values
    }
}

/// Judges the images that a release's environments carry.
pub(super) fn judge(case: &Case<'_>, release: &Release) -> (Vec<ImageReport>, Vec<Finding>) {
    let mut reports = Vec::new();
    let mut findings = Vec::new();
    for carried in all(case.snapshot, case.profile, release) {
        let (state, reason) = state(case.snapshot, &carried);
        let report = report(case, release, &carried, state, reason);
        findings.extend(found::found(case, release, &carried, &report));
        reports.push(report);
    }
    (reports, findings)
}

fn state(snapshot: &Snapshot, carried: &Carried<'_>) -> (ImageState, Option<UnknownReason>) {
    let asked = carried
        .tag
        .as_ref()
        .and_then(|tag| snapshot.published.get(tag));
    let gap = asked.and_then(Evidence::gap).map(unknown);
    if carried.mover == Mover::Unknown && carried.digest.is_some() {
        let unread = UnknownReason {
            reason: GapReason::Forbidden,
            message: MAYBE_PINNED.to_owned(),
        };
        return (ImageState::Unknown, Some(unread));
    }
    let is_optional =
        carried.digest.is_none() || matches!(carried.mover, Mover::Nobody | Mover::ValuesOrNobody);
    let failed = |message: String| UnknownReason {
        reason: GapReason::Failed,
        message,
    };
    match (carried.compare(snapshot), gap) {
        (Some(Verdict::Decided(ContentVerdict::Current(_))), _) => (ImageState::Current, None),
        (Some(Verdict::Decided(ContentVerdict::Different)), _) => (ImageState::Behind, None),
        (Some(Verdict::Decided(ContentVerdict::Unknown(reason))), _) => {
            (ImageState::Unknown, Some(failed(reason.to_string())))
        }
        (Some(Verdict::Needs(Need::Manifest(digest))), _) => {
            let message = format!("the manifest `{digest}` was not fetched in time");
            (ImageState::Unknown, Some(failed(message)))
        }
        (None, Some(gap)) if !is_optional => (ImageState::Unknown, Some(gap)),
        (None, gap) => (ImageState::Idle, gap),
    }
}

fn report(
    case: &Case<'_>,
    release: &Release,
    carried: &Carried<'_>,
    state: ImageState,
    unknown: Option<UnknownReason>,
) -> ImageReport {
    let published = carried
        .tag
        .as_ref()
        .and_then(|tag| case.snapshot.published.get(tag)?.known().cloned());
    let flags = match (&carried.digest, carried.mover) {
        (Some(_), Mover::Values | Mover::ValuesOrNobody) => vec![ImageFlag::Pinned],
        (Some(_), Mover::Unknown) => vec![ImageFlag::MaybePinned],
        (Some(_), Mover::Nobody) => vec![ImageFlag::Pinned, ImageFlag::Held],
        (Some(_), Mover::Refresh) | (None, _) => Vec::new(),
    };
    // Later versions leave the annotation as it was, and it says nothing any more.
    let is_recorded = carried.pattern.is_refreshed(release.chart.version.as_ref());
    let record = carried.image.record.as_ref().filter(|_| is_recorded);
    ImageReport {
        name: carried.image.name.clone(),
        repository: carried.repository.familiar(),
        tag: carried
            .tag
            .as_ref()
            .and_then(ImageRef::tag)
            .map(|tag| tag.as_str().to_owned()),
        source: TagSource::Env,
        version: None,
        state,
        references: vec![Reference {
            workload: carried.container.clone(),
            spec: carried.spec(),
        }],
        digest: DigestReport {
            observed_at: published.is_some().then_some(case.snapshot.observed_at),
            published,
            recorded: record
                .and_then(|key| super::usage::recorded(case.snapshot, case.profile, release, key)),
            pinned: carried
                .digest
                .clone()
                .filter(|_| flags.contains(&ImageFlag::Pinned)),
            carried: carried.digest.clone(),
            ..DigestReport::default()
        },
        flags,
        pods: 0,
        pods_behind: 0,
        unknown,
    }
}

#[cfg(test)]
mod tests;
