//! The whole index, of which only one chart's entries are built.

use std::fmt;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use crate::yaml::{self, YamlError};

/// What of an index is of interest.
#[derive(Debug, PartialEq)]
pub(super) struct Document {
    pub(super) api_version: Option<String>,
    pub(super) entries: Option<Entries>,
}

/// The charts: the entries of the one that was looked for, and the names of the others.
#[derive(Debug, PartialEq, Default)]
pub(super) struct Entries {
    pub(super) own: Option<Vec<Option<Entry>>>,
    pub(super) others: Vec<String>,
}

/// One entry as written. Anything may be missing.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) app_version: Option<String>,
    pub(super) kube_version: Option<String>,
    pub(super) deprecated: Option<bool>,
    pub(super) digest: Option<String>,
    pub(super) urls: Option<Vec<String>>,
}

/// What a document is at its root.
pub(super) enum Root {
    Index(Document),
    Nothing,
    Other(&'static str),
}

/// Reads an index written as JSON; `None` if it is not valid.
pub(super) fn from_json(body: &[u8], chart: &str) -> Option<Document> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let root = RootSeed { chart }.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    match root {
        Root::Index(document) => Some(document),
        Root::Nothing | Root::Other(_) => None,
    }
}

/// Reads an index written as YAML, whatever its style.
pub(super) fn from_yaml(body: &[u8], chart: &str) -> Result<Root, YamlError> {
    yaml::from_slice_seed(body, RootSeed { chart })
}

struct RootSeed<'chart> {
    chart: &'chart str,
}

impl<'de> DeserializeSeed<'de> for RootSeed<'_> {
    type Value = Root;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Root, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RootSeed<'_> {
    type Value = Root;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the index of a chart repository")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Root, A::Error> {
        let mut api_version: Option<Option<String>> = None;
        let mut entries: Option<Option<Entries>> = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "apiVersion" if api_version.is_some() => {
                    return Err(A::Error::duplicate_field("apiVersion"));
                }
                "apiVersion" => api_version = Some(map.next_value()?),
                "entries" if entries.is_some() => return Err(A::Error::duplicate_field("entries")),
                "entries" => {
                    entries = Some(map.next_value_seed(EntriesSeed { chart: self.chart })?);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Root::Index(Document {
            api_version: api_version.flatten(),
            entries: entries.flatten(),
        }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Root, A::Error> {
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Root::Other("a list"))
    }

    fn visit_unit<E>(self) -> Result<Root, E> {
        Ok(Root::Nothing)
    }

    fn visit_none<E>(self) -> Result<Root, E> {
        Ok(Root::Nothing)
    }

    fn visit_str<E>(self, text: &str) -> Result<Root, E> {
        Ok(if text.is_empty() {
            Root::Nothing
        } else {
            Root::Other("a text")
        })
    }

    fn visit_bool<E>(self, _: bool) -> Result<Root, E> {
        Ok(Root::Other("a single word"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Root, E> {
        Ok(Root::Other("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Root, E> {
        Ok(Root::Other("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Root, E> {
        Ok(Root::Other("a number"))
    }
}

struct EntriesSeed<'chart> {
    chart: &'chart str,
}

impl<'de> DeserializeSeed<'de> for EntriesSeed<'_> {
    type Value = Option<Entries>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for EntriesSeed<'_> {
    type Value = Option<Entries>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map of charts")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Entries::default();
        while let Some(name) = map.next_key::<String>()? {
            if name == self.chart {
                if entries.own.is_some() {
                    return Err(A::Error::custom("a chart is there twice"));
                }
                entries.own = Some(
                    map.next_value::<Option<Vec<Option<Entry>>>>()?
                        .unwrap_or_default(),
                );
            } else {
                map.next_value::<IgnoredAny>()?;
                entries.others.push(name);
            }
        }
        Ok(Some(entries))
    }
}
