//! Pull-through caches: what the nodes get for a tag may be older than what the registry has.

use serde_json::json;
use tracebloc_bed::cluster::Output;
use tracebloc_bed::image::Image;
use tracebloc_bed::proxy::{Fault, Rule};
use tracebloc_bed::registry::Published;
use tracebloc_bed::{Helm, Tenant};

use crate::support::{behind_a_proxy, codes, command, finding, image, outdated, parse, paste, run};

/// Puts content into the cache of a tenant, as a node's pull does.
pub(crate) fn fill(tenant: &Tenant<'_>, repository: &str, tag: &str, content: &str) -> Published {
    let path = format!(
        "cache-of-{}/{}/{repository}",
        tenant.namespace(),
        tenant.namespace()
    );
    tenant
        .bed()
        .registry()
        .publish(&path, tag, &Image::new(content))
        .unwrap()
}

/// The flag that names the cache for the registry at `host`.
pub(crate) fn mirror(tenant: &Tenant<'_>, host: &str) -> String {
    format!(
        "--registry-mirror={host}={}/cache-of-{}",
        tenant.bed().registry().host(),
        tenant.namespace()
    )
}

#[test]
fn a_stale_cache_is_told_and_no_restart_is_advised_until_it_is_fresh() {
    let (tenant, proxy) = behind_a_proxy("cache-stale");
    let mirror = mirror(&tenant, &proxy.host());
    let arguments = ["--only", "digest", mirror.as_str()];
    let old = fill(
        &tenant,
        "tracebloc/jobs-manager",
        "prod",
        "tracebloc/jobs-manager one",
    );
    let new = tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let report = outdated(&tenant, &arguments);
    let moved = image(&report, "jobs-manager");
    assert_eq!(moved["state"], "behind", "{moved:#}");
    assert_eq!(moved["digest"]["published"], new.digest.as_str());
    assert_eq!(moved["digest"]["cached"]["digest"], old.digest.as_str());
    assert!(
        moved["flags"]
            .as_array()
            .unwrap()
            .contains(&json!("cache-stale")),
        "{moved:#}"
    );
    let stale = finding(&report, "cache-stale");
    assert!(
        stale["evidence"].to_string().contains(&old.digest),
        "{stale:#}"
    );
    assert_eq!(finding(&report, "digest-behind")["advice"], json!([]));
    let table = run(&tenant, &[&["outdated"], &arguments[..]].concat());
    assert!(table.stdout.contains("the cache is stale"), "{table}");

    fill(&tenant, "tracebloc/jobs-manager", "prod", "two");
    let report = outdated(&tenant, &arguments);
    assert!(!codes(&report).contains(&"cache-stale"), "{report:#}");
    let advice = finding(&report, "digest-behind")["advice"].clone();
    for line in advice.as_array().unwrap() {
        paste(&tenant, line.as_str().unwrap(), Helm::Four)
            .success()
            .unwrap();
    }
    tenant.wait_ready().unwrap();
    let report = outdated(&tenant, &arguments);
    assert_eq!(image(&report, "jobs-manager")["state"], "current");
}

#[test]
fn a_cache_stands_in_for_a_registry_that_does_not_answer() {
    let (tenant, proxy) = behind_a_proxy("cache-alone");
    let mirror = mirror(&tenant, &proxy.host());
    let arguments = ["--only", "digest", mirror.as_str()];
    // The same content under another index: only its manifests, which the cache has too, tell that.
    let again = Image::new("tracebloc/pods-monitor one").index_annotation("build", "2");
    let path = format!(
        "cache-of-{}/{}/tracebloc/pods-monitor",
        tenant.namespace(),
        tenant.namespace()
    );
    tenant
        .bed()
        .registry()
        .publish(&path, "prod", &again)
        .unwrap();
    fill(
        &tenant,
        "tracebloc/pods-monitor",
        "kept",
        "tracebloc/pods-monitor one",
    );
    proxy.break_with(Rule::new("/v2/", Fault::Reset));
    let report = outdated(&tenant, &arguments);
    let monitor = image(&report, "pods-monitor");
    assert_eq!(monitor["state"], "current", "{monitor:#}");
    let told = finding(&report, "cache-unconfirmed");
    assert!(
        report["findings"].to_string().contains("did not answer"),
        "{told:#}"
    );
    // What neither has is unknown.
    assert_eq!(image(&report, "jobs-manager")["state"], "unknown");
}

