//! What lies behind an `oci://` chart repository besides its tags: the manifest of a tag, and small blobs.

use std::sync::PoisonError;

use tracebloc_core::image::{Digest, Repository, Tag};
use tracebloc_core::manifest::{Manifest, chart_content};

use super::{
    CONTENT_DIGEST, Method, Registry, RegistryError, Visit, check_digest, digest_of, permit,
};

/// A chart under a tag.
#[derive(Debug)]
pub(crate) struct TaggedChart {
    /// The digest of its manifest.
    pub(crate) manifest: Digest,
    /// The digest of its configuration.
    pub(crate) config: Digest,
    /// The digest of its package.
    pub(crate) package: Digest,
}

impl Registry {
    /// The manifest that a tag points to now, with its digest.
    pub(crate) async fn tagged(
        &self,
        repository: &Repository,
        tag: &Tag,
    ) -> Result<(Digest, Manifest), RegistryError> {
        let (digest, manifest, _) = self.document(repository, tag).await?;
        Ok((digest, manifest))
    }

    /// The chart that a tag points to now: the digest of its manifest, its configuration and its package; `None` where it is no chart.
    pub(crate) async fn chart(
        &self,
        repository: &Repository,
        tag: &Tag,
    ) -> Result<Option<TaggedChart>, RegistryError> {
        let (manifest, content, body) = self.document(repository, tag).await?;
        let Manifest::Image { config } = content else {
            return Ok(None);
        };
        Ok(chart_content(&body).map(|package| TaggedChart {
            manifest,
            config,
            package,
        }))
    }

    /// The manifest that a tag points to now, with its digest and its bytes.
    async fn document(
        &self,
        repository: &Repository,
        tag: &Tag,
    ) -> Result<(Digest, Manifest, Vec<u8>), RegistryError> {
        let semaphore = self.semaphore(repository);
        let _permit = permit(&semaphore).await;
        let mut visit = self.visit(repository, tag.to_string())?;
        let answer = self.ask(&mut visit, Method::Get).await?;
        if !answer.status.is_success() {
            return Err(visit.refusal(answer.status.as_u16()));
        }
        let announced = answer
            .header(CONTENT_DIGEST)
            .and_then(|digest| Digest::parse(digest).ok());
        let (digest, manifest) = self.keep(repository, announced.as_ref(), &answer)?;
        Ok((digest, manifest, answer.body))
    }

    /// A small blob, checked against its digest.
    pub(crate) async fn blob(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Vec<u8>, RegistryError> {
        let semaphore = self.semaphore(repository);
        let _permit = permit(&semaphore).await;
        let visit = self.visit(repository, digest.to_string())?;
        let path = format!("/v2/{}/blobs/{digest}", repository.path());
        let url = visit.origin.join(&path).map_err(|_| RegistryError::Url {
            repository: repository.clone(),
        })?;
        let mut visit = Visit {
            url,
            accept: "*/*".to_owned(),
            ..visit
        };
        let answer = self.ask(&mut visit, Method::Get).await?;
        if !answer.status.is_success() {
            return Err(visit.refusal(answer.status.as_u16()));
        }
        let actual = digest_of(digest.algorithm(), &answer.body);
        check_digest(repository, Some(digest), &actual)?;
        Ok(answer.body)
    }

    /// True if nothing of a repository was given to us for our credentials so far: what it gave, it gives to everyone.
    pub(crate) fn is_anonymous(&self, repository: &Repository) -> bool {
        !self
            .personal
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(repository)
    }

    /// Notes that a repository gave something for our credentials.
    pub(super) fn note_personal(&self, repository: &Repository) {
        self.personal
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(repository.clone());
    }

    /// True if a registry is asked over http.
    pub(crate) fn is_plain_http(&self, repository: &Repository) -> bool {
        self.origin(repository.registry())
            .is_some_and(|origin| origin.as_url().scheme() == "http")
    }
}

/// True if bytes are what a digest stands for.
pub(crate) fn is_content_of(digest: &Digest, bytes: &[u8]) -> bool {
    digest_of(digest.algorithm(), bytes) == *digest
}
