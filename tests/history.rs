//! `history`: what was done to a real release, by Helm of both majors, by kubectl, by jobs, and by ourselves.

use std::time::{Duration, Instant};

use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};
use tracebloc_bed::cluster::{Grant, Output, Scope};
use tracebloc_bed::{Helm, Install, Tenant};
use tracebloc_core::change::{ANNOTATION, Change, HistoryEntry};

use crate::refresh::{plan, recorded, refresh};
use crate::support::{
    codes, command, finding, installed, leave_saying, on_a_terminal, parse, paste, run,
};

/// `history -o json` in the tenant's namespace, parsed.
fn history(tenant: &Tenant<'_>, arguments: &[&str]) -> Value {
    let mut whole = vec!["history", "--output", "json"];
    whole.extend(arguments);
    parse(&run(tenant, &whole))
}

fn entries(report: &Value) -> &[Value] {
    report["entries"].as_array().unwrap()
}

/// The entries of that kind.
fn of_kind<'report>(report: &'report Value, kind: &str) -> Vec<&'report Value> {
    entries(report)
        .iter()
        .filter(|entry| entry["change"] == kind)
        .collect()
}

/// The one entry of that kind.
fn one<'report>(report: &'report Value, kind: &str) -> &'report Value {
    match of_kind(report, kind)[..] {
        [entry] => entry,
        _ => panic!("not one {kind} in {report:#}"),
    }
}

fn kubectl(tenant: &Tenant<'_>, arguments: &[&str]) -> String {
    tenant.kubectl(arguments).unwrap().success().unwrap()
}

/// Asks until it is as wanted; the last answer is for the test to judge.
fn history_until(tenant: &Tenant<'_>, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let report = history(tenant, &[]);
        if wanted(&report) || Instant::now() > deadline {
            return report;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Times that are kept in whole seconds follow each other only after one.
fn next_second() {
    std::thread::sleep(Duration::from_millis(1100));
}

/// A change as `refresh` writes it.
fn change(id: &str, state: &str, minutes_ago: i64) -> Change {
    let at = Timestamp::now() - minutes_ago.minutes();
    let value = json!({
        "id": id, "command": "refresh", "by": "jane@example.com", "at": at, "state": state,
        "containers": [{
            "container": "api", "image": "jobs-manager",
            "from": "tracebloc/jobs-manager:prod", "to": "tracebloc/jobs-manager:prod",
            "former": format!("sha256:{}", "a".repeat(64)), "wanted": format!("sha256:{}", "b".repeat(64)),
        }],
    });
    serde_json::from_value(value).unwrap()
}

/// Changes a Deployment as `refresh` does: what acts and what tells of it in one patch.
fn act(tenant: &Tenant<'_>, deployment: &str, change: &Change) {
    let patch = json!({
        "metadata": {"annotations": {ANNOTATION: change.to_text()}},
        "spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": change.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()}}}},
    });
    let object = format!("deployment/{deployment}");
    kubectl(
        tenant,
        &[
            "patch",
            &object,
            "--field-manager=kubectl-tracebloc",
            "--patch",
            &patch.to_string(),
        ],
    );
}

/// Keeps changes of a Deployment as `refresh` does.
fn keep(tenant: &Tenant<'_>, release: &str, deployment: &str, changes: &[Change]) {
    let data: serde_json::Map<String, Value> = changes
        .iter()
        .map(|change| {
            let entry = json!({
                "workload": {"kind": "Deployment", "namespace": tenant.namespace(), "name": deployment},
                "ended": change.at + 20.seconds(),
            });
            let mut entry = entry.as_object().unwrap().clone();
            entry.extend(
                serde_json::to_value(change).unwrap().as_object().unwrap().clone(),
            );
            let entry: HistoryEntry = serde_json::from_value(entry.into()).unwrap();
            (entry.key(), entry.to_text().into())
        })
        .collect();
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": format!("tracebloc-history-{release}"), "namespace": tenant.namespace()},
        "data": data,
    });
    tenant
        .bed()
        .cluster()
        .kubectl_with_input(&["apply", "-f", "-"], &object.to_string())
        .unwrap()
        .success()
        .unwrap();
}

