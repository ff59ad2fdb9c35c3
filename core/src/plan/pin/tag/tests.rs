use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::image::{Digest, ImageRef, Tag};
use crate::manifest::{Child, Document, Manifest, Platform};
use crate::name::Namespace;
use crate::plan::pin::tests::{digest, guards, release, running, words};
use crate::plan::{Act, Aim, Decision, Guard, PinWish, Plan, Setting, pin};
use crate::profile::Profile;
use crate::snapshot::{Evidence, Gap, GapReason, Snapshot};
use crate::workload::{Container, WorkloadId};

const TAG: &str = "images.mysqlClient.tag";
const DIGEST: &str = "images.mysqlClient.digest";

/// The defaults of a chart with a value for the tag of the database, and this one for its digest.
fn defaults(digest: &str) -> Value {
    json!({"images": {"mysqlClient": {"tag": "5.7.1", "digest": digest}}})
}

/// A settled database that runs content 1 as 5.7.1; 5.7.2 is content 2, and 5.6.9 content 3.
fn database(defaults: &Value, values: &Value) -> Snapshot {
    let mut snapshot = running("1.9.28", defaults, values, &[1]);
    let name = "mysql-client";
    let rename = |id: &mut WorkloadId| name.clone_into(&mut id.name);
    let container = Container::declared(name.into(), "tracebloc/mysql-client:5.7.1", None, false);
    let record = release(&mut snapshot);
    let stored = record
        .workloads
        .iter_mut()
        .find(|workload| workload.id.name == "edge-jobs-manager")
        .unwrap();
    let mut database = stored.clone();
    rename(&mut database.id);
    database.containers = vec![container.clone()];
    record.workloads.push(database);
    let mut live = snapshot.live[0].clone();
    rename(&mut live.workload.id);
    live.workload.containers = vec![container];
    live.records.clear();
    snapshot.live.push(live);
    let mut pod = snapshot.pods[0].clone();
    rename(&mut pod.workload);
    let ran = pod.containers.remove("api").unwrap();
    pod.containers = BTreeMap::from([(name.to_owned(), ran)]);
    pod.node = Some("one".to_owned());
    snapshot.pods.push(pod);
    for (tag, content) in [
        ("5.7.1", 1),
        ("5.7.2", 2),
        ("5.6.9", 3),
        ("5.7.2-alpine", 4),
        ("nightly", 5),
    ] {
        let tag = ImageRef::parse(&format!("tracebloc/mysql-client:{tag}")).unwrap();
        snapshot
            .published
            .insert(tag, Evidence::Known(digest(content)));
    }
    snapshot
}

fn to(snapshot: &Snapshot, image: &str, tag: &str, allow_downgrade: bool) -> Plan {
    let wish = PinWish {
        images: BTreeSet::from([image.to_owned()]),
        aim: Aim::Tag {
            tag: Tag::parse(tag).unwrap(),
            allow_downgrade,
        },
        ..PinWish::default()
    };
    pin(snapshot, &Profile::client().unwrap(), &wish)
        .unwrap()
        .plan
}

fn move_to(snapshot: &Snapshot, tag: &str) -> Plan {
    to(snapshot, "mysql-client", tag, false)
}

/// What the Helm upgrade of a plan sets, and the reference of the database after it.
fn upgrade(plan: &Plan) -> (Vec<(&str, String)>, &str) {
    assert_eq!((words(plan), guards(plan)), (vec!["set-value"], vec![]));
    let Act::SetValue(change) = &plan.steps[0].act else {
        panic!("{plan:?}")
    };
    let text = |setting: &Option<Setting>| setting.as_ref().unwrap().to_string();
    let values = change
        .values
        .iter()
        .map(|(path, setting)| (path.as_str(), text(setting)));
    (values.collect(), &change.rollouts[0].containers[0].to)
}

#[test]
fn a_newer_tag_is_set_by_the_value_that_names_it() {
    let plan = move_to(&database(&defaults(""), &json!({})), "5.7.2");
    let image = "docker.io/tracebloc/mysql-client:5.7.2";
    assert_eq!(upgrade(&plan), (vec![(TAG, "5.7.2".to_owned())], image));
    assert_eq!(plan.images[0].decision, Decision::Move);
    assert_eq!(plan.command, "refresh");
    let Act::SetValue(change) = &plan.steps[0].act else {
        panic!("{plan:?}")
    };
    let container = &change.rollouts[0].containers[0];
    assert_eq!(
        (&container.former, &container.wanted),
        (&Some(digest(1)), &digest(2))
    );
}

