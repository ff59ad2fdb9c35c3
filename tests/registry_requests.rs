//! How registries and chart repositories are asked: authorities, proxies, limits.

use tracebloc_bed::cluster::Output;
use tracebloc_bed::proxy::{Fault, Proxy, Rule};

use crate::support::{behind_a_proxy, command, image, installed, outdated, parse, run};

#[test]
fn an_authority_of_the_users_own_is_trusted_where_it_is_given() {
    let tenant = installed("requests-authority", "1.9.28");
    let cluster = tenant.bed().cluster();
    let proxy = Proxy::before_over_tls(&tenant.repository().url(), cluster).unwrap();
    let url = proxy.url();
    let asked = ["--only", "chart", "--no-cache", "--repo", &url];
    let report = outdated(&tenant, &asked);
    let chart = &report["releases"][0]["chart"];
    assert_eq!(chart["state"], "unknown", "{chart:#}");
    assert_eq!(chart["unknown"]["reason"], "unreachable", "{chart:#}");

    let authority = cluster.admin().authority.unwrap();
    let file = cluster.write("requests-authority.pem", authority).unwrap();
    let file = file.to_str().unwrap();
    let mut trusting = asked.to_vec();
    trusting.extend(["--ca-file", file]);
    let report = outdated(&tenant, &trusting);
    assert_eq!(
        report["releases"][0]["chart"]["state"], "behind",
        "{report:#}"
    );

    let kubeconfig = cluster.kubeconfig().to_str().unwrap();
    for (file, word) in [
        ("/nowhere.pem", "of --ca-file cannot be read"),
        (kubeconfig, "of --ca-file holds no certificate"),
    ] {
        let output = run(&tenant, &["outdated", "--ca-file", file]);
        assert_eq!(output.code, Some(3), "{output}");
        assert!(output.stderr.contains(word), "{output}");
    }
}

#[test]
fn the_proxy_of_the_environment_is_used_but_where_it_is_not_to_be() {
    let tenant = installed("requests-proxy", "1.9.28");
    let proxy = Proxy::before(&tenant.repository().url()).unwrap();
    let ask = |variables: &[(&str, &str)], repository: &str| {
        let mut command = command(
            &tenant,
            &["outdated", "-o", "json", "--only", "chart", "--no-cache"],
        );
        command.args(["-n", tenant.namespace(), "--repo", repository]);
        command.envs(variables.iter().copied());
        let report = parse(&Output::of(&mut command).unwrap());
        report["releases"][0]["chart"]["state"].clone()
    };
    let url = proxy.url();
    let nowhere = "http://charts.invalid";
    assert_eq!(ask(&[("HTTP_PROXY", &url)], nowhere), "behind");
    assert_eq!(ask(&[("http_proxy", &url)], nowhere), "behind");
    for exception in ["charts.invalid", ".invalid", "*"] {
        let variables = [("HTTP_PROXY", url.as_str()), ("NO_PROXY", exception)];
        assert_eq!(ask(&variables, nowhere), "unknown", "{exception}");
    }
    let asked = proxy.log().all().len();
    let dead = [("HTTP_PROXY", "http://127.0.0.1:1")];
    assert_eq!(ask(&dead, &url), "behind", "loopback needs no proxy");
    assert_eq!(proxy.log().all().len(), asked + 1);
}

#[test]
fn what_a_budget_does_not_allow_is_unknown_and_not_asked() {
    let (tenant, proxy) = behind_a_proxy("requests-budget");
    let report = outdated(&tenant, &["--only", "digest"]);
    assert_eq!(report["summary"]["unknown"], 0, "{report:#}");
    let all = proxy.log().all().len();
    assert!(all > 2, "{all}");
    proxy.log().clear();

    let report = outdated(&tenant, &["--only", "digest", "--max-requests", "2"]);
    assert_eq!(proxy.log().all().len(), 2);
    let images = report["releases"][0]["images"].as_array().unwrap();
    let state = |state: &str| {
        let of = images.iter().filter(|image| image["state"] == state);
        of.collect::<Vec<_>>()
    };
    assert_eq!(state("current").len(), 2, "{report:#}");
    let unknown = state("unknown");
    assert!(!unknown.is_empty(), "{report:#}");
    for image in unknown {
        assert_eq!(image["unknown"]["reason"], "budget", "{image:#}");
        let message = image["unknown"]["message"].as_str().unwrap();
        assert!(message.contains("--max-requests"), "{message}");
        assert!(message.contains(&proxy.host()), "{message}");
    }
    let refused = run(&tenant, &["outdated", "--max-requests", "0"]);
    assert_eq!(refused.code, Some(2), "{refused}");
}

#[test]
fn what_is_left_of_a_limit_is_told_with_verbose() {
    let (tenant, proxy) = behind_a_proxy("requests-limit");
    let digest = {
        let report = outdated(&tenant, &["--only", "digest"]);
        let published = &image(&report, "jobs-manager")["digest"]["published"];
        published.as_str().unwrap().to_owned()
    };
    proxy.break_with(Rule::new(
        "/tracebloc/jobs-manager/",
        Fault::Answer {
            status: 200,
            headers: vec![
                ("Docker-Content-Digest", digest),
                ("RateLimit-Limit", "100;w=21600".to_owned()),
                ("RateLimit-Remaining", "42;w=21600".to_owned()),
            ],
            body: String::new(),
        },
    ));
    let output = run(&tenant, &["outdated", "--only", "digest", "-v"]);
    let told = format!("{}: 42 of 100 pulls left in 6 h", proxy.host());
    assert!(output.stderr.contains(&told), "{output}");
    let output = run(&tenant, &["outdated", "--only", "digest"]);
    assert!(!output.stderr.contains("pulls left"), "{output}");
}

#[test]
fn a_limit_without_a_word_on_how_long_is_tried_again_and_each_try_counts() {
    let (tenant, proxy) = behind_a_proxy("requests-backoff");
    let part = "/tracebloc/jobs-manager/";
    let state = |arguments: &[&str]| {
        let report = outdated(&tenant, &[&["--only", "digest"], arguments].concat());
        image(&report, "jobs-manager").clone()
    };
    for status in [429, 503] {
        proxy.log().clear();
        proxy.break_with(Rule::new(part, Fault::status(status)).times(2));
        assert_eq!(state(&[])["state"], "current");
        let tries = proxy.log().all();
        let tries = tries.iter().filter(|request| request.path.contains(part));
        assert_eq!(tries.count(), 3, "{status}");
        proxy.heal();
    }
    proxy.break_with(Rule::new(part, Fault::status(429)));
    proxy.log().clear();
    let limited = state(&[]);
    assert_eq!(limited["unknown"]["reason"], "rate-limited", "{limited:#}");
    let tries = proxy.log().all();
    let tries = tries.iter().filter(|request| request.path.contains(part));
    assert_eq!(tries.count(), 4);
    // What is tried again is paid for: one request is left for each of the five others, and none for a second try.
    proxy.log().clear();
    state(&["--max-requests", "6"]);
    assert_eq!(proxy.log().all().len(), 6);
}
