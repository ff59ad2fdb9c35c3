//! `--min-age`: content is left alone until it has been published for a while. Registries do not say since when a tag points to what it points to, so
//! that we note it ourselves, in an annotation, when we see it first.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Facts;
use super::decide::Judged;
use super::steps::write;
use crate::image::Digest;
use crate::plan::{Decision, Step};
use crate::time::age;
use crate::workload::{LiveWorkload, WorkloadId};

/// The annotation on a workload that says when which content was seen first: JSON, by the images' names.
const FIRST_SEEN: &str = "tracebloc.io/first-seen";

/// When some content of an image was seen first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    digest: Digest,
    at: Timestamp,
}

/// What was seen of which image.
type SeenImages = BTreeMap<String, Seen>;

impl Facts<'_> {
    /// Holds back what is too young; the steps note what was not seen before: on the main workload, and where a release has none, on the first one
    /// that runs the image.
    pub(super) fn hold_back(&self, judged: &mut [Judged<'_>]) -> Vec<Step> {
        let Some(least) = self.wish.min_age else {
            return Vec::new();
        };
        let now = self.snapshot.observed_at;
        let mut notes: BTreeMap<&WorkloadId, (&LiveWorkload, SeenImages)> = BTreeMap::new();
        for image in judged
            .iter_mut()
            .filter(|image| image.plan.decision == Decision::Move)
        {
            let Some(published) = image.plan.published.clone() else {
                continue;
            };
            let keepers = self.keepers(image);
            // Another one may have been the first when it was noted.
            let since = keepers
                .iter()
                .filter_map(|keeper| noted(keeper).remove(&image.plan.name))
                .filter(|seen| seen.digest == published)
                .map(|seen| seen.at)
                .min()
                .unwrap_or(now);
            let so_far = now.duration_since(since);
            if let Some(keeper) = keepers.first() {
                let (_, seen) = notes
                    .entry(&keeper.workload.id)
                    .or_insert_with(|| (keeper, noted(keeper)));
                seen.insert(
                    image.plan.name.clone(),
                    Seen {
                        digest: published,
                        at: since,
                    },
                );
            }
            if so_far < least {
                image.plan.decision = Decision::TooYoung;
                image.plan.reason = if so_far <= SignedDuration::ZERO {
                    format!("seen for the first time; --min-age waits {}", age(least))
                } else {
                    format!(
                        "seen for {} so far; --min-age waits {}",
                        age(so_far),
                        age(least)
                    )
                };
            }
        }
        notes
            .into_iter()
            .filter(|(_, (keeper, seen))| *seen != noted(keeper))
            .map(|(id, (keeper, seen))| {
                // Maps of texts and moments: there is nothing in them that JSON has no form for.
                let text = serde_json::to_string(&seen).unwrap_or_default();
                let is_main = self.main.is_some_and(|main| main.workload.id == *id);
                write(
                    keeper,
                    if is_main {
                        "note-first-seen".to_owned()
                    } else {
                        format!("note-first-seen-{}-{}", id.kind.resource(), id.name)
                    },
                    "note since when the published content is known".to_owned(),
                    BTreeMap::from([(FIRST_SEEN.to_owned(), text)]),
                    Vec::new(),
                )
            })
            .collect()
    }

    /// The workloads on which it may stand when content of an image was seen first; the first is where it is noted.
    fn keepers(&self, judged: &Judged<'_>) -> Vec<&LiveWorkload> {
        if let Some(main) = self.main {
            return vec![main];
        }
        let references = &self.image_report(judged).references;
        let runs = |id: &WorkloadId| {
            let mut users = references
                .iter()
                .map(|reference| &reference.workload.workload);
            users.any(|user| user == id)
        };
        let mut users = self.order();
        users.retain(|id| id.kind.rolls_out() && runs(id));
        users.sort_by_key(|id| !self.is_selected(id));
        users.into_iter().filter_map(|id| self.live(id)).collect()
    }
}

/// What is noted on a workload.
fn noted(keeper: &LiveWorkload) -> SeenImages {
    let text = keeper.records.get(FIRST_SEEN);
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}
