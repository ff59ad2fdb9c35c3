//! `explain`.

use clap::{Args, ValueEnum};
use tracebloc_core::finding::Code;

/// Explain the code of a finding: what it means, what it rests on, and what to do
///
/// Without a code: list all. No cluster is asked.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The code, such as `chart-behind`
    #[arg(value_name = "CODE")]
    pub(crate) code: Option<Code>,
    /// The form of the answer
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: ExplainFormat,
}

/// The form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExplainFormat {
    /// For people: all of one code, or one line for each.
    Text,
    /// All of each code as JSON, for programs.
    Json,
    /// All of each code as YAML.
    Yaml,
}
