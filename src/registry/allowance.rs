//! What registries say of their limits: `RateLimit-Limit` and `RateLimit-Remaining`, as Docker Hub sends them (FACTS 8.3).

use std::fmt;
use std::time::Duration;

use crate::http::Answer;

/// How many requests a registry still takes from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    remaining: u64,
    limit: Option<u64>,
    window: Option<Duration>,
}

impl Allowance {
    /// What an answer says; none where it says nothing, which is the usual case.
    pub(super) fn of(answer: &Answer) -> Option<Self> {
        Self::read(
            answer.header("ratelimit-remaining")?,
            answer.header("ratelimit-limit"),
        )
    }

    /// Each is `N` or `N;w=SECONDS`, of several policies the first.
    fn read(remaining: &str, limit: Option<&str>) -> Option<Self> {
        let (remaining, window) = amount(remaining)?;
        let (limit, of_limit) = limit.and_then(amount).unzip();
        Some(Self {
            remaining,
            limit,
            window: window.or(of_limit.flatten()),
        })
    }

    /// The one that leaves less: answers come in any order.
    pub(super) fn least(self, other: Self) -> Self {
        if other.remaining < self.remaining {
            other
        } else {
            self
        }
    }
}

fn amount(text: &str) -> Option<(u64, Option<Duration>)> {
    let policy = text.split(',').next()?;
    let mut parts = policy.split(';').map(str::trim);
    let number = parts.next()?.parse().ok()?;
    let window = parts
        .find_map(|part| part.strip_prefix("w="))
        .and_then(|seconds| seconds.parse().ok())
        .map(Duration::from_secs);
    Some((number, window))
}

impl fmt::Display for Allowance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            remaining,
            limit,
            window,
        } = self;
        write!(formatter, "{remaining}")?;
        if let Some(limit) = limit {
            write!(formatter, " of {limit}")?;
        }
        formatter.write_str(" pulls left")?;
        match window.map(|window| window.as_secs()) {
            Some(seconds) if seconds % 3600 == 0 => write!(formatter, " in {} h", seconds / 3600),
            Some(seconds) => write!(formatter, " in {seconds} s"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        for (remaining, limit, text) in [
            (
                "76;w=21600",
                Some("100;w=21600"),
                Some("76 of 100 pulls left in 6 h"),
            ),
            ("0;w=90", None, Some("0 pulls left in 90 s")),
            ("5", Some("10"), Some("5 of 10 pulls left")),
            (
                "5, 7;w=60",
                Some("10;w=1, 20;w=60"),
                Some("5 of 10 pulls left in 1 s"),
            ),
            ("5;w=x", Some("many"), Some("5 pulls left")),
            ("many", Some("10"), None),
        ] {
            let read = Allowance::read(remaining, limit).map(|allowance| allowance.to_string());
            assert_eq!(read.as_deref(), text, "{remaining}");
        }
    }

    #[test]
    fn the_least_counts_whenever_it_came() {
        let read = |text| Allowance::read(text, None).expect(text);
        assert_eq!(read("3").least(read("2")), read("2"));
        assert_eq!(read("2").least(read("3")), read("2"));
    }

    #[test]
    fn fuzzed() {
        let samples: [&[u8]; 3] = [b"76;w=21600", b"5, 7;w=60", b"0;w=3600"];
        tracebloc_fuzz::fuzz("limits", &samples, &[";w=", ",", " "], |bytes| {
            let text = String::from_utf8_lossy(bytes);
            if let Some(allowance) = Allowance::read(&text, Some(&text)) {
                assert!(allowance.to_string().contains("pulls left"));
            }
        });
    }
}
