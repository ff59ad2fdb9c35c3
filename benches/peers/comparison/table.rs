//! The page.

use std::fmt::Write as _;
use std::process::Command;

use tracebloc_bed::Helm;

use super::peers::Peer;
use super::{Compared, Cost};
use crate::ground::{Ground, PLUGIN};
use crate::show::{milliseconds, to_f64};

/// How right an answer is.
#[derive(Clone, Copy)]
pub(super) enum Mark {
    Right,
    /// Not wrong, and not all of it.
    Part,
    Wrong,
}

/// What a tool says of a case.
pub(super) struct Answer {
    pub(super) said: String,
    pub(super) mark: Mark,
}

pub(super) fn page(
    ground: &Ground,
    peers: &[Peer],
    images: &Compared,
    charts: &Compared,
) -> String {
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d");
    let mut page = format!(
        "<!-- Written by `make comparison`; edits are lost. -->\n\n# Comparison\n\n\
         The same cases put to us and to each tool that could be run, on the test bed (a real API server, registry and chart repository on loopback), on {today}. {}.\n\n\
         ✓ is the truth, ~ is right as far as it goes, ✗ is wrong. `make comparison` runs it again; `make bench` measures the same tools under load.\n",
        versions(ground, peers)
    );
    page += "\n## Content that has moved\n\nNo other tool here looks at pods. Its column is what a script of the usual kind finds: the digest that the tool tells for the reference of the pod's spec, \
             compared with what follows the `@` of the pod's `imageID`. Helm compares no content.\n\n";
    table(&mut page, images);
    page += "\n## Chart versions\n\nHelm's columns are what a script makes of `helm list -A` and `helm search repo`: the version that is listed against the newest one found. A release whose upgrade failed or hangs is *mixed*: \
             what runs is partly the old version and partly the new one, and the list shows the new one, or nothing.\n\n";
    table(&mut page, charts);
    page += "\n## What it took\n\nRequests are counted by a proxy before each server. Tools that answer one image at a time are started once for each; their times are sums, their memory is the largest of one. \
             Counts are exact; times are those of one run, good for their order of magnitude.\n\n\
             | tool | did | API server | registry | chart repository | time | of processors | memory |\n|---|---|---|---|---|---|---|---|\n";
    for cost in images.costs.iter().chain(&charts.costs) {
        row(&mut page, cost);
    }
    page
}

fn versions(ground: &Ground, peers: &[Peer]) -> String {
    let first_line = |mut command: Command| {
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines().next().unwrap_or_default().trim().to_owned()
    };
    let mut told = vec![first_line({
        let mut command = Command::new(PLUGIN);
        command.arg("--version");
        command
    })];
    for helm in Helm::ALL {
        let version = first_line(ground.command(
            ground.helm(helm),
            &["version", "--template", "{{.Version}}"],
        ));
        told.push(format!("helm {version}"));
    }
    for peer in peers {
        let version = peer.version(ground).unwrap_or_default();
        told.push(format!("{} {version}", peer.name));
    }
    format!("Versions: {}", told.join(", "))
}

fn table(page: &mut String, compared: &Compared) {
    writeln!(page, "| case | truth | {} |", compared.tools.join(" | ")).unwrap();
    writeln!(page, "|---|---|{}", "---|".repeat(compared.tools.len())).unwrap();
    for ((what, truth), answers) in compared.cases.iter().zip(&compared.answers) {
        let said: Vec<String> = answers
            .iter()
            .map(|answer| {
                let mark = match answer.mark {
                    Mark::Right => '✓',
                    Mark::Part => '~',
                    Mark::Wrong => '✗',
                };
                format!("{mark} {}", answer.said)
            })
            .collect();
        writeln!(page, "| {what} | {truth} | {} |", said.join(" | ")).unwrap();
    }
}

fn row(page: &mut String, cost: &Cost) {
    let Cost {
        tool,
        did,
        api,
        registry,
        charts,
        figures,
    } = cost;
    writeln!(
        page,
        "| {tool} | {did} | {api} | {registry} | {charts} | {:.0} ms | {:.0} ms | {:.0} MiB |",
        milliseconds(figures.wall),
        milliseconds(figures.cpu),
        to_f64(figures.peak_kib) / 1024.0
    )
    .unwrap();
}
