//! `refresh`: running content brought to what is published, with a plan first and a way back.

use serde_json::{Value, json};
use tracebloc_bed::cluster::Output;
use tracebloc_bed::image::Image;
use tracebloc_bed::proxy::{Fault, Proxy, Rule};
use tracebloc_bed::{Helm, Install, Tenant};
use tracebloc_core::plan::Plan;

use crate::docs::{faults, validator};
use crate::support::{install, installed, run, tenant};

/// Runs `refresh` as a robot does, with the plan as JSON. On fake nodes what is ready stays so, unless the test is about that.
pub(crate) fn refresh(tenant: &Tenant<'_>, arguments: &[&str]) -> Output {
    let mut whole = vec!["refresh", "--yes", "--context", "bed", "--output", "json"];
    if !arguments.contains(&"--timeout") {
        whole.extend(["--timeout", "60s"]);
    }
    if !arguments.contains(&"--min-ready") {
        whole.extend(["--min-ready", "0"]);
    }
    whole.extend(arguments);
    run(tenant, &whole)
}

/// The plan of a run that ended with that exit code.
pub(crate) fn plan(output: &Output, code: i32) -> Value {
    assert_eq!(output.code, Some(code), "{output}");
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"))
}

/// The actions of a plan's steps, each with the name of its object.
pub(crate) fn steps(plan: &Value) -> Vec<(&str, &str, &str)> {
    plan["steps"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|step| {
            (
                step["action"].as_str().unwrap(),
                step["object"]["name"].as_str().unwrap(),
                step["state"].as_str().unwrap(),
            )
        })
        .collect()
}

/// What is decided about an image of a plan.
pub(crate) fn decision<'plan>(plan: &'plan Value, image: &str) -> &'plan str {
    plan["images"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|one| one["name"] == image)
        .and_then(|one| one["decision"].as_str())
        .unwrap_or_else(|| panic!("no image {image} in {plan:#}"))
}

pub(crate) fn object(tenant: &Tenant<'_>, kind: &str, name: &str) -> Value {
    let output = tenant.kubectl(&["get", kind, name, "-o", "json", "--show-managed-fields"]);
    serde_json::from_str(&output.unwrap().success().unwrap()).unwrap()
}

pub(crate) fn annotation(tenant: &Tenant<'_>, deployment: &str, key: &str) -> Option<String> {
    object(tenant, "deployment", deployment)["metadata"]["annotations"]
        .get(format!("tracebloc.io/{key}"))
        .and_then(|value| value.as_str().map(str::to_owned))
}

/// The digests that the running pods of an app report for a container.
pub(crate) fn running(tenant: &Tenant<'_>, container: &str) -> Vec<String> {
    let mut digests: Vec<String> = tenant
        .pods()
        .unwrap()
        .iter()
        .filter(|pod| pod["metadata"].get("deletionTimestamp").is_none())
        .flat_map(|pod| {
            pod["status"]["containerStatuses"]
                .as_array()
                .cloned()
                .unwrap_or_default()
        })
        .filter(|status| status["name"] == container)
        .map(|status| {
            let id = status["imageID"].as_str().unwrap();
            id.split_once('@').unwrap().1.to_owned()
        })
        .collect();
    digests.dedup();
    digests
}

/// Every record of the images at what is published, as after the first tick of the chart's own job.
pub(crate) fn recorded(tenant: &Tenant<'_>) {
    plan(&refresh(tenant, &[]), 0);
}

#[test]
fn the_first_run_records_what_runs_and_touches_no_pod() {
    let tenant = installed("refresh-first", "1.9.28");
    let moved = tenant
        .move_tag("tracebloc/pods-monitor", "prod", "two")
        .unwrap();
    let old = running(&tenant, "pods-monitor-container");
    let plan = plan(&refresh(&tenant, &[]), 0);
    assert_eq!(
        steps(&plan),
        [("record", "refresh-first-jobs-manager", "done")],
        "{plan:#}"
    );
    assert_eq!(decision(&plan, "jobs-manager"), "record");
    let name = "refresh-first-jobs-manager";
    let recorded =
        |image: &str| annotation(&tenant, name, &format!("last-refreshed-{image}-digest"));
    assert_eq!(
        recorded("jobs-manager").as_deref(),
        Some(running(&tenant, "api")[0].as_str())
    );
    assert_eq!(
        recorded("pods-monitor").as_deref(),
        Some(old[0].as_str()),
        "what runs, not what is published: a record does not lie"
    );
    assert_eq!(running(&tenant, "pods-monitor-container"), old);
    // Now it is known, and the next run acts.
    let plan = self::plan(&refresh(&tenant, &[]), 0);
    assert_eq!(
        steps(&plan),
        [
            ("restart", "refresh-first-jobs-manager", "done"),
            ("record", "refresh-first-jobs-manager", "done"),
        ],
        "{plan:#}"
    );
    assert_eq!(
        running(&tenant, "pods-monitor-container"),
        std::slice::from_ref(&moved.digest)
    );
    assert_eq!(recorded("pods-monitor"), Some(moved.digest));
    let plan = self::plan(&refresh(&tenant, &[]), 0);
    assert_eq!(steps(&plan), [], "{plan:#}");
}

