//! What the bed tells while it works.
//!
//! A cold build takes many minutes, so silence would look like a hang. Lines go straight to standard error: the test harness
//! does not capture them there, and standard output stays free for results.

use std::io::Write as _;
use std::time::Duration;

/// Says one line on standard error, marked as the bed's.
pub fn say(line: &str) {
    // A closed standard error must not stop the bed.
    let _ignored = writeln!(std::io::stderr(), "bed: {line}");
}

/// Shows a time as people say it: `0.4 s`, `12 s`, `3 min 20 s`.
pub fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_to_read() {
        assert_eq!(spoken(Duration::from_millis(420)), "0.4 s");
        assert_eq!(spoken(Duration::from_secs(75)), "75 s");
        assert_eq!(spoken(Duration::from_secs(200)), "3 min 20 s");
    }
}
