//! The way to the cluster: kubectl's flags, kubeconfigs of several files, credential plugins and proxies, on a real API server.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tracebloc_bed::Tenant;
use tracebloc_bed::cluster::{Grant, Output, Scope};
use tracebloc_bed::kubeconfig::User;
use tracebloc_bed::tunnel::{Tunnel, Tunnelled};

use crate::support::{PLUGIN, command, finding, installed, parse, tenant};

/// Writes a file of a test and returns its path.
fn write(tenant: &Tenant<'_>, name: &str, content: &str) -> PathBuf {
    let path = format!("connection/{}/{name}", tenant.namespace());
    tenant.bed().cluster().write(&path, content).unwrap()
}

/// Asks for charts only, with this kubeconfig and these arguments, beside the tenant's namespace.
fn ask(tenant: &Tenant<'_>, kubeconfig: &Path, arguments: &[&str]) -> Output {
    ask_with(tenant, kubeconfig, arguments, &[])
}

fn ask_with(
    tenant: &Tenant<'_>,
    kubeconfig: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Output {
    let namespace = tenant.namespace();
    let mut command = command(
        tenant,
        &["outdated", "--only", "chart", "-o", "json", "-n", namespace],
    );
    command
        .env("KUBECONFIG", kubeconfig)
        .envs(variables.iter().copied())
        .args(arguments);
    Output::of(&mut command).unwrap()
}

/// Whether the answer is the real one.
fn answers(output: &Output) {
    let report: Value = parse(output);
    assert_eq!(
        report["releases"][0]["chart"]["state"], "behind",
        "{report:#}"
    );
}

/// The kubeconfig of the bed with another user section.
pub(crate) fn kubeconfig_with_user(tenant: &Tenant<'_>, name: &str, user: &Value) -> PathBuf {
    let text = tenant
        .bed()
        .cluster()
        .kubeconfig_of(User::Nobody)
        .render()
        .replace("user: {}", &format!("user: {user}"));
    write(tenant, name, &text)
}

/// A credential plugin that notes each start, and prints `answer`.
pub(crate) fn plugin(tenant: &Tenant<'_>, name: &str, answer: &str) -> (PathBuf, PathBuf) {
    let answer = write(tenant, &format!("{name}.answer"), answer);
    let starts = answer.with_extension("starts");
    let script = format!(
        "#!/bin/sh\necho \"$KUBERNETES_EXEC_INFO $FLAVOUR $*\" >>'{}'\ncat '{}'\n",
        starts.display(),
        answer.display()
    );
    let path = write(tenant, name, &script);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    (path, starts)
}

/// A token of a new account that may do everything.
pub(crate) fn token(tenant: &Tenant<'_>, account: &str) -> String {
    let grant = Grant {
        scope: Scope::Cluster,
        groups: &["*"],
        resources: &["*"],
        verbs: &["*"],
    };
    let cluster = tenant.bed().cluster();
    cluster
        .service_account(tenant.namespace(), account, &[grant])
        .unwrap();
    match cluster
        .token_kubeconfig(tenant.namespace(), account)
        .unwrap()
        .user
    {
        User::Token(token) => token,
        other => panic!("no token: {other:?}"),
    }
}

pub(crate) fn exec(command: &Path) -> Value {
    json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": command,
        "args": ["get-token", "--cluster", "bed"],
        "env": [{"name": "FLAVOUR", "value": "vanilla"}],
        "interactiveMode": "IfAvailable",
        "provideClusterInfo": true,
        "installHint": "get the plugin from your administrator",
    }})
}

#[test]
fn a_credential_plugin_runs_once_and_its_token_is_used() {
    let tenant = installed("connection-token", "1.9.28");
    let answer = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"token": token(&tenant, "support")},
    });
    let (path, starts) = plugin(&tenant, "plugin", &answer.to_string());
    let kubeconfig = kubeconfig_with_user(&tenant, "config", &exec(&path));
    answers(&ask(&tenant, &kubeconfig, &[]));
    let told = std::fs::read_to_string(&starts).unwrap();
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(
        told.contains("vanilla get-token --cluster bed"),
        "variables and arguments arrive: {told}"
    );
    assert!(told.contains("\"interactive\":false"), "{told}");
    assert!(
        told.contains(tenant.bed().cluster().server()),
        "the plugin is told the cluster: {told}"
    );
    // A path in a kubeconfig is relative to that file, as for kubectl.
    let relative = exec(Path::new("./plugin"));
    answers(&ask(
        &tenant,
        &kubeconfig_with_user(&tenant, "config-relative", &relative),
        &[],
    ));
    // --token goes before the plugin, which is not started.
    let output = ask(&tenant, &kubeconfig, &["--token", "nonsense"]);
    assert_eq!(output.code, Some(5), "{output}");
    let told = std::fs::read_to_string(&starts).unwrap();
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[test]
fn a_credential_plugin_may_give_a_certificate() {
    let tenant = installed("connection-certificate", "1.9.28");
    let admin = &tenant.bed().cluster().control_plane().admin;
    let answer = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"clientCertificateData": admin.certificate, "clientKeyData": admin.key},
    });
    let (path, _) = plugin(&tenant, "plugin", &answer.to_string());
    answers(&ask(
        &tenant,
        &kubeconfig_with_user(&tenant, "config", &exec(&path)),
        &[],
    ));
}

