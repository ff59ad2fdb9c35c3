//! What every command that changes something takes.

use clap::Args;

use super::values::Limit;

/// How a plan is shown, agreed to and carried out.
#[derive(Debug, Clone, Args)]
pub(crate) struct ApprovalArgs {
    /// Show the plan and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Agree to the plan without being asked; without a terminal the cluster must be named too
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// How long one rollout may take
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub(crate) timeout: Limit,
}
