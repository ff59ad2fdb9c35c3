//! Whether a job keeps up with its schedule.

use jiff::{SignedDuration, Timestamp};

use super::Present;
use crate::report::{AutomationState, JobReport};
use crate::snapshot::{Evidence, Gap, GapReason};
use crate::time::age;

/// How long a Job may live on beyond its deadline, until the controller has ended it.
const GRACE: SignedDuration = SignedDuration::from_mins(5);

/// How a job keeps up.
pub(super) enum Pace {
    /// It succeeds as often as it should.
    Keeps,
    /// It does not.
    Stalled(Stall),
    /// It cannot be told.
    Unknown(Gap),
}

/// A job that does not keep up.
pub(super) struct Stall {
    /// Since when: the last success, or the beginning.
    pub(super) since: Timestamp,
    /// Why, in words.
    pub(super) why: String,
    /// The Job that hangs.
    pub(super) hangs: Option<String>,
    /// The last Job that failed.
    pub(super) failed: Option<String>,
}

/// The report of a job whose pace cannot be told.
pub(super) fn unknown(base: JobReport, gap: &Gap) -> JobReport {
    JobReport {
        state: AutomationState::Unknown,
        detail: Some(gap.message.clone()),
        unknown: Some(crate::assess::unknown(gap)),
        ..base
    }
}

/// Judges the pace: `patience` ticks in a row without a success are too many.
pub(super) fn judge(present: &Present<'_>, now: Timestamp, patience: usize) -> Pace {
    let cron = present.cron;
    let unknown = |reason, message: String| {
        Pace::Unknown(Gap {
            asked: format!("the pace of {}", present.id),
            reason,
            message,
        })
    };
    let ticks = match cron.ticks() {
        Ok(ticks) => ticks,
        Err(error) => return unknown(GapReason::Unsupported, error.to_string()),
    };
    let Some(bound) = ticks.back(now, patience) else {
        // A schedule without so many ticks in the past cannot have missed them.
        return Pace::Keeps;
    };
    if let Some(stall) = hanging(present, now, bound) {
        return Pace::Stalled(stall);
    }
    let Some(since) = cron.last_succeeded.or(cron.created_at) else {
        return unknown(
            GapReason::Malformed,
            "the cluster does not say when it was made or last succeeded".to_owned(),
        );
    };
    if since >= bound {
        return Pace::Keeps;
    }
    match &present.jobs {
        // One that still runs within its time holds up the others rightly.
        Evidence::Known(jobs) if jobs.iter().any(|job| job.end.is_none()) => Pace::Keeps,
        Evidence::Unknown(gap) if cron.active > 0 => Pace::Unknown(gap.clone()),
        Evidence::Known(_) | Evidence::Unknown(_) => Pace::Stalled(stall(present, since, bound)),
    }
}

/// A Job that runs too long: the others wait for it, since they must not run beside each other (DOMAIN §13, 6).
fn hanging(present: &Present<'_>, now: Timestamp, bound: Timestamp) -> Option<Stall> {
    let hung = present.jobs.known()?.iter().find(|job| {
        let Some(started) = job.started else {
            return false;
        };
        let too_long = match present.cron.deadline_seconds {
            Some(seconds) => {
                now.duration_since(started) > SignedDuration::from_secs(seconds) + GRACE
            }
            None => started < bound,
        };
        job.end.is_none() && too_long
    })?;
    let started = hung.started?;
    Some(Stall {
        since: started,
        why: format!(
            "job {} has run for {}, and no other starts beside it",
            hung.name,
            age(now.duration_since(started))
        ),
        hangs: Some(hung.name.clone()),
        failed: None,
    })
}

fn stall(present: &Present<'_>, since: Timestamp, bound: Timestamp) -> Stall {
    let cron = present.cron;
    let last = present
        .jobs
        .known()
        .and_then(|jobs| jobs.iter().max_by_key(|job| job.started));
    let failure = last.and_then(|job| {
        let reason = job.end.as_ref()?.failure.as_deref()?;
        Some((job.name.clone(), reason))
    });
    let beginning = if cron.last_succeeded.is_some() {
        "no run has succeeded since"
    } else {
        "no run has ever succeeded since it was made at"
    };
    let why = match (&failure, cron.last_scheduled) {
        (Some((name, reason)), _) => format!("the last, job {name}, failed ({reason})"),
        (None, Some(at)) if at >= bound => "runs were started".to_owned(),
        (None, Some(at)) => format!("and none was started since {at}"),
        (None, None) => "and none was ever started".to_owned(),
    };
    Stall {
        since,
        why: format!("{beginning} {since}, {why}"),
        hangs: None,
        failed: failure.map(|(name, _)| name),
    }
}
