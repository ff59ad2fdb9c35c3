//! Holds the code to docs/architecture.md: which room may use which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

type Arrows = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The arrows that a fenced block of the page draws.
fn drawn(block: &str) -> Arrows {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let start = page
        .find(&format!("```{block}\n"))
        .unwrap_or_else(|| panic!("no block {block} on the page"));
    let lines = page[start..]
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with("```"));
    lines
        .map(|line| {
            let (from, to) = line
                .split_once("->")
                .unwrap_or_else(|| panic!("no arrow in `{line}`"));
            (
                from.trim().to_owned(),
                to.split_whitespace().map(str::to_owned).collect(),
            )
        })
        .collect()
}

/// All Rust files below a folder, without those of tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && path.file_stem().is_some_and(|stem| stem != "tests")
        {
            files.push(path);
        }
    }
    files
}

/// The code of a file up to its tests, without comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text
        .split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap_or_default();
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The room of a file: the first part of its path below `src`.
fn room(src: &Path, path: &Path) -> String {
    let below = path.strip_prefix(src).unwrap();
    let first = below
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    first.strip_suffix(".rs").unwrap_or(&first).to_owned()
}

/// The arrows that the code draws: from the room of a file to what stands behind `crate::` in it.
fn found(src: &Path) -> Arrows {
    let mut arrows = Arrows::new();
    for path in sources(src) {
        let room = room(src, &path);
        if room == "main" || room == "lib" {
            continue;
        }
        let code = code(&path);
        let targets = arrows.entry(room.clone()).or_default();
        for (place, _) in code.match_indices("crate::") {
            let rest = &code[place + "crate::".len()..];
            let names: Vec<&str> = match rest.strip_prefix('{') {
                Some(list) => list
                    .split('}')
                    .next()
                    .unwrap_or_default()
                    .split(',')
                    .collect(),
                None => vec![rest],
            };
            for name in names {
                let end = name
                    .trim()
                    .find(|character: char| !character.is_alphanumeric() && character != '_');
                let target = &name.trim()[..end.unwrap_or(name.trim().len())];
                if !target.is_empty() && target != room {
                    targets.insert(target.to_owned());
                }
            }
        }
        if code.contains("tracebloc_core::") {
            targets.insert("core".to_owned());
        }
    }
    arrows
}

fn compare(drawn: &Arrows, found: &Arrows) {
    for (room, targets) in found {
        let allowed = drawn
            .get(room)
            .unwrap_or_else(|| panic!("the room `{room}` is not on the page"));
        let strange: Vec<_> = targets.difference(allowed).collect();
        assert!(
            strange.is_empty(),
            "`{room}` uses {strange:?}, which the page does not draw"
        );
        let idle: Vec<_> = allowed.difference(targets).collect();
        assert!(
            idle.is_empty(),
            "the page draws arrows from `{room}` to {idle:?} that the code does not have"
        );
    }
    let gone: Vec<_> = drawn
        .keys()
        .filter(|room| !found.contains_key(*room))
        .collect();
    assert!(
        gone.is_empty(),
        "rooms on the page that the code does not have: {gone:?}"
    );
}

#[test]
fn the_shell_has_the_arrows_of_the_page() {
    let src = root().join("src");
    let mut found = found(&src);
    // The library's own file declares all rooms and uses them by their names.
    let lib = fs::read_to_string(src.join("lib.rs")).unwrap();
    let uses = lib
        .lines()
        .filter_map(|line| line.strip_prefix("use ")?.split("::").next());
    let rooms: BTreeSet<&str> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    let mut targets: BTreeSet<String> = uses
        .filter(|name| rooms.contains(name))
        .map(str::to_owned)
        .collect();
    targets.extend(
        rooms
            .iter()
            .filter(|room| lib.contains(&format!("{room}::run(")))
            .map(|room| (*room).to_owned()),
    );
    found.insert("lib".to_owned(), targets);
    compare(&drawn("arrows"), &found);
}

#[test]
fn the_core_has_the_arrows_of_the_page() {
    compare(&drawn("core-arrows"), &found(&root().join("core/src")));
}

#[test]
fn the_core_does_no_input_and_output() {
    let manifest = fs::read_to_string(root().join("core/Cargo.toml")).unwrap();
    for banned in [
        "tokio",
        "kube",
        "reqwest",
        "clap",
        "http",
        "hyper",
        "k8s-openapi",
    ] {
        let depends = manifest.lines().any(|line| {
            line.starts_with(&format!("{banned}.")) || line.starts_with(&format!("{banned} "))
        });
        assert!(!depends, "the core depends on {banned}");
    }
    for path in sources(&root().join("core/src")) {
        let code = code(&path);
        for banned in [
            "std::env",
            "std::fs",
            "TcpStream",
            "std::process",
            "Timestamp::now",
            "SystemTime",
            "Instant::now",
        ] {
            assert!(!code.contains(banned), "{} uses {banned}", path.display());
        }
    }
}

/// Credential helpers of registries, which only the user's own configuration names.
const HELPERS: &str = "src/registry/credentials/helper.rs";

/// The files that start a process: those, the credential plugins that the user's kubeconfig names, and the user's Helm.
const STARTERS: [&str; 3] = [HELPERS, "src/context/exec.rs", "src/helm.rs"];

#[test]
fn surroundings_are_read_and_processes_started_in_one_place() {
    let src = root().join("src");
    for path in sources(&src) {
        let code = code(&path);
        let room = room(&src, &path);
        if !matches!(room.as_str(), "context" | "main") {
            assert!(
                !code.contains("std::env"),
                "{} reads the environment",
                path.display()
            );
            assert!(
                !code.contains("Timestamp::now"),
                "{} reads the clock",
                path.display()
            );
        }
        assert_eq!(
            code.contains("Command::new"),
            STARTERS.iter().any(|file| path.ends_with(file)),
            "{} starts a process, or no longer does",
            path.display()
        );
    }
}

#[test]
fn only_the_users_own_configuration_names_a_helper() {
    let src = root().join("src");
    for path in sources(&src) {
        let allowed = ["src/registry/credentials/config.rs", HELPERS];
        assert!(
            !code(&path).contains("HelperName::parse")
                || allowed.iter().any(|file| path.ends_with(file)),
            "{} makes the name of a helper",
            path.display()
        );
    }
}

#[test]
fn every_test_file_is_part_of_the_test_binary() {
    let main = fs::read_to_string(root().join("tests/main.rs")).unwrap();
    for entry in fs::read_dir(root().join("tests")).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "rs") && stem != "main" {
            assert!(
                main.contains(&format!("mod {stem};")),
                "tests/{stem}.rs is never run"
            );
        }
    }
}
