//! Charts in a registry: the versions are tags, and what is known of a version is in the configuration of its manifest.

use serde::Deserialize;

use super::{ChartIndex, ChartVersion, RejectedVersion, Rejection};
use crate::name::ChartName;
use crate::version::Version;

/// What the configuration of a chart's manifest says: its `Chart.yaml` as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartConfig {
    name: String,
    version: String,
    #[serde(default)]
    app_version: Option<String>,
    #[serde(default)]
    kube_version: Option<String>,
    #[serde(default)]
    deprecated: Option<bool>,
}

impl ChartConfig {
    /// Reads a configuration; `None` where it is something else than a chart's, such as that of a container image.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let config: Self = serde_json::from_slice(body).ok()?;
        (!config.name.is_empty() && !config.version.is_empty()).then_some(config)
    }

    /// True if it is of that version of the chart.
    pub fn is_of(&self, chart: &ChartName, version: &Version) -> bool {
        self.name == chart.as_str()
            && Version::parse(&self.version).is_ok_and(|own| own == *version)
    }
}

impl ChartIndex {
    /// The versions that tags stand for. Helm takes strict versions only, and writes `_` for the `+` that a tag cannot have.
    pub fn from_tags<'tag>(tags: impl IntoIterator<Item = &'tag str>) -> Self {
        let mut versions: Vec<ChartVersion> = tags
            .into_iter()
            .map(|tag| tag.replace('_', "+"))
            .filter(|text| semver::Version::parse(text).is_ok())
            .filter_map(|text| Version::parse(&text).ok())
            .map(|version| ChartVersion {
                version,
                app_version: None,
                kube_version: None,
                deprecated: false,
                unread: true,
                digest: None,
                urls: Vec::new(),
            })
            .collect();
        versions.sort_by(|one, other| other.version.cmp(&one.version));
        Self {
            versions,
            rejected: Vec::new(),
        }
    }

    /// Writes what was read of a version into the list: its configuration and the digest of its manifest, or that it is no chart.
    pub fn learn(
        &mut self,
        version: &Version,
        config: Option<ChartConfig>,
        digest: Option<String>,
    ) {
        let Some(position) = self
            .versions
            .iter()
            .position(|listed| listed.version == *version)
        else {
            return;
        };
        if let Some(config) = config {
            let listed = &mut self.versions[position];
            listed.app_version = config.app_version.filter(|text| !text.is_empty());
            listed.kube_version = config.kube_version.filter(|text| !text.is_empty());
            listed.deprecated = config.deprecated.unwrap_or_default();
            listed.digest = digest;
            listed.unread = false;
        } else {
            let removed = self.versions.remove(position);
            self.rejected.push(RejectedVersion {
                position: position + 1,
                version: Some(removed.version.to_string()),
                reason: Rejection::NoChart,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_versions_where_helm_says_so() {
        let index = ChartIndex::from_tags([
            "1.9.0",
            "v1.9.1",
            "latest",
            "1.10.0",
            "0.2.0_b2",
            "1.9",
            "2.0.0-rc.1",
            "sha256-ab.sig",
        ]);
        let texts: Vec<&str> = index
            .versions
            .iter()
            .map(|listed| listed.version.as_str())
            .collect();
        assert_eq!(texts, ["2.0.0-rc.1", "1.10.0", "1.9.0", "0.2.0+b2"]);
        assert!(index.versions.iter().all(|listed| listed.unread));
    }

    #[test]
    fn what_is_read_of_a_version_is_kept_and_what_is_no_chart_goes() {
        let mut index = ChartIndex::from_tags(["1.0.0", "2.0.0"]);
        let config = ChartConfig::parse(
            br#"{"name": "client", "version": "1.0.0", "kubeVersion": ">=1.24", "deprecated": true, "home": null}"#,
        );
        index.learn(
            &Version::parse("1.0.0").unwrap(),
            config,
            Some("ab".to_owned()),
        );
        let image = ChartConfig::parse(br#"{"architecture": "amd64", "rootfs": {}}"#);
        assert_eq!(image, None);
        index.learn(&Version::parse("2.0.0").unwrap(), image, None);
        assert_eq!(index.versions.len(), 1);
        let read = &index.versions[0];
        assert!(read.deprecated && !read.unread);
        assert_eq!(read.kube_version.as_deref(), Some(">=1.24"));
        assert_eq!(read.digest.as_deref(), Some("ab"));
        assert_eq!(index.rejected[0].reason, Rejection::NoChart);
    }
}
