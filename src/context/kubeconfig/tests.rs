use super::*;
use crate::cli::Cli;
use clap::Parser as _;

const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
current-context: prod
contexts:
- name: prod
  context: {cluster: prod, user: admin, namespace: edge}
- name: empty-namespace
  context: {cluster: prod, user: admin, namespace: ''}
- name: no-such-user
  context: {cluster: prod, user: ghost}
clusters:
- name: prod
  cluster: {server: 'https://user:hunter2@prod.example.com:6443', tls-server-name: inner}
- name: bare
  cluster: {server: 'bare.example.com:6443'}
users:
- name: admin
  user: {token: hunter2, exec: {apiVersion: client.authentication.k8s.io/v1, command: login}}
";

fn resolve(line: &str) -> Result<Target, ContextError> {
    let directory = std::env::temp_dir().join(format!(
        "tracebloc-kubeconfig-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("config");
    std::fs::write(&path, KUBECONFIG).unwrap();
    let missing = directory.join("missing");
    let list = std::env::join_paths([missing, path])
        .unwrap()
        .into_string()
        .unwrap();
    let environment = Environment::from([("KUBECONFIG", list.as_str())]);
    let cli =
        Cli::try_parse_from(["x", "outdated"].into_iter().chain(line.split_whitespace())).unwrap();
    let target = Target::resolve(&environment, &cli.connection, None);
    std::fs::remove_dir_all(&directory).unwrap();
    target
}

#[test]
fn a_missing_file_of_the_list_is_passed_over() {
    let target = resolve("").unwrap();
    assert_eq!(target.context.as_deref(), Some("prod"));
    assert_eq!(target.namespace, "edge");
}

#[test]
fn nothing_secret_is_shown() {
    let target = resolve("").unwrap();
    assert_eq!(target.server, "https://prod.example.com:6443");
    assert!(!format!("{target:?}").contains("hunter2"));
}

#[test]
fn flags_go_before_the_context() {
    let target = resolve("-n other --server https://elsewhere:1 --token abc").unwrap();
    assert_eq!(target.namespace, "other");
    assert_eq!(target.server, "https://elsewhere:1");
    assert_eq!(target.config.tls_server_name, None, "--server clears it");
    assert!(
        target.config.auth_info.exec.is_none(),
        "--token goes before a plugin"
    );
    let target = resolve("--cluster bare").unwrap();
    assert_eq!(
        target.server, "https://bare.example.com:6443",
        "without a scheme it is https"
    );
}

#[test]
fn an_empty_namespace_is_default() {
    assert_eq!(
        resolve("--context empty-namespace").unwrap().namespace,
        "default"
    );
}

#[test]
fn what_is_missing_is_named_with_what_there_is() {
    for (line, what) in [
        ("--context x", "context"),
        ("--cluster x", "cluster"),
        ("--user x", "user"),
    ] {
        match resolve(line).unwrap_err() {
            ContextError::Unknown {
                what: named,
                name,
                known,
            } => {
                assert_eq!((named, name.as_str()), (what, "x"));
                assert!(!known.is_empty());
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(
        resolve("--context no-such-user").is_ok(),
        "client-go does not mind"
    );
}

#[test]
fn a_kubeconfig_named_by_flag_must_exist() {
    assert!(matches!(
        resolve("--kubeconfig /nowhere/at/all"),
        Err(ContextError::Unreadable { .. })
    ));
}

#[test]
fn no_kubeconfig_at_all_is_said() {
    let environment = Environment::from([("KUBECONFIG", "/nowhere/at/all")]);
    let outcome = Target::resolve(&environment, &ConnectionArgs::default(), None);
    assert!(matches!(outcome, Err(ContextError::NoKubeconfig)));
}

#[test]
fn fuzzed() {
    let path =
        std::env::temp_dir().join(format!("tracebloc-kubeconfig-fuzz-{}", std::process::id()));
    let arguments = ["x", "outdated", "--kubeconfig", path.to_str().unwrap()];
    let cli = Cli::try_parse_from(arguments).unwrap();
    let words = [
        "contexts:",
        "- name: ",
        "server: ",
        "https://",
        "token: ",
        "&a ",
        "*a",
        "<<: *a",
        "user: ",
        "proxy-url: ",
        "certificate-authority-data: ",
        "client-certificate-data: ",
        "exec: {",
        "extensions: ",
    ];
    tracebloc_fuzz::fuzz("kubeconfigs", &[KUBECONFIG.as_bytes()], &words, |bytes| {
        std::fs::write(&path, bytes).unwrap();
        let outcome = Target::resolve(&Environment::from([]), &cli.connection, None);
        // Names may be told, and damage can make a name of anything; but a parser must not quote the file.
        if let Err(ContextError::Unreadable { source, .. }) = outcome {
            assert!(!source.to_string().contains("hunter2"), "{source}");
        }
    });
    std::fs::remove_file(&path).unwrap();
}
