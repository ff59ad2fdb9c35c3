//! The steps of a pin and of its end.

use std::collections::BTreeMap;

use super::judge::{Judged, Way};
use super::{Aim, Facts};
use crate::change::ContainerChange;
use crate::plan::ground::mark_of;
use crate::plan::{Act, ObjectRef, Record, Rollout, Setting, Step, StepState, ValueChange};
use crate::snapshot::RepositoryRef;
use crate::workload::WorkloadId;

/// What stands for a release in a step: Helm's own kind of record.
const RELEASE: (&str, &str) = ("helm.sh/v1", "Release");

impl Facts<'_> {
    /// What is done, in order. Keel is told last: a pin that fails must not leave it at `never`. What it would move meanwhile is seen, since the
    /// images are looked at once Helm, or the rollout, is done.
    pub(super) fn steps(&self, judged: &[Judged<'_>], warnings: &mut Vec<String>) -> Vec<Step> {
        let mut steps = Vec::new();
        steps.extend(self.set_values(judged));
        steps.extend(self.change_workloads(judged));
        steps.extend(self.keel(judged));
        if steps
            .iter()
            .any(|step| matches!(step.act, Act::SetValue(_)))
        {
            warnings.push(format!(
                "revision {} of the release is made by Helm, from the chart version that is deployed and the same values but these",
                self.ground.observed.newest.revision + 1
            ));
        }
        steps
    }

    /// One Helm upgrade for all values.
    fn set_values(&self, judged: &[Judged<'_>]) -> Option<Step> {
        let by_value: Vec<&Judged<'_>> = judged
            .iter()
            .filter(|image| matches!(image.way, Way::Values))
            .collect();
        if by_value.is_empty() {
            return None;
        }
        let ground = &self.ground;
        let mut values: BTreeMap<String, Option<Setting>> = BTreeMap::new();
        let mut told = Vec::new();
        for (path, setting) in by_value.iter().flat_map(|image| &image.settings) {
            values.insert(path.clone(), setting.clone());
            told.push(match setting {
                Some(Setting::Digest(digest)) => format!("{path}={}", digest.short()),
                Some(Setting::Tag(tag)) => format!("{path}={tag}"),
                None => format!("{path} to the chart's default"),
            });
        }
        let chart = &ground.release.chart;
        let head = &ground.observed.newest;
        let repository = ground.observed.repository.as_ref();
        let names: Vec<&str> = by_value
            .iter()
            .map(|image| image.plan.name.as_str())
            .collect();
        let names = names.join(", ");
        Some(Step {
            id: "set-value".to_owned(),
            object: ObjectRef {
                api_version: RELEASE.0.to_owned(),
                kind: RELEASE.1.to_owned(),
                namespace: head.id.namespace.clone(),
                name: head.id.name.to_string(),
            },
            summary: format!(
                "upgrade to the same chart {} {} with {}",
                chart.name,
                chart.version_text,
                told.join(", ")
            ),
            destructive: false,
            undo: Some(format!(
                "roll back to revision {}",
                ground.release.head.revision
            )),
            wave: None,
            state: StepState::Pending,
            act: Act::SetValue(ValueChange {
                revision: head.revision,
                chart: chart.name.clone(),
                version: chart.version_text.clone(),
                repository: repository.map(|repository| repository.url.clone()),
                package: self
                    .package()
                    .filter(|_| !repository.is_some_and(RepositoryRef::is_oci))
                    .and_then(|version| version.digest.clone()),
                values,
                description: format!("kubectl-tracebloc {}: {names}", self.wish.aim.command()),
                rollouts: self.rollouts(&by_value),
            }),
        })
    }

    fn rollouts(&self, judged: &[&Judged<'_>]) -> Vec<Rollout> {
        let mut changes: BTreeMap<WorkloadId, Vec<ContainerChange>> = BTreeMap::new();
        for image in judged {
            for (id, more) in &image.changes {
                changes
                    .entry(id.clone())
                    .or_default()
                    .extend(more.iter().cloned());
            }
        }
        changes
            .into_iter()
            .map(|(workload, containers)| Rollout {
                uid: self
                    .ground
                    .live(&workload)
                    .map(|live| live.uid.clone())
                    .unwrap_or_default(),
                workload,
                containers,
                finishes: None,
            })
            .collect()
    }

    /// The workloads themselves, each with the mark that tells our own refresh to leave it. The mark goes before the rollout, and counts only once
    /// the image names that digest: where the run is killed between the two, the refresh that finishes the rollout leaves what is held.
    fn change_workloads(&self, judged: &[Judged<'_>]) -> Vec<Step> {
        let live: Vec<&Judged<'_>> = judged
            .iter()
            .filter(|image| matches!(image.way, Way::Live))
            .collect();
        let lets_go = self.wish.aim == Aim::LetGo;
        let mut steps = Vec::new();
        for rollout in self.rollouts(&live) {
            let marks: Vec<(String, String)> = rollout
                .containers
                .iter()
                .map(|change| (mark_of(&change.image), change.wanted.to_string()))
                .collect();
            let record = Record {
                workload: rollout.workload.clone(),
                uid: rollout.uid.clone(),
                annotations: if lets_go {
                    BTreeMap::new()
                } else {
                    marks.iter().cloned().collect()
                },
                clears: if lets_go {
                    marks.into_iter().map(|(key, _)| key).collect()
                } else {
                    Vec::new()
                },
            };
            let what: Vec<String> = rollout
                .containers
                .iter()
                .map(|change| format!("{} to {}", change.container, change.to))
                .collect();
            let id = rollout.workload.clone();
            let object = ObjectRef::from(&id);
            let mark = Step {
                id: format!("mark-{}-{}", id.kind.resource(), id.name),
                object: object.clone(),
                summary: if lets_go {
                    "take away the mark that it is held"
                } else {
                    "mark that it is held"
                }
                .to_owned(),
                destructive: false,
                undo: None,
                wave: None,
                state: StepState::Pending,
                act: Act::Annotate(record),
            };
            if self.wish.aim == Aim::Hold {
                steps.push(mark.clone());
            }
            if rollout.containers.iter().any(ContainerChange::sets) {
                steps.push(Step {
                    id: format!("roll-out-{}-{}", id.kind.resource(), id.name),
                    object,
                    summary: format!("set the image: {}", what.join(", ")),
                    destructive: false,
                    undo: Some("set what ran before".to_owned()),
                    wave: None,
                    state: StepState::Pending,
                    act: Act::SetImage(rollout),
                });
            }
            if lets_go {
                steps.push(mark);
            }
        }
        steps
    }
}
