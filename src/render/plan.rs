//! The screen of a plan: what was decided about each image, what is done in which order, and what says no.

use std::fmt::Write as _;

use tracebloc_core::image::Digest;
use tracebloc_core::plan::{Decision, Plan, Refusal, Step, StepState};
use tracebloc_core::time::counted;

use super::grid::{Cell, Grid};
use super::text::{harmless, wrap};
use super::{Detail, Look};

/// How much of a digest's hexadecimal digits is shown where there is little room.
const SHOWN: usize = 12;

/// The whole plan for people.
pub(crate) fn screen(plan: &Plan, look: &Look) -> String {
    let mut text = String::new();
    let name = plan.context.name.as_deref().unwrap_or("(none)");
    let (faint, header) = (look.styles.faint, look.styles.header);
    line!(
        text,
        "Context: {}  {faint}{}{faint:#}",
        harmless(name),
        harmless(&plan.context.server)
    );
    line!(text, "Release: {header}{}{header:#}", plan.release);
    images(&mut text, plan, look);
    steps(&mut text, plan, look);
    for warning in &plan.warnings {
        let warned = look.styles.warning;
        paragraph(
            &mut text,
            &format!("{warned}note{warned:#}: {}", harmless(warning)),
            look,
        );
    }
    refusals(&mut text, plan, look);
    text
}

/// What is said once a plan was carried out.
pub(crate) fn done(plan: &Plan) -> String {
    let done = plan
        .steps
        .iter()
        .filter(|step| step.state == StepState::Done);
    let rollouts = done
        .clone()
        .filter(|step| step.act.rollout().is_some())
        .count();
    let mut told = vec![format!("{} done", counted(done.count() as u64, "step"))];
    if rollouts > 0 {
        told.push(counted(rollouts as u64, "rollout"));
    }
    format!("{}: {}\n", plan.release, told.join(", "))
}

fn title(text: &mut String, name: &str, look: &Look) {
    let header = look.styles.header;
    line!(text, "\n{header}{name}{header:#}");
}

fn paragraph(text: &mut String, words: &str, look: &Look) {
    for line in wrap(words, look.width, "  ") {
        line!(text, "{line}");
    }
}

fn images(text: &mut String, plan: &Plan, look: &Look) {
    let shown: Vec<_> = plan
        .images
        .iter()
        .filter(|image| image.decision != Decision::NotAskedFor)
        .collect();
    if shown.is_empty() {
        return;
    }
    title(text, "Images", look);
    let is_wide = look.detail == Detail::Wide;
    let mut titles = vec!["IMAGE", "DO", "PUBLISHED", "RUNNING"];
    titles.extend(is_wide.then_some("RECORDED"));
    titles.push("WHY");
    let mut grid = Grid::titled(&titles, look.styles.faint);
    let short = |digest: &Digest| {
        let cut = if is_wide { digest.hex().len() } else { SHOWN };
        digest.hex()[..cut].to_owned()
    };
    let or_none = |digest: Option<&Digest>| digest.map_or_else(|| "-".to_owned(), short);
    for image in shown {
        let name = match &image.tag {
            Some(tag) => format!("{}:{tag}", image.name),
            None => image.name.clone(),
        };
        let running = match image.running.as_slice() {
            [] => "-".to_owned(),
            [only] => short(only),
            [first, rest @ ..] => format!("{} +{}", short(first), rest.len()),
        };
        let style = match image.decision {
            Decision::Move | Decision::Pin | Decision::Unpin => look.styles.warning,
            Decision::Unknown | Decision::Refused => look.styles.danger,
            Decision::Current => look.styles.good,
            _ => look.styles.faint,
        };
        let mut cells = vec![
            Cell::from(name),
            Cell::new(decision(image.decision), style),
            Cell::from(or_none(image.published.as_ref())),
            Cell::from(running),
        ];
        cells.extend(is_wide.then(|| Cell::from(or_none(image.recorded.as_ref()))));
        cells.push(match image.decision {
            // The whole reason, with its way out, stands below.
            Decision::Refused => Cell::from("see below"),
            _ => Cell::from(&image.reason),
        });
        grid.row(cells);
    }
    grid.write(text, look.width);
}

/// What is done about an image, in a word or two.
fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Current => "nothing",
        Decision::Move => "move",
        Decision::Record => "record",
        Decision::Pin => "pin",
        Decision::Unpin => "unpin",
        Decision::Pinned => "pinned",
        Decision::NotPinned => "not pinned",
        Decision::Held => "held",
        Decision::OptedOut => "opt-out",
        Decision::MovesWithChart => "chart",
        Decision::TooYoung | Decision::Paced => "wait",
        Decision::Idle => "idle",
        Decision::NotAskedFor => "not asked for",
        Decision::Refused => "refused",
        Decision::Unknown => "unknown",
    }
}

fn steps(text: &mut String, plan: &Plan, look: &Look) {
    if plan.steps.is_empty() {
        if plan.refusals.is_empty() {
            line!(text, "\nNothing to do.");
        }
        return;
    }
    title(text, "Steps", look);
    let home = &plan.release.namespace;
    let mut last = None;
    for (number, step) in plan.steps.iter().enumerate() {
        if step.wave.is_some() && step.wave != last {
            at_once(text, plan, number, look);
        }
        last = step.wave;
        let place = if step.object.namespace == *home {
            String::new()
        } else {
            format!(" in {}", step.object.namespace)
        };
        let words = format!(
            "{}. {} {}{place}: {}",
            number + 1,
            step.object.kind,
            step.object.name,
            harmless(&step.summary)
        );
        for line in wrap(&words, look.width, "   ") {
            line!(text, "{line}");
        }
        if let Some(undo) = step.undo.as_ref().filter(|_| plan.on_failure.undo) {
            let faint = look.styles.faint;
            for line in wrap(
                &format!("   if it fails: {}", harmless(undo)),
                look.width,
                "   ",
            ) {
                line!(text, "{faint}{line}{faint:#}");
            }
        }
    }
}

/// Says which steps go together, above the first of them.
fn at_once(text: &mut String, plan: &Plan, first: usize, look: &Look) {
    let of_wave = |step: &&Step| step.wave == plan.steps[first].wave;
    let together = plan.steps[first..].iter().take_while(of_wave).count();
    if together > 1 {
        let faint = look.styles.faint;
        let (from, to) = (first + 1, first + together);
        line!(text, "{faint}{from} to {to} at once:{faint:#}");
    }
}

fn refusals(text: &mut String, plan: &Plan, look: &Look) {
    if plan.refusals.is_empty() {
        return;
    }
    let danger = look.styles.danger;
    line!(text, "\n{danger}Refused, nothing is changed{danger:#}");
    for Refusal {
        guard,
        subject,
        message,
        advice,
    } in &plan.refusals
    {
        let words = format!(
            "{}  {}: {}",
            guard.as_str(),
            harmless(subject),
            harmless(message)
        );
        paragraph(text, &words, look);
        for advice in advice {
            line!(text, "    {}", harmless(advice));
        }
    }
}
