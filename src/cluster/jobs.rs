//! Jobs that `CronJob`s started, and how they ended.

use jiff::Timestamp;
use serde::Deserialize;
use tracebloc_core::cronjob::{JobEnd, LiveJob};
use tracebloc_core::name::Namespace;

use super::list::Query;
use super::{Cluster, ClusterError};

#[derive(Deserialize)]
struct Job {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    #[serde(default)]
    owner_references: Vec<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    kind: String,
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Status {
    start_time: Option<Timestamp>,
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    #[serde(default)]
    reason: String,
    last_transition_time: Option<Timestamp>,
}

impl Cluster {
    /// The Jobs of a namespace that a `CronJob` started; others are none of our business.
    pub(crate) async fn jobs(&self, namespace: &Namespace) -> Result<Vec<LiveJob>, ClusterError> {
        let jobs: Vec<Job> = self
            .list(&Query {
                api: "/apis/batch/v1",
                resource: "jobs",
                namespace: Some(namespace),
                labels: None,
                fields: None,
                accept: None,
            })
            .await?;
        Ok(jobs
            .into_iter()
            .filter_map(|job| read(job, namespace))
            .collect())
    }
}

fn read(job: Job, namespace: &Namespace) -> Option<LiveJob> {
    let cron_job = job
        .metadata
        .owner_references
        .into_iter()
        .find(|owner| owner.kind == "CronJob")?
        .name;
    let end = job
        .status
        .conditions
        .into_iter()
        .filter(|condition| condition.status == "True")
        .find_map(|condition| {
            let failure = match condition.kind.as_str() {
                "Complete" => None,
                "Failed" => Some(condition.reason),
                _ => return None,
            };
            Some(JobEnd {
                at: condition.last_transition_time,
                failure,
            })
        });
    Some(LiveJob {
        namespace: namespace.clone(),
        name: job.metadata.name,
        cron_job,
        started: job.status.start_time,
        end,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_json(job: serde_json::Value) -> Option<LiveJob> {
        read(
            serde_json::from_value(job).unwrap(),
            &Namespace::parse("edge").unwrap(),
        )
    }

    #[test]
    fn only_jobs_of_cron_jobs_count() {
        assert_eq!(read_json(json!({"metadata": {"name": "training"}})), None);
        let foreign = json!({"metadata": {"name": "x", "ownerReferences": [{"kind": "Workflow", "name": "w"}]}});
        assert_eq!(read_json(foreign), None);
    }

    #[test]
    fn a_job_ends_with_its_last_condition() {
        let job = |conditions: serde_json::Value| {
            let metadata = json!({"name": "x", "ownerReferences": [{"kind": "CronJob", "name": "edge-image-refresh"}]});
            let status = json!({"startTime": "2026-08-21T10:07:00Z", "conditions": conditions});
            read_json(json!({"metadata": metadata, "status": status})).unwrap()
        };
        assert_eq!(job(json!([])).end, None);
        let on_the_way =
            json!([{"type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded"}]);
        assert_eq!(job(on_the_way).end, None);
        let failed = job(json!([
            {"type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded"},
            {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "lastTransitionTime": "2026-08-21T10:37:00Z"},
        ]));
        let end = failed.end.unwrap();
        assert_eq!(end.failure.as_deref(), Some("DeadlineExceeded"));
        assert_eq!(end.at, Some("2026-08-21T10:37:00Z".parse().unwrap()));
        let done = job(json!([{"type": "Complete", "status": "True", "lastTransitionTime": null}]));
        assert_eq!(done.end.unwrap().failure, None);
        assert_eq!(done.cron_job, "edge-image-refresh");
    }
}
