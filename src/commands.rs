//! One file a command: gather → assess → render.

mod cache;
mod outdated;

use crate::cli::{Cli, Command, Invocation};
use crate::context::{Asker, Context};
use crate::error::{Error, Exit};
use crate::ui::Ui;

/// Runs the command that was typed.
pub(crate) async fn run(invocation: Invocation, cli: Cli, ui: &Ui) -> Result<Exit, Error> {
    let Cli {
        global: _,
        connection,
        command,
    } = cli;
    if let Command::Outdated(args) = &command
        && args.print_rbac
    {
        let asker = Asker::resolve(invocation, &connection)?;
        return outdated::print_rights(&asker, ui, args);
    }
    let resolve = || Context::resolve(invocation, connection, ui);
    match command {
        Command::Outdated(args) => outdated::run(&resolve().await?, ui, *args).await,
        Command::Cache(args) => cache::run(ui, &args),
    }
}
