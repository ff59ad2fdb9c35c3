//! Chart drift.

use tracebloc_bed::chart::Chart;
use tracebloc_bed::{Helm, Install};

use crate::support::{codes, finding, install, installed, outdated, run, tenant};

#[test]
fn an_old_chart_is_behind_by_so_many_versions() {
    let tenant = installed("chart-old", "1.4.4");
    let report = outdated(&tenant, &["--only", "chart"]);
    let chart = &report["releases"][0]["chart"];
    assert_eq!(chart["state"], "behind", "{report:#}");
    assert_eq!(chart["current"], "1.4.4");
    assert_eq!(chart["latest"], "1.9.51");
    assert_eq!(chart["change"], "minor");
    assert_eq!(chart["versionsBehind"], 3);
    assert_eq!(chart["newest"]["minor"], "1.9.51");
    assert_eq!(chart["newest"]["patch"], serde_json::Value::Null);
    assert_eq!(chart["repository"], tenant.repository().url());
    assert!(report["releases"][0]["installedAt"].is_string());
    assert_eq!(
        report["releases"][0]["images"].as_array().map(Vec::len),
        Some(0)
    );
    assert!(codes(&report).contains(&"chart-behind"));
    assert_eq!(report["summary"]["chartsBehind"], 1);
}

#[test]
fn each_sample_version_is_read_whoever_installed_it() {
    for (name, version, helm) in [
        ("chart-a", "1.1.0", Helm::Three),
        ("chart-b", "1.4.0", Helm::Four),
        ("chart-c", "1.9.28", Helm::Three),
        ("chart-d", "1.9.40", Helm::Four),
    ] {
        let tenant = tenant(name);
        let installed = tenant
            .install(&Install::client(name, version).by(helm))
            .unwrap();
        installed.success().unwrap();
        let report = outdated(&tenant, &["--only", "chart"]);
        assert_eq!(report["releases"][0]["chart"]["current"], version);
        assert_eq!(
            report["releases"][0]["chart"]["state"], "behind",
            "{version}"
        );
    }
}

#[test]
fn the_newest_chart_is_current() {
    let tenant = installed("chart-new", "1.9.51");
    let report = outdated(&tenant, &["--only", "chart"]);
    let chart = &report["releases"][0]["chart"];
    assert_eq!(
        (&chart["state"], &chart["latest"]),
        (&"current".into(), &"1.9.51".into())
    );
    assert_eq!(codes(&report), Vec::<&str>::new());
    assert_eq!(report["summary"]["chartsBehind"], 0);
}

