//! The state of a release itself: failed, hanging, gone, unreadable.

use jiff::{SignedDuration, Timestamp};

use super::{Case, unread};
use crate::finding::{Code, Finding};
use crate::release::ReleaseStatus;
use crate::snapshot::{Evidence, ObservedRelease};

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
    hangs(case.observed, case.snapshot.observed_at)
}

/// The same of a release at a time.
pub(crate) fn hangs(observed: &ObservedRelease, now: Timestamp) -> bool {
    let record = observed.record.known();
    let since = record.and_then(|record| record.last_deployed);
    // Of one whose record may not be read it is not known when it began.
    observed.newest.status.is_pending()
        && observed.unread.is_none()
        && since.is_none_or(|since| now.duration_since(since) > PENDING_PATIENCE)
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

/// Records that may not be read or do not decode, and parts of manifests that do not parse.
pub(super) fn unreadable(case: &Case<'_>) -> Vec<Finding> {
    let records = [Some(&case.observed.record), case.observed.deployed.as_ref()];
    let mut findings: Vec<Finding> = case
        .observed
        .unread
        .iter()
        .map(|gap| unread::judge(case, gap))
        .collect();
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
            let none = if deployed.head.status == ReleaseStatus::Superseded {
                ", and Helm calls none deployed now"
            } else {
                ""
            };
            format!(
                "; the last that worked is revision {}{none}",
                deployed.head.revision
            )
        }
        Some(Evidence::Unknown(_)) => String::new(),
        None if case.observed.unread.is_some() => String::new(),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::assess::tests::{healthy, judge_chart, release};
    use crate::finding::{Code, Finding};
    use crate::report::ChartState;
    use crate::snapshot::{Evidence, Snapshot};

    /// Revision 3 of that status after a revision 2 of that one.
    fn history(newest: &str, before: &str) -> Snapshot {
        let mut snapshot = healthy("1.9.40");
        let observed = &mut snapshot.releases[0];
        let record = release("1.9.28", 3, newest, &json!({}));
        observed.newest = record.head.clone();
        observed.record = Evidence::Known(record);
        observed.deployed = Some(Evidence::Known(release("1.9.40", 2, before, &json!({}))));
        snapshot
    }

    fn found(snapshot: &Snapshot, code: Code) -> Finding {
        let report = judge_chart(snapshot);
        let chart = report.releases[0].chart.as_ref().unwrap();
        assert_eq!(chart.state, ChartState::Mixed);
        assert_eq!(chart.current, "1.9.40");
        assert_eq!(chart.attempted.as_deref(), Some("1.9.28"));
        let found = report.findings.iter().find(|finding| finding.code == code);
        found.unwrap().clone()
    }

    #[test]
    fn what_failed_names_the_last_that_worked_and_whether_it_is_deployed() {
        let told = found(&history("failed", "deployed"), Code::ReleaseFailed).message;
        assert!(told.contains("worked is revision 2: its objects"), "{told}");
        let told = found(&history("failed", "superseded"), Code::ReleaseFailed).message;
        assert!(
            told.contains("worked is revision 2, and Helm calls none deployed now: its"),
            "{told}"
        );
    }

    #[test]
    fn what_hangs_is_rolled_back_to_the_last_that_worked() {
        for before in ["deployed", "superseded"] {
            let pending = found(&history("pending-rollback", before), Code::ReleasePending);
            assert!(
                pending.advice[0].starts_with("helm rollback edge 2 "),
                "{pending:?}"
            );
        }
    }
}
