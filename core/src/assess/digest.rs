//! Digest drift: what pods run against what their tags point to now (DESIGN §6 "Digest", FACTS 8.7); and newer version tags beside it.

mod advise;
mod cache;
mod carried;
mod findings;
mod further;
mod mirror;
mod platform;
mod report;
mod tally;
mod usage;
mod version;
mod wanted;

use super::{Case, unknown};
use crate::finding::Finding;
use crate::image::{Repository, RunningImage};
use crate::manifest::{Documents, Platform};
use crate::release::Release;
use crate::report::{ImageReport, ImageState, UnknownReason};
use crate::snapshot::{Evidence, GapReason, Snapshot};
use crate::workload::{Pod, Rollout};
pub use further::wanted_of_tags;
pub use mirror::wanted_sources;
pub(crate) use platform::of_index as platforms_of;
use tally::{Outcome, Tally};
use usage::{Image, Usage, images};
pub use version::wanted_tag_lists;
pub use wanted::{
    PullSecretId, Wanted, needs_platforms, wanted_manifests, wanted_pull_secrets, wanted_tags,
};

/// Why nothing is said of an image that a value may pin.
const MAYBE_PINNED: &str = "whether a value of the release pins it is not known, as the release's record may not be read and the chart's own refresh job does not tell";

/// What is known of a repository that nothing was asked of.
static NO_DOCUMENTS: Documents = Documents::new();

fn documents_of<'facts>(snapshot: &'facts Snapshot, repository: &Repository) -> &'facts Documents {
    snapshot.manifests.get(repository).unwrap_or(&NO_DOCUMENTS)
}

fn platform_of<'facts>(snapshot: &'facts Snapshot, pod: &Pod) -> Option<&'facts Platform> {
    snapshot.nodes.get(pod.node.as_ref()?)
}

/// The pods of a usage that have content, with it.
fn running_content<'facts>(
    snapshot: &'facts Snapshot,
    usage: &Usage<'_>,
) -> Vec<(&'facts Pod, &'facts RunningImage)> {
    let Evidence::Known(pods) = snapshot.pods_of(usage.workload) else {
        return Vec::new();
    };
    pods.into_iter()
        .filter_map(|pod| {
            let running = pod.containers.get(usage.container)?.running.as_ref()?;
            Some((pod, running))
        })
        .collect()
}

pub(super) fn judge(case: &Case<'_>, release: &Release) -> (Vec<ImageReport>, Vec<Finding>) {
    let mut reports = Vec::new();
    let mut found = Vec::new();
    for image in images(case.snapshot, case.profile, release) {
        let version = if case.question.image {
            version::judge(case.snapshot, &image)
        } else {
            None
        };
        let tally = Tally::take(case.snapshot, &image);
        let (state, reason) = match &version {
            _ if case.question.digest => state(case.snapshot, &image, &tally),
            Some(version) => (
                version::state(case.snapshot, &image, version),
                version.unknown.clone(),
            ),
            // Its tag is no version, so that there is nothing to say of it.
            None => continue,
        };
        let mut report = report::of(case.snapshot, &image, &tally, state, reason);
        if case.question.digest {
            found.extend(findings::found(case, release, &image, &tally, &report));
        }
        if let Some(version) = &version {
            found.extend(version::found(case, release, &image, version));
        }
        report.version = version;
        reports.push(report);
    }
    if case.question.digest {
        let (carried, of_carried) = carried::judge(case, release);
        reports.extend(carried);
        found.extend(of_carried);
        reports.sort_by(|one, other| one.name.cmp(&other.name));
    }
    (reports, found)
}

/// The image's state; for [`ImageState::Unknown`] with the reason.
fn state(
    snapshot: &Snapshot,
    image: &Image<'_>,
    tally: &Tally,
) -> (ImageState, Option<UnknownReason>) {
    let unknown_because =
        |reason, message: String| (ImageState::Unknown, Some(UnknownReason { reason, message }));
    if let Some(text) = image.malformed {
        return unknown_because(
            GapReason::Malformed,
            format!("`{text}` is not an image reference"),
        );
    }
    if image.unsure && !tally.pods.is_empty() {
        return unknown_because(GapReason::Forbidden, MAYBE_PINNED.to_owned());
    }
    if !tally.behind.is_empty() {
        let rolling = image.usages.iter().any(|usage| {
            usage
                .live
                .is_some_and(|live| live.rollout == Rollout::Progressing)
        });
        let state = if rolling {
            ImageState::Rolling
        } else {
            ImageState::Behind
        };
        return (state, None);
    }
    for usage in &image.usages {
        if let Evidence::Unknown(gap) = snapshot.pods_of(usage.workload) {
            return (ImageState::Unknown, Some(unknown(&gap)));
        }
    }
    if tally.pods.is_empty() {
        return match tally.waiting.iter().next() {
            // Asked for all the same with `--all-images`: then it is told why there is no answer.
            None => {
                let asked = image
                    .tag
                    .as_ref()
                    .and_then(|tag| snapshot.published.get(tag));
                (ImageState::Idle, asked.and_then(Evidence::gap).map(unknown))
            }
            Some((pod, reason)) => {
                let reason = reason
                    .as_ref()
                    .map_or_else(String::new, |reason| format!(" ({reason})"));
                // What the registry has not, no pod can pull.
                let missing = image
                    .tag
                    .as_ref()
                    .and_then(|tag| snapshot.published.get(tag)?.gap())
                    .filter(|gap| gap.reason == GapReason::NotFound)
                    .map_or_else(String::new, |gap| format!("; {}", gap.message));
                unknown_because(
                    GapReason::NotFound,
                    format!("no pod has content of it yet: {pod} waits{reason}{missing}"),
                )
            }
        };
    }
    let reasons = tally
        .contents
        .values()
        .find_map(|(outcome, _)| match outcome {
            Outcome::Unknown(reason) => Some(reason.clone()),
            Outcome::Current | Outcome::Different => None,
        });
    let asked = image
        .tag
        .as_ref()
        .and_then(|tag| snapshot.published.get(tag));
    match (reasons, asked) {
        (Some(_), Some(Evidence::Unknown(gap))) => (ImageState::Unknown, Some(unknown(gap))),
        (Some(reason), _) => unknown_because(GapReason::Failed, reason),
        (None, _) => (ImageState::Current, None),
    }
}
