//! `refresh --tag`: an image that is tagged by version is moved to another tag.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tracebloc_bed::chart::Chart;
use tracebloc_bed::cluster::Output;
use tracebloc_bed::image::Image;
use tracebloc_bed::{Helm, Install, Tenant};

use crate::pin::{images, upgrade_kept, value};
use crate::refresh::{decision, object, plan, refresh, running, steps};
use crate::support::{install, paste, run, tenant};

/// What nothing may repeat: a value of the release.
const SECRET: &str = "hunter2-of-the-tag";

const SQUID: &str = "ubuntu/squid";

const PRESENT: &str = "6.6-24.04_beta";

const NEWER: &str = "6.9-24.04_beta";

fn to(tenant: &Tenant<'_>, image: &str, tag: &str, more: &[&str]) -> Output {
    let mut whole = vec!["--image", image, "--tag", tag];
    whole.extend(more);
    let output = refresh(tenant, &whole);
    assert!(!format!("{output}").contains(SECRET), "{output}");
    output
}

/// The guards of a run that was refused.
fn refused(output: &Output) -> Vec<String> {
    let plan = plan(output, 11);
    assert_eq!(steps(&plan), [], "{plan:#}");
    let refusals = plan["refusals"].as_array().unwrap();
    let guard = |refusal: &Value| refusal["guard"].as_str().unwrap().to_owned();
    refusals.iter().map(guard).collect()
}

fn proxy_image(tenant: &Tenant<'_>, release: &str) -> String {
    images(tenant, &format!("{release}-egress-proxy"))[0].clone()
}

