//! `pin`, `unpin` and `refresh --tag`: gather → assess → plan → approve → apply → show.

use std::collections::BTreeMap;
use std::time::Duration;

use tracebloc_core::advice::Advisor;
use tracebloc_core::assess::Question;
use tracebloc_core::plan::{self, Act, Aim, Decision, Pinning, Plan, Setting};
use tracebloc_core::profile::Profile;
use tracebloc_core::rights;
use tracebloc_core::snapshot::Snapshot;

use super::account::Account;
use super::reading::{self, Subject};
use super::refresh::{Limits, end, make, values_of};
use crate::apply::{HelmMeans, Means, Pace};
use crate::cli::{HoldArgs, PinArgs, RefreshArgs, ReleaseSelector, UnpinArgs};
use crate::context::{Asker, Context};
use crate::error::{Error, Exit};
use crate::gather::{self, Request, Scope};
use crate::helm::{Helm, HelmError};
use crate::interrupt::Interrupt;
use crate::render;
use crate::ui::Ui;

/// What no role of ours can say.
const HELM_RIGHTS: &[&str] = &[
    "Where the image has a value in the chart, Helm sets it by an upgrade, as the same account. That takes more than stands here, and only the chart tells what:",
    "to get, list, create, update and delete Helm's records (secrets), and to get, list, watch, create, patch and delete whatever the chart contains.",
];

pub(crate) async fn pin(
    context: Context,
    ui: &Ui,
    interrupt: &Interrupt,
    args: PinArgs,
) -> Result<Exit, Error> {
    let manner = Manner {
        prints_values: args.print_values,
        ..Manner::default()
    };
    let mut account = Account::new(ui, "pin", args.hold.output);
    let outcome = Box::pin(run(context, interrupt, args.hold, manner, &mut account)).await;
    account.close(outcome)
}

pub(crate) async fn unpin(
    context: Context,
    ui: &Ui,
    interrupt: &Interrupt,
    args: UnpinArgs,
) -> Result<Exit, Error> {
    let manner = Manner {
        aim: Aim::LetGo,
        ..Manner::default()
    };
    let mut account = Account::new(ui, "unpin", args.hold.output);
    let outcome = Box::pin(run(context, interrupt, args.hold, manner, &mut account)).await;
    account.close(outcome)
}

/// `refresh --rollback --pin`: what was gone back to is held. What was done for that is told with it.
pub(super) async fn hold(
    context: Context,
    interrupt: &Interrupt,
    args: HoldArgs,
    account: &mut Account<'_>,
) -> Result<Exit, Error> {
    Box::pin(run(context, interrupt, args, Manner::default(), account)).await
}

/// `refresh --tag`: images are moved to another tag.
pub(super) async fn to_tag(
    context: Context,
    ui: &Ui,
    interrupt: &Interrupt,
    args: &RefreshArgs,
    (aim, chosen): (Aim, HoldArgs),
) -> Result<Exit, Error> {
    let manner = Manner {
        aim,
        min_ready: args.min_ready.0,
        soak: args.soak.0,
        ..Manner::default()
    };
    let mut account = Account::new(ui, "refresh", chosen.output);
    let outcome = Box::pin(run(context, interrupt, chosen, manner, &mut account)).await;
    account.close(outcome)
}

/// How one of these commands differs from another.
#[derive(Default)]
struct Manner {
    aim: Aim,
    /// `--print-values`: nothing is changed.
    prints_values: bool,
    min_ready: Duration,
    soak: Duration,
}

/// The same of the images that a plan moved.
pub(super) fn of_plan(args: HoldArgs, plan: Option<&Plan>) -> HoldArgs {
    let Some(plan) = plan else {
        return args;
    };
    let moved = plan
        .images
        .iter()
        .filter(|image| image.decision == Decision::Move);
    HoldArgs {
        release: Some(ReleaseSelector {
            namespace: Some(plan.release.namespace.clone()),
            name: plan.release.name.clone(),
        }),
        image: moved.map(|image| image.name.clone()).collect(),
        ..args
    }
}

