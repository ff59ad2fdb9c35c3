//! `status`.

use clap::{Args, ValueEnum};

use super::{FindingArgs, ReleaseSelector, SourceArgs, WatchArgs};

/// Show one release in full: where it runs, what is behind, what holds it, how safe its data is, and what was done to it last
///
/// Without a release: the one of the context's namespace, or, where that has none, of the whole cluster.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The release to look at: RELEASE or NAMESPACE/RELEASE
    #[arg(value_name = "RELEASE")]
    pub(crate) release: Option<ReleaseSelector>,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// The form of the answer
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: StatusFormat,
    #[command(flatten)]
    pub(crate) finding: FindingArgs,
    #[command(flatten)]
    pub(crate) watch: WatchArgs,
}

/// The form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusFormat {
    /// One screen.
    Table,
    /// The same with whole digests, exact times and what each word rests on.
    Wide,
    /// The whole report as JSON.
    Json,
    /// The whole report as YAML.
    Yaml,
}
