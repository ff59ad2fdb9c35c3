//! The fault proxy of the bed in front of the real API server, as kubectl sees it.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use tracebloc_bed::cluster::Output;
use tracebloc_bed::proxy::{Fault, Proxy, Rule};
use tracebloc_bed::{Tenant, wait_until};

/// `kubectl` with a kubeconfig that leads through the proxy.
fn kubectl(
    tenant: &Tenant<'_>,
    kubeconfig: &std::path::Path,
    arguments: &[&str],
) -> std::process::Command {
    let mut command = tenant
        .bed()
        .cluster()
        .command("kubectl", tenant.namespace());
    command.env("KUBECONFIG", kubeconfig).args(arguments);
    command.args(["--namespace", tenant.namespace()]);
    command
}

#[test]
fn a_token_is_its_owners_behind_the_proxy() {
    let tenant = crate::support::bed().tenant("proxy-tokens").unwrap();
    let cluster = tenant.bed().cluster();
    let proxy = Proxy::before_api_server_over_tls(cluster).unwrap();
    cluster
        .service_account(tenant.namespace(), "nobody", &[])
        .unwrap();
    let token = cluster
        .token_kubeconfig(tenant.namespace(), "nobody")
        .unwrap();
    let token = cluster
        .write_kubeconfig("proxy-tokens-nobody", &token.at(&proxy.url()))
        .unwrap();
    let refused = Output::of(&mut kubectl(&tenant, &token, &["get", "pods"])).unwrap();
    assert!(
        refused.stderr.contains("cannot list resource \"pods\""),
        "{refused}"
    );
    assert!(refused.stderr.contains(":nobody\""), "{refused}");
    let asked = proxy.log().matching(&"GET".parse().unwrap(), "/pods");
    assert_eq!(asked[0].header("authorization"), Some("Bearer"));

    let administrator = cluster.admin().at(&proxy.url());
    let administrator = cluster
        .write_kubeconfig("proxy-tokens-admin", &administrator)
        .unwrap();
    let output = Output::of(&mut kubectl(&tenant, &administrator, &["get", "pods"])).unwrap();
    assert!(output.is_success(), "{output}");
}

#[test]
fn a_watch_streams_through_the_proxy() {
    let tenant = crate::support::bed().tenant("proxy-watch").unwrap();
    let cluster = tenant.bed().cluster();
    let proxy = Proxy::before_api_server_over_tls(cluster).unwrap();
    proxy.break_with(Rule::new("/configmaps", Fault::status(503)).times(1));
    let kubeconfig = cluster.admin().at(&proxy.url());
    let kubeconfig = cluster
        .write_kubeconfig("proxy-watch", &kubeconfig)
        .unwrap();
    let broken = Output::of(&mut kubectl(&tenant, &kubeconfig, &["get", "configmaps"])).unwrap();
    assert!(!broken.is_success(), "{broken}");

    let watch = ["get", "configmaps", "--watch-only", "-o", "name"];
    let mut child = kubectl(&tenant, &kubeconfig, &watch)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (sender, lines) = std::sync::mpsc::channel();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            let _nobody_waits = sender.send(line);
        }
    });
    wait_until(Duration::from_secs(20), "the watch is open", || {
        let open = proxy.log().matching(&"GET".parse().unwrap(), "watch=true");
        Ok(open
            .first()
            .and_then(|request| request.status)
            .ok_or_else(|| format!("{open:?}")))
    })
    .unwrap();
    tenant
        .kubectl(&["create", "configmap", "seen"])
        .unwrap()
        .success()
        .unwrap();
    let seen = std::iter::from_fn(|| lines.recv_timeout(Duration::from_secs(10)).ok())
        .any(|line| line == "configmap/seen");
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    assert!(seen, "the change came through the open answer");
}
