//! What is done about each image, and why.

use std::collections::BTreeMap;

use super::{Facts, WishedAction};
use crate::image::Digest;
use crate::manifest::Platform;
use crate::plan::{Decision, ImagePlan};
use crate::profile::{Kinship, OptOut, ProfileImage};
use crate::report::{
    DigestKind, ImageFlag, ImageReport, ImageState, Reference, RunningDigest, TagSource,
};
use crate::workload::WorkloadId;

/// An image with what was decided about it.
pub(super) struct Judged<'facts> {
    /// Its place in the release's report.
    pub(super) index: usize,
    pub(super) known: Option<&'facts ProfileImage>,
    pub(super) plan: ImagePlan,
    /// True if pods provably run other content than is published.
    pub(super) is_behind: bool,
    /// The annotation with its record, where this chart version keeps one.
    pub(super) record: Option<String>,
    /// What is to stand there.
    pub(super) to_record: Option<Digest>,
}

impl<'facts> Facts<'facts> {
    /// Decides about every image of the release.
    pub(super) fn judge(&self, warnings: &mut Vec<String>) -> Vec<Judged<'facts>> {
        let mut judged = Vec::new();
        for (index, image) in self.report.images.iter().enumerate() {
            let image = self.judge_one(index, image);
            if image.plan.decision == Decision::Unknown {
                warnings.push(format!("{}: {}", image.plan.name, image.plan.reason));
            }
            judged.push(image);
        }
        judged
    }

    fn judge_one(&self, index: usize, image: &ImageReport) -> Judged<'facts> {
        let known = self.known(image);
        let record = self.record_key(known);
        let is_behind = matches!(image.state, ImageState::Behind | ImageState::Rolling);
        let (decision, reason, to_record) = self.decide(image, known, record.is_some());
        Judged {
            index,
            known,
            plan: ImagePlan::of(image, decision, reason),
            is_behind,
            record,
            to_record,
        }
    }

    /// The annotation that records an image, where this chart version keeps one.
    pub(super) fn record_key(&self, known: Option<&ProfileImage>) -> Option<String> {
        let version = self.release.chart.version.as_ref();
        known
            .filter(|known| self.is_ours && self.main.is_some() && known.is_recorded(version))
            .and_then(|known| known.record.clone())
    }

    /// The decision, its reason, and what is to be recorded once it is carried out.
    fn decide(
        &self,
        image: &ImageReport,
        known: Option<&ProfileImage>,
        has_record: bool,
    ) -> (Decision, String, Option<Digest>) {
        let nothing = |decision, reason: &str| (decision, reason.to_owned(), None);
        if let Some((decision, reason)) = self.excluded(image, known) {
            return (decision, reason, None);
        }
        let published = image.digest.published.as_ref();
        let recorded = image.digest.recorded.as_ref();
        match image.state {
            ImageState::Idle => nothing(Decision::Idle, "nothing of it runs"),
            ImageState::Unknown => {
                let reason = image.unknown.as_ref().map_or_else(
                    || "how it stands could not be established".to_owned(),
                    |unknown| unknown.message.clone(),
                );
                (Decision::Unknown, reason, None)
            }
            ImageState::Current if has_record && recorded != published && published.is_some() => {
                let reason = match recorded {
                    None => "seen for the first time: pods run what is published",
                    Some(_)
                        if !image
                            .digest
                            .running
                            .iter()
                            .any(|running| Some(&running.digest) == published) =>
                    {
                        "pushed again around the same content: it is recorded, so that nothing restarts for it"
                    }
                    Some(_) => "the record names other content than pods run and is published",
                };
                (Decision::Record, reason.to_owned(), published.cloned())
            }
            ImageState::Current => nothing(Decision::Current, "pods run what is published"),
            ImageState::Behind | ImageState::Rolling => self.decide_behind(image, has_record),
        }
    }

    fn decide_behind(
        &self,
        image: &ImageReport,
        has_record: bool,
    ) -> (Decision, String, Option<Digest>) {
        let published = image.digest.published.clone();
        let is_first = has_record && image.digest.recorded.is_none();
        let only_records = self.wish.action == Some(WishedAction::Record);
        if (is_first && !self.wish.force) || only_records {
            let former = self.runs_before(image);
            let reason = match (&former, is_first) {
                (None, _) => {
                    return (
                        Decision::Unknown,
                        "what runs has no digest that could be recorded".to_owned(),
                        None,
                    );
                }
                (Some(_), true) => "seen for the first time: what runs is recorded",
                (Some(_), false) => "what runs is recorded, as --action record says",
            };
            return (Decision::Record, reason.to_owned(), former);
        }
        let reason = if image.source == TagSource::Env {
            "the environment names other content than is published".to_owned()
        } else if image.digest.recorded.is_some() && image.digest.recorded == published {
            format!(
                "{} of {} pods run other content, though the record says that all is done",
                image.pods_behind, image.pods
            )
        } else {
            format!(
                "{} of {} pods run other content",
                image.pods_behind, image.pods
            )
        };
        (Decision::Move, reason, published)
    }

    /// Why an image is none of this run's business.
    fn excluded(
        &self,
        image: &ImageReport,
        known: Option<&ProfileImage>,
    ) -> Option<(Decision, String)> {
        let is_named = self.wish.images.contains(&image.name);
        let says = |decision, reason: String| Some((decision, reason));
        if image.flags.contains(&ImageFlag::Held) {
            return says(
                Decision::Held,
                "the chart holds it behind its tag on purpose".to_owned(),
            );
        }
        let opt_out = self
            .profile
            .opt_outs
            .iter()
            .find(|opt_out| opt_out.image == image.name && opt_out.is_in_force(self.release));
        if let Some(opt_out) = opt_out.filter(|_| self.is_ours) {
            return says(
                Decision::OptedOut,
                format!("the value {} is {}", opt_out.value, opt_out.text),
            );
        }
        if image.flags.contains(&ImageFlag::Pinned) {
            let value = known.and_then(|known| known.digest_value.as_ref());
            let reason = match value {
                Some(_) if self.release.is_by_labels() => {
                    "a value, or the chart, pins it".to_owned()
                }
                Some(value) => format!("the value {value} pins it"),
                None => "the stored manifest names a digest".to_owned(),
            };
            return says(Decision::Pinned, reason);
        }
        let is_held =
            |reference: &Reference| self.is_held_live(&reference.workload.workload, image);
        if image.references.iter().any(is_held) {
            return says(Decision::Pinned, "pin holds it on its workload".to_owned());
        }
        let version = self.release.chart.version.as_ref();
        if let Some(carried) = known.and_then(|known| known.carried.as_ref())
            && !carried.is_refreshed(version)
        {
            return says(
                Decision::MovesWithChart,
                "it moves with the chart's versions only".to_owned(),
            );
        }
        if !self.wish.images.is_empty() && !is_named {
            return says(Decision::NotAskedFor, "--image names others".to_owned());
        }
        if !self.is_followed(image) && !is_named && !self.wish.all {
            return says(
                Decision::NotAskedFor,
                "the chart's own refresh does not follow it; --all does".to_owned(),
            );
        }
        let uses: Vec<&WorkloadId> = image
            .references
            .iter()
            .map(|reference| &reference.workload.workload)
            .collect();
        if !uses.iter().any(|id| self.is_selected(id)) {
            return says(Decision::NotAskedFor, "--workload names others".to_owned());
        }
        let is_unknown =
            |opt_out: &&OptOut| opt_out.image == image.name && opt_out.is_unknown(self.release);
        if let Some(opt_out) = self.profile.opt_outs.iter().find(is_unknown)
            && self.is_ours
            && image.state != ImageState::Idle
        {
            return says(
                Decision::Unknown,
                format!(
                    "the value {} may exempt it, and the release's record may not be read",
                    opt_out.value
                ),
            );
        }
        None
    }
}

