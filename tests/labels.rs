//! Without the right to read Helm's records: releases are known by the labels of their workloads, and what only the records tell is unknown.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tracebloc_bed::Tenant;
use tracebloc_bed::cluster::Output;
use tracebloc_bed::{Bed, Install};

use crate::outdated_rights::{account, printed_by};
use crate::refresh::{annotation, decision, object, plan, recorded, running, steps};
use crate::refresh_rights::without;
use crate::support::{
    codes, command, image, image_of, install, installed, parse, record_of, run, tenant,
};

/// The rule without which Helm's records may not be read.
const RECORDS: &str = "what Helm's records alone tell";

/// An account with the printed rights of that command but for Helm's records.
fn reader(tenant: &Tenant<'_>, of: &str) -> PathBuf {
    let roles = without(&printed_by(of, tenant, &[]), RECORDS);
    assert!(!roles.contains("[secrets]"), "{roles}");
    account(tenant, &roles)
}

/// Runs the product as an account.
fn ask(tenant: &Tenant<'_>, kubeconfig: &Path, arguments: &[&str]) -> Output {
    let mut command = command(tenant, arguments);
    command
        .args(["--namespace", tenant.namespace(), "--output", "json"])
        .env("KUBECONFIG", kubeconfig);
    Output::of(&mut command).unwrap()
}

