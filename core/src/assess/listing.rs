//! Lists of chart versions that are not what they were: versions withdrawn, content replaced.

use super::Case;
use crate::finding::{Code, Finding};
use crate::release::Release;
use crate::snapshot::ObservedChart;
use crate::time::counted;

/// The most versions that a message names.
const NAMED: usize = 5;

pub(super) fn judge(case: &Case<'_>, current: &Release) -> Vec<Finding> {
    let observed = case
        .observed
        .repository
        .as_ref()
        .and_then(|repository| case.snapshot.chart(repository, &current.chart.name));
    let Some(observed) = observed else {
        return Vec::new();
    };
    let republished = observed.changes.republished.iter().map(|change| {
        let version = &change.version;
        Finding::new(
            Code::ChartRepublished,
            case.subject(),
            format!(
                "{} published {} {version} again with other content: nobody who installed it before has what is there now",
                observed.repository.url, observed.chart
            ),
        )
        .because([format!("{version} was sha256:{}", change.was), format!("{version} is sha256:{}", change.is)])
    });
    withdrawn(case, observed)
        .into_iter()
        .chain(republished)
        .collect()
}

fn withdrawn(case: &Case<'_>, observed: &ObservedChart) -> Option<Finding> {
    let gone = &observed.changes.withdrawn;
    if gone.is_empty() {
        return None;
    }
    let named: Vec<&str> = gone
        .iter()
        .take(NAMED)
        .map(crate::version::Version::as_str)
        .collect();
    let more = if gone.len() > NAMED { ", …" } else { "" };
    let count = u64::try_from(gone.len()).unwrap_or(u64::MAX);
    Some(
        Finding::new(
            Code::IndexShrunk,
            case.subject(),
            format!(
                "{} does not list {} of {} any more that it listed before: {}{more}",
                observed.repository.url,
                counted(count, "version"),
                observed.chart,
                named.join(", ")
            ),
        )
        .because(gone.iter().map(|version| format!("{version} was listed"))),
    )
}