#[test]
fn the_value_that_names_a_tag_is_changed_and_nothing_else_with_both_helms() {
    for (helm, name) in [(Helm::Three, "tag-three"), (Helm::Four, "tag-four")] {
        let tenant = tenant(name);
        let chart = Install::client(name, "1.9.28")
            .by(helm)
            .set(format!("clientPassword={SECRET}"));
        install(&tenant, &chart);
        let squid = tenant
            .publish(SQUID, NEWER, &Image::new("squid 6.9"))
            .unwrap();
        let shown = to(&tenant, "egress-proxy", NEWER, &["--dry-run"]);
        assert_eq!(steps(&plan(&shown, 0)), [("set-value", name, "pending")]);
        assert!(proxy_image(&tenant, name).ends_with(PRESENT));
        let moved = plan(&to(&tenant, "egress-proxy", NEWER, &[]), 0);
        assert_eq!(steps(&moved), [("set-value", name, "done")], "{moved:#}");
        assert_eq!(decision(&moved, "egress-proxy"), "move");
        assert!(proxy_image(&tenant, name).ends_with(NEWER));
        assert_eq!(running(&tenant, "squid"), [squid.digest]);
        assert_eq!(value(&tenant, name, "/egressProxy/image/tag"), NEWER);
        assert_eq!(value(&tenant, name, "/clientPassword"), SECRET);
        let again = plan(&to(&tenant, "egress-proxy", NEWER, &[]), 0);
        assert_eq!(
            (steps(&again), decision(&again, "egress-proxy")),
            (vec![], "current")
        );
        // Somebody else's upgrade keeps it, and ours goes back only where that is said.
        upgrade_kept(&tenant, name, "1.9.28", helm);
        assert!(proxy_image(&tenant, name).ends_with(NEWER));
        let back = to(&tenant, "egress-proxy", PRESENT, &[]);
        assert_eq!(refused(&back), ["downgrade"]);
        let back = plan(
            &to(&tenant, "egress-proxy", PRESENT, &["--allow-downgrade"]),
            0,
        );
        assert_eq!(steps(&back), [("set-value", name, "done")], "{back:#}");
        assert!(proxy_image(&tenant, name).ends_with(PRESENT));
        let entries =
            object(&tenant, "configmap", &format!("tracebloc-history-{name}"))["data"].to_string();
        assert_eq!(
            entries.matches(r#"\"command\":\"refresh\""#).count(),
            2,
            "{entries}"
        );
    }
}

#[test]
fn what_no_tag_would_move_is_refused_and_nothing_is_begun() {
    let tenant = tenant("tag-refused");
    tenant.publish_all("prod", "one").unwrap();
    let present = tenant
        .publish("busybox", "1.35", &Image::new("busybox 1.35"))
        .unwrap();
    let chart = Install::client("tag-refused", "1.9.28")
        .set(format!("images.busybox.digest={}", present.digest));
    install(&tenant, &chart);
    tenant
        .publish("busybox", "1.36", &Image::new("busybox 1.36"))
        .unwrap();
    let busybox = to(&tenant, "busybox", "1.36", &[]);
    assert_eq!(refused(&busybox), ["tag-not-in-force"]);
    let refusal = plan(&busybox, 11)["refusals"][0].clone();
    paste(&tenant, refusal["advice"][0].as_str().unwrap(), Helm::Four)
        .success()
        .unwrap();
    plan(&to(&tenant, "busybox", "1.36", &["--dry-run"]), 0);
    let unheard = to(&tenant, "egress-proxy", "6.7-24.04_beta", &[]);
    assert_eq!(refused(&unheard), ["tag-unavailable"]);
    let refusal = plan(&unheard, 11)["refusals"][0].clone();
    paste(&tenant, refusal["advice"][0].as_str().unwrap(), Helm::Four)
        .success()
        .unwrap();
    assert_eq!(decision(&plan(&unheard, 11), "egress-proxy"), "refused");
    tenant
        .publish("tracebloc/jobs-manager", "2.0.0", &Image::new("two"))
        .unwrap();
    let channel = to(&tenant, "jobs-manager", "2.0.0", &["--allow-downgrade"]);
    assert_eq!(refused(&channel), ["refresh-active"]);
    let name = tenant.namespace();
    for wrong in [
        &["--tag", "1.36"][..],
        &["--image", "busybox", "--tag", "a b"],
        &["--allow-downgrade"],
    ] {
        let mut whole = vec!["refresh", name];
        whole.extend(wrong);
        assert_eq!(run(&tenant, &whole).code, Some(2), "{wrong:?}");
    }
    let revisions = value(&tenant, "tag-refused", "");
    assert_eq!(revisions["egressProxy"], Value::Null, "{revisions}");
    // What is told as the way out of the chart's own refresh is one.
    for line in plan(&channel, 11)["refusals"][0]["advice"]
        .as_array()
        .unwrap()
    {
        paste(&tenant, line.as_str().unwrap(), Helm::Four)
            .success()
            .unwrap();
    }
    tenant.wait_ready().unwrap();
    let free = ["--allow-downgrade", "--dry-run"];
    let moved = plan(&to(&tenant, "jobs-manager", "2.0.0", &free), 0);
    assert_eq!(decision(&moved, "jobs-manager"), "move", "{moved:#}");
}

#[test]
fn what_does_not_come_up_under_its_tag_is_taken_back_by_helm() {
    let tenant = tenant("tag-fails");
    install(&tenant, &Install::client("tag-fails", "1.9.28"));
    let before = running(&tenant, "squid");
    let bad = Image::new("bad").steering("ready", "false");
    tenant.publish(SQUID, NEWER, &bad).unwrap();
    let output = to(&tenant, "egress-proxy", NEWER, &["--timeout", "8s"]);
    assert_eq!(
        steps(&plan(&output, 1)),
        [("set-value", "tag-fails", "failed")]
    );
    assert!(proxy_image(&tenant, "tag-fails").ends_with(PRESENT));
    tenant.wait_ready().unwrap();
    assert_eq!(running(&tenant, "squid"), before);
    assert_eq!(value(&tenant, "tag-fails", "/egressProxy"), Value::Null);
}

#[test]
fn an_image_in_an_environment_is_moved_by_its_value_unless_the_chart_holds_it() {
    let tenant = tenant("tag-carried");
    let held = format!("sha256:{}", "1".repeat(64));
    let chart = Install::client("tag-carried", "1.9.28");
    install(&tenant, &chart);
    let environment = || {
        let main = object(&tenant, "deployment", "tag-carried-jobs-manager");
        main["spec"]["template"]["spec"]["containers"][0]["env"]
            .as_array()
            .unwrap()
            .iter()
            .find(|variable| variable["name"] == "INGESTOR_IMAGE_TAG")
            .and_then(|variable| variable["value"].as_str().map(str::to_owned))
    };
    assert_eq!(environment().as_deref(), Some("0.7"));
    let moved = plan(&to(&tenant, "ingestor", "0.8", &[]), 0);
    assert_eq!(
        steps(&moved),
        [("set-value", "tag-carried", "done")],
        "{moved:#}"
    );
    assert_eq!(environment().as_deref(), Some("0.8"));
    let chart = chart.set(format!("images.ingestor.prodDigest={held}"));
    tenant.upgrade(&chart).unwrap().success().unwrap();
    tenant.wait_ready().unwrap();
    let refusal = to(&tenant, "ingestor", "0.9", &[]);
    assert_eq!(refused(&refusal), ["tag-not-in-force"]);
}

/// A chart that is nobody's profile, whose tag no value names.
fn foreign_chart(registry: &str) -> Chart {
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": format!("{registry}/web:1.0.0"), "imagePullPolicy": "IfNotPresent"}]},
            },
        },
    });
    let files = [
        (
            "Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 1.0.0\n".to_owned(),
        ),
        ("templates/web.yaml", deployment.to_string()),
    ];
    let files: BTreeMap<String, Vec<u8>> = files
        .into_iter()
        .map(|(path, text)| (path.to_owned(), text.into_bytes()))
        .collect();
    Chart::from_files(files).unwrap()
}

