//! `explain`: what the code of a finding means.

use std::slice;

use tracebloc_core::finding::Code;
use tracebloc_core::report::ExplanationList;

use crate::cli::{ExplainArgs, ExplainFormat};
use crate::error::{Error, Exit};
use crate::render;
use crate::ui::Ui;

pub(crate) fn run(ui: &Ui, args: &ExplainArgs) -> Result<Exit, Error> {
    let list = || ExplanationList::of(args.code.as_ref().map_or(Code::ALL, slice::from_ref));
    let text = match (args.output, args.code) {
        (ExplainFormat::Text, Some(code)) => render::explain::one(code, &ui.styles(), ui.width()),
        (ExplainFormat::Text, None) => render::explain::all(&ui.styles()),
        (ExplainFormat::Json, _) => render::json(&list())?,
        (ExplainFormat::Yaml, _) => render::yaml(&list())?,
    };
    ui.answer(&text)?;
    Ok(Exit::Done)
}
