//! Which findings make a run end with exit code 10: `--fail-on`.

use std::str::FromStr;

use super::{Code, CodeError, Finding, Severity, SeverityError};

/// A code, and how bad a finding of it must be at least; written `CODE` or `CODE=SEVERITY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// The code.
    pub code: Code,
    /// The mildest severity that counts; any where it is absent.
    pub least: Option<Severity>,
}

/// A text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// What stands before the `=` is no code.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// What stands behind it is no severity.
    #[error(transparent)]
    Severity(#[from] SeverityError),
}

impl Condition {
    /// True for a finding of that code that is bad enough.
    pub fn holds(&self, finding: &Finding) -> bool {
        finding.code == self.code && self.least.is_none_or(|least| finding.severity >= least)
    }
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        Ok(match text.split_once('=') {
            Some((code, least)) => Self {
                code: code.parse()?,
                least: Some(least.parse()?),
            },
            None => Self {
                code: text.parse()?,
                least: None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Subject;

    #[test]
    fn a_condition_holds_for_its_code_from_its_severity_on() {
        let finding = |code| Finding::new(code, Subject::default(), "");
        let behind = finding(Code::ChartBehind);
        for (text, holds) in [
            ("chart-behind", true),
            ("chart-behind=info", true),
            ("chart-behind=warning", true),
            ("chart-behind=danger", false),
            ("digest-behind", false),
        ] {
            let condition: Condition = text.parse().unwrap();
            assert_eq!(condition.holds(&behind), holds, "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for text in ["", "chart", "chart-behind=", "chart-behind=bad", "=info"] {
            assert!(text.parse::<Condition>().is_err(), "{text}");
        }
    }
}