/// Asks until the API server has learned of the account's roles.
fn ask_until(
    tenant: &Tenant<'_>,
    kubeconfig: &Path,
    arguments: &[&str],
    is_wanted: impl Fn(&Value) -> bool,
) -> Value {
    for _ in 0..60 {
        let output = ask(tenant, kubeconfig, arguments);
        let report: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
        if is_wanted(&report) {
            return report;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    panic!("{}", ask(tenant, kubeconfig, arguments));
}

/// The finding that says what is unknown without the records.
fn told(report: &Value) -> Option<&Value> {
    report["findings"].as_array()?.iter().find(|finding| {
        finding["code"] == "cluster-unanswered"
            && finding["message"]
                .to_string()
                .contains("by the labels of its workloads alone")
    })
}

/// True where nothing but the records is missing.
fn is_all_else(report: &Value) -> bool {
    let unanswered = codes(report)
        .into_iter()
        .filter(|code| *code == "cluster-unanswered")
        .count();
    told(report).is_some() && unanswered == 1 && report["context"]["clusterUid"].is_string()
}

#[test]
fn what_labels_tell_is_told_and_the_rest_is_unknown() {
    let name = "labels-tell";
    let tenant = installed(name, "1.9.51");
    let kubeconfig = reader(&tenant, "outdated");
    let repository = tenant.repository().url();
    let only = ["outdated", "--repo", &repository];
    let report = ask_until(&tenant, &kubeconfig, &only, is_all_else);
    let release = &report["releases"][0];
    assert_eq!(release["name"], name);
    assert_eq!(release["revision"], Value::Null, "{release:#}");
    assert_eq!(release["status"], "unknown");
    assert_eq!(release["unknown"]["reason"], "forbidden");
    assert_eq!(release["chart"]["current"], "1.9.51");
    assert_eq!(release["chart"]["state"], "current");
    for name in ["jobs-manager", "pods-monitor", "resource-monitor"] {
        let image = image(&report, name);
        assert_eq!(image["state"], "current", "{image:#}");
        assert_eq!(image["tag"], "prod");
        assert_eq!(image["source"], "unknown");
    }
    let finding = told(&report).unwrap();
    let message = finding["message"].as_str().unwrap();
    for part in [
        "the credentials may not list secrets",
        "its values and Helm's status are unknown",
        "the right to get and list Helm's records in namespace",
    ] {
        assert!(message.contains(part), "no {part:?} in {message}");
    }
    let evidence = finding["evidence"].to_string();
    for part in ["which values", "claims", "operation failed", "repository"] {
        assert!(evidence.contains(part), "no {part:?} in {evidence}");
    }
    // Whether an operation failed or holds the release only Helm knows, and a job that ends well does not tell.
    let jobs = &release["automation"];
    assert_eq!(jobs["autoUpgrade"]["state"], "unknown", "{jobs:#}");
    assert_eq!(jobs["autoUpgrade"]["unknown"]["reason"], "forbidden");
    // What is unknown is not current: nothing is behind, and the answer is incomplete.
    assert_eq!(report["summary"]["chartsBehind"], 0, "{report:#}");
    let incomplete = ask(
        &tenant,
        &kubeconfig,
        &[&only[..], &["--exit-code"]].concat(),
    );
    assert_eq!(incomplete.code, Some(12), "{incomplete}");

    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let report = parse(&ask(&tenant, &kubeconfig, &only));
    let image = image(&report, "jobs-manager");
    assert_eq!(image["state"], "behind", "{image:#}");
    assert_eq!(image["podsBehind"], 2);
    // Nobody who may not read the record is told to upgrade by it.
    for finding in report["findings"].as_array().unwrap() {
        assert!(!finding["advice"].to_string().contains("helm upgrade"));
    }
    // What only Helm's own record does is refused as before.
    let pinned = ask(
        &tenant,
        &kubeconfig,
        &["pin", "--image", "jobs-manager", "--dry-run"],
    );
    assert_eq!(pinned.code, Some(5), "{pinned}");
    let labelled = ask(&tenant, &kubeconfig, &["outdated", "-l", "tier=gold"]);
    assert_eq!(labelled.code, Some(5), "{labelled}");
    let absent = ask(&tenant, &kubeconfig, &["outdated", "no-such-release"]);
    assert_eq!(absent.code, Some(5), "not known to be absent: {absent}");
}

#[test]
fn status_shows_what_runs_and_invents_no_revision() {
    let name = "labels-status";
    let tenant = installed(name, "1.9.28");
    let kubeconfig = reader(&tenant, "status");
    let repository = tenant.repository().url();
    let only = ["status", "--repo", &repository];
    // This version's job does not tell in which namespace the node agents run: they are looked for where the chart has them by default.
    let report = ask_until(&tenant, &kubeconfig, &only, |report| {
        told(report).is_some()
            && report["context"]["clusterUid"].is_string()
            && report["workloads"][0]["nodes"][0]["platform"].is_object()
    });
    let elsewhere = "may not list daemonsets in namespace tracebloc-node-agents";
    assert!(
        report["findings"].to_string().contains(elsewhere),
        "{report:#}"
    );
    let release = &report["release"];
    assert_eq!(release["chart"]["current"], "1.9.28");
    assert_eq!(release["chart"]["state"], "behind");
    assert_eq!(release["revision"], Value::Null);
    assert_eq!(image_of(release, "jobs-manager")["state"], "current");
    let names: Vec<&str> = report["workloads"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|workload| workload["workload"]["name"].as_str())
        .collect();
    for workload in ["jobs-manager", "requests-proxy", "image-refresh"] {
        let workload = format!("{name}-{workload}");
        assert!(names.contains(&workload.as_str()), "{names:?}");
    }
    assert_eq!(report["pins"].as_array().unwrap().len(), 0);
    assert_eq!(release.get("storage"), None, "what is kept is not known");
    let changes = report["changes"].as_array().unwrap();
    assert!(
        changes.iter().all(|change| change["change"] != "revision"),
        "{changes:#?}"
    );
    let screen = run_screen(&tenant, &kubeconfig);
    assert!(screen.contains("known by its labels alone"), "{screen}");
    assert!(!screen.contains("revision 0"), "{screen}");
}

/// `status` as people see it.
fn run_screen(tenant: &Tenant<'_>, kubeconfig: &Path) -> String {
    let mut command = command(tenant, &["status", "--namespace", tenant.namespace()]);
    let output = Output::of(command.env("KUBECONFIG", kubeconfig)).unwrap();
    assert!(output.is_success(), "{output}");
    output.stdout
}

/// `refresh` as a robot that may not read Helm's records.
fn refresh(tenant: &Tenant<'_>, kubeconfig: &Path, arguments: &[&str]) -> Output {
    let robot = [
        "refresh",
        "--yes",
        "--context",
        "reader",
        "--timeout",
        "60s",
    ];
    ask(tenant, kubeconfig, &[&robot[..], arguments].concat())
}

/// Waits until all of a plan is known.
fn until_planned(tenant: &Tenant<'_>, kubeconfig: &Path) -> Value {
    let robot = ["refresh", "--dry-run", "--context", "reader"];
    ask_until(tenant, kubeconfig, &robot, |plan| {
        plan["context"]["clusterUid"].is_string()
            && plan["images"].as_array().is_some_and(|images| {
                images.len() > 1 && images.iter().all(|image| image["decision"] != "unknown")
            })
    })
}

#[test]
fn a_refresh_records_restarts_and_goes_back() {
    let name = "labels-move";
    let tenant = tenant(name);
    let quiet = Install::client(name, "1.9.28").set("imageRefresh.schedule=0 0 1 1 *");
    install(&tenant, &quiet);
    let kubeconfig = reader(&tenant, "refresh");
    let shown = until_planned(&tenant, &kubeconfig);
    let warning = shown["warnings"].to_string();
    for part in ["may not list secrets", "Helm operation", "would tell"] {
        assert!(warning.contains(part), "no {part:?} in {warning}");
    }
    let before = running(&tenant, "api");
    let main = format!("{name}-jobs-manager");
    let first = plan(&refresh(&tenant, &kubeconfig, &[]), 0);
    assert_eq!(steps(&first), [("record", main.as_str(), "done")]);
    let key = "last-refreshed-jobs-manager-digest";
    assert_eq!(annotation(&tenant, &main, key), Some(before[0].clone()));

    let moved = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let done = plan(&refresh(&tenant, &kubeconfig, &[]), 0);
    assert_eq!(
        steps(&done),
        [
            ("restart", main.as_str(), "done"),
            ("restart", format!("{name}-requests-proxy").as_str(), "done"),
            ("record", main.as_str(), "done"),
        ],
        "{done:#}"
    );
    for container in ["api", "proxy"] {
        assert_eq!(
            running(&tenant, container),
            std::slice::from_ref(&moved.digest)
        );
    }
    assert_eq!(annotation(&tenant, &main, key), Some(moved.digest));
    let idle = plan(&refresh(&tenant, &kubeconfig, &[]), 0);
    assert_eq!(steps(&idle), []);

    // At how many failures the chart's own job gives up stands in the values: it is suspended.
    let back = plan(&refresh(&tenant, &kubeconfig, &["--rollback"]), 0);
    let job = format!("{name}-image-refresh");
    assert_eq!(steps(&back)[0], ("suspend", job.as_str(), "done"));
    assert_eq!(object(&tenant, "cronjob", &job)["spec"]["suspend"], true);
    assert_eq!(running(&tenant, "api"), before);
    // Now both references name a digest. Of the one the chart's own job says that no value pins it, and of the other nothing.
    let after = plan(&refresh(&tenant, &kubeconfig, &["--clear-flap"]), 1);
    let decisions: Vec<&Value> = after["images"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|image| image["name"] == "jobs-manager")
        .map(|image| &image["decision"])
        .collect();
    assert_eq!(decisions, ["move", "unknown"], "{after:#}");
    let proxy = object(&tenant, "deployment", &format!("{name}-requests-proxy"));
    let reference = proxy["spec"]["template"]["spec"]["containers"][0]["image"].to_string();
    assert!(reference.contains(&before[0]), "left alone: {reference}");
}

#[test]
fn where_the_chart_sets_images_its_job_tells_what_no_value_pins() {
    let name = "labels-set";
    let tenant = installed(name, "1.9.51");
    recorded(&tenant);
    let kubeconfig = reader(&tenant, "refresh");
    until_planned(&tenant, &kubeconfig);
    for generation in ["two", "three"] {
        // The second time a digest stands in the reference.
        let moved = ["tracebloc/jobs-manager", "tracebloc/resource-monitor"]
            .map(|repository| tenant.move_tag(repository, "prod", generation).unwrap());
        let done = plan(&refresh(&tenant, &kubeconfig, &[]), 0);
        let set: Vec<_> = steps(&done)
            .into_iter()
            .filter(|(action, ..)| *action == "set-image")
            .collect();
        assert_eq!(set.len(), 3, "{done:#}");
        for container in ["api", "proxy"] {
            assert_eq!(
                running(&tenant, container),
                std::slice::from_ref(&moved[0].digest)
            );
        }
    }
}

#[test]
fn what_a_value_pins_is_not_moved() {
    let name = "labels-pinned";
    let tenant = tenant(name);
    let held = tenant
        .move_tag("tracebloc/jobs-manager", "held", "one")
        .unwrap();
    let pinned =
        Install::client(name, "1.9.51").set(format!("images.jobsManager.digest={}", held.digest));
    install(&tenant, &pinned);
    recorded(&tenant);
    let kubeconfig = reader(&tenant, "refresh");
    until_planned(&tenant, &kubeconfig);
    for repository in ["tracebloc/jobs-manager", "tracebloc/pods-monitor"] {
        tenant.move_tag(repository, "prod", "two").unwrap();
    }
    let done = plan(&refresh(&tenant, &kubeconfig, &[]), 0);
    assert_eq!(decision(&done, "jobs-manager"), "pinned", "{done:#}");
    assert_eq!(decision(&done, "pods-monitor"), "move");
    for container in ["api", "proxy"] {
        assert_eq!(
            running(&tenant, container),
            std::slice::from_ref(&held.digest)
        );
    }
    // Without the job nothing tells what is pinned, and nothing with a digest is touched.
    let job = format!("cronjob/{name}-image-refresh");
    let delete = tenant.kubectl(&["delete", &job]);
    delete.unwrap().success().unwrap();
    tenant
        .move_tag("tracebloc/pods-monitor", "prod", "three")
        .unwrap();
    let left = plan(&refresh(&tenant, &kubeconfig, &[]), 1);
    for image in ["jobs-manager", "pods-monitor"] {
        assert_eq!(decision(&left, image), "unknown", "{left:#}");
    }
    assert_eq!(steps(&left), []);
    let report = parse(&run(&tenant, &["outdated", "-o", "json"]));
    assert_eq!(image(&report, "jobs-manager")["flags"][0], "pinned");
    let report = parse(&ask(&tenant, &kubeconfig, &["outdated"]));
    let unsure = image(&report, "jobs-manager");
    assert_eq!(unsure["flags"][0], "maybe-pinned", "{unsure:#}");
    assert_eq!(unsure["state"], "unknown");
    assert_eq!(unsure["unknown"]["reason"], "forbidden");
}

#[test]
fn releases_of_one_namespace_are_kept_apart_and_labels_that_disagree_tell_nothing() {
    let name = "labels-apart";
    let tenant = installed(name, "1.9.51");
    let main = format!("{name}-jobs-manager");
    // A second release's workload beside it, of another version, and one that only looks like it.
    let mut other = object(&tenant, "deployment", &main);
    for (named, owner, managed) in [
        ("other-jobs-manager", "other", "Helm"),
        ("forged-jobs-manager", name, "somebody"),
    ] {
        other["metadata"] = serde_json::json!({
            "name": named,
            "namespace": tenant.namespace(),
            "labels": {"app.kubernetes.io/managed-by": managed, "helm.sh/chart": "client-1.9.28"},
            "annotations": {
                "meta.helm.sh/release-name": owner,
                "meta.helm.sh/release-namespace": tenant.namespace(),
            },
        });
        other["spec"]["selector"]["matchLabels"]["app"] = named.into();
        other["spec"]["template"]["metadata"]["labels"]["app"] = named.into();
        other.as_object_mut().unwrap().remove("status");
        let created = tenant
            .bed()
            .cluster()
            .kubectl_with_input(&["create", "-f", "-"], &other.to_string());
        created.unwrap().success().unwrap();
    }
    tenant.wait_ready().unwrap();
    let kubeconfig = reader(&tenant, "outdated");
    let repository = tenant.repository().url();
    let only = ["outdated", "--repo", &repository];
    let report = ask_until(&tenant, &kubeconfig, &only, |report| {
        report["releases"]
            .as_array()
            .is_some_and(|all| all.len() == 2)
            && report["context"]["clusterUid"].is_string()
    });
    let seen: Vec<(&str, &str)> = report["releases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|release| {
            (
                release["name"].as_str().unwrap(),
                release["chart"]["current"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(seen, [(name, "1.9.51"), ("other", "1.9.28")]);
    let users = |release: &Value| {
        let image = image_of(release, "jobs-manager");
        let references = image["references"].as_array().unwrap().iter();
        references
            .map(|reference| reference["workload"]["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let requests_proxy = format!("{name}-requests-proxy");
    assert_eq!(
        users(&report["releases"][0]),
        [main.clone(), requests_proxy]
    );
    assert_eq!(users(&report["releases"][1]), ["other-jobs-manager"]);
    let one = parse(&ask(
        &tenant,
        &kubeconfig,
        &[&only[..], &["other"]].concat(),
    ));
    assert_eq!(one["releases"].as_array().unwrap().len(), 1);
    let several = ask(&tenant, &kubeconfig, &["status"]);
    assert_eq!(several.code, Some(2), "{several}");

    // A label that says something else, or nothing, makes the version unknown, and with it what the chart's own job heeds.
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    for label in ["helm.sh/chart=client-9.9.9", "helm.sh/chart-"] {
        let label = tenant.kubectl(&["label", "--overwrite", "deployment", &main, label]);
        label.unwrap().success().unwrap();
        let report = parse(&ask(&tenant, &kubeconfig, &[&only[..], &[name]].concat()));
        let chart = &report["releases"][0]["chart"];
        assert_eq!(chart["state"], "unknown", "{chart:#}");
        assert!(codes(&report).contains(&"chart-unknown"), "{report:#}");
        let refused = ask(
            &tenant,
            &kubeconfig,
            &["refresh", name, "--dry-run", "--context", "reader"],
        );
        let plan = plan(&refused, 11);
        assert_eq!(plan["refusals"][0]["guard"], "unreadable", "{plan:#}");
    }
}

#[test]
fn records_that_may_be_listed_tell_revision_and_status() {
    let name = "labels-listed";
    let tenant = installed(name, "1.9.51");
    let roles = printed_by("refresh", &tenant, &[]);
    let secrets = "resources: [secrets]\n    verbs: [get, list]";
    assert!(roles.contains(secrets), "{roles}");
    let less = roles.replace(secrets, "resources: [secrets]\n    verbs: [list]");
    let kubeconfig = account(&tenant, &less);
    until_planned(&tenant, &kubeconfig);
    let report = parse(&ask(
        &tenant,
        &kubeconfig,
        &["outdated", "--only", "digest"],
    ));
    let release = &report["releases"][0];
    assert_eq!(release["revision"], 1, "{release:#}");
    assert_eq!(release["status"], "deployed");
    assert_eq!(release["unknown"]["reason"], "forbidden");
    assert_eq!(image(&report, "jobs-manager")["state"], "current");
    // An operation that holds the release is seen then.
    let mut record = record_of(&tenant, name);
    record["version"] = 2.into();
    record["info"]["status"] = "pending-upgrade".into();
    crate::support::store(&tenant, &record);
    let refused = plan(&refresh(&tenant, &kubeconfig, &[]), 11);
    assert_eq!(refused["refusals"][0]["guard"], "release-pending");
}

#[test]
fn a_chart_without_a_word_on_pins_is_refreshed_by_its_tags() {
    let name = "labels-old";
    let tenant = tenant(name);
    let held = tenant
        .move_tag("tracebloc/ingestor", "0.3", "one")
        .unwrap()
        .digest;
    let quiet = Install::client(name, "1.4.4")
        .set("imageRefresh.schedule=0 0 1 1 *")
        .set(format!("images.ingestor.digest={held}"));
    install(&tenant, &quiet);
    let kubeconfig = reader(&tenant, "refresh");
    let main = format!("{name}-jobs-manager");
    let robot = ["refresh", "--dry-run", "--context", "reader"];
    let shown = ask_until(&tenant, &kubeconfig, &robot, |plan| {
        plan["images"].is_array() && decision(plan, "jobs-manager") == "record"
    });
    // The chart's own job may be told by a value to leave it.
    assert_eq!(decision(&shown, "ingestor"), "unknown", "{shown:#}");
    let warning = shown["warnings"].to_string();
    assert!(
        warning.contains("images.ingestor.autoRefresh may exempt it"),
        "{warning}"
    );
    let first = plan(&refresh(&tenant, &kubeconfig, &[]), 1);
    assert_eq!(steps(&first), [("record", main.as_str(), "done")]);
    for repository in ["tracebloc/jobs-manager", "tracebloc/ingestor"] {
        let tag = if repository.ends_with("ingestor") {
            "0.3"
        } else {
            "prod"
        };
        tenant.move_tag(repository, tag, "two").unwrap();
    }
    let done = plan(&refresh(&tenant, &kubeconfig, &[]), 1);
    assert_eq!(decision(&done, "jobs-manager"), "move", "{done:#}");
    assert_eq!(decision(&done, "ingestor"), "unknown");
    let manager = object(&tenant, "deployment", &main)["spec"]["template"].to_string();
    assert!(manager.contains(&held), "left alone: {manager}");
    // Where what is not certain is not asked for, the run is whole.
    let whole = plan(
        &refresh(
            &tenant,
            &kubeconfig,
            &["--workload", &format!("{name}-requests-proxy")],
        ),
        0,
    );
    assert_eq!(steps(&whole), [], "{whole:#}");
}

#[test]
fn with_all_namespaces_each_release_has_its_own() {
    let bed = Bed::private().unwrap();
    let tenants: Vec<Tenant<'_>> = ["wide-a", "wide-b"]
        .into_iter()
        .map(|name| {
            let tenant = bed.tenant(name).unwrap();
            tenant.publish_all("prod", "one").unwrap();
            install(&tenant, &Install::client(name, "1.9.51"));
            tenant
        })
        .collect();
    let tenant = &tenants[0];
    let roles = without(
        &printed_by("outdated", tenant, &["--all-namespaces"]),
        RECORDS,
    );
    let kubeconfig = account(tenant, &roles);
    let mut report = Value::Null;
    for _ in 0..60 {
        let arguments = ["outdated", "--all-namespaces", "--output", "json"];
        let mut command = command(tenant, &arguments);
        let output = Output::of(command.env("KUBECONFIG", &kubeconfig)).unwrap();
        report = serde_json::from_str(&output.stdout).unwrap_or_default();
        if report["context"]["clusterUid"].is_string() && report["releases"].is_array() {
            break;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    let releases = report["releases"].as_array().unwrap();
    assert_eq!(releases.len(), 2, "{report:#}");
    for (release, tenant) in releases.iter().zip(&tenants) {
        assert_eq!(release["namespace"], tenant.namespace());
        let monitor = image_of(release, "resource-monitor");
        assert_eq!(monitor["state"], "current", "{monitor:#}");
        let users = monitor["references"].as_array().unwrap();
        assert_eq!(users.len(), 1);
        assert_eq!(users[0]["workload"]["namespace"], tenant.agents_namespace());
    }
    assert_eq!(report["summary"]["releases"], 2);
}

#[test]
fn the_past_is_told_without_revisions() {
    let name = "labels-past";
    let tenant = installed(name, "1.9.51");
    recorded(&tenant);
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    recorded(&tenant);
    let kubeconfig = reader(&tenant, "history");
    let report = ask_until(&tenant, &kubeconfig, &["history"], |report| {
        told(report).is_some() && codes(report).len() == 1
    });
    let entries = report["entries"].as_array().unwrap();
    assert!(
        entries.iter().any(|entry| entry["command"] == "refresh"),
        "{report:#}"
    );
    assert!(
        entries.iter().all(|entry| entry["change"] != "revision"),
        "{report:#}"
    );
}
