//! A release whose record may not be read: what it is known by, what is unknown for it, and which right would tell (DESIGN §7 "Rights in tiers").

use super::Case;
use crate::finding::{Code, Finding};
use crate::snapshot::Gap;

/// What rests on Helm's record alone, and is not known where it may not be read.
const BY_RECORD: [&str; 7] = [
    "unknown: which values it was given, with pins, opt-outs and frozen defaults among them",
    "unknown: the stored manifest, and with it which claims an uninstall keeps, and whether something of the release was deleted or scaled by hand",
    "unknown: whether a digest in a reference is a pin, where the chart's own refresh job does not tell",
    "unknown: how its objects were applied, and what stands before an upgrade by its values",
    "unknown: the chart repository that its own updater asks",
    "unknown: what its revisions were made from, and when",
    "unknown: whether it has workloads elsewhere than in its own namespace and in those that its refresh job names, or else the chart has by default",
];

/// That a release is known by its labels alone: what may not be read, the right that would tell, and what is unknown without.
pub(super) fn judge(case: &Case<'_>, gap: &Gap) -> Finding {
    let id = &case.observed.newest.id;
    let (status, listed) = match case.observed.revision() {
        Some(_) => ("", None),
        None => (
            " and Helm's status",
            Some("unknown: the newest revision and its status, and so whether an operation failed, or holds the release".to_owned()),
        ),
    };
    Finding::new(
        Code::ClusterUnanswered,
        case.subject(),
        format!(
            "{}: the release is known by the labels of its workloads alone, so that its values{status} are unknown; the right to get and list Helm's records in namespace {} would tell",
            gap.message, id.namespace
        ),
    )
    .because(listed)
    .because(BY_RECORD.map(str::to_owned))
}

#[cfg(test)]
mod tests;
