//! Every reason to say no to a pin, each with its way out.

use std::collections::{BTreeMap, BTreeSet};

use super::judge::{Judged, Way, containers};
use super::{Aim, Facts};
use crate::advice::Extra;
use crate::change::{ANNOTATION, Change};
use crate::image::ImageRef;
use crate::index::ChartVersion;
use crate::plan::guards::{jobs, managed, not_settled, pending, refusal, standing, tick};
use crate::plan::{Act, Guard, Refusal, Setting, Step};
use crate::release::ApplyMethod;
use crate::report::{ContainerId, ImageReport};
use crate::snapshot::Evidence;
use crate::workload::{LiveWorkload, Rollout as RolloutState};

/// The manager under which Helm applies on the server (FACTS 5.4).
const HELM: &str = "helm";

/// `kubectl set image`, as the chart's own refresh calls it.
const SET: &str = "kubectl-set";

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
            refusals.extend(managed(ground, self.elsewhere(judged, values)));
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
            refusals.extend(self.unavailable(judged, values));
            refusals.extend(self.owned_elsewhere(judged));
        }
        refusals
    }

    /// The ways out where another tool looks after the release: what to write there first of all.
    fn elsewhere(&self, judged: &[Judged<'_>], values: &BTreeMap<String, Setting>) -> Vec<String> {
        let mut ways_out: Vec<String> = self.printed(judged).into_iter().collect();
        ways_out.extend(lines(values));
        ways_out.push("--override-managed acts all the same".to_owned());
        ways_out
    }

    /// The line that prints the values of a pin.
    pub(super) fn printed(&self, judged: &[Judged<'_>]) -> Option<String> {
        let names: Vec<&str> = judged.iter().map(|one| one.plan.name.as_str()).collect();
        let id = &self.ground.observed.newest.id;
        let advisor = self.ground.advisor;
        (self.wish.aim == Aim::Hold).then(|| advisor.pin(id, &names, &["--print-values"]))
    }

    /// The upgrade of the user's own that sets something beside the values as they are; nothing where no repository is known.
    pub(super) fn upgrade(&self, extras: &[Extra<'_>]) -> Vec<String> {
        let Some(repository) = &self.ground.observed.repository else {
            return Vec::new();
        };
        let chart = &self.ground.release.chart;
        self.ground.advisor.upgrade(
            &self.ground.observed.newest.id,
            chart.name.as_str(),
            repository,
            &chart.version_text,
            extras,
        )
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
            vec![
                self.ground
                    .advisor
                    .refresh(&self.ground.observed.newest.id, &[]),
            ],
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
    fn unavailable(
        &self,
        judged: &[Judged<'_>],
        values: &BTreeMap<String, Setting>,
    ) -> Option<Refusal> {
        let chart = &self.ground.release.chart;
        let no = |message: String| {
            let subject = format!("{} {}", chart.name, chart.version_text);
            let mut way_out: Vec<String> = self.printed(judged).into_iter().collect();
            way_out.extend(lines(values));
            if way_out.is_empty() {
                way_out.push(self.status());
            }
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
            let mut way_out = self.owned_by_set(owner, judged);
            way_out.extend(self.forced(judged));
            refusals.push(refusal(
                Guard::FieldsOwned,
                format!("{id}[{container}]"),
                format!("{owner} set its image, and Helm would fail where it applies another one"),
                way_out,
            ));
        }
        refusals
    }

    /// Where `kubectl set image` left exact content, as the chart's own refresh does: all of it is pinned in one command.
    fn owned_by_set(&self, owner: &str, judged: &[Judged<'_>]) -> Vec<String> {
        if owner != SET {
            return vec![self.status()];
        }
        let is_set = |image: &&ImageReport| {
            containers(image).into_iter().any(|used| {
                let live = self.ground.live(&used.workload);
                let owners = live.and_then(|live| live.marks.image_owners.get(&used.container));
                owners.is_some_and(|owners| owners.contains(SET))
            })
        };
        let set = self.ground.report.images.iter().filter(is_set);
        let mut names: BTreeSet<&str> = set.map(|image| image.name.as_str()).collect();
        if self.wish.aim == Aim::Hold {
            names.extend(judged.iter().map(|one| one.plan.name.as_str()));
        }
        let names: Vec<&str> = names.into_iter().collect();
        let id = &self.ground.observed.newest.id;
        vec![self.ground.advisor.pin(id, &names, &[])]
    }

    /// The same upgrade by the user's own hand, which takes the fields.
    fn forced(&self, judged: &[Judged<'_>]) -> Vec<String> {
        self.by_hand(judged, &[Extra::Flag("--force-conflicts")])
    }

    /// The upgrade of a plan by the user's own hand.
    pub(super) fn by_hand(&self, judged: &[Judged<'_>], words: &[Extra<'_>]) -> Vec<String> {
        let by_value = judged
            .iter()
            .filter(|image| matches!(image.way, Way::Values));
        let settings: Vec<(&str, String)> = by_value
            .flat_map(|image| &image.settings)
            .map(|(path, setting)| match setting {
                Some(setting) => ("--set-string", format!("{path}={setting}")),
                None => ("--set", format!("{path}=null")),
            })
            .collect();
        if settings.is_empty() {
            return Vec::new();
        }
        let set = settings
            .iter()
            .map(|(flag, text)| Extra::Option(flag, text));
        let extras: Vec<Extra<'_>> = words.iter().copied().chain(set).collect();
        self.upgrade(&extras)
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

/// The values, a line each.
fn lines(values: &BTreeMap<String, Setting>) -> impl Iterator<Item = String> {
    values
        .iter()
        .map(|(path, setting)| format!("{path}: {setting}"))
}
