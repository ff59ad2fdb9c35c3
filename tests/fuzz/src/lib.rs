//! Damages samples of what a parser reads, again and again, and hands each to a check that must not panic nor take for ever.
//!
//! Every case follows from a number, its seed. Without more ado a test runs the same few hundred cases each time; with
//! `TRACEBLOC_FUZZ_SECONDS` new ones for so long (`make fuzz`); with `TRACEBLOC_FUZZ_SEED` that one case, or, with both, the cases from that one on.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant, SystemTime};

/// How many cases a test runs where nothing else is said.
const CASES: u64 = 300;

/// No case may take longer: tests are built without optimisation, on machines that do other things too.
const SLOWEST: Duration = Duration::from_secs(10);

/// The most bytes of a case.
const LARGEST: usize = 64 * 1024;

/// What means something to nearly every parser.
const WORDS: [&str; 33] = [
    "\"",
    "'",
    "`",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ":",
    ": ",
    ",",
    "=",
    "\n",
    "\r\n",
    "\n  - ",
    "&a ",
    "*a",
    "<<: ",
    "#",
    "|\n",
    "null",
    "true",
    "-1",
    "0",
    "18446744073709551616",
    "1e999",
    "\u{0}",
    "\u{1b}[31m",
    "\u{202e}",
    "\u{feff}",
    "🦀",
];

/// Runs a check on damaged samples. `words` mean something to this parser in particular; a check panics where a property does not hold.
///
/// # Panics
/// Where the check does, or takes too long; the seed of the case is told on stderr.
#[expect(
    clippy::print_stderr,
    clippy::panic,
    reason = "it speaks to who runs the tests"
)]
pub fn fuzz(name: &str, samples: &[&[u8]], words: &[&str], check: impl Fn(&[u8])) {
    let plan = Plan::of_environment();
    if plan.seconds.is_some() {
        eprintln!("fuzz: {name} from seed {} on", plan.first);
    }
    let begun = Instant::now();
    let mut slowest = (Duration::ZERO, plan.first);
    let mut count = 0;
    while plan.goes_on(count, begun) {
        let seed = plan.first.wrapping_add(count);
        let case = case(seed, samples, words);
        let started = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| check(&case)));
        let taken = started.elapsed();
        if outcome.is_err() || taken > SLOWEST {
            let shown = String::from_utf8_lossy(&case[..case.len().min(2000)]).into_owned();
            eprintln!(
                "fuzz: {name} failed after {taken:?} on {} bytes; again with TRACEBLOC_FUZZ_SEED={seed}: {shown:?}",
                case.len()
            );
        }
        match outcome {
            Err(panic) => resume_unwind(panic),
            Ok(()) if taken > SLOWEST => panic!("{name}: {taken:?} for one case"),
            Ok(()) => {}
        }
        slowest = slowest.max((taken, seed));
        count += 1;
    }
    if plan.seconds.is_some() {
        let (taken, seed) = slowest;
        eprintln!("fuzz: {name}: {count} cases, the slowest {taken:?} with seed {seed}");
    }
}

/// Which cases are run.
struct Plan {
    first: u64,
    seconds: Option<Duration>,
    cases: u64,
}

impl Plan {
    fn of_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let seed = number("TRACEBLOC_FUZZ_SEED");
        let seconds = number("TRACEBLOC_FUZZ_SECONDS").map(Duration::from_secs);
        let now = || {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            // The low bits are enough, and shorter to type.
            since.map_or(0, |since| u64::from(since.subsec_nanos())) << 16
        };
        Self {
            first: seed.unwrap_or_else(|| if seconds.is_some() { now() } else { 0 }),
            seconds,
            cases: if seed.is_some() { 1 } else { CASES },
        }
    }

    fn goes_on(&self, count: u64, begun: Instant) -> bool {
        match self.seconds {
            Some(seconds) => begun.elapsed() < seconds,
            None => count < self.cases,
        }
    }
}

/// The case of a seed.
fn case(seed: u64, samples: &[&[u8]], words: &[&str]) -> Vec<u8> {
    let mut chance = Chance(seed);
    let mut bytes = chance
        .one_of(samples)
        .map(<[u8]>::to_vec)
        .unwrap_or_default();
    // Often a little, sometimes much.
    let rounds = 1 << chance.below(5);
    for _ in 0..rounds {
        damage(&mut chance, &mut bytes, samples, words);
        bytes.truncate(LARGEST);
    }
    bytes
}

