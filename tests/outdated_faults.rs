//! Things that break on the way: what is known is answered, and what is not is unknown, never current.

use std::time::{Duration, Instant};

use tracebloc_bed::cluster::Output;
use tracebloc_bed::kubeconfig::{Kubeconfig, User};
use tracebloc_bed::proxy::{Fault, Proxy, Rule, TokenGate};
use tracebloc_bed::{Install, Tenant};

use crate::support::{behind_a_proxy, codes, finding, image, installed, outdated, parse, run};

#[test]
fn a_registry_that_fails_makes_its_images_unknown() {
    let (tenant, proxy) = behind_a_proxy("faults-registry");
    for (fault, reason, word) in [
        (Fault::Reset, "unreachable", "127.0.0.1"),
        (Fault::status(401), "unauthorized", "credentials"),
        (Fault::status(403), "forbidden", "denies"),
        (Fault::status(404), "not-found", "has no `prod`"),
        (Fault::status(500), "failed", "500"),
        (
            Fault::Answer {
                status: 429,
                headers: vec![("Retry-After", "3600".to_owned())],
                body: String::new(),
            },
            "rate-limited",
            "limits",
        ),
    ] {
        proxy.heal();
        proxy.break_with(Rule::new("/tracebloc/jobs-manager/", fault.clone()));
        let report = outdated(&tenant, &["--only", "digest"]);
        let broken = image(&report, "jobs-manager");
        assert_eq!(broken["state"], "unknown", "{fault:?}: {broken:#}");
        assert_eq!(broken["unknown"]["reason"], reason, "{fault:?}: {broken:#}");
        let message = broken["unknown"]["message"].as_str().unwrap();
        assert!(message.contains(word), "{fault:?}: {message}");
        assert_eq!(
            image(&report, "pods-monitor")["state"],
            "current",
            "the others are answered"
        );
        assert_eq!(report["summary"]["unknown"], 1);
        assert_eq!(
            run(&tenant, &["outdated", "--only", "digest", "--exit-code"]).code,
            Some(12)
        );
    }
}

#[test]
fn a_registry_that_stumbles_is_asked_again() {
    let (tenant, proxy) = behind_a_proxy("faults-retry");
    proxy.break_with(Rule::new("/tracebloc/jobs-manager/", Fault::status(503)).times(1));
    let report = outdated(&tenant, &["--only", "digest"]);
    assert_eq!(
        image(&report, "jobs-manager")["state"],
        "current",
        "{report:#}"
    );
}

#[test]
fn a_registry_that_is_silent_does_not_hold_the_answer_up() {
    let (tenant, proxy) = behind_a_proxy("faults-silent");
    proxy.break_with(Rule::new("/v2/", Fault::Latency(Duration::from_secs(60))));
    let started = Instant::now();
    let report = outdated(&tenant, &[]);
    assert!(
        started.elapsed() < Duration::from_secs(15),
        "{:?}",
        started.elapsed()
    );
    let silent = image(&report, "jobs-manager");
    assert_eq!(silent["unknown"]["reason"], "timeout", "{silent:#}");
    assert!(
        silent["unknown"]["message"]
            .as_str()
            .unwrap()
            .contains(&proxy.host()),
        "{silent:#}"
    );
    assert_eq!(
        report["releases"][0]["chart"]["state"], "behind",
        "the chart is answered"
    );
}

#[test]
fn a_digest_header_that_is_missing_is_made_up_for_by_the_body() {
    let (tenant, proxy) = behind_a_proxy("faults-header");
    proxy.break_with(Rule::new(
        "/manifests/",
        Fault::DropHeader("Docker-Content-Digest"),
    ));
    let report = outdated(&tenant, &["--only", "digest"]);
    assert_eq!(
        image(&report, "jobs-manager")["state"],
        "current",
        "{report:#}"
    );
}

#[test]
fn a_manifest_that_is_not_the_one_asked_for_is_refused() {
    let (tenant, proxy) = behind_a_proxy("faults-lie");
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    proxy.break_with(Rule::new(
        "/manifests/sha256:",
        Fault::Body("{\"manifests\": []}".to_owned()),
    ));
    let report = outdated(&tenant, &["--only", "digest"]);
    let lied = image(&report, "jobs-manager");
    assert_eq!(
        lied["state"], "unknown",
        "a falsified manifest is no evidence: {lied:#}"
    );
}

