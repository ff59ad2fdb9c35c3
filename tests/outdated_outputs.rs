//! What is shown of a report: findings, order, forms, and what terminals get.

use serde_json::Value;

use crate::support::{codes, image, installed, on_a_terminal, outdated, run};

#[test]
fn an_ignored_finding_is_gone_and_states_stay() {
    let tenant = installed("outputs-ignore", "1.9.28");
    let whole = outdated(&tenant, &[]);
    assert!(codes(&whole).contains(&"chart-behind"), "{whole:#}");
    let without = outdated(&tenant, &["--ignore", "chart-behind"]);
    assert!(!codes(&without).contains(&"chart-behind"), "{without:#}");
    assert_eq!(without["releases"][0]["chart"]["state"], "behind");
    assert_eq!(without["summary"], whole["summary"]);
    let table = run(
        &tenant,
        &["outdated", "--ignore", "chart-behind,missing-fix"],
    );
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

#[test]
fn names_are_those_of_releases_with_something_behind() {
    let tenant = installed("outputs-name", "1.9.51");
    let ask = |arguments: &[&str]| run(&tenant, &[&["outdated", "-o", "name"], arguments].concat());
    assert_eq!(ask(&[]).success().unwrap(), "");
    let unknown = ask(&["--repo", "http://127.0.0.1:9"]);
    assert_eq!(unknown.stdout, "", "{unknown}");
    assert!(
        unknown.stderr.contains("is unknown and may be behind"),
        "{unknown}"
    );
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let behind = ask(&[]);
    assert_eq!(
        behind.stdout,
        format!("release/{}/outputs-name\n", tenant.namespace())
    );
    assert_eq!(behind.stderr, "", "{behind}");
    let report = outdated(&tenant, &[behind.stdout.trim()]);
    assert_eq!(report["releases"][0]["name"], "outputs-name");
}

#[test]
fn markdown_is_the_report_for_a_ticket() {
    let tenant = installed("outputs-markdown", "1.9.28");
    let output = run(&tenant, &["outdated", "-o", "markdown"]);
    let text = output.success().unwrap();
    for part in [
        "# What is behind\n".to_owned(),
        "Context `bed` (`https://127.0.0.1:".to_owned(),
        format!("\n## {}/outputs-markdown\n", tenant.namespace()),
        "\n| chart client | 1.9.28 | 1.9.51 | behind | 2 versions behind, ".to_owned(),
        "\n```sh\nhelm upgrade ".to_owned(),
    ] {
        assert!(text.contains(&part), "{part}: {text}");
    }
    let rows = text.lines().filter(|line| line.starts_with('|'));
    for row in rows {
        assert_eq!(row.replace("\\|", "").matches('|').count(), 6, "{row}");
    }
}

/// The value of the one series with that name and these labels.
fn metric(text: &str, name: &str, labels: &[&str]) -> String {
    let found: Vec<&str> = text
        .lines()
        .filter(|line| {
            line.starts_with(&format!("{name}{{"))
                && labels.iter().all(|label| line.contains(label))
        })
        .collect();
    assert_eq!(found.len(), 1, "{name} {labels:?}: {text}");
    found[0].rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn metrics_count_what_json_counts_and_the_unknown_is_no_number() {
    let tenant = installed("outputs-metrics", "1.9.28");
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let report = outdated(&tenant, &[]);
    let ask = |arguments: &[&str]| {
        let whole = [&["outdated", "-o", "prometheus"], arguments].concat();
        run(&tenant, &whole).success().unwrap()
    };
    let text = ask(&[]);
    let namespace = format!("namespace=\"{}\"", tenant.namespace());
    let jobs_manager = [namespace.as_str(), "image=\"jobs-manager\""];
    let manager = image(&report, "jobs-manager");
    assert_eq!(
        metric(&text, "tracebloc_image_behind_pods", &jobs_manager),
        manager["podsBehind"].to_string()
    );
    assert_eq!(
        metric(&text, "tracebloc_image_pods", &jobs_manager),
        manager["pods"].to_string()
    );
    assert_ne!(manager["podsBehind"], 0);
    let versions = "tracebloc_release_chart_versions_behind";
    assert_eq!(metric(&text, versions, &[&namespace]), "2");
    assert_eq!(
        metric(&text, "tracebloc_unknown_total", &["context=\"bed\""]),
        "0"
    );
    let unknown = ask(&["--repo", "http://127.0.0.1:9"]);
    assert_eq!(metric(&unknown, versions, &[&namespace]), "NaN");
    let state = [namespace.as_str(), "state=\"unknown\""];
    assert_eq!(metric(&unknown, "tracebloc_release_info", &state), "1");
    assert_eq!(metric(&unknown, "tracebloc_unknown_total", &[]), "1");
}

#[test]
fn colour_and_progress_are_for_terminals_that_want_them() {
    let tenant = installed("outputs-terminal", "1.9.28");
    let shown = |variables: &[(&str, &str)], arguments: &str| {
        on_a_terminal(&tenant, 200, variables, &format!("outdated {arguments}"))
    };
    let (yellow, progress) = ("\x1b[33mbehind\x1b[0m", "asking the cluster");
    let plain = shown(&[], "");
    assert!(
        plain.contains(yellow) && plain.contains(progress),
        "{plain}"
    );
    // What the progress line leaves behind is erased before the answer is written.
    assert!(plain.contains("\x1b[2K\rContext: bed"), "{plain}");
    let bare = shown(&[("NO_COLOR", "1")], "--quiet");
    assert!(bare.contains("behind") && !bare.contains('\x1b'), "{bare}");
    assert!(!bare.contains(progress), "{bare}");
    let dumb = shown(&[("TERM", "dumb")], "");
    assert!(dumb.contains("behind") && !dumb.contains('\x1b'), "{dumb}");
    assert!(!dumb.contains(progress), "{dumb}");
    let never = shown(&[], "--color never");
    assert!(!never.contains("\x1b[3"), "{never}");
    let wanted = shown(&[("NO_COLOR", "1")], "--color always");
    assert!(wanted.contains(yellow), "{wanted}");
}

#[test]
fn a_table_fits_the_terminal() {
    let tenant = installed("outputs-narrow", "1.9.28");
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let piped = run(&tenant, &["outdated"]).success().unwrap();
    assert!(
        piped.lines().any(|line| line.chars().count() > 80),
        "{piped}"
    );
    assert!(piped.contains("sha256:") && !piped.contains('…'), "{piped}");
    for columns in [80, 120] {
        let text = on_a_terminal(&tenant, columns, &[], "outdated --quiet --color never");
        for line in text.lines() {
            let advice = line.starts_with("  helm ") || line.starts_with("  kubectl ");
            let width = line.chars().count();
            assert!(advice || width <= columns as usize, "{columns}: {line}");
        }
        let namespace = format!("Namespace: {}", tenant.namespace());
        assert!(text.contains(&namespace), "{text}");
        assert!(text.contains("\nRELEASE"), "{text}");
        assert!(text.contains("2 versions behind"), "{text}");
    }
}
