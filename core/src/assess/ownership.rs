//! Who looks after a release: what is changed past Argo CD, Flux or Terraform is changed back, or makes their next run fail (DESIGN §1.6).

use super::Case;
use crate::finding::{Code, Finding, Subject};
use crate::ownership::ManagedBy;
use crate::release::Release;

/// The tool that the marks of the release's main workload speak of; where that one was not read, there is nothing to go by.
pub(super) fn judge(case: &Case<'_>, release: &Release) -> Option<(ManagedBy, Finding)> {
    let pattern = &case.profile.main_workload;
    let main = release
        .workloads
        .iter()
        .find(|workload| pattern.matches(&workload.id, &release.head.id.name))?;
    let live = case
        .snapshot
        .live
        .iter()
        .find(|live| live.workload.id == main.id)?;
    let owner = live.marks.owner()?;
    let named = owner
        .name
        .as_ref()
        .map_or_else(String::new, |name| format!(" as {name}"));
    let subject = Subject {
        workload: Some(main.id.clone()),
        ..case.subject()
    };
    let message = format!(
        "{} looks after this release{named}: change it there, or the change will be undone",
        owner.tool
    );
    let finding = Finding::new(Code::ManagedElsewhere, subject, message)
        .because([format!("{} on {}", owner.mark, main.id)]);
    Some((owner, finding))
}
