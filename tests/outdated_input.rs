//! Bad input: each kind has its own message and exit code, and changes nothing.

use tracebloc_bed::cluster::Output;
use tracebloc_bed::kubeconfig::User;

use crate::support::{bed, command, installed, run, tenant};

/// The product with another kubeconfig.
fn with_kubeconfig(path: &std::path::Path, arguments: &[&str]) -> Output {
    let mut command = bed().cluster().command(crate::support::PLUGIN, "input");
    command
        .env("KUBECONFIG", path)
        .arg("outdated")
        .args(arguments);
    Output::of(&mut command).unwrap()
}

fn fails(output: &Output, code: i32, words: &[&str]) {
    assert_eq!(output.code, Some(code), "{output}");
    assert_eq!(output.stdout, "", "{output}");
    assert!(output.stderr.starts_with("error: "), "{output}");
    for word in words {
        assert!(
            output.stderr.contains(word),
            "`{word}` is not said: {output}"
        );
    }
}

#[test]
fn no_kubeconfig() {
    let nowhere = bed().cluster().directory().join("no-such-kubeconfig");
    fails(
        &with_kubeconfig(&nowhere, &[]),
        3,
        &["no kubeconfig", "--kubeconfig"],
    );
    let flag = ["--kubeconfig", nowhere.to_str().unwrap()];
    fails(
        &with_kubeconfig(&nowhere, &flag),
        3,
        &["no-such-kubeconfig", "could not be read"],
    );
}

#[test]
fn a_damaged_kubeconfig_is_named_and_not_quoted() {
    let path = bed()
        .cluster()
        .write("kubeconfigs/damaged", "users:\n- name: [hunter2\n")
        .unwrap();
    let output = with_kubeconfig(&path, &[]);
    fails(&output, 3, &["kubeconfigs/damaged", "not a kubeconfig"]);
    assert!(!output.stderr.contains("hunter2"), "{output}");
}

#[test]
fn an_unknown_context_is_told_with_the_known_ones() {
    let path = bed().cluster().kubeconfig();
    fails(
        &with_kubeconfig(path, &["--context", "prod"]),
        3,
        &["no context `prod`", "there are: bed"],
    );
}

#[test]
fn a_dead_server() {
    let kubeconfig = bed().cluster().admin().at("https://127.0.0.1:9");
    let path = bed()
        .cluster()
        .write_kubeconfig("dead", &kubeconfig)
        .unwrap();
    fails(
        &with_kubeconfig(&path, &[]),
        1,
        &["https://127.0.0.1:9", "context `bed`", "no connection"],
    );
}

#[test]
fn a_server_that_is_no_api_server() {
    let tenant = tenant("input-other");
    let kubeconfig = bed().cluster().admin().at(&tenant.repository().url());
    let path = bed()
        .cluster()
        .write_kubeconfig("other", &kubeconfig)
        .unwrap();
    let output = with_kubeconfig(&path, &[]);
    assert_eq!(output.code, Some(1), "{output}");
    assert!(output.stderr.contains("could not be read"), "{output}");
}

#[test]
fn an_expired_certificate() {
    let kubeconfig = bed().cluster().expired().unwrap();
    let path = bed()
        .cluster()
        .write_kubeconfig("expired", &kubeconfig)
        .unwrap();
    fails(
        &with_kubeconfig(&path, &[]),
        3,
        &["client certificate", "expired", "renew"],
    );
}

#[test]
fn a_wrong_token() {
    let kubeconfig = bed()
        .cluster()
        .kubeconfig_of(User::Token("no-such-token".to_owned()));
    let path = bed()
        .cluster()
        .write_kubeconfig("token", &kubeconfig)
        .unwrap();
    let output = with_kubeconfig(&path, &[]);
    fails(&output, 5, &["401", "log in again"]);
    assert!(!output.stderr.contains("no-such-token"), "{output}");
}

#[test]
fn an_untrusted_server() {
    let mut kubeconfig = bed().cluster().admin();
    kubeconfig.authority = None;
    let path = bed()
        .cluster()
        .write_kubeconfig("untrusted", &kubeconfig)
        .unwrap();
    fails(
        &with_kubeconfig(&path, &[]),
        1,
        &["no secure connection", "certificate-authority"],
    );
    let insecure = with_kubeconfig(&path, &["--insecure-skip-tls-verify", "-n", "default"]);
    assert!(insecure.is_success(), "{insecure}");
}

#[test]
fn a_missing_right_is_named_by_verb_and_resource() {
    let tenant = installed("input-rights", "1.9.28");
    let path = bed()
        .cluster()
        .service_account(tenant.namespace(), "nobody", &[])
        .unwrap();
    let output = with_kubeconfig(&path, &["-n", tenant.namespace()]);
    let place = format!("list secrets in namespace {}", tenant.namespace());
    fails(&output, 5, &["forbidden", &place]);
}

#[test]
fn an_unknown_namespace_and_an_unknown_release() {
    let tenant = installed("input-release", "1.9.28");
    let output = Output::of(&mut command(
        &tenant,
        &["outdated", "-n", "no-such-namespace"],
    ))
    .unwrap();
    fails(&output, 4, &["no namespace `no-such-namespace`"]);
    let output = run(&tenant, &["outdated", "input-releese"]);
    let whole = format!("{}/input-release", tenant.namespace());
    fails(
        &output,
        4,
        &["no release `input-releese`", "did you mean", &whole],
    );
    let elsewhere = Output::of(&mut command(
        &tenant,
        &["outdated", "input-release", "-n", "default"],
    ))
    .unwrap();
    fails(
        &elsewhere,
        4,
        &["in namespace `default`", "did you mean", &whole],
    );
}

