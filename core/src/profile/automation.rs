//! What a profile knows of the jobs with which a chart keeps itself current.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::ContainerPattern;
use crate::name::ReleaseName;
use crate::version::Version;

/// The chart's own automation.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Automation {
    /// After so many ticks in a row without a success a job is stalled.
    pub patience: usize,
    /// The job that moves the release to newer chart versions.
    pub auto_upgrade: Updater,
    /// The job that brings running images to what their tags point to.
    pub image_refresh: ImageRefresh,
}

/// What the jobs have in common.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OwnJob {
    /// The name of its `CronJob`, where `{release}` stands for the release's name.
    pub cron_job: String,
    /// The first chart version that has it.
    pub since: Version,
    /// The value that switches it on and off.
    pub enabled_value: String,
    /// The value that suspends it.
    pub suspend_value: String,
}

/// The job that moves the release to newer chart versions.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Updater {
    /// The job itself.
    pub job: OwnJob,
    /// The first chart version whose job gets over a pending and a failed revision.
    pub recovers_since: Version,
    /// What lets it act.
    pub rights: Rights,
}

/// What lets a job act in the whole cluster.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rights {
    /// The label `app.kubernetes.io/component` of the roles and bindings.
    pub component: String,
    /// Any one of these is enough.
    pub grants: Vec<Grant>,
}

/// A `ClusterRoleBinding`, and the `ClusterRole` that it gives.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Grant {
    /// The binding's name, where `{release}` stands for the release's name.
    pub binding: String,
    /// The role's name; none where every cluster has the role.
    #[serde(default)]
    pub role: Option<String>,
}

/// The job that brings running images to what their tags point to.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageRefresh {
    /// The job itself.
    pub job: OwnJob,
    /// The first chart version whose job leaves a workload that has not settled.
    pub settles_since: Version,
    /// Where it does nothing.
    pub mirror: MirrorRule,
    /// Its guard against rollouts that fail again and again.
    pub flap: Flap,
    /// Its count of runs that did nothing because the workload had not settled.
    pub skips: SkipStreak,
    /// The time that its rollouts may take, against its own.
    pub deadline: Deadline,
    /// What its environment tells of the values that it was rendered with.
    pub rendered: RenderedJob,
}

/// What the environment of a job's container tells of the values that the chart was rendered with: what there is to go by where Helm's record may not be
/// read. Only the variables that are named here are ever kept, and none of them holds a secret.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenderedJob {
    /// The variable with the tag of the images that follow the channel.
    pub tag: String,
    /// Variables with namespaces beside the release's own in which its workloads run.
    pub namespaces: Vec<String>,
    /// Whether values pin images.
    pub pins: Vec<RenderedPin>,
}

/// A variable that tells whether a value pins the image of a container: `1` where one does, `0` where none does.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenderedPin {
    /// The variable.
    pub variable: String,
    /// The container.
    pub container: ContainerPattern,
}

impl RenderedJob {
    /// Every variable that tells something.
    pub fn variables(&self) -> BTreeSet<&str> {
        let pins = self.pins.iter().map(|pin| &pin.variable);
        pins.chain(&self.namespaces)
            .chain([&self.tag])
            .map(String::as_str)
            .collect()
    }
}

/// From a version on, a job does nothing where images come from a mirror.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MirrorRule {
    /// The first chart version with the rule.
    pub since: Version,
    /// The value that names the mirror.
    pub value: String,
    /// The registry that is none.
    pub source: String,
}

/// Annotations with which a job gives up.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Flap {
    /// The first chart version with the guard.
    pub since: Version,
    /// The annotation that counts rollouts that failed.
    pub attempts: String,
    /// The annotation that says it gave up.
    pub detected: String,
    /// The value with the most rollouts that may fail.
    pub limit_value: String,
    /// The most where the value is missing.
    pub limit: u32,
}

/// The annotation with which a job counts runs that it skipped.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SkipStreak {
    /// The first chart version that counts.
    pub since: Version,
    /// The annotation.
    pub streak: String,
    /// The value with the most runs that may be skipped in a row.
    pub limit_value: String,
    /// The most where the value is missing.
    pub limit: u32,
}

/// From a version on, a job waits for rollouts one after the other, and has a deadline that a value sets.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deadline {
    /// The first chart version with that value.
    pub since: Version,
    /// The value with the deadline in seconds.
    pub value: String,
    /// The value with the time that one rollout may take, as Go writes durations.
    pub rollout_value: String,
    /// How many rollouts one run may have to wait for.
    pub rollouts: u32,
}

impl Grant {
    /// The name of the binding of a release.
    pub fn binding_of(&self, release: &ReleaseName) -> String {
        self.binding.replace("{release}", release.as_str())
    }

    /// The name of the role of a release, where the release brings one.
    pub fn role_of(&self, release: &ReleaseName) -> Option<String> {
        self.role
            .as_ref()
            .map(|role| role.replace("{release}", release.as_str()))
    }
}
