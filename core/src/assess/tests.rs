//! Shared by the judges' tests: a release of plain data in which everything is well.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Question, outdated};
use crate::cronjob::CronFacts;
use crate::labels::{self, LabelledWorkload};
use crate::name::Namespace;
use crate::ownership::Marks;
use crate::profile::Profile;
use crate::release::Release;
use crate::report::OutdatedReport;
use crate::snapshot::{
    ContextFacts, Evidence, Gap, GapReason, ObservedRelease, RepositoryOrigin, RepositoryRef,
    Snapshot,
};
use crate::workload::{
    Container, LiveWorkload, Rollout, Shape, Workload, WorkloadId, WorkloadKind,
};

/// A moment between ticks: the upgrader ran at 10:23, the refresh at 10:22.
pub(crate) const NOW: &str = "2026-08-21T10:25:00Z";

/// A refusal.
pub(crate) fn gap(asked: &str) -> Gap {
    Gap {
        asked: asked.into(),
        reason: GapReason::Forbidden,
        message: "not allowed".into(),
    }
}

/// The namespace.
pub(crate) fn edge() -> Namespace {
    Namespace::parse("edge").unwrap()
}

/// A release with both jobs, as its record tells it.
pub(super) fn whole_release(
    version: &str,
    revision: u32,
    status: &str,
    defaults: &Value,
    values: &Value,
) -> Release {
    let cron = |name: &str| {
        format!(
            "---\nkind: CronJob\napiVersion: batch/v1\nmetadata: {{name: {name}}}\nspec: {{jobTemplate: {{spec: {{template: {{spec: {{containers: []}}}}}}}}}}\n"
        )
    };
    let manifest = format!(
        "---\nkind: Deployment\napiVersion: apps/v1\nmetadata: {{name: edge-jobs-manager}}\nspec: {{template: {{spec: {{containers: [{{name: api, image: 'tracebloc/jobs-manager:prod'}}]}}}}}}\n{}{}",
        cron("edge-auto-upgrade"),
        cron("edge-image-refresh"),
    );
    let record = json!({
        "name": "edge", "namespace": "edge", "version": revision,
        "info": {"status": status, "last_deployed": "2026-08-20T10:00:00Z"},
        "chart": {"metadata": {"name": "client", "version": version}, "values": defaults},
        "config": values,
        "manifest": manifest,
    });
    Release::decode(STANDARD.encode(record.to_string()).as_bytes()).unwrap()
}

/// The same without defaults of the chart.
pub(super) fn release(version: &str, revision: u32, status: &str, values: &Value) -> Release {
    whole_release(version, revision, status, &json!({}), values)
}

/// A workload with one container.
pub(crate) fn live(kind: WorkloadKind, name: &str, cron: Option<CronFacts>) -> LiveWorkload {
    let container = Container::declared(
        "api".into(),
        "tracebloc/jobs-manager:prod",
        Some("IfNotPresent"),
        false,
    );
    LiveWorkload {
        workload: Workload {
            id: WorkloadId {
                kind,
                namespace: edge(),
                name: name.into(),
            },
            containers: vec![container],
            shape: Shape::default(),
        },
        uid: format!("uid-of-{name}"),
        on_delete: false,
        records: BTreeMap::new(),
        rollout: if cron.is_some() {
            Rollout::None
        } else {
            Rollout::Settled
        },
        trouble: None,
        replicas: None,
        restarted_at: None,
        autoscaled: false,
        marks: Marks::default(),
        edits: Vec::new(),
        cron,
    }
}

