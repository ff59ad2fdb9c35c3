//! What a repository listed before: versions do not vanish from a list, and their content does not change, without somebody doing it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::ChartIndex;
use crate::version::Version;

/// How long a change is told. After it the list as it is counts as good.
const TOLD_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The versions of a chart that a repository has listed, the last good list first of all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartHistory {
    versions: BTreeMap<String, Remembered>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Remembered {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gone_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaced: Option<Replaced>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Replaced {
    was: String,
    since: Timestamp,
}

/// What changed in a list that should only grow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartChanges {
    /// Versions that were listed and are not any more, newest first. Those that were cut off at the old end of the list do not count: that is
    /// how repositories are kept small.
    pub withdrawn: Vec<Version>,
    /// Versions whose content is another than before, newest first.
    pub republished: Vec<Republished>,
}

/// A version that was published again with other content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Republished {
    /// Which.
    pub version: Version,
    /// The digest that it had.
    pub was: String,
    /// The digest that it has.
    pub is: String,
}

impl ChartHistory {
    /// Takes a list into account, and says in which way it is not what the lists before it promised.
    #[must_use]
    pub fn advance(mut self, index: &ChartIndex, now: Timestamp) -> (Self, ChartChanges) {
        let recent = |since: Timestamp| now.duration_since(since) < TOLD_FOR;
        for published in &index.versions {
            let known = self
                .versions
                .entry(published.version.to_string())
                .or_default();
            known.gone_since = None;
            let Some(digest) = &published.digest else {
                continue;
            };
            if let Some(was) = known.digest.replace(digest.clone())
                && was != *digest
            {
                // The first content is the one that was promised, however often it changes afterwards.
                let first = known.replaced.take().map_or(was, |replaced| replaced.was);
                known.replaced = (first != *digest).then_some(Replaced {
                    was: first,
                    since: now,
                });
            }
            known.replaced = known.replaced.take().filter(|change| recent(change.since));
        }
        let listed: Vec<&str> = index
            .versions
            .iter()
            .map(|published| published.version.as_str())
            // What turned out to be no chart is still there.
            .chain(
                index
                    .rejected
                    .iter()
                    .filter_map(|rejected| rejected.version.as_deref()),
            )
            .collect();
        self.versions.retain(|text, known| {
            listed.contains(&text.as_str()) || recent(*known.gone_since.get_or_insert(now))
        });
        let changes = self.changes(index);
        (self, changes)
    }

    fn changes(&self, index: &ChartIndex) -> ChartChanges {
        let oldest = index
            .versions
            .iter()
            .map(|published| &published.version)
            .min();
        let mut changes = ChartChanges::default();
        for (text, known) in &self.versions {
            let Ok(version) = Version::parse(text) else {
                continue;
            };
            if known.gone_since.is_some() {
                if oldest.is_none_or(|oldest| version > *oldest) {
                    changes.withdrawn.push(version);
                }
            } else if let (Some(replaced), Some(is)) = (&known.replaced, &known.digest) {
                changes.republished.push(Republished {
                    version,
                    was: replaced.was.clone(),
                    is: is.clone(),
                });
            }
        }
        changes.withdrawn.sort_by(|one, other| other.cmp(one));
        changes
            .republished
            .sort_by(|one, other| other.version.cmp(&one.version));
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(versions: &[(&str, char)]) -> ChartIndex {
        let mut entries = String::new();
        for (version, digest) in versions {
            let digest = digest.to_string().repeat(64);
            entries += &format!("  - {{name: client, version: {version}, digest: {digest}}}\n");
        }
        let text = format!("apiVersion: v1\nentries:\n  client:\n{entries}");
        ChartIndex::parse(text.as_bytes(), "client").unwrap()
    }

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(number * 86_400).unwrap()
    }

    fn texts(versions: &[Version]) -> Vec<&str> {
        versions.iter().map(Version::as_str).collect()
    }

    #[test]
    fn a_list_that_grows_is_good_and_so_is_one_whose_old_end_is_cut_off() {
        let (history, changes) =
            ChartHistory::default().advance(&index(&[("1.0.0", 'a'), ("1.1.0", 'b')]), day(0));
        assert_eq!(changes, ChartChanges::default());
        let (_, changes) = history.advance(&index(&[("1.1.0", 'b'), ("1.2.0", 'c')]), day(1));
        assert_eq!(changes, ChartChanges::default());
    }

    #[test]
    fn a_withdrawn_version_is_told_until_it_is_back_or_a_month_has_passed() {
        let whole = index(&[("1.0.0", 'a'), ("1.1.0", 'b'), ("1.2.0", 'c')]);
        let less = index(&[("1.0.0", 'a')]);
        let (history, _) = ChartHistory::default().advance(&whole, day(0));
        let (history, changes) = history.advance(&less, day(1));
        assert_eq!(texts(&changes.withdrawn), ["1.2.0", "1.1.0"]);
        let (again, changes) = history.clone().advance(&less, day(29));
        assert_eq!(changes.withdrawn.len(), 2);
        assert_eq!(again.advance(&less, day(31)).1, ChartChanges::default());
        assert_eq!(history.advance(&whole, day(2)).1, ChartChanges::default());
    }

    #[test]
    fn an_emptied_list_withdraws_everything() {
        let (history, _) = ChartHistory::default().advance(&index(&[("1.0.0", 'a')]), day(0));
        let (_, changes) = history.advance(&ChartIndex::default(), day(1));
        assert_eq!(texts(&changes.withdrawn), ["1.0.0"]);
    }

    #[test]
    fn other_content_under_a_version_is_told_until_the_first_is_back() {
        let (history, _) = ChartHistory::default().advance(&index(&[("1.0.0", 'a')]), day(0));
        let (history, changes) = history.advance(&index(&[("1.0.0", 'b')]), day(1));
        assert_eq!(changes.republished[0].was, "a".repeat(64));
        assert_eq!(changes.republished[0].is, "b".repeat(64));
        let (history, changes) = history.advance(&index(&[("1.0.0", 'c')]), day(2));
        assert_eq!(changes.republished[0].was, "a".repeat(64));
        let (_, changes) = history.advance(&index(&[("1.0.0", 'a')]), day(3));
        assert_eq!(changes, ChartChanges::default());
    }

    #[test]
    fn what_turns_out_to_be_no_chart_was_not_withdrawn() {
        let mut index = ChartIndex::from_tags(["1.0.0", "2.0.0"]);
        let (history, _) = ChartHistory::default().advance(&index, day(0));
        index.learn(&Version::parse("2.0.0").unwrap(), None, None);
        assert_eq!(history.advance(&index, day(0)).1, ChartChanges::default());
    }

    #[test]
    fn a_history_is_stored_and_read_again() {
        let (history, _) = ChartHistory::default().advance(&index(&[("1.0.0", 'a')]), day(0));
        let (history, _) = history.advance(&index(&[("1.0.0", 'b')]), day(1));
        let text = serde_json::to_string(&history).unwrap();
        assert_eq!(
            serde_json::from_str::<ChartHistory>(&text).unwrap(),
            history
        );
    }
}