async fn run(
    mut context: Context,
    interrupt: &Interrupt,
    args: HoldArgs,
    manner: Manner,
    account: &mut Account<'_>,
) -> Result<Exit, Error> {
    let profile = Profile::client()?;
    let helm = Helm::find(&context).await;
    let Manner {
        aim,
        prints_values,
        min_ready,
        soak,
    } = manner;
    let question = question(&aim, &args);
    let wish = args.wish(aim, helm.as_ref().ok().map(|helm| helm.major));
    let named = args.release.iter().cloned().collect();
    let scope = Scope::new(&context, named, false, None)?;
    let request = Request {
        single: true,
        repository: args.repo,
        ..reading::of_images(scope, question, args.registry)?
    };
    let mut limits = Limits {
        settled: args.wait_settled.map(|limit| limit.0),
        jobs: args.wait_for_jobs.map(|limit| limit.0),
    };
    let mut values = None;
    let mut ways_out = (None, Vec::new());
    let planned = make(
        &mut context,
        account,
        interrupt,
        &profile,
        &request,
        &mut limits,
        |snapshot| {
            let Pinning {
                plan,
                values: found,
                printed,
                by_hand,
            } = plan::pin(snapshot, &profile, &wish)?;
            values = Some(found);
            ways_out = (printed, by_hand);
            // What is only printed waits for nothing.
            Ok(if prints_values {
                Plan {
                    refusals: Vec::new(),
                    ..plan
                }
            } else {
                plan
            })
        },
    );
    let Some((plan, snapshot)) = planned.await? else {
        return Ok(Exit::Done);
    };
    if prints_values {
        return print_values(account.ui, &plan, &values.unwrap_or_default());
    }
    account.plan(&plan);
    account.show()?;
    if args.approval.dry_run || !plan.refusals.is_empty() || plan.steps.is_empty() {
        return Ok(end(&plan));
    }
    let helm = means(&context, &profile, &request, &snapshot, &plan, helm)
        .await
        .map_err(|error| lacking(error, ways_out))?;
    let approval = &args.approval;
    let Some(approved) = account.ask(&context, approval, interrupt, plan).await? else {
        return Ok(Exit::Done);
    };
    let means = Means {
        context: &context,
        ui: account.ui,
        profile: &profile,
        request: &request,
        pace: Pace {
            timeout: approval.timeout.0,
            min_ready,
            soak,
            jobs: args.wait_for_jobs.map(|limit| limit.0).unwrap_or_default(),
        },
        interrupt,
        conceals: values_of(&snapshot),
        helm: helm.as_ref(),
    };
    account.carry_out(approved, &means).await?;
    Ok(Exit::Done)
}

/// What is asked: everything that a judgement of digests takes, and the deployed version, which is taken from where newer ones are looked for.
fn question(aim: &Aim, args: &HoldArgs) -> Question {
    let tags = match aim {
        Aim::Tag { tag, .. } => {
            let names = args.image.iter();
            names.map(|name| (name.clone(), tag.clone())).collect()
        }
        Aim::Hold | Aim::LetGo => BTreeMap::new(),
    };
    Question {
        chart: true,
        digest: true,
        automation: true,
        all_images: true,
        tags,
        ..Question::default()
    }
}

/// `--print-rbac`: the rights that the same call needs. What Helm needs for its upgrade only the chart tells.
pub(crate) fn print_rights(
    asker: &Asker,
    ui: &Ui,
    name: &'static str,
    aim: &Aim,
    args: &HoldArgs,
) -> Result<Exit, Error> {
    let named = args.release.as_ref();
    let namespace = named.and_then(|release| release.namespace.as_ref());
    let release = named.map(|release| &release.name);
    let subject = Subject {
        name,
        namespace: Some(namespace.unwrap_or(&asker.namespace)),
        release,
        pull_secrets: args.registry.use_pull_secrets,
        notes: if args.approval.dry_run {
            &[]
        } else {
            HELM_RIGHTS
        },
    };
    reading::print_rights(asker, ui, &question(aim, args), &subject, |profile| {
        if args.approval.dry_run {
            return Vec::new();
        }
        let images = args.image.iter().cloned().collect();
        rights::of_pin(&images, profile, release)
    })
}

/// Prints what to set where values are kept elsewhere.
fn print_values(ui: &Ui, plan: &Plan, values: &BTreeMap<String, Setting>) -> Result<Exit, Error> {
    if values.is_empty() {
        for image in &plan.images {
            ui.note(&format!("{}: {}", image.name, image.reason));
        }
        return Ok(Exit::Guarded);
    }
    ui.answer(&render::values::snippet(values)?)?;
    Ok(Exit::Done)
}

/// What a plan takes that upgrades the release: a Helm, and the package of the deployed chart version. Both are looked at before anybody is asked.
async fn means(
    context: &Context,
    profile: &Profile,
    request: &Request,
    snapshot: &Snapshot,
    plan: &Plan,
    helm: Result<Helm, HelmError>,
) -> Result<Option<HelmMeans>, Error> {
    let Some(upgrade) = plan.steps.iter().find_map(|step| match &step.act {
        Act::SetValue(change) => Some(change),
        _ => None,
    }) else {
        return Ok(None);
    };
    let helm = helm.map_err(Error::Helm)?;
    let package = gather::package(context, profile, request, snapshot).await?;
    let advisor = Advisor::new(&snapshot.context);
    Ok(Some(HelmMeans {
        helm,
        package,
        way_back: advisor.rollback(&plan.release, upgrade.revision),
    }))
}

/// What is lacking, with the other ways to the same. A package that is not to be had, or is not the right one, no other Helm should take either.
fn lacking(error: Error, (printed, by_hand): (Option<String>, Vec<String>)) -> Error {
    let mut way_out: Vec<String> = printed.into_iter().collect();
    if matches!(error, Error::Helm(_)) {
        way_out.extend(by_hand);
    }
    Error::Lacking {
        source: Box::new(error),
        way_out,
    }
}
