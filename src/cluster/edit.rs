//! A workload at one moment, and a change of it that the server makes only if what it touches is still so (DESIGN §7).

use serde_json::{Value, json};
use tracebloc_core::workload::{LiveWorkload, WorkloadId};

use super::workloads::{self, RESTARTED};
use super::write::{Change, FIELD_MANAGER, How};
use super::{Cluster, ClusterError};

/// A workload as it was at one moment.
#[derive(Debug)]
pub(crate) struct Held {
    /// What is known of it.
    pub(crate) live: LiveWorkload,
    raw: Value,
}

/// Operations on a workload.
#[derive(Debug)]
pub(crate) struct Edit<'held> {
    held: &'held Held,
    tests: Vec<Value>,
    operations: Vec<Value>,
}

/// What was to be changed is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{id} has no {what}")]
pub(crate) struct MissingPart {
    id: WorkloadId,
    what: String,
}

impl Held {
    /// The image of a container as it is written.
    pub(crate) fn image(&self, container: &str) -> Option<&str> {
        self.container(container)?.1.get("image")?.as_str()
    }

    /// The value of a variable of a container's environment.
    pub(crate) fn variable(&self, container: &str, name: &str) -> Option<&str> {
        let (_, object) = self.container(container)?;
        variables(object)
            .find(|(_, variable)| variable["name"] == name)?
            .1
            .get("value")?
            .as_str()
    }

    /// The template of its pods, whole.
    pub(crate) fn template(&self) -> Option<&Value> {
        self.raw.pointer("/spec/template")
    }

    /// True if an entry of its managed fields is ours.
    pub(crate) fn has_our_fields(&self) -> bool {
        self.our_fields().next().is_some()
    }

    fn our_fields(&self) -> impl Iterator<Item = usize> {
        self.raw
            .pointer("/metadata/managedFields")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .enumerate()
            .filter(|(_, entry)| entry["manager"] == FIELD_MANAGER)
            .map(|(index, _)| index)
    }

    /// Where a container of the pod template stands, and what it is.
    fn container(&self, name: &str) -> Option<(String, &Value)> {
        ["initContainers", "containers"]
            .into_iter()
            .find_map(|list| {
                let path = format!("/spec/template/spec/{list}");
                let containers = self.raw.pointer(&path)?.as_array()?;
                let index = containers.iter().position(|one| one["name"] == name)?;
                Some((format!("{path}/{index}"), &containers[index]))
            })
    }

    /// Begins a change of it.
    pub(crate) fn edit(&self) -> Edit<'_> {
        let uid = &self.raw["metadata"]["uid"];
        Edit {
            held: self,
            tests: vec![json!({"op": "test", "path": "/metadata/uid", "value": uid})],
            operations: Vec::new(),
        }
    }
}

fn variables(container: &Value) -> impl Iterator<Item = (usize, &Value)> {
    container
        .get("env")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
}

/// A key as a JSON pointer has it (RFC 6901).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