impl Facts<'_> {
    /// True if an image is meant where none is named: of the profile's chart those that its own refresh follows, and of the charts that it replaces
    /// the same ones, whose databases are no less touchy; of any other chart all.
    fn is_followed(&self, image: &ImageReport) -> bool {
        if self.profile.kinship(self.release) == Kinship::Foreign {
            return true;
        }
        let mut known = self.profile.images.iter();
        known.any(|known| known.name == image.name && known.record.is_some())
    }

    /// The content that is to be replaced, of which most pods run: what is recorded at first sight.
    fn runs_before(&self, image: &ImageReport) -> Option<Digest> {
        if image.source == TagSource::Env {
            return image.digest.carried.clone();
        }
        let behind: Vec<&RunningDigest> = image
            .digest
            .running
            .iter()
            .filter(|one| is_behind(one))
            .collect();
        self.most_of(image, &behind).map(|(digest, _)| digest)
    }

    /// What a workload is brought back to: the content that most of its pods run and that is not what is published. None that could not be pulled by
    /// its digest, nor the manifest of one platform where pods are on nodes of several: it would come to all of them.
    pub(super) fn former(&self, image: &ImageReport, id: &WorkloadId) -> Option<Digest> {
        self.content_in(image, id, is_behind)
    }

    /// What pods of a workload run of an image, whatever is published, as something to be brought back to.
    pub(super) fn content(&self, image: &ImageReport, id: &WorkloadId) -> Option<Digest> {
        self.content_in(image, id, |_| true)
    }

    fn content_in(
        &self,
        image: &ImageReport,
        id: &WorkloadId,
        is_meant: impl Fn(&RunningDigest) -> bool,
    ) -> Option<Digest> {
        let all = image.digest.running.iter();
        let here: Vec<&RunningDigest> = all.filter(|running| running.workload == *id).collect();
        let meant: Vec<&RunningDigest> = here.iter().copied().filter(|one| is_meant(one)).collect();
        let (digest, is_whole) = self.most_of(image, &meant)?;
        let is_on = |platform: &Option<Platform>| {
            here.iter()
                .any(|running| running.platform == *platform && running.digest == digest)
        };
        let is_on_all = here.iter().all(|running| is_on(&running.platform));
        (is_whole || is_on_all).then_some(digest)
    }

    /// The content that most of these pods run, by the digest of its index where that is known; and whether it is. None that could not be pulled by
    /// its digest.
    fn most_of(&self, image: &ImageReport, running: &[&RunningDigest]) -> Option<(Digest, bool)> {
        let mut pods: BTreeMap<(Digest, bool), u32> = BTreeMap::new();
        for running in running
            .iter()
            .filter(|running| running.kind != DigestKind::Config)
        {
            let content = match self.index_of(image, &running.digest) {
                Some(index) => (index, true),
                None => (running.digest.clone(), running.kind == DigestKind::Index),
            };
            *pods.entry(content).or_default() += running.pods;
        }
        let most = pods.into_iter().max_by_key(|(_, pods)| *pods);
        most.map(|(content, _)| content)
    }
}

/// True of pods that provably run other content than is published.
fn is_behind(running: &RunningDigest) -> bool {
    running.current == Some(false)
}
