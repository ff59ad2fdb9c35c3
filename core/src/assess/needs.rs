//! The API that a workload of the chart cannot do without (DOMAIN §11, §13).

use super::{Case, release};
use crate::finding::{Code, Finding, Subject};
use crate::profile::{Kinship, Profile};
use crate::release::Release;
use crate::snapshot::{Evidence, Snapshot};
use crate::workload::WorkloadId;

/// True if a release has the workload that needs the API.
pub fn needs_api(snapshot: &Snapshot, profile: &Profile) -> bool {
    snapshot.releases.iter().any(|observed| {
        observed.current().known().is_some_and(|current| {
            !release::is_gone(observed.newest.status) && reader(profile, current).is_some()
        })
    })
}

/// The workload that needs it.
fn reader<'facts>(profile: &Profile, release: &'facts Release) -> Option<&'facts WorkloadId> {
    if profile.kinship(release) != Kinship::Ours {
        return None;
    }
    release
        .workloads
        .iter()
        .find(|workload| {
            workload.containers.iter().any(|container| {
                profile
                    .image_of(&release.head.id.name, &workload.id, &container.name)
                    .is_some_and(|image| image.name == profile.needs.image)
            })
        })
        .map(|workload| &workload.id)
}

pub(super) fn judge(case: &Case<'_>, release: &Release) -> Option<Finding> {
    let needs = &case.profile.needs;
    let reader = reader(case.profile, release)?;
    let subject = Subject {
        workload: Some(reader.clone()),
        ..case.subject()
    };
    match case.snapshot.has_needed_api.as_ref()? {
        Evidence::Known(true) => None,
        Evidence::Known(false) => Some(
            Finding::new(
                Code::MetricsApiMissing,
                subject,
                format!(
                    "{reader} needs the API {}, which this cluster has not: {}",
                    needs.group, needs.without
                ),
            )
            .advise(vec![case.advisor.api_resources(&needs.group)])
            .because([format!("the API group {} is not served", needs.group)]),
        ),
        Evidence::Unknown(gap) => Some(Finding::new(
            Code::ClusterUnanswered,
            subject,
            format!("{}: {}", gap.asked, gap.message),
        )),
    }
}
