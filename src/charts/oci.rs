//! Charts in a registry (`oci://`): tags are versions, and only what decides is read of them.

use tracebloc_core::assess::source::RepositorySource;
use tracebloc_core::image::{Repository, Tag};
use tracebloc_core::index::{ChartConfig, ChartIndex, ChartVersion};
use tracebloc_core::manifest::Manifest;
use tracebloc_core::name::ChartName;
use tracebloc_core::version::Version;

use super::{Charts, ChartsError};
use crate::registry::Registry;

/// What is known of one version in a registry.
#[derive(Debug)]
pub(crate) struct Details {
    /// Its configuration; `None` where it is no chart.
    pub(crate) config: Option<ChartConfig>,
    /// The digest of its manifest, in hexadecimal.
    pub(crate) digest: Option<String>,
}

impl Charts<'_> {
    /// The versions of the chart that a repository of a registry holds, without what is in them.
    pub(super) async fn tags(&self, source: &RepositorySource) -> Result<ChartIndex, ChartsError> {
        let repository = place(source)?;
        let tags = self.registry.tags(&repository).await?;
        Ok(ChartIndex::from_tags(tags.iter().map(Tag::as_str)))
    }

    /// What is in one version.
    pub(crate) async fn details(
        &self,
        source: &RepositorySource,
        version: &Version,
    ) -> Result<Details, ChartsError> {
        let repository = place(source)?;
        let tag = tag_of(version)?;
        let (digest, manifest) = self.registry.tagged(&repository, &tag).await?;
        let config = match manifest {
            // Charts are for every platform; an index is an image's.
            Manifest::Index { .. } => None,
            Manifest::Image { config } => {
                ChartConfig::parse(&self.blob(source, &repository, &config).await?)
            }
        };
        Ok(Details {
            config,
            digest: digest
                .to_string()
                .strip_prefix("sha256:")
                .map(str::to_owned),
        })
    }

    /// The package of a version: one chart of that name and version, and the very one whose digest is known from before, if one is. Each part is what the
    /// part before names by its digest.
    pub(super) async fn tagged_package(
        &self,
        source: &RepositorySource,
        chart: &ChartName,
        version: &ChartVersion,
    ) -> Result<Vec<u8>, ChartsError> {
        let repository = place(source)?;
        let no_chart = || ChartsError::NoChart {
            repository: repository.familiar(),
            version: version.version.to_string(),
        };
        let tag = tag_of(&version.version)?;
        let tagged = self.registry.chart(&repository, &tag).await?;
        let tagged = tagged.ok_or_else(no_chart)?;
        let known = version.digest.as_ref().map(|hex| format!("sha256:{hex}"));
        if known.is_some_and(|known| known != tagged.manifest.to_string()) {
            return Err(ChartsError::Replaced);
        }
        let config = self.registry.blob(&repository, &tagged.config).await?;
        if !ChartConfig::parse(&config).is_some_and(|config| config.is_of(chart, &version.version))
        {
            return Err(no_chart());
        }
        Ok(self.registry.blob(&repository, &tagged.package).await?)
    }
}

/// The tag of a version: a tag cannot have a `+`.
fn tag_of(version: &Version) -> Result<Tag, ChartsError> {
    Tag::parse(&version.as_str().replace('+', "_")).map_err(|_| ChartsError::Url)
}

/// True if a registry is asked over http for this chart.
pub(crate) fn is_plain_http(registry: &Registry, source: &RepositorySource) -> bool {
    place(source).is_ok_and(|repository| registry.is_plain_http(&repository))
}

/// The repository in the registry. A first part that no registry can have would mean Docker Hub, which nobody wrote.
pub(super) fn place(source: &RepositorySource) -> Result<Repository, ChartsError> {
    let text = source
        .secret_url
        .strip_prefix("oci://")
        .ok_or(ChartsError::Url)?;
    if source.reference.masked {
        return Err(ChartsError::OciCredentials);
    }
    let host = text.split('/').next().unwrap_or_default();
    let repository = Repository::parse(text).map_err(|_| ChartsError::Url)?;
    let is_meant = host.eq_ignore_ascii_case(repository.registry())
        || repository.registry() == "docker.io" && host.ends_with("docker.io");
    if is_meant {
        Ok(repository)
    } else {
        Err(ChartsError::Url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracebloc_core::snapshot::RepositoryOrigin;

    #[test]
    fn places_in_a_registry() {
        let place = |url: &str| {
            place(&RepositorySource::new(url, RepositoryOrigin::Flag))
                .map(|repository| repository.to_string())
        };
        assert_eq!(
            place("oci://ghcr.io/tracebloc/client").unwrap(),
            "ghcr.io/tracebloc/client"
        );
        assert_eq!(
            place("oci://registry-1.docker.io/bitnamicharts/mysql").unwrap(),
            "registry-1.docker.io/bitnamicharts/mysql"
        );
        for wrong in ["oci://plain/client", "oci://h.example/client:1.0", "oci://"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
        assert!(matches!(
            place("oci://u:hunter2@h.example/client"),
            Err(ChartsError::OciCredentials)
        ));
    }
}
