//! Values of flags that need more than a text.

use std::str::FromStr;
use std::time::Duration;

/// kubectl's `--request-timeout`: a Go duration, a bare number of seconds, or 0 for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestTimeout(pub(crate) Option<Duration>);

impl FromStr for RequestTimeout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let duration = duration(text)?;
        Ok(Self((!duration.is_zero()).then_some(duration)))
    }
}

/// A time that something may take, or is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) Duration);

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        duration(text).map(Self)
    }
}

/// The time between two rounds of `--watch`: at least a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WatchInterval(pub(crate) Duration);

impl FromStr for WatchInterval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let duration = duration(text)?;
        if duration < Duration::from_secs(1) {
            return Err(format!(
                "`{text}` is less than a second, which would be a burden to the servers"
            ));
        }
        Ok(Self(duration))
    }
}

/// How far back `--since` reaches: a Go duration, a bare number of seconds, or a number of days such as `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Since(pub(crate) Duration);

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let days = text.strip_suffix('d').map(str::parse::<u32>);
        if let Some(Ok(days)) = days {
            return Ok(Self(Duration::from_secs(u64::from(days) * 86_400)));
        }
        duration(text).map(Self)
    }
}

/// A duration as Go writes it, or a bare number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let refuse =
        || format!("`{text}` is not a duration such as `30s`, `1m30s` or a number of seconds");
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    if text.is_empty() {
        return Err(refuse());
    }
    let mut rest = text;
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest
            .find(|character: char| !character.is_ascii_digit() && character != '.')
            .ok_or_else(refuse)?;
        let number: f64 = rest[..digits].parse().map_err(|_| refuse())?;
        rest = &rest[digits..];
        let unit = rest
            .find(|character: char| character.is_ascii_digit() || character == '.')
            .unwrap_or(rest.len());
        total += number
            * match &rest[..unit] {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                _ => return Err(refuse()),
            };
        rest = &rest[unit..];
    }
    Duration::try_from_secs_f64(total).map_err(|_| refuse())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_and_seconds() {
        for (text, milliseconds) in [
            ("30", Some(30_000)),
            ("0", None),
            ("0s", None),
            ("1m30s", Some(90_000)),
            ("1.5s", Some(1_500)),
            ("250ms", Some(250)),
            ("1h", Some(3_600_000)),
        ] {
            assert_eq!(
                text.parse::<RequestTimeout>().unwrap().0,
                milliseconds.map(Duration::from_millis),
                "{text}"
            );
        }
        for text in ["", "s", "1x", "-1s", "1s2"] {
            assert!(text.parse::<RequestTimeout>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_past_reaches_back_in_days_too() {
        for (text, seconds) in [("7d", 604_800), ("90m", 5_400), ("30", 30)] {
            assert_eq!(
                text.parse(),
                Ok(Since(Duration::from_secs(seconds))),
                "{text}"
            );
        }
        for text in ["d", "1.5d", "-1d", "1d2h", "yesterday"] {
            assert!(text.parse::<Since>().is_err(), "{text}");
        }
    }

    #[test]
    fn rounds_are_at_least_a_second_apart() {
        assert_eq!("90".parse(), Ok(WatchInterval(Duration::from_secs(90))));
        for text in ["0", "999ms", "", "often", "-5s"] {
            assert!(text.parse::<WatchInterval>().is_err(), "{text}");
        }
    }
}
