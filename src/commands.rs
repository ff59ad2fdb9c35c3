//! One file a command: gather → assess → render.

mod cache;
mod explain;
mod outdated;
mod schema;

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
    match command {
        Command::Outdated(args) => {
            let context = Context::resolve(invocation, connection, ui).await?;
            outdated::run(&context, ui, *args).await
        }
        // These ask no cluster, and need no kubeconfig.
        Command::Cache(args) => cache::run(ui, &args),
        Command::Explain(args) => explain::run(ui, &args),
        Command::Schema(args) => schema::run(ui, &args),
    }
}
