//! Where newer charts are looked for: the user's `repositories.yaml`, and which versions count.

use std::path::PathBuf;

use serde_json::Value;
use tracebloc_bed::certificate::{Authority, Validity};
use tracebloc_bed::chart::Chart;
use tracebloc_bed::loopback::ServerIdentity;
use tracebloc_bed::repository::Repository;
use tracebloc_bed::{Helm, Install, Output, Tenant};

use crate::support::{
    codes_beside_advisories, command, finding, install, installed, outdated, parse, paste, run,
    tenant,
};

/// A release whose own updater names no repository, so that the user's are looked at.
fn without_repository(name: &str) -> Tenant<'static> {
    let tenant = tenant(name);
    let release = Install::client(name, "1.4.4").set("autoUpgrade.repoUrl=");
    install(&tenant, &release);
    tenant
}

/// Writes the user's `repositories.yaml` where Helm and the product look for it, and returns its path.
fn repositories(tenant: &Tenant<'_>, content: &str) -> PathBuf {
    let name = format!("homes/{}/config/helm/repositories.yaml", tenant.namespace());
    tenant.bed().cluster().write(&name, content).unwrap()
}

fn entry(name: &str, url: &str, more: &str) -> String {
    format!("- name: {name}\n  url: {url}\n{more}")
}

/// The chart of a report's first release.
pub(crate) fn chart(report: &Value) -> &Value {
    &report["releases"][0]["chart"]
}

/// `client` in that version, with that `Chart.yaml` behind name and version.
pub(crate) fn client(tenant: &Tenant<'_>, version: &str, more: &str) -> Chart {
    Chart::sample("client-1.9.51", &tenant.registry_path())
        .unwrap()
        .with_file(
            "Chart.yaml",
            format!(
                "apiVersion: v2\nname: client\nversion: {version}\nappVersion: {version}\n{more}"
            ),
        )
        .unwrap()
}

pub(crate) const CHART: [&str; 2] = ["--only", "chart"];

#[test]
fn an_entry_counts_only_if_it_has_the_chart_and_its_family() {
    let tenant = without_repository("repos-family");
    // One has another chart of that name, one has no such chart, one is gone, and the last has ours.
    let stranger = Repository::serve([client(&tenant, "7.0.0", "")]).unwrap();
    let other = Repository::serve([]).unwrap();
    repositories(
        &tenant,
        &[
            "repositories:\n".to_owned(),
            entry("stranger", &stranger.url(), ""),
            entry("other", &other.url(), ""),
            entry("gone", "http://127.0.0.1:9", ""),
            entry("ours", &tenant.repository().url(), ""),
        ]
        .concat(),
    );
    let report = outdated(&tenant, &CHART);
    assert_eq!(chart(&report)["latest"], "1.9.51", "{report:#}");
    assert_eq!(chart(&report)["repository"], tenant.repository().url());
    let silent = finding(&report, "repository-unanswered");
    let message = silent["message"].as_str().unwrap();
    assert!(
        message.contains("gone") && message.contains("127.0.0.1:9"),
        "{message}"
    );
    assert_eq!(codes_beside_advisories(&report).len(), 2, "{report:#}");
    // The advice goes by the entry's name, for which Helm has the credentials.
    for line in finding(&report, "chart-behind")["advice"]
        .as_array()
        .unwrap()
    {
        let output = paste(&tenant, line.as_str().unwrap(), Helm::Four);
        output.success().unwrap();
    }
    assert_eq!(chart(&outdated(&tenant, &CHART))["current"], "1.9.51");
}

#[test]
fn credentials_go_to_their_own_repository_and_nowhere_else() {
    let tenant = without_repository("repos-basic");
    tenant.repository().require_basic("reader", "hunter2");
    let other = Repository::serve([]).unwrap();
    let credentials = "  username: reader\n  password: hunter2\n";
    repositories(
        &tenant,
        &[
            "repositories:\n".to_owned(),
            entry("other", &other.url(), ""),
            entry("ours", &tenant.repository().url(), credentials),
        ]
        .concat(),
    );
    let report = outdated(&tenant, &CHART);
    assert_eq!(chart(&report)["latest"], "1.9.51", "{report:#}");
    assert!(!report.to_string().contains("hunter2"));
    let asked = other.log().all();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].header("authorization"), None);
    // By name, and by its URL.
    for repository in ["ours", &tenant.repository().url()] {
        let report = outdated(&tenant, &["--only", "chart", "--repo", repository]);
        assert_eq!(
            chart(&report)["latest"],
            "1.9.51",
            "{repository}: {report:#}"
        );
    }
    // What needs credentials is not kept where it could be read without them.
    tenant.repository().log().clear();
    outdated(&tenant, &CHART);
    let asked = tenant.repository().log().all();
    assert_eq!(asked[0].header("if-none-match"), None, "{asked:?}");
    for line in finding(&report, "chart-behind")["advice"]
        .as_array()
        .unwrap()
    {
        let output = paste(&tenant, line.as_str().unwrap(), Helm::Three);
        output.success().unwrap();
    }
}

