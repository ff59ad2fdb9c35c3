//! Images that nothing moves: a restart would not pull, and the job that would set them does nothing (DOMAIN §3, §13 no. 13).

use super::Case;
use crate::finding::{Code, Finding};
use crate::report::{AutomationState, ImageFlag, ImageReport, ReleaseReport, TagSource};

/// The findings whose advice lets the job do its work again.
const REMEDIED_BY: [Code; 4] = [
    Code::RefreshSuspended,
    Code::RefreshInert,
    Code::RefreshAbsent,
    Code::RefreshFlapping,
];

/// One finding for all images of a release whose tags float in vain.
pub(super) fn judge(
    case: &Case<'_>,
    report: &ReleaseReport,
    findings: &[Finding],
) -> Option<Finding> {
    let job = &report.automation.as_ref()?.image_refresh;
    let why = match job.state {
        AutomationState::Suspended => "is suspended",
        AutomationState::Inert => "leaves images of a mirror alone",
        AutomationState::Absent => "is not there",
        AutomationState::Flapping => "gave up",
        AutomationState::Ok
        | AutomationState::Stalled
        | AutomationState::Wedged
        | AutomationState::LockedOut
        | AutomationState::Unknown => return None,
    };
    let stuck: Vec<&str> = report
        .images
        .iter()
        .filter(|image| floats(case, image) && image.flags.contains(&ImageFlag::RestartInVain))
        .map(|image| image.name.as_str())
        .collect();
    if stuck.is_empty() {
        return None;
    }
    let remedy = findings
        .iter()
        .find(|finding| REMEDIED_BY.contains(&finding.code));
    Some(
        Finding::new(
            Code::NoUpdatePath,
            case.subject(),
            format!(
                "nothing moves {}: nodes keep what they have of the tag, and the job that follows it {why}",
                stuck.join(", ")
            ),
        )
        .advise(remedy.map(|finding| finding.advice.clone()).unwrap_or_default())
        .because(
            ["the pull policy is not Always".to_owned()]
                .into_iter()
                .chain(job.detail.clone()),
        ),
    )
}

/// True for an image that the chart's channel is to move.
fn floats(case: &Case<'_>, image: &ImageReport) -> bool {
    let follows = case
        .profile
        .images
        .iter()
        .any(|known| known.follows_channel && known.name == image.name);
    let is_pinned = |flag: &ImageFlag| matches!(flag, ImageFlag::Pinned | ImageFlag::MaybePinned);
    follows && image.source != TagSource::Env && !image.flags.iter().any(is_pinned)
}