#[test]
fn what_is_no_mirror_is_refused() {
    let (tenant, _proxy) = behind_a_proxy("cache-usage");
    let output = run(
        &tenant,
        &["outdated", "--registry-mirror", "docker.io/library=cache"],
    );
    assert_eq!(output.code, Some(2), "{output}");
    assert!(output.stderr.contains("REGISTRY=HOST[/PREFIX]"), "{output}");
}

/// Writes what the container tools of a tenant's user are configured to.
fn configure(tenant: &Tenant<'_>, name: &str, text: &str) {
    let name = format!("homes/{}/config/containers/{name}", tenant.namespace());
    tenant.bed().cluster().write(&name, text).unwrap();
}

#[test]
fn caches_of_the_users_registries_conf_count_and_the_longest_prefix_wins() {
    let (tenant, proxy) = behind_a_proxy("cache-configured");
    let place = format!("{}/{}", proxy.host(), tenant.namespace());
    let cache = format!(
        "{}/cache-of-{}/{}",
        tenant.bed().registry().host(),
        tenant.namespace(),
        tenant.namespace()
    );
    for image in ["jobs-manager", "pods-monitor"] {
        fill(&tenant, &format!("tracebloc/{image}"), "prod", "old");
        tenant
            .move_tag(&format!("tracebloc/{image}"), "prod", "two")
            .unwrap();
    }
    let stale = |arguments: &[&str]| {
        let report = outdated(&tenant, &[&["--only", "digest"], arguments].concat());
        let images = report["releases"][0]["images"].as_array().unwrap().clone();
        let is_stale = |image: &serde_json::Value| {
            let flags = image["flags"].as_array();
            flags.is_some_and(|flags| flags.contains(&json!("cache-stale")))
        };
        let stale = images.iter().filter(|image| is_stale(image));
        stale
            .map(|image| image["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(stale(&[]), [""; 0]);
    configure(
        &tenant,
        "registries.conf",
        &format!(
            "unqualified-search-registries = ['docker.io']\n\n[[registry]]\nprefix = '{place}'\nlocation = '{place}'\n[[registry.mirror]]\nlocation = '{cache}'\n"
        ),
    );
    assert_eq!(stale(&[]), ["jobs-manager", "pods-monitor"]);
    // A more specific prefix, in a file of its own, says that these are pulled from where they name.
    let own = format!("[[registry]]\nlocation = '{place}/tracebloc/pods-monitor'\n");
    configure(&tenant, "registries.conf.d/10-own.conf", &own);
    assert_eq!(stale(&[]), ["jobs-manager"]);
    // A flag goes before the file, and so does another file that the environment names.
    let flag = format!("--registry-mirror={}={}", proxy.host(), proxy.host());
    assert_eq!(stale(&[&flag]), [""; 0]);
    let mut other = command(&tenant, &["outdated", "-o", "json", "--only", "digest"]);
    other
        .args(["-n", tenant.namespace()])
        .env("CONTAINERS_REGISTRIES_CONF", "/dev/null");
    let report = parse(&Output::of(&mut other).unwrap());
    assert!(!codes(&report).contains(&"cache-stale"), "{report:#}");
}

#[test]
fn a_registries_conf_that_cannot_be_read_is_told_and_the_rest_is_answered() {
    let (tenant, _proxy) = behind_a_proxy("cache-misconfigured");
    let text = "[[registry]]\nlocation = \"docker.io\"\npassword = hunter2\n";
    configure(&tenant, "registries.conf", text);
    let report = outdated(&tenant, &["--only", "digest"]);
    let unread = finding(&report, "configuration-unread");
    let message = unread["message"].as_str().unwrap();
    assert!(message.contains("registries.conf"), "{message}");
    assert!(message.contains("line 3"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
    assert_eq!(image(&report, "jobs-manager")["state"], "current");
    let report = outdated(&tenant, &["--only", "chart"]);
    assert!(!codes(&report).contains(&"configuration-unread"));
}
