//! What to type so that pods run what is published.

use std::collections::BTreeMap;

use super::platform;
use super::tally::{Outcome, Tally};
use super::usage::{Image, Usage};
use crate::assess::Case;
use crate::image::Digest;
use crate::release::{ApplyMethod, Release};
use crate::report::{ImageFlag, ImageReport};
use crate::time::counted;
use crate::workload::{Rollout, WorkloadId};

/// One line per workload that runs old content: a restart where that pulls the tag anew, else the exact content (DESIGN §7).
pub(super) fn move_to_published(
    case: &Case<'_>,
    image: &Image<'_>,
    tally: &Tally,
    report: &ImageReport,
) -> Vec<String> {
    let Some(published) = &report.digest.published else {
        return Vec::new();
    };
    // New pods would get from the cache what the old ones run.
    if report.flags.contains(&ImageFlag::CacheStale) {
        return Vec::new();
    }
    // New pods would wait for an image that there is not.
    if !platform::missing(case.snapshot, image).is_empty() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for (workload, usages) in behind(image, tally) {
        if !workload.kind.rolls_out() {
            continue;
        }
        let paused = usages.iter().any(|usage| {
            usage
                .live
                .is_some_and(|live| live.rollout == Rollout::Paused)
        });
        if paused {
            lines.push(case.advisor.resume(workload));
        }
        if usages.iter().copied().any(needs_exact_content) {
            let images: Vec<(&str, String, &Digest)> = usages
                .iter()
                .map(|usage| (usage.container, image.repository.clone(), published))
                .collect();
            lines.push(case.advisor.set_image(workload, &images));
        } else {
            lines.push(case.advisor.restart(workload));
        }
    }
    lines
}

/// The usages of the image in each workload whose pods run old content.
fn behind<'a, 'facts>(
    image: &'a Image<'facts>,
    tally: &Tally,
) -> BTreeMap<&'facts WorkloadId, Vec<&'a Usage<'facts>>> {
    let mut workloads: BTreeMap<&WorkloadId, Vec<&Usage<'_>>> = BTreeMap::new();
    for usage in &image.usages {
        let runs_old = tally.contents.iter().any(|((workload, ..), (outcome, _))| {
            workload == usage.workload && *outcome == Outcome::Different
        });
        if runs_old {
            workloads.entry(usage.workload).or_default().push(usage);
        }
    }
    workloads
}

/// True where a restart would start the same content: the spec names a digest, or the node may keep what it has.
fn needs_exact_content(usage: &Usage<'_>) -> bool {
    let container = usage.live_container.unwrap_or(usage.stored);
    let by_digest = container
        .image
        .as_ref()
        .is_ok_and(|image| image.digest().is_some());
    by_digest || usage.restarts_in_vain()
}

/// The facts behind a finding of drift.
pub(super) fn evidence(release: &Release, image: &Image<'_>, report: &ImageReport) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(published) = &report.digest.published {
        facts.push(format!("published: {published}"));
    }
    for running in &report.digest.running {
        facts.push(format!(
            "running in {}: {} ({})",
            running.workload,
            running.digest,
            counted(u64::from(running.pods), "pod")
        ));
    }
    if image.usages.iter().any(Usage::restarts_in_vain) {
        facts.push(
            "the pull policy is not Always: a restart may start the old content again".to_owned(),
        );
    }
    if release.apply_method == ApplyMethod::ServerSide
        && image.usages.iter().any(needs_exact_content)
    {
        facts.push(
            "the release is applied server-side: after `kubectl set image` the next helm upgrade needs --force-conflicts".to_owned(),
        );
    }
    facts
}

/// The pods of the workloads that have not started.
pub(super) fn look_at_pods(case: &Case<'_>, image: &Image<'_>, tally: &Tally) -> Vec<String> {
    if tally.waiting.is_empty() {
        return Vec::new();
    }
    image
        .usages
        .first()
        .map(|usage| case.advisor.pods(&usage.workload.namespace))
        .into_iter()
        .collect()
}
