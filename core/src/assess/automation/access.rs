//! Whether a job whose last run failed still has the rights that its release gave it (DOMAIN §13, 21).

use std::collections::BTreeSet;

use super::Present;
use crate::assess::{Case, Question};
use crate::profile::{Kinship, Profile};
use crate::release::{AccessId, Release};
use crate::snapshot::{Evidence, Snapshot};
use crate::workload::{WorkloadId, WorkloadKind};

/// The objects to look for: of each of the charts' own jobs whose last run failed, the bindings of its service account and their roles.
pub fn wanted_access(
    snapshot: &Snapshot,
    profile: &Profile,
    question: &Question,
) -> BTreeSet<AccessId> {
    let mut wanted = BTreeSet::new();
    if !question.automation {
        return wanted;
    }
    let automation = &profile.automation;
    for release in snapshot.known_releases() {
        if profile.kinship(release) != Kinship::Ours {
            continue;
        }
        for job in [&automation.auto_upgrade.job, &automation.image_refresh.job] {
            let head = &release.head.id;
            let id = WorkloadId {
                kind: WorkloadKind::CronJob,
                namespace: head.namespace.clone(),
                name: job.cron_job.replace("{release}", head.name.as_str()),
            };
            if has_failed(snapshot, &id) {
                wanted.extend(given(release, &id).cloned());
            }
        }
    }
    wanted
}

/// True if the last run that ended has failed.
fn has_failed(snapshot: &Snapshot, id: &WorkloadId) -> bool {
    let Evidence::Known(jobs) = snapshot.jobs_of(id) else {
        return false;
    };
    let ended = jobs.iter().filter(|job| job.end.is_some());
    let last = ended.max_by_key(|job| job.started);
    last.and_then(|job| job.end.as_ref())
        .is_some_and(|end| end.failure.is_some())
}

/// The bindings of a job's service account, which has the job's name, and their roles.
fn given<'release>(
    release: &'release Release,
    id: &WorkloadId,
) -> impl Iterator<Item = &'release AccessId> {
    let account = (id.namespace.clone(), id.name.clone());
    release
        .bindings
        .iter()
        .filter(move |binding| binding.accounts.contains(&account))
        .flat_map(|binding| [&binding.id, &binding.role])
}

/// What is missing, as the end of a sentence about the job, and the line that makes it anew.
pub(super) fn lost(
    case: &Case<'_>,
    release: &Release,
    present: &Present<'_>,
) -> Option<(String, Vec<String>)> {
    if !has_failed(case.snapshot, present.id) {
        return None;
    }
    let is_missing = |id: &&AccessId| {
        let mut observed = case.snapshot.access.iter();
        observed.any(|access| access.id == **id && access.there == Evidence::Known(false))
    };
    let missing: BTreeSet<&AccessId> = given(release, present.id).filter(is_missing).collect();
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let (last, rest) = names.split_last()?;
    let detail = if rest.is_empty() {
        format!("has lost its rights: {last} is not there")
    } else {
        format!(
            "has lost its rights: {} and {last} are not there",
            rest.join(", ")
        )
    };
    // As for a job that was deleted: what the present revision declares is made anew.
    let advice = case
        .advisor
        .rollback(&release.head.id, release.head.revision);
    Some((detail, vec![advice]))
}
