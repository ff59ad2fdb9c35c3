//! Version constraints as Helm reads them: Masterminds/semver v3.5, whose rules differ from those of Cargo and npm.
//!
//! The operators are `=` (also left out), `!=`, `>`, `<`, `>=`, `=>`, `<=`, `=<`, `~`, `~>` and `^`; `x`, `X` and `*` are wildcards; a comma or
//! space means "and", `||` means "or", `A - B` is a range with both ends. A prerelease fits only if its "and" group itself names one.

mod syntax;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Version, compare_prereleases};

/// The longest constraint that Helm's parser takes, in bytes.
const LENGTH_LIMIT: usize = 512;

/// The most alternatives separated by `||` that Helm's parser takes.
const GROUP_LIMIT: usize = 32;

/// Why a text is not a constraint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    /// The text is longer than Helm's parser takes; it is not repeated.
    #[error("the version constraint is longer than {LENGTH_LIMIT} characters")]
    TooLong,
    /// The text has more alternatives than Helm's parser takes.
    #[error("the version constraint has more than {GROUP_LIMIT} alternatives")]
    TooManyGroups,
    /// An alternative does not follow the grammar, or a version in it is none.
    #[error("`{text}` is not a version constraint: `{part}` cannot be read from character {at} on ({})", Rest(.rest))]
    Malformed {
        /// The whole constraint.
        text: String,
        /// The alternative that is wrong, after ranges of the form `A - B` are written as `>= A, <= B`.
        part: String,
        /// The place of the first character that cannot be read, counted from 1 within `part`.
        at: usize,
        /// What stands there, to the end of the alternative.
        rest: String,
    },
}

struct Rest<'text>(&'text str);

impl fmt::Display for Rest<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            formatter.write_str("the text ends there")
        } else {
            write!(formatter, "`{}`", self.0)
        }
    }
}

/// A version constraint, and the text it was read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Constraint {
    text: String,
    groups: Vec<Group>,
}

/// Comparisons that must all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    comparisons: Vec<Comparison>,
    prereleases: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Comparison {
    operator: Operator,
    version: Version,
    open: Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

/// From which number on a constraint's version was left out or a wildcard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Major,
    Minor,
    Patch,
    Nothing,
}

impl Constraint {
    /// Reads a constraint as Helm does. An empty text is an error, not "any version".
    pub fn parse(text: &str) -> Result<Self, ConstraintError> {
        if text.len() > LENGTH_LIMIT {
            return Err(ConstraintError::TooLong);
        }
        let expanded = syntax::expand_ranges(text);
        let parts: Vec<&str> = expanded.split("||").collect();
        if parts.len() > GROUP_LIMIT {
            return Err(ConstraintError::TooManyGroups);
        }
        let groups = parts
            .into_iter()
            .map(|part| {
                syntax::group(part).map_err(|at| ConstraintError::Malformed {
                    text: text.to_owned(),
                    part: part.to_owned(),
                    at: part.get(..at).map_or(0, |before| before.chars().count()) + 1,
                    rest: part.get(at..).unwrap_or_default().to_owned(),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            text: text.to_owned(),
            groups,
        })
    }

    /// True if the version fits.
    pub fn matches(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| {
            (group.prereleases || !version.is_prerelease())
                && group
                    .comparisons
                    .iter()
                    .all(|comparison| comparison.holds(version))
        })
    }

    /// True if the version fits where every range takes prereleases, which is what `--devel` means.
    pub fn matches_prereleases(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| {
            group
                .comparisons
                .iter()
                .all(|comparison| comparison.holds(version))
        })
    }

    /// The text as it was read.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Comparison {
    /// Whether the comparison holds for a version that is allowed to be a prerelease.
    fn holds(&self, version: &Version) -> bool {
        let order = version.precedence_cmp(&self.version);
        match self.operator {
            Operator::Equal if self.open == Open::Nothing => order.is_eq(),
            Operator::Equal | Operator::Tilde => order.is_ge() && self.same_by_tilde(version),
            Operator::NotEqual => self.differs(version),
            Operator::Greater => self.is_below(version),
            Operator::Less => order.is_lt(),
            Operator::GreaterOrEqual => order.is_ge(),
            Operator::LessOrEqual => self.is_at_least(version),
            Operator::Caret => order.is_ge() && self.same_by_caret(version),
        }
    }

    /// `~1` keeps the major number, `~1.2` and `~1.2.3` the minor too; `~*` and `~0.0.0` keep nothing.
    fn same_by_tilde(&self, version: &Version) -> bool {
        let own = &self.version;
        let zero = (own.major, own.minor, own.patch) == (0, 0, 0);
        if zero && matches!(self.open, Open::Major | Open::Nothing) {
            return true;
        }
        version.major == own.major && (self.open == Open::Minor || version.minor == own.minor)
    }

    /// `^` keeps every number up to the first that is not zero. `^*` therefore keeps all three zeros.
    fn same_by_caret(&self, version: &Version) -> bool {
        let own = &self.version;
        let major = version.major == own.major;
        if own.major > 0 || self.open == Open::Minor {
            return major;
        }
        let minor = major && version.minor == own.minor;
        if own.minor > 0 || self.open == Open::Patch {
            return minor;
        }
        minor && version.patch == own.patch
    }

    fn differs(&self, version: &Version) -> bool {
        let own = &self.version;
        match self.open {
            Open::Minor => version.major != own.major,
            Open::Patch => {
                (version.major, version.minor) != (own.major, own.minor)
                    || compare_prereleases(&version.prerelease, &own.prerelease).is_ne()
            }
            Open::Major | Open::Nothing => version.precedence_cmp(own).is_ne(),
        }
    }

    /// `>11` begins at 12.0.0 and `>11.1` at 11.2.0: what the open numbers cover is not greater.
    fn is_below(&self, version: &Version) -> bool {
        let own = &self.version;
        match self.open {
            Open::Minor => version.major > own.major,
            Open::Patch => (version.major, version.minor) > (own.major, own.minor),
            Open::Major | Open::Nothing => version.precedence_cmp(own).is_gt(),
        }
    }

    /// `<=11` ends before 12.0.0 and `<=11.1` before 11.2.0: what the open numbers cover is included.
    fn is_at_least(&self, version: &Version) -> bool {
        let own = &self.version;
        match self.open {
            Open::Nothing => version.precedence_cmp(own).is_le(),
            Open::Minor => version.major <= own.major,
            Open::Major | Open::Patch => (version.major, version.minor) <= (own.major, own.minor),
        }
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}

impl FromStr for Constraint {
    type Err = ConstraintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Constraint {
    type Error = ConstraintError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Constraint> for String {
    fn from(constraint: Constraint) -> Self {
        constraint.text
    }
}

#[cfg(test)]
mod tests;
