//! Nothing changes without this: a plan that was shown and agreed to (DESIGN §5).

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use tracebloc_core::plan::Plan;

use crate::cli::ApprovalArgs;
use crate::context::Context;
use crate::error::Error;

/// A plan that was agreed to; there is no other way to get one than [`ask`].
#[derive(Debug)]
pub(crate) struct Approved(Plan);

impl Approved {
    /// The plan.
    pub(crate) fn into_plan(self) -> Plan {
        self.0
    }
}

/// Asks whoever sits at the terminal, or takes `--yes` for it; `None` where the answer is no. Without a terminal nobody can see which cluster is
/// meant, so that it must be said (DESIGN §1.3).
pub(crate) fn ask(
    context: &Context,
    args: &ApprovalArgs,
    plan: Plan,
) -> Result<Option<Approved>, Error> {
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
            hint: "name it with --context",
        });
    }
    if args.yes || agrees(&plan)? {
        return Ok(Some(Approved(plan)));
    }
    Ok(None)
}

fn agrees(plan: &Plan) -> Result<bool, Error> {
    let place = plan.context.name.as_deref().unwrap_or(&plan.context.server);
    let mut stderr = io::stderr().lock();
    let question = format!(
        "Do this to {} in {}? [y/N] ",
        plan.release,
        crate::ui::harmless(place)
    );
    stderr
        .write_all(question.as_bytes())
        .and_then(|()| stderr.flush())
        .map_err(Error::Output)?;
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(Error::Output)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
}