#[test]
fn wrong_usage() {
    let tenant = tenant("input-usage");
    for (arguments, word) in [
        (&["outdated", "Not_A_Name"][..], "Not_A_Name"),
        (&["outdated", "a", "-A"], "--all-namespaces"),
        (&["outdated", "a", "-l", "x=y"], "--selector"),
        (&["outdated", "--only", "tags"], "tags"),
        (&["outdated", "-o", "xml"], "xml"),
        (&["outdated", "--request-timeout", "soon"], "soon"),
        (
            &["outdated", "--as-user-extra", "novalue"],
            "--as-user-extra",
        ),
        (&["unheard-of"], "unheard-of"),
    ] {
        let output = Output::of(&mut command(&tenant, arguments)).unwrap();
        assert_eq!(output.code, Some(2), "{output}");
        assert!(output.stderr.contains(word), "{output}");
    }
}

#[test]
fn a_corrupted_record_is_one_unknown_release_and_the_rest_is_answered() {
    let tenant = installed("input-record", "1.9.28");
    let secret = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {
            "name": "sh.helm.release.v1.broken.v1",
            "namespace": tenant.namespace(),
            "labels": {"owner": "helm", "name": "broken", "version": "1", "status": "deployed"},
        },
        "stringData": {"release": "this is no release"},
    });
    bed()
        .cluster()
        .kubectl_with_input(&["create", "-f", "-"], &secret.to_string())
        .unwrap()
        .success()
        .unwrap();
    let report = crate::support::outdated(&tenant, &[]);
    assert_eq!(
        report["releases"].as_array().unwrap().len(),
        2,
        "{report:#}"
    );
    let finding = crate::support::finding(&report, "release-unreadable");
    assert_eq!(finding["subject"]["release"]["name"], "broken");
    assert!(
        finding["message"].as_str().unwrap().contains("not base64"),
        "{finding}"
    );
    assert_eq!(
        report["releases"][1]["chart"]["state"], "behind",
        "the other is answered"
    );
    assert_eq!(report["summary"]["unknown"], 1);
    let table = run(&tenant, &["outdated"]);
    assert!(table.stdout.contains("unknown"), "{table}");
}

#[test]
fn a_malformed_index_is_told_apart() {
    let tenant = installed("input-index", "1.9.28");
    for (index, word) in [
        ("<html><body>Not here</body></html>", "HTML"),
        ("", "empty"),
        ("entries: {}\n", "apiVersion"),
        ("apiVersion: v1\nentries:\n  other: []\n", "client"),
        (
            "apiVersion: v1\nentries:\n  client:\n  - version: [\n",
            "line",
        ),
    ] {
        tenant.repository().replace_index(index.to_owned());
        let report = crate::support::outdated(&tenant, &["--only", "chart", "--no-cache"]);
        let chart = &report["releases"][0]["chart"];
        assert_eq!(chart["state"], "unknown", "{chart:#}");
        let message = chart["unknown"]["message"].as_str().unwrap();
        assert!(message.contains(word), "{index}: {message}");
    }
    let output = run(
        &tenant,
        &[
            "outdated",
            "--only",
            "chart",
            "--repo",
            "oci://127.0.0.1:9/x",
            "--exit-code",
        ],
    );
    assert_eq!(output.code, Some(12), "{output}");
    assert!(output.stdout.contains("127.0.0.1:9"), "{output}");
}

#[test]
fn records_in_configmaps_are_read_where_helm_keeps_them_there() {
    let tenant = tenant("input-driver");
    let cluster = bed().cluster();
    let url = tenant.repository().url();
    let values = cluster
        .write(
            "values/driver.yaml",
            include_str!("bed/charts/values-minimal.yaml"),
        )
        .unwrap();
    let mut helm = cluster.command("helm", tenant.namespace());
    helm.env("HELM_DRIVER", "configmap").args([
        "install",
        "input-driver",
        "client",
        "--repo",
        &url,
        "--version",
        "1.9.28",
        "-n",
        tenant.namespace(),
        "-f",
        values.to_str().unwrap(),
        "--set",
        &format!("autoUpgrade.repoUrl={url}"),
        "--set",
        &format!(
            "nodeAgents.namespace.name={},nodeAgents.namespace.create=false",
            tenant.agents_namespace()
        ),
    ]);
    Output::of(&mut helm).unwrap().success().unwrap();
    let ask = |driver: &str| {
        let mut command = command(
            &tenant,
            &[
                "outdated",
                "--only",
                "chart",
                "-o",
                "json",
                "-n",
                tenant.namespace(),
            ],
        );
        Output::of(command.env("HELM_DRIVER", driver)).unwrap()
    };
    let report = crate::support::parse(&ask("configmap"));
    assert_eq!(report["releases"][0]["chart"]["current"], "1.9.28");
    assert_eq!(
        crate::support::parse(&ask("secret"))["releases"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
    fails(&ask("sql"), 3, &["HELM_DRIVER", "sql"]);
}
