//! The state of a release itself: failed, hanging, gone, unreadable.

use jiff::SignedDuration;

use super::Case;
use crate::finding::{Code, Finding};
use crate::release::ReleaseStatus;
use crate::snapshot::Evidence;

/// After this long a pending operation cannot be at work any more: the chart's own updater gives up after 15 minutes (DOMAIN §5), and few
/// people wait longer than an hour.
const PENDING_PATIENCE: SignedDuration = SignedDuration::from_hours(1);

/// True where nothing of a release is left to judge.
pub(super) fn is_gone(status: ReleaseStatus) -> bool {
    matches!(
        status,
        ReleaseStatus::Uninstalled | ReleaseStatus::Uninstalling
    )
}

/// True where a pending operation is at work no more.
pub(super) fn is_stuck(case: &Case<'_>) -> bool {
    let since = case
        .observed
        .record
        .known()
        .and_then(|record| record.last_deployed);
    case.observed.newest.status.is_pending()
        && since
            .is_none_or(|since| case.snapshot.observed_at.duration_since(since) > PENDING_PATIENCE)
}

pub(super) fn judge(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = unreadable(case);
    let head = &case.observed.newest;
    match head.status {
        ReleaseStatus::Failed => findings.push(failed(case)),
        ReleaseStatus::PendingInstall
        | ReleaseStatus::PendingUpgrade
        | ReleaseStatus::PendingRollback => {
            findings.push(pending(case));
        }
        ReleaseStatus::Uninstalled | ReleaseStatus::Uninstalling => findings.push(
            Finding::new(
                Code::ReleaseUninstalled,
                case.subject(),
                format!(
                    "revision {} is {}: nothing runs, only the history is left",
                    head.revision, head.status
                ),
            )
            .advise(vec![case.advisor.history(&head.id)]),
        ),
        ReleaseStatus::Deployed | ReleaseStatus::Superseded | ReleaseStatus::Unknown => {}
    }
    findings
}

/// Records that do not decode, and parts of manifests that do not parse.
fn unreadable(case: &Case<'_>) -> Vec<Finding> {
    let records = [Some(&case.observed.record), case.observed.deployed.as_ref()];
    let mut findings = Vec::new();
    for record in records.into_iter().flatten() {
        match record {
            Evidence::Unknown(gap) => findings.push(
                Finding::new(
                    Code::ReleaseUnreadable,
                    case.subject(),
                    format!("{}: {}", gap.asked, gap.message),
                )
                .advise(vec![case.advisor.history(&case.observed.newest.id)]),
            ),
            Evidence::Known(release) if !release.unreadable.is_empty() => findings.push(Finding::new(
                Code::ReleaseUnreadable,
                case.subject(),
                format!(
                    "the stored manifest of revision {} has a {} that cannot be read, so what it declares is unknown",
                    release.head.revision,
                    release.unreadable.join(" and a ")
                ),
            )),
            Evidence::Known(_) => {}
        }
    }
    findings
}

fn failed(case: &Case<'_>) -> Finding {
    let head = &case.observed.newest;
    let rest = match &case.observed.deployed {
        Some(Evidence::Known(deployed)) => {
            format!(
                "; the last that worked is revision {}",
                deployed.head.revision
            )
        }
        Some(Evidence::Unknown(_)) => String::new(),
        None => "; none ever worked".to_owned(),
    };
    Finding::new(
        Code::ReleaseFailed,
        case.subject(),
        format!(
            "revision {} failed{rest}: its objects may be a mixture of two versions",
            head.revision
        ),
    )
    .because(
        case.observed
            .record
            .known()
            .map(|record| record.description.clone())
            .filter(|text| !text.is_empty()),
    )
    .advise(vec![case.advisor.history(&head.id)])
}

fn pending(case: &Case<'_>) -> Finding {
    let head = &case.observed.newest;
    let since = case
        .observed
        .record
        .known()
        .and_then(|record| record.last_deployed);
    let age = since.map(|since| case.snapshot.observed_at.duration_since(since));
    let deployed = match &case.observed.deployed {
        Some(Evidence::Known(deployed)) => Some(deployed.head.revision),
        Some(Evidence::Unknown(_)) | None => None,
    };
    let (message, advice) = match (age, deployed) {
        (Some(age), Some(revision)) if age > PENDING_PATIENCE => (
            format!(
                "revision {} has been {} for {}: the operation was killed, and Helm refuses any upgrade until the release is rolled back",
                head.revision,
                head.status,
                crate::time::age(age)
            ),
            case.advisor.rollback(&head.id, revision),
        ),
        (Some(age), _) => (
            format!(
                "revision {} has been {} for {}: an operation may still be at work, and Helm refuses another until it ends",
                head.revision,
                head.status,
                crate::time::age(age)
            ),
            case.advisor.history(&head.id),
        ),
        (None, _) => (
            format!(
                "revision {} is {}: Helm refuses an upgrade until it ends",
                head.revision, head.status
            ),
            case.advisor.history(&head.id),
        ),
    };
    Finding::new(Code::ReleasePending, case.subject(), message).advise(vec![advice])
}
