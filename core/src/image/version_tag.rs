//! Tags that are versions, and which of them may be compared.
//!
//! Tags have no order of their own. Two are comparable only where they are written alike: the same beginning, as many numbers, and the same words
//! after them (`-alpine3.18` and `-alpine3.19`, but never `-alpine` and nothing). Anything else would move an image to another variant.

use std::cmp::Ordering;

use super::Tag;
use crate::version::Change;

/// The most numbers in a version: image versions have up to four, dates with a build number five.
const NUMBERS_LIMIT: usize = 5;

/// From this first number on a version is a year: `alpine:20240606` is no later version of `alpine:3`.
const FIRST_YEAR: u64 = 1900;

/// How long a word of hexadecimal digits is at least that names a commit.
const COMMIT_LENGTH: usize = 7;

/// A tag that is a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionTag {
    tag: Tag,
    family: Family,
    numbers: Vec<u64>,
    suffix_numbers: Vec<u64>,
}

/// What comparable tags have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Family {
    /// What stands before the first number, such as `v`.
    prefix: String,
    /// How many numbers there are: `1.35` follows patches, `1.35.2` is one of them.
    precision: usize,
    /// Whether the first number is a year.
    calendar: bool,
    /// What stands after the numbers, with `#` for each number in it.
    suffix: String,
}

impl VersionTag {
    /// The version in a tag; `None` for a channel such as `prod`, and for a build named by its commit.
    pub fn parse(tag: &Tag) -> Option<Self> {
        let text = tag.as_str();
        let start = text.find(|character: char| character.is_ascii_digit())?;
        let (prefix, rest) = text.split_at(start);
        let end = rest
            .find(|character: char| !character.is_ascii_digit() && character != '.')
            .unwrap_or(rest.len());
        let (core, suffix) = rest.split_at(end);
        // A dot that is followed by a word belongs to that word: `1.2.rc1`.
        let (core, suffix) = match core.strip_suffix('.') {
            Some(core) => (core, &rest[core.len()..]),
            None => (core, suffix),
        };
        let numbers: Vec<u64> = core
            .split('.')
            .map(|number| number.parse().ok())
            .collect::<Option<_>>()?;
        if numbers.len() > NUMBERS_LIMIT || names_a_commit(text) {
            return None;
        }
        let (suffix, suffix_numbers) = generalise(suffix)?;
        Some(Self {
            tag: tag.clone(),
            family: Family {
                prefix: prefix.to_owned(),
                precision: numbers.len(),
                calendar: numbers.first().is_some_and(|first| *first >= FIRST_YEAR),
                suffix,
            },
            numbers,
            suffix_numbers,
        })
    }

    /// The tag itself.
    pub fn tag(&self) -> &Tag {
        &self.tag
    }

    /// The newest of these tags that is newer than this one and may be compared with it.
    pub fn newest_of<'tags>(&self, tags: impl IntoIterator<Item = &'tags Tag>) -> Option<Self> {
        tags.into_iter()
            .filter_map(Self::parse)
            .filter(|candidate| self.compare(candidate) == Some(Ordering::Less))
            .max_by(Self::order)
    }

    /// How this tag stands to another; `None` where the two are not comparable.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        (self.family == other.family).then(|| self.order(other))
    }

    /// By which number a later tag of the same family differs.
    pub fn change_to(&self, later: &Self) -> Change {
        let differs = self
            .numbers
            .iter()
            .zip(&later.numbers)
            .position(|(ours, theirs)| ours != theirs);
        match differs {
            Some(0) => Change::Major,
            Some(1) => Change::Minor,
            Some(_) => Change::Patch,
            // Only what follows the version differs, such as the distribution below.
            None if self.suffix_numbers != later.suffix_numbers => Change::Patch,
            None => Change::None,
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        (&self.numbers, &self.suffix_numbers).cmp(&(&other.numbers, &other.suffix_numbers))
    }
}

/// The text with `#` for each run of digits, and the numbers that stood there; `None` where one is too large to be a number.
fn generalise(text: &str) -> Option<(String, Vec<u64>)> {
    let mut words = String::new();
    let mut numbers = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(|character: char| character.is_ascii_digit()) {
        let digits = &rest[start..];
        let end = digits
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(digits.len());
        words.push_str(&rest[..start]);
        words.push('#');
        numbers.push(digits[..end].parse().ok()?);
        rest = &digits[end..];
    }
    words.push_str(rest);
    Some((words, numbers))
}

