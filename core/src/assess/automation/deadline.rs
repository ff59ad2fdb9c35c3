//! Whether a job has as much time as what it waits for may take (DOMAIN §13, 10).

use super::{Present, about, is_since};
use crate::assess::{Case, breakers};
use crate::finding::{Code, Finding};
use crate::profile::ImageRefresh;
use crate::release::Release;
use crate::time::go_seconds;

pub(super) fn judge(
    case: &Case<'_>,
    release: &Release,
    job: &ImageRefresh,
    present: &Present<'_>,
) -> Option<Finding> {
    let rule = &job.deadline;
    if !is_since(release, &rule.since) {
        return None;
    }
    let has = u64::try_from(present.cron.deadline_seconds?).ok()?;
    let (text, _) = release.values.text(&rule.rollout_value)?;
    let needs = go_seconds(&text)?.checked_mul(u64::from(rule.rollouts))?;
    if has >= needs {
        return None;
    }
    let change = format!("{}={needs}", rule.value);
    let advice = breakers::anew(case, release, Some(("--set", &change)));
    let finding = Finding::new(
        Code::RefreshDeadline,
        about(case, present.id),
        format!(
            "the job that follows moved tags is ended after {has} seconds, and {} rollouts may take {needs}",
            rule.rollouts
        ),
    )
    .because([
        format!("spec.activeDeadlineSeconds of its Jobs is {has}"),
        format!("the value {}", rule.rollout_value),
    ]);
    Some(finding.advise(advice))
}
