//! Holds the documentation to the program: what is generated is the same, what is linked exists, what is shown can be typed.
//! With `TRACEBLOC_UPDATE_DOCS=1` generated pages are written anew.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tracebloc_core::finding::{Code, Explanation};
use tracebloc_core::report::{ExplanationList, HistoryReport, OutdatedReport, StatusReport};

use crate::support::{PLUGIN, installed, outdated, parse, run, status};

/// The pages that people read first.
const PAGES: [&str; 6] = [
    "README.md",
    "docs/outdated.md",
    "docs/pin.md",
    "docs/status.md",
    "docs/refresh.md",
    "docs/history.md",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a page with what the program says, or writes it.
fn hold(page: &str, expected: &str) {
    let path = root().join(page);
    if std::env::var_os("TRACEBLOC_UPDATE_DOCS").is_some() {
        fs::write(&path, expected).unwrap();
        return;
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == expected,
        "{page} does not say what the program says: run `make docs`"
    );
}

fn help(arguments: &[&str]) -> String {
    let output = Command::new(PLUGIN)
        .args(arguments)
        .arg("--help")
        .env("COLUMNS", "120")
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_reference_is_the_help() {
    let mut page = "# Reference\n\nWhat `--help` says. This page is generated.\n".to_owned();
    for arguments in [
        &[][..],
        &["outdated"],
        &["status"],
        &["history"],
        &["refresh"],
        &["pin"],
        &["unpin"],
        &["cache"],
        &["cache", "clear"],
        &["explain"],
        &["schema"],
    ] {
        let name = ["kubectl tracebloc"]
            .iter()
            .chain(arguments)
            .copied()
            .collect::<Vec<_>>()
            .join(" ");
        let text: Vec<String> = help(arguments)
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect();
        page += &format!(
            "\n## `{name}`\n\n```text\n{}\n```\n",
            text.join("\n").trim_end()
        );
    }
    hold("docs/reference.md", &page);
}

#[test]
fn the_man_pages_are_the_help() {
    let mut command = kubectl_tracebloc::command_line().version(None::<&str>);
    command.build();
    let mut pages = vec!["kubectl-tracebloc.1".to_owned()];
    page(&pages[0], command.clone());
    for subcommand in command.get_subcommands() {
        let name = format!("kubectl-tracebloc-{}", subcommand.get_name());
        page(&format!("{name}.1"), subcommand.clone());
        pages.push(format!("{name}.1"));
    }
    let mut written: Vec<String> = fs::read_dir(root().join("docs/man"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    written.sort();
    pages.sort();
    assert_eq!(written, pages, "a page of a command that is gone");
}

/// One man page. Its date and the version are left out, so that it changes with the help only.
fn page(file: &str, command: clap::Command) {
    let mut text = Vec::new();
    clap_mangen::Man::new(command)
        .date("")
        .render(&mut text)
        .unwrap();
    hold(
        &format!("docs/man/{file}"),
        &String::from_utf8(text).unwrap(),
    );
}

#[test]
fn the_findings_are_those_of_the_program() {
    let mut page = "# Findings\n\nCodes are never renamed or given another meaning. This page is generated; `kubectl tracebloc explain CODE` says the same, and `explain --output json` all of it to programs.\n\n| code | severity | meaning |\n|---|---|---|\n".to_owned();
    for code in Code::ALL {
        let severity = code.severity();
        page += &format!(
            "| [`{code}`](#{code}) | {severity} | {} |\n",
            code.meaning()
        );
    }
    for code in Code::ALL {
        let Explanation {
            rests_on,
            cause,
            consequence,
            next_step,
        } = code.explanation();
        page += &format!(
            "\n## {code}\n\n{}\n\n- **What it rests on:** {rests_on}\n- **How it comes about:** {cause}\n- **What follows:** {consequence}\n- **What to do:** {next_step}\n",
            code.meaning()
        );
    }
    hold("docs/findings.md", &page);
}

#[test]
fn every_finding_is_produced_by_a_test() {
    let tests: String = fs::read_dir(root().join("tests"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    for code in Code::ALL {
        assert!(
            tests.contains(&format!("\"{code}\"")),
            "no test produces {code}"
        );
    }
}

#[test]
fn the_schemas_are_those_of_the_program() {
    let listed = bare(&["schema"]);
    let mut pages = vec!["README.md".to_owned()];
    for kind in listed.lines() {
        pages.push(schema_page(kind));
        hold(
            &format!("docs/schemas/{}", schema_page(kind)),
            &bare(&["schema", kind]),
        );
    }
    let mut written: Vec<String> = fs::read_dir(root().join("docs/schemas"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    written.sort();
    pages.sort();
    assert_eq!(written, pages, "a schema of a kind that is gone");
    let schema: Value = serde_json::from_str(&bare(&["schema", "OutdatedReport"])).unwrap();
    assert_eq!(
        schema,
        serde_json::to_value(schemars::schema_for!(OutdatedReport)).unwrap()
    );
}

/// The file of a kind's schema: `OutdatedReport` is in outdated-report.json.
fn schema_page(kind: &str) -> String {
    let mut name = String::new();
    for character in kind.chars() {
        if character.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(character.to_lowercase());
    }
    name + ".json"
}

/// What the program prints where there is nothing at all: no environment, no kubeconfig.
fn bare(arguments: &[&str]) -> String {
    let output = Command::new(PLUGIN)
        .args(arguments)
        .env_clear()
        .env("KUBECONFIG", "/no/such/file")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn explain_says_what_a_code_means_without_a_cluster() {
    let text = bare(&["explain", "record-lies"]);
    assert!(text.starts_with("record-lies  warning\n"), "{text}");
    assert!(text.contains(Code::RecordLies.meaning()), "{text}");
    assert!(
        text.contains(Code::RecordLies.explanation().next_step),
        "{text}"
    );
    let all = bare(&["explain"]);
    let first: Vec<&str> = all
        .lines()
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert!(
        first
            .into_iter()
            .eq(Code::ALL.iter().map(|code| code.as_str()))
    );
}

#[test]
fn explain_tells_programs_what_it_tells_people() {
    let validator = validator(&schemars::schema_for!(ExplanationList));
    let answer = |arguments: &[&str]| -> Value {
        let json = serde_json::from_str(&bare(arguments)).unwrap();
        assert_eq!(faults(&validator, &json), "");
        json
    };
    let all = answer(&["explain", "-o", "json"]);
    assert_eq!(all["kind"], "ExplanationList");
    let items = all["items"].as_array().unwrap();
    assert_eq!(items.len(), Code::ALL.len());
    for (item, code) in items.iter().zip(Code::ALL) {
        assert_eq!(item["code"], code.as_str());
        let text = bare(&["explain", code.as_str()]);
        for (field, text_of) in item.as_object().unwrap() {
            let words = text_of.as_str().unwrap();
            assert!(text.contains(words), "{code} {field}: {words}");
        }
    }
    let one = answer(&["explain", "record-lies", "-o", "json"]);
    let expected = items.iter().find(|item| item["code"] == "record-lies");
    assert_eq!(
        one["items"].as_array().unwrap()[..],
        [expected.unwrap().clone()]
    );
    let yaml = bare(&["explain", "record-lies", "--output=yaml"]);
    assert!(yaml.contains("\nkind: ExplanationList\n"), "{yaml}");
    assert!(yaml.contains("code: record-lies\n"), "{yaml}");
    let mut wrong = all.clone();
    wrong["items"][0]["meaning"] = 1.into();
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn an_unknown_code_or_kind_is_wrong_usage_and_told_with_the_nearest() {
    for (arguments, meant) in [
        (["explain", "chart-behnd"], "chart-behind"),
        (["schema", "OutdatedRepor"], "OutdatedReport"),
    ] {
        let output = Command::new(PLUGIN).args(arguments).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(meant), "{told}");
    }
}

#[test]
fn a_report_of_a_real_release_fits_the_schema() {
    let validator = validator(&schemars::schema_for!(OutdatedReport));
    let tenant = installed("docs-schema", "1.9.28");
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let of_status = self::validator(&schemars::schema_for!(StatusReport));
    let of_history = self::validator(&schemars::schema_for!(HistoryReport));
    let told = parse(&run(&tenant, &["history", "-o", "json"]));
    assert_eq!(faults(&of_history, &told), "");
    for arguments in [&[][..], &["--repo", "http://127.0.0.1:9"]] {
        assert_eq!(faults(&validator, &outdated(&tenant, arguments)), "");
        assert_eq!(faults(&of_status, &status(&tenant, arguments)), "");
    }
    let mut wrong = outdated(&tenant, &[]);
    wrong["releases"][0]["revision"] = "three".into();
    assert!(
        !validator.is_valid(&wrong),
        "a schema that takes everything holds nothing"
    );
}

pub(crate) fn validator(schema: &schemars::Schema) -> jsonschema::Validator {
    jsonschema::validator_for(&serde_json::to_value(schema).unwrap()).unwrap()
}

pub(crate) fn faults(validator: &jsonschema::Validator, report: &Value) -> String {
    let faults: Vec<String> = validator
        .iter_errors(report)
        .map(|error| error.to_string())
        .collect();
    faults.join("; ")
}

#[test]
fn what_the_readme_links_exists() {
    for page in PAGES {
        let folder = root().join(page).parent().unwrap().to_owned();
        let text = fs::read_to_string(root().join(page)).unwrap();
        for (place, _) in text.match_indices("](") {
            let target = text[place + 2..].split(')').next().unwrap();
            if !target.contains("://") {
                assert!(folder.join(target).exists(), "{page} links {target}");
            }
        }
    }
}

#[test]
fn commands_in_the_pages_are_understood() {
    let mut seen = 0;
    for page in PAGES {
        for line in fs::read_to_string(root().join(page)).unwrap().lines() {
            let Some(arguments) = line.trim().strip_prefix("$ kubectl tracebloc ") else {
                continue;
            };
            seen += 1;
            // Without a kubeconfig a command that is understood says so (3), and one that is not says that (2).
            let output = Command::new(PLUGIN)
                .args(arguments.split_whitespace())
                .env_clear()
                .env("KUBECONFIG", "/no/such/file")
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(3), "{page}: {line}");
        }
    }
    assert!(seen > 5);
}
