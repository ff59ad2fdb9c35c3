//! `refresh`: gather → assess → plan → approve → apply → show.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracebloc_core::assess::Question;
use tracebloc_core::plan::{self, Act, Guard, Plan, RefreshWish, Step, WishError};
use tracebloc_core::profile::{Profile, ProfileImage};
use tracebloc_core::release::Values;
use tracebloc_core::rights;
use tracebloc_core::snapshot::Snapshot;
use tracebloc_core::workload::WorkloadKind;

use super::pin;
use super::reading::{self, Subject};
use crate::apply::{self, Means, Pace};
use crate::approve::{self, Approved};
use crate::cli::{HoldArgs, PlanFormat, RefreshArgs};
use crate::context::{Asker, Context};
use crate::error::{Error, Exit};
use crate::gather::{self, Request, Scope};
use crate::interrupt::Interrupt;
use crate::render::{self, Detail, Look};
use crate::ui::Ui;

/// How soon it is looked again whether a guard has given way.
const LOOK: Duration = Duration::from_secs(2);

/// Every annotation that is written makes a new generation of a Deployment, and until its controller has seen it that looks like a rollout.
const UNOBSERVED: Duration = Duration::from_secs(3);

/// A Job that started in the moment that was waited for is waited for too, for so long.
const AFTER_TICK: Duration = Duration::from_secs(600);

pub(crate) async fn run(
    mut context: Context,
    ui: &Ui,
    interrupt: &Interrupt,
    args: RefreshArgs,
) -> Result<Exit, Error> {
    if let Some(aim) = args.aim() {
        return pin::to_tag(context, ui, interrupt, &args, aim).await;
    }
    let profile = Profile::client()?;
    let wish = args.wish();
    let scope = Scope::new(
        &context,
        args.release.iter().cloned().collect(),
        false,
        None,
    )?;
    let hold = args.hold();
    let question = question(&profile, &wish);
    let request = Request {
        single: true,
        ..reading::of_images(scope, question, args.registry)?
    };
    let approval = args.approval;
    let is_screen = args.output.is_screen();
    let mut patience = Patience {
        settled: args.wait_settled.map(|limit| limit.0),
        jobs: args.wait_for_jobs.map(|limit| limit.0),
        began: Instant::now(),
    };
    // A run that another one left unfinished comes first, and what is behind after it is a plan of its own.
    let mut done: Vec<Step> = Vec::new();
    loop {
        let planned = make(
            &mut context,
            ui,
            &profile,
            &request,
            &mut patience,
            |snapshot| plan::refresh(snapshot, &profile, &wish),
        );
        let Some((plan, snapshot)) = planned.await? else {
            return Ok(Exit::Done);
        };
        let finishes = plan
            .steps
            .iter()
            .any(|step| matches!(step.act, Act::Finish(_)));
        let says = |plan: &Plan| show(ui, plan, &done, args.output);
        if approval.dry_run || !plan.refusals.is_empty() || plan.steps.is_empty() {
            return match hold {
                // It was gone back before, and is only to be held yet.
                Some(hold) if plan.is_empty() && !hold.image.is_empty() => {
                    if is_screen {
                        says(&plan)?;
                    }
                    pin::hold(context, ui, interrupt, hold, done).await
                }
                Some(_) | None => {
                    says(&plan)?;
                    Ok(end(&plan))
                }
            };
        }
        if is_screen {
            says(&plan)?;
        }
        let incomplete = plan.is_incomplete();
        let Some(approved) = approve::ask(&context, &approval, plan)? else {
            ui.note("nothing was changed");
            return Ok(Exit::Done);
        };
        let means = Means {
            context: &context,
            ui,
            profile: &profile,
            request: &request,
            pace: Pace {
                timeout: approval.timeout.0,
                min_ready: args.min_ready.0,
                soak: args.soak.0,
                jobs: patience.jobs.unwrap_or_default(),
            },
            interrupt,
            conceals: values_of(&snapshot),
            helm: None,
        };
        let carried_out = carry_out(approved, &means, args.output, says).await?;
        if finishes {
            done.extend(carried_out.steps);
            continue;
        }
        if let Some(hold) = hold {
            if is_screen {
                tell(ui, &carried_out, args.output, says)?;
            }
            done.extend(carried_out.steps.clone());
            return then_hold(context, ui, interrupt, hold, carried_out, done).await;
        }
        tell(ui, &carried_out, args.output, says)?;
        return Ok(if incomplete { Exit::Failed } else { Exit::Done });
    }
}

