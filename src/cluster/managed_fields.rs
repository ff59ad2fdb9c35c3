//! Who wrote which fields of a workload: `metadata.managedFields`, read as far as it is told (KEP-555, the format `FieldsV1`).

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use jiff::Timestamp;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tracebloc_core::edit::{self, Edit, Part};

use super::workloads::RESTARTED;

/// What stands before the name of a field.
const FIELD: &str = "f:";

/// The key of an item that is told from others by its name.
const BY_NAME: &str = "k:{\"name\":\"";

/// The annotation that Helm alone writes, under whatever name its program has.
const OF_HELM: &str = "meta.helm.sh/release-name";

/// What one manager wrote.
pub(super) struct ManagedField {
    /// Its name.
    pub(super) manager: String,
    /// The subresource through which it wrote; empty for the object itself.
    subresource: String,
    at: Option<Timestamp>,
    parts: BTreeSet<Part>,
}

impl ManagedField {
    /// True for the horizontal autoscaler, which writes through the subresource `scale` as part of the controller manager.
    pub(super) fn is_autoscaler(&self) -> bool {
        self.subresource == "scale" && self.manager == "kube-controller-manager"
    }

    /// What it wrote, where that is worth telling.
    pub(super) fn edit(&self) -> Option<Edit> {
        let is_told = edit::is_told(&self.manager, &self.subresource) && !self.parts.is_empty();
        is_told.then(|| Edit {
            manager: self.manager.clone(),
            at: self.at,
            parts: self.parts.clone(),
        })
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Key {
    Manager,
    Subresource,
    Time,
    FieldsV1,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for ManagedField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = ManagedField;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an entry of managedFields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ManagedField, A::Error> {
        let mut read = ManagedField {
            manager: String::new(),
            subresource: String::new(),
            at: None,
            parts: BTreeSet::new(),
        };
        while let Some(key) = map.next_key()? {
            match key {
                Key::Manager => read.manager = map.next_value()?,
                Key::Subresource => read.subresource = map.next_value()?,
                Key::Time => read.at = map.next_value()?,
                // The manager stands before its fields, so that those of Helm, which are most, are not looked into.
                Key::FieldsV1 if edit::is_told(&read.manager, "") => {
                    let fields: Value = map.next_value()?;
                    // Of fields in another form nothing is told, and the workload is read all the same.
                    let object: Result<Object, _> = serde_json::from_value(fields);
                    read.parts = object.map_or_else(|_| BTreeSet::new(), |object| object.parts());
                }
                Key::FieldsV1 | Key::Other => {
                    let _unread: IgnoredAny = map.next_value()?;
                }
            }
        }
        Ok(read)
    }
}

/// The keys of an object, whatever is below them.
#[derive(Default)]
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamesReader)
    }
}

struct NamesReader;