#[test]
fn where_the_chart_pins_content_that_is_set_with_it() {
    let plan = move_to(
        &database(&defaults(&digest(1).to_string()), &json!({})),
        "5.7.2",
    );
    let (values, image) = upgrade(&plan);
    let both = [(DIGEST, digest(2).to_string()), (TAG, "5.7.2".to_owned())];
    assert_eq!(values, both);
    assert!(image.ends_with(&format!("@{}", digest(2))), "{image}");
}

#[test]
fn what_the_user_pinned_is_let_go_of_first() {
    let own = json!({"images": {"mysqlClient": {"digest": digest(1)}}});
    let plan = move_to(&database(&defaults(""), &own), "5.7.2");
    assert_eq!(guards(&plan), [Guard::TagNotInForce]);
    assert!(plan.refusals[0].message.contains(DIGEST), "{plan:?}");
    assert!(plan.steps.is_empty());
}

#[test]
fn nothing_that_may_be_older_is_moved_to_unasked() {
    let snapshot = database(&defaults(""), &json!({}));
    for tag in ["5.6.9", "5.7.2-alpine", "nightly"] {
        let plan = move_to(&snapshot, tag);
        assert_eq!(guards(&plan), [Guard::Downgrade], "{tag}");
        assert!(plan.steps.is_empty());
        let plan = to(&snapshot, "mysql-client", tag, true);
        assert_eq!(upgrade(&plan).0, [(TAG, tag.to_owned())]);
    }
}

#[test]
fn the_tag_that_it_has_is_no_change_and_one_that_is_not_there_no_tag() {
    let mut snapshot = database(&defaults(""), &json!({}));
    let plan = move_to(&snapshot, "5.7.1");
    assert_eq!((words(&plan), guards(&plan)), (vec![], vec![]));
    assert_eq!(plan.images[0].decision, Decision::Current);
    assert_eq!(
        guards(&move_to(&snapshot, "5.7.3")),
        [Guard::TagUnavailable]
    );
    let tag = ImageRef::parse("tracebloc/mysql-client:5.7.2").unwrap();
    let gap = Gap {
        asked: "the digest".to_owned(),
        reason: GapReason::Failed,
        message: "not found".to_owned(),
    };
    snapshot.published.insert(tag, Evidence::Unknown(gap));
    let plan = move_to(&snapshot, "5.7.2");
    assert_eq!(guards(&plan), [Guard::TagUnavailable]);
    assert!(plan.refusals[0].message.contains("not found"), "{plan:?}");
}

#[test]
fn a_tag_without_the_platform_of_a_node_is_refused() {
    let offer = |platform: Platform| {
        let mut snapshot = database(&defaults(""), &json!({}));
        let arm = Platform::new("linux", "arm64", None);
        snapshot.nodes.insert("one".to_owned(), arm);
        let repository = ImageRef::parse("tracebloc/mysql-client").unwrap();
        let index = Document::Found(Manifest::Index {
            children: vec![Child {
                digest: digest(7),
                platform: Some(platform),
                attestation: false,
            }],
        });
        let documents = snapshot.manifests.entry(repository.repository().clone());
        documents.or_default().insert(digest(2), index);
        guards(&move_to(&snapshot, "5.7.2"))
    };
    assert_eq!(
        offer(Platform::new("linux", "amd64", None)),
        [Guard::PlatformMissing]
    );
    assert_eq!(offer(Platform::new("linux", "arm64", None)), []);
}

#[test]
fn without_a_value_the_workload_is_changed_and_what_follows_a_channel_is_left() {
    let snapshot = database(&json!({}), &json!({}));
    let plan = move_to(&snapshot, "5.7.2");
    assert_eq!((words(&plan), guards(&plan)), (vec!["set-image"], vec![]));
    assert_eq!(plan.warnings.len(), 1, "{plan:?}");
    let wanted: &Digest = &plan.steps[0].act.rollout().unwrap().containers[0].wanted;
    assert_eq!(*wanted, digest(2));
    let mut channel = snapshot;
    let tag = ImageRef::parse("tracebloc/jobs-manager:2.0.0").unwrap();
    channel.published.insert(tag, Evidence::Known(digest(2)));
    let plan = to(&channel, "jobs-manager", "2.0.0", true);
    assert_eq!(guards(&plan), [Guard::RefreshActive]);
}

#[test]
fn that_data_may_not_go_back_is_said() {
    let mut snapshot = database(&defaults(""), &json!({}));
    let stored = release(&mut snapshot).workloads.last_mut().unwrap();
    assert_eq!(stored.id.namespace, Namespace::parse("edge").unwrap());
    stored.shape.claims = vec!["mysql-pvc".to_owned()];
    let plan = move_to(&snapshot, "5.7.2");
    assert!(plan.warnings[0].contains("mysql-pvc"), "{plan:?}");
}