#[test]
fn tokens_are_fetched_as_the_registry_wants() {
    let (tenant, proxy) = behind_a_proxy("faults-token");
    proxy.require_token(TokenGate::open());
    let report = outdated(&tenant, &["--only", "digest"]);
    assert_eq!(
        image(&report, "jobs-manager")["state"],
        "current",
        "{report:#}"
    );
    proxy.require_token(TokenGate::for_user("robot", "hunter2"));
    let refused = outdated(&tenant, &["--only", "digest"]);
    assert_eq!(
        image(&refused, "jobs-manager")["unknown"]["reason"],
        "unauthorized",
        "{refused:#}"
    );
    // The credentials of the user's Docker configuration open it.
    let auth = "cm9ib3Q6aHVudGVyMg==";
    let config = format!(
        "{{\"auths\": {{\"{}\": {{\"auth\": \"{auth}\"}}}}}}",
        proxy.host()
    );
    let path = tenant
        .bed()
        .cluster()
        .write("docker/config.json", config)
        .unwrap();
    let mut command = crate::support::command(
        &tenant,
        &[
            "outdated",
            "--only",
            "digest",
            "-o",
            "json",
            "-n",
            tenant.namespace(),
        ],
    );
    command.env("DOCKER_CONFIG", path.parent().unwrap());
    let report = parse(&Output::of(&mut command).unwrap());
    assert_eq!(
        image(&report, "jobs-manager")["state"],
        "current",
        "{report:#}"
    );
}

/// A kubeconfig that leads through a proxy to the API server.
pub(crate) fn through(tenant: &Tenant<'_>, proxy: &Proxy) -> std::path::PathBuf {
    let mut kubeconfig = Kubeconfig::new("bed", &proxy.url(), "", User::Nobody);
    kubeconfig.authority = None;
    tenant
        .bed()
        .cluster()
        .write_kubeconfig(tenant.namespace(), &kubeconfig)
        .unwrap()
}

/// `outdated` through that kubeconfig.
pub(crate) fn ask(tenant: &Tenant<'_>, kubeconfig: &std::path::Path, arguments: &[&str]) -> Output {
    let mut command = crate::support::command(
        tenant,
        &["outdated", "-o", "json", "-n", tenant.namespace()],
    );
    command.env("KUBECONFIG", kubeconfig).args(arguments);
    Output::of(&mut command).unwrap()
}

/// The API server's own refusal.
pub(crate) fn forbidden(resource: &str) -> Fault {
    Fault::Answer {
        status: 403,
        headers: vec![("Content-Type", "application/json".to_owned())],
        body: format!(
            "{{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"reason\":\"Forbidden\",\"code\":403,\"message\":\"{resource} is forbidden\"}}"
        ),
    }
}

#[test]
fn a_list_that_is_refused_makes_only_what_rests_on_it_unknown() {
    let tenant = installed("faults-lists", "1.9.28");
    let proxy = Proxy::before_api_server(tenant.bed().cluster()).unwrap();
    let kubeconfig = through(&tenant, &proxy);
    let pods = format!("/namespaces/{}/pods", tenant.namespace());
    proxy.break_with(Rule::new(&pods, forbidden("pods")));
    let report = parse(&ask(&tenant, &kubeconfig, &[]));
    assert_eq!(
        image(&report, "jobs-manager")["state"],
        "unknown",
        "{report:#}"
    );
    assert_eq!(
        image(&report, "jobs-manager")["unknown"]["reason"],
        "forbidden"
    );
    assert_eq!(
        image(&report, "resource-monitor")["state"],
        "current",
        "it is in another namespace"
    );
    let gap = finding(&report, "cluster-unanswered");
    let place = format!("list pods in namespace {}", tenant.namespace());
    assert!(gap["message"].as_str().unwrap().contains(&place), "{gap}");
    proxy.heal();
    proxy.break_with(Rule::new("/kube-system", forbidden("namespaces")));
    proxy.break_with(Rule::new("/nodes", forbidden("nodes")));
    proxy.break_with(Rule::new("/version", Fault::status(500)));
    let report = parse(&ask(&tenant, &kubeconfig, &[]));
    assert_eq!(report["context"].get("clusterUid"), None);
    assert_eq!(image(&report, "jobs-manager")["state"], "current");
    assert_eq!(report["releases"][0]["chart"]["state"], "behind");
}

