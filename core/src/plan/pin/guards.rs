//! Every reason to say no to a pin, each with its way out.

use std::collections::BTreeMap;

use super::judge::{Judged, Way};
use super::{Aim, Facts};
use crate::change::{ANNOTATION, Change};
use crate::image::ImageRef;
use crate::index::ChartVersion;
use crate::plan::guards::{jobs, managed, not_settled, pending, refusal, standing, tick};
use crate::plan::{Act, Guard, Refusal, Setting, Step};
use crate::release::ApplyMethod;
use crate::report::ContainerId;
use crate::snapshot::Evidence;
use crate::workload::{LiveWorkload, Rollout as RolloutState};

/// The manager under which Helm applies on the server (FACTS 5.4).
const HELM: &str = "helm";

/// Ours, whose fields are handed back before Helm is started.
const OURS: &str = "kubectl-tracebloc";

impl Facts<'_> {
    pub(super) fn refusals(
        &self,
        judged: &[Judged<'_>],
        steps: &[Step],
        values: &BTreeMap<String, Setting>,
    ) -> Vec<Refusal> {
        let mut refusals: Vec<Refusal> = judged
            .iter()
            .filter_map(|image| match &image.way {
                Way::Refused(refusal) => Some(refusal.clone()),
                Way::Nothing | Way::Values | Way::Live => None,
            })
            .collect();
        if steps.is_empty() {
            return refusals;
        }
        let ground = &self.ground;
        refusals.extend(pending(ground));
        if !self.wish.override_managed {
            refusals.extend(managed(ground, self.elsewhere(values)));
        }
        refusals.extend(jobs(ground));
        refusals.extend(tick(ground));
        refusals.extend(self.unfinished());
        let touched = self.touched(judged);
        for id in &touched {
            refusals.extend(standing(ground, id, false));
        }
        if steps
            .iter()
            .any(|step| matches!(step.act, Act::SetValue(_)))
        {
            // Helm waits for all that the chart has, and undoes its upgrade if something else does not come up.
            let others = ground
                .release
                .workloads
                .iter()
                .filter(|workload| !touched.contains(&&workload.id))
                .filter_map(|workload| ground.live(&workload.id))
                .filter(|live| live.rollout == RolloutState::Progressing);
            refusals.extend(others.map(|live| not_settled(ground, live)));
            refusals.extend(self.unavailable(values));
            refusals.extend(self.owned_elsewhere(judged));
        }
        refusals
    }

    /// The ways out where another tool looks after the release: what to write there first of all.
    fn elsewhere(&self, values: &BTreeMap<String, Setting>) -> Vec<String> {
        let mut ways_out = Vec::new();
        if self.wish.aim == Aim::Hold {
            ways_out.push("--print-values prints what to set there".to_owned());
        }
        ways_out.extend(lines(values));
        ways_out.push("--override-managed acts all the same".to_owned());
        ways_out
    }

    /// What another run began and did not live to see the end of.
    fn unfinished(&self) -> Option<Refusal> {
        let own = self
            .ground
            .order()
            .into_iter()
            .filter_map(|id| self.ground.live(id));
        let mut open = own.filter_map(|live| {
            let change = Change::parse(live.records.get(ANNOTATION)?)?;
            change.state.is_open().then_some((live, change))
        });
        let (live, change) = open.next()?;
        Some(refusal(
            Guard::Unfinished,
            live.workload.id.to_string(),
            format!("{} began at {} and did not end", change.command, change.at),
            vec!["refresh finishes it first".to_owned()],
        ))
    }

    /// The deployed version in the index of its repository.
    pub(super) fn package(&self) -> Option<&ChartVersion> {
        let repository = self.ground.observed.repository.as_ref()?;
        let chart = &self.ground.release.chart;
        let observed = self.ground.snapshot.chart(repository, &chart.name)?;
        let installed = chart.version.as_ref()?;
        let versions = &observed.index.known()?.versions;
        versions
            .iter()
            .find(|published| published.version == *installed)
    }

    /// The package of the very version that is deployed is needed, and that it is the one which the index tells of must be known: neither Helm
    /// looks at that (FACTS §0, 7).
    fn unavailable(&self, values: &BTreeMap<String, Setting>) -> Option<Refusal> {
        let chart = &self.ground.release.chart;
        let no = |message: String| {
            let subject = format!("{} {}", chart.name, chart.version_text);
            let mut way_out = vec!["set this with your own `helm upgrade`".to_owned()];
            way_out.extend(lines(values));
            Some(refusal(Guard::ChartUnavailable, subject, message, way_out))
        };
        let Some(repository) = &self.ground.observed.repository else {
            return no("no repository is known for the chart: name one with --repo".to_owned());
        };
        let observed = self.ground.snapshot.chart(repository, &chart.name);
        if let Some(Evidence::Unknown(gap)) = observed.map(|observed| &observed.index) {
            return no(gap.message.clone());
        }
        match self.package() {
            None => no(format!(
                "{} does not list the version that is deployed",
                repository.url
            )),
            // A registry names every part by its digest.
            Some(version) if version.digest.is_none() && !repository.is_oci() => no(format!(
                "the index of {} has no digest to check the package against",
                repository.url
            )),
            Some(_) => None,
        }
    }

    /// Images that somebody else owns and Helm would set to something else: its server-side apply fails there, and so does its way back
    /// (DOMAIN §8). Where both want the same there is no conflict.
    fn owned_elsewhere(&self, judged: &[Judged<'_>]) -> Vec<Refusal> {
        let ground = &self.ground;
        if ground.release.apply_method != ApplyMethod::ServerSide || self.wish.helm == Some(3) {
            return Vec::new();
        }
        let lives = ground.order().into_iter().filter_map(|id| ground.live(id));
        lives.flat_map(|live| self.owned_in(live, judged)).collect()
    }

    fn owned_in(&self, live: &LiveWorkload, judged: &[Judged<'_>]) -> Vec<Refusal> {
        let id = &live.workload.id;
        let mut refusals = Vec::new();
        for (container, owners) in &live.marks.image_owners {
            let Some(owner) = owners.iter().find(|owner| *owner != HELM && *owner != OURS) else {
                continue;
            };
            let used = ContainerId {
                workload: id.clone(),
                container: container.clone(),
            };
            let present = self.ground.live_image(&used);
            if present.is_some() && present == self.applied(&used, judged).as_ref() {
                continue;
            }
            refusals.push(refusal(
                Guard::FieldsOwned,
                format!("{id}[{container}]"),
                format!("{owner} set its image, and Helm would fail where it applies another one"),
                vec![
                    ground_advice(owner),
                    "or set the values with a `helm upgrade --force-conflicts` of your own"
                        .to_owned(),
                ],
            ));
        }
        refusals
    }

    /// What Helm applies to a container with the values of the plan.
    fn applied(&self, used: &ContainerId, judged: &[Judged<'_>]) -> Option<ImageRef> {
        let changes = judged
            .iter()
            .filter(|image| matches!(image.way, Way::Values))
            .filter_map(|image| image.changes.get(&used.workload));
        let planned = changes
            .flatten()
            .find(|change| change.container == used.container && change.variable.is_none());
        match planned {
            Some(change) => ImageRef::parse(&change.to).ok(),
            None => self.ground.rendered(used).cloned(),
        }
    }
}

/// What to do about a field that somebody else owns.
fn ground_advice(owner: &str) -> String {
    if owner == "kubectl-set" {
        "pin every image that the chart's own refresh has set: all of them in one command"
            .to_owned()
    } else {
        format!("let {owner} give the field up first")
    }
}

/// The values, a line each.
fn lines(values: &BTreeMap<String, Setting>) -> impl Iterator<Item = String> {
    values
        .iter()
        .map(|(path, setting)| format!("{path}: {setting}"))
}
