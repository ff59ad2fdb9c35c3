//! The list of a repository: what is kept of it, what it was before, and lists that mean harm.

use tracebloc_bed::Output;
use tracebloc_bed::chart::Chart;

use crate::outdated_oci::push;
use crate::outdated_repositories::{CHART, chart, client};
use crate::support::{codes, codes_beside_advisories, command, finding, installed, outdated, run};

#[test]
fn a_list_that_shrinks_and_content_that_changes_are_told() {
    let tenant = installed("repos-shrunk", "1.9.40");
    let repository = tenant.repository();
    let ask = || outdated(&tenant, &CHART);
    assert_eq!(codes_beside_advisories(&ask()), ["chart-behind"]);
    // The old end of a list is cut off everywhere.
    assert!(repository.remove("client", "1.1.0"));
    assert_eq!(codes_beside_advisories(&ask()), ["chart-behind"]);
    assert!(repository.remove("client", "1.9.51"));
    let report = ask();
    assert_eq!(chart(&report)["state"], "current", "{report:#}");
    let shrunk = finding(&report, "index-shrunk");
    assert!(
        shrunk["message"].as_str().unwrap().contains("1.9.51"),
        "{shrunk}"
    );
    // It is told as long as it is so, and not where nothing may be kept.
    assert!(codes(&ask()).contains(&"index-shrunk"));
    assert_eq!(
        codes_beside_advisories(&outdated(&tenant, &["--only", "chart", "--no-cache"])),
        [""; 0]
    );
    let other = client(&tenant, "1.9.40", "description: other content\n");
    repository.publish(other);
    let republished = ask();
    let republished = finding(&republished, "chart-republished");
    assert_eq!(republished["severity"], "danger");
    assert!(
        republished["message"].as_str().unwrap().contains("1.9.40"),
        "{republished}"
    );
    repository.replace_index("apiVersion: v1\nentries:\n  client: []\n");
    let report = ask();
    assert_eq!(chart(&report)["state"], "unknown", "{report:#}");
    let shrunk = finding(&report, "index-shrunk");
    assert!(
        shrunk["message"]
            .as_str()
            .unwrap()
            .contains("does not list"),
        "{shrunk}"
    );
    repository.restore_index();
    repository.publish(Chart::sample("client-1.9.51", &tenant.registry_path()).unwrap());
    assert!(!codes(&ask()).contains(&"index-shrunk"));
}

#[test]
fn the_cache_is_private_and_cleared_of_nothing_but_itself() {
    let tenant = installed("repos-cache", "1.9.40");
    let address = push(&tenant, "1.9.51", "");
    outdated(&tenant, &CHART);
    outdated(&tenant, &["--only", "chart", "--repo", &address]);
    let home = tenant
        .bed()
        .cluster()
        .directory()
        .join("homes")
        .join(tenant.namespace());
    let cache = home.join("cache/kubectl-tracebloc");
    let mut files = Vec::new();
    for kind in ["indexes", "histories", "configs", "manifests"] {
        use std::os::unix::fs::PermissionsExt as _;
        for file in std::fs::read_dir(cache.join(kind)).unwrap() {
            let path = file.unwrap().path();
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
            files.push(path);
        }
    }
    assert_eq!(files.len(), 5, "{files:?}");
    let notes = cache.join("indexes/notes.txt");
    std::fs::write(&notes, "mine").unwrap();
    let bytes: u64 = files
        .iter()
        .map(|path| std::fs::metadata(path).unwrap().len())
        .sum();
    // No cluster is asked.
    let clear =
        || Output::of(command(&tenant, &["cache", "clear"]).env("KUBECONFIG", "/no/such")).unwrap();
    let output = clear();
    assert!(
        output.stdout.contains(&format!(
            "5 files removed from {}, {bytes} bytes",
            cache.display()
        )),
        "{output}"
    );
    assert!(notes.exists() && files.iter().all(|path| !path.exists()));
    let again = clear();
    assert!(
        again.is_success() && again.stdout.contains("0 files"),
        "{again}"
    );
}

#[test]
fn runs_at_the_same_time_share_the_cache() {
    let tenant = installed("repos-parallel", "1.9.40");
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let report = outdated(&tenant, &CHART);
                assert_eq!(chart(&report)["latest"], "1.9.51", "{report:#}");
                assert_eq!(codes_beside_advisories(&report), ["chart-behind"]);
            });
        }
    });
}

#[test]
fn hostile_indexes_are_refused_and_never_reach_the_terminal_raw() {
    let tenant = installed("repos-hostile", "1.9.40");
    let repository = tenant.repository();
    let ask = || {
        let output = run(&tenant, &["outdated", "--only", "chart", "--no-cache"]);
        assert!(output.is_success(), "{output}");
        assert!(
            !output
                .stdout
                .contains(|character: char| character.is_control() && character != '\n'),
            "{:?}",
            output.stdout
        );
        output.stdout
    };
    let entry = |text: &str| format!("apiVersion: v1\nentries:\n  client:\n{text}");
    // Larger than any index, which is seen before any of it comes. What announces no length is cut at the same limit (`src/http/tests.rs`).
    repository.announce_index(101 * 1024 * 1024);
    let larger = ask();
    assert!(larger.contains("larger than"), "{larger}");
    for (index, expected) in [
        ("<!doctype html><title>\u{1b}[31mlog in</title>".to_owned(), "an HTML page"),
        (entry("  - {name: client, version: 1.9.52}\n  client: []\n"), "a key is there twice"),
        (
            "apiVersion: v1\nentries:\n  \"client\\e[2J\\u009b\\u202e\": []\n".to_owned(),
            "client\u{fffd}[2J\u{fffd}\u{fffd}",
        ),
        (entry("  - {name: client, version: \"9.9.9\\e[2J\"}\n"), "lists no version"),
        (
            entry("  - {name: client, version: 1.9.52}\n  - {name: client, version: 9.0.0, kubeVersion: \"\\e]0;x\\a\"}\n"),
            "1.9.52",
        ),
        ("{\"apiVersion\": \"v1\", \"entries\": {\"client\": [{\"name\": \"client\", \"version\": \"1.9.53\"}]}}".to_owned(), "1.9.53"),
    ] {
        repository.replace_index(index.clone());
        let shown = ask();
        assert!(shown.contains(expected), "{index}: {shown}");
    }
}