#[test]
fn revisions_of_both_helms_are_told_newest_first() {
    for (name, helm) in [("history-four", Helm::Four), ("history-three", Helm::Three)] {
        let tenant = crate::support::tenant(name);
        crate::support::install(&tenant, &Install::client(name, "1.9.28").by(helm));
        tenant
            .upgrade(&Install::client(name, "1.9.40").by(helm))
            .unwrap()
            .success()
            .unwrap();
        let back = format!("helm rollback {name} 1 --namespace {}", tenant.namespace());
        paste(&tenant, &back, helm).success().unwrap();
        let report = history(&tenant, &[]);
        assert_eq!(report["kind"], "HistoryReport");
        assert_eq!(report["release"]["name"], name);
        assert_eq!(report["findings"], json!([]), "{report:#}");
        let told: Vec<_> = entries(&report)
            .iter()
            .map(|entry| {
                let field = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
                (field("change"), field("status"), field("summary"))
            })
            .collect();
        let revision = |status: &str, summary: &str| {
            ("revision".to_owned(), status.to_owned(), summary.to_owned())
        };
        assert_eq!(
            told,
            [
                revision("deployed", "revision 3: client-1.9.28, Rollback to 1"),
                revision("superseded", "revision 2: client-1.9.40, Upgrade complete"),
                revision("superseded", "revision 1: client-1.9.28, Install complete"),
            ],
            "Helm's own writing is no edit"
        );
    }
}

