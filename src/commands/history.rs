//! `history`: what was done to one release.

use jiff::{SignedDuration, Timestamp};
use tracebloc_core::assess::{self, Extent, Question};
use tracebloc_core::profile::Profile;

use super::reading::{self, Answer, Pace, Subject};
use super::watch::Form;
use crate::cli::{HistoryArgs, WatchArgs};
use crate::context::{Asker, Context};
use crate::error::{Error, Exit};
use crate::gather::{Request, Scope};
use crate::render;
use crate::ui::Ui;

pub(crate) async fn run(context: Context, ui: &Ui, args: HistoryArgs) -> Result<Exit, Error> {
    let profile = Profile::client()?;
    let extent = Extent {
        max: args.max.get(),
        since: args.since.map(|since| back(context.now, since.0)),
    };
    let scope = Scope::new(&context, args.release.into_iter().collect(), false, None)?;
    let request = Request {
        // With the newest one more than is shown, so that it is known whether there are older ones.
        earlier: extent.max,
        single: true,
        ..reading::of_the_cluster(scope, question())
    };
    let output = args.output;
    let program = context.invocation.program();
    let pace = Pace {
        watch: WatchArgs { watch: None },
        form: Form::Screen,
    };
    let answering = reading::read(context, ui, &profile, &request, pace, |gathered| {
        // Without a release a note says that there is none.
        let report = assess::history(&gathered.snapshot, &profile, extent);
        let text = match &report {
            Some(report) => reading::text(ui, report, output, |look| {
                render::history::screen(report, look, program)
            })?,
            None => String::new(),
        };
        Ok(Answer {
            text,
            exit: Exit::Done,
            report,
        })
    });
    answering.await
}

/// So long before now, or as long ago as times reach.
fn back(now: Timestamp, by: std::time::Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| now.checked_sub(by).ok())
        .unwrap_or(Timestamp::MIN)
}

/// `--print-rbac`: the rights that the same call needs.
pub(crate) fn print_rights(asker: &Asker, ui: &Ui, args: &HistoryArgs) -> Result<Exit, Error> {
    let named = args.release.as_ref();
    let subject = Subject {
        name: "kubectl-tracebloc-history",
        namespace: Some(
            named
                .and_then(|release| release.namespace.as_ref())
                .unwrap_or(&asker.namespace),
        ),
        release: named.map(|release| &release.name),
        pull_secrets: false,
        notes: &[],
    };
    reading::print_rights(asker, ui, &question(), &subject, |_| Vec::new())
}

fn question() -> Question {
    Question {
        history: true,
        ..Question::default()
    }
}
