//! Releases by the labels of their workloads: what there is to go by where Helm's records may not be read (DESIGN §7 "Rights in tiers").
//!
//! Helm writes on each object whose it is, and takes nothing else for its own (DOMAIN §6 "Helm ownership"); the chart writes on each from which version
//! it was made. These labels are taken at their word, and for no more: where one is missing or two disagree, what rests on them is unknown.

use std::collections::{BTreeMap, BTreeSet};

use crate::image::Tag;
use crate::name::{ChartName, Namespace, ReleaseId, ReleaseName};
use crate::profile::{Kinship, Profile, RenderedPin};
use crate::release::{
    ApplyMethod, ChartMetadata, KnownBy, Release, ReleaseStatus, Rendered, RevisionHead, Values,
};
use crate::version::Version;
use crate::workload::{Workload, WorkloadId};

/// The label by which Helm marks what it manages. Any program can write it, so that the annotations below count only beside it.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// What Helm writes there.
pub const HELM: &str = "Helm";

/// The annotations by which Helm knows what belongs to a release.
const RELEASE_NAME: &str = "meta.helm.sh/release-name";
const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";

/// The label with which a chart says what it is: its name and version, with `_` for each `+`.
pub const CHART: &str = "helm.sh/chart";

/// The longest value of a label. What comes close to it may have been cut, as charts do it (`trunc 63`, then a `-` at the end taken off).
const LONGEST_LABEL: usize = 63;

/// A workload, and what it says of whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledWorkload {
    /// What it runs, as the cluster has it.
    pub workload: Workload,
    /// The release that it is of.
    pub release: ReleaseId,
    /// The chart that it was made from.
    pub chart: Option<String>,
    /// Those variables of its containers that the profile asks for.
    pub variables: BTreeMap<String, String>,
}

/// Why labels do not tell what a release is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// No workload says from which chart it was made.
    #[error("no workload has a label {CHART} that names a chart")]
    NoChart,
    /// They name several charts.
    #[error("the labels {CHART} of its workloads name several charts: {}", .0.join(", "))]
    SeveralCharts(Vec<String>),
}

/// The release that an object with these labels and annotations is of, by Helm's own rule; `None` where Helm would not take it for its own.
pub fn owner(
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> Option<ReleaseId> {
    if labels.get(MANAGED_BY)? != HELM {
        return None;
    }
    Some(ReleaseId {
        namespace: Namespace::parse(annotations.get(RELEASE_NAMESPACE)?).ok()?,
        name: ReleaseName::parse(annotations.get(RELEASE_NAME)?).ok()?,
    })
}

/// The namespaces beside its own in which workloads of a release may be: those that its refresh job is told of, else those that the profile knows. What
/// claims to be the release's anywhere else is not: anybody may write a label.
pub fn further_namespaces<'found>(
    id: &ReleaseId,
    workloads: impl Iterator<Item = &'found LabelledWorkload>,
    profile: &Profile,
) -> BTreeSet<Namespace> {
    let rendered = &profile.automation.image_refresh.rendered;
    let mut told = BTreeSet::new();
    let mut has_main = false;
    for found in workloads.filter(|found| is_at_home(found, id)) {
        has_main |= profile.main_workload.matches(&found.workload.id, &id.name);
        if is_refresh_job(&found.workload.id, id, profile) {
            let names = rendered.namespaces.iter();
            told.extend(names.filter_map(|name| Namespace::parse(found.variables.get(name)?).ok()));
        }
    }
    if told.is_empty() && has_main {
        told.extend(profile.further_namespaces.iter().cloned());
    }
    told.remove(&id.namespace);
    told
}

/// The release that workloads say they are of. Those of other releases among them, and those in namespaces that are not the release's, are left out.
pub fn release(
    id: &ReleaseId,
    found: &[LabelledWorkload],
    profile: &Profile,
) -> Result<Release, LabelError> {
    let further = further_namespaces(id, found.iter(), profile);
    let mut own: Vec<&LabelledWorkload> = found
        .iter()
        .filter(|one| {
            one.release == *id
                && (is_at_home(one, id) || further.contains(&one.workload.id.namespace))
        })
        .collect();
    own.sort_by(|one, other| one.workload.id.cmp(&other.workload.id));
    let mut release = Release {
        known_by: KnownBy::Labels(Rendered::default()),
        head: RevisionHead {
            id: id.clone(),
            revision: 0,
            status: ReleaseStatus::Unknown,
        },
        chart: chart(&own, profile)?,
        first_deployed: None,
        last_deployed: None,
        description: String::new(),
        apply_method: ApplyMethod::ClientSide,
        workloads: own.iter().map(|one| one.workload.clone()).collect(),
        claims: Vec::new(),
        bindings: Vec::new(),
        unreadable: Vec::new(),
        values: Values::default(),
    };
    if profile.kinship(&release) == Kinship::Ours {
        let job = own
            .iter()
            .find(|one| is_refresh_job(&one.workload.id, id, profile));
        if let Some(job) = job {
            render(&mut release, &job.variables, profile);
        }
    }
    Ok(release)
}

/// True if the main workload is among those of a release.
pub fn has_main(id: &ReleaseId, found: &[LabelledWorkload], profile: &Profile) -> bool {
    let is_main =
        |one: &&LabelledWorkload| profile.main_workload.matches(&one.workload.id, &id.name);
    found.iter().filter(is_main).any(|one| is_at_home(one, id))
}

