//! What `refresh`, `pin` and `unpin` need beside reading.

use std::collections::{BTreeMap, BTreeSet};

use super::{Place, Right, Without};
use crate::change;
use crate::name::ReleaseName;
use crate::plan::RefreshWish;
use crate::profile::{Profile, ProfileImage};
use crate::workload::WorkloadKind;

/// What stands for the release's name in the names of a profile.
const RELEASE: &str = "{release}";

/// What a refresh needs beside reading: rights on the very objects that it may change, where the release is named, and on all of their kind where it
/// is not. What is optional says so.
pub fn of_refresh(
    wish: &RefreshWish,
    profile: &Profile,
    release: Option<&ReleaseName>,
) -> Vec<Right> {
    let mut patterns = changed(wish, profile);
    let main = &profile.main_workload;
    patterns
        .entry(main.kind)
        .or_default()
        .insert(main.name.clone());
    let mut rights = patched(
        patterns,
        release,
        Without::Refused("these are what is brought to what is published"),
    );
    // What stops the chart's own job: in versions whose job counts no failures, where a rollout is undone, and where one is gone back from; and in
    // those whose job does not look whether a rollout is under way, while a long plan is carried out.
    let job = profile.automation.image_refresh.job.cron_job.clone();
    let names = named(release, BTreeSet::from([job]));
    let without = Without::Refused(
        "only for charts whose own refresh does not count failures, or where Helm's records may not be read, so that it is suspended where something is undone, or does not look whether a rollout is under way, so that it is suspended while a long plan runs",
    );
    rights.push(on("batch", "cronjobs", &["get", "patch"], names, without));
    rights.extend(written(release));
    if wish.rollback || !wish.keep_failed {
        rights.push(undone());
    }
    rights
}

/// What `pin`, `unpin` and `refresh --tag` of these images need beside reading, and beside what Helm needs for its upgrade, which only the chart
/// tells. Of the workloads fields are handed back, and where the chart has no value for an image they are what is changed.
pub fn of_pin(
    images: &BTreeSet<String>,
    profile: &Profile,
    release: Option<&ReleaseName>,
) -> Vec<Right> {
    let wish = RefreshWish {
        images: images.clone(),
        ..RefreshWish::default()
    };
    let mut rights = patched(
        changed(&wish, profile),
        release,
        Without::Refused("these run the images"),
    );
    rights.extend(written(release));
    rights.push(undone());
    rights
}

/// What is deleted where a `StatefulSet` is brought back: its controller would wait for a pod that hangs.
fn undone() -> Right {
    Right {
        place: Place::Workloads,
        ..on(
            "",
            "pods",
            &["delete"],
            Vec::new(),
            Without::Rare(
                "StatefulSets: a pod that hangs is deleted where a rollout is undone, since their controller would wait for it",
            ),
        )
    }
}

fn patched(
    patterns: BTreeMap<WorkloadKind, BTreeSet<String>>,
    release: Option<&ReleaseName>,
    without: Without,
) -> Vec<Right> {
    let rights = patterns.into_iter().map(|(kind, patterns)| Right {
        place: Place::Workloads,
        group: kind.group(),
        resources: vec![format!("{}s", kind.resource())],
        verbs: &["get", "patch"],
        names: named(release, patterns),
        without,
    });
    rights.collect()
}

fn on(
    group: &'static str,
    resource: &str,
    verbs: &'static [&'static str],
    names: Vec<String>,
    without: Without,
) -> Right {
    Right {
        place: Place::Releases,
        group,
        resources: vec![resource.to_owned()],
        verbs,
        names,
        without,
    }
}

/// What every plan that is carried out writes: the Lease, the history and Events; and what it says where a rollout fails.
fn written(release: Option<&ReleaseName>) -> Vec<Right> {
    let mut rights = Vec::new();
    let lease = named(release, BTreeSet::from(["tracebloc-{release}".to_owned()]));
    let one_writer = Without::Refused("one writer at a time is made sure of by a Lease");
    let coordination = "coordination.k8s.io";
    rights.push(on(
        coordination,
        "leases",
        &["get", "patch"],
        lease,
        one_writer,
    ));
    rights.push(on(
        coordination,
        "leases",
        &["create"],
        Vec::new(),
        one_writer,
    ));
    let history = release.map(change::history_name).into_iter().collect();
    let timeline = Without::LeftOut("the entry in the history");
    rights.push(on("", "configmaps", &["get", "patch"], history, timeline));
    rights.push(on("", "configmaps", &["create"], Vec::new(), timeline));
    rights.push(Right {
        place: Place::Workloads,
        ..on(
            "events.k8s.io",
            "events",
            &["create"],
            Vec::new(),
            Without::LeftOut("the Event on the workload"),
        )
    });
    rights.push(Right {
        place: Place::Workloads,
        ..on(
            "",
            "pods/log",
            &["get"],
            Vec::new(),
            Without::LeftOut("the last lines that pods wrote, where a rollout fails"),
        )
    });
    rights
}