#[test]
fn what_kubectl_did_is_told_with_its_program() {
    let tenant = installed("history-edit", "1.9.28");
    let manager = "deployment/history-edit-jobs-manager";
    let proxy = "deployment/history-edit-requests-proxy";
    next_second();
    kubectl(
        &tenant,
        &["set", "image", manager, "api=example.com/other:1"],
    );
    next_second();
    kubectl(&tenant, &["rollout", "restart", proxy]);
    next_second();
    kubectl(&tenant, &["scale", proxy, "--replicas=2"]);
    let suspend = r#"{"spec":{"suspend":true}}"#;
    kubectl(
        &tenant,
        &[
            "patch",
            "cronjob/history-edit-image-refresh",
            "--patch",
            suspend,
        ],
    );
    let report = history(&tenant, &[]);
    let edits = of_kind(&report, "edit");
    let told: Vec<&str> = edits
        .iter()
        .filter_map(|edit| edit["summary"].as_str())
        .collect();
    assert_eq!(told.len(), 3, "{report:#}");
    for part in [
        "kubectl changed the number of replicas in deployment/history-edit-requests-proxy",
        "kubectl-patch changed the suspension in cronjob/history-edit-image-refresh",
        "kubectl-set changed the image of api in deployment/history-edit-jobs-manager",
    ] {
        assert!(told.contains(&part), "no {part:?} in {told:#?}");
    }
    let set = edits
        .iter()
        .find(|edit| edit["tool"] == "kubectl-set")
        .unwrap();
    assert_eq!(set["parts"], json!([{"part": "image", "container": "api"}]));
    let restart = one(&report, "restart");
    assert_eq!(restart["tool"], "kubectl-rollout", "{restart:#}");
    assert_eq!(restart["workload"]["name"], "history-edit-requests-proxy");
    // Of what is written through the subresource `scale` the API server keeps no time.
    let kinds: Vec<&Value> = entries(&report)
        .iter()
        .map(|entry| &entry["change"])
        .collect();
    assert_eq!(
        kinds,
        ["edit", "restart", "edit", "revision", "edit"],
        "{report:#}"
    );
    assert_eq!(entries(&report)[4]["tool"], "kubectl");
    assert_eq!(entries(&report)[4].get("at"), None);

    // What was done last of that is told by `status` too, as far as it decides what runs.
    let status = crate::support::status(&tenant, &[]);
    let kinds: Vec<&Value> = status["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| &change["change"])
        .collect();
    assert_eq!(kinds, ["restart", "edit", "revision"]);
}

#[test]
fn our_own_changes_are_told_from_wherever_they_are_kept() {
    let tenant = installed("history-own", "1.9.28");
    let deployment = "history-own-jobs-manager";
    let first = change("one", "failed", 3);
    let second = change("two", "done", 1);
    act(&tenant, deployment, &first);
    tenant.wait_ready().unwrap();
    act(&tenant, deployment, &second);
    tenant.wait_ready().unwrap();
    keep(&tenant, "history-own", deployment, &[first, second]);

    let report = history(&tenant, &[]);
    let changes = of_kind(&report, "change");
    let ids: Vec<&Value> = changes.iter().map(|change| &change["id"]).collect();
    assert_eq!(ids, ["two", "one"], "{report:#}");
    assert_eq!(changes[0]["outcome"], "done");
    assert_eq!(changes[1]["outcome"], "failed");
    assert_eq!(changes[0]["by"], "jane@example.com");
    assert_eq!(changes[0]["containers"][0]["image"], "jobs-manager");
    assert_eq!(
        changes[0]["evidence"].as_array().unwrap().len(),
        3,
        "the history, the workload and its ReplicaSet: {report:#}"
    );
    assert!(of_kind(&report, "restart").is_empty(), "{report:#}");
    assert!(of_kind(&report, "edit").is_empty(), "{report:#}");
    let text = run(&tenant, &["history"]).stdout;
    assert!(
        text.contains("  done      refresh of deployment/history-own-jobs-manager by jane@example.com: jobs-manager from aaaaaaaaaaaa to bbbbbbbbbbbb (started anew)"),
        "{text}"
    );

    // Without the history the workload tells of the last one, and what its controller left of the one before.
    kubectl(
        &tenant,
        &["delete", "configmap/tracebloc-history-history-own"],
    );
    let report = history(&tenant, &[]);
    let changes = of_kind(&report, "change");
    assert_eq!(changes.len(), 2, "{report:#}");
    assert_eq!(changes[1]["id"], "one");
    let left = changes[1]["evidence"][0].as_str().unwrap();
    assert!(left.starts_with("replicaset/"), "{report:#}");
    assert_eq!(report["findings"], json!([]));

    // A history of a later build.
    let later = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "tracebloc-history-history-own", "namespace": tenant.namespace()},
        "data": {"20260101T000000000-x-deployment-y": "{\"form\": 2}"},
    });
    let apply = tenant
        .bed()
        .cluster()
        .kubectl_with_input(&["apply", "-f", "-"], &later.to_string());
    apply.unwrap().success().unwrap();
    let report = history(&tenant, &[]);
    let unread = entries(&report).last().unwrap();
    assert_eq!(unread["at"], "2026-01-01T00:00:00Z", "{report:#}");
    assert_eq!(unread["unknown"]["reason"], "unsupported");
}

#[test]
fn a_refresh_and_its_way_back_are_told_once_each() {
    let tenant = installed("history-refresh", "1.9.28");
    recorded(&tenant);
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    plan(&refresh(&tenant, &[]), 0);
    let workloads = [
        "history-refresh-jobs-manager",
        "history-refresh-requests-proxy",
    ];
    let told = |report: &Value, command: &str| -> Vec<(String, Value)> {
        let mut told: Vec<_> = of_kind(report, "change")
            .into_iter()
            .filter(|change| change["command"] == command)
            .map(|change| {
                let name = change["workload"]["name"].as_str().unwrap();
                (name.to_owned(), change["outcome"].clone())
            })
            .collect();
        told.sort_by(|one, other| one.0.cmp(&other.0));
        told
    };
    let done = workloads.map(|name| (name.to_owned(), Value::from("done")));
    let report = history(&tenant, &[]);
    assert_eq!(told(&report, "refresh"), done, "{report:#}");
    for kind in ["restart", "edit", "event"] {
        assert!(of_kind(&report, kind).is_empty(), "{report:#}");
    }
    plan(&refresh(&tenant, &["--rollback"]), 0);
    let report = history(&tenant, &[]);
    assert_eq!(told(&report, "refresh"), done, "{report:#}");
    assert_eq!(told(&report, "refresh --rollback"), done, "{report:#}");
    for change in of_kind(&report, "change") {
        assert_eq!(change["by"], "bed-admin", "{change:#}");
        assert!(change["ended"].is_string(), "{change:#}");
    }
    for kind in ["restart", "event"] {
        assert!(of_kind(&report, kind).is_empty(), "{report:#}");
    }
}

