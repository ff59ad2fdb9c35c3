//! What codes mean, for programs that show words of a report: the answer of `explain`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::API_VERSION;
use crate::finding::{Code, Explanation, Severity};

/// Codes explained. Each text is one or more whole sentences; texts may be worded anew in any version, codes stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplanationList {
    /// The format's version: `tracebloc.io/v1alpha1`.
    pub api_version: String,
    /// `ExplanationList`.
    pub kind: String,
    /// The codes asked for, in the order of the documentation.
    pub items: Vec<ExplanationReport>,
}

/// A code explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplanationReport {
    /// The code, as findings name it.
    #[schemars(with = "String")]
    pub code: Code,
    /// How bad it is, unless a finding says otherwise.
    pub severity: Severity,
    /// What it means.
    pub meaning: String,
    /// The facts that are compared, and where they are read.
    pub rests_on: String,
    /// How it comes about.
    pub cause: String,
    /// What follows if nothing is done.
    pub consequence: String,
    /// What to do.
    pub next_step: String,
}

impl ExplanationList {
    /// These codes explained.
    pub fn of(codes: &[Code]) -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            kind: "ExplanationList".to_owned(),
            items: codes.iter().copied().map(ExplanationReport::of).collect(),
        }
    }
}

impl ExplanationReport {
    fn of(code: Code) -> Self {
        let Explanation {
            rests_on,
            cause,
            consequence,
            next_step,
        } = code.explanation();
        Self {
            code,
            severity: code.severity(),
            meaning: code.meaning().to_owned(),
            rests_on: rests_on.to_owned(),
            cause: cause.to_owned(),
            consequence: consequence.to_owned(),
            next_step: next_step.to_owned(),
        }
    }
}
