//! What a workload is brought back to where its nodes have several platforms, and its pods run the manifest of each.

use super::{RefreshWish, digest, drifted, plan};
use crate::assess::tests::healthy;
use crate::assess::wanted_manifests;
use crate::image::{Digest, RunningImage};
use crate::manifest::{Child, Document, Manifest, Platform};
use crate::profile::Profile;
use crate::snapshot::Snapshot;

/// Two pods, on a node of either platform, that run the manifests 1 and 3, while the index of 6 and 7 is published.
fn mixed(other: &str) -> Snapshot {
    let mut snapshot = drifted(healthy("1.9.28"), 1, 2, Some(5));
    let second = snapshot.pods[0].clone();
    snapshot.pods.push(second);
    for (pod, (number, name)) in snapshot.pods.iter_mut().zip([(1, "amd64"), (3, other)]) {
        let node = format!("node-{number}");
        pod.name.clone_from(&node);
        snapshot
            .nodes
            .insert(node.clone(), Platform::new("linux", name, None));
        pod.node = Some(node);
        let running = RunningImage::parse(&format!("tracebloc/jobs-manager@{}", digest(number)));
        let container = pod.containers.get_mut("api").unwrap();
        container.running = running.unwrap();
    }
    index(&mut snapshot, 2, [6, 7]);
    for documents in snapshot.manifests.values_mut() {
        documents.remove(&digest(5));
    }
    snapshot
}

/// An index of a manifest for either platform.
fn index(snapshot: &mut Snapshot, number: u8, children: [u8; 2]) {
    let child = |(number, name)| Child {
        digest: digest(number),
        platform: Some(Platform::new("linux", name, None)),
        attestation: false,
    };
    let children = children.into_iter().zip(["amd64", "arm64"]).map(child);
    let children = children.collect();
    let documents = snapshot.manifests.values_mut().next().unwrap();
    let document = Document::Found(Manifest::Index { children });
    documents.insert(digest(number), document);
}

fn former(snapshot: &Snapshot) -> (Option<Digest>, usize) {
    let plan = plan(snapshot, &RefreshWish::default());
    let change = &plan.steps[0].act.rollout().unwrap().containers[0];
    (change.former.clone(), plan.warnings.len())
}

#[test]
fn one_platforms_manifest_is_no_way_back_for_all_nodes() {
    let mut snapshot = mixed("arm64");
    assert_eq!(former(&snapshot), (None, 1));
    let profile = Profile::client().unwrap();
    let wanted: Vec<Digest> = wanted_manifests(&snapshot, &profile)
        .into_iter()
        .map(|wanted| wanted.digest)
        .collect();
    assert_eq!(wanted, [digest(5)], "what is recorded is asked for");
    index(&mut snapshot, 5, [1, 3]);
    assert!(wanted_manifests(&snapshot, &profile).is_empty());
    assert_eq!(former(&snapshot), (Some(digest(5)), 0));
    // Another index is not what ran.
    index(&mut snapshot, 5, [4, 0]);
    assert_eq!(former(&snapshot), (None, 1));
}

#[test]
fn on_nodes_of_one_platform_its_manifest_is_a_way_back() {
    let snapshot = mixed("amd64");
    assert!(former(&snapshot).0.is_some());
    let profile = Profile::client().unwrap();
    assert!(wanted_manifests(&snapshot, &profile).is_empty());
}
