//! `outdated`: what is behind.

use tracebloc_core::assess::{self, Prereleases, Question};
use tracebloc_core::profile::Profile;
use tracebloc_core::report::OutdatedReport;
use tracebloc_core::rights::{self, Records};
use tracebloc_core::version::Constraint;

use crate::cli::{Only, OutdatedArgs, OutputFormat};
use crate::context::{Asker, Context};
use crate::error::{Error, Exit};
use crate::gather::{self, Request, Scope};
use crate::http::ExtraRoots;
use crate::render;
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
        use_pull_secrets,
        ca_file,
        max_requests,
        print_rbac: _,
        output,
        no_headers,
        exit_code,
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
    let text = match output {
        OutputFormat::Table => {
            render::outdated::table(&report, &ui.styles(), render::Detail::Short, !no_headers)
        }
        OutputFormat::Wide => {
            render::outdated::table(&report, &ui.styles(), render::Detail::Wide, !no_headers)
        }
        OutputFormat::Json => render::json(&report)?,
        OutputFormat::Yaml => render::yaml(&report)?,
    };
    ui.answer(&text)?;
    Ok(exit(&report, exit_code))
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

fn exit(report: &OutdatedReport, exit_code: bool) -> Exit {
    match (exit_code, report.is_behind(), report.is_incomplete()) {
        (false, _, _) | (true, false, false) => Exit::Done,
        (true, true, _) => Exit::Behind,
        (true, false, true) => Exit::Incomplete,
    }
}