#[test]
fn an_api_server_that_breaks_off_is_said_so() {
    let tenant = installed("faults-api", "1.9.28");
    let proxy = Proxy::before_api_server(tenant.bed().cluster()).unwrap();
    let kubeconfig = through(&tenant, &proxy);
    for (fault, code, word) in [
        (Fault::Reset, 1, "could not be read"),
        (Fault::Cut(20), 1, "could not be read"),
        (Fault::status(500), 1, "500"),
        (Fault::status(401), 5, "401"),
        (Fault::status(429), 1, "429"),
        (
            Fault::Body("<html>captive portal</html>".to_owned()),
            1,
            "not what a Kubernetes API server sends",
        ),
    ] {
        proxy.heal();
        proxy.break_with(Rule::new("/secrets?", fault.clone()));
        let output = ask(&tenant, &kubeconfig, &[]);
        assert_eq!(output.code, Some(code), "{fault:?}: {output}");
        assert!(output.stderr.contains(word), "{fault:?}: {output}");
    }
    proxy.heal();
    proxy.break_with(Rule::new(
        "/secrets?",
        Fault::Latency(Duration::from_secs(30)),
    ));
    let started = Instant::now();
    let output = ask(&tenant, &kubeconfig, &["--request-timeout", "1s"]);
    assert!(started.elapsed() < Duration::from_secs(5), "{output}");
    assert_eq!(output.code, Some(1), "{output}");
    assert!(
        output.stderr.contains("no answer from the server in time"),
        "{output}"
    );
}

#[test]
fn only_metadata_and_the_newest_record_are_read() {
    let tenant = installed("faults-requests", "1.9.28");
    for _ in 0..2 {
        tenant
            .upgrade(&Install::client("faults-requests", "1.9.28"))
            .unwrap()
            .success()
            .unwrap();
    }
    let proxy = Proxy::before_api_server(tenant.bed().cluster()).unwrap();
    let report = parse(&ask(&tenant, &through(&tenant, &proxy), &[]));
    assert_eq!(report["releases"][0]["revision"], 3, "{report:#}");
    let requests = proxy.log().all();
    let paths = |part: &str| {
        requests
            .iter()
            .filter(|request| request.path.contains(part))
            .count()
    };
    assert!(
        requests.iter().all(|request| request.method == "GET"),
        "{requests:#?}"
    );
    assert_eq!(paths("/secrets?"), 1);
    assert_eq!(paths("/secrets/sh.helm.release.v1.faults-requests.v3?"), 1);
    assert_eq!(paths("/secrets/"), 1, "no older revision");
    assert_eq!(paths("/pods?"), 2, "one list a namespace");
    let list = requests
        .iter()
        .find(|request| request.path.contains("/secrets?"))
        .unwrap();
    assert!(
        list.header("accept")
            .unwrap()
            .contains("PartialObjectMetadataList")
    );
    assert!(codes(&report).contains(&"chart-behind"));
}

#[test]
fn a_server_that_cannot_answer_from_its_memory_is_asked_for_the_stored_record() {
    let tenant = installed("faults-memory", "1.9.28");
    let proxy = Proxy::before_api_server(tenant.bed().cluster()).unwrap();
    let kubeconfig = through(&tenant, &proxy);
    let status = |code: u16, message: &str| Fault::Answer {
        status: code,
        headers: vec![("Content-Type", "application/json".to_owned())],
        body: serde_json::json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
            "reason": if code == 504 { "Timeout" } else { "Expired" }, "message": message,
        })
        .to_string(),
    };
    for fault in [
        status(504, "Timeout: Too large resource version: 7, current: 6"),
        status(410, "The resourceVersion is too old"),
    ] {
        proxy.heal();
        proxy.log().clear();
        proxy.break_with(Rule::new("?resourceVersion=", fault.clone()));
        let report = parse(&ask(&tenant, &kubeconfig, &["--only", "chart"]));
        assert_eq!(
            report["releases"][0]["chart"]["state"], "behind",
            "{fault:?}"
        );
        let record = "/secrets/sh.helm.release.v1.faults-memory.v1";
        let asked = proxy.log().matching(&http::Method::GET, record);
        assert_eq!(asked.len(), 2, "{asked:#?}");
        assert!(asked[0].path.contains("?resourceVersion="), "{asked:#?}");
        assert!(asked[1].path.ends_with(record), "{asked:#?}");
    }
}