/// Holds what was gone back to. Programs are told of both at the end, in one plan; of the way back alone where nothing comes of the other.
async fn then_hold(
    context: Context,
    ui: &Ui,
    interrupt: &Interrupt,
    hold: HoldArgs,
    back: Plan,
    done: Vec<Step>,
) -> Result<Exit, Error> {
    let output = hold.output;
    let hold = pin::of_plan(hold, &back);
    let outcome = pin::hold(context, ui, interrupt, hold, done.clone()).await;
    let is_told = matches!(&outcome, Ok(_) | Err(Error::Apply(_)));
    if !output.is_screen() && !is_told {
        let back = Plan {
            steps: done,
            ..back
        };
        show(ui, &back, &[], output)?;
    }
    outcome
}

/// Carries out what was approved. What came of its steps is shown to programs also where it failed.
pub(super) async fn carry_out(
    approved: Approved,
    means: &Means<'_>,
    output: PlanFormat,
    says: impl Fn(&Plan) -> Result<(), Error>,
) -> Result<Plan, Error> {
    let applied = Box::pin(apply::apply(approved, means)).await;
    let Some(failure) = applied.failure else {
        return Ok(applied.plan);
    };
    if !output.is_screen() {
        says(&applied.plan)?;
    }
    Err(Error::Apply(failure))
}

/// Shows what came of a plan: people saw it before, programs see it now.
pub(super) fn tell(
    ui: &Ui,
    plan: &Plan,
    output: PlanFormat,
    says: impl Fn(&Plan) -> Result<(), Error>,
) -> Result<(), Error> {
    if output.is_screen() {
        ui.answer(&render::plan::done(plan))
    } else {
        says(plan)
    }
}

/// What is asked: everything that a judgement of digests takes, and which Jobs of the chart run.
fn question(profile: &Profile, wish: &RefreshWish) -> Question {
    Question {
        digest: true,
        history: wish.pace.is_some(),
        jobs: true,
        images: followed(profile, wish),
        nodes_where_needed: true,
        all_images: wish.all || !wish.images.is_empty(),
        ..Question::default()
    }
}

/// The images that something may be decided about; `None` for all of them.
fn followed(profile: &Profile, wish: &RefreshWish) -> Option<BTreeSet<String>> {
    if !wish.images.is_empty() {
        return Some(beside(profile, &wish.images));
    }
    // What is gone back from may have been any of them.
    if wish.all || wish.rollback {
        return None;
    }
    let followed = profile.images.iter().filter(|image| image.record.is_some());
    Some(followed.map(|image| image.name.clone()).collect())
}

/// These images, and those in the same pods: what a restart pulls along is part of the plan.
fn beside(profile: &Profile, named: &BTreeSet<String>) -> BTreeSet<String> {
    let pods = |image: &ProfileImage| -> BTreeSet<(WorkloadKind, String)> {
        let of_containers = image.containers.iter();
        of_containers
            .chain(image.carried.iter().map(|carried| &carried.container))
            .map(|container| (container.kind, container.workload.clone()))
            .collect()
    };
    let shared: BTreeSet<_> = profile
        .images
        .iter()
        .filter(|image| named.contains(&image.name))
        .flat_map(pods)
        .collect();
    let sharing = profile
        .images
        .iter()
        .filter(|image| !pods(image).is_disjoint(&shared))
        .map(|image| image.name.clone());
    sharing.chain(named.iter().cloned()).collect()
}

/// `--print-rbac`: the rights that the same call needs, those to change something only where it may.
pub(crate) fn print_rights(asker: &Asker, ui: &Ui, args: &RefreshArgs) -> Result<Exit, Error> {
    let named = args.release.as_ref();
    let namespace = named.and_then(|release| release.namespace.as_ref());
    let subject = Subject {
        name: "kubectl-tracebloc-refresh",
        namespace: Some(namespace.unwrap_or(&asker.namespace)),
        release: args.release.as_ref().map(|release| &release.name),
        pull_secrets: args.registry.use_pull_secrets,
    };
    let (profile, wish) = (Profile::client()?, args.wish());
    reading::print_rights(asker, ui, &question(&profile, &wish), &subject, |profile| {
        if args.approval.dry_run {
            return Vec::new();
        }
        rights::of_refresh(&wish, profile, named.map(|release| &release.name))
    })
}

