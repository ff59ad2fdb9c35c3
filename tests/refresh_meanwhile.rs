//! What happens while a refresh waits: others change the same workload, and the API server does not answer. A wait is long, and what was true before it
//! need not be true after it.

use std::time::Duration;

use serde_json::json;
use tracebloc_bed::chart::Chart;
use tracebloc_bed::image::Image;
use tracebloc_bed::kubeconfig::{Kubeconfig, User};
use tracebloc_bed::proxy::{Fault, Proxy, Rule};
use tracebloc_bed::{Helm, Tenant};

use crate::outdated_connection::{exec, plugin, token};
use crate::outdated_faults::through;
use crate::pin::{hold, images};
use crate::pin_faults::allow_no_pods;
use crate::refresh::{annotation, break_tag, plan, recorded, running, steps};
use crate::refresh_runs::{ended, spawn, spawn_as, wait_for_change};
use crate::support::{installed, paste};
use crate::watch::credential;

fn kubectl(tenant: &Tenant<'_>, arguments: &[&str]) {
    tenant.kubectl(arguments).unwrap().success().unwrap();
}

#[test]
fn what_somebody_else_rolls_out_meanwhile_is_not_brought_back() {
    let tenant = installed("meanwhile-other", "1.9.28");
    recorded(&tenant);
    break_tag(&tenant, "tracebloc/jobs-manager");
    let name = "meanwhile-other-jobs-manager";
    let main = format!("deployment/{name}");
    let child = spawn(&tenant, &["--timeout", "8s"]);
    wait_for_change(&tenant, name, "acting");
    kubectl(
        &tenant,
        &["set", "env", &main, "--containers=api", "EXTRA=1"],
    );
    let (code, told) = ended(child);
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("somebody else changed its pods meanwhile"),
        "{told}"
    );
    assert!(images(&tenant, name)[0].ends_with(":prod"), "{told}");
    assert_eq!(annotation(&tenant, name, "refresh-attempt"), None, "{told}");
    let change = annotation(&tenant, name, "change").unwrap();
    assert!(change.contains("\"state\":\"failed\""), "{change}");
}

#[test]
fn a_change_that_another_run_took_over_is_left_to_it() {
    let tenant = installed("meanwhile-taken", "1.9.28");
    recorded(&tenant);
    break_tag(&tenant, "tracebloc/jobs-manager");
    let name = "meanwhile-taken-jobs-manager";
    let child = spawn(&tenant, &["--timeout", "8s"]);
    wait_for_change(&tenant, name, "acting");
    let change = annotation(&tenant, name, "change").unwrap();
    let mut other: serde_json::Value = serde_json::from_str(&change).unwrap();
    other["id"] = json!("somebody-else");
    let text = format!("tracebloc.io/change={other}");
    kubectl(
        &tenant,
        &["annotate", "deployment", name, "--overwrite", &text],
    );
    let (code, told) = ended(child);
    assert_eq!(code, Some(11), "{told}");
    assert!(told.contains("another run ended the change"), "{told}");
    let left = annotation(&tenant, name, "change").unwrap();
    assert!(left.contains("somebody-else"), "{left}");
    assert!(images(&tenant, name)[0].ends_with(":prod"), "{told}");
}

#[test]
fn a_rollout_whose_end_nobody_could_see_has_not_failed() {
    let tenant = installed("meanwhile-unseen", "1.9.28");
    recorded(&tenant);
    let slow = Image::new("slow").steering("ready-delay", "3s");
    let wanted = tenant
        .publish("tracebloc/jobs-manager", "prod", &slow)
        .unwrap()
        .digest;
    let proxy = Proxy::before_api_server(tenant.bed().cluster()).unwrap();
    let kubeconfig = through(&tenant, &proxy);
    let child = spawn_as(&tenant, Some(&kubeconfig), &["--timeout", "5s"]);
    let name = "meanwhile-unseen-jobs-manager";
    wait_for_change(&tenant, name, "acting");
    proxy.break_with(Rule::new("/deployments/", Fault::status(500)));
    std::thread::sleep(Duration::from_secs(9));
    proxy.heal();
    let (code, told) = ended(child);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(running(&tenant, "api"), [wanted]);
    assert_eq!(annotation(&tenant, name, "refresh-attempt"), None);
}

