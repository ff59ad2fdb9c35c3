//! Nothing changes without this: a plan that was shown and agreed to (DESIGN §5).

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use tokio::task;
use tracebloc_core::plan::Plan;

use crate::cli::{ApprovalArgs, Invocation};
use crate::context::Context;
use crate::error::Error;
use crate::interrupt::Interrupt;

/// A plan that was agreed to; there is no other way to get one than [`ask`].
#[derive(Debug)]
pub(crate) struct Approved(Plan);

impl Approved {
    /// The plan.
    pub(crate) fn into_plan(self) -> Plan {
        self.0
    }
}

/// What came of asking.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The plan was agreed to.
    Yes(Box<Approved>),
    /// It was not.
    No,
    /// A signal came in place of an answer.
    Interrupted,
}

/// Asks whoever sits at the terminal, or takes `--yes` for it. Without a terminal nobody can see which cluster is meant, so that it must be said
/// (DESIGN §1.3).
pub(crate) async fn ask(
    context: &Context,
    args: &ApprovalArgs,
    interrupt: &Interrupt,
    plan: Plan,
) -> Result<Answer, Error> {
    let sees = io::stdin().is_terminal() && io::stderr().is_terminal();
    if !sees && !args.yes {
        return Err(Error::Usage {
            message: "there is no terminal to ask at".to_owned(),
            hint: "say --yes, or look at the plan with --dry-run",
        });
    }
    if !sees && !context.target.is_explicit {
        return Err(Error::Usage {
            message: "without a terminal the cluster to change must be named".to_owned(),
            hint: match context.invocation {
                Invocation::Direct => "name it with --context",
                Invocation::Helm => "name it with --kube-context",
            },
        });
    }
    if args.yes {
        return Ok(Answer::Yes(Box::new(Approved(plan))));
    }
    put(&plan)?;
    // From here on we say ourselves what a signal means.
    interrupt.defer();
    // Nothing ends a read of the terminal: it goes on beside us, and ends with the program.
    let answer = tokio::select! {
        answer = task::spawn_blocking(read) => answer.map_err(io::Error::other).flatten(),
        () = interrupt.asked() => {
            end_line()?;
            return Ok(Answer::Interrupted);
        }
    };
    let agrees = matches!(
        answer.map_err(Error::Output)?.trim(),
        "y" | "Y" | "yes" | "Yes"
    );
    Ok(if agrees {
        Answer::Yes(Box::new(Approved(plan)))
    } else {
        Answer::No
    })
}

/// Puts the question.
fn put(plan: &Plan) -> Result<(), Error> {
    let place = plan.context.name.as_deref().unwrap_or(&plan.context.server);
    let question = format!(
        "Do this to {} in {}? [y/N] ",
        plan.release,
        crate::ui::harmless(place)
    );
    tell(&question)
}

/// What is told next stands on a line of its own.
fn end_line() -> Result<(), Error> {
    tell("\n")
}

fn tell(text: &str) -> Result<(), Error> {
    let mut stderr = io::stderr().lock();
    stderr
        .write_all(text.as_bytes())
        .and_then(|()| stderr.flush())
        .map_err(Error::Output)
}

fn read() -> io::Result<String> {
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer)
}
