//! Events about workloads and what their controllers make of them.

use jiff::Timestamp;
use serde::Deserialize;
use tracebloc_core::name::Namespace;
use tracebloc_core::snapshot::ObservedEvent;

use super::list::Query;
use super::{Cluster, ClusterError};

/// Most events are about pods, and come and go with them.
const NOT_ABOUT_PODS: &str = "involvedObject.kind!=Pod";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    involved_object: Object,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    reporting_component: String,
    #[serde(default)]
    reporting_instance: String,
    #[serde(default)]
    source: Source,
    #[serde(rename = "eventTime")]
    sent: Option<Timestamp>,
    last_timestamp: Option<Timestamp>,
    first_timestamp: Option<Timestamp>,
    count: Option<u32>,
    series: Option<Series>,
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize, Default)]
struct Source {
    #[serde(default)]
    component: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Series {
    count: Option<u32>,
    last_observed_time: Option<Timestamp>,
}

impl Cluster {
    /// The events of a namespace, but for those about pods.
    pub(crate) async fn events(
        &self,
        namespace: &Namespace,
    ) -> Result<Vec<ObservedEvent>, ClusterError> {
        let events: Vec<Event> = self
            .list(&Query {
                api: "/api/v1",
                resource: "events",
                namespace: Some(namespace),
                labels: None,
                fields: Some(NOT_ABOUT_PODS),
                accept: None,
            })
            .await?;
        Ok(events
            .into_iter()
            .map(|event| read(event, namespace))
            .collect())
    }
}

/// Both forms in which events are written: counted by their sender, or in a series.
fn read(event: Event, namespace: &Namespace) -> ObservedEvent {
    let series = event.series.as_ref();
    ObservedEvent {
        namespace: namespace.clone(),
        kind: event.involved_object.kind,
        name: event.involved_object.name,
        reason: event.reason,
        message: event.message,
        reporter: if event.reporting_component.is_empty() {
            event.source.component
        } else {
            event.reporting_component
        },
        instance: event.reporting_instance,
        is_warning: event.kind == "Warning",
        at: series
            .and_then(|series| series.last_observed_time)
            .or(event.last_timestamp)
            .or(event.sent)
            .or(event.first_timestamp),
        count: series
            .and_then(|series| series.count)
            .or(event.count)
            .unwrap_or(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_forms_of_events_are_read() {
        let read_json = |event: serde_json::Value| {
            read(
                serde_json::from_value(event).unwrap(),
                &Namespace::parse("edge").unwrap(),
            )
        };
        let object = json!({"kind": "ReplicaSet", "name": "edge-api-5d8f"});
        let old = read_json(json!({
            "involvedObject": object, "reason": "FailedCreate", "message": "exceeded quota", "type": "Warning",
            "source": {"component": "replicaset-controller"}, "reportingComponent": "", "eventTime": null,
            "firstTimestamp": "2026-08-21T10:00:00Z", "lastTimestamp": "2026-08-21T10:05:00Z", "count": 7,
        }));
        assert_eq!((old.count, old.is_warning), (7, true));
        assert_eq!(old.reporter, "replicaset-controller");
        assert_eq!(old.at, "2026-08-21T10:05:00Z".parse().ok());
        let new = read_json(json!({
            "involvedObject": object, "reason": "Refreshed", "type": "Normal", "reportingComponent": "kubectl-tracebloc", "reportingInstance": "a1",
            "eventTime": "2026-08-21T10:00:00.000001Z", "firstTimestamp": null, "lastTimestamp": null,
        }));
        assert_eq!((new.count, new.is_warning), (1, false));
        assert_eq!(
            (new.reporter.as_str(), new.instance.as_str()),
            ("kubectl-tracebloc", "a1")
        );
        assert_eq!(new.at, "2026-08-21T10:00:00.000001Z".parse().ok());
    }
}