/// Everything well: both jobs succeeded at their last ticks, and the refresh recorded a digest.
pub(crate) fn healthy(version: &str) -> Snapshot {
    let cron = |schedule: &str, last: &str| CronFacts {
        schedule: schedule.into(),
        created_at: Some("2026-08-01T00:00:00Z".parse().unwrap()),
        last_scheduled: Some(last.parse().unwrap()),
        last_succeeded: Some(last.parse().unwrap()),
        ..CronFacts::default()
    };
    let upgrade = cron("23 * * * *", "2026-08-21T10:23:00Z");
    let refresh = cron("7,22,37,52 * * * *", "2026-08-21T10:22:00Z");
    let mut main = live(WorkloadKind::Deployment, "edge-jobs-manager", None);
    main.records.insert(
        "tracebloc.io/last-refreshed-jobs-manager-digest".into(),
        format!("sha256:{}", "0".repeat(64)),
    );
    let record = release(version, 1, "deployed", &json!({}));
    let context = ContextFacts {
        name: Some("bed".into()),
        server: "https://127.0.0.1:6443".into(),
        cluster_uid: Evidence::Known("uid".into()),
        kubeconfig: None,
    };
    Snapshot {
        live: vec![
            main,
            live(WorkloadKind::CronJob, "edge-auto-upgrade", Some(upgrade)),
            live(WorkloadKind::CronJob, "edge-image-refresh", Some(refresh)),
        ],
        ..Snapshot::of_releases(
            context,
            NOW.parse().unwrap(),
            Evidence::Unknown(gap("the version")),
            vec![ObservedRelease {
                newest: record.head.clone(),
                record: Evidence::Known(record),
                deployed: None,
                earlier: Vec::new(),
                repository: Some(RepositoryRef {
                    name: None,
                    plain_http: false,
                    url: "https://charts.example.com".into(),
                    masked: false,
                    origin: RepositoryOrigin::Profile,
                }),
                unread: None,
            }],
        )
    }
}

/// What is judged of a snapshot, where these things are asked for.
pub(super) fn judge(snapshot: &Snapshot) -> OutdatedReport {
    let question = Question {
        automation: true,
        ..Question::default()
    };
    outdated(snapshot, &Profile::client().unwrap(), &question)
}

/// The codes of what is found.
pub(super) fn codes(snapshot: &Snapshot) -> Vec<String> {
    judge(snapshot)
        .findings
        .iter()
        .map(|finding| finding.code.to_string())
        .collect()
}

/// A release in which everything is well, with these values of the user.
pub(crate) fn with_values(version: &str, values: &Value) -> Snapshot {
    let mut snapshot = healthy(version);
    snapshot.releases[0].record = Evidence::Known(release(version, 1, "deployed", values));
    snapshot
}

/// A release with these defaults of the chart and values of the user.
pub(crate) fn with_defaults(version: &str, defaults: &Value, values: &Value) -> Snapshot {
    let mut snapshot = healthy(version);
    let record = whole_release(version, 1, "deployed", defaults, values);
    snapshot.releases[0].record = Evidence::Known(record);
    snapshot
}

/// What is judged where the chart is asked for.
pub(super) fn judge_chart(snapshot: &Snapshot) -> OutdatedReport {
    let question = Question {
        chart: true,
        ..Question::default()
    };
    outdated(snapshot, &Profile::client().unwrap(), &question)
}

/// The same where Helm's records may not be read: the release is known by the labels of what is there, and its refresh job was rendered with these
/// variables.
pub(crate) fn by_labels(
    snapshot: &Snapshot,
    version: &str,
    variables: &[(&str, &str)],
) -> Snapshot {
    let id = snapshot.releases[0].newest.id.clone();
    let found: Vec<LabelledWorkload> = snapshot
        .live
        .iter()
        .map(|live| LabelledWorkload {
            workload: live.workload.clone(),
            release: id.clone(),
            chart: Some(format!("client-{version}")),
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        })
        .collect();
    let release = labels::release(&id, &found, &Profile::client().unwrap()).unwrap();
    let mut snapshot = snapshot.clone();
    snapshot.releases[0] = ObservedRelease {
        repository: snapshot.releases[0].repository.clone(),
        ..ObservedRelease::by_labels(id, Evidence::Known(release), gap("secrets"))
    };
    snapshot
}
