//! What we know of a chart, as data: a profile is YAML, so that another chart is another profile (DESIGN §1.7).

mod automation;
mod breaker;
mod knowledge;

use serde::Deserialize;

pub use automation::{
    Automation, Deadline, Flap, Grant, ImageRefresh, MirrorRule, OwnJob, RenderedJob, RenderedPin,
    Rights, SkipStreak, Updater,
};
pub use breaker::{ApiNeed, Breaker, Effect, Fact, Look, Span, Test};
pub use knowledge::{Advisory, DefaultKey, HeldPin, OptOut};

use crate::image::Place;
use crate::name::{ChartName, Namespace, ReleaseName};
use crate::release::{Origin, Release};
use crate::version::Version;
use crate::workload::{WorkloadId, WorkloadKind};
use crate::yaml::{self, YamlError};

/// The profile of the tracebloc `client` chart, embedded so that it works offline.
const CLIENT: &str = include_str!("profiles/client.yaml");

/// Facts about one chart.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Profile {
    /// The chart's name.
    pub chart: ChartName,
    /// The chart repository that publishes it.
    pub repository: String,
    /// The workload that every release of the chart has, and that carries its records.
    pub main_workload: WorkloadPattern,
    /// Charts whose releases this chart replaces.
    pub replaces: Vec<ChartName>,
    /// Namespaces beside the release's own in which its workloads run unless its values say others.
    #[serde(default)]
    pub further_namespaces: Vec<Namespace>,
    /// The prefix of the annotations that the chart's jobs write.
    pub record_prefix: String,
    /// Where values of interest are found.
    pub values: ValuePaths,
    /// Channel names that the chart rewrites.
    pub channel_aliases: ChannelAliases,
    /// The images it runs.
    pub images: Vec<ProfileImage>,
    /// The jobs with which the chart keeps itself current.
    pub automation: Automation,
    /// Faults of chart versions, and where they are fixed.
    pub advisories: Vec<Advisory>,
    /// What to know before an upgrade.
    pub breakers: Vec<Breaker>,
    /// An API that a workload of the chart cannot do without.
    pub needs: ApiNeed,
    /// Defaults by which a chart version is known.
    pub defaults: Vec<DefaultKey>,
    /// A pin that the chart itself holds on purpose.
    pub held: HeldPin,
    /// Values by which a user tells the chart's refresh to leave an image.
    #[serde(default)]
    pub opt_outs: Vec<OptOut>,
}

/// Paths of values, dotted.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValuePaths {
    /// The chart repository that the chart's own updater uses.
    pub repository_url: String,
    /// The channel that images follow.
    pub channel: String,
    /// The channel where the value is empty.
    pub default_channel: String,
}

/// A rewriting of channel names.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelAliases {
    /// The first chart version that rewrites.
    pub since: Version,
    /// From written name to tag.
    pub names: std::collections::BTreeMap<String, String>,
}

/// An image of the chart.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProfileImage {
    /// The name users know it by.
    pub name: String,
    /// The containers that run it.
    #[serde(default)]
    pub containers: Vec<ContainerPattern>,
    /// The container whose environment names it, for others to run.
    #[serde(default)]
    pub carried: Option<CarriedPattern>,
    /// True if its tag is the channel.
    #[serde(default)]
    pub follows_channel: bool,
    /// The value that sets its tag, where there is one.
    #[serde(default)]
    pub tag_value: Option<String>,
    /// The value that pins it to a digest.
    #[serde(default)]
    pub digest_value: Option<String>,
    /// Further values that have to be set with it, so that every container that runs the image is pinned.
    #[serde(default)]
    pub further_digests: Vec<FurtherDigest>,
    /// The annotation on the main workload that records the digest last refreshed to.
    #[serde(default)]
    pub record: Option<String>,
    /// The first chart version whose refresh keeps that record; the chart of an image without it says so itself, or has none.
    #[serde(default)]
    pub recorded_since: Option<Version>,
}

/// A value beside [`ProfileImage::digest_value`] that pins some of an image's containers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FurtherDigest {
    /// The value.
    pub value: String,
    /// The first chart version in which it falls back to the image's own.
    pub before: Version,
}