#[test]
fn a_moved_tag_is_brought_to_every_workload_that_shares_it() {
    let tenant = installed("refresh-shared", "1.9.28");
    recorded(&tenant);
    let moved = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let shown = plan(&refresh(&tenant, &["--dry-run"]), 0);
    assert_eq!(
        steps(&shown),
        [
            ("restart", "refresh-shared-jobs-manager", "pending"),
            ("restart", "refresh-shared-requests-proxy", "pending"),
            ("record", "refresh-shared-jobs-manager", "pending"),
        ],
        "{shown:#}"
    );
    let validator = validator(&schemars::schema_for!(Plan));
    assert_eq!(faults(&validator, &shown), "");
    let mut wrong = shown.clone();
    wrong["steps"][0]["object"] = json!("a Deployment");
    assert!(!validator.is_valid(&wrong));
    assert!(
        running(&tenant, "api") != std::slice::from_ref(&moved.digest),
        "nothing was done"
    );
    let done = plan(&refresh(&tenant, &[]), 0);
    for (shown, done) in shown["steps"]
        .as_array()
        .unwrap()
        .iter()
        .zip(done["steps"].as_array().unwrap())
    {
        let (mut shown, mut done) = (shown.clone(), done.clone());
        shown["state"] = Value::Null;
        done["state"] = Value::Null;
        assert_eq!(shown, done, "what was shown is what was done");
    }
    for container in ["api", "proxy"] {
        assert_eq!(
            running(&tenant, container),
            std::slice::from_ref(&moved.digest)
        );
    }
    let name = "refresh-shared-jobs-manager";
    let change: Value =
        serde_json::from_str(&annotation(&tenant, name, "change").unwrap()).unwrap();
    assert_eq!(change["state"], "done", "{change:#}");
    assert_eq!(change["command"], "refresh");
    let history = object(&tenant, "configmap", "tracebloc-history-refresh-shared");
    assert_eq!(history["data"].as_object().unwrap().len(), 2, "{history:#}");
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
    assert_eq!(events.success().unwrap().lines().count(), 2);
}

#[test]
fn what_a_restart_pulls_along_is_part_of_the_plan_and_recorded_as_it_runs() {
    let tenant = installed("refresh-along", "1.9.28");
    recorded(&tenant);
    let name = "refresh-along-jobs-manager";
    let key = "tracebloc.io/last-refreshed-pods-monitor-digest-";
    let unrecord = tenant.kubectl(&["annotate", "deployment", name, key]);
    unrecord.unwrap().success().unwrap();
    let moved = ["tracebloc/jobs-manager", "tracebloc/pods-monitor"]
        .map(|repository| tenant.move_tag(repository, "prod", "two").unwrap().digest);
    // The other image is in the same pods: for it alone nothing would be done, since it is seen for the first time and was not asked for.
    let done = plan(&refresh(&tenant, &["--image", "jobs-manager"]), 0);
    assert_eq!(decision(&done, "pods-monitor"), "move", "{done:#}");
    for (container, digest) in [("api", &moved[0]), ("pods-monitor-container", &moved[1])] {
        assert_eq!(running(&tenant, container), std::slice::from_ref(digest));
    }
    let record = annotation(&tenant, name, "last-refreshed-pods-monitor-digest");
    assert_eq!(record.as_ref(), Some(&moved[1]));
}

/// Moves the tag to content that never becomes ready.
pub(crate) fn break_tag(tenant: &Tenant<'_>, repository: &str) -> String {
    let bad = Image::new("bad").steering("ready", "false");
    tenant.publish(repository, "prod", &bad).unwrap().digest
}

#[test]
fn what_never_becomes_ready_is_brought_back_to_the_former_content() {
    let tenant = installed("refresh-undo", "1.9.28");
    recorded(&tenant);
    let good = running(&tenant, "api");
    break_tag(&tenant, "tracebloc/jobs-manager");
    let output = refresh(&tenant, &["--timeout", "5s"]);
    let plan = plan(&output, 1);
    assert_eq!(
        steps(&plan),
        [
            ("restart", "refresh-undo-jobs-manager", "failed"),
            ("restart", "refresh-undo-requests-proxy", "skipped"),
            ("record", "refresh-undo-jobs-manager", "skipped"),
        ],
        "{output}"
    );
    assert!(output.stderr.contains("it was undone"), "{output}");
    assert_eq!(running(&tenant, "api"), good);
    let name = "refresh-undo-jobs-manager";
    let of = |key: &str| annotation(&tenant, name, key);
    assert_eq!(
        of("last-refreshed-jobs-manager-digest").as_deref(),
        Some(good[0].as_str())
    );
    assert_eq!(
        of("refresh-attempt").as_deref(),
        Some("3"),
        "the chart's own job gives up too"
    );
    assert_eq!(of("refresh-flap-detected").as_deref(), Some("true"));
    let live = object(&tenant, "deployment", name);
    let managers: Vec<&Value> = live["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["manager"] == "kubectl-tracebloc")
        .filter(|entry| entry["fieldsV1"]["f:spec"].is_object())
        .collect();
    assert_eq!(
        managers,
        Vec::<&Value>::new(),
        "the image is nobody's but Helm's"
    );
    // The guard holds until something else is published, or somebody says otherwise.
    let refused = self::plan(&refresh(&tenant, &[]), 11);
    assert_eq!(refused["refusals"][0]["guard"], "flapping", "{refused:#}");
    let fixed = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "fixed")
        .unwrap();
    let plan = self::plan(&refresh(&tenant, &[]), 0);
    assert_eq!(running(&tenant, "api"), [fixed.digest], "{plan:#}");
    assert_eq!(annotation(&tenant, name, "refresh-attempt"), None);
    let image =
        &object(&tenant, "deployment", name)["spec"]["template"]["spec"]["containers"][0]["image"];
    assert!(
        image.as_str().unwrap().ends_with(":prod"),
        "back to what the chart renders: {image}"
    );
}