#[test]
fn a_credential_plugin_that_gives_nothing_is_named_and_not_quoted() {
    let tenant = tenant("connection-plugin");
    let failing = write(
        &tenant,
        "failing",
        "#!/bin/sh\necho hunter2\necho 'your session has ended' >&2\nexit 7\n",
    );
    std::fs::set_permissions(&failing, std::fs::Permissions::from_mode(0o700)).unwrap();
    let (chatting, _) = plugin(&tenant, "chatting", "hunter2 is the token");
    let missing = Path::new("no-such-credential-plugin");
    for (path, words) in [
        (
            failing.as_path(),
            &["your session has ended", "exit status: 7", "log in again"][..],
        ),
        (
            chatting.as_path(),
            &["no ExecCredential of `client.authentication.k8s.io/v1`"][..],
        ),
        (
            missing,
            &[
                "no-such-credential-plugin",
                "not there",
                "get the plugin from your administrator",
            ][..],
        ),
    ] {
        let kubeconfig = kubeconfig_with_user(&tenant, "config", &exec(path));
        let output = ask(&tenant, &kubeconfig, &[]);
        assert_eq!(output.code, Some(3), "{output}");
        for word in words {
            assert!(output.stderr.contains(word), "`{word}`: {output}");
        }
        assert!(!output.to_string().contains("hunter2"), "{output}");
    }
}

#[test]
fn several_kubeconfigs_are_one_and_missing_ones_are_passed_over() {
    let tenant = installed("connection-merge", "1.9.28");
    let whole = tenant.bed().cluster().admin().render();
    let (clusters, users) = whole.split_once("users:").unwrap();
    let first = write(&tenant, "first", clusters);
    let second = write(
        &tenant,
        "second",
        // The first file's word on the current context counts.
        &format!("apiVersion: v1\nkind: Config\ncurrent-context: other\nusers:{users}"),
    );
    let list = std::env::join_paths([
        first.as_path(),
        Path::new("/no/such/kubeconfig"),
        second.as_path(),
    ])
    .unwrap();
    answers(&ask(&tenant, Path::new(&list), &[]));
    let output = ask(&tenant, &first, &[]);
    assert_eq!(output.code, Some(5), "without its user: {output}");
}

#[test]
fn flags_alone_lead_to_a_server() {
    let tenant = installed("connection-flags", "1.9.28");
    let cluster = tenant.bed().cluster();
    let plane = cluster.control_plane();
    let authority = write(&tenant, "ca.crt", plane.authority.certificate());
    let certificate = write(&tenant, "client.crt", &plane.admin.certificate);
    let key = write(&tenant, "client.key", &plane.admin.key);
    let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let (authority, certificate, key) = (text(&authority), text(&certificate), text(&key));
    let pair = [
        "--client-certificate",
        certificate.as_str(),
        "--client-key",
        &key,
    ];
    let nowhere = Path::new("/no/such/kubeconfig");
    let with = |more: &[&str]| {
        let mut arguments = vec!["--server", cluster.server()];
        arguments.extend(more);
        ask(&tenant, nowhere, &arguments)
    };
    let trusted = ["--certificate-authority", authority.as_str()];
    answers(&with(&[&trusted[..], &pair].concat()));
    answers(&with(
        &[&["--insecure-skip-tls-verify"][..], &pair].concat(),
    ));
    let token = token(&tenant, "support");
    answers(&with(&[&trusted[..], &["--token", &token]].concat()));
    answers(&with(
        &[&trusted[..], &pair, &["--tls-server-name", "localhost"]].concat(),
    ));
    let output = with(
        &[
            &trusted[..],
            &pair,
            &["--tls-server-name", "elsewhere.invalid"],
        ]
        .concat(),
    );
    assert!(output.stderr.contains("certificate"), "{output}");
    assert_ne!(output.code, Some(0), "{output}");
    let output = with(&pair);
    assert!(
        output.stderr.contains("no secure connection"),
        "an unknown authority is not trusted: {output}"
    );
    let output = with(&[&trusted[..], &["--insecure-skip-tls-verify"], &pair].concat());
    assert_eq!(output.code, Some(2), "both exclude each other: {output}");
}

#[test]
fn another_identity_is_acted_as() {
    let tenant = installed("connection-as", "1.9.28");
    let kubeconfig = tenant.bed().cluster().kubeconfig().to_owned();
    let output = ask(&tenant, &kubeconfig, &["--as", "somebody"]);
    assert_eq!(output.code, Some(5), "{output}");
    assert!(output.stderr.contains("somebody"), "{output}");
    answers(&ask(
        &tenant,
        &kubeconfig,
        &["--as", "somebody", "--as-group", "system:masters"],
    ));
}

