//! What of a report is shown, in which form and order, and what it does to the exit code.

use clap::{Args, ValueEnum};
use tracebloc_core::finding::{Code, Condition, Severity};

/// How the answer is shown.
#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    /// The form of the answer
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: OutputFormat,
    /// Leave out the table's headers
    #[arg(long)]
    pub(crate) no_headers: bool,
    /// The order of the releases, instead of that by namespace and name
    #[arg(long, value_name = "BY")]
    pub(crate) sort_by: Option<SortBy>,
    #[command(flatten)]
    pub(crate) finding: FindingArgs,
}

/// Which findings are shown, and what they do to the exit code.
#[derive(Debug, Args)]
pub(crate) struct FindingArgs {
    /// Show only findings that are at least so severe: info, warning or danger
    #[arg(long, value_name = "SEVERITY")]
    pub(crate) severity: Option<Severity>,
    /// Leave out findings with this code; repeatable
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub(crate) ignore: Vec<Code>,
    /// Exit with 10 if there is a finding with this code, and at least so severe; repeatable
    #[arg(long, value_name = "CODE[=SEVERITY]", value_delimiter = ',')]
    pub(crate) fail_on: Vec<Condition>,
    /// Exit with 10 if something is behind, with 12 if nothing is but something is unknown
    #[arg(long)]
    pub(crate) exit_code: bool,
}

/// The form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// One line for each chart and image, and what to type next.
    Table,
    /// The table with digests, workloads and repositories.
    Wide,
    /// The whole report as JSON.
    Json,
    /// The whole report as YAML.
    Yaml,
    /// One line `release/NAMESPACE/NAME` for each release with something behind.
    Name,
    /// The report for a ticket: headings, tables, and what to type in blocks of code.
    Markdown,
    /// Gauges for the textfile collector of Prometheus' node exporter.
    Prometheus,
}

/// The order of the releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortBy {
    /// Namespace, then name.
    Namespace,
    /// Name, then namespace.
    Name,
    /// What is furthest behind first, then what is unknown.
    Behind,
    /// What was installed longest ago first.
    Age,
    /// The worst finding first.
    Severity,
}
