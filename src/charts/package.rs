//! The package of one chart version, held against the digest that the index has for it: neither Helm looks at that (FACTS §0, 7).

use tokio::time::{Duration, Instant};
use tracebloc_core::assess::source::RepositorySource;
use tracebloc_core::image::Digest;
use tracebloc_core::index::ChartVersion;
use tracebloc_core::name::ChartName;
use url::Url;

use super::{Charts, ChartsError, user_info};
use crate::http::{Request, SafeUrl};
use crate::registry::is_content_of;

/// How long a package may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// The most bytes of a package: a release with more could not be stored.
const LIMIT: usize = 20 * 1024 * 1024;

impl Charts<'_> {
    /// Fetches the package of a version, by the first address that the index has, as Helm does. Credentials go to the repository's own host only,
    /// unless the user's entry says otherwise.
    pub(crate) async fn package(
        &self,
        source: &RepositorySource,
        chart: &ChartName,
        version: &ChartVersion,
    ) -> Result<Vec<u8>, ChartsError> {
        if source.is_oci() {
            return self.tagged_package(source, chart, version).await;
        }
        let digest = version.digest.as_deref();
        let digest = digest.and_then(|hex| Digest::parse(&format!("sha256:{hex}")).ok());
        let digest = digest.ok_or(ChartsError::NoDigest)?;
        let base = base(&source.secret_url)?;
        let address = version.urls.first().ok_or(ChartsError::Url)?;
        let mut url = base.join(address).map_err(|_| ChartsError::Url)?;
        let is_own = url.origin() == base.origin();
        let credentials = user_info(&source.secret_url);
        let access = self.access(source);
        // Both fail only for URLs that cannot have any.
        let _no_user_info = url.set_username("");
        let _no_user_info = url.set_password(None);
        let url = SafeUrl::parse(url.as_str()).map_err(|_| ChartsError::Url)?;
        let mut request = Request::get(url, Instant::now() + DEADLINE)
            .body_limit(LIMIT)
            .credentials_everywhere(access.everywhere);
        let authorization = access.authorization.clone().or(credentials);
        if let Some(authorization) = authorization.filter(|_| is_own || access.everywhere) {
            request = request.authorization(authorization);
        }
        let answer = match access.tls()?.filter(|_| is_own) {
            Some(tls) => self.http.with_tls(tls)?.send(&request).await?,
            None => self.http.send(&request).await?,
        }
        .success()?;
        if is_content_of(&digest, &answer.body) {
            Ok(answer.body)
        } else {
            Err(ChartsError::OtherContent {
                endpoint: answer.endpoint,
            })
        }
    }
}

/// What addresses in an index are relative to.
fn base(repository: &str) -> Result<Url, ChartsError> {
    let mut url = Url::parse(repository).map_err(|_| ChartsError::Url)?;
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}
