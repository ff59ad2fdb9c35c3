//! `--parallel N`: which rollouts are under way at once.
//!
//! They go in waves, so that there is a moment at which all that was begun has come to its end: there `--soak` waits, and there a failure stops the
//! rest. What is new proves itself in one workload before several get it at once.

use std::collections::BTreeSet;

use crate::image::Digest;
use crate::plan::Rollout;

/// Rollouts in waves of no more than so many, in the order in which they came.
///
/// The first goes alone: it is that of the main workload, which the chart's own job brings forward before all others too. And no wave brings several
/// workloads content that no earlier wave brought to any. What another run began is under way already, and is waited for all at once.
pub(super) fn waves(rollouts: Vec<Rollout>, most: usize) -> Vec<Vec<Rollout>> {
    let mut waves: Vec<Vec<Rollout>> = Vec::new();
    if rollouts.is_empty() {
        return waves;
    }
    if rollouts.iter().all(|rollout| rollout.finishes.is_some()) {
        waves.push(rollouts);
        return waves;
    }
    let mut proven: BTreeSet<(String, Digest)> = BTreeSet::new();
    for rollout in rollouts {
        let is_first = waves.len() < 2;
        match waves.last_mut() {
            Some(wave) if !is_first && wave.len() < most && fits(wave, &rollout, &proven) => {
                wave.push(rollout);
            }
            last => {
                proven.extend(
                    last.into_iter()
                        .flat_map(|wave| wave.iter())
                        .flat_map(content),
                );
                waves.push(vec![rollout]);
            }
        }
    }
    waves
}

/// True if nothing that is new comes to this workload and to another one of the wave.
fn fits(wave: &[Rollout], rollout: &Rollout, proven: &BTreeSet<(String, Digest)>) -> bool {
    let beside: BTreeSet<_> = wave.iter().flat_map(content).collect();
    content(rollout).all(|content| proven.contains(&content) || !beside.contains(&content))
}

/// What a rollout brings: images, each with its content.
fn content(rollout: &Rollout) -> impl Iterator<Item = (String, Digest)> {
    let changes = rollout.containers.iter();
    changes.map(|change| (change.image.clone(), change.wanted.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Change, ChangeState, ContainerChange};
    use crate::name::Namespace;
    use crate::workload::{WorkloadId, WorkloadKind};

    /// Rollouts of workloads 0, 1, …, each of these images.
    fn rollouts(images: &[&[&str]]) -> Vec<Rollout> {
        let change = |image: &&str| ContainerChange {
            container: (*image).to_owned(),
            image: (*image).to_owned(),
            variable: None,
            from: String::new(),
            to: String::new(),
            former: None,
            wanted: Digest::from_sha256(&[1; 32]),
        };
        (0..)
            .zip(images)
            .map(|(number, images)| Rollout {
                workload: WorkloadId {
                    kind: WorkloadKind::Deployment,
                    namespace: Namespace::parse("edge").unwrap(),
                    name: format!("{number}"),
                },
                uid: String::new(),
                containers: images.iter().map(change).collect(),
                finishes: None,
            })
            .collect()
    }

    /// The names in each wave.
    fn names(rollouts: Vec<Rollout>, most: usize) -> Vec<String> {
        let name = |rollout: &Rollout| rollout.workload.name.clone();
        waves(rollouts, most)
            .iter()
            .map(|wave| wave.iter().map(name).collect::<Vec<_>>().join(" "))
            .collect()
    }

    #[test]
    fn one_goes_first_and_then_as_many_as_may() {
        let shared = rollouts(&[&["a"][..]; 8]);
        assert_eq!(names(shared.clone(), 3), ["0", "1 2 3", "4 5 6", "7"]);
        assert_eq!(names(shared.clone(), 100), ["0", "1 2 3 4 5 6 7"]);
        assert_eq!(names(shared, 1).len(), 8);
        assert_eq!(names(Vec::new(), 3), Vec::<String>::new());
    }

    #[test]
    fn new_content_comes_to_one_workload_first() {
        let mixed = rollouts(&[&["a"], &["b"], &["a", "b"], &["a", "b"], &["c"], &["c"]]);
        assert_eq!(names(mixed, 9), ["0", "1", "2 3 4", "5"]);
        let moved = |mut rollouts: Vec<Rollout>| {
            for rollout in rollouts.iter_mut().skip(1) {
                rollout.containers[0].wanted = Digest::from_sha256(&[2; 32]);
            }
            rollouts
        };
        let other_content = moved(rollouts(&[&["a"], &["a"], &["a"]]));
        assert_eq!(names(other_content, 9), ["0", "1", "2"]);
    }

    #[test]
    fn what_is_under_way_is_waited_for_at_once() {
        let mut begun = rollouts(&[&["a"][..]; 4]);
        for rollout in &mut begun {
            rollout.finishes = Some(Change {
                id: "a".to_owned(),
                command: "refresh".to_owned(),
                by: "jane".to_owned(),
                at: "2026-11-21T10:00:00Z".parse().unwrap(),
                state: ChangeState::Acting,
                containers: rollout.containers.clone(),
                reason: None,
                attempt: None,
            });
        }
        assert_eq!(names(begun, 1), ["0 1 2 3"]);
    }
}
