//! Times as people say them.

use jiff::{SignedDuration, Timestamp};

/// A duration in its largest whole unit: `3 days`, `1 hour`, `5 minutes`, `20 seconds`. Negative durations (clocks that differ) are `0 seconds`.
pub fn age(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    counted(count.unsigned_abs(), unit)
}

/// A moment in words, to the second.
pub fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A count with its noun in the right number: `1 pod`, `2 pods`.
pub fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// The seconds in a duration as Go writes it (`10m`, `1h30m`, `90s`); `None` for anything else, and for parts of seconds.
pub fn go_seconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut seconds = 0_u64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: u64 = rest.get(..digits)?.parse().ok()?;
        let unit = match rest.as_bytes().get(digits)? {
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(count.checked_mul(unit)?)?;
        rest = rest.get(digits + 1..)?;
    }
    (!text.is_empty()).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_go_are_read_whole_or_not_at_all() {
        for (text, expected) in [
            ("10m", Some(600)),
            ("1h30m", Some(5_400)),
            ("90s", Some(90)),
            ("", None),
            ("10", None),
            ("m", None),
            ("500ms", None),
            ("1.5h", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(go_seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn ages_use_their_largest_unit() {
        for (seconds, expected) in [
            (-5, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (7_199, "1 hour"),
            (7_200, "2 hours"),
            (86_400 * 98 + 5, "98 days"),
        ] {
            assert_eq!(age(SignedDuration::from_secs(seconds)), expected);
        }
    }
}
