//! How figures are printed: ours, the peer's, their ratio, the goal, and whether it is met.

use std::time::Duration;

use crate::run::Figures;

/// Which side of a goal is the good one.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

/// The heading of a figure.
pub(crate) fn heading(text: &str) {
    println!("\n## {text}");
}

/// What one candidate took.
pub(crate) fn show(name: &str, figures: Figures) {
    let Figures {
        wall,
        cpu,
        peak_kib,
        bytes,
    } = figures;
    print!(
        "{name:32} {:>9.1} ms {:>9.1} ms of processors {:>8.1} MiB",
        milliseconds(wall),
        milliseconds(cpu),
        to_f64(peak_kib) / 1024.0
    );
    if bytes > 0 {
        print!(" {:>10.1} KiB from the API server", to_f64(bytes) / 1024.0);
    }
    println!();
}

/// A value beside its goal.
pub(crate) fn goal(name: &str, value: f64, goal: Goal) {
    let (word, limit, met) = match goal {
        Goal::AtLeast(limit) => ("at least", limit, value >= limit),
        Goal::AtMost(limit) => ("at most", limit, value <= limit),
    };
    let verdict = if met { "met" } else { "MISSED" };
    println!("  {name:52} {value:>8.2}   goal {word} {limit}: {verdict}");
}

/// Something to know beside the figures.
pub(crate) fn note(text: &str) {
    println!("  {text}");
}

/// How many times `other` goes into `one`.
pub(crate) fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(crate) fn to_f64(number: u64) -> f64 {
    number as f64
}

/// A count, as a figure.
pub(crate) fn count(number: usize) -> f64 {
    to_f64(number as u64)
}