#[test]
fn the_release_s_own_repository_is_asked_with_the_user_s_credentials_for_it() {
    let tenant = installed("repos-own", "1.9.40");
    tenant.repository().require_basic("reader", "hunter2");
    assert_eq!(chart(&outdated(&tenant, &CHART))["state"], "unknown");
    let url = format!("{}/", tenant.repository().url());
    let credentials = "  username: reader\n  password: hunter2\n";
    repositories(
        &tenant,
        &format!("repositories:\n{}", entry("ours", &url, credentials)),
    );
    assert_eq!(chart(&outdated(&tenant, &CHART))["state"], "behind");
}

#[test]
fn tls_options_of_an_entry_are_used() {
    let tenant = installed("repos-tls", "1.9.40");
    let cluster = tenant.bed().cluster();
    let authority = Authority::new("charts").unwrap();
    let server = authority.server("charts", &["127.0.0.1"]).unwrap();
    let user = authority.client("reader", None, Validity::Current).unwrap();
    let write = |name: &str, content: &str| {
        let path = cluster.write(&format!("tls/{name}"), content).unwrap();
        path.display().to_string()
    };
    let (ca, certificate, key) = (
        write("ca.pem", authority.certificate()),
        write("client.pem", &user.certificate),
        write("client.key", &user.key),
    );
    let identity = |client_authority_pem| ServerIdentity {
        certificate_pem: server.certificate.clone(),
        key_pem: server.key.clone(),
        client_authority_pem,
    };
    let charts = || Chart::samples(&tenant.registry_path()).unwrap();
    let open = Repository::serve_tls(charts(), &identity(None)).unwrap();
    let closed = Repository::serve_tls(
        charts(),
        &identity(Some(authority.certificate().to_owned())),
    )
    .unwrap();
    let pair = format!("  certFile: {certificate}\n  keyFile: {key}\n");
    let trusted = format!("  caFile: {ca}\n");
    for (repository, options, expected) in [
        (&open, String::new(), "no secure connection"),
        (&open, trusted.clone(), ""),
        (&open, "  insecure_skip_tls_verify: true\n".to_owned(), ""),
        (
            &open,
            format!("  caFile: {key}\n"),
            "client.key` is not in PEM",
        ),
        (
            &open,
            "  caFile: /no/such/ca.pem\n".to_owned(),
            "/no/such/ca.pem",
        ),
        (&closed, trusted.clone(), "127.0.0.1"),
        (&closed, format!("{trusted}{pair}"), ""),
        (
            &closed,
            format!("{trusted}  certFile: {certificate}\n"),
            "both a certFile and a keyFile",
        ),
    ] {
        let entry = entry("tls", &repository.url(), &options);
        repositories(&tenant, &format!("repositories:\n{entry}"));
        let report = outdated(&tenant, &["--only", "chart", "--repo", "tls"]);
        if expected.is_empty() {
            assert_eq!(chart(&report)["state"], "behind", "{options}: {report:#}");
        } else {
            assert_eq!(chart(&report)["state"], "unknown", "{options}: {report:#}");
            let message = chart(&report)["unknown"]["message"].as_str().unwrap();
            assert!(message.contains(expected), "{options}: {message}");
        }
    }
}

#[test]
fn a_damaged_list_of_repositories_is_told_without_its_content() {
    let tenant = installed("repos-damaged", "1.9.40");
    let path = repositories(&tenant, "repositories: [{name: a, password: hunter2");
    for output in ["json", "table"] {
        let output = run(
            &tenant,
            &["outdated", "--only", "chart", "--output", output],
        );
        assert!(output.is_success(), "{output}");
        assert!(!output.stdout.contains("hunter2"), "{output}");
        assert!(
            output.stdout.contains("configuration-unread")
                && output.stdout.contains(&path.display().to_string()),
            "{output}"
        );
    }
    // The rest is answered.
    let report = outdated(&tenant, &CHART);
    assert_eq!(chart(&report)["state"], "behind", "{report:#}");
    assert_eq!(
        finding(&report, "configuration-unread")["severity"],
        "warning"
    );
}

#[test]
fn a_name_that_no_entry_has_is_wrong_usage() {
    let tenant = installed("repos-name", "1.9.40");
    repositories(
        &tenant,
        &format!("repositories:\n{}", entry("ours", "https://h", "")),
    );
    let output = run(&tenant, &["outdated", "--repo", "hunter2"]);
    assert_eq!(output.code, Some(2), "{output}");
    assert!(output.stderr.contains("there are: ours"), "{output}");
    assert!(!output.stderr.contains("hunter2"), "{output}");
}

