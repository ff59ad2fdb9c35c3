//! One file a command: gather → assess → render.

mod explain;
mod outdated;
mod schema;

use crate::cli::{Cli, Command, Invocation};
use crate::context::Context;
use crate::error::{Error, Exit};
use crate::ui::Ui;

/// Runs the command that was typed.
pub(crate) async fn run(invocation: Invocation, cli: Cli, ui: &Ui) -> Result<Exit, Error> {
    let Cli {
        global: _,
        connection,
        command,
    } = cli;
    match command {
        Command::Outdated(args) => {
            let context = Context::resolve(invocation, connection, ui)?;
            outdated::run(&context, ui, *args).await
        }
        // These tell of the program itself, and need no kubeconfig.
        Command::Explain(args) => explain::run(ui, &args),
        Command::Schema(args) => schema::run(ui, &args),
    }
}