#[test]
fn without_a_value_the_workload_is_changed_handed_back_and_undone_where_it_fails() {
    let tenant = tenant("tag-live");
    let first = tenant
        .publish("web", "1.0.0", &Image::new("web one"))
        .unwrap();
    let second = tenant
        .publish("web", "1.1.0", &Image::new("web two"))
        .unwrap();
    let bad = Image::new("web bad").steering("ready", "false");
    tenant.publish("web", "1.2.0", &bad).unwrap();
    tenant
        .repository()
        .publish(foreign_chart(&tenant.registry_path()));
    let chart = Install {
        chart: "web",
        ..Install::client("tag-live", "1.0.0")
    };
    install(&tenant, &chart);
    assert_eq!(running(&tenant, "web"), [first.digest.as_str()]);
    let moved = plan(&to(&tenant, "web", "1.1.0", &["tag-live"]), 0);
    assert_eq!(steps(&moved), [("set-image", "web", "done")], "{moved:#}");
    assert_eq!(moved["warnings"].as_array().unwrap().len(), 1, "{moved:#}");
    assert_eq!(running(&tenant, "web"), [second.digest.as_str()]);
    let failed = to(&tenant, "web", "1.2.0", &["tag-live", "--timeout", "5s"]);
    assert_eq!(
        steps(&plan(&failed, 1)),
        [("set-image", "web", "failed")],
        "{failed}"
    );
    assert_eq!(
        running(&tenant, "web"),
        [second.digest.as_str()],
        "{failed}"
    );
    // Nothing of it stands in the way of Helm, which sets what the chart says.
    tenant.upgrade(&chart).unwrap().success().unwrap();
    tenant.wait_ready().unwrap();
    assert!(images(&tenant, "web")[0].ends_with("web:1.0.0"));
    assert_eq!(running(&tenant, "web"), [first.digest.as_str()]);
}

#[test]
fn the_advice_for_an_old_tag_moves_it() {
    let tenant = tenant("tag-advice");
    install(
        &tenant,
        &Install::client("tag-advice", "1.9.28").set(format!("egressProxy.image.tag={PRESENT}")),
    );
    tenant
        .publish(SQUID, NEWER, &Image::new("squid 6.9"))
        .unwrap();
    let report = crate::support::outdated(&tenant, &[]);
    let finding = crate::support::finding(&report, "image-behind");
    let line = finding["advice"][0].as_str().unwrap();
    assert!(
        line.contains(&format!("--image egress-proxy --tag {NEWER}")),
        "{line}"
    );
    paste(&tenant, line, Helm::Four).success().unwrap();
    assert!(proxy_image(&tenant, "tag-advice").ends_with(NEWER));
}
