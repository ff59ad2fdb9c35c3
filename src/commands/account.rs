//! What a call that changes something tells: people see each plan in its turn, programs get one answer at the end, however the call ends.

use tracebloc_core::plan::{NoPlan, Plan, Step, StepState};

use crate::apply::{self, Means};
use crate::approve::{self, Answer, Approved};
use crate::cli::{ApprovalArgs, PlanFormat};
use crate::context::Context;
use crate::error::{Error, Exit};
use crate::interrupt::Interrupt;
use crate::render::{self, Detail, Look};
use crate::ui::Ui;

/// What is told of a call, and what it did so far.
pub(super) struct Account<'a> {
    pub(super) ui: &'a Ui,
    pub(super) command: &'static str,
    output: PlanFormat,
    /// What the plans before the last one did.
    done: Vec<Step>,
    /// The last plan, with how far its steps are.
    plan: Option<Plan>,
    /// In its place, where there is no release to plan for.
    nothing: Option<NoPlan>,
}

impl<'a> Account<'a> {
    pub(super) fn new(ui: &'a Ui, command: &'static str, output: PlanFormat) -> Self {
        Self {
            ui,
            command,
            output,
            done: Vec::new(),
            plan: None,
            nothing: None,
        }
    }

    /// A plan was made. The steps of the one before were carried out, and are told with it.
    pub(super) fn plan(&mut self, plan: &Plan) {
        if let Some(before) = self.plan.replace(plan.clone()) {
            self.done.extend(before.steps);
        }
    }

    /// There is no release.
    pub(super) fn nothing(&mut self, nothing: NoPlan) {
        self.nothing = Some(nothing);
    }

    /// Shows the plan to people.
    pub(super) fn show(&self) -> Result<(), Error> {
        if !self.output.is_screen() {
            return Ok(());
        }
        let Some(plan) = self.whole() else {
            return Ok(());
        };
        let look = Look {
            styles: self.ui.styles(),
            detail: if self.output == PlanFormat::Wide {
                Detail::Wide
            } else {
                Detail::Short
            },
            headers: true,
            width: self.ui.width(),
        };
        self.ui.answer(&render::plan::screen(&plan, &look))
    }

    /// Asks for the plan; `None` where the answer is no.
    pub(super) async fn ask(
        &mut self,
        context: &Context,
        args: &ApprovalArgs,
        interrupt: &Interrupt,
        plan: Plan,
    ) -> Result<Option<Approved>, Error> {
        match approve::ask(context, args, interrupt, plan).await? {
            Answer::Yes(approved) => Ok(Some(*approved)),
            Answer::No => {
                self.skip();
                self.ui.note(if self.has_acted() {
                    "nothing more was changed"
                } else {
                    "nothing was changed"
                });
                Ok(None)
            }
            Answer::Interrupted => Err(self.interrupted()),
        }
    }

    /// Carries out what was approved, and tells people what came of it.
    pub(super) async fn carry_out(
        &mut self,
        approved: Approved,
        means: &Means<'_>,
    ) -> Result<(), Error> {
        let applied = Box::pin(apply::apply(approved, means)).await;
        let told = render::plan::done(&applied.plan);
        self.plan = Some(applied.plan);
        match applied.failure {
            Some(failure) => Err(Error::Apply(failure)),
            None if self.output.is_screen() => self.ui.answer(&told),
            None => Ok(()),
        }
    }

    /// The last plan.
    pub(super) fn last(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// The end of a call that was told to stop while it changed nothing.
    pub(super) fn interrupted(&self) -> Error {
        Error::Interrupted {
            has_acted: self.has_acted(),
        }
    }

    /// The end of the call: programs are answered, also where it failed, as long as a plan was made. What a failure kept from being done is
    /// skipped.
    pub(super) fn close(mut self, outcome: Result<Exit, Error>) -> Result<Exit, Error> {
        if outcome.is_err() {
            self.skip();
        }
        let told = self.answer();
        let exit = outcome?;
        told.map(|()| exit)
    }

    fn answer(&self) -> Result<(), Error> {
        let encode = |yaml: bool| match (self.whole(), &self.nothing) {
            (Some(plan), _) if yaml => render::yaml(&plan).map(Some),
            (Some(plan), _) => render::json(&plan).map(Some),
            (None, Some(nothing)) if yaml => render::yaml(nothing).map(Some),
            (None, Some(nothing)) => render::json(nothing).map(Some),
            (None, None) => Ok(None),
        };
        let text = match self.output {
            PlanFormat::Table | PlanFormat::Wide => None,
            PlanFormat::Json => encode(false)?,
            PlanFormat::Yaml => encode(true)?,
        };
        text.map_or(Ok(()), |text| self.ui.answer(&text))
    }

    fn has_acted(&self) -> bool {
        let last = self.plan.iter().flat_map(|plan| &plan.steps);
        let mut steps = self.done.iter().chain(last);
        steps.any(|step| step.state == StepState::Done)
    }

    fn skip(&mut self) {
        let steps = self.plan.iter_mut().flat_map(|plan| &mut plan.steps);
        for step in steps.filter(|step| step.state == StepState::Pending) {
            step.state = StepState::Skipped;
        }
    }

    /// The last plan with all that was done before it in front.
    fn whole(&self) -> Option<Plan> {
        let mut whole = self.plan.clone()?;
        let waves = self.done.iter().filter_map(|step| step.wave).max();
        for wave in whole.steps.iter_mut().filter_map(|step| step.wave.as_mut()) {
            *wave += waves.unwrap_or_default();
        }
        whole.steps.splice(0..0, self.done.iter().cloned());
        Some(whole)
    }
}
