//! What makes an upgrade fail or hurt, by the versions between which it does and by the values of the release (DOMAIN §9).

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::finding::Severity;
use crate::release::{Form, Origin, Values};
use crate::version::Version;

/// Something to know before an upgrade from some versions to others.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Breaker {
    /// Its name, by which evidence tells it.
    pub name: String,
    /// The installed versions that it is about.
    #[serde(default)]
    pub from: Span,
    /// The versions to which one must not come unprepared.
    pub to: Span,
    /// What it does to the upgrade.
    pub effect: Effect,
    /// How bad it is, where not as bad as its effect is in general.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// What must hold of the release's values, by their paths: all of it.
    #[serde(default)]
    pub when: BTreeMap<String, Test>,
    /// What must hold beside, of the cluster.
    #[serde(default)]
    pub fact: Option<Fact>,
    /// What the upgrade does, as the end of a sentence that begins with "an upgrade to 1.2.3".
    pub happens: String,
    /// What to do first, as a sentence without a full stop.
    pub first: String,
    /// Values with which the upgrade goes well, as `--set` takes them.
    #[serde(default)]
    pub set: Vec<String>,
    /// Flags of `helm upgrade` with which it goes well.
    #[serde(default)]
    pub flags: Vec<String>,
    /// Where to look, if neither helps.
    #[serde(default)]
    pub look: Look,
}

/// A span of versions, open where an end is not given.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Span {
    /// The first version in it.
    #[serde(default)]
    pub since: Option<Version>,
    /// The first version after it.
    #[serde(default)]
    pub before: Option<Version>,
}

/// What a breaker does to an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It makes the upgrade fail, or harm the release.
    Blocks,
    /// The upgrade works, and is felt.
    Disrupts,
}

/// What must hold of a value.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Test {
    /// It is one of these.
    Is(Vec<String>),
    /// It is there, and none of these.
    IsNot(Vec<String>),
    /// Whether it is there and not empty.
    IsSet(bool),
    /// It is there and not empty, and the user set it.
    IsOwn,
    /// It is there, and has not this form.
    IsNo(Form),
    /// The user set keys under it that are none of these.
    HasKeysBeside(Vec<String>),
}

/// What must hold of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// The cluster has not the API that the chart needs (`needs` of the profile).
    ApiMissing,
    /// The objects are applied on the server, and `kubectl set` owns fields that the chart renders.
    FieldsOwnedElsewhere,
    /// Something that is not read: it must be checked by hand.
    NotRead,
}

/// Where to look before an upgrade.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Look {
    /// At the upgrade as the server would take it, without making it.
    #[default]
    DryRun,
    /// At the claims and the volumes behind them.
    Claims,
}

/// An API that a workload of the chart cannot do without.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiNeed {
    /// The API group.
    pub group: String,
    /// The image whose workload needs it.
    pub image: String,
    /// What follows where it is missing, as the end of a sentence.
    pub without: String,
}

impl Breaker {
    /// True if the upgrade and the values are those that it is about; facts of the cluster are not judged here.
    pub fn concerns(&self, from: &Version, to: &Version, values: &Values) -> bool {
        self.is_between(from, to) && holds(&self.when, values)
    }

    /// True if the upgrade is one that it is about, whatever the values are.
    pub fn is_between(&self, from: &Version, to: &Version) -> bool {
        self.from.has(from) && self.to.has(to)
    }
}

/// True if all tests hold.
pub(super) fn holds(when: &BTreeMap<String, Test>, values: &Values) -> bool {
    when.iter().all(|(path, test)| test.holds(values, path))
}

impl Span {
    fn has(&self, version: &Version) -> bool {
        self.since.as_ref().is_none_or(|since| version >= since)
            && self.before.as_ref().is_none_or(|before| version < before)
    }
}

impl Test {
    fn holds(&self, values: &Values, path: &str) -> bool {
        let text = values.text(path);
        let set = text.as_ref().filter(|(text, _)| !text.is_empty());
        match self {
            Self::Is(among) => text.is_some_and(|(text, _)| among.contains(&text)),
            Self::IsNot(among) => text.is_some_and(|(text, _)| !among.contains(&text)),
            Self::IsSet(wanted) => set.is_some() == *wanted,
            Self::IsOwn => set.is_some_and(|(_, origin)| *origin == Origin::User),
            Self::IsNo(form) => values.has_form(path, *form) == Some(false),
            Self::HasKeysBeside(known) => values.sets_keys_beside(path, known),
        }
    }
}
