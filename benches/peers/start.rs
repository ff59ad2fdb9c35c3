//! How long it takes to say something, and how large the program is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::ground::PLUGIN;
use crate::run::{Figures, measure, median};
use crate::show::{Goal, goal, heading, milliseconds, note, to_f64};

/// Where `cargo build --profile dist` puts the program, below the folder of all that cargo builds.
const DISTRIBUTED: [&str; 3] = [
    "x86_64-unknown-linux-musl/dist",
    "aarch64-unknown-linux-musl/dist",
    "dist",
];

const RUNS: usize = 51;

pub(crate) fn run() {
    heading(&format!("start (medians of {RUNS})"));
    measure_start("release", Path::new(PLUGIN));
    let built = Path::new(PLUGIN).ancestors().nth(2).unwrap();
    let distributed: Option<PathBuf> = DISTRIBUTED
        .iter()
        .map(|folder| built.join(folder).join("kubectl-tracebloc"))
        .find(|path| path.is_file());
    let Some(program) = distributed else {
        note("no program of the profile `dist` is built (`make dist`): its size is not told");
        return;
    };
    measure_start("dist", &program);
    goal(
        &format!(
            "size in MB of {}",
            program.strip_prefix(built).unwrap_or(&program).display()
        ),
        to_f64(fs::metadata(&program).unwrap().len()) / 1e6,
        Goal::AtMost(12.0),
    );
}

fn measure_start(profile: &str, program: &Path) {
    for argument in ["--help", "--version"] {
        let runs: Vec<Figures> = (0..RUNS)
            .map(|_| {
                let mut command = Command::new(program);
                command.arg(argument).env_clear();
                measure(command)
            })
            .collect();
        let wall: Duration = median(runs.iter().map(|figures| figures.wall));
        goal(
            &format!("{argument} in ms, profile {profile}"),
            milliseconds(wall),
            Goal::AtMost(5.0),
        );
    }
}
