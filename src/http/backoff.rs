//! How long to wait before a request is sent again: longer each time, and never as long as others do who were turned away at the same moment.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::error::Endpoint;

/// How often a request is sent again at most.
const RETRIES: u32 = 3;

/// The longest first pause; each further one may be twice as long.
const FIRST: Duration = Duration::from_millis(200);

/// Pauses of one run.
#[derive(Debug)]
pub(super) struct Backoff {
    chance: Chance,
    /// Who limited us through all tries of one request: the next ones are sent once.
    limiting: Mutex<HashSet<Endpoint>>,
}

impl Backoff {
    /// Pauses that differ from run to run.
    pub(super) fn new() -> Self {
        Self::seeded(RandomState::new().build_hasher().finish())
    }

    /// Pauses that a seed decides.
    pub(super) fn seeded(seed: u64) -> Self {
        Self {
            chance: Chance(AtomicU64::new(seed)),
            limiting: Mutex::default(),
        }
    }

    /// The pause after that many tries again; none where it is enough. What the server asks for is a least: a little is added.
    pub(super) fn pause(
        &self,
        endpoint: &Endpoint,
        retries: u32,
        told: Option<Duration>,
    ) -> Option<Duration> {
        if retries >= RETRIES {
            return None;
        }
        match told {
            Some(told) => told.checked_add(self.chance.part_of(FIRST)),
            None if self.limiting().contains(endpoint) => None,
            None => {
                let most = FIRST * 2_u32.pow(retries);
                Some(most / 2 + self.chance.part_of(most / 2))
            }
        }
    }

    /// Notes that a server limited us to the end.
    pub(super) fn give_up(&self, endpoint: Endpoint) {
        self.limiting().insert(endpoint);
    }

    fn limiting(&self) -> std::sync::MutexGuard<'_, HashSet<Endpoint>> {
        self.limiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Numbers without a pattern that would matter here (`SplitMix64`).
#[derive(Debug)]
struct Chance(AtomicU64);

impl Chance {
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Some part of a duration.
    fn part_of(&self, whole: Duration) -> Duration {
        let thousandths = u32::try_from(self.next() % 1001).unwrap_or(0);
        whole * thousandths / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(port: u16) -> Endpoint {
        Endpoint {
            host: "h".to_owned(),
            port,
        }
    }

    #[test]
    fn pauses_grow_end_and_are_those_of_the_seed() {
        let here = endpoint(1);
        let mut seen = HashSet::new();
        for seed in 0..200 {
            let pauses = |backoff: &Backoff| -> Vec<Option<Duration>> {
                (0..5)
                    .map(|retries| backoff.pause(&here, retries, None))
                    .collect()
            };
            let found = pauses(&Backoff::seeded(seed));
            assert_eq!(found, pauses(&Backoff::seeded(seed)));
            for (retries, most) in [(0, 200), (1, 400), (2, 800)] {
                let pause = found[retries].expect("a pause").as_millis();
                assert!((most / 2..=most).contains(&pause), "{pause} ms");
            }
            assert_eq!(found[3..], [None, None]);
            seen.insert(found[0]);
        }
        assert!(seen.len() > 50, "{} pauses", seen.len());
    }

    #[test]
    fn what_the_server_asks_for_is_a_least_however_much_it_is() {
        let backoff = Backoff::seeded(1);
        let told = Duration::from_secs(2);
        let pause = backoff.pause(&endpoint(1), 0, Some(told)).expect("a pause");
        assert!((told..=told + FIRST).contains(&pause), "{pause:?}");
        let endless = Some(Duration::MAX);
        for _ in 0..20 {
            let pause = backoff.pause(&endpoint(1), 0, endless);
            assert!(pause.is_none() || pause == endless);
        }
        assert_eq!(backoff.pause(&endpoint(1), RETRIES, Some(told)), None);
    }

    #[test]
    fn who_limits_to_the_end_is_not_asked_again_and_again() {
        let backoff = Backoff::seeded(1);
        backoff.give_up(endpoint(1));
        assert_eq!(backoff.pause(&endpoint(1), 0, None), None);
        assert!(backoff.pause(&endpoint(2), 0, None).is_some());
        let told = Some(Duration::from_secs(1));
        assert!(backoff.pause(&endpoint(1), 0, told).is_some());
    }
}