impl ProfileImage {
    /// The values that pin it in a chart version, its own first; none where the version has none.
    pub fn digest_values(&self, release: &Release) -> Vec<&str> {
        let has = |path: &&str| release.values.text(path).is_some();
        let version = release.chart.version.as_ref();
        let is_apart =
            |further: &&FurtherDigest| version.is_none_or(|version| *version < further.before);
        let Some(own) = self.digest_value.as_deref().filter(has) else {
            return Vec::new();
        };
        let further = self.further_digests.iter().filter(is_apart);
        [own]
            .into_iter()
            .chain(further.map(|further| further.value.as_str()).filter(has))
            .collect()
    }

    /// True where a chart version's own refresh keeps a record of the image, so that one means something and its absence a first observation.
    pub fn is_recorded(&self, version: Option<&Version>) -> bool {
        let by_refresh = |since: &Version| version.is_some_and(|version| version >= since);
        self.record.is_some()
            && match &self.carried {
                Some(carried) => carried.is_refreshed(version),
                None => self.recorded_since.as_ref().is_some_and(by_refresh),
            }
    }
}

/// An image that a container's environment names (`NAME_IMAGE_DIGEST` and the like).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CarriedPattern {
    /// The container.
    pub container: ContainerPattern,
    /// What the variables' names begin with.
    pub variables: String,
    /// The image's repository, where no variable names one.
    pub repository: String,
    /// The first chart version whose refresh sets the digest.
    pub refreshed_since: Version,
    /// The first one whose refresh does not any more: then the digest moves with the chart only.
    pub refreshed_until: Version,
}

impl CarriedPattern {
    /// True where the chart's own refresh keeps the digest current, and a record of it means something.
    pub fn is_refreshed(&self, version: Option<&Version>) -> bool {
        version.is_some_and(|version| {
            self.refreshed_since <= *version && *version < self.refreshed_until
        })
    }
}

/// A workload by kind and name, where `{release}` stands for the release's name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadPattern {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: String,
}

/// A container by workload and name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerPattern {
    /// The workload's kind.
    pub kind: WorkloadKind,
    /// The workload's name, where `{release}` stands for the release's name.
    pub workload: String,
    /// The container's name.
    pub container: String,
}

/// What a release is to a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinship {
    /// A release of the profile's chart.
    Ours,
    /// A release of a chart that the profile's chart replaces.
    Replaced,
    /// Neither.
    Foreign,
}

impl Profile {
    /// The embedded profile of the tracebloc `client` chart.
    pub fn client() -> Result<Self, YamlError> {
        yaml::from_tree(CLIENT.as_bytes())
    }

    /// The mirror that a release's values name for all its images, and the registry that it stands in for; `None` where they name none.
    pub fn mirror_of(&self, release: &Release) -> Option<(Place, Place)> {
        let MirrorRule { value, source, .. } = &self.automation.image_refresh.mirror;
        let (mirror, _) = release.values.text(value)?;
        Some((mirror.parse().ok()?, source.parse().ok()?))
    }

    /// What a release is to this profile: the chart's name must fit *and* the stored manifest must have the main workload (DESIGN §6).
    pub fn kinship(&self, release: &Release) -> Kinship {
        if self.replaces.contains(&release.chart.name) {
            return Kinship::Replaced;
        }
        let has_main = release.workloads.iter().any(|workload| {
            self.main_workload
                .matches(&workload.id, &release.head.id.name)
        });
        if release.chart.name == self.chart && has_main {
            Kinship::Ours
        } else {
            Kinship::Foreign
        }
    }

    /// The image that a container of a release runs.
    pub fn image_of(
        &self,
        release: &ReleaseName,
        workload: &WorkloadId,
        container: &str,
    ) -> Option<&ProfileImage> {
        self.images.iter().find(|image| {
            image
                .containers
                .iter()
                .any(|pattern| pattern.matches(release, workload, container))
        })
    }

    /// The kinds of the workloads that the chart brings, the main one's among them.
    pub fn kinds(&self) -> std::collections::BTreeSet<WorkloadKind> {
        let containers = self.images.iter().flat_map(|image| &image.containers);
        containers
            .map(|container| container.kind)
            .chain([self.main_workload.kind])
            .collect()
    }

