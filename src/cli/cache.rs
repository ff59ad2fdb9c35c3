//! `cache`.

use clap::{Args, Subcommand};

/// Look after what is kept in the user's cache directory
///
/// Kept are copies of chart indexes and of lists of tags, the versions that were listed before, and manifests and configurations of charts in
/// registries; never what a tag points to, no credentials and no token, of what came with credentials only manifests, and 64 MiB at most.
#[derive(Debug, Args)]
pub(crate) struct CacheArgs {
    #[command(subcommand)]
    pub(crate) command: CacheCommand,
}

/// What to do with it.
#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Remove all of it; files of others in the same place stay
    Clear,
}
