//! What stands before an upgrade, by versions, values and facts.

use serde_json::{Value, json};

use crate::assess::tests::{healthy, judge_chart, with_defaults};
use crate::assess::{Question, outdated};
use crate::finding::{Finding, Severity};
use crate::index::{ChartChanges, ChartIndex, ChartVersion};
use crate::name::ChartName;
use crate::profile::{Effect, Profile};
use crate::release::ApplyMethod;
use crate::report::AutomationState;
use crate::snapshot::{Evidence, ObservedChart, Snapshot};
use crate::version::Version;

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

/// The same with a repository that publishes these versions, newest first.
fn published(mut snapshot: Snapshot, versions: &[&str]) -> Snapshot {
    let versions = versions
        .iter()
        .map(|text| ChartVersion {
            version: version(text),
            app_version: None,
            kube_version: None,
            deprecated: false,
            unread: false,
            digest: None,
            urls: Vec::new(),
        })
        .collect();
    snapshot.charts = vec![ObservedChart {
        repository: snapshot.releases[0].repository.clone().unwrap(),
        chart: ChartName::parse("client").unwrap(),
        index: Evidence::Known(ChartIndex {
            versions,
            rejected: Vec::new(),
        }),
        observed_at: None,
        changes: ChartChanges::default(),
    }];
    snapshot
}

/// A release of a version with these defaults of the chart and values of the user, and a newer version.
fn between(from: &str, to: &str, defaults: &Value, values: &Value) -> Snapshot {
    published(with_defaults(from, defaults, values), &[to, from])
}

fn all(snapshot: &Snapshot, code: &str) -> Vec<Finding> {
    judge_chart(snapshot)
        .findings
        .into_iter()
        .filter(|finding| finding.code.as_str() == code)
        .collect()
}

/// The names of the breakers that block.
fn blocks(snapshot: &Snapshot) -> Vec<String> {
    all(snapshot, "upgrade-blocked")
        .iter()
        .map(|finding| {
            let name = finding.evidence[0].strip_prefix("upgrade breaker ");
            name.unwrap().to_owned()
        })
        .collect()
}

fn advice(snapshot: &Snapshot) -> Vec<String> {
    all(snapshot, "chart-behind").remove(0).advice
}

