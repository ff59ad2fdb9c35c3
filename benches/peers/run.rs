//! What one run of a program took, and the middle of several.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// What one run took.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) wall: Duration,
    /// Of all its processors, in user and in system mode.
    pub(crate) cpu: Duration,
    pub(crate) peak_kib: u64,
    /// What came back through a [`crate::pipe::Pipe`], where it was counted.
    pub(crate) bytes: u64,
}

/// Runs a program to its end and throws its output away. Its peak memory is the kernel's own high-water mark, read while it runs.
pub(crate) fn measure(mut command: Command) -> Figures {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let before = children();
    let started = Instant::now();
    let mut child = command.spawn().unwrap();
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        let text = fs::read_to_string(&status_file).unwrap_or_default();
        let mark = text.lines().find_map(|line| {
            line.strip_prefix("VmHWM:")?
                .trim()
                .strip_suffix(" kB")?
                .trim()
                .parse()
                .ok()
        });
        peak_kib = peak_kib.max(mark.unwrap_or(0));
        std::thread::sleep(Duration::from_micros(500));
    };
    let wall = started.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    Figures {
        wall,
        cpu: children().saturating_sub(before),
        peak_kib,
        bytes: 0,
    }
}

/// The processor time of all children that were waited for. Nothing else of this process ends while something is measured.
fn children() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let time = |value: TimeVal| {
        let micros = u64::try_from(value.tv_usec()).unwrap();
        Duration::from_secs(u64::try_from(value.tv_sec()).unwrap()) + Duration::from_micros(micros)
    };
    time(usage.user_time()) + time(usage.system_time())
}

/// Runs several candidates in turns, so that what else the machine does hits all of them.
pub(crate) fn alternate<const COUNT: usize>(
    runs: usize,
    candidates: [&dyn Fn() -> Figures; COUNT],
) -> [Figures; COUNT] {
    let mut figures = [const { Vec::new() }; COUNT];
    for _ in 0..runs {
        for (figures, candidate) in figures.iter_mut().zip(candidates) {
            figures.push(candidate());
        }
    }
    figures.map(|figures: Vec<Figures>| middle(&figures))
}

/// The median of each figure, and the largest peak.
pub(crate) fn middle(figures: &[Figures]) -> Figures {
    Figures {
        wall: median(figures.iter().map(|figures| figures.wall)),
        cpu: median(figures.iter().map(|figures| figures.cpu)),
        peak_kib: figures
            .iter()
            .map(|figures| figures.peak_kib)
            .max()
            .unwrap(),
        bytes: median(figures.iter().map(|figures| figures.bytes)),
    }
}

/// The middle one.
pub(crate) fn median<T: Ord>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort();
    let middle = values.len() / 2;
    values.swap_remove(middle)
}
