//! `--watch`: what is shown of one round after another.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, chain};
use crate::ui::{Ui, harmless};

/// Fields of reports that change with each round, though nothing else does.
const TIMES: [&str; 2] = ["checkedAt", "observedAt"];

/// The form of the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For people: a terminal is drawn anew.
    Screen,
    /// For programs: one document after another, with this between them.
    Documents(&'static str),
}

/// What a round came to.
pub(super) enum Round {
    /// An answer: its text, and the report that it is of without the times of asking.
    Answered(String, Value),
    /// None.
    Failed(Error),
}

impl Round {
    /// A round with an answer.
    pub(super) fn answered(text: String, report: &impl Serialize) -> Result<Self, Error> {
        let mut facts =
            serde_json::to_value(report).map_err(|_| Error::Encode { format: "JSON" })?;
        forget_times(&mut facts);
        Ok(Self::Answered(text, facts))
    }

    /// True if the server did not take the credentials.
    pub(super) fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Failed(error) if error.is_unauthorized())
    }
}

fn forget_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !TIMES.contains(&name.as_str()));
            fields.values_mut().for_each(forget_times);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_times),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The rounds so far.
pub(super) struct Rounds {
    form: Form,
    last: Option<Answer>,
    /// The failure that was told last, until something else happens.
    failure: Option<String>,
}

struct Answer {
    text: String,
    facts: Value,
    at: Timestamp,
}

impl Rounds {
    pub(super) fn new(form: Form) -> Self {
        Self {
            form,
            last: None,
            failure: None,
        }
    }

    /// Shows a round that began at that time. A failure ends the watch only where there is nothing to look at yet, or nobody who looks.
    pub(super) fn show(&mut self, ui: &Ui, round: Round, at: Timestamp) -> Result<(), Error> {
        let draws = self.form == Form::Screen && ui.can_redraw();
        match (round, &self.last) {
            (Round::Failed(error @ (Error::Output(_) | Error::Encode { .. })), _)
            | (Round::Failed(error), None) => Err(error),
            (Round::Failed(error), Some(last)) => {
                let failure = chain(&error);
                if draws {
                    let footer = format!(
                        "asked again at {}, and failed: {}. This is the answer of {}",
                        clock(at),
                        harmless(&failure),
                        clock(last.at)
                    );
                    ui.redraw(&last.text, &footer)?;
                } else if self.failure.as_ref() != Some(&failure) {
                    ui.error(&error);
                }
                self.failure = Some(failure);
                Ok(())
            }
            (Round::Answered(text, facts), last) => {
                if draws {
                    let footer = format!("asked at {}; Ctrl-C ends", clock(at));
                    ui.redraw(&text, &footer)?;
                } else {
                    match last {
                        Some(last) if last.facts == facts => {}
                        Some(_) => ui.answer(&format!("{}{text}", self.separator()))?,
                        None => ui.answer(&text)?,
                    }
                }
                self.failure = None;
                self.last = Some(Answer { text, facts, at });
                Ok(())
            }
        }
    }

    fn separator(&self) -> &'static str {
        match self.form {
            Form::Screen => "\n",
            Form::Documents(separator) => separator,
        }
    }
}

/// The time of day, as logs of clusters have it.
fn clock(at: Timestamp) -> String {
    format!("{} UTC", at.to_zoned(TimeZone::UTC).strftime("%H:%M:%S"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_of_asking_are_no_change() {
        let report = |at: &str, state: &str| {
            let report = json!({"checkedAt": at, "images": [{"state": state, "digest": {"observedAt": at}}], "lastRun": "x"});
            match Round::answered(String::new(), &report).unwrap() {
                Round::Answered(_, facts) => facts,
                Round::Failed(_) => unreachable!(),
            }
        };
        assert_eq!(report("1", "behind"), report("2", "behind"));
        assert_ne!(report("1", "behind"), report("1", "current"));
        assert_eq!(report("1", "x")["lastRun"], "x");
    }
}
