//! `schema`.

use clap::{Args, ValueEnum};

/// Print the JSON Schema of an output
///
/// Without a kind: list all. No cluster is asked.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// The `kind` that the output has
    #[arg(value_name = "KIND", ignore_case = true)]
    pub(crate) kind: Option<SchemaKind>,
}

/// A kind of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaKind {
    /// What `outdated --output json` and `--output yaml` print.
    #[value(name = "OutdatedReport")]
    OutdatedReport,
    /// What `status --output json` and `--output yaml` print.
    #[value(name = "StatusReport")]
    StatusReport,
    /// What `history --output json` and `--output yaml` print.
    #[value(name = "HistoryReport")]
    HistoryReport,
    /// What `refresh --output json` and `--output yaml` print.
    #[value(name = "Plan")]
    Plan,
    /// What `explain --output json` and `--output yaml` print.
    #[value(name = "ExplanationList")]
    ExplanationList,
}
