//! Faults of versions, values that hold a release still, and who else looks after it.

use serde_json::{Value, json};

use crate::assess::tests::{healthy, judge_chart, with_defaults};
use crate::finding::{Finding, Severity};
use crate::snapshot::Snapshot;

/// The finding with that code.
fn find(snapshot: &Snapshot, code: &str) -> Option<Finding> {
    let report = judge_chart(snapshot);
    report
        .findings
        .into_iter()
        .find(|finding| finding.code.as_str() == code)
}

/// A release with these defaults of the chart and values of the user.
fn with(version: &str, defaults: &Value, values: &Value) -> Snapshot {
    with_defaults(version, defaults, values)
}

#[test]
fn a_version_with_faults_says_the_worst_and_lists_the_rest() {
    let budgets = json!({"podDisruptionBudget": {"mysql": {"create": true}}});
    let found = find(&with("1.9.5", &budgets, &json!({})), "missing-fix").unwrap();
    assert_eq!(found.severity, Severity::Danger);
    assert!(
        found
            .message
            .starts_with("1.9.5 lacks a fix of 1.9.7: mysql"),
        "{}",
        found.message
    );
    assert!(
        found
            .evidence
            .iter()
            .any(|line| line.contains("disruption budgets"))
    );
    let scoped = find(&with("1.9.40", &budgets, &json!({})), "missing-fix").unwrap();
    assert_eq!(scoped.severity, Severity::Warning);
    assert!(
        scoped.message.ends_with(", and 1 fault more"),
        "{}",
        scoped.message
    );
    assert_eq!(
        find(&with("1.9.51", &json!({}), &json!({})), "missing-fix"),
        None
    );
    assert_eq!(
        find(&with("1.0.3", &json!({}), &json!({})), "missing-fix"),
        None
    );
}

#[test]
fn a_fault_that_the_values_keep_from_showing_is_none() {
    let faults = |version, values: &Value| {
        find(&with(version, &json!({}), values), "missing-fix")
            .map_or_else(String::new, |found| found.evidence.join("; "))
    };
    assert!(faults("1.9.5", &json!({})).contains("mysql is not pinned"));
    let pinned = json!({"images": {"mysqlClient": {"digest": "sha256:1"}}});
    assert!(!faults("1.9.5", &pinned).contains("mysql"));
    let proxy = json!({"env": {"HTTPS_PROXY": "http://user:s3cret@proxy"}});
    let told = faults("1.6.0", &proxy);
    assert!(
        told.contains("env.HTTPS_PROXY") && !told.contains("env.HTTP_PROXY"),
        "{told}"
    );
    assert!(!told.contains("s3cret"), "{told}");
    assert!(!faults("1.6.0", &json!({})).contains("_PROXY"));
}

#[test]
fn trainings_without_the_pull_secret_are_a_fault_where_there_is_one() {
    let lacks = |version, values: &Value| {
        let none = json!({"dockerRegistry": {"create": false}});
        find(&with(version, &none, values), "missing-fix").is_some_and(|found| {
            let told = |line: &String| line.starts_with("fixed in 1.9.50: trainings");
            found.evidence.iter().any(told)
        })
    };
    let registry = json!({"dockerRegistry": {"create": true, "password": "s3cret"}});
    assert!(lacks("1.0.2", &registry) && lacks("1.9.47", &registry));
    assert!(!lacks("1.9.50", &registry));
    assert!(!lacks("1.9.47", &json!({})), "nothing to give to them");
    let found = find(&with("1.9.47", &json!({}), &registry), "missing-fix").unwrap();
    assert!(found.message.contains("dockerRegistry"), "{found:?}");
    assert!(!format!("{found:?}").contains("s3cret"));
}

#[test]
fn an_alias_of_a_channel_counts_before_charts_resolve_it() {
    let alias = |version, channel: &str| {
        find(
            &with(
                version,
                &json!({}),
                &json!({"env": {"CLIENT_ENV": channel}}),
            ),
            "channel-alias",
        )
    };
    assert!(
        alias("1.9.29", "staging")
            .unwrap()
            .message
            .contains("`stg`")
    );
    assert_eq!(alias("1.9.32", "staging"), None);
    assert_eq!(alias("1.9.29", "stg"), None);
}

#[test]
fn defaults_of_an_older_package_are_frozen() {
    let whole = json!({"autoUpgrade": {"enabled": true}, "imageRefresh": {"enabled": true, "maxRefreshAttempts": 3, "activeDeadlineSeconds": 3600, "maxSkipTicks": 8}});
    assert_eq!(
        find(&with("1.9.51", &whole, &json!({})), "values-frozen"),
        None
    );
    let mut old = whole.clone();
    old["imageRefresh"]
        .as_object_mut()
        .unwrap()
        .remove("maxSkipTicks");
    // What the user sets does not make the defaults new.
    let set = json!({"imageRefresh": {"maxSkipTicks": 8}});
    let found = find(&with("1.9.51", &old, &set), "values-frozen").unwrap();
    assert!(found.message.contains("before 1.9.44"), "{}", found.message);
    assert!(
        found.advice[0].contains("--version 1.9.51 --reset-then-reuse-values"),
        "{:?}",
        found.advice
    );
    assert_eq!(
        find(&with("1.9.40", &old, &json!({})), "values-frozen"),
        None
    );
}

#[test]
fn pins_of_the_user_hold_still_and_the_charts_own_is_left_alone() {
    let digest = format!("sha256:{}", "1".repeat(64));
    let chart =
        json!({"images": {"ingestor": {"prodDigest": digest, "prodPin": true, "digest": ""}}});
    let held = find(&with("1.9.51", &chart, &json!({})), "pin-held").unwrap();
    assert_eq!(held.subject.image.as_deref(), Some("ingestor"));
    for values in [
        json!({"env": {"CLIENT_ENV": "stg"}}),
        json!({"images": {"ingestor": {"prodPin": false}}}),
    ] {
        assert_eq!(
            find(&with("1.9.51", &chart, &values), "pin-held"),
            None,
            "{values}"
        );
    }
    let masked = with(
        "1.9.51",
        &chart,
        &json!({"images": {"ingestor": {"digest": digest}}}),
    );
    assert_eq!(
        find(&masked, "pin-held"),
        None,
        "the user's own goes before it"
    );
    assert!(
        find(&masked, "pin-stored")
            .unwrap()
            .message
            .contains("images.ingestor.digest")
    );
    assert_eq!(
        find(&with("1.9.51", &chart, &json!({})), "pin-stored"),
        None
    );
}

#[test]
fn a_tool_that_looks_after_the_release_is_named() {
    let mut snapshot = healthy("1.9.51");
    assert_eq!(find(&snapshot, "managed-elsewhere"), None);
    let mark = "argocd.argoproj.io/tracking-id".to_owned();
    let id = "shop:apps/Deployment:edge/edge-jobs-manager".to_owned();
    snapshot.live[0].marks.notes.insert(mark, id);
    let found = find(&snapshot, "managed-elsewhere").unwrap();
    assert!(
        found
            .message
            .starts_with("Argo CD looks after this release as shop"),
        "{}",
        found.message
    );
    let report = judge_chart(&snapshot);
    assert_eq!(
        report.releases[0].managed_by.as_ref().unwrap().tool,
        "Argo CD"
    );
}
