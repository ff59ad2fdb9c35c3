//! Images that an environment carries for others to run (DESIGN §6 "Env-carried images"): what is in force there against what its tag points to.

use std::collections::BTreeSet;

use super::documents_of;
use super::wanted::Wanted;
use crate::assess::{Case, Question, unknown};
use crate::finding::{Code, Finding, Subject};
use crate::image::{CarriedImage, Digest, ImageRef, Repository, RunningImage, RunningKind, Tag};
use crate::manifest::{ContentVerdict, Need, Verdict, compare};
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
        let is_judged = self.digest.is_some() && self.mover != Mover::Nobody;
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

/// The manifests that they need next.
pub(super) fn wanted_manifests(snapshot: &Snapshot, profile: &Profile) -> Vec<Wanted> {
    snapshot
        .known_releases()
        .flat_map(|release| all(snapshot, profile, release))
        .filter_map(|carried| match carried.compare(snapshot)? {
            Verdict::Needs(Need::Manifest(digest)) => Some(Wanted {
                repository: carried.repository,
                digest,
            }),
            Verdict::Decided(_) => None,
        })
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
    } else if pattern.is_refreshed(release.chart.version.as_ref()) && !pinned_by_user && !opted_out
    {
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
        findings.extend(found(case, &carried, &report));
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
    let is_optional = carried.digest.is_none() || carried.mover == Mover::Nobody;
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
        (Some(_), Mover::Values) => vec![ImageFlag::Pinned],
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
            pinned: carried.digest.clone().filter(|_| !flags.is_empty()),
            carried: carried.digest.clone(),
            ..DigestReport::default()
        },
        flags,
        pods: 0,
        pods_behind: 0,
        unknown,
    }
}

fn found(case: &Case<'_>, carried: &Carried<'_>, report: &ImageReport) -> Vec<Finding> {
    let subject = || Subject {
        image: Some(carried.image.name.clone()),
        ..case.subject()
    };
    let name = carried.name();
    let workload = &carried.container.workload;
    let mut findings = Vec::new();
    match (report.state, carried.mover) {
        (ImageState::Behind, Mover::Refresh) => {
            let variable = format!("{}_IMAGE_DIGEST", carried.pattern.variables);
            let advice = report.digest.published.as_ref().map(|published| {
                let setting = format!("{variable}={published}");
                case.advisor
                    .set_environment(workload, &carried.container.container, &setting)
            });
            let facts = [
                ("published", &report.digest.published),
                ("carried", &carried.digest),
            ];
            findings.push(
                Finding::new(
                    Code::DigestBehind,
                    subject(),
                    format!("the environment of {workload} names old content of {name}"),
                )
                .advise(advice.into_iter().collect())
                .because(facts.into_iter().filter_map(|(what, digest)| {
                    Some(format!("{what}: {}", digest.as_ref()?))
                })),
            );
            if report.digest.recorded.is_some() && report.digest.recorded == report.digest.published
            {
                findings.push(Finding::new(
                    Code::RecordLies,
                    subject(),
                    format!("the annotation says that {name} was refreshed to what is published, but the environment of {workload} names other content: the chart's own refresh will not act"),
                ));
            }
        }
        (ImageState::Behind, Mover::Values) => findings.push(Finding::new(
            Code::DigestPinned,
            subject(),
            format!(
                "{name} is pinned{} in the environment of {workload}, and its tag has moved on",
                carried
                    .digest
                    .as_ref()
                    .map_or_else(String::new, |digest| format!(" to {}", digest.short()))
            ),
        )),
        (ImageState::Unknown, _) => findings.push(Finding::new(
            Code::DigestUnknown,
            subject(),
            format!(
                "whether the environment of {workload} names the published content of {name} is unknown: {}",
                report
                    .unknown
                    .as_ref()
                    .map_or("no reason given", |reason| reason.message.as_str())
            ),
        )),
        // What is held is told by what holds it.
        (ImageState::Behind, Mover::Nobody)
        | (ImageState::Current | ImageState::Rolling | ImageState::Idle, _) => {}
    }
    findings
}

#[cfg(test)]
mod tests;