impl Edit<'_> {
    fn test(&mut self, path: impl Into<String>, value: &Value) {
        let test = json!({"op": "test", "path": path.into(), "value": value});
        if !self.tests.contains(&test) {
            self.tests.push(test);
        }
    }

    /// The template is changed, so that nobody else may have changed the specification meanwhile.
    fn touch_template(&mut self) {
        let generation = self.held.raw["metadata"]["generation"].clone();
        self.test("/metadata/generation", &generation);
    }

    fn missing(&self, what: String) -> MissingPart {
        MissingPart {
            id: self.held.live.workload.id.clone(),
            what,
        }
    }

    /// Sets the image of a container.
    pub(crate) fn image(&mut self, container: &str, image: &str) -> Result<(), MissingPart> {
        let held = self.held;
        let (path, object) = held
            .container(container)
            .ok_or_else(|| self.missing(format!("container {container}")))?;
        self.touch_template();
        self.test(format!("{path}/name"), &object["name"]);
        self.test(format!("{path}/image"), &object["image"]);
        self.operations
            .push(json!({"op": "replace", "path": format!("{path}/image"), "value": image}));
        Ok(())
    }

    /// Sets a variable that a container's environment has.
    pub(crate) fn variable(
        &mut self,
        container: &str,
        name: &str,
        value: &str,
    ) -> Result<(), MissingPart> {
        let held = self.held;
        let (path, object) = held
            .container(container)
            .ok_or_else(|| self.missing(format!("container {container}")))?;
        let (index, variable) = variables(object)
            .find(|(_, variable)| variable["name"] == name)
            .ok_or_else(|| self.missing(format!("variable {name} in container {container}")))?;
        let path = format!("{path}/env/{index}");
        self.touch_template();
        self.test(&path, variable);
        self.operations
            .push(json!({"op": "add", "path": format!("{path}/value"), "value": value}));
        Ok(())
    }

    /// Has the pods started anew, in the way of `kubectl rollout restart`.
    pub(crate) fn restart(&mut self, at: &str) {
        self.touch_template();
        self.put("/spec/template/metadata", RESTARTED, at);
    }

    /// Sets an annotation.
    pub(crate) fn annotate(&mut self, key: &str, value: &str) {
        self.put("/metadata", key, value);
    }

    fn put(&mut self, metadata: &str, key: &str, value: &str) {
        let held = self.held;
        let annotations = format!("{metadata}/annotations");
        match held.raw.pointer(&annotations).and_then(Value::as_object) {
            Some(present) => {
                let path = format!("{annotations}/{}", escaped(key));
                if let Some(before) = present.get(key) {
                    self.test(&path, before);
                }
                self.operations
                    .push(json!({"op": "add", "path": path, "value": value}));
            }
            None if held.raw.pointer(metadata).is_some() => {
                // Nobody may have begun the map meanwhile.
                let version = held.raw["metadata"]["resourceVersion"].clone();
                self.test("/metadata/resourceVersion", &version);
                self.operations
                    .push(json!({"op": "add", "path": annotations, "value": {key: value}}));
            }
            None => self.operations.push(
                json!({"op": "add", "path": metadata, "value": {"annotations": {key: value}}}),
            ),
        }
    }

    /// Takes an annotation away, if it is there.
    pub(crate) fn clear(&mut self, key: &str) {
        let path = format!("/metadata/annotations/{}", escaped(key));
        let before = self.held.raw.pointer("/metadata/annotations");
        if let Some(before) = before.and_then(|annotations| annotations.get(key)).cloned() {
            self.test(&path, &before);
            self.operations.push(json!({"op": "remove", "path": path}));
        }
    }

    /// Has a `CronJob` start no more Jobs.
    pub(crate) fn suspend(&mut self) {
        self.touch_template();
        self.operations
            .push(json!({"op": "add", "path": "/spec/suspend", "value": true}));
    }

    /// Lets a `CronJob` start Jobs again.
    pub(crate) fn resume(&mut self) {
        self.touch_template();
        self.operations
            .push(json!({"op": "add", "path": "/spec/suspend", "value": false}));
    }

    /// Gives up our say in the fields that we set, so that whoever applies the chart next meets no conflict (FACTS 5.4, PEERS 7.1).
    pub(crate) fn hand_back(&mut self) {
        let held = self.held;
        let version = held.raw["metadata"]["resourceVersion"].clone();
        self.test("/metadata/resourceVersion", &version);
        // From the end, since each removal moves what comes after it.
        let entries: Vec<usize> = held.our_fields().collect();
        for index in entries.into_iter().rev() {
            self.operations
                .push(json!({"op": "remove", "path": format!("/metadata/managedFields/{index}")}));
        }
    }

    fn body(&self) -> Value {
        self.tests.iter().chain(&self.operations).cloned().collect()
    }
}

impl Cluster {
    /// A workload as it is at this moment.
    pub(crate) async fn hold(
        &self,
        id: &WorkloadId,
        record_prefix: &str,
    ) -> Result<Held, ClusterError> {
        let raw: Value = self
            .get(&workloads::path(id), None, "get", &workloads::words(id))
            .await?;
        held(raw, id, record_prefix)
    }

