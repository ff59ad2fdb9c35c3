//! What is shown of a report: findings, order, forms, and what terminals get.

use serde_json::Value;

use crate::support::{codes, installed, outdated, run};

#[test]
fn an_ignored_finding_is_gone_and_states_stay() {
    let tenant = installed("outputs-ignore", "1.9.28");
    let whole = outdated(&tenant, &[]);
    assert!(codes(&whole).contains(&"chart-behind"), "{whole:#}");
    let without = outdated(&tenant, &["--ignore", "chart-behind"]);
    assert!(!codes(&without).contains(&"chart-behind"), "{without:#}");
    assert_eq!(without["releases"][0]["chart"]["state"], "behind");
    assert_eq!(without["summary"], whole["summary"]);
    let table = run(&tenant, &["outdated", "--ignore", "chart-behind"]);
    assert!(!table.stdout.contains("helm upgrade"), "{table}");
    let unknown = run(&tenant, &["outdated", "--ignore", "chart-behnd"]);
    assert_eq!(unknown.code, Some(2), "{unknown}");
    assert!(unknown.stderr.contains("`chart-behind`"), "{unknown}");
}

#[test]
fn a_severity_hides_what_is_milder() {
    let tenant = installed("outputs-severity", "1.9.28");
    let severities = |least: &str| -> Vec<Value> {
        let report = outdated(&tenant, &["--severity", least]);
        let findings = report["findings"].as_array().unwrap();
        findings
            .iter()
            .map(|finding| finding["severity"].clone())
            .collect()
    };
    assert!(severities("info").contains(&"warning".into()));
    assert!(severities("warning").contains(&"warning".into()));
    assert!(!severities("danger").contains(&"warning".into()));
    let wrong = run(&tenant, &["outdated", "--severity", "bad"]);
    assert_eq!(wrong.code, Some(2), "{wrong}");
}

#[test]
fn a_finding_that_is_named_fails_the_run() {
    let tenant = installed("outputs-fail", "1.9.28");
    let code = |arguments: &[&str]| run(&tenant, &[&["outdated"], arguments].concat()).code;
    assert_eq!(code(&["--fail-on", "chart-behind"]), Some(10));
    assert_eq!(code(&["--fail-on", "chart-behind=warning"]), Some(10));
    assert_eq!(code(&["--fail-on", "chart-behind=danger"]), Some(0));
    assert_eq!(code(&["--fail-on", "digest-behind"]), Some(0));
    assert_eq!(
        code(&["--fail-on", "digest-behind", "--fail-on", "chart-behind"]),
        Some(10)
    );
    let hidden = ["--fail-on", "chart-behind", "--severity", "danger"];
    assert_eq!(code(&hidden), Some(10), "what is not shown still counts");
    let ignored = ["--fail-on", "chart-behind", "--ignore", "chart-behind"];
    assert_eq!(code(&ignored), Some(0));
    assert_eq!(
        code(&[&ignored[..], &["--exit-code"]].concat()),
        Some(10),
        "what is ignored is behind all the same"
    );
    let nowhere = ["--repo", "http://127.0.0.1:9", "--fail-on"];
    assert_eq!(code(&[&nowhere[..], &["chart-behind"]].concat()), Some(0));
    assert_eq!(code(&[&nowhere[..], &["chart-unknown"]].concat()), Some(10));
    assert_eq!(
        code(&[&nowhere[..], &["chart-behind", "--exit-code"]].concat()),
        Some(12)
    );
    assert_eq!(code(&["--fail-on", "chart-behind=bad"]), Some(2));
    assert_eq!(code(&["--fail-on", "digest-behnd"]), Some(2));
}

#[test]
fn releases_are_put_in_the_order_that_is_asked_for() {
    let tenants = [
        installed("outputs-sort-a", "1.9.51"),
        installed("outputs-sort-b", "1.9.28"),
    ];
    let named = ["outputs-sort-a", "outputs-sort-b"];
    let [one, other] =
        [0, 1].map(|place| format!("{}/{}", tenants[place].namespace(), named[place]));
    let order = |arguments: &[&str]| -> Vec<String> {
        let both = [&["--only", "chart", &one, &other], arguments].concat();
        let report = outdated(&tenants[0], &both);
        let releases = report["releases"].as_array().unwrap();
        releases
            .iter()
            .map(|release| release["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let by_drift = ["outputs-sort-b", "outputs-sort-a"];
    assert_eq!(order(&[]), named);
    assert_eq!(order(&["--sort-by", "name"]), named);
    assert_eq!(order(&["--sort-by", "age"]), named, "the older one first");
    assert_eq!(order(&["--sort-by", "behind"]), by_drift);
    assert_eq!(order(&["--sort-by", "severity"]), by_drift);
}
