//! A chart index of 18 MB with 23,500 versions, beside `helm search repo`.

use std::fmt::Write as _;

use reqwest::StatusCode;
use tracebloc_bed::Helm;
use tracebloc_bed::repository::Repository;

use crate::ground::{Ground, PLUGIN};
use crate::run::{Figures, measure, middle};
use crate::show::{Goal, goal, heading, note, ratio, show, to_f64};

/// Charts in the index, and versions of each: together 23,500 and about 18 MB, as the largest public repository has them.
const CHARTS: usize = 125;
const VERSIONS: usize = 188;

/// Where the versions of `client` stand, among the others in the order of names.
const CLIENT_AT: usize = 40;

const RUNS: usize = 5;

pub(crate) fn run(ground: &Ground) {
    let own = ground.tenant.repository().index();
    let index = index(std::str::from_utf8(&own).unwrap());
    heading(&format!(
        "a chart index of {:.1} MB with {} versions (medians of {RUNS})",
        to_f64(index.len() as u64) / 1e6,
        CHARTS * VERSIONS
    ));
    let repository = Repository::serve([]).unwrap();
    repository.replace_index(index);
    let url = repository.url();
    let cluster = ground.bed().cluster();
    let question = [
        "outdated",
        "--only",
        "chart",
        "--repo",
        &url,
        "-n",
        ground.tenant.namespace(),
    ];
    // A home for each pair of runs, so that the first has no copy of the index and the second has.
    let ours = |number: usize| {
        let mut command = cluster.command(PLUGIN, &format!("index-{number}"));
        command.args(question);
        measure(command)
    };
    let first: Vec<Figures> = (0..RUNS).map(ours).collect();
    repository.log().clear();
    let second: Vec<Figures> = (0..RUNS).map(ours).collect();
    let asked = repository.log().all();
    let (first, second) = (middle(&first), middle(&second));
    show("outdated --only chart, first run", first);
    show("the same, second run", second);
    let unchanged = asked.iter().all(|request| {
        request.status == Some(StatusCode::NOT_MODIFIED) && request.response_bytes == 0
    });
    assert_eq!(asked.len(), RUNS);
    goal(
        "second runs answered with 304, in parts of all",
        f64::from(u8::from(unchanged)),
        Goal::AtLeast(1.0),
    );
    goal(
        "processor time, second run to first",
        ratio(second.cpu, first.cpu),
        Goal::AtMost(0.5),
    );
    for helm in Helm::ALL {
        let home = format!("index-{helm:?}");
        let of = |arguments: &[&str]| {
            let mut command = cluster.command(ground.helm(helm), &home);
            command.args(arguments);
            measure(command)
        };
        let _added = of(&["repo", "add", "large", &url]);
        let runs: Vec<Figures> = (0..RUNS)
            .map(|_| of(&["search", "repo", "large/client"]))
            .collect();
        let peer = middle(&runs);
        show(&format!("helm search repo, Helm {helm:?}"), peer);
        goal(
            "times less of the processors",
            ratio(peer.cpu, first.cpu),
            Goal::AtLeast(20.0),
        );
        goal(
            "times less memory",
            to_f64(peer.peak_kib) / to_f64(first.peak_kib),
            Goal::AtLeast(8.0),
        );
    }
    note(
        "Helm reads its copy of the index; our first run fetches it too, and asks the cluster what is installed.",
    );
}

/// The index: `client` as the bed's repository has it, among many others.
fn index(own: &str) -> String {
    let client = own
        .lines()
        .skip_while(|line| *line != "  client:")
        .enumerate()
        .take_while(|(number, line)| {
            *number == 0 || line.starts_with("  -") || line.starts_with("   ")
        })
        .map(|(_, line)| line);
    let client: Vec<&str> = client.collect();
    let mut text = "apiVersion: v1\nentries:\n".to_owned();
    for chart in 0..CHARTS {
        if chart == CLIENT_AT {
            text += &client.join("\n");
            text.push('\n');
        }
        // `b…` stands before `client`, `d…` after it.
        let letter = if chart < CLIENT_AT { 'b' } else { 'd' };
        let name = format!("{letter}atabase-{chart:03}");
        writeln!(text, "  {name}:").unwrap();
        for version in (0..VERSIONS).rev() {
            entry(&mut text, &name, version);
        }
    }
    text += "generated: \"2026-08-21T13:56:51.123456789Z\"\n";
    text
}

/// One version, with what entries of large repositories have.
fn entry(text: &mut String, name: &str, version: usize) {
    let (major, minor) = (version / 20, version % 20);
    let digest = format!("{version:04x}").repeat(16);
    write!(
        text,
        "  - annotations:
      category: Database
      licenses: Apache-2.0
    apiVersion: v2
    appVersion: {major}.{minor}.1
    created: \"2026-03-{day:02}T09:{minor:02}:44.518273645Z\"
    dependencies:
    - name: common
      repository: oci://registry.example.com/charts
      version: 2.x.x
    description: A database that keeps what it is given.
    digest: {digest}
    home: https://example.com
    icon: https://example.com/assets/{name}.png
    keywords:
    - {name}
    - database
    maintainers:
    - name: Example, Inc.
      url: https://example.com
    name: {name}
    sources:
    - https://example.com/charts/tree/main/{name}
    urls:
    - https://charts.example.com/{name}-{major}.{minor}.0.tgz
    version: {major}.{minor}.0
",
        day = version % 28 + 1,
    )
    .unwrap();
}