    /// Makes a change, if what it touches is still as it was; answers what the workload is after it.
    pub(crate) async fn change(
        &self,
        edit: &Edit<'_>,
        record_prefix: &str,
    ) -> Result<Held, ClusterError> {
        let id = &edit.held.live.workload.id;
        let raw: Value = self
            .send(&Change {
                path: &workloads::path(id),
                how: How::Operations,
                body: &edit.body(),
                object: &workloads::words(id),
            })
            .await?;
        held(raw, id, record_prefix)
    }
}

fn held(raw: Value, id: &WorkloadId, record_prefix: &str) -> Result<Held, ClusterError> {
    let live =
        workloads::read_value(&raw, id, record_prefix).ok_or_else(|| ClusterError::Malformed {
            asked: workloads::words(id),
            at: None,
        })?;
    Ok(Held { live, raw })
}

/// An object with some metadata, for tests.
#[cfg(test)]
fn sample(metadata: &Value, spec: &Value) -> Held {
    use tracebloc_core::name::Namespace;
    use tracebloc_core::workload::WorkloadKind;
    let mut whole = serde_json::Map::new();
    whole.insert("metadata".into(), metadata.clone());
    whole.insert("spec".into(), spec.clone());
    let id = WorkloadId {
        kind: WorkloadKind::Deployment,
        namespace: Namespace::parse("edge").unwrap(),
        name: "edge".into(),
    };
    held(Value::Object(whole), &id, "tracebloc.io/").unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_holds_only_for_what_was_seen() {
        let held = sample(
            &json!({"name": "edge", "uid": "u", "generation": 3, "resourceVersion": "9", "annotations": {"tracebloc.io/a": "1"}}),
            &json!({"template": {"metadata": {}, "spec": {
                "initContainers": [{"name": "first", "image": "i"}],
                "containers": [{"name": "api", "image": "x:prod", "env": [{"name": "A", "value": "1"}, {"name": "B"}]}],
            }}}),
        );
        let mut edit = held.edit();
        edit.image("api", "x:next").unwrap();
        edit.variable("api", "A", "2").unwrap();
        edit.restart("now");
        edit.annotate("tracebloc.io/a", "2");
        edit.clear("tracebloc.io/none");
        assert!(edit.image("none", "y").is_err());
        assert!(edit.variable("api", "C", "y").is_err());
        assert_eq!(
            edit.body(),
            json!([
                {"op": "test", "path": "/metadata/uid", "value": "u"},
                {"op": "test", "path": "/metadata/generation", "value": 3},
                {"op": "test", "path": "/spec/template/spec/containers/0/name", "value": "api"},
                {"op": "test", "path": "/spec/template/spec/containers/0/image", "value": "x:prod"},
                {"op": "test", "path": "/spec/template/spec/containers/0/env/0", "value": {"name": "A", "value": "1"}},
                {"op": "test", "path": "/metadata/resourceVersion", "value": "9"},
                {"op": "test", "path": "/metadata/annotations/tracebloc.io~1a", "value": "1"},
                {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "x:next"},
                {"op": "add", "path": "/spec/template/spec/containers/0/env/0/value", "value": "2"},
                {"op": "add", "path": "/spec/template/metadata/annotations", "value": {"kubectl.kubernetes.io/restartedAt": "now"}},
                {"op": "add", "path": "/metadata/annotations/tracebloc.io~1a", "value": "2"},
            ])
        );
        assert_eq!(held.image("first"), Some("i"));
        assert_eq!(held.variable("api", "A"), Some("1"));
        assert_eq!(held.variable("api", "B"), None);
    }

    #[test]
    fn only_our_own_say_is_given_up() {
        let held = sample(
            &json!({"name": "edge", "uid": "u", "resourceVersion": "9", "managedFields": [
                {"manager": "kubectl-tracebloc"}, {"manager": "helm"}, {"manager": "kubectl-tracebloc"},
            ]}),
            &json!({}),
        );
        let mut edit = held.edit();
        edit.hand_back();
        assert_eq!(
            edit.body().as_array().unwrap()[2..],
            [
                json!({"op": "remove", "path": "/metadata/managedFields/2"}),
                json!({"op": "remove", "path": "/metadata/managedFields/0"}),
            ]
        );
    }
}
