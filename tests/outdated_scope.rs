//! Which releases are looked at, and how the answer is shown.

use serde_json::Value;
use tracebloc_bed::cluster::Output;
use tracebloc_bed::{Bed, Helm, Install};

use crate::support::{PLUGIN, command, installed, outdated, parse, run, tenant};

fn names(report: &Value) -> Vec<String> {
    report["releases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|release| {
            format!(
                "{}/{}",
                release["namespace"].as_str().unwrap(),
                release["name"].as_str().unwrap()
            )
        })
        .collect()
}

#[test]
fn a_namespace_a_name_and_a_qualified_name_choose() {
    let tenant = installed("scope-one", "1.9.51");
    let whole = format!("{}/scope-one", tenant.namespace());
    assert_eq!(names(&outdated(&tenant, &[])), std::slice::from_ref(&whole));
    assert_eq!(
        names(&outdated(&tenant, &["scope-one"])),
        std::slice::from_ref(&whole)
    );
    let from_elsewhere = ["outdated", &whole, "-o", "json", "-n", "default"];
    let output = Output::of(&mut command(&tenant, &from_elsewhere)).unwrap();
    assert_eq!(names(&parse(&output)), [whole]);
}

#[test]
fn without_a_namespace_the_whole_cluster_is_looked_at_where_the_context_s_has_none() {
    let bed = Bed::private().unwrap();
    let tenants: Vec<_> = ["wide-a", "wide-b"]
        .into_iter()
        .map(|name| {
            let tenant = bed.tenant(name).unwrap();
            tenant.publish_all("prod", "one").unwrap();
            tenant
                .install(&Install::client(name, "1.9.51"))
                .unwrap()
                .success()
                .unwrap();
            tenant
        })
        .collect();
    // A release of another chart of the same name is none of ours.
    let stranger = tracebloc_bed::chart::Chart::from_files(std::collections::BTreeMap::from([
        (
            "Chart.yaml".to_owned(),
            b"apiVersion: v2\nname: client\nversion: 1.0.0\n".to_vec(),
        ),
        (
            "templates/x.yaml".to_owned(),
            b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n".to_vec(),
        ),
    ]))
    .unwrap();
    let archive = bed
        .cluster()
        .write("stranger.tgz", &stranger.bytes)
        .unwrap();
    let arguments = [
        "install",
        "stranger",
        archive.to_str().unwrap(),
        "--namespace",
        "kube-public",
    ];
    bed.cluster()
        .helm(Helm::Four, &arguments)
        .unwrap()
        .success()
        .unwrap();

    let expected: Vec<String> = tenants
        .iter()
        .map(|tenant| format!("{0}/{1}", tenant.namespace(), &tenant.namespace()[..6]))
        .collect();
    let ask = |arguments: &[&str]| {
        let mut command = bed.cluster().command(PLUGIN, "wide");
        Output::of(command.args(["outdated", "-o", "json"]).args(arguments)).unwrap()
    };
    let widened = ask(&[]);
    assert!(
        widened
            .stderr
            .contains("namespace default of this context has no Helm release"),
        "{widened}"
    );
    assert_eq!(names(&parse(&widened)), expected);
    let everywhere = ask(&["-A"]);
    assert_eq!(everywhere.stderr, "", "{everywhere}");
    assert_eq!(names(&parse(&everywhere)), expected);
    let named = ask(&["kube-public/stranger"]);
    assert_eq!(
        parse(&named)["releases"][0]["chart"]["state"],
        "unknown",
        "no profile knows its repository"
    );
    let only_strangers = ask(&["-n", "kube-public"]);
    assert!(only_strangers.is_success(), "{only_strangers}");
    assert!(
        only_strangers
            .stderr
            .contains("no tracebloc release among the 1 Helm releases"),
        "{only_strangers}"
    );
    let none = ask(&["-n", "default"]);
    assert!(
        none.is_success() && none.stderr.contains("no Helm release in namespace default"),
        "{none}"
    );
    assert!(none.stderr.contains("--all-namespaces"), "{none}");
}

#[test]
fn labels_of_releases_choose() {
    let tenant = tenant("scope-labels");
    let values = tenant
        .install(&Install::client("scope-labels", "1.9.51"))
        .unwrap();
    values.success().unwrap();
    let secret = "secret/sh.helm.release.v1.scope-labels.v1";
    tenant
        .kubectl(&["label", secret, "tier=gold"])
        .unwrap()
        .success()
        .unwrap();
    assert_eq!(
        names(&outdated(&tenant, &["-l", "tier=gold", "--only", "chart"])).len(),
        1
    );
    let output = run(&tenant, &["outdated", "-l", "tier=silver", "-o", "json"]);
    assert_eq!(names(&parse(&output)).len(), 0);
}

#[test]
fn helm_runs_the_same_program_with_its_own_flags() {
    let tenant = installed("scope-helm", "1.9.28");
    for helm in Helm::ALL {
        let plugins = tenant
            .bed()
            .cluster()
            .directory()
            .join(format!("plugins-{helm:?}"));
        let folder = plugins.join("tracebloc");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::copy(
            concat!(env!("CARGO_MANIFEST_DIR"), "/plugin.yaml"),
            folder.join("plugin.yaml"),
        )
        .unwrap();
        std::os::unix::fs::symlink(PLUGIN, folder.join("kubectl-tracebloc")).unwrap();
        let ask = |arguments: &[&str]| {
            let mut command = tenant
                .bed()
                .cluster()
                .command_with("helm", tenant.namespace(), helm);
            command.env("HELM_PLUGINS", &plugins);
            Output::of(command.arg("tracebloc").args(arguments)).unwrap()
        };
        let report = parse(&ask(&[
            "outdated",
            "-n",
            tenant.namespace(),
            "-o",
            "json",
            "--kube-context",
            "bed",
        ]));
        assert_eq!(
            names(&report),
            [format!("{}/scope-helm", tenant.namespace())]
        );
        assert_eq!(report["context"]["name"], "bed");
        // Helm always names a namespace, so that an empty one gives a hint and no search.
        let empty = ask(&["outdated"]);
        assert!(
            empty.is_success() && empty.stderr.contains("--all-namespaces"),
            "{empty}"
        );
        let glued = ask(&[
            "outdated",
            &format!("-n={}", tenant.namespace()),
            "--exit-code",
        ]);
        assert_eq!(glued.code, Some(10), "{glued}");
        let wrong = ask(&["outdated", "--kube-context", "nowhere"]);
        assert_eq!(wrong.code, Some(3), "{wrong}");
    }
}

