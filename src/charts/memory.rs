//! What was listed before, and what a version in a registry holds: kept only of repositories that answer everyone alike.

use tracebloc_core::assess::source::RepositorySource;
use tracebloc_core::image::{Digest, Repository};
use tracebloc_core::index::{ChartChanges, ChartHistory, ChartIndex};
use tracebloc_core::name::ChartName;
use tracebloc_core::snapshot::ObservedChart;

use super::{Charts, oci};
use crate::cache::{Cache, Kind};

impl Charts<'_> {
    /// The cache, for a repository that is asked without credentials. A copy of what needs them would be readable without.
    pub(super) fn cache_for(&self, source: &RepositorySource) -> Option<&Cache> {
        let is_public = if source.is_oci() {
            oci::place(source).is_ok_and(|repository| self.registry.is_anonymous(&repository))
        } else {
            !source.reference.masked && !self.access(source).is_personal()
        };
        self.cache.as_ref().filter(|_| is_public)
    }

    /// Holds the list of a registry once more against those before it, now that digests are known.
    pub(crate) fn reconsider(&self, source: &RepositorySource, observed: &mut ObservedChart) {
        if let Some(index) = observed.index.known() {
            observed.changes = self.changes(source, &observed.chart, index);
        }
    }

    /// Holds a list against those before it, and remembers it.
    pub(super) fn changes(
        &self,
        source: &RepositorySource,
        chart: &ChartName,
        index: &ChartIndex,
    ) -> ChartChanges {
        let Some(cache) = self.cache_for(source) else {
            return ChartChanges::default();
        };
        let key = format!("{} {chart}", source.reference.url);
        // A damaged history is none: then the list counts as good.
        let before: ChartHistory = cache
            .read(Kind::History, &key)
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let (after, changes) = before.clone().advance(index, self.now);
        if after != before
            && let Ok(bytes) = serde_json::to_vec(&after)
        {
            cache.keep(Kind::History, &key, &bytes);
        }
        changes
    }

    /// The content of a digest, from the cache where it is there and whole.
    pub(super) fn kept_blob(&self, source: &RepositorySource, digest: &Digest) -> Option<Vec<u8>> {
        let bytes = self
            .cache_for(source)?
            .read(Kind::Config, &digest.to_string())?;
        crate::registry::is_content_of(digest, &bytes).then_some(bytes)
    }

    /// A small blob of a repository, which is fetched once for all runs.
    pub(super) async fn blob(
        &self,
        source: &RepositorySource,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Vec<u8>, super::ChartsError> {
        if let Some(kept) = self.kept_blob(source, digest) {
            return Ok(kept);
        }
        let bytes = self.registry.blob(repository, digest).await?;
        if let Some(cache) = self.cache_for(source) {
            cache.keep(Kind::Config, &digest.to_string(), &bytes);
        }
        Ok(bytes)
    }
}
