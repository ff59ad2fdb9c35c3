//! Least rights: what `--print-rbac` prints is enough, and what is missing is told.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tracebloc_bed::Tenant;
use tracebloc_bed::cluster::Output;

use crate::support::{codes, command, image, installed, parse, run};

/// The roles of a call of `outdated`, for a release whose node agents have the tenant's own namespace.
fn printed(tenant: &Tenant<'_>, arguments: &[&str]) -> String {
    printed_by("outdated", tenant, arguments)
}

pub(crate) fn printed_by(name: &str, tenant: &Tenant<'_>, arguments: &[&str]) -> String {
    let output = run(tenant, &[&[name, "--print-rbac"], arguments].concat());
    assert!(output.is_success(), "{output}");
    output
        .stdout
        .replace("tracebloc-node-agents", &tenant.agents_namespace())
        // Roles of the whole cluster are shared with other tests.
        .replace(
            &format!("name: kubectl-tracebloc-{name}"),
            &format!("name: outdated-{}", tenant.namespace()),
        )
}

/// An account with these roles and no others.
pub(crate) fn account(tenant: &Tenant<'_>, roles: &str) -> PathBuf {
    let cluster = tenant.bed().cluster();
    let kubeconfig = cluster
        .service_account(tenant.namespace(), "reader", &[])
        .unwrap();
    cluster
        .kubectl_with_input(&["apply", "-f", "-"], roles)
        .unwrap()
        .success()
        .unwrap();
    let name = format!("outdated-{}", tenant.namespace());
    let subject = format!("--serviceaccount={}:reader", tenant.namespace());
    if roles.contains("kind: ClusterRole\n") {
        let role = format!("--clusterrole={name}");
        let binding = ["create", "clusterrolebinding", &name, &role, &subject];
        cluster.kubectl(&binding).unwrap().success().unwrap();
    }
    for namespace in [tenant.namespace().to_owned(), tenant.agents_namespace()] {
        if roles.contains(&format!("namespace: {namespace}\n")) {
            let role = format!("--role={name}");
            let namespace = format!("--namespace={namespace}");
            let binding = ["create", "rolebinding", &name, &namespace, &role, &subject];
            cluster.kubectl(&binding).unwrap().success().unwrap();
        }
    }
    kubeconfig
}

/// Each rule of some roles, with the roles that lack it.
fn each_rule_less(roles: &str) -> Vec<(&str, String)> {
    let each = roles.split("  # Without it unknown: ").skip(1);
    let less = each.map(|rule| {
        let rule = rule.split("---\n").next().unwrap();
        let less = roles.replacen(&format!("  # Without it unknown: {rule}"), "", 1);
        let less = less.replace("rules:\n---", "rules: []\n---");
        let less = match less.strip_suffix("rules:\n") {
            Some(rest) => format!("{rest}rules: []\n"),
            None => less,
        };
        (rule, less)
    });
    less.collect()
}

fn apply(tenant: &Tenant<'_>, roles: &str) {
    tenant
        .bed()
        .cluster()
        .kubectl_with_input(&["apply", "-f", "-"], roles)
        .unwrap()
        .success()
        .unwrap();
}

fn ask(tenant: &Tenant<'_>, kubeconfig: &Path, arguments: &[&str]) -> Output {
    let mut command = command(tenant, &["outdated", "-o", "json"]);
    command.env("KUBECONFIG", kubeconfig).args(arguments);
    Output::of(&mut command).unwrap()
}

