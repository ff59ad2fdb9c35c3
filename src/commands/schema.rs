//! `schema`: the JSON Schema of an output.

use crate::cli::SchemaArgs;
use crate::error::{Error, Exit};
use crate::render;
use crate::ui::Ui;

pub(crate) fn run(ui: &Ui, args: &SchemaArgs) -> Result<Exit, Error> {
    let text = match args.kind {
        Some(kind) => render::schema::one(kind)?,
        None => render::schema::all(),
    };
    ui.answer(&text)?;
    Ok(Exit::Done)
}
