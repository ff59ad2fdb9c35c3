//! Image drift: a newer version tag than the one that pods run (DESIGN §2, §6).

use std::collections::BTreeSet;

use super::running_content;
use super::usage::{Image, images};
use crate::assess::{Case, Question, unknown};
use crate::finding::{Code, Finding, Severity, Subject};
use crate::image::{ImageRef, Repository, VersionTag};
use crate::profile::Profile;
use crate::release::Release;
use crate::report::{ImageState, ImageVersion, TagSource};
use crate::snapshot::{Evidence, Snapshot};
use crate::version::Change;

/// The repositories whose tags a judgement needs: those of images that run under a version tag, and with [`Question::all_images`] those of the others.
pub fn wanted_tag_lists(
    snapshot: &Snapshot,
    profile: &Profile,
    question: &Question,
) -> BTreeSet<Repository> {
    let mut repositories = BTreeSet::new();
    for release in snapshot.known_releases() {
        for image in images(snapshot, profile, release) {
            if let Some((tag, _)) = version_tag(&image)
                && (question.all_images || runs(snapshot, &image))
            {
                repositories.insert(tag.repository().clone());
            }
        }
    }
    repositories
}

/// The tag of an image, where it is a version.
fn version_tag<'image>(image: &'image Image<'_>) -> Option<(&'image ImageRef, VersionTag)> {
    let tag = image.tag.as_ref()?;
    Some((tag, VersionTag::parse(tag.tag()?)?))
}

fn runs(snapshot: &Snapshot, image: &Image<'_>) -> bool {
    image
        .usages
        .iter()
        .any(|usage| !running_content(snapshot, usage).is_empty())
}

/// The version of an image among those that are published; `None` where its tag is no version.
pub(super) fn judge(snapshot: &Snapshot, image: &Image<'_>) -> Option<ImageVersion> {
    let (tag, current) = version_tag(image)?;
    let mut version = ImageVersion {
        current: current.tag().as_str().to_owned(),
        latest: None,
        change: Change::None,
        unknown: None,
    };
    match snapshot.tags.get(tag.repository()) {
        Some(Evidence::Known(tags)) => {
            let newest = current.newest_of(tags);
            version.change = newest
                .as_ref()
                .map_or(Change::None, |newest| current.change_to(newest));
            let latest = newest.unwrap_or(current);
            version.latest = Some(latest.tag().as_str().to_owned());
        }
        Some(Evidence::Unknown(gap)) => version.unknown = Some(unknown(gap)),
        // Nothing runs, nothing is asked.
        None => {}
    }
    Some(version)
}

/// How an image stands where only its version is asked for.
pub(super) fn state(snapshot: &Snapshot, image: &Image<'_>, version: &ImageVersion) -> ImageState {
    if !runs(snapshot, image) {
        ImageState::Idle
    } else if version.change != Change::None {
        ImageState::Behind
    } else if version.latest.is_some() {
        ImageState::Current
    } else {
        ImageState::Unknown
    }
}

/// What is worth telling of a version.
pub(super) fn found(
    case: &Case<'_>,
    release: &Release,
    image: &Image<'_>,
    version: &ImageVersion,
) -> Option<Finding> {
    let subject = Subject {
        image: Some(image.name.clone()),
        ..case.subject()
    };
    let ImageVersion {
        current,
        latest,
        change,
        unknown,
    } = version;
    if let Some(reason) = unknown {
        let message = format!(
            "whether there is a newer version of {}:{current} is unknown: {}",
            image.name, reason.message
        );
        return Some(Finding::new(Code::ImageUnknown, subject, message));
    }
    let latest = latest.as_ref().filter(|_| *change != Change::None)?;
    let published = format!("{}:{current} is old: {latest} is published", image.name);
    let finding = match image.source {
        TagSource::Default | TagSource::Env => Finding::new(
            Code::ImageBehind,
            subject,
            format!("{published}; the chart chooses the tag, a newer chart may move it"),
        ),
        TagSource::Unknown => Finding::new(
            Code::ImageBehind,
            subject,
            format!(
                "{published}; who chooses the tag is not known, as the release's record may not be read"
            ),
        ),
        TagSource::Value => Finding {
            severity: Severity::Warning,
            ..Finding::new(
                Code::ImageBehind,
                subject,
                format!("{published}; the release's values choose the tag"),
            )
        }
        .advise(advice(case, release, image, latest)),
    };
    Some(finding.because([format!(
        "{} has the tag {latest} ({change})",
        image.repository
    )]))
}

/// The refresh that moves it to that tag, by the value that chooses it. While an operation holds the release Helm refuses it.
fn advice(case: &Case<'_>, release: &Release, image: &Image<'_>, latest: &str) -> Vec<String> {
    let id = &case.observed.newest.id;
    match (&release.chart.version, image.tag_value) {
        (Some(_), Some(_)) if !case.observed.newest.status.is_pending() => {
            let words = ["--image", image.name.as_str(), "--tag", latest];
            vec![case.advisor.refresh(id, &words)]
        }
        _ => Vec::new(),
    }
}