/// The name patterns of the workloads that run what is wanted, by kind.
fn changed(wish: &RefreshWish, profile: &Profile) -> BTreeMap<WorkloadKind, BTreeSet<String>> {
    let is_wanted = |image: &ProfileImage| {
        if wish.images.is_empty() {
            // What is gone back from may have been any of them.
            wish.all || wish.rollback || image.record.is_some()
        } else {
            wish.images.contains(&image.name)
        }
    };
    let is_selected = |kind: WorkloadKind, pattern: &str| {
        // A name may be written with its kind; which release it is of does not matter, since the pattern is as good as the name where none is named.
        wish.workloads.is_empty()
            || wish.workloads.iter().any(|wished| {
                let (of, name) = match wished.split_once('/') {
                    Some((of, name)) => (Some(of), name),
                    None => (None, wished.as_str()),
                };
                of.is_none_or(|of| of.eq_ignore_ascii_case(kind.resource())) && fits(pattern, name)
            })
    };
    let mut changed: BTreeMap<WorkloadKind, BTreeSet<String>> = BTreeMap::new();
    for image in profile.images.iter().filter(|image| is_wanted(image)) {
        let carried = image.carried.iter().map(|carried| &carried.container);
        for container in image.containers.iter().chain(carried) {
            let (kind, pattern) = (container.kind, &container.workload);
            if kind.rolls_out() && is_selected(kind, pattern) {
                changed.entry(kind).or_default().insert(pattern.clone());
            }
        }
    }
    changed
}

/// True if a name pattern may mean that name.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once(RELEASE) {
        Some((before, after)) => {
            name.len() > before.len() + after.len()
                && name.starts_with(before)
                && name.ends_with(after)
        }
        None => pattern == name,
    }
}

/// The names of a release's objects; none where the release is not named, since then they are not known.
fn named(release: Option<&ReleaseName>, patterns: BTreeSet<String>) -> Vec<String> {
    let Some(release) = release else {
        return Vec::new();
    };
    let names = patterns.into_iter();
    let names: BTreeSet<String> = names
        .map(|pattern| pattern.replace(RELEASE, release.as_str()))
        .collect();
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(wish: &RefreshWish, release: Option<&str>) -> Vec<(String, Vec<String>)> {
        let release = release.map(|name| ReleaseName::parse(name).unwrap());
        of_refresh(wish, &Profile::client().unwrap(), release.as_ref())
            .into_iter()
            .filter(|right| right.place == Place::Workloads && right.verbs.contains(&"patch"))
            .map(|right| (right.resources.join(","), right.names))
            .collect()
    }

    #[test]
    fn a_refresh_may_change_what_it_is_for_and_nothing_else() {
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(
            patched(&RefreshWish::default(), Some("edge")),
            [
                (
                    "deployments".to_owned(),
                    named(&["edge-jobs-manager", "edge-requests-proxy"])
                ),
                (
                    "daemonsets".to_owned(),
                    named(&["edge-resource-monitor", "tracebloc-resource-monitor"])
                ),
            ]
        );
        let of_image = |image: &str| RefreshWish {
            images: BTreeSet::from([image.to_owned()]),
            ..RefreshWish::default()
        };
        let deployments = |names: &[&str]| vec![("deployments".to_owned(), named(names))];
        assert_eq!(
            patched(&of_image("mysql-client"), Some("edge")),
            deployments(&["edge-jobs-manager", "mysql", "mysql-client"]),
            "the main one carries the records"
        );
        let of_workload = |workload: &str| RefreshWish {
            workloads: BTreeSet::from([workload.to_owned()]),
            ..RefreshWish::default()
        };
        for workload in ["edge-requests-proxy", "deployment/edge-requests-proxy"] {
            assert_eq!(
                patched(&of_workload(workload), Some("edge")),
                deployments(&["edge-jobs-manager", "edge-requests-proxy"])
            );
        }
        assert_eq!(
            patched(&of_workload("daemonset/edge-requests-proxy"), Some("edge")),
            deployments(&["edge-jobs-manager"])
        );
        assert_eq!(
            patched(&of_image("pods-monitor"), None),
            deployments(&[]),
            "where no release is named, no object can be"
        );
    }

    #[test]
    fn a_pin_may_change_what_runs_the_image_and_no_record() {
        let release = ReleaseName::parse("edge").unwrap();
        let images = BTreeSet::from(["mysql-client".to_owned()]);
        let rights = of_pin(&images, &Profile::client().unwrap(), Some(&release));
        assert_eq!(rights[0].names, ["mysql", "mysql-client"]);
        assert!(rights[1..].iter().all(|right| right.group != "apps"));
    }

    #[test]
    fn pods_are_deleted_only_where_something_is_undone() {
        let deletes = |keep_failed| {
            let wish = RefreshWish {
                keep_failed,
                ..RefreshWish::default()
            };
            let rights = of_refresh(&wish, &Profile::client().unwrap(), None);
            let deleting = rights
                .iter()
                .filter(|right| right.verbs.contains(&"delete"));
            deleting
                .map(|right| right.resources.join(","))
                .collect::<Vec<_>>()
        };
        assert_eq!(deletes(false), ["pods"]);
        assert_eq!(deletes(true), [""; 0]);
    }
}
