//! `explain`.

use clap::Args;
use tracebloc_core::finding::Code;

/// Explain the code of a finding: what it means, what it rests on, and what to do
///
/// Without a code: list all. No cluster is asked.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The code, such as `chart-behind`
    #[arg(value_name = "CODE")]
    pub(crate) code: Option<Code>,
}