#[test]
fn causes_warnings_and_jobs_are_told() {
    let tenant = installed("history-others", "1.9.28");
    let manager = "deployment/history-others-jobs-manager";
    kubectl(
        &tenant,
        &[
            "annotate",
            manager,
            "kubernetes.io/change-cause=for the audit",
        ],
    );
    let quota = ["create", "quota", "full", "--hard=pods=1"];
    kubectl(&tenant, &quota);
    kubectl(
        &tenant,
        &[
            "create",
            "job",
            "refreshing",
            "--from=cronjob/history-others-image-refresh",
        ],
    );
    kubectl(&tenant, &["rollout", "restart", manager]);
    let report = history_until(&tenant, |report| {
        !of_kind(report, "event").is_empty()
            && !of_kind(report, "rollout").is_empty()
            && !of_kind(report, "job").is_empty()
    });
    let cause = one(&report, "rollout");
    assert_eq!(
        cause["summary"],
        format!("rollout of {manager}: for the audit")
    );
    let events = of_kind(&report, "event");
    assert_eq!(events.len(), 1, "however often it is tried: {events:#?}");
    assert!(
        events.iter().any(|event| {
            event["reason"].as_str().unwrap().contains("exceeded quota")
                && event["workload"]["name"] == "history-others-jobs-manager"
                && event["outcome"] == "failed"
        }),
        "{events:#?}"
    );
    let job = one(&report, "job");
    assert_eq!(job["job"], "job/refreshing");
    assert!(
        job["summary"]
            .as_str()
            .unwrap()
            .starts_with("the chart's image refresh ran as job/refreshing"),
        "{job:#}"
    );
    let wide = run(&tenant, &["history", "-o", "wide"]).stdout;
    assert!(wide.contains("[job/refreshing]"), "{wide}");
}

#[test]
fn eighty_columns_are_enough() {
    let tenant = installed("history-narrow", "1.9.28");
    let deployment = "history-narrow-jobs-manager";
    let mut failed = change("one", "failed", 3);
    failed.by = "system:serviceaccount:history-narrow:refresher".to_owned();
    failed.reason =
        Some("api: CrashLoopBackOff, back-off 10s restarting failed container".to_owned());
    act(&tenant, deployment, &failed);
    kubectl(
        &tenant,
        &[
            "set",
            "image",
            &format!("deployment/{deployment}"),
            "api=example.com/other:1",
        ],
    );
    for columns in [80, 120] {
        let text = on_a_terminal(&tenant, columns, &[], "history --quiet --color never");
        for line in text.lines() {
            assert!(
                line.chars().count() <= columns as usize,
                "{columns}: {line}"
            );
        }
        assert!(text.contains("WHEN") && text.contains("STATE"), "{text}");
        assert!(text.contains("CrashLoopBackOff"), "{text}");
    }
}

/// `history` as an account with these rights in the tenant's namespace.
fn history_as(tenant: &Tenant<'_>, name: &str, grants: &[(&[&str], &[&str])]) -> Value {
    let grants: Vec<Grant<'_>> = grants
        .iter()
        .map(|(groups, resources)| Grant {
            scope: Scope::Namespace(tenant.namespace()),
            groups,
            resources,
            verbs: &["get", "list"],
        })
        .collect();
    let cluster = tenant.bed().cluster();
    let kubeconfig = cluster
        .service_account(tenant.namespace(), name, &grants)
        .unwrap();
    let mut asking = command(tenant, &["history", "-o", "json"]);
    asking
        .args(["--namespace", tenant.namespace()])
        .env("KUBECONFIG", kubeconfig);
    parse(&Output::of(&mut asking).unwrap())
}

