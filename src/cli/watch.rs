//! `--watch`.

use std::time::Duration;

use clap::Args;

use super::values::WatchInterval;

/// Whether to ask again and again.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Ask again and again until interrupted: every 30 seconds, or as given. A terminal is drawn anew, elsewhere an answer is printed where it changed
    #[arg(
        short,
        long,
        value_name = "INTERVAL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "30s",
        conflicts_with_all = ["exit_code", "fail_on", "print_rbac"]
    )]
    pub(crate) watch: Option<WatchInterval>,
}

impl WatchArgs {
    /// The time between two rounds; `None` for one round.
    pub(crate) fn interval(&self) -> Option<Duration> {
        self.watch.map(|interval| interval.0)
    }
}
