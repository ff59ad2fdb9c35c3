//! The traps of chart versions: releases in every state, by the records that Helm itself reads.

use serde_json::{Value, json};
use tracebloc_bed::Helm;

use super::table::{Answer, Mark};
use super::{Compared, Ways};
use crate::ground::{Ground, RELEASE};
use crate::records;

struct Case {
    name: &'static str,
    what: &'static str,
    right: &'static str,
    /// Version and status of each revision.
    revisions: &'static [(&'static str, &'static str)],
}

/// The newest that the bed's repository has.
const NEWEST: &str = "1.9.51";

const CASES: [Case; 6] = [
    Case {
        name: "case-current",
        what: "the newest version",
        right: "current",
        revisions: &[(NEWEST, "deployed")],
    },
    Case {
        name: "case-behind",
        what: "an older version",
        right: "behind",
        revisions: &[("1.9.28", "deployed")],
    },
    Case {
        name: "case-pruned",
        what: "an older version, no longer in the index",
        right: "behind",
        revisions: &[("1.9.30", "deployed")],
    },
    Case {
        name: "case-ahead",
        what: "newer than all that is published",
        right: "ahead",
        revisions: &[("1.9.99", "deployed")],
    },
    Case {
        name: "case-failed",
        what: "the upgrade to the newest version failed",
        right: "mixed",
        revisions: &[("1.9.28", "deployed"), (NEWEST, "failed")],
    },
    Case {
        name: "case-pending",
        what: "the upgrade to the newest version hangs",
        right: "mixed",
        revisions: &[("1.9.28", "deployed"), (NEWEST, "pending-upgrade")],
    },
];

pub(super) fn compare(ground: &Ground, ways: &Ways) -> Compared {
    fill(ground);
    let url = ground.tenant.repository().url();
    let mut tools = vec!["kubectl-tracebloc".to_owned()];
    let mut costs = Vec::new();

    let question = [
        "outdated",
        "-A",
        "--only",
        "chart",
        "--repo",
        &url,
        "--no-cache",
    ];
    let mut asking = ground.ours(&question);
    let report = ways.output(asking.args(["-o", "json"])).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let mut answers: Vec<Vec<Answer>> = CASES
        .iter()
        .map(|case| {
            let mut releases = report["releases"].as_array().unwrap().iter();
            let release = releases.find(|release| release["name"] == case.name);
            let said = release.map_or("absent", |release| {
                release["chart"]["state"].as_str().unwrap()
            });
            vec![case.judge(said)]
        })
        .collect();
    ways.forget(ground);
    let run = ways.measure(ground.ours(&question));
    costs.push(ways.cost(
        ground,
        "kubectl-tracebloc",
        "`outdated -A --only chart`",
        &[run],
    ));

    for helm in Helm::ALL {
        let tool = match helm {
            Helm::Three => "helm 3",
            Helm::Four => "helm 4",
        };
        tools.push(tool.to_owned());
        let run = |arguments: &[&str]| ground.command(ground.helm(helm), arguments);
        let add = ["repo", "add", "bed", &url, "--force-update"];
        ways.output(&mut run(&add)).unwrap();
        let list = ["list", "-A"];
        let search = ["search", "repo", "bed/client"];
        let json = |arguments: &[&str]| -> Value {
            let text = ways.output(run(arguments).args(["-o", "json"])).unwrap();
            serde_json::from_str(&text).unwrap()
        };
        let (listed, found) = (json(&list), json(&search));
        let newest = found[0]["version"].as_str().unwrap();
        for (case, answers) in CASES.iter().zip(&mut answers) {
            answers.push(case.judge(helms(&listed, newest, case)));
        }
        ways.forget(ground);
        let runs =
            [&["repo", "update", "bed"][..], &list, &search].map(|step| ways.measure(run(step)));
        costs.push(ways.cost(
            ground,
            tool,
            "`repo update`, `list -A`, `search repo`",
            &runs,
        ));
    }
    Compared {
        cases: CASES.iter().map(|case| (case.what, case.right)).collect(),
        tools,
        answers,
        costs,
    }
}

impl Case {
    fn judge(&self, said: &str) -> Answer {
        let mark = if said == self.right {
            Mark::Right
        } else {
            Mark::Wrong
        };
        Answer {
            said: said.to_owned(),
            mark,
        }
    }
}

/// What a script makes of Helm's two tables: the version that is listed against the newest one found.
fn helms(listed: &Value, newest: &str, case: &Case) -> &'static str {
    let mut rows = listed.as_array().unwrap().iter();
    let Some(row) = rows.find(|row| row["name"] == case.name) else {
        return "absent";
    };
    let installed = row["chart"].as_str().unwrap();
    let installed = installed.strip_prefix("client-").unwrap_or(installed);
    let numbers = |version: &str| -> Vec<u64> {
        version
            .split('.')
            .map(|number| number.parse().unwrap())
            .collect()
    };
    match numbers(installed).cmp(&numbers(newest)) {
        std::cmp::Ordering::Less => "behind",
        std::cmp::Ordering::Equal => "current",
        std::cmp::Ordering::Greater => "ahead",
    }
}

fn fill(ground: &Ground) {
    let api = ground.bed().cluster().api();
    let (_, mut record) = records::read(api, ground.tenant.namespace(), RELEASE);
    for case in &CASES {
        records::rename(&mut record, case.name);
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": case.name}});
        api.create("/api/v1/namespaces", &namespace).unwrap();
        for (place, (version, status)) in case.revisions.iter().enumerate() {
            record["version"] = json!(place + 1);
            record["info"]["status"] = json!(status);
            record["chart"]["metadata"]["version"] = json!(version);
            let path = format!("/api/v1/namespaces/{}/secrets", case.name);
            api.create(&path, &records::secret(&record)).unwrap();
        }
    }
}