#[test]
fn versions_that_do_not_fit_are_passed_over_with_their_reason() {
    let tenant = installed("chart-skip", "1.9.40");
    let newest = Chart::sample("client-1.9.51", &tenant.registry_path()).unwrap();
    let chart_yaml = |version: &str, extra: &str| {
        format!("apiVersion: v2\nname: client\nversion: {version}\nappVersion: {version}\n{extra}")
    };
    let with = |version: &str, extra: &str| {
        newest
            .with_file("Chart.yaml", chart_yaml(version, extra))
            .unwrap()
    };
    tenant
        .repository()
        .publish(with("1.9.60", "deprecated: true\n"));
    tenant.repository().publish(with("1.9.61-rc.1", ""));
    tenant
        .repository()
        .publish(with("2.0.0", "kubeVersion: '>=1.99.0-0'\n"));
    let report = outdated(&tenant, &["--only", "chart"]);
    let chart = &report["releases"][0]["chart"];
    assert_eq!(chart["latest"], "1.9.51", "{chart:#}");
    let skipped: Vec<(&str, &str)> = chart["skipped"]
        .as_array()
        .unwrap()
        .iter()
        .map(|skipped| {
            (
                skipped["version"].as_str().unwrap(),
                skipped["reason"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(skipped.len(), 3, "{skipped:?}");
    assert!(
        skipped[0].1.contains("needs Kubernetes >=1.99.0-0"),
        "{skipped:?}"
    );
    assert_eq!(skipped[1], ("1.9.61-rc.1", "prerelease"));
    assert_eq!(skipped[2], ("1.9.60", "deprecated"));
    let with_prereleases = outdated(&tenant, &["--only", "chart", "--devel"]);
    assert_eq!(
        with_prereleases["releases"][0]["chart"]["latest"],
        "1.9.61-rc.1"
    );
}

#[test]
fn a_legacy_chart_is_replaced_and_its_data_is_warned_of() {
    let tenant = tenant("chart-legacy");
    let legacy = Install {
        chart: "eks",
        ..Install::client("chart-legacy", "1.0.3")
    };
    tenant
        .install(&legacy.set("clusterRole=false"))
        .unwrap()
        .success()
        .unwrap();
    let report = outdated(&tenant, &["--only", "chart"]);
    assert_eq!(
        report["releases"][0]["chart"]["state"], "replaced",
        "{report:#}"
    );
    let finding = finding(&report, "chart-replaced");
    assert!(
        finding["message"]
            .as_str()
            .unwrap()
            .contains("do not uninstall"),
        "{finding}"
    );
    assert_eq!(report["summary"]["chartsBehind"], 1);
}

#[test]
fn an_uninstalled_release_with_history_is_said_to_be_gone() {
    let tenant = installed("chart-gone", "1.9.28");
    let cluster = tenant.bed().cluster();
    cluster
        .helm(
            Helm::Four,
            &[
                "uninstall",
                "chart-gone",
                "--keep-history",
                "--namespace",
                tenant.namespace(),
            ],
        )
        .unwrap()
        .success()
        .unwrap();
    let report = outdated(&tenant, &[]);
    assert!(
        codes(&report).contains(&"release-uninstalled"),
        "{report:#}"
    );
    assert_eq!(
        report["releases"][0]["images"].as_array().map(Vec::len),
        Some(0)
    );
}

#[test]
fn an_unchanged_index_is_not_sent_twice() {
    let tenant = installed("chart-cache", "1.9.40");
    let log = tenant.repository().log();
    let asked = |arguments: &[&str]| {
        log.clear();
        let output = run(
            &tenant,
            &[&["outdated", "--only", "chart"], arguments].concat(),
        );
        assert!(output.is_success(), "{output}");
        let requests = log.all();
        assert_eq!(requests.len(), 1, "{requests:?}");
        (
            requests[0].status.unwrap().as_u16(),
            requests[0].header("if-none-match").is_some(),
        )
    };
    assert_eq!(asked(&[]), (200, false));
    assert_eq!(asked(&[]), (304, true));
    assert_eq!(asked(&["--no-cache"]), (200, false));
    let newer = Chart::sample("client-1.9.51", &tenant.registry_path())
        .unwrap()
        .with_version("1.9.70")
        .unwrap();
    tenant.repository().publish(newer);
    assert_eq!(asked(&[]), (200, true));
    let report = outdated(&tenant, &["--only", "chart"]);
    assert_eq!(report["releases"][0]["chart"]["latest"], "1.9.70");
}

#[test]
fn a_repository_by_flag_goes_before_the_release_s_own() {
    let tenant = tenant("chart-flag");
    // The release names a repository that does not answer.
    install(
        &tenant,
        &Install::client("chart-flag", "1.9.40").set("autoUpgrade.repoUrl=http://127.0.0.1:9"),
    );
    let report = outdated(&tenant, &["--only", "chart"]);
    let chart = &report["releases"][0]["chart"];
    assert_eq!(chart["state"], "unknown", "{report:#}");
    assert_eq!(chart["unknown"]["reason"], "unreachable");
    assert!(
        chart["unknown"]["message"]
            .as_str()
            .unwrap()
            .contains("127.0.0.1:9")
    );
    assert!(codes(&report).contains(&"chart-unknown"));
    assert_eq!(report["summary"]["unknown"], 1);
    let url = tenant.repository().url();
    let report = outdated(&tenant, &["--only", "chart", "--repo", &url]);
    assert_eq!(report["releases"][0]["chart"]["state"], "behind");
}