    /// True if the chart's own pin is in force: its values have one, the user has none, and the channel is the one on which it is held (DOMAIN §3).
    pub fn holds(&self, release: &Release) -> bool {
        self.may_hold(release) && !self.is_let_go(release)
    }

    /// True if the chart's own pin would be in force but for its switch: a user lets the image go on the channel on which it is held.
    pub fn lets_go(&self, release: &Release) -> bool {
        self.may_hold(release) && self.is_let_go(release)
    }

    fn may_hold(&self, release: &Release) -> bool {
        let held = &self.held;
        let is_set = |path: &str| {
            let value = release.values.text(path);
            value.is_some_and(|(text, _)| !text.is_empty())
        };
        let (channel, _) = self.channel(release);
        is_set(&held.digest_value) && !is_set(&held.user_value) && channel == held.channel
    }

    fn is_let_go(&self, release: &Release) -> bool {
        let switch = release.values.text(&self.held.switch_value);
        switch.is_some_and(|(text, _)| text == "false")
    }

    /// The channel tag that a release's values name, and who named it. Aliases are resolved only by chart versions that do so (DOMAIN §3).
    pub fn channel(&self, release: &Release) -> (String, Origin) {
        let (written, origin) = release
            .values
            .text(&self.values.channel)
            .filter(|(text, _)| !text.is_empty())
            .unwrap_or_else(|| (self.values.default_channel.clone(), Origin::Chart));
        let rewrites = release
            .chart
            .version
            .as_ref()
            .is_some_and(|version| *version >= self.channel_aliases.since);
        match self.channel_aliases.names.get(&written) {
            Some(tag) if rewrites => (tag.clone(), origin),
            _ => (written, origin),
        }
    }
}

impl WorkloadPattern {
    /// True if the workload is the one meant, in whatever namespace.
    pub fn matches(&self, workload: &WorkloadId, release: &ReleaseName) -> bool {
        workload.kind == self.kind
            && workload.name == self.name.replace("{release}", release.as_str())
    }
}

impl ContainerPattern {
    /// True if that is the container.
    pub fn matches(&self, release: &ReleaseName, workload: &WorkloadId, container: &str) -> bool {
        self.container == container
            && workload.kind == self.kind
            && workload.name == self.workload.replace("{release}", release.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(kind: WorkloadKind, name: &str) -> WorkloadId {
        WorkloadId {
            kind,
            namespace: Namespace::parse("edge").unwrap(),
            name: name.into(),
        }
    }

    #[test]
    fn the_embedded_profile_is_well_formed() {
        let profile = Profile::client().unwrap();
        assert_eq!(profile.chart.as_str(), "client");
        let names: std::collections::BTreeSet<&str> = profile
            .images
            .iter()
            .map(|image| image.name.as_str())
            .collect();
        assert_eq!(names.len(), profile.images.len(), "image names are unique");
        assert!(!profile.replaces.contains(&profile.chart));
        let breakers: std::collections::BTreeSet<&str> = profile
            .breakers
            .iter()
            .map(|breaker| breaker.name.as_str())
            .collect();
        assert_eq!(breakers.len(), profile.breakers.len(), "and breakers' too");
        assert!(names.contains(profile.needs.image.as_str()));
    }

    #[test]
    fn containers_are_known_by_workload_and_name() {
        let profile = Profile::client().unwrap();
        let release = ReleaseName::parse("edge").unwrap();
        let name = |kind, workload_name: &str, container: &str| {
            profile
                .image_of(&release, &workload(kind, workload_name), container)
                .map(|image| image.name.as_str())
        };
        assert_eq!(
            name(WorkloadKind::Deployment, "edge-jobs-manager", "api"),
            Some("jobs-manager")
        );
        assert_eq!(
            name(WorkloadKind::Deployment, "edge-requests-proxy", "proxy"),
            Some("jobs-manager")
        );
        assert_eq!(
            name(WorkloadKind::Deployment, "other-jobs-manager", "api"),
            None
        );
        assert_eq!(
            name(WorkloadKind::DaemonSet, "edge-jobs-manager", "api"),
            None
        );
    }

    #[test]
    fn an_unknown_field_in_a_profile_is_an_error() {
        let text = format!("{CLIENT}\nunheardOf: 1\n");
        assert!(yaml::from_tree::<Profile>(text.as_bytes()).is_err());
    }
}
