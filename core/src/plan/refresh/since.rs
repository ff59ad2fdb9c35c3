//! How a container stands to what a refresh left there: only from that can it be gone back.

use crate::change::{ChangeState, ContainerChange};
use crate::image::{Digest, ImageRef, RunningImage};
use crate::manifest::{ContentVerdict, Document, Documents, Manifest, Platform, Verdict, compare};
use crate::report::ImageReport;
use crate::snapshot::{Evidence, Snapshot};
use crate::workload::LiveWorkload;

/// What became of a container since a refresh changed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Since {
    /// It stands as it was left; with the content that is gone back from.
    Left(Digest),
    /// Somebody went back already.
    Back,
    /// Something else was brought to it since: what it runs or has now.
    Else(String),
}

/// What became of a container since a change of ours, which came to that state.
pub(super) fn since(
    snapshot: &Snapshot,
    live: &LiveWorkload,
    then: &ContainerChange,
    state: ChangeState,
    image: &ImageReport,
) -> Since {
    if then.variable.is_some() {
        return match &image.digest.carried {
            Some(carried) if *carried == then.wanted => Since::Left(then.wanted.clone()),
            Some(carried) if Some(carried) == then.former.as_ref() => Since::Back,
            Some(carried) => Since::Else(carried.short()),
            None => Since::Else("no digest".to_owned()),
        };
    }
    let container = live.workload.container(&then.container);
    let Some(reference) = container.and_then(|container| container.image.as_ref().ok()) else {
        return Since::Else("no image that can be read".to_owned());
    };
    let stand = Stand::new(snapshot, live, then, reference, image);
    let is_wanted = |content: &Content<'_>| stand.is(&then.wanted, content);
    if stand.contents.iter().any(is_wanted) {
        return Since::Left(then.wanted.clone());
    }
    let is_former = |content: &Content<'_>| {
        let former = then.former.as_ref();
        former.is_some_and(|former| stand.is(former, content))
    };
    if !is_reference(reference, &then.to) {
        let is_back = (reference.digest().is_some() && reference.digest() == then.former.as_ref())
            || (!stand.contents.is_empty() && stand.contents.iter().all(is_former));
        return match stand.contents.first() {
            _ if is_back => Since::Back,
            Some((running, _)) => Since::Else(running.digest.short()),
            None => Since::Else(reference.familiar()),
        };
    }
    // Under a tag anybody may have started pods with something else. Where it is not certain that they do, what was brought is what is left.
    let other = stand
        .contents
        .iter()
        .filter(|_| reference.digest().is_none())
        .find(|content| !is_former(content) && stand.is_other(&then.wanted, content));
    let is_published = image.digest.published.as_ref() == Some(&then.wanted);
    match (other, state) {
        (None, _) => Since::Left(then.wanted.clone()),
        (Some(_), ChangeState::Failed) if is_published => Since::Left(then.wanted.clone()),
        // It failed just for that, perhaps: the tag moved once more while the pods started.
        (Some((running, _)), ChangeState::Failed) => Since::Left(running.digest.clone()),
        (Some((running, _)), _) => Since::Else(running.digest.short()),
    }
}

/// True if a reference is that text, however it is written.
pub(super) fn is_reference(reference: &ImageRef, text: &str) -> bool {
    ImageRef::parse(text).is_ok_and(|other| other.familiar() == reference.familiar())
}

/// What one pod runs, and the platform of its node.
type Content<'facts> = (&'facts RunningImage, Option<&'facts Platform>);

/// What the pods run in a container, and what is known to compare it.
struct Stand<'facts> {
    contents: Vec<Content<'facts>>,
    documents: Option<&'facts Documents>,
    image: &'facts ImageReport,
}

impl<'facts> Stand<'facts> {
    fn new(
        snapshot: &'facts Snapshot,
        live: &LiveWorkload,
        then: &ContainerChange,
        reference: &ImageRef,
        image: &'facts ImageReport,
    ) -> Self {
        let pods = match snapshot.pods_of(&live.workload.id) {
            Evidence::Known(pods) => pods,
            Evidence::Unknown(_) => Vec::new(),
        };
        let contents = pods.into_iter().filter_map(|pod| {
            let running = pod.containers.get(&then.container)?.running.as_ref()?;
            let platform = pod.node.as_ref().and_then(|node| snapshot.nodes.get(node));
            Some((running, platform))
        });
        Self {
            contents: contents.collect(),
            documents: snapshot.manifests.get(reference.repository()),
            image,
        }
    }

    fn compare(&self, digest: &Digest, (running, platform): &Content<'_>) -> Option<bool> {
        let nothing = Documents::new();
        let documents = self.documents.unwrap_or(&nothing);
        match compare(digest, running, *platform, documents) {
            Verdict::Decided(ContentVerdict::Current(_)) => Some(true),
            Verdict::Decided(ContentVerdict::Different) => Some(false),
            Verdict::Decided(ContentVerdict::Unknown(_)) | Verdict::Needs(_) => None,
        }
    }

    /// True if that is what provably runs.
    fn is(&self, digest: &Digest, content: &Content<'_>) -> bool {
        self.compare(digest, content) == Some(true)
    }

    /// True if something else provably runs. Records, and what is published, name content as a whole, as a change does; and so does an index.
    fn is_other(&self, wanted: &Digest, content: &Content<'_>) -> bool {
        let running = &content.0.digest;
        let published = self.image.digest.published.as_ref();
        let is_index = || {
            let document = self.documents.and_then(|documents| documents.get(running));
            matches!(document, Some(Document::Found(Manifest::Index { .. })))
        };
        match self.compare(wanted, content) {
            Some(is_wanted) => !is_wanted,
            None => {
                self.image.digest.recorded.as_ref() == Some(running)
                    || published
                        .is_some_and(|published| published != wanted && self.is(published, content))
                    || is_index()
            }
        }
    }
}
