//! Containers that do not stay up, which a rollout or an upgrade would wait for in vain (DOMAIN §13, 26).

use std::collections::BTreeMap;

use super::Case;
use crate::finding::{Code, Finding, Subject};
use crate::release::Release;
use crate::snapshot::Evidence;
use crate::time::counted;
use crate::workload::{BACKING_OFF, Pod, PodContainer, WorkloadId};

/// What the kubelet says of a container that the kernel ended for lack of memory.
const OUT_OF_MEMORY: &str = "OOMKilled";

/// A fault, and the container of a workload that has it.
type Failing<'facts> = (Code, &'facts str, &'facts WorkloadId);

/// One finding for each container that ends again and again, however many pods have it.
pub(super) fn judge(case: &Case<'_>, release: &Release) -> Vec<Finding> {
    let mut failing: BTreeMap<Failing<'_>, Vec<(&Pod, &PodContainer)>> = BTreeMap::new();
    for workload in &release.workloads {
        let Evidence::Known(pods) = case.snapshot.pods_of(&workload.id) else {
            continue;
        };
        for pod in pods {
            for (name, container) in &pod.containers {
                if let Some(code) = fault(container) {
                    failing
                        .entry((code, name, &workload.id))
                        .or_default()
                        .push((pod, container));
                }
            }
        }
    }
    failing
        .into_iter()
        .filter_map(|((code, container, workload), pods)| {
            told(case, code, container, workload, &pods)
        })
        .collect()
}

fn fault(container: &PodContainer) -> Option<Code> {
    if container.ended.as_deref() == Some(OUT_OF_MEMORY) {
        Some(Code::ContainerOutOfMemory)
    } else if container.waiting.as_deref() == Some(BACKING_OFF) {
        Some(Code::ContainerCrashing)
    } else {
        None
    }
}

fn told(
    case: &Case<'_>,
    code: Code,
    container: &str,
    workload: &WorkloadId,
    pods: &[(&Pod, &PodContainer)],
) -> Option<Finding> {
    let (worst, _) = pods
        .iter()
        .max_by_key(|(_, container)| container.restarts)?;
    let restarts: u64 = pods
        .iter()
        .map(|(_, container)| u64::from(container.restarts))
        .sum();
    let count = counted(u64::try_from(pods.len()).unwrap_or(u64::MAX), "pod");
    let what = match code {
        Code::ContainerOutOfMemory => "was ended for lack of memory",
        _ => "ends again and again",
    };
    let subject = Subject {
        workload: Some(workload.clone()),
        ..case.subject()
    };
    Some(
        Finding::new(
            code,
            subject,
            format!(
                "container {container} of {workload} {what} in {count}, {} in all",
                counted(restarts, "restart")
            ),
        )
        .advise(vec![case.advisor.last_words(
            &workload.namespace,
            &worst.name,
            container,
        )])
        .because(pods.iter().map(|(pod, container)| {
            format!(
                "{}: {}, ended last: {}",
                pod.name,
                counted(u64::from(container.restarts), "restart"),
                container.ended.as_deref().unwrap_or("not known")
            )
        })),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::tests::{edge, healthy, judge as judge_all};
    use crate::workload::WorkloadKind;

    fn pod(name: &str, container: PodContainer) -> Pod {
        Pod {
            name: name.into(),
            workload: WorkloadId {
                kind: WorkloadKind::Deployment,
                namespace: edge(),
                name: "edge-jobs-manager".into(),
            },
            node: None,
            containers: BTreeMap::from([("api".to_owned(), container)]),
            unscheduled: None,
            pull_secrets: Vec::new(),
        }
    }

    #[test]
    fn one_finding_stands_for_all_pods_and_leads_to_the_worst() {
        let killed = |restarts| PodContainer {
            restarts,
            ended: Some(OUT_OF_MEMORY.into()),
            ..PodContainer::default()
        };
        let well = PodContainer {
            restarts: 1,
            ended: Some("Error".into()),
            ..PodContainer::default()
        };
        let mut snapshot = healthy("1.9.51");
        snapshot.pods = vec![pod("a", killed(2)), pod("b", killed(5)), pod("c", well)];
        let report = judge_all(&snapshot);
        let found: Vec<_> = report
            .findings
            .iter()
            .filter(|finding| finding.code == Code::ContainerOutOfMemory)
            .collect();
        assert_eq!(found.len(), 1);
        assert!(
            found[0].message.ends_with("in 2 pods, 7 restarts in all"),
            "{}",
            found[0].message
        );
        assert!(found[0].advice[0].starts_with("kubectl logs b --container api --previous"));
    }

    #[test]
    fn a_container_that_waits_to_be_started_again_crashes() {
        let mut snapshot = healthy("1.9.51");
        let crashing = PodContainer {
            waiting: Some(BACKING_OFF.into()),
            restarts: 3,
            ..PodContainer::default()
        };
        snapshot.pods = vec![pod("a", crashing)];
        let report = judge_all(&snapshot);
        assert!(
            report
                .findings
                .iter()
                .any(|finding| finding.code == Code::ContainerCrashing)
        );
    }
}
