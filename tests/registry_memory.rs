//! What one run keeps of registries for the next: manifests, which never change, and lists of tags that can be asked about.

use std::fs;
use std::path::PathBuf;

use reqwest::Method;
use tracebloc_bed::Tenant;
use tracebloc_bed::cluster::Output;
use tracebloc_bed::image::Image;
use tracebloc_bed::proxy::{Fault, Proxy, Rule};

use crate::support::{behind_a_proxy, command, image, outdated, parse, run};

const DIGEST: [&str; 2] = ["--only", "digest"];

/// The folder of a tenant's cache in which files of that kind are.
fn kept(tenant: &Tenant<'_>, kind: &str) -> Vec<PathBuf> {
    let folder = tenant
        .bed()
        .cluster()
        .directory()
        .join("homes")
        .join(tenant.namespace())
        .join("cache/kubectl-tracebloc")
        .join(kind);
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Pushes an index anew around the same image: only manifests tell that it is the same.
fn push_again(tenant: &Tenant<'_>) {
    let again = Image::new("tracebloc/pods-monitor one").index_annotation("build", "2");
    tenant
        .publish("tracebloc/pods-monitor", "prod", &again)
        .unwrap();
}

/// The manifests that were fetched since the last call.
fn fetched(proxy: &Proxy) -> usize {
    let count = proxy.log().matching(&Method::GET, "/manifests/").len();
    proxy.log().clear();
    count
}

#[test]
fn a_manifest_that_is_known_by_its_digest_is_not_fetched_again() {
    let (tenant, proxy) = behind_a_proxy("memory-manifest");
    push_again(&tenant);
    proxy.log().clear();
    let ask = |arguments: &[&str]| {
        let report = outdated(&tenant, &[&DIGEST[..], arguments].concat());
        let state = image(&report, "pods-monitor")["state"].clone();
        assert_eq!(state, "current", "{report:#}");
        fetched(&proxy)
    };
    let whole = ask(&[]);
    assert!(
        whole >= 2,
        "the published index and the running one: {whole}"
    );
    assert_eq!(ask(&[]), 0);
    assert_eq!(ask(&["--no-cache"]), whole);
    let files = kept(&tenant, "manifests");
    assert_eq!(files.len(), whole);
    for file in &files {
        let bytes = fs::read(file).unwrap();
        let text = String::from_utf8_lossy(&bytes).replace("sha256:", "sha256:0");
        fs::write(file, text).unwrap();
    }
    assert_eq!(ask(&[]), whole, "damaged files are none");
    assert_eq!(ask(&[]), 0, "and are written anew");
    let cleared = run(&tenant, &["cache", "clear"]);
    assert!(cleared.is_success(), "{cleared}");
    assert!(kept(&tenant, "manifests").is_empty());
    assert_eq!(ask(&[]), whole);
}

#[test]
fn what_a_tag_points_to_is_asked_each_time() {
    let (tenant, _proxy) = behind_a_proxy("memory-tag");
    push_again(&tenant);
    let state = || {
        let report = outdated(&tenant, &DIGEST);
        image(&report, "pods-monitor")["state"].clone()
    };
    assert_eq!(state(), "current");
    tenant
        .move_tag("tracebloc/pods-monitor", "prod", "two")
        .unwrap();
    assert_eq!(state(), "behind");
}

#[test]
fn concurrent_runs_share_what_is_kept() {
    let (tenant, _proxy) = behind_a_proxy("memory-together");
    push_again(&tenant);
    let whole = [
        "outdated",
        "-o",
        "json",
        "--only",
        "digest",
        "-n",
        tenant.namespace(),
    ];
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| Output::of(&mut command(&tenant, &whole)).unwrap()))
            .collect();
        for run in runs {
            let report = parse(&run.join().unwrap());
            assert_eq!(
                image(&report, "pods-monitor")["state"],
                "current",
                "{report:#}"
            );
        }
    });
    let files = kept(&tenant, "manifests");
    assert!(!files.is_empty());
    let aside = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "part")
    };
    assert!(!files.iter().any(aside), "{files:?}");
}

#[test]
fn wrong_bytes_for_a_digest_are_refused_and_not_kept() {
    let (tenant, proxy) = behind_a_proxy("memory-wrong");
    push_again(&tenant);
    let other = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    let rule = Rule::new("/pods-monitor/manifests/", Fault::Body(other.to_owned()));
    proxy.break_with(rule.method(Method::GET));
    let report = outdated(&tenant, &DIGEST);
    let monitor = image(&report, "pods-monitor");
    assert_eq!(monitor["state"], "unknown", "{monitor:#}");
    let message = monitor["unknown"]["message"].as_str().unwrap();
    assert!(message.contains("sha256:"), "{message}");
    assert!(kept(&tenant, "manifests").is_empty());
    proxy.heal();
    let report = outdated(&tenant, &DIGEST);
    assert_eq!(image(&report, "pods-monitor")["state"], "current");
}

#[test]
fn a_list_of_tags_is_asked_about_where_its_server_takes_the_question_and_fetched_where_not() {
    let (tenant, proxy) = behind_a_proxy("memory-tags");
    let latest = || {
        let report = outdated(&tenant, &["--only", "image"]);
        image(&report, "busybox")["version"]["latest"].clone()
    };
    let publish = |tag: &str| {
        tenant.publish("busybox", tag, &Image::new(tag)).unwrap();
    };
    // The bed's registry gives nothing to ask with: a list that is only a moment old would hide this version.
    assert_eq!(latest(), "1.35");
    publish("1.36");
    assert_eq!(latest(), "1.36");
    assert!(kept(&tenant, "tags").is_empty());

    let answer = |status, body: &str| Fault::Answer {
        status,
        headers: vec![("ETag", "\"1\"".to_owned())],
        body: body.to_owned(),
    };
    let part = "/busybox/tags/list";
    proxy.break_with(Rule::new(part, answer(200, r#"{"tags":["1.35","1.37"]}"#)).times(1));
    assert_eq!(latest(), "1.37");
    assert_eq!(kept(&tenant, "tags").len(), 1);
    proxy.heal();
    proxy.log().clear();
    proxy.break_with(Rule::new(part, answer(304, "")).times(1));
    assert_eq!(latest(), "1.37");
    let asked = proxy.log().matching(&Method::GET, part);
    assert_eq!(asked[0].header("if-none-match"), Some("\"1\""));
    proxy.heal();
    publish("1.38");
    assert_eq!(latest(), "1.38");
}
