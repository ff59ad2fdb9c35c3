//! `outdated`: what is behind.

use tracebloc_core::assess::{self, Prereleases, Question};
use tracebloc_core::profile::Profile;
use tracebloc_core::report::{Order, OutdatedReport};
use tracebloc_core::rights::{self, Records};
use tracebloc_core::version::Constraint;

use crate::cli::{AnswerArgs, Only, OutdatedArgs, OutputFormat, SortBy};
use crate::context::{Asker, Context};
use crate::error::{Error, Exit};
use crate::gather::{self, Request, Scope};
use crate::http::ExtraRoots;
use crate::render::{self, Detail, Look};
use crate::ui::Ui;

pub(crate) async fn run(context: &Context, ui: &Ui, args: OutdatedArgs) -> Result<Exit, Error> {
    let OutdatedArgs {
        releases,
        all_namespaces,
        selector,
        all_charts,
        repo,
        no_cache,
        only,
        devel,
        constraint,
        plain_http,
        registry_mirror,
        compare_source,
        use_pull_secrets,
        ca_file,
        max_requests,
        print_rbac: _,
        answer,
    } = args;
    let profile = Profile::client()?;
    let question = question(&only, devel, constraint);
    let request = Request {
        scope: Scope::new(context, releases, all_namespaces, selector)?,
        question,
        all_charts,
        repository: repo,
        use_cache: !no_cache,
        plain_http,
        mirrors: registry_mirror,
        compare_source,
        use_pull_secrets,
        roots: match ca_file {
            Some(path) => ExtraRoots::read(&path)?,
            None => ExtraRoots::default(),
        },
        max_requests,
    };
    let gathered = {
        let _progress =
            ui.progress("asking the cluster, the chart repository and the registries …");
        gather::gather(context, ui, &profile, &request).await?
    };
    for note in &gathered.notes {
        ui.note(note);
    }
    let report = assess::outdated(&gathered.snapshot, &profile, &request.question);
    show(ui, report, &answer)
}

/// Shows what is wanted of the report, and answers the exit code.
fn show(ui: &Ui, mut report: OutdatedReport, args: &AnswerArgs) -> Result<Exit, Error> {
    report.ignore(&args.ignore);
    // What is too mild to be shown still counts.
    let failed = report.meets(&args.fail_on);
    if let Some(sort_by) = args.sort_by {
        report.sort_by(order(sort_by));
    }
    if let Some(least) = args.severity {
        report.keep_from(least);
    }
    let table = |detail| {
        let look = Look {
            styles: ui.styles(),
            detail,
            headers: !args.no_headers,
            width: ui.width(),
        };
        render::outdated::table(&report, &look)
    };
    let text = match args.output {
        OutputFormat::Table => table(Detail::Short),
        OutputFormat::Wide => table(Detail::Wide),
        OutputFormat::Json => render::json(&report)?,
        OutputFormat::Yaml => render::yaml(&report)?,
        OutputFormat::Name => render::name::names(&report),
        OutputFormat::Markdown => render::markdown::document(&report),
        OutputFormat::Prometheus => render::prometheus::metrics(&report),
    };
    if args.output == OutputFormat::Name && report.is_incomplete() {
        // The names alone would let what is unknown pass for current.
        ui.note(&format!(
            "{} unknown and may be behind too: see `--output table`",
            match report.summary.unknown {
                1 => "1 chart, image or release is".to_owned(),
                count => format!("{count} charts, images or releases are"),
            }
        ));
    }
    ui.answer(&text)?;
    Ok(exit(&report, failed, args.exit_code))
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
    let profile = Profile::client()?;
    let question = question(&args.only, args.devel, args.constraint.clone());
    let records = Records {
        resource: asker.storage.resource(),
        pull_secrets: args.use_pull_secrets,
    };
    let rights = rights::needed(&question, &profile, records);
    let subject = render::rights::Subject {
        name: "kubectl-tracebloc-outdated",
        namespace: (!args.all_namespaces).then_some(&asker.namespace),
        further: &profile.further_namespaces,
    };
    ui.answer(&render::rights::roles(&rights, &subject))?;
    Ok(Exit::Done)
}

fn question(only: &[Only], devel: bool, constraint: Option<Constraint>) -> Question {
    let wants = |what| only.is_empty() || only.contains(&what);
    Question {
        chart: wants(Only::Chart),
        image: wants(Only::Image),
        digest: wants(Only::Digest),
        automation: only.is_empty(),
        storage: false,
        prereleases: if devel {
            Prereleases::Include
        } else {
            Prereleases::WhereInstalled
        },
        constraint,
    }
}

fn exit(report: &OutdatedReport, failed: bool, exit_code: bool) -> Exit {
    if failed || (exit_code && report.is_behind()) {
        Exit::Behind
    } else if exit_code && report.is_incomplete() {
        Exit::Incomplete
    } else {
        Exit::Done
    }
}
