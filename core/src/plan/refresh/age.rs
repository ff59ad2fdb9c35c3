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

/// The annotation on the main workload that says when which content was seen first: JSON, by the images' names.
const FIRST_SEEN: &str = "tracebloc.io/first-seen";

/// When some content of an image was seen first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    digest: Digest,
    at: Timestamp,
}

impl Facts<'_> {
    /// Holds back what is too young; the step notes what was not seen before.
    pub(super) fn hold_back(&self, judged: &mut [Judged<'_>]) -> Option<Step> {
        let least = self.wish.min_age?;
        let keeper = self.main?;
        let now = self.snapshot.observed_at;
        let text = keeper.records.get(FIRST_SEEN);
        let known: BTreeMap<String, Seen> = text
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let mut seen = known.clone();
        for image in judged
            .iter_mut()
            .filter(|image| image.plan.decision == Decision::Move)
        {
            let Some(published) = image.plan.published.clone() else {
                continue;
            };
            let since = match known.get(&image.plan.name) {
                Some(seen) if seen.digest == published => seen.at,
                Some(_) | None => now,
            };
            let so_far = now.duration_since(since);
            seen.insert(
                image.plan.name.clone(),
                Seen {
                    digest: published,
                    at: since,
                },
            );
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
        // Maps of texts and moments: there is nothing in them that JSON has no form for.
        let noted = serde_json::to_string(&seen).unwrap_or_default();
        (seen != known).then(|| {
            write(
                keeper,
                "note-first-seen".to_owned(),
                "note since when the published content is known".to_owned(),
                BTreeMap::from([(FIRST_SEEN.to_owned(), noted)]),
                Vec::new(),
            )
        })
    }
}