#[test]
fn a_far_server_compresses_unless_it_is_told_not_to() {
    let tenant = installed("faults-far", "1.9.28");
    let proxy = Proxy::before_api_server(tenant.bed().cluster()).unwrap();
    let kubeconfig = through(&tenant, &proxy);
    let record = "/secrets/sh.helm.release.v1.faults-far.v1";
    let encoding = |arguments: &[&str]| {
        proxy.log().clear();
        let report = parse(&ask(&tenant, &kubeconfig, arguments));
        assert_eq!(report["releases"][0]["chart"]["state"], "behind");
        assert_eq!(image(&report, "jobs-manager")["state"], "current");
        let asked = proxy.log().matching(&http::Method::GET, record);
        asked[0].header("accept-encoding").map(str::to_owned)
    };
    proxy.break_with(Rule::new("/", Fault::Latency(Duration::from_millis(60))));
    assert_eq!(encoding(&[]).as_deref(), Some("gzip"));
    assert_eq!(encoding(&["--disable-compression"]), None);
}

#[test]
fn when_everything_is_slow_the_answer_still_comes_within_fifteen_seconds() {
    let (tenant, registry) = behind_a_proxy("faults-slow");
    let proxy = Proxy::before_api_server(tenant.bed().cluster()).unwrap();
    let kubeconfig = through(&tenant, &proxy);
    proxy.break_with(Rule::new("/", Fault::Latency(Duration::from_millis(3_500))));
    registry.break_with(Rule::new("/v2/", Fault::Latency(Duration::from_secs(60))));
    let started = Instant::now();
    let report = parse(&ask(&tenant, &kubeconfig, &[]));
    let took = started.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    // Three answers of the server one after the other leave the registry less than its five seconds.
    assert!(took > Duration::from_secs(13), "{took:?}");
    assert_eq!(report["releases"][0]["chart"]["state"], "behind");
    let silent = image(&report, "jobs-manager");
    assert_eq!(silent["unknown"]["reason"], "timeout", "{silent:#}");
    assert!(
        silent["unknown"]["message"]
            .as_str()
            .unwrap()
            .contains(&registry.host()),
        "{silent:#}"
    );
}

#[test]
fn a_chart_repository_that_breaks_is_unknown_with_its_reason() {
    let tenant = installed("faults-charts", "1.9.28");
    let proxy = Proxy::before(&tenant.repository().url()).unwrap();
    for (fault, reason) in [
        (Fault::Reset, "unreachable"),
        (Fault::status(404), "not-found"),
        (Fault::status(403), "forbidden"),
        (Fault::Cut(100), "unreachable"),
        (Fault::Latency(Duration::from_secs(30)), "timeout"),
    ] {
        proxy.heal();
        proxy.break_with(Rule::new("/index.yaml", fault.clone()));
        let report = outdated(
            &tenant,
            &["--only", "chart", "--no-cache", "--repo", &proxy.url()],
        );
        let chart = &report["releases"][0]["chart"];
        assert_eq!(chart["state"], "unknown", "{fault:?}: {chart:#}");
        assert_eq!(chart["unknown"]["reason"], reason, "{fault:?}: {chart:#}");
    }
    proxy.heal();
    proxy.break_with(Rule::new(
        "/index.yaml",
        Fault::Drip(2_000, Duration::from_millis(20)),
    ));
    let report = outdated(
        &tenant,
        &["--only", "chart", "--no-cache", "--repo", &proxy.url()],
    );
    assert_eq!(
        report["releases"][0]["chart"]["state"], "behind",
        "slow is not broken"
    );
}
