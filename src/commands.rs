//! One file a command: gather → assess → render.

mod account;
mod cache;
mod explain;
mod history;
mod outdated;
mod pin;
mod reading;
mod refresh;
mod schema;
mod status;
mod watch;

use tracebloc_core::plan::Aim;

use crate::cli::{Cli, Command, Invocation};
use crate::context::{Asker, Context};
use crate::error::{Error, Exit};
use crate::interrupt::Interrupt;
use crate::ui::Ui;

/// Runs the command that was typed.
pub(crate) async fn run(
    invocation: Invocation,
    cli: Cli,
    ui: &Ui,
    interrupt: &Interrupt,
) -> Result<Exit, Error> {
    let Cli {
        global: _,
        connection,
        command,
    } = cli;
    match command {
        Command::Outdated(args) if args.source.print_rbac => {
            outdated::print_rights(&Asker::resolve(invocation, &connection)?, ui, &args)
        }
        Command::Status(args) if args.source.print_rbac => {
            status::print_rights(&Asker::resolve(invocation, &connection)?, ui, &args)
        }
        Command::History(args) if args.print_rbac => {
            history::print_rights(&Asker::resolve(invocation, &connection)?, ui, &args)
        }
        Command::Refresh(args) if args.print_rbac => {
            refresh::print_rights(&Asker::resolve(invocation, &connection)?, ui, &args)
        }
        Command::Pin(args) if args.hold.print_rbac => {
            let asker = Asker::resolve(invocation, &connection)?;
            pin::print_rights(&asker, ui, "kubectl-tracebloc-pin", &Aim::Hold, &args.hold)
        }
        Command::Unpin(args) if args.hold.print_rbac => {
            let asker = Asker::resolve(invocation, &connection)?;
            pin::print_rights(
                &asker,
                ui,
                "kubectl-tracebloc-unpin",
                &Aim::LetGo,
                &args.hold,
            )
        }
        Command::Outdated(args) => {
            let context = Context::resolve(invocation, connection, ui).await?;
            outdated::run(context, ui, *args).await
        }
        Command::Status(args) => {
            let context = Context::resolve(invocation, connection, ui).await?;
            status::run(context, ui, *args).await
        }
        Command::History(args) => {
            let context = Context::resolve(invocation, connection, ui).await?;
            history::run(context, ui, args).await
        }
        Command::Refresh(args) => {
            let context = Context::resolve(invocation, connection, ui).await?;
            Box::pin(refresh::run(context, ui, interrupt, *args)).await
        }
        Command::Pin(args) => {
            let context = Context::resolve(invocation, connection, ui).await?;
            pin::pin(context, ui, interrupt, *args).await
        }
        Command::Unpin(args) => {
            let context = Context::resolve(invocation, connection, ui).await?;
            pin::unpin(context, ui, interrupt, *args).await
        }
        // These ask no cluster, and need no kubeconfig.
        Command::Cache(args) => cache::run(ui, &args),
        Command::Explain(args) => explain::run(ui, &args),
        Command::Schema(args) => schema::run(ui, &args),
    }
}
