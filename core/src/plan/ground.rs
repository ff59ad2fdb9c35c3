//! What every plan is made from.

use std::collections::BTreeSet;

use crate::advice::Advisor;
use crate::change::{ANNOTATION, Change};
use crate::finding::Finding;
use crate::image::{Digest, ImageRef};
use crate::manifest::{Document, Manifest};
use crate::nearest::nearest;
use crate::profile::{Kinship, Profile, ProfileImage};
use crate::release::Release;
use crate::report::{ContainerId, ImageReport, OutdatedReport, ReleaseReport};
use crate::snapshot::{Evidence, Gap, ObservedRelease, Snapshot};
use crate::workload::{LiveWorkload, WorkloadId};

/// How many names a message about a wrong one offers.
const SUGGESTIONS: usize = 3;

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WishError {
    /// The snapshot holds no release.
    #[error("there is no release to refresh")]
    NoRelease,
    /// The release's record could not be read, and with it nothing of what it consists of.
    #[error("the record of the release could not be read: {}", .0.message)]
    Unreadable(Gap),
    /// `--image` names none of the release's.
    #[error("the release has no image `{name}`")]
    NoImage {
        /// The name.
        name: String,
        /// What may have been meant; all of them where nothing is near.
        known: Vec<String>,
    },
    /// `--workload` names none of the release's.
    #[error("the release has no workload `{name}`")]
    NoWorkload {
        /// The name.
        name: String,
        /// What may have been meant; all of them where nothing is near.
        known: Vec<String>,
    },
}

/// What every plan is made from: one release, and how it stands.
pub(super) struct Ground<'facts> {
    pub(super) snapshot: &'facts Snapshot,
    pub(super) profile: &'facts Profile,
    pub(super) advisor: Advisor<'facts>,
    pub(super) observed: &'facts ObservedRelease,
    pub(super) release: &'facts Release,
    /// The workload that carries the records, where there is one.
    pub(super) main: Option<&'facts LiveWorkload>,
    pub(super) report: &'facts ReleaseReport,
    pub(super) findings: &'facts [Finding],
    pub(super) is_ours: bool,
}

impl<'facts> Ground<'facts> {
    /// The ground of the one release of a snapshot, with what was judged of it.
    pub(super) fn new(
        snapshot: &'facts Snapshot,
        profile: &'facts Profile,
        outdated: &'facts OutdatedReport,
    ) -> Result<Self, WishError> {
        let observed = snapshot.releases.first().ok_or(WishError::NoRelease)?;
        let release = match observed.current() {
            Evidence::Known(release) => release,
            Evidence::Unknown(gap) => return Err(WishError::Unreadable(gap.clone())),
        };
        Ok(Self {
            snapshot,
            profile,
            advisor: Advisor::new(&snapshot.context),
            observed,
            release,
            main: main_workload(snapshot, profile, release),
            report: outdated.releases.first().ok_or(WishError::NoRelease)?,
            findings: &outdated.findings,
            is_ours: profile.kinship(release) == Kinship::Ours,
        })
    }

    /// The same for a plan that takes what only Helm's record tells.
    pub(super) fn by_record(
        snapshot: &'facts Snapshot,
        profile: &'facts Profile,
        outdated: &'facts OutdatedReport,
    ) -> Result<Self, WishError> {
        let ground = Self::new(snapshot, profile, outdated)?;
        match &ground.observed.unread {
            Some(gap) => Err(WishError::Unreadable(gap.clone())),
            None => Ok(ground),
        }
    }

    /// A name that is none of the release's images is a mistake, not an empty wish.
    pub(super) fn check_images(&self, wished: &BTreeSet<String>) -> Result<(), WishError> {
        let images: BTreeSet<&str> = self
            .report
            .images
            .iter()
            .map(|image| image.name.as_str())
            .collect();
        match wished.iter().find(|name| !images.contains(name.as_str())) {
            Some(name) => Err(WishError::NoImage {
                name: name.clone(),
                known: meant(&images, name),
            }),
            None => Ok(()),
        }
    }

