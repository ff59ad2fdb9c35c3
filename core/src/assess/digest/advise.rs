//! What to type so that pods run what is published.

use std::collections::BTreeMap;

use super::platform;
use super::tally::{Outcome, Tally};
use super::usage::{Image, Usage};
use crate::assess::Case;
use crate::profile::Kinship;
use crate::release::Release;
use crate::report::{ImageFlag, ImageReport};
use crate::time::counted;
use crate::workload::{Rollout, WorkloadId};

/// The refresh, and what must be done before it: a paused Deployment replaces no pods.
pub(super) fn move_to_published(
    case: &Case<'_>,
    release: &Release,
    image: &Image<'_>,
    tally: &Tally,
    report: &ImageReport,
) -> Vec<String> {
    if report.digest.published.is_none() {
        return Vec::new();
    }
    // New pods would get from the cache what the old ones run.
    if report.flags.contains(&ImageFlag::CacheStale) {
        return Vec::new();
    }
    // New pods would wait for an image that there is not.
    if !platform::missing(case.snapshot, image).is_empty() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut rolls_out = false;
    for (workload, usages) in behind(image, tally) {
        if !workload.kind.rolls_out() {
            continue;
        }
        rolls_out = true;
        let paused = usages.iter().any(|usage| {
            usage
                .live
                .is_some_and(|live| live.rollout == Rollout::Paused)
        });
        if paused {
            lines.push(case.advisor.resume(workload));
        }
    }
    if rolls_out {
        lines.push(refresh(
            case,
            release,
            &report.name,
            report.digest.recorded.is_some(),
        ));
    }
    lines
}

/// The refresh that moves an image: by its name where the chart's own refresh does not follow it, and at once where it would only be recorded.
pub(super) fn refresh(
    case: &Case<'_>,
    release: &Release,
    image: &str,
    is_recorded: bool,
) -> String {
    let is_ours = case.profile.kinship(release) == Kinship::Ours;
    let known = case
        .profile
        .images
        .iter()
        .find(|known| is_ours && known.name == image);
    let mut words = Vec::new();
    if is_ours && known.is_none_or(|known| known.record.is_none()) {
        words.extend(["--image", image]);
    }
    let version = release.chart.version.as_ref();
    if !is_recorded && known.is_some_and(|known| known.is_recorded(version)) {
        words.push("--force");
    }
    case.advisor.refresh(&case.observed.newest.id, &words)
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

/// The facts behind a finding of drift.
pub(super) fn evidence(image: &Image<'_>, report: &ImageReport) -> Vec<String> {
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