impl<'de> Visitor<'de> for NamesReader {
    type Value = Names;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("names of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
        let mut names = Vec::new();
        while let Some((name, IgnoredAny)) = map.next_entry()? {
            names.push(name);
        }
        Ok(Names(names))
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Object {
    #[serde(rename = "f:metadata")]
    metadata: Metadata,
    #[serde(rename = "f:spec")]
    spec: Option<Spec>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Metadata {
    #[serde(rename = "f:annotations")]
    annotations: Names,
    #[serde(rename = "f:labels")]
    labels: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Spec {
    #[serde(rename = "f:replicas")]
    replicas: Option<IgnoredAny>,
    #[serde(rename = "f:paused")]
    paused: Option<IgnoredAny>,
    #[serde(rename = "f:suspend")]
    suspend: Option<IgnoredAny>,
    #[serde(rename = "f:schedule")]
    schedule: Option<IgnoredAny>,
    #[serde(rename = "f:template")]
    template: Option<Template>,
    #[serde(rename = "f:jobTemplate")]
    job_template: Option<JobTemplate>,
    #[serde(flatten)]
    others: Names,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct JobTemplate {
    #[serde(rename = "f:spec")]
    spec: JobSpec,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct JobSpec {
    #[serde(rename = "f:template")]
    template: Option<Template>,
    #[serde(flatten)]
    others: Names,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Template {
    #[serde(rename = "f:metadata")]
    metadata: Metadata,
    #[serde(rename = "f:spec")]
    spec: PodSpec,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PodSpec {
    #[serde(rename = "f:containers")]
    containers: HashMap<String, Container>,
    #[serde(rename = "f:initContainers")]
    init_containers: HashMap<String, Container>,
    #[serde(flatten)]
    others: Names,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Container {
    #[serde(rename = "f:image")]
    image: Option<IgnoredAny>,
    #[serde(rename = "f:env")]
    environment: Option<Names>,
    #[serde(flatten)]
    others: Names,
}

impl Object {
    fn parts(&self) -> BTreeSet<Part> {
        let mut parts = BTreeSet::new();
        if fields(&self.metadata.annotations).any(|key| key == OF_HELM) {
            return parts;
        }
        parts.extend(
            fields(&self.metadata.annotations).map(|key| Part::Annotation {
                key: key.to_owned(),
            }),
        );
        if self.metadata.labels.is_some() {
            parts.insert(Part::Labels);
        }
        if let Some(spec) = &self.spec {
            spec.add_to(&mut parts);
        }
        parts
    }
}

impl Spec {
    fn add_to(&self, parts: &mut BTreeSet<Part>) {
        for (field, part) in [
            (&self.replicas, Part::Replicas),
            (&self.paused, Part::Pause),
            (&self.suspend, Part::Suspension),
            (&self.schedule, Part::Schedule),
        ] {
            if field.is_some() {
                parts.insert(part);
            }
        }
        if fields(&self.others).next().is_some() {
            parts.insert(Part::Specification);
        }
        if let Some(template) = &self.template {
            template.add_to(parts);
        }
        if let Some(job) = &self.job_template {
            if fields(&job.spec.others).next().is_some() {
                parts.insert(Part::Specification);
            }
            if let Some(template) = &job.spec.template {
                template.add_to(parts);
            }
        }
    }
}

impl Template {
    fn add_to(&self, parts: &mut BTreeSet<Part>) {
        for key in fields(&self.metadata.annotations) {
            parts.insert(if key == RESTARTED {
                Part::Restart
            } else {
                Part::Template
            });
        }
        if self.metadata.labels.is_some() || fields(&self.spec.others).next().is_some() {
            parts.insert(Part::Template);
        }
        for (key, container) in self
            .spec
            .containers
            .iter()
            .chain(&self.spec.init_containers)
        {
            if let Some(name) = name_in(key) {
                container.add_to(name, parts);
            }
        }
    }
}

impl Container {
    fn add_to(&self, name: &str, parts: &mut BTreeSet<Part>) {
        let container = || name.to_owned();
        if self.image.is_some() {
            parts.insert(Part::Image {
                container: container(),
            });
        }
        if let Some(environment) = &self.environment {
            let variables: Vec<&str> = environment
                .0
                .iter()
                .filter_map(|key| name_in(key))
                .collect();
            if variables.is_empty() {
                parts.insert(Part::Environment {
                    container: container(),
                    variable: None,
                });
            }
            parts.extend(variables.into_iter().map(|variable| Part::Environment {
                container: container(),
                variable: Some(variable.to_owned()),
            }));
        }
        if fields(&self.others).any(|field| field != "name") {
            parts.insert(Part::Container {
                container: container(),
            });
        }
    }
}

/// The names of the fields among the keys.
fn fields(names: &Names) -> impl Iterator<Item = &str> {
    names.0.iter().filter_map(|key| key.strip_prefix(FIELD))
}

/// The name in the key of an item; names of containers and of variables hold nothing that JSON would escape.
fn name_in(key: &str) -> Option<&str> {
    key.strip_prefix(BY_NAME)?.strip_suffix("\"}")
}

#[cfg(test)]
mod tests;
