//! Fifty distinct images in a registry that is 30 ms away and wants tokens, beside curl that asks the same.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tracebloc_bed::Tenant;
use tracebloc_bed::image::Image;
use tracebloc_bed::proxy::{Proxy, TokenGate};
use tracebloc_bed::request_log::{LoggedRequest, RequestLog};

use crate::ground::{Ground, RELEASE};
use crate::pipe::Pipe;
use crate::records;
use crate::run::{measure, median};
use crate::show::{Goal, count, goal, heading, milliseconds, note, ratio};

/// How many images there are, and how many in each workload.
const IMAGES: usize = 50;
const IN_EACH: usize = 10;

/// How long each direction to the registry takes.
const DELAY: Duration = Duration::from_millis(15);

/// How many requests curl has under way.
const IN_FLIGHT: &str = "16";

/// How often each is measured.
const RUNS: usize = 7;

/// What one asks for a manifest with; curl asks as we do.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

pub(crate) fn run(ground: &Ground) {
    heading(&format!(
        "{IMAGES} distinct images, {} ms to the registry, which wants a token for each (medians of {RUNS})",
        2 * DELAY.as_millis()
    ));
    let bed = ground.bed();
    let tenant = bed.tenant("fifty").unwrap();
    let proxy = Proxy::before(&format!("http://{}", bed.registry().host())).unwrap();
    proxy.require_token(TokenGate::open());
    let pipe = Pipe::before(&proxy.host(), DELAY);
    deploy(ground, &tenant, &pipe.host());

    let outdated = ["outdated", "--only", "digest", "-n", tenant.namespace()];
    let mut phases = Vec::new();
    for _ in 0..RUNS {
        proxy.log().clear();
        let _whole = measure(ground.ours(&outdated));
        phases.push(span(&proxy.log().all()) + 2 * DELAY);
    }
    tell(&proxy.log().all());
    let records = format!("/api/v1/namespaces/{}/secrets", tenant.namespace());
    bed.cluster().api().delete(&records).unwrap();
    let ours = median(phases.into_iter());
    note(&format!("our registry phase: {:.1} ms", milliseconds(ours)));
    let Some(curl) = curl(ground, &tenant, &pipe.host(), proxy.log()) else {
        note("curl is not on the PATH: nothing to compare with");
        return;
    };
    note(&format!(
        "curl -Z --parallel-max {IN_FLIGHT}, the same ping, tokens and HEADs, its starts not counted: {:.1} ms",
        milliseconds(curl)
    ));
    goal(
        "registry phase, ours to curl's",
        ratio(ours, curl),
        Goal::AtMost(1.5),
    );
}

/// What the registry was asked.
fn tell(asked: &[LoggedRequest]) {
    let of = |wanted: &dyn Fn(&&LoggedRequest) -> bool| asked.iter().filter(wanted).count();
    let is_refused =
        |request: &&LoggedRequest| request.status.is_some_and(|status| status.as_u16() == 401);
    let manifests = |method: &Method| {
        of(&|request| {
            request.method == *method
                && request.path.contains("/manifests/")
                && !is_refused(request)
        })
    };
    goal(
        "HEADs",
        count(manifests(&Method::HEAD)),
        Goal::AtMost(count(IMAGES)),
    );
    goal(
        "GETs of manifests",
        count(manifests(&Method::GET)),
        Goal::AtMost(0.0),
    );
    goal(
        "tokens",
        count(of(&|request| request.path.starts_with("/token"))),
        Goal::AtMost(count(IMAGES)),
    );
    goal(
        "pings, and questions refused for want of a token",
        count(of(&|request| request.path == "/v2/" || is_refused(request))),
        Goal::AtMost(1.0),
    );
}

/// From the coming of the first request to the end of the last answer.
fn span(asked: &[LoggedRequest]) -> Duration {
    let first = asked.iter().map(|request| request.received).min().unwrap();
    let end = |request: &LoggedRequest| request.received + request.took.unwrap_or_default();
    asked.iter().map(end).max().unwrap().saturating_sub(first)
}