/// From, to, the user's values as JSON, and the breaker that they meet.
const CASES: &[(&str, &str, &str, Option<&str>)] = &[
    (
        "1.0.1",
        "1.0.2",
        r#"{"storageClass": {"create": true}}"#,
        Some("claims-change-class"),
    ),
    (
        "1.0.2",
        "1.0.8",
        r#"{"storageClass": {"create": true}}"#,
        None,
    ),
    (
        "1.0.2",
        "1.0.8",
        r#"{"hostPath": {"enabled": true}}"#,
        Some("volumes-change-path"),
    ),
    (
        "1.0.0",
        "1.0.3",
        r#"{"hostPath": {"enabled": true}}"#,
        Some("volumes-start-empty"),
    ),
    (
        "1.9.28",
        "1.9.51",
        r#"{"hostPath": {"enabled": true}}"#,
        Some("claims-change-access"),
    ),
    (
        "1.9.28",
        "1.9.51",
        r#"{"hostPath": {"enabled": true}, "pvcAccessMode": "ReadWriteMany"}"#,
        None,
    ),
    (
        "1.9.29",
        "1.9.51",
        r#"{"hostPath": {"enabled": true}}"#,
        None,
    ),
    (
        "1.0.3",
        "1.9.51",
        r#"{"clientId": "<CLIENT_ID>"}"#,
        Some("client-id-placeholder"),
    ),
    (
        "1.0.3",
        "1.9.51",
        r#"{"clientPassword": "<CLIENT_PASSWORD>"}"#,
        Some("client-password-placeholder"),
    ),
    ("1.0.3", "1.9.51", r#"{"clientPassword": "hunter2"}"#, None),
    (
        "1.0.3",
        "1.0.8",
        r#"{"networkPolicy": {"training": {"clusterCidrs": []}}}"#,
        Some("cluster-networks"),
    ),
    (
        "1.0.1",
        "1.0.3",
        r#"{"dockerRegistry": {"server": "https://example.com"}}"#,
        Some("pull-secret-dropped"),
    ),
    (
        "1.5.1",
        "1.6.0",
        r#"{"env": {"HTTP_PROXY": "http://proxy"}}"#,
        Some("http-proxy-lost"),
    ),
    (
        "1.5.1",
        "1.6.0",
        r#"{"env": {"HTTPS_PROXY": "http://proxy"}}"#,
        Some("https-proxy-lost"),
    ),
    (
        "1.5.1",
        "1.6.1",
        r#"{"env": {"HTTP_PROXY": "http://proxy"}}"#,
        None,
    ),
    (
        "1.8.5",
        "1.9.9",
        r#"{"podTokenTtlSeconds": "604800"}"#,
        Some("token-lifetime"),
    ),
    ("1.8.5", "1.9.9", r#"{"podTokenTtlSeconds": 604800}"#, None),
    (
        "1.8.5",
        "1.9.9",
        r#"{"egressReachabilityCheck": {"enabled": "true"}}"#,
        Some("reachability-check"),
    ),
    (
        "1.8.5",
        "1.9.9",
        r#"{"credmgrPassword": "with-dash"}"#,
        Some("manager-password"),
    ),
    (
        "1.9.12",
        "1.9.15",
        r#"{"perDatasetPvcs": true, "clusterScope": false}"#,
        Some("dataset-claims"),
    ),
    (
        "1.9.12",
        "1.9.15",
        r#"{"perDatasetPvcs": true, "clusterScope": true}"#,
        None,
    ),
    (
        "1.9.28",
        "1.9.40",
        r#"{"env": {"CLIENT_ENV": "canary"}}"#,
        Some("channel-names"),
    ),
    (
        "1.9.28",
        "1.9.40",
        r#"{"env": {"CLIENT_ENV": "staging"}}"#,
        None,
    ),
    (
        "1.9.40",
        "1.9.44",
        r#"{"gpu": {"devicePlugin": {"enabled": true, "vendor": "intel"}}}"#,
        Some("gpu-vendor"),
    ),
    (
        "1.9.40",
        "1.9.44",
        r#"{"gpu": {"devicePlugin": {"enabled": true}}}"#,
        Some("gpu-vendor-unset"),
    ),
    (
        "1.9.40",
        "1.9.44",
        r#"{"gpu": {"devicePlugin": {"enabled": true, "vendor": "amd"}}}"#,
        None,
    ),
    (
        "1.9.47",
        "1.9.51",
        r#"{"dockerRegistry": {"create": true, "existingSecret": "mine"}}"#,
        Some("pull-secret-twice"),
    ),
    (
        "1.9.47",
        "1.9.51",
        r#"{"env": {"RESOURCE_PROVENANCE": "me"}}"#,
        Some("resource-provenance"),
    ),
    (
        "1.9.47",
        "1.9.51",
        r#"{"images": {"jobsManager": {"digest": "sha256:1"}}}"#,
        None,
    ),
    (
        "1.8.5",
        "1.9.9",
        r#"{"images": {"ingestor": {"channelTags": {"dev": "latest"}}}}"#,
        Some("channel-tag-dev"),
    ),
    (
        "1.8.5",
        "1.9.9",
        r#"{"images": {"ingestor": {"channelTags": {"stg": ""}}}}"#,
        Some("channel-tag-stg"),
    ),
    (
        "1.8.5",
        "1.9.9",
        r#"{"images": {"ingestor": {"channelTags": {"prod": "latest", "dev": "dev"}}}}"#,
        Some("channel-tag-prod"),
    ),
    (
        "1.9.34",
        "1.9.40",
        r#"{"images": {"ingestor": {"channelTags": {"prod": "0.8", "canary": "x"}}}}"#,
        Some("channel-tag-names"),
    ),
    (
        "1.9.34",
        "1.9.40",
        r#"{"images": {"ingestor": {"channelTags": {"prod": "0.8", "dev": "x", "canary": null}}}}"#,
        None,
    ),
    (
        "1.9.40",
        "1.9.51",
        r#"{"images": {"ingestor": {"channelTags": {"canary": "x"}}}}"#,
        None,
    ),
    (
        "1.9.15",
        "1.9.28",
        r#"{"tbMetaPassword": "a-b"}"#,
        Some("metadata-password"),
    ),
    (
        "1.9.15",
        "1.9.28",
        r#"{"tbIngestPassword": "a-b"}"#,
        Some("ingestion-password"),
    ),
];

#[test]
fn every_breaker_that_values_decide_has_a_case() {
    let profile = Profile::client().unwrap();
    for breaker in &profile.breakers {
        let is_case = CASES
            .iter()
            .any(|(.., name)| *name == Some(breaker.name.as_str()));
        let decided = breaker.effect == Effect::Blocks && breaker.fact.is_none();
        assert_eq!(is_case, decided, "{}", breaker.name);
    }
}

#[test]
fn each_breaker_is_judged_by_versions_and_values() {
    for (from, to, values, expected) in CASES {
        let values = serde_json::from_str(values).unwrap();
        let found = blocks(&between(from, to, &json!({}), &values));
        let expected: Vec<&str> = expected.iter().copied().collect();
        assert_eq!(found, expected, "{from} to {to}: {values}");
    }
}

#[test]
fn the_advised_upgrade_holds_what_it_needs() {
    let values = json!({"hostPath": {"enabled": true}, "env": {"RESOURCE_PROVENANCE": "me"}});
    let snapshot = between("1.9.28", "1.9.51", &json!({}), &values);
    let lines = advice(&snapshot);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("--version 1.9.51 --reset-then-reuse-values --set pvcAccessMode=ReadWriteMany --set env.RESOURCE_PROVENANCE=unknown --namespace edge"),
        "{lines:?}"
    );
    assert_eq!(all(&snapshot, "upgrade-blocked")[0].advice, lines);
}

#[test]
fn where_no_value_helps_the_bare_upgrade_is_not_advised() {
    let channel = json!({"env": {"CLIENT_ENV": "s3cret-channel"}});
    let snapshot = between("1.9.28", "1.9.51", &json!({}), &channel);
    let lines = advice(&snapshot);
    assert!(
        lines[0].contains("--dry-run=server --hide-secret"),
        "{lines:?}"
    );
    let told = serde_json::to_string(&all(&snapshot, "upgrade-blocked")).unwrap();
    assert!(
        told.contains("env.CLIENT_ENV") && !told.contains("s3cret"),
        "{told}"
    );
    let path = json!({"hostPath": {"enabled": true}});
    let snapshot = between("1.0.0", "1.0.3", &json!({}), &path);
    let lines = advice(&snapshot);
    assert!(
        lines[0].starts_with("kubectl get persistentvolumeclaims "),
        "{lines:?}"
    );
    let found = all(&snapshot, "upgrade-blocked");
    assert_eq!(found[0].severity, Severity::Danger, "{found:?}");
}

#[test]
fn what_cannot_be_judged_is_to_be_checked_and_never_claimed() {
    let values = json!({"resourceMonitor": true});
    let mut snapshot = between("1.9.47", "1.9.51", &json!({}), &values);
    assert_eq!(blocks(&snapshot), Vec::<String>::new(), "not asked");
    let caution = all(&snapshot, "upgrade-caution").remove(0);
    assert!(
        caution.evidence[0].starts_with("metrics-api-needed, not judged from here: "),
        "{caution:?}"
    );
    assert_eq!(advice(&snapshot).len(), 1);
    snapshot.has_needed_api = Some(Evidence::Known(true));
    assert_eq!(all(&snapshot, "upgrade-caution"), []);
    snapshot.has_needed_api = Some(Evidence::Known(false));
    assert_eq!(blocks(&snapshot), ["metrics-api-needed"]);
    assert!(advice(&snapshot)[0].contains("--set resourceMonitor=false"));
}

#[test]
fn what_is_merely_felt_is_one_finding() {
    let snapshot = between(
        "1.9.9",
        "1.9.51",
        &json!({"images": {"ingestor": {"autoRefresh": true}}}),
        &json!({}),
    );
    let found = all(&snapshot, "upgrade-caution");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].severity, Severity::Info);
    assert!(
        found[0].message.ends_with(", and 3 cautions more"),
        "{}",
        found[0].message
    );
    let names: Vec<&str> = found[0]
        .evidence
        .iter()
        .map(|line| line.split([':', ',']).next().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "recreate",
            "database-restart",
            "training-envelope",
            "readiness"
        ]
    );
    let own = json!({"images": {"ingestor": {"autoRefresh": false}}});
    let found = all(
        &between("1.5.1", "1.6.1", &json!({}), &own),
        "upgrade-caution",
    );
    assert!(
        found[0].message.contains("images.ingestor.autoRefresh"),
        "{found:?}"
    );
    assert_eq!(
        all(
            &between("1.9.50", "1.9.51", &json!({}), &json!({})),
            "upgrade-caution"
        ),
        []
    );
}