#[test]
fn kubectl_finds_the_plugin() {
    let tenant = installed("scope-kubectl", "1.9.28");
    let folder = tenant.bed().cluster().directory().join("kubectl-plugins");
    std::fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink(PLUGIN, folder.join("kubectl-tracebloc")).unwrap();
    let mut kubectl = tenant
        .bed()
        .cluster()
        .command("kubectl", tenant.namespace());
    let path = kubectl
        .get_envs()
        .find(|(name, _)| *name == "PATH")
        .and_then(|(_, value)| value)
        .map(std::ffi::OsStr::to_os_string)
        .unwrap();
    let paths = std::iter::once(folder).chain(std::env::split_paths(&path).collect::<Vec<_>>());
    kubectl.env("PATH", std::env::join_paths(paths).unwrap());
    kubectl.args(["tracebloc", "outdated", "-n", tenant.namespace()]);
    let output = Output::of(&mut kubectl).unwrap();
    assert!(output.is_success(), "{output}");
    assert!(output.stdout.starts_with("Context: bed"), "{output}");
}

#[test]
fn the_table_tells_everything_a_user_needs_first() {
    let tenant = installed("scope-table", "1.9.28");
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let output = run(&tenant, &["outdated"]);
    assert!(output.is_success(), "{output}");
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert!(
        lines[0].starts_with("Context: bed  https://127.0.0.1:"),
        "{output}"
    );
    assert!(lines[1].starts_with("NAMESPACE"), "{output}");
    assert!(
        lines[2].contains("chart client") && lines[2].contains("2 versions behind, installed "),
        "{output}"
    );
    assert!(output.stdout.contains("2 of 2 pods old"), "{output}");
    assert!(output.stdout.contains("\nNext\n"), "{output}");
    assert!(
        output
            .stdout
            .contains("1 release: 1 chart behind, 1 image behind"),
        "{output}"
    );
    assert!(
        !output.stdout.contains('\x1b'),
        "no colour in a pipe: {output}"
    );
    let colored = run(&tenant, &["outdated", "--color", "always"]);
    assert!(colored.stdout.contains("\x1b["), "{colored}");
    let bare = run(&tenant, &["outdated", "--no-headers"]);
    assert!(
        bare.stdout
            .lines()
            .all(|line| line.starts_with(tenant.namespace())),
        "{bare}"
    );
    let wide = run(&tenant, &["outdated", "-o", "wide"]);
    assert!(
        wide.stdout
            .contains("deployment/scope-table-jobs-manager[api]"),
        "{wide}"
    );
    assert!(wide.stdout.contains(&tenant.repository().url()), "{wide}");
}

#[test]
fn yaml_says_the_same_as_json() {
    let tenant = installed("scope-yaml", "1.9.51");
    let json = outdated(&tenant, &["--only", "chart"]);
    let yaml = run(&tenant, &["outdated", "-o", "yaml", "--only", "chart"]);
    let mut parsed: Value = serde_saphyr::from_str(&yaml.success().unwrap()).unwrap();
    let mut json = json;
    for report in [&mut parsed, &mut json] {
        report["checkedAt"] = Value::Null;
        report["releases"][0]["chart"]["observedAt"] = Value::Null;
    }
    assert_eq!(parsed, json);
}

#[test]
fn exit_codes_tell_programs() {
    let tenant = installed("scope-exit", "1.9.51");
    let code =
        |arguments: &[&str]| run(&tenant, &[&["outdated", "--exit-code"], arguments].concat()).code;
    assert_eq!(code(&[]), Some(0));
    assert_eq!(
        code(&["--repo", "http://127.0.0.1:9"]),
        Some(12),
        "unknown is not current"
    );
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    assert_eq!(code(&[]), Some(10));
    assert_eq!(code(&["--repo", "http://127.0.0.1:9"]), Some(10));
    assert_eq!(
        run(&tenant, &["outdated"]).code,
        Some(0),
        "only with --exit-code"
    );
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let tenant = installed("scope-pipe", "1.9.28");
    let line = format!("{PLUGIN} outdated -n {} | head -n 1", tenant.namespace());
    let output = crate::support::paste(&tenant, &line, Helm::Four);
    assert!(output.is_success(), "{output}");
    assert_eq!(output.stderr, "", "{output}");
}

#[test]
fn nothing_secret_is_printed() {
    let tenant = installed("scope-secret", "1.9.28");
    for arguments in [
        &["outdated", "-o", "json"][..],
        &["outdated", "-o", "yaml"],
        &["outdated", "-o", "wide", "-vv"],
        &[
            "outdated",
            "--repo",
            "http://user:hunter2@127.0.0.1:9/?token=hunter3",
            "-o",
            "json",
        ],
    ] {
        let output = run(&tenant, arguments);
        let text = format!("{}{}", output.stdout, output.stderr);
        for secret in ["sample-password", "hunter2", "hunter3"] {
            assert!(!text.contains(secret), "{arguments:?} prints {secret}");
        }
    }
}