/// How long guards that time may lift are waited for.
pub(super) struct Patience {
    pub(super) settled: Option<Duration>,
    pub(super) jobs: Option<Duration>,
    pub(super) began: Instant,
}

impl Patience {
    /// True if the user is ready to wait.
    fn is_long(&self) -> bool {
        self.settled.is_some() || self.jobs.is_some()
    }

    /// True if every guard that says no may still give way.
    fn lasts(&mut self, plan: &Plan) -> bool {
        if plan.refusals.is_empty() {
            return false;
        }
        if plan
            .refusals
            .iter()
            .any(|refusal| refusal.guard == Guard::TickNear)
        {
            self.jobs.get_or_insert(AFTER_TICK);
        }
        let waited = self.began.elapsed();
        let lasts = |limit: Option<Duration>| limit.is_some_and(|limit| waited < limit);
        plan.refusals.iter().all(|refusal| match refusal.guard {
            Guard::Unsettled => lasts(Some(self.settled.unwrap_or_default().max(UNOBSERVED))),
            Guard::JobRunning | Guard::TickNear => lasts(self.jobs),
            guard => guard.may_pass(),
        })
    }
}

/// The plan with what it was made from, once no guard is worth waiting for; `None` where there is no release.
pub(super) async fn make(
    context: &mut Context,
    ui: &Ui,
    profile: &Profile,
    request: &Request,
    patience: &mut Patience,
    mut plan: impl FnMut(&Snapshot) -> Result<Plan, WishError>,
) -> Result<Option<(Plan, Snapshot)>, Error> {
    let (mut told, mut refused, mut looks) = (false, false, 0);
    loop {
        context.renew(refused).await?;
        let gathered = {
            let _progress = ui.progress("asking the cluster and the registries …");
            Box::pin(gather::gather(context, ui, profile, request)).await
        };
        let gathered = match gathered {
            // What was waited for may have taken longer than the credentials last.
            Err(error) if error.is_unauthorized() && !refused && looks > 0 => {
                refused = true;
                continue;
            }
            outcome => outcome?,
        };
        (refused, looks) = (false, looks + 1);
        let plan = match plan(&gathered.snapshot) {
            Ok(plan) => plan,
            Err(WishError::NoRelease) => {
                for note in &gathered.notes {
                    ui.note(note);
                }
                return Ok(None);
            }
            Err(error) => return Err(Error::Wish(error)),
        };
        if !patience.lasts(&plan) {
            return Ok(Some((plan, gathered.snapshot)));
        }
        if patience.is_long() && !std::mem::replace(&mut told, true) {
            for refusal in &plan.refusals {
                ui.note(&format!(
                    "waiting: {}: {}",
                    refusal.subject, refusal.message
                ));
            }
        }
        sleep(if patience.is_long() { LOOK } else { LOOK / 4 }).await;
    }
}

/// The values of the release, which nothing may repeat.
pub(super) fn values_of(snapshot: &Snapshot) -> Values {
    let release = snapshot
        .releases
        .first()
        .and_then(|observed| observed.current().known());
    release
        .map(|release| release.values.clone())
        .unwrap_or_default()
}

/// How a plan ends that is not carried out.
pub(super) fn end(plan: &Plan) -> Exit {
    if !plan.refusals.is_empty() {
        Exit::Guarded
    } else if plan.is_incomplete() {
        Exit::Failed
    } else {
        Exit::Done
    }
}

pub(super) fn show(ui: &Ui, plan: &Plan, done: &[Step], format: PlanFormat) -> Result<(), Error> {
    let mut whole = plan.clone();
    let waves = done.iter().filter_map(|step| step.wave).max();
    for wave in whole.steps.iter_mut().filter_map(|step| step.wave.as_mut()) {
        *wave += waves.unwrap_or_default();
    }
    whole.steps.splice(0..0, done.iter().cloned());
    let text = match format {
        PlanFormat::Table | PlanFormat::Wide => {
            let look = Look {
                styles: ui.styles(),
                detail: if format == PlanFormat::Wide {
                    Detail::Wide
                } else {
                    Detail::Short
                },
                headers: true,
                width: ui.width(),
            };
            render::plan::screen(plan, &look)
        }
        PlanFormat::Json => render::json(&whole)?,
        PlanFormat::Yaml => render::yaml(&whole)?,
    };
    ui.answer(&text)
}
