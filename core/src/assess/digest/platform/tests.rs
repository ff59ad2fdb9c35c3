use std::collections::BTreeMap;

use crate::assess::tests::{edge, healthy};
use crate::assess::{Question, outdated, wanted_manifests};
use crate::finding::Finding;
use crate::image::{Digest, ImageRef, RunningImage, RunningKind};
use crate::manifest::{Child, Document, Manifest, Platform};
use crate::profile::Profile;
use crate::snapshot::{Evidence, Snapshot};
use crate::workload::{Pod, PodContainer, WorkloadId, WorkloadKind};

fn digest(digit: char) -> Digest {
    Digest::parse(&format!("sha256:{}", digit.to_string().repeat(64))).unwrap()
}

/// The tag moved to an index for these architectures, while a pod on a node of either runs the old one.
fn moved(architectures: &[&str]) -> Snapshot {
    let mut snapshot = healthy("1.9.51");
    let platform = |name: &str| Platform::new("linux", name, None);
    for architecture in ["amd64", "arm64"] {
        let node = format!("node-{architecture}");
        snapshot.nodes.insert(node.clone(), platform(architecture));
        let running = PodContainer {
            running: Some(RunningImage {
                digest: digest('a'),
                kind: RunningKind::Repository,
            }),
            ..PodContainer::default()
        };
        snapshot.pods.push(Pod {
            name: format!("pod-{architecture}"),
            workload: WorkloadId {
                kind: WorkloadKind::Deployment,
                namespace: edge(),
                name: "edge-jobs-manager".into(),
            },
            node: Some(node),
            containers: BTreeMap::from([("api".to_owned(), running)]),
            unscheduled: None,
            pull_secrets: Vec::new(),
        });
    }
    snapshot.live[0].workload.containers[0].pull_policy = crate::workload::PullPolicy::Always;
    let tag = ImageRef::parse("tracebloc/jobs-manager:prod").unwrap();
    let children = architectures
        .iter()
        .zip(['c', 'd'])
        .map(|(architecture, digit)| Child {
            digest: digest(digit),
            platform: Some(platform(architecture)),
            attestation: false,
        })
        .collect();
    let documents = snapshot
        .manifests
        .entry(tag.repository().clone())
        .or_default();
    documents.insert(digest('b'), Document::Found(Manifest::Index { children }));
    for digit in ['a', 'c', 'd'] {
        let config = digest(digit);
        documents.insert(digest(digit), Document::Found(Manifest::Image { config }));
    }
    snapshot.published.insert(tag, Evidence::Known(digest('b')));
    snapshot
}

fn find(snapshot: &Snapshot, code: &str) -> Option<Finding> {
    let profile = Profile::client().unwrap();
    let question = Question {
        digest: true,
        ..Question::default()
    };
    assert!(wanted_manifests(snapshot, &profile).is_empty());
    outdated(snapshot, &profile, &question)
        .findings
        .into_iter()
        .find(|finding| finding.code.as_str() == code)
}

#[test]
fn a_restart_is_not_advised_where_some_node_would_find_no_image() {
    let whole = moved(&["amd64", "arm64"]);
    assert_eq!(find(&whole, "platform-missing"), None);
    let behind = find(&whole, "digest-behind").unwrap();
    assert!(
        behind.advice[0].starts_with("kubectl tracebloc refresh "),
        "{behind:?}"
    );
    let partly = moved(&["amd64"]);
    let missing = find(&partly, "platform-missing").unwrap();
    assert!(
        missing
            .message
            .contains("linux/arm64, which node node-arm64 needs"),
        "{missing:?}"
    );
    assert_eq!(
        find(&partly, "digest-behind").unwrap().advice,
        Vec::<String>::new()
    );
}

#[test]
fn an_entry_without_a_platform_may_be_for_any() {
    let mut snapshot = moved(&["amd64"]);
    let documents = snapshot.manifests.values_mut().next().unwrap();
    if let Some(Document::Found(Manifest::Index { children })) = documents.get_mut(&digest('b')) {
        children[0].platform = None;
    }
    assert_eq!(find(&snapshot, "platform-missing"), None);
}
