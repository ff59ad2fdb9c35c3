//! What was typed: clap types only. Their documentation is the help. Nothing here reads the environment.

mod answer;
mod approval;
mod cache;
mod connection;
mod explain;
mod history;
mod outdated;
mod pin;
mod refresh;
mod schema;
mod source;
mod status;
mod values;
mod watch;

use std::ffi::OsString;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

pub(crate) use answer::{AnswerArgs, FindingArgs, OutputFormat, SortBy};
pub(crate) use approval::ApprovalArgs;
pub(crate) use cache::{CacheArgs, CacheCommand};
pub(crate) use connection::{ConnectionArgs, Token};
pub(crate) use explain::{ExplainArgs, ExplainFormat};
pub(crate) use history::HistoryArgs;
pub(crate) use outdated::{Only, OutdatedArgs, ReleaseSelector};
pub(crate) use pin::{HoldArgs, PinArgs, UnpinArgs};
pub(crate) use refresh::{PlanFormat, RefreshArgs};
pub(crate) use schema::{SchemaArgs, SchemaKind};
pub(crate) use source::{RegistryArgs, SourceArgs};
pub(crate) use status::{StatusArgs, StatusFormat};
pub(crate) use values::RequestTimeout;
pub(crate) use watch::WatchArgs;

/// The argument by which plugin.yaml says that Helm calls (FACTS 1.2).
const HELM_MARKER: &str = "--helm-plugin";

/// Keeps tracebloc releases current and their data safe.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-tracebloc",
    bin_name = "kubectl tracebloc",
    version,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 done · 1 failed · 2 wrong usage · 3 the workstation · 4 no such release · 5 credentials refused · 10 something is behind (--exit-code), or found (--fail-on) · 11 refused by a guard · 12 incomplete (--exit-code) · 130 interrupted"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Outdated(Box<OutdatedArgs>),
    Status(Box<StatusArgs>),
    History(HistoryArgs),
    Refresh(Box<RefreshArgs>),
    Pin(Box<PinArgs>),
    Unpin(Box<UnpinArgs>),
    Cache(CacheArgs),
    Explain(ExplainArgs),
    Schema(SchemaArgs),
}

/// How to show it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct GlobalArgs {
    /// When to use colour; `NO_COLOR` and TERM=dumb are honoured
    #[arg(
        long,
        alias = "colour",
        global = true,
        value_name = "WHEN",
        default_value = "auto"
    )]
    pub(crate) color: ColorChoice,
    /// Print the answer only, nothing on the way to it
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say on stderr what is asked and how long it takes; twice for more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal.
    Auto,
    /// Also into a pipe.
    Always,
    /// Not at all.
    Never,
}

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Invocation {
    /// kubectl, or the user's shell.
    Direct,
    /// Helm's plugin mechanism: connection flags arrive in its environment variables.
    Helm,
}

impl Invocation {
    /// As users call the program.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Direct => "kubectl tracebloc",
            Self::Helm => "helm tracebloc",
        }
    }

    /// Tells who calls by the marker that plugin.yaml puts first, and removes it.
    pub(crate) fn recognise(args: impl IntoIterator<Item = OsString>) -> (Self, Vec<OsString>) {
        let mut args: Vec<OsString> = args.into_iter().collect();
        if args.get(1).is_some_and(|first| first == HELM_MARKER) {
            args.remove(1);
            (Self::Helm, args)
        } else {
            (Self::Direct, args)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn helm_is_recognised_by_its_marker_only() {
        let args = |list: &[&str]| list.iter().map(OsString::from).collect::<Vec<_>>();
        let (invocation, rest) = Invocation::recognise(args(&["x", "--helm-plugin", "outdated"]));
        assert_eq!(
            (invocation, rest),
            (Invocation::Helm, args(&["x", "outdated"]))
        );
        let (invocation, _) = Invocation::recognise(args(&["x", "outdated", "--helm-plugin"]));
        assert_eq!(invocation, Invocation::Direct);
    }

    #[test]
    fn kubectl_spellings_are_accepted() {
        for line in [
            "x outdated -n edge",
            "x outdated -n=edge",
            "x outdated -nedge",
            "x -n edge outdated",
            "x outdated --namespace=edge -A -o json",
            "x outdated -s https://h:1 --as-group a --as-group b --as-user-extra k=v",
            "x --burst-limit 7 --qps 3 outdated a b ns/c",
            "x outdated --ignore chart-behind,record-lies --fail-on digest-behind=danger",
            "x explain chart-behind",
            "x explain -o json",
            "x schema outdatedreport",
            "x status",
            "x status edge/edge -o wide --watch",
            "x history edge/edge --max 5 --since 7d -o json",
            "x outdated -A -w=10s -o json",
            "x outdated --request-timeout 0 --only chart,digest",
        ] {
            let parsed = Cli::try_parse_from(line.split(' '));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }
}
