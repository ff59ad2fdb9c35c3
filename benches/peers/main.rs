//! Us and the peers, side by side in one run on the test bed: time, processors, memory, bytes and requests, and the ratios to the goals.
//!
//! `make bench`, or `make bench FIGURE=index` for one of them; `make comparison` writes `docs/comparison.md`. Nothing here fails a build: figures are printed, also those where we lose.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot go on ends, and its result is what it prints"
)]

mod comparison;
mod ground;
mod images;
mod index;
mod many_releases;
mod one_release;
mod pipe;
mod records;
mod refresh;
mod round_trips;
mod run;
mod show;
mod start;
mod thousand;

use std::cell::OnceCell;
use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use ground::{Ground, PLUGIN};

/// Measures something, on a bed that it begins where none of the others has.
type Measure = fn(&OnceCell<Ground>);

/// What can be measured. The last ones fill the cluster.
const FIGURES: [(&str, Measure); 8] = [
    ("start", |_| start::run()),
    ("release", |ground| one_release::run(ready(ground))),
    ("images", |ground| images::run(ready(ground))),
    ("round-trips", |ground| round_trips::run(ready(ground))),
    ("refresh", |ground| refresh::run(ready(ground))),
    ("index", |ground| index::run(ready(ground))),
    ("releases", |ground| many_releases::run(ready(ground))),
    ("thousand", |ground| thousand::run(ready(ground))),
];

/// What is done only where it is asked for.
const COMPARISON: &str = "comparison";

fn main() -> ExitCode {
    // Cargo adds flags of its own.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let known = FIGURES.map(|(name, _)| name);
    let is_known = |name: &str| name == COMPARISON || known.contains(&name);
    if let Some(unknown) = wanted.iter().find(|name| !is_known(name)) {
        println!(
            "there is no figure `{unknown}`; there are {}",
            known.join(", ")
        );
        return ExitCode::from(2);
    }
    println!(
        "\nprogram measured: {PLUGIN} ({} KiB)",
        fs::metadata(PLUGIN).unwrap().len() / 1024
    );
    let ground = OnceCell::new();
    let begun = Instant::now();
    for (name, figure) in FIGURES {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            figure(&ground);
        }
    }
    if wanted.iter().any(|wanted| wanted == COMPARISON) {
        comparison::run(ready(&ground));
    }
    println!("\nmeasured in {} s", begun.elapsed().as_secs());
    ExitCode::SUCCESS
}

/// The bed, with its release.
fn ready(ground: &OnceCell<Ground>) -> &Ground {
    ground.get_or_init(Ground::new)
}
