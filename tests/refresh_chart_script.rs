//! The chart's own refresh beside ours: its script is really run, before and after us, and neither undoes nor repeats what the other did.

use serde_json::Value;
use tracebloc_bed::Tenant;
use tracebloc_bed::cluster::Output;

use crate::refresh::{annotation, break_tag, plan, recorded, refresh, running, steps};
use crate::support::installed;

/// The charts whose scripts differ and keep still after failures; those before have their job suspended then.
const CHARTS: [&str; 3] = ["1.9.28", "1.9.40", "1.9.51"];

/// Runs the chart's own refresh to its end; nothing where this machine cannot.
fn script(tenant: &Tenant<'_>, release: &str) -> Option<Output> {
    let job = tenant.chart_job(&format!("{release}-image-refresh"), release);
    let mut command = job.unwrap()?;
    // So that a rollout that hangs is given up soon.
    command.env("ROLLOUT_TIMEOUT", "6s");
    Some(Output::of(&mut command).unwrap())
}

/// What tells whether somebody changed anything: generations count changes of what is wanted, annotations are the records.
fn state(tenant: &Tenant<'_>) -> Vec<Value> {
    let list = tenant.kubectl(&["get", "deployments", "-o", "json"]);
    let list: Value = serde_json::from_str(&list.unwrap().success().unwrap()).unwrap();
    let objects = list["items"].as_array().unwrap();
    objects
        .iter()
        .map(|object| {
            serde_json::json!([
                object["metadata"]["name"],
                object["metadata"]["annotations"],
                object["spec"],
            ])
        })
        .collect()
}

/// Runs something for each chart, all at once.
fn each(name: &'static str, test: fn(&str, &str)) {
    let runs: Vec<_> = CHARTS
        .into_iter()
        .map(|version| {
            let name = format!("{name}-{}", version.replace('.', "-"));
            std::thread::spawn(move || test(&name, version))
        })
        .collect();
    for run in runs {
        run.join().unwrap();
    }
}

#[test]
fn after_a_refresh_the_charts_own_script_has_nothing_to_do() {
    each("script-after", |name, version| {
        let tenant = installed(name, version);
        recorded(&tenant);
        for repository in ["tracebloc/jobs-manager", "tracebloc/pods-monitor"] {
            tenant.move_tag(repository, "prod", "two").unwrap();
        }
        plan(&refresh(&tenant, &[]), 0);
        let before = state(&tenant);
        let Some(output) = script(&tenant, name) else {
            return;
        };
        assert!(output.is_success(), "{version}: {output}");
        assert_eq!(output.stderr, "", "{version}: it has nothing to tell");
        assert_eq!(state(&tenant), before, "{version}: {output}");
    });
}

#[test]
fn what_we_brought_back_the_charts_own_script_does_not_bring_again() {
    each("script-undone", |name, version| {
        let tenant = installed(name, version);
        recorded(&tenant);
        let good = running(&tenant, "api");
        break_tag(&tenant, "tracebloc/jobs-manager");
        plan(&refresh(&tenant, &["--timeout", "6s"]), 1);
        let before = state(&tenant);
        let Some(output) = script(&tenant, name) else {
            return;
        };
        assert!(output.is_success(), "{version}: {output}");
        assert!(output.stderr.contains("stopped"), "{version}: {output}");
        assert_eq!(state(&tenant), before, "{version}: {output}");
        assert_eq!(running(&tenant, "api"), good, "{version}");
    });
}

#[test]
fn what_was_gone_back_from_the_charts_own_script_leaves() {
    each("script-back", |name, version| {
        let tenant = installed(name, version);
        recorded(&tenant);
        let good = running(&tenant, "api");
        let moved = tenant.move_tag("tracebloc/jobs-manager", "prod", "two");
        plan(&refresh(&tenant, &[]), 0);
        plan(&refresh(&tenant, &["--rollback"]), 0);
        let before = state(&tenant);
        let Some(output) = script(&tenant, name) else {
            return;
        };
        assert!(output.is_success(), "{version}: {output}");
        assert_eq!(state(&tenant), before, "{version}: {output}");
        assert_eq!(running(&tenant, "api"), good, "{version}");
        // Once it is let go, the script does its work again, on what we left it.
        let main = format!("deployment/{name}-jobs-manager");
        let marks = ["refresh-attempt", "refresh-flap-detected"];
        let marks = marks.map(|mark| format!("tracebloc.io/{mark}-"));
        let cleared = tenant.kubectl(&["annotate", &main, &marks[0], &marks[1]]);
        cleared.unwrap().success().unwrap();
        let again = script(&tenant, name).unwrap();
        assert!(again.is_success(), "{version}: {again}");
        let record = annotation(
            &tenant,
            &format!("{name}-jobs-manager"),
            "last-refreshed-jobs-manager-digest",
        );
        assert_eq!(record, Some(moved.unwrap().digest), "{version}: {again}");
    });
}

#[test]
fn after_the_charts_own_script_nothing_is_left_for_us_but_what_it_does_not_see() {
    each("script-before", |name, version| {
        let tenant = installed(name, version);
        let Some(first) = script(&tenant, name) else {
            return;
        };
        assert!(first.is_success(), "{version}: {first}");
        assert_eq!(
            steps(&plan(&refresh(&tenant, &[]), 0)),
            [],
            "{version}: first sight"
        );
        let moved = tenant.move_tag("tracebloc/jobs-manager", "prod", "two");
        let moved = moved.unwrap().digest;
        let acted = script(&tenant, name).unwrap();
        assert!(acted.is_success(), "{version}: {acted}");
        assert_eq!(running(&tenant, "api"), std::slice::from_ref(&moved));
        let rest = plan(&refresh(&tenant, &[]), 0);
        let [main, proxy] =
            ["jobs-manager", "requests-proxy"].map(|workload| format!("{name}-{workload}"));
        // Until 1.9.40 it forgets the other workload of the image.
        let expected = match version {
            "1.9.28" => vec![
                ("restart", proxy.as_str(), "done"),
                ("record", main.as_str(), "done"),
            ],
            _ => vec![],
        };
        assert_eq!(steps(&rest), expected, "{version}: {rest:#}");
        assert_eq!(running(&tenant, "proxy"), [moved], "{version}");
    });
}

#[test]
fn what_the_charts_own_script_failed_at_is_not_tried_by_us_meanwhile() {
    each("script-fails", |name, version| {
        let tenant = installed(name, version);
        recorded(&tenant);
        break_tag(&tenant, "tracebloc/jobs-manager");
        let Some(failed) = script(&tenant, name) else {
            return;
        };
        assert_eq!(failed.code, Some(1), "{version}: {failed}");
        let main = format!("{name}-jobs-manager");
        let attempt = annotation(&tenant, &main, "refresh-attempt");
        assert_eq!(attempt.as_deref(), Some("1"), "{version}");
        let refused = plan(&refresh(&tenant, &[]), 11);
        let guard = &refused["refusals"][0]["guard"];
        assert_eq!(guard, "unsettled", "{version}: {refused:#}");
    });
}