#[test]
fn both_helms_upgrade_and_roll_back_after_a_refresh() {
    for (helm, name) in [
        (Helm::Three, "refresh-helm-three"),
        (Helm::Four, "refresh-helm-four"),
    ] {
        let tenant = tenant(name);
        let chart = Install::client(name, "1.9.40").by(helm);
        install(&tenant, &chart);
        recorded(&tenant);
        let moved = tenant
            .move_tag("tracebloc/jobs-manager", "prod", "two")
            .unwrap();
        let plan = plan(&refresh(&tenant, &[]), 0);
        assert_eq!(
            steps(&plan)[0],
            ("set-image", format!("{name}-jobs-manager").as_str(), "done"),
            "{helm:?}: this chart does not pull at a restart"
        );
        assert_eq!(running(&tenant, "api"), [moved.digest]);
        let upgraded = tenant
            .upgrade(&chart.clone().set("env.LOG_LEVEL=debug"))
            .unwrap();
        assert!(upgraded.is_success(), "{helm:?}: {upgraded}");
        tenant.wait_ready().unwrap();
        let plan = self::plan(&refresh(&tenant, &[]), 0);
        assert!(plan["refusals"] == json!([]), "{plan:#}");
        let back = tenant.bed().cluster().helm(
            helm,
            &["rollback", name, "1", "--namespace", tenant.namespace()].map(str::to_owned),
        );
        assert!(back.as_ref().unwrap().is_success(), "{helm:?}: {back:?}");
    }
}

#[test]
fn a_mirror_is_asked_itself_and_its_images_are_restarted() {
    let tenant = tenant("refresh-mirror");
    let proxy = Proxy::before(&format!("http://{}", tenant.bed().registry().host())).unwrap();
    let mirror = format!(
        "global.imageRegistry={}/{}",
        proxy.host(),
        tenant.namespace()
    );
    install(
        &tenant,
        &Install::client("refresh-mirror", "1.9.40").set(mirror),
    );
    recorded(&tenant);
    let moved = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    // What the mirror does not have is not known, and not touched.
    proxy.break_with(Rule::new("/tracebloc/jobs-manager/", Fault::status(404)));
    let lacking = refresh(&tenant, &[]);
    let told = plan(&lacking, 1);
    assert_eq!(decision(&told, "jobs-manager"), "unknown", "{told:#}");
    assert_eq!(steps(&told), []);
    proxy.heal();
    proxy.log().clear();
    let done = plan(&refresh(&tenant, &[]), 0);
    assert_eq!(
        steps(&done)[0],
        ("restart", "refresh-mirror-jobs-manager", "done"),
        "{done:#}"
    );
    assert_eq!(running(&tenant, "api"), std::slice::from_ref(&moved.digest));
    let heads = proxy.log().matching(&http::Method::HEAD, "/manifests/");
    let own: Vec<_> = heads
        .iter()
        .filter(|request| request.path.contains("jobs-manager"))
        .collect();
    assert!(!own.is_empty(), "the mirror itself is asked");
}

#[test]
fn a_run_with_nothing_to_do_writes_nothing() {
    let tenant = installed("refresh-idle", "1.9.40");
    recorded(&tenant);
    let proxy = Proxy::before_api_server(tenant.bed().cluster()).unwrap();
    let kubeconfig = crate::outdated_faults::through(&tenant, &proxy);
    let mut idle = crate::support::command(
        &tenant,
        &[
            "refresh",
            "--yes",
            "--context",
            "bed",
            "-n",
            tenant.namespace(),
        ],
    );
    let output = Output::of(idle.env("KUBECONFIG", kubeconfig)).unwrap();
    assert!(output.is_success(), "{output}");
    assert!(output.stdout.contains("Nothing to do."), "{output}");
    let asked = proxy.log().all();
    assert!(
        asked.iter().all(|request| request.method == "GET"),
        "{asked:#?}"
    );
}