#[test]
fn what_may_not_be_read_is_a_finding_and_the_rest_is_told() {
    let tenant = installed("history-refused", "1.9.28");
    let deployment = "history-refused-jobs-manager";
    let done = change("one", "done", 1);
    act(&tenant, deployment, &done);
    keep(&tenant, "history-refused", deployment, &[done]);
    let records: (&[&str], &[&str]) = (&[""], &["secrets"]);
    let workloads: (&[&str], &[&str]) = (&["apps", "batch"], &["*"]);
    let report = history_as(&tenant, "auditor", &[records, workloads]);
    let messages = report["findings"].to_string();
    for part in [
        "configmap tracebloc-history-history-refused in namespace",
        "events in namespace",
        "daemonsets in namespace",
    ] {
        assert!(messages.contains(part), "no {part:?} in {report:#}");
    }
    let told = finding(&report, "cluster-unanswered");
    assert_eq!(told["severity"], "warning");
    assert_eq!(one(&report, "change")["by"], "jane@example.com");
    assert_eq!(of_kind(&report, "revision").len(), 1);

    // Our own events tell of what is kept where it may not be read, and of nothing twice.
    let event = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event",
        "metadata": {"generateName": "tracebloc-", "namespace": tenant.namespace()},
        "eventTime": (Timestamp::now() - 30.seconds()).strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        "reportingController": "kubectl-tracebloc", "reportingInstance": "one",
        "action": "refresh", "reason": "Refreshed", "type": "Normal", "note": "it runs what is published",
        "regarding": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": tenant.namespace()},
    });
    for about in [deployment, "history-refused-requests-proxy"] {
        let mut event = event.clone();
        event["regarding"]["name"] = about.into();
        let sent = tenant
            .bed()
            .cluster()
            .kubectl_with_input(&["create", "-f", "-"], &event.to_string());
        sent.unwrap().success().unwrap();
    }
    let events: (&[&str], &[&str]) = (&[""], &["events"]);
    let report = history_as(&tenant, "listener", &[records, workloads, events]);
    let told = one(&report, "event");
    assert_eq!(told["workload"]["name"], "history-refused-requests-proxy");
    assert_eq!(told["reason"], "it runs what is published");
    assert!(of_kind(&history(&tenant, &[]), "event").is_empty());
}

#[test]
fn the_newest_entries_are_told_and_old_ones_on_demand() {
    let tenant = installed("history-long", "1.9.28");
    leave_saying(
        &tenant,
        "history-long",
        "failed",
        "2026-01-05T10:00:00Z",
        "Upgrade failed: no",
    );
    let report = history(&tenant, &["--max", "1"]);
    assert_eq!(entries(&report).len(), 1, "{report:#}");
    assert_eq!(report["truncated"], true);
    assert_eq!(entries(&report)[0]["revision"], 2);
    let text = run(&tenant, &["history", "--max=1"]).stdout;
    assert!(text.contains("older entries were left out"), "{text}");
    let report = history(&tenant, &["--max", "2"]);
    assert_eq!(
        (entries(&report).len(), &report["truncated"]),
        (2, &false.into())
    );
    // The second revision's clock was behind, and it is older by it than the first.
    let report = history(&tenant, &["--since", "7d"]);
    assert_eq!(entries(&report).len(), 0, "{report:#}");
    let text = run(&tenant, &["history", "--since", "7d"]).stdout;
    assert!(
        text.contains("nothing is known to have been done in this time"),
        "{text}"
    );
    for wrong in [
        &["--max", "0"][..],
        &["--since", "yesterday"],
        &["-o", "name"],
    ] {
        let output = run(&tenant, &[&["history"], wrong].concat());
        assert_eq!(output.code, Some(2), "{output}");
    }
    let output = run(&tenant, &["history", "no-such-release"]);
    assert_eq!(output.code, Some(4), "{output}");

    let gone = format!(
        "helm uninstall history-long --keep-history --namespace {}",
        tenant.namespace()
    );
    paste(&tenant, &gone, Helm::Four).success().unwrap();
    let report = history(&tenant, &["history-long"]);
    assert_eq!(entries(&report)[0]["status"], "uninstalled", "{report:#}");
    assert!(!codes(&report).contains(&"cluster-unanswered"));
}
