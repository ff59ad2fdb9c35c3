//! Whether the cluster has the API that the chart needs: one question, and only where a release has the workload that needs it.

use tracebloc_core::assess::{Question, needs_api};
use tracebloc_core::profile::Profile;
use tracebloc_core::snapshot::{Evidence, Snapshot};

use super::evidence;
use crate::cluster::Cluster;

/// What to ask; `None` where no release gives reason to.
pub(super) fn wanted<'profile>(
    snapshot: &Snapshot,
    profile: &'profile Profile,
    question: &Question,
) -> Option<&'profile str> {
    (question.chart && needs_api(snapshot, profile)).then_some(profile.needs.group.as_str())
}

/// Asks.
pub(super) async fn ask(cluster: &Cluster, group: Option<&str>) -> Option<Evidence<bool>> {
    let group = group?;
    let asked = format!("the API group {group}");
    Some(evidence(cluster.has_api(group).await, &asked))
}