#[test]
fn credentials_that_end_meanwhile_are_got_anew() {
    let tenant = installed("meanwhile-login", "1.9.28");
    recorded(&tenant);
    let slow = Image::new("slow").steering("ready-delay", "3s");
    let wanted = tenant
        .publish("tracebloc/jobs-manager", "prod", &slow)
        .unwrap()
        .digest;
    let cluster = tenant.bed().cluster();
    let proxy = Proxy::before_api_server(cluster).unwrap();
    let (path, starts) = plugin(&tenant, "plugin", &credential(&token(&tenant, "login")));
    let mut kubeconfig = Kubeconfig::new("bed", &proxy.url(), "", User::Nobody);
    kubeconfig.authority = None;
    let text = kubeconfig
        .render()
        .replace("user: {}", &format!("user: {}", exec(&path)));
    let kubeconfig = cluster
        .write(&format!("meanwhile/{}", tenant.namespace()), text)
        .unwrap();
    let child = spawn_as(&tenant, Some(&kubeconfig), &[]);
    wait_for_change(&tenant, "meanwhile-login-jobs-manager", "acting");
    let asked = || std::fs::read_to_string(&starts).unwrap().lines().count();
    assert_eq!(asked(), 1);
    proxy.break_with(Rule::new("/deployments/", Fault::status(401)).times(1));
    let (code, told) = ended(child);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(asked(), 2, "{told}");
    assert_eq!(running(&tenant, "api"), [wanted]);
}

#[test]
fn a_record_that_somebody_else_wrote_meanwhile_is_not_written_over() {
    let tenant = installed("meanwhile-record", "1.9.28");
    recorded(&tenant);
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let name = "meanwhile-record-jobs-manager";
    let child = spawn(&tenant, &["--soak", "5s"]);
    wait_for_change(&tenant, name, "done");
    let theirs = format!("sha256:{}", "7".repeat(64));
    let record = format!("tracebloc.io/last-refreshed-jobs-manager-digest={theirs}");
    kubectl(
        &tenant,
        &["annotate", "deployment", name, "--overwrite", &record],
    );
    let (code, told) = ended(child);
    assert_eq!(code, Some(1), "two rollouts were done: {told}");
    assert!(told.contains("was written by somebody else"), "{told}");
    assert!(told.contains("2 of 3 steps were done"), "{told}");
    let left = annotation(&tenant, name, "last-refreshed-jobs-manager-digest");
    assert_eq!(left, Some(theirs));
}

#[test]
fn what_was_brought_forward_before_a_failure_is_told_with_the_way_back() {
    let tenant = installed("meanwhile-ahead", "1.9.28");
    recorded(&tenant);
    let good = running(&tenant, "api");
    let moved = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap()
        .digest;
    let child = spawn(&tenant, &["--soak", "4s", "--timeout", "5s"]);
    wait_for_change(&tenant, "meanwhile-ahead-jobs-manager", "done");
    allow_no_pods(&tenant);
    let (code, told) = ended(child);
    assert_eq!(code, Some(1), "{told}");
    assert_eq!(running(&tenant, "api"), [moved]);
    assert_eq!(running(&tenant, "proxy"), good, "it stays or comes back");
    kubectl(&tenant, &["delete", "resourcequota", "none"]);
    tenant.wait_ready().unwrap();
    let mut lines = told.split('`');
    let line = lines.find(|part| part.ends_with(" --context bed"));
    let line = line.unwrap_or_else(|| panic!("no way back: {told}"));
    paste(&tenant, line, Helm::Four).success().unwrap();
    assert_eq!(running(&tenant, "api"), good);
}

#[test]
fn a_chart_that_does_not_take_a_value_is_told_with_the_way_back() {
    let tenant = installed("meanwhile-value", "1.9.28");
    let sample = Chart::sample("client-1.9.28", &tenant.registry_path()).unwrap();
    let helpers = sample.file("templates/_helpers.tpl");
    let deaf = helpers.replace(".Values.images.jobsManager.digest", "\"\"");
    assert_ne!(helpers, deaf);
    let deaf = sample.with_file("templates/_helpers.tpl", deaf).unwrap();
    tenant.repository().publish(deaf);
    let output = hold(&tenant, "pin", "jobs-manager", &[]);
    let failed = plan(&output, 1);
    assert_eq!(steps(&failed), [("set-value", "meanwhile-value", "failed")]);
    assert!(
        output.stderr.contains("does not take the value"),
        "{output}"
    );
    let line = output
        .stderr
        .split('`')
        .find(|part| part.starts_with("helm rollback "))
        .unwrap_or_else(|| panic!("no way back: {output}"));
    paste(&tenant, line, Helm::Four).success().unwrap();
}