fn is_at_home(found: &LabelledWorkload, id: &ReleaseId) -> bool {
    found.release == *id && found.workload.id.namespace == id.namespace
}

/// True for the `CronJob` whose environment tells of the values.
fn is_refresh_job(workload: &WorkloadId, id: &ReleaseId, profile: &Profile) -> bool {
    let name = &profile.automation.image_refresh.job.cron_job;
    workload.kind == crate::workload::WorkloadKind::CronJob
        && workload.namespace == id.namespace
        && workload.name == name.replace("{release}", id.name.as_str())
}

/// The chart that all workloads name. Its version is one only where all of them name the same.
fn chart(own: &[&LabelledWorkload], profile: &Profile) -> Result<ChartMetadata, LabelError> {
    let written: BTreeSet<Option<&str>> = own.iter().map(|one| one.chart.as_deref()).collect();
    let read: Vec<Label> = written
        .iter()
        .flatten()
        .filter_map(|label| Label::parse(label, profile))
        .collect();
    let charts: BTreeSet<&ChartName> = read.iter().map(|label| &label.chart).collect();
    let mut charts = charts.into_iter();
    let name = match (charts.next(), charts.next()) {
        (None, _) => return Err(LabelError::NoChart),
        (Some(one), None) => one.clone(),
        (Some(one), Some(other)) => {
            let all = [one, other].into_iter().chain(charts);
            return Err(LabelError::SeveralCharts(
                all.map(ToString::to_string).collect(),
            ));
        }
    };
    let mut texts: Vec<String> = read.iter().map(|label| label.text.clone()).collect();
    if read.len() < written.len() {
        texts.push("an unlabelled one".to_owned());
    }
    Ok(ChartMetadata {
        name,
        version: match (&read[..], written.len()) {
            ([only], 1) => only.version.clone(),
            _ => None,
        },
        version_text: texts.join(" or "),
        app_version: None,
    })
}

/// What a label [`CHART`] says.
struct Label {
    chart: ChartName,
    /// The version as the chart has it.
    text: String,
    /// The same, where it is surely all of it.
    version: Option<Version>,
}

impl Label {
    /// Reads a label. A name may hold what looks like a version, so that one that the profile knows goes first, and then the shortest.
    fn parse(label: &str, profile: &Profile) -> Option<Self> {
        let known = [&profile.chart].into_iter().chain(&profile.replaces);
        let by_known = known.filter_map(|name| {
            let rest = label.strip_prefix(name.as_str())?.strip_prefix('-')?;
            Some((name.clone(), rest))
        });
        let by_place = label.match_indices('-').filter_map(|(place, _)| {
            let (name, rest) = label.split_at(place);
            Some((ChartName::parse(name).ok()?, rest.strip_prefix('-')?))
        });
        let (chart, text, version) = by_known.chain(by_place).find_map(|(name, rest)| {
            let text = rest.replace('_', "+");
            let version = full_version(&text)?;
            Some((name, text, version))
        })?;
        let may_be_cut = label.len() + 1 >= LONGEST_LABEL;
        Some(Self {
            chart,
            text,
            version: (!may_be_cut).then_some(version),
        })
    }
}

/// A version with all three numbers, as Helm demands of charts: a looser reading would find one in many a name.
fn full_version(text: &str) -> Option<Version> {
    let numbers = text.split(['-', '+']).next()?;
    if numbers.split('.').count() != 3 || !numbers.starts_with(|first: char| first.is_ascii_digit())
    {
        return None;
    }
    Version::parse(text).ok()
}

/// Brings what the refresh job is told of the values to the workloads: the channel, what is pinned, and, for what is surely not, the reference that the
/// chart renders in place of the digest that a refresh set.
fn render(release: &mut Release, variables: &BTreeMap<String, String>, profile: &Profile) {
    let job = &profile.automation.image_refresh.rendered;
    let tag = variables
        .get(&job.tag)
        .and_then(|text| Tag::parse(text).ok());
    let mut rendered = Rendered {
        channel: tag.as_ref().map(|tag| tag.as_str().to_owned()),
        pinned: BTreeSet::new(),
    };
    let name = release.head.id.name.clone();
    for workload in &mut release.workloads {
        for container in &mut workload.containers {
            let is_it =
                |pin: &&RenderedPin| pin.container.matches(&name, &workload.id, &container.name);
            let Some(pin) = job.pins.iter().find(is_it) else {
                continue;
            };
            match variables.get(&pin.variable).map(String::as_str) {
                Some("1") => {
                    let key = (workload.id.clone(), container.name.clone());
                    rendered.pinned.insert(key);
                }
                Some("0") => {
                    let known = profile.image_of(&name, &workload.id, &container.name);
                    if let (Ok(image), Some(tag), Some(known)) = (&container.image, &tag, known)
                        && image.digest().is_some()
                        // Another repository was put there by hand, and nothing is known of its tags.
                        && image.repository().short_name() == known.name
                        && known.follows_channel
                    {
                        container.image = Ok(image.with_tag(tag.clone()));
                    }
                }
                Some(_) | None => {}
            }
        }
    }
    release.known_by = KnownBy::Labels(rendered);
}

#[cfg(test)]
mod tests;
