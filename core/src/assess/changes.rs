//! Changes of ours that did not come to their end: another run is at work, or was killed, and the next one finishes it (DESIGN §7).

use super::Case;
use crate::change::{ANNOTATION, Change, ChangeState};
use crate::finding::{Code, Finding, Subject};
use crate::release::Release;
use crate::time::age;

/// One finding for each workload whose last change is open.
pub(super) fn judge(case: &Case<'_>, release: &Release) -> Vec<Finding> {
    let now = case.snapshot.observed_at;
    let open = case.snapshot.live.iter().filter_map(|live| {
        let id = &live.workload.id;
        let change = Change::parse(live.records.get(ANNOTATION)?)?;
        let is_of_release = release.workloads.iter().any(|workload| workload.id == *id);
        (change.state.is_open() && is_of_release).then_some((id, change))
    });
    open.map(|(id, change)| {
        let subject = Subject {
            workload: Some(id.clone()),
            ..case.subject()
        };
        let doing = match change.state {
            ChangeState::Undoing => "is being undone",
            ChangeState::Acting
            | ChangeState::Done
            | ChangeState::Failed
            | ChangeState::Undone => "has not ended",
        };
        let message = format!(
            "{} of {id}, which {} began {} ago, {doing}: a run is at work, or was killed, and the next one finishes it",
            change.command,
            change.by,
            age(now.duration_since(change.at))
        );
        let images = change.containers.iter().map(|one| {
            let former = one
                .former
                .as_ref()
                .map_or_else(|| "something unknown".to_owned(), ToString::to_string);
            format!("{} in {}: from {former} to {}", one.image, one.container, one.wanted)
        });
        Finding::new(Code::ChangeUnfinished, subject, message)
            .advise(vec![case.advisor.refresh(&case.observed.newest.id, &[])])
            .because(images)
    })
    .collect()
}