fn repository(number: usize) -> String {
    format!("image-{number:02}")
}

/// Publishes the images and runs them: a release of the client chart whose workloads are these.
fn deploy(ground: &Ground, tenant: &Tenant<'_>, registry: &str) {
    let namespace = tenant.namespace();
    for number in 0..IMAGES {
        let repository = repository(number);
        let image = Image::new(format!("{repository} of the benchmark"));
        tenant.publish(&repository, "prod", &image).unwrap();
    }
    let api = ground.bed().cluster().api();
    let mut manifest = String::new();
    for workload in 0..IMAGES / IN_EACH {
        let name = match workload {
            0 => "fifty-jobs-manager".to_owned(),
            other => format!("fifty-{other}"),
        };
        let containers: Vec<Value> = (workload * IN_EACH..(workload + 1) * IN_EACH)
            .map(|number| {
                let image = format!("{registry}/{namespace}/{}:prod", repository(number));
                json!({"name": repository(number), "image": image, "imagePullPolicy": "Always"})
            })
            .collect();
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}},
            },
        });
        api.create(
            &format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
            &deployment,
        )
        .unwrap();
        manifest += &records::document(&deployment);
    }
    let model = (ground.tenant.namespace(), RELEASE);
    records::stand_in(api, model, (namespace, "fifty"), &manifest);
    tenant.wait_ready().unwrap();
}

/// How long curl takes: one ping, then a token for each repository, then a HEAD for each. Nothing where there is no curl.
fn curl(
    ground: &Ground,
    tenant: &Tenant<'_>,
    registry: &str,
    log: &RequestLog,
) -> Option<Duration> {
    Command::new("curl").arg("--version").output().ok()?;
    let directory = ground.bed().cluster().directory().join("curl");
    fs::create_dir_all(&directory).unwrap();
    let namespace = tenant.namespace();
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        let mut whole = Duration::ZERO;
        let mut step = |configuration: String| {
            log.clear();
            fetch(&directory, &configuration);
            let asked = log.all();
            assert!(asked.iter().all(|request| request.status.is_some()));
            whole += span(&asked) + 2 * DELAY;
            asked.len()
        };
        step(format!(
            "url = \"http://{registry}/v2/\"\noutput = \"ping\"\n"
        ));
        let mut tokens = String::new();
        for number in 0..IMAGES {
            let scope = format!("repository:{namespace}/{}:pull", repository(number));
            writeln!(tokens, "url = \"http://{registry}/token?service=bed&scope={scope}\"\noutput = \"token-{number}\"").unwrap();
        }
        assert_eq!(step(tokens), IMAGES);
        let heads: Vec<String> = (0..IMAGES)
            .map(|number| {
                let token = fs::read(directory.join(format!("token-{number}"))).unwrap();
                let token: Value = serde_json::from_slice(&token).unwrap();
                format!(
                    "url = \"http://{registry}/v2/{namespace}/{}/manifests/prod\"\nhead\noutput = \"head-{number}\"\nheader = \"Accept: {ACCEPT}\"\nheader = \"Authorization: Bearer {}\"\n",
                    repository(number),
                    token["token"].as_str().unwrap()
                )
            })
            .collect();
        assert_eq!(step(heads.join("next\n")), IMAGES);
        runs.push(whole);
    }
    Some(median(runs.into_iter()))
}

/// One curl, by a file of options: a command line shows its tokens to everyone on the machine.
fn fetch(directory: &Path, configuration: &str) {
    let file = directory.join("curl.conf");
    fs::write(&file, configuration).unwrap();
    let status = Command::new("curl")
        .args([
            "--silent",
            "--parallel",
            "--parallel-max",
            IN_FLIGHT,
            "--noproxy",
            "*",
            "--config",
        ])
        .arg(&file)
        .current_dir(directory)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "curl: {status}");
}