/// Asks again until it is as wanted: the API server learns of changed roles a moment later. The last answer is for the test to judge.
fn ask_until(
    tenant: &Tenant<'_>,
    kubeconfig: &Path,
    arguments: &[&str],
    wanted: impl Fn(&Output) -> bool,
) -> Output {
    for _ in 0..40 {
        let output = ask(tenant, kubeconfig, arguments);
        if wanted(&output) {
            return output;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    ask(tenant, kubeconfig, arguments)
}

/// True if nothing was missing for the answer.
fn is_whole(output: &Output) -> bool {
    let Ok(report) = serde_json::from_str::<Value>(&output.stdout) else {
        return false;
    };
    !codes(&report).contains(&"cluster-unanswered")
        && report["context"]["clusterUid"].is_string()
        && report["releases"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
        && image(&report, "resource-monitor")["digest"]["running"][0]["platform"].is_object()
}

#[test]
fn the_printed_roles_are_enough_and_each_rule_is_needed() {
    let tenant = installed("rights-role", "1.9.28");
    let roles = printed(&tenant, &[]);
    let kubeconfig = account(&tenant, &roles);
    let scope = ["--namespace", tenant.namespace()];
    let output = ask_until(&tenant, &kubeconfig, &scope, is_whole);
    assert!(is_whole(&output), "{output}");
    // Each rule taken away is missed, and only what rests on it is unknown.
    let each = each_rule_less(&roles);
    assert!(each.len() >= 8, "{roles}");
    for (rule, less) in each {
        if rule.contains("asked only after one") {
            continue;
        }
        apply(&tenant, &less);
        let output = ask_until(&tenant, &kubeconfig, &scope, |output| !is_whole(output));
        assert!(!is_whole(&output), "nobody misses it: {rule}");
        let report = parse(&output);
        let chart = &report["releases"][0]["chart"];
        if rule.starts_with("what Helm's records alone tell") {
            // The updater's own repository is among it, and the public one is not asked by tests.
            assert_eq!(chart["current"], "1.9.28", "{rule}: {output}");
        } else {
            assert_eq!(chart["state"], "behind", "{rule}");
        }
    }
}

#[test]
fn with_all_namespaces_one_cluster_role_is_enough() {
    let tenant = installed("rights-cluster", "1.9.28");
    let roles = printed(&tenant, &["--all-namespaces"]);
    assert!(!roles.contains("kind: Role\n"), "{roles}");
    let kubeconfig = account(&tenant, &roles);
    let named = format!("{}/rights-cluster", tenant.namespace());
    let output = ask_until(&tenant, &kubeconfig, &[&named], is_whole);
    assert!(is_whole(&output), "{output}");
    let output = ask(
        &tenant,
        &kubeconfig,
        &["--all-namespaces", "--only", "chart"],
    );
    assert!(output.is_success(), "{output}");
}

#[test]
fn what_is_not_asked_for_needs_no_right_and_nobody_is_asked() {
    let tenant = installed("rights-chart", "1.9.28");
    let roles = printed(&tenant, &["--only", "chart"]);
    assert!(!roles.contains("pods"), "{roles}");
    let kubeconfig = account(&tenant, &roles);
    let scope = ["--only", "chart", "--namespace", tenant.namespace()];
    let output = ask_until(&tenant, &kubeconfig, &scope, Output::is_success);
    let report = parse(&output);
    assert_eq!(report["releases"][0]["chart"]["state"], "behind");
    assert!(!codes(&report).contains(&"cluster-unanswered"));

    let mut command = command(&tenant, &["outdated", "--print-rbac", "-n", "edge"]);
    command
        .env("KUBECONFIG", "/no/such/kubeconfig")
        .env("HELM_DRIVER", "configmap");
    let output = Output::of(&mut command).unwrap();
    assert!(output.is_success(), "no cluster is needed: {output}");
    assert!(output.stdout.contains("namespace: edge\n"), "{output}");
    assert!(
        output.stdout.contains("[configmaps]") && !output.stdout.contains("[secrets]"),
        "{output}"
    );
    let with_pull_secrets = printed(&tenant, &["--use-pull-secrets"]);
    assert!(
        with_pull_secrets.contains("the pull secrets of --use-pull-secrets"),
        "{with_pull_secrets}"
    );
}

#[test]
fn the_roles_of_status_are_enough() {
    let tenant = installed("rights-status", "1.9.28");
    let kubeconfig = account(&tenant, &printed_by("status", &tenant, &[]));
    let ask = || {
        let mut command = command(&tenant, &["status", "-o", "json", "-n", tenant.namespace()]);
        Output::of(command.env("KUBECONFIG", &kubeconfig)).unwrap()
    };
    let is_whole = |output: &Output| {
        let report: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
        report["workloads"][0]["nodes"][0]["platform"].is_object()
            && report["release"]["storage"][0]["reclaim"].is_string()
            && !codes(&report).contains(&"cluster-unanswered")
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut output = ask();
    while !is_whole(&output) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(250));
        output = ask();
    }
    assert!(is_whole(&output), "{output}");
}

#[test]
fn the_roles_of_history_are_enough_and_each_rule_is_needed() {
    let tenant = installed("rights-history", "1.9.28");
    let roles = printed_by("history", &tenant, &[]);
    for absent in ["pods", "nodes", "persistentvolumes", "clusterrolebindings"] {
        assert!(!roles.contains(&format!("[{absent}")), "{roles}");
    }
    let named = printed_by("history", &tenant, &["rights-history"]);
    assert!(
        named.contains("resourceNames: [tracebloc-history-rights-history]"),
        "{named}"
    );
    let kubeconfig = account(&tenant, &named);
    let ask_until = |wanted: &dyn Fn(&Output) -> bool| {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let mut command = command(&tenant, &["history", "-o", "json"]);
            command
                .args(["--namespace", tenant.namespace()])
                .arg("rights-history")
                .env("KUBECONFIG", &kubeconfig);
            let output = Output::of(&mut command).unwrap();
            if wanted(&output) || Instant::now() > deadline {
                return output;
            }
            std::thread::sleep(Duration::from_millis(250));
        }
    };
    let is_whole = |output: &Output| {
        let report: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
        report["entries"].is_array()
            && report["context"]["clusterUid"].is_string()
            && codes(&report).is_empty()
    };
    let output = ask_until(&is_whole);
    assert!(is_whole(&output), "{output}");
    let each = each_rule_less(&named);
    assert!(each.len() >= 8, "{named}");
    for (rule, less) in each {
        apply(&tenant, &less);
        let output = ask_until(&|output| !is_whole(output));
        assert!(!is_whole(&output), "nobody misses it: {rule}");
    }
}
