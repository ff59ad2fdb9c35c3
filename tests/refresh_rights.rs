//! Least rights of `refresh`: what `--print-rbac` prints is enough, what is optional is told where it is missing, and without the rest nothing is begun.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tracebloc_bed::Tenant;
use tracebloc_bed::cluster::Output;
use tracebloc_bed::image::Image;
use tracebloc_bed::wait_until;

use crate::outdated_rights::{account, printed_by};
use crate::refresh::{break_tag, object, plan, recorded, running, steps};
use crate::refresh_any_chart::{publish, shop};
use crate::support::{command, installed};

/// Runs `refresh` as the account.
fn refresh(tenant: &Tenant<'_>, kubeconfig: &Path, arguments: &[&str]) -> Output {
    let mut whole = vec!["refresh", "--yes", "--context", "reader", "-o", "json"];
    if !arguments.contains(&"--timeout") {
        whole.extend(["--timeout", "60s"]);
    }
    whole.extend(["--namespace", tenant.namespace()]);
    whole.extend(arguments);
    Output::of(command(tenant, &whole).env("KUBECONFIG", kubeconfig)).unwrap()
}

/// Waits until the API server has learned of the roles: then everything is known of which something is to be decided.
fn until_known(tenant: &Tenant<'_>, kubeconfig: &Path) {
    for _ in 0..60 {
        let output = refresh(tenant, kubeconfig, &["--dry-run"]);
        let plan: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
        let images = plan["images"].as_array();
        if images.is_some_and(|images| images.iter().all(|image| image["decision"] != "unknown"))
            && plan["context"]["clusterUid"].is_string()
        {
            return;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    panic!("{}", refresh(tenant, kubeconfig, &["--dry-run"]));
}

/// The roles without the rules whose comments contain that.
pub(crate) fn without(roles: &str, comment: &str) -> String {
    let mut less = String::new();
    for (number, rule) in roles.split("  # Without it ").enumerate() {
        if number == 0 {
            less.push_str(rule);
        } else if rule.contains(comment) {
            // What follows the last rule of a role begins the next role.
            let next = rule.find("---\n").map_or("", |at| &rule[at..]);
            less.push_str(next);
        } else {
            less.push_str("  # Without it ");
            less.push_str(rule);
        }
    }
    assert_ne!(less, roles, "no rule says {comment}");
    less
}

#[test]
fn the_printed_rights_are_enough_to_refresh_to_undo_and_to_go_back() {
    // A chart whose own job is suspended where something is undone.
    let name = "rights-move";
    let tenant = installed(name, "1.4.4");
    recorded(&tenant);
    let only_shown = printed_by("refresh", &tenant, &["--dry-run", name]);
    assert!(!only_shown.contains("patch"), "{only_shown}");
    let roles = printed_by("refresh", &tenant, &[name]);
    assert!(!roles.contains("exec"), "{roles}");
    let main = format!("{name}-jobs-manager");
    for own in [
        format!("resourceNames: [{main}, {name}-requests-proxy]"),
        format!("resourceNames: [tracebloc-{name}]"),
        format!("resourceNames: [tracebloc-history-{name}]"),
    ] {
        assert!(roles.contains(&own), "{own}: {roles}");
    }
    let kubeconfig = account(&tenant, &roles);
    until_known(&tenant, &kubeconfig);

    let before = running(&tenant, "api");
    let moved = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    // So long that the job is suspended meanwhile.
    let output = refresh(&tenant, &kubeconfig, &["--timeout", "10000h"]);
    let job = format!("{name}-image-refresh");
    assert_eq!(
        steps(&plan(&output, 0))[..2],
        [
            ("suspend", job.as_str(), "done"),
            ("restart", main.as_str(), "done"),
        ]
    );
    assert_eq!(running(&tenant, "api"), [moved.digest]);
    assert!(!output.stderr.contains("could not be"), "{output}");
    let events = tenant
        .kubectl(&[
            "get",
            "events",
            "--field-selector",
            "reason=Refreshed",
            "-o",
            "name",
        ])
        .unwrap();
    assert!(!events.stdout.is_empty(), "{events}");

    let back = plan(&refresh(&tenant, &kubeconfig, &["--rollback"]), 0);
    assert_eq!(running(&tenant, "api"), before, "{back:#}");
    let is_suspended = || object(&tenant, "cronjob", &job)["spec"]["suspend"] == true;
    assert!(is_suspended());

    let on_again = [
        "patch",
        "cronjob",
        &job,
        "-p",
        r#"{"spec":{"suspend":false}}"#,
    ];
    tenant.kubectl(&on_again).unwrap().success().unwrap();
    break_tag(&tenant, "tracebloc/jobs-manager");
    let failed = refresh(
        &tenant,
        &kubeconfig,
        &["--timeout", "5s", "--clear-flap", "--wait-settled", "30s"],
    );
    plan(&failed, 1);
    assert!(failed.stderr.contains("it was undone"), "{failed}");
    assert_eq!(running(&tenant, "api"), before);
    assert!(is_suspended());
}

#[test]
fn without_the_optional_rights_the_rest_is_done_and_what_is_missing_is_told() {
    let name = "rights-optional";
    let tenant = installed(name, "1.9.28");
    recorded(&tenant);
    let roles = printed_by("refresh", &tenant, &[name]);
    let less = without(&roles, "left out");
    for resource in ["configmaps", "events", "pods/log"] {
        assert!(
            roles.contains(resource) && !less.contains(resource),
            "{less}"
        );
    }
    let kubeconfig = account(&tenant, &less);
    until_known(&tenant, &kubeconfig);
    let moved = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let output = refresh(&tenant, &kubeconfig, &[]);
    plan(&output, 0);
    assert_eq!(running(&tenant, "api"), std::slice::from_ref(&moved.digest));
    for missing in [
        "the entry in the history could not be written: forbidden: the credentials may not get configmap",
        "the event could not be written: forbidden: the credentials may not create an event",
    ] {
        assert!(output.stderr.contains(missing), "{missing}: {output}");
    }
    let crashing = Image::new("crashes").steering("crash", "api");
    tenant
        .publish("tracebloc/jobs-manager", "prod", &crashing)
        .unwrap();
    let failed = refresh(&tenant, &kubeconfig, &["--timeout", "8s"]);
    plan(&failed, 1);
    assert!(failed.stderr.contains("it was undone"), "{failed}");
    let silent = "what it said could not be read: forbidden";
    assert!(failed.stderr.contains(silent), "{failed}");
    assert_eq!(running(&tenant, "api"), [moved.digest]);
}

#[test]
fn without_the_right_to_change_all_of_a_plan_none_of_it_is_begun() {
    let name = "rights-lacking";
    let tenant = installed(name, "1.9.40");
    recorded(&tenant);
    let roles = printed_by("refresh", &tenant, &[name]);
    let agents = format!(
        "resources: [daemonsets]\n    verbs: [get, patch]\n    resourceNames: [{name}-resource-monitor"
    );
    assert!(roles.contains(&agents), "{roles}");
    let less = roles.replace(&agents, &agents.replace("[get, patch]", "[get]"));
    let kubeconfig = account(&tenant, &less);
    until_known(&tenant, &kubeconfig);
    for repository in ["tracebloc/jobs-manager", "tracebloc/resource-monitor"] {
        tenant.move_tag(repository, "prod", "two").unwrap();
    }
    let main = format!("{name}-jobs-manager");
    let before = object(&tenant, "deployment", &main)["metadata"]["resourceVersion"].clone();
    let output = refresh(&tenant, &kubeconfig, &[]);
    let plan = plan(&output, 5);
    assert!(
        steps(&plan).iter().all(|(_, _, state)| *state == "skipped"),
        "{plan:#}"
    );
    let lacking = format!(
        "nothing was begun: the credentials may not patch daemonset/{name}-resource-monitor in namespace {}",
        tenant.agents_namespace()
    );
    assert!(output.stderr.contains(&lacking), "{output}");
    assert!(output.stderr.contains("--print-rbac"), "{output}");
    let after = object(&tenant, "deployment", &main)["metadata"]["resourceVersion"].clone();
    assert_eq!(
        after, before,
        "what could have been done was not begun either"
    );
}

/// An account that may do all of these in the tenant's namespace, and nothing else.
fn account_with(tenant: &Tenant<'_>, verbs: &str) -> PathBuf {
    let namespace = tenant.namespace();
    let roles = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: outdated-{namespace}\n  namespace: {namespace}\nrules:\n  - apiGroups: ['*']\n    resources: ['*']\n    verbs: [{verbs}]\n"
    );
    account(tenant, &roles)
}

/// The same as [`until_known`] of a release that must be named.
fn until_seen(tenant: &Tenant<'_>, kubeconfig: &Path, name: &str) {
    let what = format!("the account sees {name}");
    let seen = || {
        let output = refresh(tenant, kubeconfig, &["--dry-run", name]);
        let plan: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
        let images = plan["images"].as_array();
        let known = images.is_some_and(|images| {
            images.iter().all(|image| image["decision"] != "unknown") && !images.is_empty()
        });
        Ok(if known {
            Ok(())
        } else {
            Err(output.to_string())
        })
    };
    wait_until(Duration::from_secs(60), &what, seen).unwrap();
}

#[test]
fn that_a_stateful_set_could_not_be_brought_back_is_said_before_it_is_begun() {
    let name = "rights-ordered";
    let tenant = shop(name);
    let verbs = "get, list, watch, create, update, patch";
    let kubeconfig = account_with(&tenant, verbs);
    until_seen(&tenant, &kubeconfig, name);
    let warning = format!(
        "the credentials may not delete pods in namespace {}",
        tenant.namespace()
    );
    let moved = |image: &str, content: &str| {
        let published = publish(&tenant, image, &Image::new(format!("{image} {content}")));
        let output = refresh(&tenant, &kubeconfig, &[name]);
        plan(&output, 0);
        assert_eq!(running(&tenant, image), [published]);
        output.stderr
    };
    let told = moved("store", "two");
    assert!(told.contains(&warning), "{told}");
    let told = moved("web", "two");
    assert!(!told.contains("delete pods"), "no StatefulSet: {told}");
    let kept = ["patch", "role", &format!("outdated-{}", tenant.namespace())].map(str::to_owned);
    let more = format!(
        r#"{{"rules":[{{"apiGroups":["*"],"resources":["*"],"verbs":["{}","delete"]}}]}}"#,
        verbs.replace(", ", "\",\"")
    );
    let patch = [&kept[0], &kept[1], &kept[2], "--type", "merge", "-p", &more];
    tenant.kubectl(&patch).unwrap().success().unwrap();
    let may = ["auth", "can-i", "delete", "pods", "--as"];
    let account = format!("system:serviceaccount:{}:reader", tenant.namespace());
    let allowed = || {
        let output = tenant.kubectl(&[&may[..], &[&account]].concat()).unwrap();
        Ok(if output.is_success() {
            Ok(())
        } else {
            Err(output.to_string())
        })
    };
    wait_until(Duration::from_secs(60), "pods may be deleted", allowed).unwrap();
    let told = moved("store", "three");
    assert!(!told.contains("delete pods"), "{told}");
}

#[test]
fn no_helm_is_begun_where_fields_could_not_be_handed_back() {
    let name = "rights-hand-back";
    let tenant = installed(name, "1.9.28");
    let roles = printed_by("pin", &tenant, &[name, "--image", "jobs-manager"]);
    let own = "resources: [deployments]\n    verbs: [get, patch]";
    let less = roles.replace(own, "resources: [deployments]\n    verbs: [get]");
    assert_ne!(less, roles);
    let kubeconfig = account(&tenant, &less);
    until_known(&tenant, &kubeconfig);
    let arguments = [
        "pin",
        "--image",
        "jobs-manager",
        "--yes",
        "--context",
        "reader",
    ];
    let mut pin = command(&tenant, &arguments);
    pin.args(["--output", "json", "--namespace", tenant.namespace()]);
    let output = Output::of(pin.env("KUBECONFIG", &kubeconfig)).unwrap();
    let told = plan(&output, 5);
    assert_eq!(steps(&told), [("set-value", name, "skipped")], "{told:#}");
    let lacking =
        format!("nothing was begun: the credentials may not patch deployment/{name}-jobs-manager");
    assert!(output.stderr.contains(&lacking), "{output}");
}

#[test]
fn the_rights_of_a_pin_are_printed_with_what_helm_takes_beside_them() {
    let name = "rights-pin";
    let tenant = installed(name, "1.9.28");
    let main = format!("resourceNames: [{name}-jobs-manager, {name}-requests-proxy]");
    for (command, more) in [
        ("pin", &[name][..]),
        ("unpin", &[name]),
        ("refresh", &[name, "--tag", "prod"]),
    ] {
        let arguments = [&["--image", "jobs-manager"][..], more].concat();
        let roles = printed_by(command, &tenant, &arguments);
        assert!(roles.contains(&main), "{roles}");
        assert!(
            roles.contains("# to get, list, create, update and delete Helm's records"),
            "{roles}"
        );
        assert!(roles.contains("  #   verbs: [delete]"), "{roles}");
        assert!(
            !roles.contains("cronjobs]\n    verbs: [get, patch]"),
            "{roles}"
        );
        let cluster = tenant.bed().cluster();
        let applied = cluster.kubectl_with_input(&["apply", "--dry-run=server", "-f", "-"], &roles);
        applied.unwrap().success().unwrap();
        // A rule that most never need is one once its marks are gone.
        let given = roles
            .replace("  # - apiGroups", "  - apiGroups")
            .replace("  #   ", "    ");
        let applied = cluster.kubectl_with_input(
            &["apply", "--dry-run=server", "-o", "json", "-f", "-"],
            &given,
        );
        let applied = applied.unwrap().success().unwrap();
        assert!(applied.contains("\"delete\""), "{applied}");
    }
    let only_shown = printed_by(
        "pin",
        &tenant,
        &["--image", "jobs-manager", "--dry-run", name],
    );
    assert!(!only_shown.contains("patch]"), "{only_shown}");
}
