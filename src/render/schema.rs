//! The JSON Schemas of the outputs.

use std::fmt::Write as _;

use clap::ValueEnum as _;
use schemars::schema_for;
use tracebloc_core::plan::Plan;
use tracebloc_core::report::{ExplanationList, HistoryReport, OutdatedReport, StatusReport};

use crate::cli::SchemaKind;
use crate::error::Error;

/// The schema of one kind: the text that `docs/schemas/` holds.
pub(crate) fn one(kind: SchemaKind) -> Result<String, Error> {
    super::json(&match kind {
        SchemaKind::OutdatedReport => schema_for!(OutdatedReport),
        SchemaKind::StatusReport => schema_for!(StatusReport),
        SchemaKind::HistoryReport => schema_for!(HistoryReport),
        SchemaKind::Plan => schema_for!(Plan),
        SchemaKind::ExplanationList => schema_for!(ExplanationList),
    })
}

/// Every kind, one a line.
pub(crate) fn all() -> String {
    let mut text = String::new();
    for value in SchemaKind::value_variants()
        .iter()
        .filter_map(SchemaKind::to_possible_value)
    {
        line!(text, "{}", value.get_name());
    }
    text
}
