//! `bed`: the test bed from the command line, for `make try` and for people who want to look around.

mod daemon;
mod guide;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracebloc_bed::progress::say;
use tracebloc_bed::tools::{self, Tool};

/// A real control plane, registry and chart repository on loopback.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build programs of the bed, all of them without names
    Build {
        /// Their names, such as etcd or helm4
        tools: Vec<String>,
    },
    /// Start the bed in the background, install an old release on it and show what kubectl-tracebloc says of it
    Try {
        /// The built kubectl-tracebloc
        #[arg(long)]
        plugin: PathBuf,
        /// The folder with plugin.yaml
        #[arg(long)]
        helm_plugin: PathBuf,
    },
    /// Stop the bed that `try` left running
    Down,
    /// What `try` starts in the background: holds the bed until it is told to stop
    #[command(hide = true)]
    Serve {
        /// Where to tell that everything is up
        #[arg(long)]
        ready: PathBuf,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Build { tools } => build(&tools),
        Command::Try {
            plugin,
            helm_plugin,
        } => guide::run(&plugin, &helm_plugin),
        Command::Down => daemon::stop(),
        Command::Serve { ready } => daemon::serve(&ready),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("error: {error}");
            let mut cause = error.source();
            while let Some(source) = cause {
                text.push_str(&format!("\n  caused by: {source}"));
                cause = source.source();
            }
            say(&text);
            ExitCode::FAILURE
        }
    }
}

/// What goes wrong here goes to a person.
type Failure = Box<dyn std::error::Error>;

fn build(names: &[String]) -> Result<(), Failure> {
    let mut wanted = Vec::new();
    for name in names {
        let tool = Tool::named(name).ok_or_else(|| {
            let known: Vec<&str> = Tool::ALL.iter().map(|tool| tool.name()).collect();
            format!(
                "there is no program `{name}`; there are {}",
                known.join(", ")
            )
        })?;
        wanted.push(tool);
    }
    if wanted.is_empty() {
        wanted = Tool::ALL.to_vec();
    }
    let toolbox = tools::ensure(&wanted)?;
    for tool in wanted {
        say(&format!(
            "{}: {}",
            tool.name(),
            toolbox.path(tool).display()
        ));
    }
    Ok(())
}
