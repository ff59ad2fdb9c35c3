//! `status`: one release in full.

use tracebloc_core::assess::{self, Question};
use tracebloc_core::profile::Profile;

use super::reading::{self, Answer, Pace, Subject};
use super::watch::Form;
use crate::cli::{StatusArgs, StatusFormat};
use crate::context::{Asker, Context};
use crate::error::{Error, Exit};
use crate::gather::{Request, Scope};
use crate::render;
use crate::ui::Ui;

/// How many revisions before the newest are told of.
const EARLIER_REVISIONS: usize = 4;

pub(crate) async fn run(context: Context, ui: &Ui, args: StatusArgs) -> Result<Exit, Error> {
    let profile = Profile::client()?;
    let question = question(&args);
    let scope = Scope::new(&context, args.release.into_iter().collect(), false, None)?;
    let request = Request {
        earlier: EARLIER_REVISIONS,
        single: true,
        ..reading::request(scope, question, args.source)?
    };
    let (output, finding) = (args.output, args.finding);
    let program = context.invocation.program();
    let pace = Pace {
        watch: args.watch,
        form: match output {
            StatusFormat::Table | StatusFormat::Wide => Form::Screen,
            StatusFormat::Json => Form::Documents(""),
            StatusFormat::Yaml => Form::Documents("---\n"),
        },
    };
    let answering = reading::read(context, ui, &profile, &request, pace, |gathered| {
        let Some(mut report) = assess::status(&gathered.snapshot, &profile, &request.question)
        else {
            // There is no release, and a note says so.
            return Ok(Answer {
                text: String::new(),
                exit: Exit::Done,
                report: None,
            });
        };
        let exit = reading::choose(&mut report, &finding);
        Ok(Answer {
            text: reading::text(ui, &report, output, |look| {
                render::status::screen(&report, look, program)
            })?,
            exit,
            report: Some(report),
        })
    });
    answering.await
}

/// `--print-rbac`: the rights that the same call needs.
pub(crate) fn print_rights(asker: &Asker, ui: &Ui, args: &StatusArgs) -> Result<Exit, Error> {
    let named = args
        .release
        .as_ref()
        .and_then(|release| release.namespace.as_ref());
    let subject = Subject {
        name: "kubectl-tracebloc-status",
        namespace: Some(named.unwrap_or(&asker.namespace)),
        release: args.release.as_ref().map(|release| &release.name),
        pull_secrets: args.source.registry.use_pull_secrets,
        notes: &[],
    };
    reading::print_rights(asker, ui, &question(args), &subject, |_| Vec::new())
}

fn question(args: &StatusArgs) -> Question {
    Question {
        chart: true,
        image: true,
        digest: true,
        automation: true,
        storage: true,
        ..reading::question(&args.source)
    }
}