/// One kind of damage, at some place.
fn damage(chance: &mut Chance, bytes: &mut Vec<u8>, samples: &[&[u8]], words: &[&str]) {
    let at = chance.below(bytes.len() + 1);
    let part = chance.part(bytes.len());
    match chance.below(12) {
        0 => {
            let flip = 1_u8 << chance.below(8);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= flip;
            }
        }
        1 => bytes.truncate(at),
        2 => drop(bytes.drain(part)),
        3 => {
            let again = bytes[part].repeat(1 + chance.below(4));
            bytes.splice(at..at, again);
        }
        // What nests is nested deeper than anybody means.
        4 => {
            let word = chance.one_of(words).or_else(|| chance.one_of(&WORDS));
            let again = word.unwrap_or_default().repeat(1 << chance.below(14));
            bytes.splice(at..at, again.into_bytes());
        }
        5 => {
            let other = chance.one_of(samples).unwrap_or_default();
            let taken = other[chance.part(other.len())].to_vec();
            bytes.splice(part, taken);
        }
        6 => number(chance, bytes),
        7 => swap_lines(chance, bytes),
        8 => {
            let byte = u8::try_from(chance.below(256)).unwrap_or(0);
            bytes.insert(at, byte);
        }
        9 => {
            let word = chance.one_of(words).unwrap_or_default();
            bytes.splice(part, word.bytes());
        }
        10 => {
            let word = chance.one_of(&WORDS).unwrap_or_default();
            bytes.splice(at..at, word.bytes());
        }
        _ => {
            let word = chance.one_of(words).unwrap_or_default();
            bytes.splice(at..at, word.bytes());
        }
    }
}

/// Puts an extreme number in the place of one that is there.
fn number(chance: &mut Chance, bytes: &mut Vec<u8>) {
    let from = chance.below(bytes.len() + 1);
    let Some(start) = bytes[from..].iter().position(u8::is_ascii_digit) else {
        return;
    };
    let start = from + start;
    let length = bytes[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    let end = start + length.count();
    let extreme = [
        "0",
        "00",
        "1",
        "255",
        "256",
        "65536",
        "2147483648",
        "4294967295",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "1e400",
        "-1",
        "99999999999999999999999999999999999999999",
    ];
    let word = chance.one_of(&extreme).unwrap_or_default();
    bytes.splice(start..end, word.bytes());
}

/// Exchanges two lines.
fn swap_lines(chance: &mut Chance, bytes: &mut Vec<u8>) {
    let mut lines: Vec<Vec<u8>> = bytes
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    let (one, other) = (chance.below(lines.len()), chance.below(lines.len()));
    lines.swap(one, other);
    *bytes = lines.join(&b'\n');
}

/// Numbers that follow from a seed (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below that one, which is at least 1.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    fn one_of<'item, T: ?Sized>(&mut self, items: &[&'item T]) -> Option<&'item T> {
        let place = self.below(items.len());
        items.get(place).copied()
    }

    /// A range of so many bytes, more often a short one.
    fn part(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let most = 1 << self.below(12);
        start..length.min(start + self.below(most) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_case() {
        let samples: [&[u8]; 2] = [b"a: 1\nb: [2]\n", b"{}"];
        let cases: Vec<Vec<u8>> = (0..500)
            .map(|seed| case(seed, &samples, &["key"]))
            .collect();
        for (seed, known) in (0..).zip(&cases) {
            assert_eq!(*known, case(seed, &samples, &["key"]));
            assert!(known.len() <= LARGEST);
        }
        let distinct: std::collections::BTreeSet<&Vec<u8>> = cases.iter().collect();
        assert!(distinct.len() > 400, "{}", distinct.len());
    }

    #[test]
    #[should_panic(expected = "found")]
    fn what_a_check_finds_is_told() {
        fuzz("test", &[b"abcabc"], &["needle"], |bytes| {
            let text = String::from_utf8_lossy(bytes);
            assert!(!text.contains("needle"), "found");
        });
    }
}
