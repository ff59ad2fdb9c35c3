//! `CronJob`s: what the cluster says of their runs, and when they run next.

use croner::Cron;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::name::Namespace;

/// What a `CronJob` says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CronFacts {
    /// When it runs, in cron's five fields.
    pub schedule: String,
    /// In which time zone; `None` is the controller's own, which is UTC nearly everywhere.
    pub time_zone: Option<String>,
    /// True if it starts nothing now.
    pub suspended: bool,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// The last tick for which a Job was started.
    pub last_scheduled: Option<Timestamp>,
    /// When a Job of it last ended well.
    pub last_succeeded: Option<Timestamp>,
    /// How many of its Jobs run.
    pub active: usize,
    /// The longest that one of its Jobs may run, in seconds.
    pub deadline_seconds: Option<i64>,
}

/// A Job that a `CronJob` started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveJob {
    /// Its namespace, and that of its `CronJob`.
    pub namespace: Namespace,
    /// Its name.
    pub name: String,
    /// The name of its `CronJob`.
    pub cron_job: String,
    /// When it began.
    pub started: Option<Timestamp>,
    /// How it ended, if it has.
    pub end: Option<JobEnd>,
}

/// How a Job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobEnd {
    /// When.
    pub at: Option<Timestamp>,
    /// Why it failed, in the Job controller's word; `None` if it ended well.
    pub failure: Option<String>,
}

/// Why the ticks of a `CronJob` cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The schedule is none that this program reads.
    #[error("the schedule `{0}` cannot be read")]
    Unreadable(String),
    /// Time zones other than UTC are not computed: their rules change, and the core carries no copy of them.
    #[error("the schedule is in the time zone {0}, which is not computed")]
    TimeZone(String),
}

/// The ticks of a `CronJob`, in UTC.
#[derive(Debug, Clone)]
pub struct Schedule(Cron);

impl CronFacts {
    /// Its ticks.
    pub fn ticks(&self) -> Result<Schedule, ScheduleError> {
        if let Some(zone) = &self.time_zone
            && !["", "UTC", "Etc/UTC"].contains(&zone.as_str())
        {
            return Err(ScheduleError::TimeZone(zone.clone()));
        }
        let unreadable = || ScheduleError::Unreadable(self.schedule.clone());
        // Kubernetes takes five fields or a word such as `@hourly`; the library would take seconds and years too.
        let fields = self.schedule.split_whitespace().count();
        if fields != 5 && !self.schedule.starts_with('@') {
            return Err(unreadable());
        }
        self.schedule
            .parse()
            .map(Schedule)
            .map_err(|_| unreadable())
    }
}

impl Schedule {
    /// The first tick after a moment; `None` if there is none in reach.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let from = TimeZone::UTC.to_datetime(after);
        instant(self.0.find_next_occurrence(&from, false).ok()?)
    }

    /// The tick so many ticks back: 1 is the last one before the moment.
    pub fn back(&self, before: Timestamp, count: usize) -> Option<Timestamp> {
        let mut moment = TimeZone::UTC.to_datetime(before);
        for _ in 0..count {
            moment = self.0.find_previous_occurrence(&moment, false).ok()?;
        }
        instant(moment)
    }
}

fn instant(utc: DateTime) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(utc).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(schedule: &str) -> Schedule {
        facts(schedule, None).ticks().unwrap()
    }

    fn facts(schedule: &str, time_zone: Option<&str>) -> CronFacts {
        CronFacts {
            schedule: schedule.into(),
            time_zone: time_zone.map(str::to_owned),
            ..CronFacts::default()
        }
    }

    #[test]
    fn the_next_tick_is_the_one_that_the_controller_takes() {
        for (schedule, after, expected) in [
            ("23 * * * *", "2026-08-21T10:00:00Z", "2026-08-21T10:23:00Z"),
            ("23 * * * *", "2026-08-21T10:23:00Z", "2026-08-21T11:23:00Z"),
            ("23 2 * * *", "2026-12-31T02:30:00Z", "2027-01-01T02:23:00Z"),
            (
                "7,22,37,52 * * * *",
                "2026-08-21T10:37:30Z",
                "2026-08-21T10:52:00Z",
            ),
            (
                "*/15 8-17 * * 1-5",
                "2026-08-21T17:50:00Z",
                "2026-08-24T08:00:00Z",
            ),
            ("0 0 1 * 0", "2026-08-21T00:00:00Z", "2026-08-23T00:00:00Z"),
            ("@hourly", "2026-08-21T10:00:01Z", "2026-08-21T11:00:00Z"),
        ] {
            let next = ticks(schedule).next(after.parse().unwrap());
            assert_eq!(next, Some(expected.parse().unwrap()), "{schedule}");
        }
    }

    #[test]
    fn ticks_are_counted_backwards() {
        let schedule = ticks("7,22,37,52 * * * *");
        let now: Timestamp = "2026-08-21T10:23:00Z".parse().unwrap();
        for (count, expected) in [(1, "2026-08-21T10:22:00Z"), (3, "2026-08-21T09:52:00Z")] {
            assert_eq!(schedule.back(now, count), Some(expected.parse().unwrap()));
        }
    }

    #[test]
    fn what_cannot_be_computed_is_an_error_and_no_guess() {
        for schedule in ["", "61 * * * *", "* * * *", "* * * * * *", "@every 1h"] {
            let error = facts(schedule, None).ticks().unwrap_err();
            assert_eq!(error, ScheduleError::Unreadable(schedule.into()));
        }
        let error = facts("23 * * * *", Some("Europe/Berlin"))
            .ticks()
            .unwrap_err();
        assert_eq!(error, ScheduleError::TimeZone("Europe/Berlin".into()));
        assert!(facts("23 * * * *", Some("Etc/UTC")).ticks().is_ok());
        let never = ticks("0 0 30 2 *");
        assert_eq!(never.next("2026-08-21T00:00:00Z".parse().unwrap()), None);
    }

    #[test]
    fn fuzzed() {
        let samples: [&[u8]; 6] = [
            b"*/5 * * * *",
            b"0 3 * * 1-5",
            b"@hourly",
            b"15,45 0-23/2 1 JAN SUN",
            b"0 0 30 2 *",
            b"0 0 29 FEB MON#5",
        ];
        let words = [
            "*/",
            "-",
            ",",
            "L",
            "W",
            "#",
            "@every 1h",
            "@reboot",
            "?",
            "TZ=Asia/Tokyo ",
            " ",
            "0",
        ];
        let moments = [
            "2026-02-28T23:59:59Z",
            "0001-01-02T00:00:00Z",
            "9999-12-30T00:00:00Z",
        ]
        .map(|text| text.parse::<Timestamp>().unwrap());
        tracebloc_fuzz::fuzz("schedules", &samples, &words, |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let Ok(schedule) = facts(&text, None).ticks() else {
                return;
            };
            for moment in moments {
                let next = schedule.next(moment);
                assert!(next.is_none_or(|next| next > moment), "{text}");
            }
            let back = schedule.back(moments[0], 3);
            assert!(back.is_none_or(|tick| tick < moments[0]), "{text}");
        });
    }
}
