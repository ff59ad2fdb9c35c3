//! The package of the chart version that a release has, from the repository that its versions were asked of.

use tracebloc_core::assess::source::repositories;
use tracebloc_core::profile::Profile;
use tracebloc_core::snapshot::Snapshot;

use super::{Request, registry};
use crate::charts::{Charts, ChartsError};
use crate::context::Context;
use crate::error::Error;
use crate::http::HttpClient;

/// Fetches it, and holds it against what the index says.
pub(crate) async fn package(
    context: &Context,
    profile: &Profile,
    request: &Request,
    snapshot: &Snapshot,
) -> Result<Vec<u8>, Error> {
    let gone = || Error::Package(ChartsError::Url);
    let observed = snapshot.releases.first().ok_or_else(gone)?;
    let release = observed.current().known().ok_or_else(gone)?;
    let repository = observed.repository.as_ref().ok_or_else(gone)?;
    let user = context.repositories().named();
    let flag = request.repository.as_deref();
    let source = repositories(release, profile, flag, &user)
        .into_iter()
        .find(|source| source.reference.is_same(repository))
        .ok_or_else(gone)?;
    let version = snapshot
        .chart(repository, &release.chart.name)
        .and_then(|observed| observed.index.known())
        .and_then(|index| {
            let installed = release.chart.version.as_ref()?;
            let mut versions = index.versions.iter();
            versions.find(|published| published.version == *installed)
        })
        .ok_or_else(gone)?;
    let http = HttpClient::new(request.roots.clone(), None)?;
    let registry = registry(context, request, &http, None);
    let charts = Charts::new(http, &registry, None, context.repositories(), context.now);
    charts
        .package(&source, &release.chart.name, version)
        .await
        .map_err(Error::Package)
}