    /// What the profile knows of an image.
    pub(super) fn known(&self, image: &ImageReport) -> Option<&'facts ProfileImage> {
        self.profile
            .images
            .iter()
            .find(|known| self.is_ours && known.name == image.name)
    }

    pub(super) fn live(&self, id: &WorkloadId) -> Option<&'facts LiveWorkload> {
        self.snapshot
            .live
            .iter()
            .find(|live| live.workload.id == *id)
    }

    /// A number that an annotation of the main workload holds.
    pub(super) fn count(&self, key: &str) -> u32 {
        self.main
            .and_then(|main| main.records.get(key)?.trim().parse().ok())
            .unwrap_or(0)
    }

    /// The workloads in the order in which they roll out: the main one first, as the chart's own job does it.
    pub(super) fn order(&self) -> Vec<&WorkloadId> {
        let main = self.main.map(|main| &main.workload.id);
        let mut order: Vec<&WorkloadId> = self
            .release
            .workloads
            .iter()
            .map(|workload| &workload.id)
            .collect();
        order.sort_by_key(|id| Some(*id) != main);
        order
    }
}

impl<'facts> Ground<'facts> {
    /// The reference that a container has in the cluster.
    pub(super) fn live_image(&self, used: &ContainerId) -> Option<&'facts ImageRef> {
        let live = self.live(&used.workload)?;
        live.workload
            .container(&used.container)?
            .image
            .as_ref()
            .ok()
    }

    /// The reference that the stored manifest has.
    pub(super) fn rendered(&self, used: &ContainerId) -> Option<&'facts ImageRef> {
        let stored = self
            .release
            .workloads
            .iter()
            .find(|workload| workload.id == used.workload)?;
        stored.container(&used.container)?.image.as_ref().ok()
    }

    /// The index with that manifest in it, of those that are known: what is published, what pins the image, what is recorded of it, and what we
    /// brought it to last.
    pub(super) fn index_of(&self, image: &ImageReport, digest: &Digest) -> Option<Digest> {
        let mut used = image.references.iter().map(|reference| &reference.workload);
        let repository = used.find_map(|used| self.live_image(used))?.repository();
        let documents = self.snapshot.manifests.get(repository)?;
        let brought = image.references.iter().filter_map(|reference| {
            let live = self.live(&reference.workload.workload)?;
            let last = Change::parse(live.records.get(ANNOTATION)?)?;
            let mut containers = last.containers.into_iter();
            let then = containers.find(|then| then.image == image.name)?;
            Some(then.wanted)
        });
        let known = [
            &image.digest.published,
            &image.digest.pinned,
            &image.digest.recorded,
        ];
        known
            .into_iter()
            .flatten()
            .cloned()
            .chain(brought)
            .find(|index| match documents.get(index) {
                Some(Document::Found(Manifest::Index { children })) => {
                    let mut images = children.iter().filter(|child| !child.attestation);
                    images.any(|child| child.digest == *digest)
                }
                Some(_) | None => false,
            })
    }

    /// The digest at which a workload says to hold an image, as `pin` does where the chart has no value for it.
    pub(super) fn mark(&self, id: &WorkloadId, image: &ImageReport) -> Option<Digest> {
        Digest::parse(self.live(id)?.records.get(&mark_of(&image.name))?).ok()
    }

    /// True if a workload says that it holds an image, and does.
    pub(super) fn is_held_live(&self, id: &WorkloadId, image: &ImageReport) -> bool {
        let mark = self.mark(id, image);
        let containers = image.references.iter().map(|reference| &reference.workload);
        mark.is_some()
            && containers
                .filter(|used| used.workload == *id)
                .all(|used| self.live_image(used).and_then(ImageRef::digest) == mark.as_ref())
    }
}

/// The annotation that names, on a workload, the content at which an image is held there.
pub(super) fn mark_of(image: &str) -> String {
    format!("tracebloc.io/pinned-{image}-digest")
}

/// What a wrong name may have meant; all that there are where none is near.
pub(super) fn meant(known: &BTreeSet<&str>, name: &str) -> Vec<String> {
    let near = nearest(known.iter().copied(), name, SUGGESTIONS);
    if near.is_empty() {
        known.iter().map(|&known| known.to_owned()).collect()
    } else {
        near
    }
}

/// The live workload that carries the records of a release.
fn main_workload<'facts>(
    snapshot: &'facts Snapshot,
    profile: &Profile,
    release: &Release,
) -> Option<&'facts LiveWorkload> {
    snapshot.live.iter().find(|live| {
        live.workload.id.namespace == release.head.id.namespace
            && profile
                .main_workload
                .matches(&live.workload.id, &release.head.id.name)
    })
}
