//! What the reading commands have in common: gather → assess → render, once or again and again.

use serde::Serialize;
use tracebloc_core::assess::{Prereleases, Question};
use tracebloc_core::name::{Namespace, ReleaseName};
use tracebloc_core::profile::Profile;
use tracebloc_core::report::Report;
use tracebloc_core::rights::{self, Records, Right};

use super::watch::{Form, Round, Rounds};
use crate::cli::{FindingArgs, RegistryArgs, SourceArgs, StatusFormat, WatchArgs};
use crate::context::{Asker, Context};
use crate::error::{Error, Exit};
use crate::gather::{self, Gathered, Request, Scope};
use crate::http::ExtraRoots;
use crate::render::{self, Detail, Look};
use crate::ui::{Ui, harmless};

/// What to find out of the cluster, but for what a command asks of its own.
pub(super) fn of_the_cluster(scope: Scope, question: Question) -> Request {
    Request {
        scope,
        question,
        all_charts: false,
        repository: None,
        use_cache: false,
        plain_http: Vec::new(),
        mirrors: Vec::new(),
        compare_source: None,
        use_pull_secrets: false,
        roots: ExtraRoots::default(),
        max_requests: None,
        earlier: 0,
        single: false,
    }
}

/// The same with what is published.
pub(super) fn request(
    scope: Scope,
    question: Question,
    source: SourceArgs,
) -> Result<Request, Error> {
    Ok(Request {
        repository: source.repo,
        compare_source: source.compare_source,
        ..of_images(scope, question, source.registry)?
    })
}

/// The same for a command that asks about images only.
pub(super) fn of_images(
    scope: Scope,
    question: Question,
    registry: RegistryArgs,
) -> Result<Request, Error> {
    Ok(Request {
        use_cache: !registry.no_cache,
        plain_http: registry.plain_http,
        mirrors: registry.registry_mirror,
        use_pull_secrets: registry.use_pull_secrets,
        roots: match registry.ca_file {
            Some(path) => ExtraRoots::read(&path)?,
            None => ExtraRoots::default(),
        },
        max_requests: registry.max_requests,
        ..of_the_cluster(scope, question)
    })
}

/// What the sources say of the question.
pub(super) fn question(source: &SourceArgs) -> Question {
    Question {
        prereleases: if source.devel {
            Prereleases::Include
        } else {
            Prereleases::WhereInstalled
        },
        constraint: source.constraint.clone(),
        all_images: source.all_images,
        ..Question::default()
    }
}

/// One answer of a reading command.
pub(super) struct Answer<R> {
    /// What is shown.
    pub(super) text: String,
    /// How the command ends with it.
    pub(super) exit: Exit,
    /// The report that the text is of.
    pub(super) report: R,
}

/// How often a command asks, and in which form it answers.
pub(super) struct Pace {
    /// Once, or again and again.
    pub(super) watch: WatchArgs,
    /// The form of the answers.
    pub(super) form: Form,
}

/// Gathers, and shows what `assess` makes of it; with `--watch` again and again, until the program is interrupted.
pub(super) async fn read<R: Serialize>(
    mut context: Context,
    ui: &Ui,
    profile: &Profile,
    request: &Request,
    pace: Pace,
    assess: impl Fn(&Gathered) -> Result<Answer<R>, Error>,
) -> Result<Exit, Error> {
    let ask = async |context: &Context| {
        let Question {
            chart,
            image,
            digest,
            ..
        } = request.question;
        let _progress = ui.progress(if chart || image || digest {
            "asking the cluster, the chart repository and the registries …"
        } else {
            "asking the cluster …"
        });
        Box::pin(gather::gather(context, ui, profile, request)).await
    };
    let Some(interval) = pace.watch.interval() else {
        let gathered = ask(&context).await?;
        for note in &gathered.notes {
            ui.note(note);
        }
        let answer = assess(&gathered)?;
        ui.answer(&answer.text)?;
        return Ok(answer.exit);
    };
    let mut rounds = Rounds::new(pace.form);
    let mut refused = false;
    loop {
        let outcome = async {
            context.renew(refused).await?;
            let gathered = ask(&context).await?;
            let answer = assess(&gathered)?;
            let text = noted(pace.form, &gathered.notes, answer.text);
            Round::answered(text, &answer.report)
        };
        let round = outcome.await.unwrap_or_else(Round::Failed);
        let was_refused = std::mem::replace(&mut refused, round.is_unauthorized());
        // Once at once with new credentials, then at the pace of the rest.
        if !refused || was_refused {
            rounds.show(ui, round, context.now)?;
            tokio::time::sleep(interval).await;
        }
    }
}

/// What is worth knowing of the way to an answer stands above it, where people read it.
fn noted(form: Form, notes: &[String], text: String) -> String {
    match form {
        Form::Screen if !notes.is_empty() => {
            let notes: Vec<String> = notes.iter().map(|note| harmless(note)).collect();
            format!("{}\n{text}", notes.join("\n"))
        }
        Form::Screen | Form::Documents(_) => text,
    }
}

/// The report of one release in the form that was asked for; for people as the command draws it.
pub(super) fn text(
    ui: &Ui,
    report: &impl Serialize,
    output: StatusFormat,
    screen: impl Fn(&Look) -> String,
) -> Result<String, Error> {
    let look = |detail| Look {
        styles: ui.styles(),
        detail,
        headers: true,
        width: ui.width(),
    };
    Ok(match output {
        StatusFormat::Table => screen(&look(Detail::Short)),
        StatusFormat::Wide => screen(&look(Detail::Wide)),
        StatusFormat::Json => render::json(report)?,
        StatusFormat::Yaml => render::yaml(report)?,
    })
}

/// Takes out of the report what is not to be shown, and answers the exit code.
pub(super) fn choose(report: &mut impl Report, args: &FindingArgs) -> Exit {
    report.ignore(&args.ignore);
    // What is too mild to be shown still counts.
    let failed = report.meets(&args.fail_on);
    if let Some(least) = args.severity {
        report.keep_from(least);
    }
    let summary = report.summary();
    if failed || (args.exit_code && summary.is_behind()) {
        Exit::Behind
    } else if args.exit_code && summary.is_incomplete() {
        Exit::Incomplete
    } else {
        Exit::Done
    }
}

/// Whose rights are printed, and where they hold.
pub(super) struct Subject<'a> {
    /// The name of the roles.
    pub(super) name: &'static str,
    /// The namespace of the releases; `None` for all namespaces.
    pub(super) namespace: Option<&'a Namespace>,
    /// The one release, where it is named.
    pub(super) release: Option<&'a ReleaseName>,
    /// Whether pull secrets are read.
    pub(super) pull_secrets: bool,
    /// What else is to be known of the rights, a line each.
    pub(super) notes: &'a [&'a str],
}

/// `--print-rbac`: the rights that a question needs, and those that the command needs beside it.
pub(super) fn print_rights(
    asker: &Asker,
    ui: &Ui,
    question: &Question,
    subject: &Subject<'_>,
    beside: impl FnOnce(&Profile) -> Vec<Right>,
) -> Result<Exit, Error> {
    let profile = Profile::client()?;
    let records = Records {
        resource: asker.storage.resource(),
        pull_secrets: subject.pull_secrets,
        release: subject.release,
    };
    let mut rights = rights::needed(question, &profile, records);
    rights.extend(beside(&profile));
    let subject = render::rights::Subject {
        name: subject.name,
        namespace: subject.namespace,
        further: &profile.further_namespaces,
        notes: subject.notes,
    };
    ui.answer(&render::rights::roles(&rights, &subject))?;
    Ok(Exit::Done)
}
