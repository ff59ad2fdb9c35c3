//! `history`.

use std::num::NonZeroUsize;

use clap::Args;

use super::values::Since;
use super::{ReleaseSelector, StatusFormat};

/// Show what was done to one release, by whom, and what came of it: revisions, refreshes, restarts, edits, the chart's own jobs
///
/// Without a release: the one of the context's namespace, or, where that has none, of the whole cluster.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The release to look at: RELEASE or NAMESPACE/RELEASE
    #[arg(value_name = "RELEASE")]
    pub(crate) release: Option<ReleaseSelector>,
    /// Show at most so many entries, the newest
    #[arg(long, value_name = "N", default_value = "20")]
    pub(crate) max: NonZeroUsize,
    /// Show only what was done in this time, such as `90m`, `12h` or `7d`
    #[arg(long, value_name = "DURATION")]
    pub(crate) since: Option<Since>,
    /// The form of the answer
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: StatusFormat,
    /// Ask nobody; print the least rights that this very call needs, as Roles
    #[arg(long)]
    pub(crate) print_rbac: bool,
}
