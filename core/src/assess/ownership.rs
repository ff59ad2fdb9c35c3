//! Who looks after a release: what is changed past Argo CD, Flux or Terraform is changed back, or makes their next run fail (DESIGN §1.6).

use super::Case;
use crate::finding::{Code, Finding, Subject};
use crate::ownership::ManagedBy;
use crate::release::Release;
use crate::workload::WorkloadId;

/// The tool that the marks on the release's workloads speak of, the main one's first; of those that were not read there is nothing to go by.
pub(super) fn judge(case: &Case<'_>, release: &Release) -> Option<(ManagedBy, Finding)> {
    let pattern = &case.profile.main_workload;
    let mut workloads: Vec<&WorkloadId> = release.workloads.iter().map(|one| &one.id).collect();
    workloads.sort_by_key(|id| !pattern.matches(id, &release.head.id.name));
    let (id, owner) = workloads.into_iter().find_map(|id| {
        let mut live = case.snapshot.live.iter();
        let live = live.find(|live| live.workload.id == *id)?;
        Some((id, live.marks.owner()?))
    })?;
    let named = owner
        .name
        .as_ref()
        .map_or_else(String::new, |name| format!(" as {name}"));
    let subject = Subject {
        workload: Some(id.clone()),
        ..case.subject()
    };
    let message = format!(
        "{} looks after this release{named}: change it there, or the change will be undone",
        owner.tool
    );
    let finding = Finding::new(Code::ManagedElsewhere, subject, message)
        .because([format!("{} on {}", owner.mark, id)]);
    Some((owner, finding))
}
