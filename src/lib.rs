//! The shell of kubectl-tracebloc: it asks everyone at once, has the core judge, and shows the answer.
//!
//! A call walks through the rooms in one direction (docs/architecture.md): `cli` (what was typed) → `context` (where it leads) → `gather`
//! (`cluster` ∥ `charts` ∥ `registry`) → the core's `assess` → `render`.

mod apply;
mod approve;
mod cache;
mod charts;
mod cli;
mod cluster;
mod commands;
mod context;
mod error;
mod gather;
mod helm;
mod http;
mod interrupt;
mod process;
mod registry;
mod render;
mod ui;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use cli::{Cli, Invocation};
use error::Exit;
use interrupt::Interrupt;
use ui::Ui;

/// Runs the program with its arguments, program name first, and answers its exit code (docs/exit-codes.md).
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (invocation, args) = Invocation::recognise(args);
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let ui = Ui::new(cli.global.color, cli.global.quiet, cli.global.verbose);
    match start(invocation, cli, &ui) {
        Ok(exit) => exit.into(),
        Err(error) => {
            ui.error(&error);
            error.exit().into()
        }
    }
}

/// The command line, for what is generated from it: the man pages in `docs/man/`.
pub fn command_line() -> clap::Command {
    Cli::command()
}

fn start(invocation: Invocation, cli: Cli, ui: &Ui) -> Result<Exit, error::Error> {
    // Two TLS users, kube and reqwest, share one provider; a second install can only come from a second run in one process.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(error::Error::Runtime)?;
    let interrupt = Interrupt::new();
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = commands::run(invocation, cli, ui, &interrupt) => outcome,
            () = interrupt.stop() => Ok(Exit::Interrupted),
            () = interrupt.listen() => Ok(Exit::Interrupted),
        }
    });
    // A look-up of a host name runs on a thread of its own and may outlive its deadline; the answer does not wait for it.
    runtime.shutdown_background();
    outcome
}

/// Help and version go to stdout and are a success; what clap cannot parse is wrong usage.
fn usage(error: &clap::Error) -> ExitCode {
    // A closed pipe must not become a second error.
    let _closed = error.print();
    if error.use_stderr() {
        Exit::Usage.into()
    } else {
        Exit::Done.into()
    }
}