#[test]
fn proxies_are_chosen_as_by_kubectl() {
    let tenant = installed("connection-proxy", "1.9.28");
    let cluster = tenant.bed().cluster();
    let real = cluster.server().trim_start_matches("https://").to_owned();
    // A name that only the proxy knows: whoever does not go through it fails.
    let target = "api.connection.invalid:443";
    let targets = BTreeMap::from([(target.to_owned(), real.clone()), (real.clone(), real)]);
    let tunnel = Tunnel::start(targets).unwrap();
    let through = |with_credentials| Tunnelled {
        target: target.to_owned(),
        with_credentials,
    };
    let named = cluster
        .admin()
        .at("https://api.connection.invalid")
        .render()
        .replace(
            "  cluster:\n",
            "  cluster:\n    tls-server-name: localhost\n",
        )
        .replace(
            "- cluster:\n",
            "- cluster:\n    tls-server-name: localhost\n",
        );
    let kubeconfig = write(&tenant, "named", &named);

    let url = tunnel.url();
    answers(&ask_with(
        &tenant,
        &kubeconfig,
        &[],
        &[("HTTPS_PROXY", &url), ("NO_PROXY", "other.invalid")],
    ));
    assert_eq!(tunnel.log().last(), Some(&through(false)));

    let before = tunnel.log().len();
    let excepted = [("HTTPS_PROXY", url.as_str()), ("NO_PROXY", ".invalid")];
    let output = ask_with(&tenant, &kubeconfig, &[], &excepted);
    assert_eq!(output.code, Some(1), "{output}");
    assert_eq!(tunnel.log().len(), before, "NO_PROXY counts: {output}");

    // The kubeconfig's own proxy goes before variables, and NO_PROXY does not count for it.
    let with_user = format!("http://somebody:hunter2@{}", tunnel.host());
    let own = named.replace(
        "    tls-server-name",
        &format!("    proxy-url: {with_user}\n    tls-server-name"),
    );
    let kubeconfig = write(&tenant, "own", &own);
    answers(&ask_with(&tenant, &kubeconfig, &[], &excepted));
    assert_eq!(tunnel.log().last(), Some(&through(true)));

    // Loopback is never asked for through a proxy of the environment.
    let before = tunnel.log().len();
    let admin = cluster.kubeconfig().to_owned();
    answers(&ask_with(&tenant, &admin, &[], &[("HTTPS_PROXY", &url)]));
    assert_eq!(tunnel.log().len(), before);

    // What a proxy refuses is told without its password.
    let kubeconfig = write(
        &tenant,
        "refused",
        &own.replace("api.connection.invalid", "refused.invalid"),
    );
    let output = ask(&tenant, &kubeconfig, &[]);
    assert_eq!(output.code, Some(1), "{output}");
    assert!(!output.to_string().contains("hunter2"), "{output}");
}

#[test]
fn in_a_pod_the_service_account_leads_to_the_cluster() {
    let tenant = installed("connection-pod", "1.9.28");
    let cluster = tenant.bed().cluster();
    let account = write(&tenant, "token", &token(&tenant, "in-pod"));
    let account = account.parent().unwrap();
    write(&tenant, "ca.crt", &cluster.admin().authority.unwrap());
    write(&tenant, "namespace", tenant.namespace());
    let (host, port) = cluster
        .server()
        .strip_prefix("https://")
        .and_then(|address| address.rsplit_once(':'))
        .unwrap();
    // Where every pod finds it: in a room of its own, so that nothing of it is left on this machine.
    let place = "/var/run/secrets/kubernetes.io/serviceaccount";
    let script = format!(
        "mount -t tmpfs none /run && mkdir -p /var/run && {{ [ -L /var/run ] || mount -t tmpfs none /var/run; }} && mkdir -p {place} && mount --bind '{}' {place} && exec {PLUGIN} outdated -o json --only chart",
        account.display()
    );
    let mut pod = command(&tenant, &[]);
    let environment: Vec<_> = pod
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    pod = std::process::Command::new("unshare");
    pod.env_clear()
        .envs(environment)
        .env_remove("KUBECONFIG")
        .env("HOME", account)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("KUBERNETES_SERVICE_HOST", host)
        .env("KUBERNETES_SERVICE_PORT", port)
        .args(["--mount", "sh", "-c", &script]);
    let output = Output::of(&mut pod).unwrap();
    if !output.is_success() && output.stderr.contains("Operation not permitted") {
        println!("SKIPPED: a room of its own for mounts takes root");
        return;
    }
    let report = parse(&output);
    assert_eq!(
        report["releases"][0]["name"], "connection-pod",
        "{report:#}"
    );
    assert_eq!(report["context"].get("name"), None, "{report:#}");
    let advice = finding(&report, "chart-behind")["advice"][0]
        .as_str()
        .unwrap();
    assert!(!advice.contains("--kube-context"), "{advice}");
}
