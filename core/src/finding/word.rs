//! Codes and severities as users type them.

use std::fmt;
use std::str::FromStr;

use super::{Code, Severity};
use crate::nearest::nearest;

/// The most codes that an error offers instead.
const HINT_LIMIT: usize = 3;

/// A text is not the code of a finding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no finding has the code `{text}`{}; `kubectl tracebloc explain` lists all", Meant(.similar))]
pub struct CodeError {
    /// The text.
    pub text: String,
    /// Codes that may have been meant, the nearest first.
    pub similar: Vec<String>,
}

/// The part of a message that offers what may have been meant.
struct Meant<'names>(&'names [String]);

impl fmt::Display for Meant<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(formatter, "; did you mean `{}`?", self.0.join("` or `"))
    }
}

impl FromStr for Code {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == text)
            .ok_or_else(|| CodeError {
                text: text.to_owned(),
                similar: nearest(Self::ALL.iter().map(|code| code.as_str()), text, HINT_LIMIT),
            })
    }
}

impl Severity {
    /// Every severity, the mildest first.
    pub const ALL: &[Self] = &[Self::Info, Self::Warning, Self::Danger];

    /// The severity as users write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Danger => "danger",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A text is not a severity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a severity: info, warning or danger")]
pub struct SeverityError(pub String);

impl FromStr for Severity {
    type Err = SeverityError;

    fn from_str(text: &str) -> Result<Self, SeverityError> {
        Self::ALL
            .iter()
            .copied()
            .find(|severity| severity.as_str() == text)
            .ok_or_else(|| SeverityError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back_as_they_are_written() {
        for code in Code::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
        }
        for severity in Severity::ALL {
            assert_eq!(severity.as_str().parse(), Ok(*severity));
            assert_eq!(
                serde_json::to_string(severity).unwrap(),
                format!("\"{severity}\"")
            );
        }
        assert!("Warning".parse::<Severity>().is_err());
    }

    #[test]
    fn an_unknown_code_comes_with_the_nearest() {
        let error = "digest-behnd".parse::<Code>().unwrap_err();
        assert_eq!(error.similar[0], "digest-behind");
        assert!(
            error.to_string().contains("did you mean `digest-behind`"),
            "{error}"
        );
        let error = "zzzzzzzzz".parse::<Code>().unwrap_err();
        assert!(!error.to_string().contains("mean"), "{error}");
    }
}