/// Whether a word of the tag is an abbreviated commit, with or without git's `g`: hexadecimal, long, and of letters and digits both.
fn names_a_commit(text: &str) -> bool {
    text.split(['-', '_', '.']).any(|word| {
        let word = word.strip_prefix('g').unwrap_or(word);
        word.len() >= COMMIT_LENGTH
            && word.bytes().all(|byte| byte.is_ascii_hexdigit())
            && word.bytes().any(|byte| byte.is_ascii_digit())
            && word.bytes().any(|byte| byte.is_ascii_alphabetic())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tag(text: &str) -> Tag {
        Tag::parse(text).unwrap()
    }

    fn newest(current: &str, published: &[&str]) -> Option<String> {
        let tags: Vec<Tag> = published.iter().map(|text| tag(text)).collect();
        VersionTag::parse(&tag(current))
            .unwrap()
            .newest_of(&tags)
            .map(|newest| newest.tag().as_str().to_owned())
    }

    #[test]
    fn channels_and_commits_are_no_versions() {
        for text in [
            "prod",
            "latest",
            "edge",
            "main-1a2b3c4",
            "1.2.3-g0a1b2c3d",
            "sha-0123abc",
        ] {
            assert_eq!(VersionTag::parse(&tag(text)), None, "{text}");
        }
    }

    #[test]
    fn the_newest_of_the_same_family_is_found() {
        for (current, published, expected) in [
            (
                "1.35",
                &["1.34", "1.36", "1.36.1", "latest", "2"][..],
                Some("1.36"),
            ),
            ("1.35", &["1.9", "1.35"], None),
            ("1.9", &["1.10"], Some("1.10")),
            (
                "v1.2.3",
                &["1.9.9", "v1.2.4", "v1.3.0-rc.1"],
                Some("v1.2.4"),
            ),
            (
                "1.2.3-alpine",
                &["1.2.4", "1.2.4-alpine3.18", "1.2.4-alpine"],
                Some("1.2.4-alpine"),
            ),
            (
                "1.2.3-alpine3.18",
                &["1.2.3-alpine3.19", "1.2.4-debian12"],
                Some("1.2.3-alpine3.19"),
            ),
            (
                "6.6-24.04_beta",
                &["6.6-24.04_edge", "6.10-24.10_beta", "6.9-24.04_beta"],
                Some("6.10-24.10_beta"),
            ),
            ("3", &["20240606", "4"], Some("4")),
            ("2024.1", &["2025.1", "3.1"], Some("2025.1")),
            ("1.30.5", &["1.30.5", "1.30.5-arm64"], None),
            ("1.2.3-rc.1", &["1.2.3-rc.2", "1.2.3"], Some("1.2.3-rc.2")),
        ] {
            assert_eq!(
                newest(current, published).as_deref(),
                expected,
                "{current} among {published:?}"
            );
        }
    }

    #[test]
    fn the_step_is_that_of_the_first_number_that_differs() {
        for (from, to, step) in [
            ("1.35", "2.0", Change::Major),
            ("1.35", "1.36", Change::Minor),
            ("1.35.1", "1.35.2", Change::Patch),
            ("1.2.3.4", "1.2.3.5", Change::Patch),
            ("1.2-alpine3.18", "1.2-alpine3.19", Change::Patch),
            ("1.2", "1.2", Change::None),
        ] {
            let parse = |text| VersionTag::parse(&tag(text)).unwrap();
            assert_eq!(parse(from).change_to(&parse(to)), step, "{from} to {to}");
        }
    }

    proptest! {
        #[test]
        fn what_is_newest_is_newer_and_alike(
            current in "v?[0-9]{1,3}(\\.[0-9]{1,3}){0,2}(-[a-z]{1,4}[0-9]?)?",
            published in proptest::collection::vec("v?[0-9]{1,3}(\\.[0-9]{1,3}){0,2}(-[a-z]{1,4}[0-9]?)?", 0..12),
        ) {
            let current = tag(&current);
            let tags: Vec<Tag> = published.iter().map(|text| tag(text)).collect();
            if let Some(version) = VersionTag::parse(&current) {
                let newest = version.newest_of(&tags);
                for candidate in tags.iter().filter_map(VersionTag::parse) {
                    if version.compare(&candidate) == Some(Ordering::Less) {
                        let newest = newest.as_ref().unwrap();
                        prop_assert!(newest.compare(&candidate) != Some(Ordering::Less));
                        prop_assert!(version.change_to(newest) != Change::None);
                    }
                }
                if let Some(newest) = newest {
                    prop_assert!(tags.contains(newest.tag()));
                    prop_assert_eq!(version.compare(&newest), Some(Ordering::Less));
                }
            }
        }
    }
}
