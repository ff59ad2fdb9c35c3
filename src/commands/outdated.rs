//! `outdated`: what is behind.

use tracebloc_core::assess::{self, Question};
use tracebloc_core::profile::Profile;
use tracebloc_core::report::{Order, OutdatedReport};

use super::reading::{self, Answer, Pace, Subject};
use super::watch::Form;
use crate::cli::{AnswerArgs, Only, OutdatedArgs, OutputFormat, SortBy};
use crate::context::{Asker, Context};
use crate::error::{Error, Exit};
use crate::gather::{Request, Scope};
use crate::render::{self, Detail, Look};
use crate::ui::Ui;

pub(crate) async fn run(context: Context, ui: &Ui, args: OutdatedArgs) -> Result<Exit, Error> {
    let profile = Profile::client()?;
    let question = question(&args);
    let scope = Scope::new(&context, args.releases, args.all_namespaces, args.selector)?;
    let request = Request {
        all_charts: args.all_charts,
        ..reading::request(scope, question, args.source)?
    };
    let answer = args.answer;
    let pace = Pace {
        watch: args.watch,
        form: form(answer.output),
    };
    let answering = reading::read(context, ui, &profile, &request, pace, |gathered| {
        let mut report = assess::outdated(&gathered.snapshot, &profile, &request.question);
        let exit = reading::choose(&mut report, &answer.finding);
        let text = text(ui, &mut report, &answer)?;
        Ok(Answer { text, exit, report })
    });
    answering.await
}

fn form(output: OutputFormat) -> Form {
    match output {
        OutputFormat::Table | OutputFormat::Wide => Form::Screen,
        OutputFormat::Json => Form::Documents(""),
        OutputFormat::Yaml => Form::Documents("---\n"),
        OutputFormat::Name | OutputFormat::Markdown | OutputFormat::Prometheus => {
            Form::Documents("\n")
        }
    }
}

/// The report in the form that is wanted.
fn text(ui: &Ui, report: &mut OutdatedReport, args: &AnswerArgs) -> Result<String, Error> {
    if let Some(sort_by) = args.sort_by {
        report.sort_by(order(sort_by));
    }
    let table = |detail| {
        let look = Look {
            styles: ui.styles(),
            detail,
            headers: !args.no_headers,
            width: ui.width(),
        };
        render::outdated::table(report, &look)
    };
    if args.output == OutputFormat::Name && report.summary.is_incomplete() {
        // The names alone would let what is unknown pass for current.
        ui.note(&format!(
            "{} unknown and may be behind too: see `--output table`",
            match report.summary.unknown {
                1 => "1 chart, image or release is".to_owned(),
                count => format!("{count} charts, images or releases are"),
            }
        ));
    }
    Ok(match args.output {
        OutputFormat::Table => table(Detail::Short),
        OutputFormat::Wide => table(Detail::Wide),
        OutputFormat::Json => render::json(report)?,
        OutputFormat::Yaml => render::yaml(report)?,
        OutputFormat::Name => render::name::names(report),
        OutputFormat::Markdown => render::markdown::document(report),
        OutputFormat::Prometheus => render::prometheus::metrics(report),
    })
}

fn order(sort_by: SortBy) -> Order {
    match sort_by {
        SortBy::Namespace => Order::Namespace,
        SortBy::Name => Order::Name,
        SortBy::Behind => Order::Behind,
        SortBy::Age => Order::Age,
        SortBy::Severity => Order::Severity,
    }
}

/// `--print-rbac`: the rights that the same call needs.
pub(crate) fn print_rights(asker: &Asker, ui: &Ui, args: &OutdatedArgs) -> Result<Exit, Error> {
    let subject = Subject {
        name: "kubectl-tracebloc-outdated",
        namespace: (!args.all_namespaces).then_some(&asker.namespace),
        release: None,
        pull_secrets: args.source.registry.use_pull_secrets,
        notes: &[],
    };
    reading::print_rights(asker, ui, &question(args), &subject, |_| Vec::new())
}

fn question(args: &OutdatedArgs) -> Question {
    let wants = |what| args.only.is_empty() || args.only.contains(&what);
    Question {
        chart: wants(Only::Chart),
        image: wants(Only::Image),
        digest: wants(Only::Digest),
        automation: args.only.is_empty(),
        storage: false,
        ..reading::question(&args.source)
    }
}