#[test]
fn fields_that_kubectl_set_owns_need_force_where_helm_applies_on_the_server() {
    let mut snapshot = published(healthy("1.9.50"), &["1.9.51", "1.9.50"]);
    snapshot.live[0]
        .marks
        .managers
        .insert("kubectl-set".to_owned());
    assert_eq!(
        blocks(&snapshot),
        Vec::<String>::new(),
        "applied by the client"
    );
    if let Evidence::Known(record) = &mut snapshot.releases[0].record {
        record.apply_method = ApplyMethod::ServerSide;
    }
    assert_eq!(blocks(&snapshot), ["fields-owned-elsewhere"]);
    assert!(advice(&snapshot)[0].contains(" --force-conflicts "));
}

#[test]
fn a_prerelease_that_the_updater_ranks_above_its_version_is_stuck() {
    let stuck = |current: &str, versions: &[&str]| {
        !all(&published(healthy(current), versions), "rc-stuck").is_empty()
    };
    assert!(stuck("1.9.61-rc.1", &["1.9.61", "1.9.51"]));
    assert!(
        !stuck("1.9.61-rc.1", &["1.9.62", "1.9.61"]),
        "sort -V puts it below 1.9.62"
    );
    assert!(
        !stuck("1.9.61-rc.1", &["1.9.61-rc.2", "1.9.51"]),
        "not there yet"
    );
    assert!(!stuck("1.9.60", &["1.9.61", "1.9.60"]));
}

#[test]
fn an_updater_whose_upgrade_is_known_to_fail_is_not_said_to_be_well() {
    let job = |values: &Value| {
        let question = Question {
            chart: true,
            automation: true,
            ..Question::default()
        };
        let snapshot = between("1.9.28", "1.9.51", &json!({}), values);
        let report = outdated(&snapshot, &Profile::client().unwrap(), &question);
        let automation = report.releases[0].automation.clone().unwrap();
        automation.auto_upgrade
    };
    assert_eq!(job(&json!({})).state, AutomationState::Ok);
    let held = job(&json!({"hostPath": {"enabled": true}}));
    assert_eq!(held.state, AutomationState::Stalled);
    assert!(held.detail.unwrap().contains("known to fail"));
}
