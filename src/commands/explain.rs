//! `explain`: what the code of a finding means.

use crate::cli::ExplainArgs;
use crate::error::{Error, Exit};
use crate::render;
use crate::ui::Ui;

pub(crate) fn run(ui: &Ui, args: &ExplainArgs) -> Result<Exit, Error> {
    let text = match args.code {
        Some(code) => render::explain::one(code, &ui.styles(), ui.width()),
        None => render::explain::all(&ui.styles()),
    };
    ui.answer(&text)?;
    Ok(Exit::Done)
}
