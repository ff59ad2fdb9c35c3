//! `outdated`: what is behind.

use tracebloc_core::assess::{self, Prereleases, Question};
use tracebloc_core::profile::Profile;
use tracebloc_core::report::OutdatedReport;

use crate::cli::{Only, OutdatedArgs, OutputFormat};
use crate::context::Context;
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
        repo,
        no_cache,
        only,
        devel,
        plain_http,
        use_pull_secrets,
        ca_file,
        max_requests,
        output,
        no_headers,
        exit_code,
    } = args;
    let profile = Profile::client()?;
    let question = question(&only, devel)?;
    let request = Request {
        scope: Scope::new(context, releases, all_namespaces, selector)?,
        question,
        repository: repo,
        use_cache: !no_cache,
        plain_http,
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
    let report = assess::outdated(&gathered.snapshot, &profile, question);
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

fn question(only: &[Only], devel: bool) -> Result<Question, Error> {
    if only.contains(&Only::Image) {
        return Err(Error::Usage {
            message:
                "`--only image`: newer version tags of images are not assessed by this version"
                    .to_owned(),
            hint: "use `--only digest` to see whether tags were moved, or `--only chart`",
        });
    }
    let wants = |what| only.is_empty() || only.contains(&what);
    Ok(Question {
        chart: wants(Only::Chart),
        digest: wants(Only::Digest),
        automation: only.is_empty(),
        storage: false,
        prereleases: if devel {
            Prereleases::Include
        } else {
            Prereleases::WhereInstalled
        },
    })
}

fn exit(report: &OutdatedReport, exit_code: bool) -> Exit {
    match (exit_code, report.is_behind(), report.is_incomplete()) {
        (false, _, _) | (true, false, false) => Exit::Done,
        (true, true, _) => Exit::Behind,
        (true, false, true) => Exit::Incomplete,
    }
}