#[test]
fn the_file_is_where_helm_s_variable_says() {
    let tenant = without_repository("repos-variable");
    let content = format!(
        "repositories:\n{}",
        entry("ours", &tenant.repository().url(), "")
    );
    let path = tenant
        .bed()
        .cluster()
        .write("elsewhere.yaml", content)
        .unwrap();
    let arguments = [
        "outdated",
        "-o",
        "json",
        "--only",
        "chart",
        "-n",
        tenant.namespace(),
    ];
    let mut command = command(&tenant, &arguments);
    command.env("HELM_REPOSITORY_CONFIG", path);
    let report = parse(&Output::of(&mut command).unwrap());
    assert_eq!(chart(&report)["latest"], "1.9.51", "{report:#}");
}

#[test]
fn versions_outside_a_constraint_are_passed_over() {
    let tenant = installed("repos-constraint", "1.9.28");
    tenant.repository().publish(client(&tenant, "2.1.0", ""));
    tenant
        .repository()
        .publish(client(&tenant, "1.9.52-rc.1", ""));
    let ask = |arguments: &[&str]| outdated(&tenant, &[&CHART[..], arguments].concat());
    for (arguments, latest) in [
        (&[][..], "2.1.0"),
        (&["--constraint", "~1.9"], "1.9.51"),
        (&["--constraint", "<1.9.51"], "1.9.40"),
        (&["--constraint", ">=1.9.52-0 <2"], "1.9.52-rc.1"),
        (&["--constraint", "^1", "--devel"], "1.9.52-rc.1"),
        (&["--constraint", "9.x"], "1.9.28"),
    ] {
        let report = ask(arguments);
        assert_eq!(
            chart(&report)["latest"],
            latest,
            "{arguments:?}: {report:#}"
        );
    }
    let report = ask(&["--constraint", "~1.9"]);
    let skipped = &chart(&report)["skipped"];
    assert_eq!(skipped[0]["version"], "2.1.0", "{skipped:#}");
    assert_eq!(skipped[0]["reason"], "the constraint is ~1.9");
    let wrong = run(&tenant, &["outdated", "--constraint", "latest"]);
    assert_eq!(wrong.code, Some(2), "{wrong}");
}

#[test]
fn releases_of_any_chart_are_looked_at_where_their_repository_is_known() {
    let tenant = installed("repos-all", "1.9.51");
    let namespace = tenant.namespace();
    let small = |name: &str, version: &str| {
        let metadata = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
        let files = [
            ("Chart.yaml".to_owned(), metadata.into_bytes()),
            (
                "templates/map.yaml".to_owned(),
                b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n"
                    .to_vec(),
            ),
        ];
        Chart::from_files(files.into()).unwrap()
    };
    let repository = Repository::serve([
        small("known", "1.0.0"),
        small("known", "1.1.0"),
        small("unknown", "1.0.0"),
    ])
    .unwrap();
    let url = repository.url();
    let cluster = tenant.bed().cluster();
    for name in ["known", "unknown"] {
        let install = [
            "install",
            name,
            name,
            "--repo",
            &url,
            "--version",
            "1.0.0",
            "--namespace",
            namespace,
        ];
        cluster
            .helm(Helm::Four, &install)
            .unwrap()
            .success()
            .unwrap();
    }
    repository.remove("unknown", "1.0.0");
    repositories(
        &tenant,
        &format!("repositories:\n{}", entry("any", &url, "")),
    );
    assert_eq!(
        outdated(&tenant, &CHART)["releases"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    repository.log().clear();
    let output = run(
        &tenant,
        &["outdated", "--only", "chart", "--all-charts", "-o", "json"],
    );
    assert!(output.stderr.contains("1 release left out"), "{output}");
    let report = parse(&output);
    let names: Vec<&Value> = report["releases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|release| &release["name"])
        .collect();
    assert_eq!(names, ["known", "repos-all"], "{report:#}");
    assert_eq!(report["releases"][0]["chart"]["latest"], "1.1.0");
    // One repository is asked once, however many charts it may have.
    assert_eq!(repository.log().all().len(), 1);
    // A repository that does not answer leaves its charts unknown, and hides none.
    repositories(
        &tenant,
        &format!("repositories:\n{}", entry("any", "http://127.0.0.1:9", "")),
    );
    let report = outdated(&tenant, &["--only", "chart", "--all-charts"]);
    assert_eq!(
        report["releases"].as_array().unwrap().len(),
        3,
        "{report:#}"
    );
    assert_eq!(report["releases"][0]["chart"]["state"], "unknown");
}
