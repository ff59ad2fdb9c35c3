use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Aim, PinWish, Pinning, pin};
use crate::assess::tests::{healthy, with_defaults};
use crate::change::{ANNOTATION, Change, ChangeState};
use crate::image::{Digest, ImageRef, RunningImage};
use crate::index::{ChartIndex, ChartVersion};
use crate::manifest::{Child, Document, Manifest};
use crate::ownership::KEEL_POLICY;
use crate::plan::{Act, Decision, Guard, Plan, RefreshWish, Setting, Step, WishError, refresh};
use crate::profile::Profile;
use crate::release::{ApplyMethod, Release, ReleaseStatus};
use crate::snapshot::{Evidence, ObservedChart, Snapshot};
use crate::workload::{Container, LiveWorkload, Pod, PodContainer, Rollout};

const VALUE: &str = "images.jobsManager.digest";

pub(super) fn digest(number: u8) -> Digest {
    Digest::from_sha256(&[number; 32])
}

/// The defaults of a chart that can pin the jobs manager.
fn defaults() -> Value {
    json!({"images": {"jobsManager": {"digest": ""}, "requestsProxy": {"digest": ""}}})
}

fn main_workload(snapshot: &mut Snapshot) -> &mut LiveWorkload {
    &mut snapshot.live[0]
}

pub(super) fn release(snapshot: &mut Snapshot) -> &mut Release {
    let Evidence::Known(release) = &mut snapshot.releases[0].record else {
        panic!("no release")
    };
    release
}

/// A settled release whose pods run these contents, while the tag points to content 9; its chart's package is to be had.
pub(super) fn running(
    version: &str,
    defaults: &Value,
    values: &Value,
    contents: &[u8],
) -> Snapshot {
    let mut snapshot = with_defaults(version, defaults, values);
    let repository = snapshot.releases[0].repository.clone().unwrap();
    let record = release(&mut snapshot);
    let installed = ChartVersion {
        version: record.chart.version.clone().unwrap(),
        app_version: None,
        kube_version: None,
        deprecated: false,
        unread: false,
        digest: Some("ab".repeat(32)),
        urls: vec!["client.tgz".to_owned()],
    };
    let chart = record.chart.name.clone();
    snapshot.charts = vec![ObservedChart {
        repository,
        chart,
        index: Evidence::Known(ChartIndex {
            versions: vec![installed],
            rejected: Vec::new(),
        }),
        observed_at: None,
        changes: crate::index::ChartChanges::default(),
    }];
    let main = main_workload(&mut snapshot);
    main.workload.containers = vec![Container::declared(
        "api".into(),
        "tracebloc/jobs-manager:prod",
        Some("Always"),
        false,
    )];
    let workload = main.workload.id.clone();
    snapshot.pods = contents
        .iter()
        .enumerate()
        .map(|(index, content)| {
            let text = format!("tracebloc/jobs-manager@{}", digest(*content));
            let container = PodContainer {
                running: RunningImage::parse(&text).unwrap(),
                ..PodContainer::default()
            };
            Pod {
                name: format!("edge-jobs-manager-{index}"),
                workload: workload.clone(),
                node: None,
                containers: BTreeMap::from([("api".to_owned(), container)]),
                unscheduled: None,
                pull_secrets: Vec::new(),
            }
        })
        .collect();
    let tag = ImageRef::parse("tracebloc/jobs-manager:prod").unwrap();
    let documents = snapshot
        .manifests
        .entry(tag.repository().clone())
        .or_default();
    for number in 0..10 {
        let config = digest(number + 100);
        documents.insert(digest(number), Document::Found(Manifest::Image { config }));
    }
    snapshot.published.insert(tag, Evidence::Known(digest(9)));
    snapshot
}

fn unpinned(contents: &[u8]) -> Snapshot {
    running("1.9.28", &defaults(), &json!({}), contents)
}

fn wish(lets_go: bool) -> PinWish {
    PinWish {
        images: BTreeSet::from(["jobs-manager".to_owned()]),
        override_managed: false,
        aim: if lets_go { Aim::LetGo } else { Aim::Hold },
        helm: Some(4),
    }
}

fn hold(snapshot: &Snapshot) -> Pinning {
    pin(snapshot, &Profile::client().unwrap(), &wish(false)).unwrap()
}

fn let_go(snapshot: &Snapshot) -> Plan {
    let profile = Profile::client().unwrap();
    let Pinning {
        plan,
        printed,
        by_hand,
        ..
    } = pin(snapshot, &profile, &wish(true)).unwrap();
    assert_eq!(printed, None, "unpin has no such flag");
    let upgrades = plan
        .steps
        .iter()
        .any(|step| matches!(step.act, Act::SetValue(_)));
    assert_eq!(upgrades, by_hand.iter().any(|line| line.contains("=null")));
    plan
}

pub(super) fn guards(plan: &Plan) -> Vec<Guard> {
    for refusal in &plan.refusals {
        // A whole line, a flag, or a value to set elsewhere.
        let is_typed = |line: &String| {
            ["kubectl ", "helm ", "--"]
                .iter()
                .any(|start| line.starts_with(start))
                || line
                    .split_once(": ")
                    .is_some_and(|(path, _)| path.contains('.'))
        };
        // What a cache serves is told by nothing but the cache.
        if refusal.guard != Guard::CacheStale {
            assert!(!refusal.advice.is_empty(), "{refusal:?}");
        }
        assert!(refusal.advice.iter().all(is_typed), "{refusal:?}");
    }
    plan.refusals.iter().map(|refusal| refusal.guard).collect()
}

pub(super) fn words(plan: &Plan) -> Vec<&'static str> {
    plan.steps.iter().map(|step| step.act.as_str()).collect()
}

/// What the Helm upgrade of a plan sets.
fn values(plan: &Plan) -> Vec<(&str, Option<Digest>)> {
    let set = plan.steps.iter().find_map(|step: &Step| match &step.act {
        Act::SetValue(change) => Some(change),
        _ => None,
    });
    set.unwrap()
        .values
        .iter()
        .map(|(path, setting)| {
            let digest = setting.as_ref().map(|setting| match setting {
                Setting::Digest(digest) => digest.clone(),
                Setting::Tag(tag) => panic!("{tag}"),
            });
            (path.as_str(), digest)
        })
        .collect()
}

#[test]
fn what_runs_is_held_by_every_value_that_the_chart_has_for_it() {
    let Pinning {
        plan,
        values: told,
        printed,
        by_hand,
    } = hold(&unpinned(&[1, 1]));
    assert!(printed.unwrap().contains(" --print-values"));
    let set = format!(" --set-string {VALUE}={} ", digest(1));
    assert!(by_hand.last().unwrap().contains(&set), "{by_hand:?}");
    assert_eq!(guards(&plan), []);
    assert_eq!(words(&plan), ["set-value"]);
    assert_eq!(plan.images[0].decision, Decision::Pin);
    let both = [
        (VALUE, Some(digest(1))),
        ("images.requestsProxy.digest", Some(digest(1))),
    ];
    assert_eq!(values(&plan), both);
    assert_eq!(told[VALUE], Setting::Digest(digest(1)));
    let later = hold(&running("1.9.40", &defaults(), &json!({}), &[1]));
    let own = [(VALUE, Some(digest(1)))];
    assert_eq!(values(&later.plan), own, "it falls back to the image's own");
    let Act::SetValue(change) = &plan.steps[0].act else {
        panic!("{plan:?}")
    };
    assert_eq!(change.package.as_deref(), Some("ab".repeat(32).as_str()));
    let rolled = &change.rollouts[0].containers[0];
    assert!(
        rolled.to.ends_with(&format!("@{}", digest(1))),
        "{rolled:?}"
    );
}

#[test]
fn the_index_goes_before_what_one_platform_runs_of_it() {
    let mut snapshot = unpinned(&[1, 2]);
    let tag = ImageRef::parse("tracebloc/jobs-manager:prod").unwrap();
    let children = [1, 2].map(|number| Child {
        digest: digest(number),
        platform: None,
        attestation: false,
    });
    let index = Document::Found(Manifest::Index {
        children: children.to_vec(),
    });
    let documents = snapshot.manifests.get_mut(tag.repository()).unwrap();
    documents.insert(digest(9), index);
    assert_eq!(values(&hold(&snapshot).plan)[0].1, Some(digest(9)));
    snapshot.published.insert(tag, Evidence::Known(digest(8)));
    assert_eq!(
        guards(&hold(&snapshot).plan),
        [Guard::Skewed],
        "without an index that has both they are two contents"
    );
}

#[test]
fn what_cannot_be_named_by_a_digest_is_not_held() {
    assert_eq!(guards(&hold(&unpinned(&[])).plan), [Guard::NotPinnable]);
    let mut loaded = unpinned(&[1]);
    let config = RunningImage::parse(&digest(101).to_string()).unwrap();
    let container = loaded.pods[0].containers.get_mut("api").unwrap();
    container.running = config;
    let plan = hold(&loaded).plan;
    assert_eq!(guards(&plan), [Guard::NotPinnable], "{plan:?}");
    assert!(plan.steps.is_empty());
}

#[test]
fn what_is_pinned_already_is_left() {
    let set = |number: u8| json!({"images": {"jobsManager": {"digest": digest(number)}, "requestsProxy": {"digest": digest(number)}}});
    let same = hold(&running("1.9.28", &defaults(), &set(1), &[1])).plan;
    assert_eq!((words(&same), guards(&same)), (vec![], vec![]));
    assert_eq!(same.images[0].decision, Decision::Pinned);
    let other = hold(&running("1.9.28", &defaults(), &set(2), &[1])).plan;
    assert_eq!(values(&other)[0].1, Some(digest(1)));
    let by_chart = hold(&running("1.9.28", &set(1), &json!({}), &[1])).plan;
    assert_eq!(words(&by_chart), [""; 0]);
    assert!(
        by_chart.images[0].reason.contains("default"),
        "{by_chart:?}"
    );
}

#[test]
fn only_what_the_user_set_is_taken_away() {
    let own = json!({"images": {"jobsManager": {"digest": digest(1)}}});
    let plan = let_go(&running("1.9.28", &defaults(), &own, &[1]));
    assert_eq!(values(&plan), [(VALUE, None)]);
    assert_eq!(plan.images[0].decision, Decision::Unpin);
    for snapshot in [unpinned(&[1]), running("1.9.28", &own, &json!({}), &[1])] {
        let plan = let_go(&snapshot);
        assert_eq!((words(&plan), guards(&plan)), (vec![], vec![]));
        assert_eq!(plan.images[0].decision, Decision::NotPinned);
    }
}

#[test]
fn each_guard_says_no() {
    let check = |name: &str, guard: Guard, change: &dyn Fn(&mut Snapshot)| {
        let mut snapshot = unpinned(&[1]);
        change(&mut snapshot);
        assert_eq!(guards(&hold(&snapshot).plan), [guard], "{name}");
    };
    check("pending", Guard::ReleasePending, &|snapshot| {
        snapshot.releases[0].newest.status = ReleaseStatus::PendingUpgrade;
    });
    let mut stuck = unpinned(&[1]);
    let deployed = release(&mut stuck).clone();
    stuck.releases[0].newest.status = ReleaseStatus::PendingUpgrade;
    release(&mut stuck).last_deployed = Some("2026-01-01T00:00:00Z".parse().unwrap());
    stuck.releases[0].deployed = Some(Evidence::Known(deployed));
    let plan = hold(&stuck).plan;
    let way_out = &plan.refusals[0].advice[1];
    assert!(way_out.starts_with("helm rollback edge "), "{way_out}");
    check("managed", Guard::ManagedElsewhere, &|snapshot| {
        let marks = &mut main_workload(snapshot).marks;
        marks.managers.insert("helm-controller".to_owned());
    });
    check("unsettled", Guard::Unsettled, &|snapshot| {
        main_workload(snapshot).rollout = Rollout::Progressing;
    });
    check("paused", Guard::Paused, &|snapshot| {
        main_workload(snapshot).rollout = Rollout::Paused;
    });
    check("no repository", Guard::ChartUnavailable, &|snapshot| {
        snapshot.releases[0].repository = None;
    });
    check("no digest", Guard::ChartUnavailable, &|snapshot| {
        if let Evidence::Known(index) = &mut snapshot.charts[0].index {
            index.versions[0].digest = None;
        }
    });
    check("withdrawn", Guard::ChartUnavailable, &|snapshot| {
        snapshot.charts[0].index = Evidence::Known(ChartIndex::default());
    });
    check("unfinished", Guard::Unfinished, &|snapshot| {
        let change = Change {
            id: "a".to_owned(),
            command: "refresh".to_owned(),
            by: "jane".to_owned(),
            at: "2026-08-21T10:00:00Z".parse().unwrap(),
            state: ChangeState::Acting,
            containers: Vec::new(),
            reason: None,
            attempt: None,
        };
        let records = &mut main_workload(snapshot).records;
        records.insert(ANNOTATION.to_owned(), change.to_text());
    });
}

#[test]
fn a_foreign_owner_is_named_only_where_helm_would_stumble() {
    let owned = |set: &str, method: ApplyMethod, helm: u64| {
        let mut snapshot = unpinned(&[1]);
        release(&mut snapshot).apply_method = method;
        let main = main_workload(&mut snapshot);
        main.workload.containers[0].image = Ok(ImageRef::parse(set).unwrap());
        let owners = BTreeSet::from(["kubectl-set".to_owned()]);
        main.marks.image_owners.insert("api".to_owned(), owners);
        let wish = PinWish {
            helm: Some(helm),
            ..wish(false)
        };
        let plan = pin(&snapshot, &Profile::client().unwrap(), &wish)
            .unwrap()
            .plan;
        let told = plan
            .refusals
            .iter()
            .all(|one| one.message.contains("kubectl-set"));
        assert!(told, "{plan:?}");
        for refusal in &plan.refusals {
            let [pin, forced] = refusal.advice.as_slice() else {
                panic!("{refusal:?}")
            };
            let wanted = "kubectl tracebloc pin edge/edge --image jobs-manager ";
            assert!(pin.starts_with(wanted) || *pin == wanted.trim(), "{pin}");
            assert!(
                forced.contains(" --force-conflicts --set-string images."),
                "{forced}"
            );
        }
        guards(&plan)
    };
    let set = |number: u8| format!("tracebloc/jobs-manager@{}", digest(number));
    let server = ApplyMethod::ServerSide;
    assert_eq!(owned(&set(2), server, 4), [Guard::FieldsOwned]);
    assert_eq!(owned(&set(1), server, 4), [], "both want the same");
    assert_eq!(owned(&set(2), server, 3), [], "Helm 3 minds no owners");
    assert_eq!(owned(&set(2), ApplyMethod::ClientSide, 4), []);
}

#[test]
fn keel_is_told_and_gets_back_what_it_had() {
    let mut snapshot = unpinned(&[1]);
    let main = main_workload(&mut snapshot);
    let notes = &mut main.marks.notes;
    notes.insert(KEEL_POLICY.to_owned(), "force".to_owned());
    let plan = hold(&snapshot).plan;
    assert_eq!(
        words(&plan),
        ["set-value", "annotate"],
        "an upgrade that fails leaves Keel as it was"
    );
    let Act::Annotate(told) = &plan.steps[1].act else {
        panic!("{plan:?}")
    };
    assert_eq!(told.annotations[KEEL_POLICY], "never");
    let own = json!({"images": {"jobsManager": {"digest": digest(1)}}});
    let mut pinned = running("1.9.28", &defaults(), &own, &[1]);
    let main = main_workload(&mut pinned);
    main.records.extend(told.annotations.clone());
    let plan = let_go(&pinned);
    assert_eq!(words(&plan), ["set-value", "annotate"]);
    let Act::Annotate(told) = &plan.steps[1].act else {
        panic!("{plan:?}")
    };
    assert_eq!(told.annotations[KEEL_POLICY], "force");
    assert_eq!(told.clears, ["tracebloc.io/keel-policy"]);
}

#[test]
fn what_a_run_left_with_keel_is_completed_by_the_next() {
    let set = json!({"images": {"jobsManager": {"digest": digest(1)}, "requestsProxy": {"digest": digest(1)}}});
    let mut held = running("1.9.28", &defaults(), &set, &[1]);
    let notes = &mut main_workload(&mut held).marks.notes;
    notes.insert(KEEL_POLICY.to_owned(), "force".to_owned());
    let plan = hold(&held).plan;
    assert_eq!(plan.images[0].decision, Decision::Pinned);
    assert_eq!(words(&plan), ["annotate"], "killed before it told Keel");
    let mut failed = unpinned(&[1]);
    let main = main_workload(&mut failed);
    let former = "tracebloc.io/keel-policy".to_owned();
    main.records.insert(former.clone(), "force".to_owned());
    let plan = let_go(&failed);
    assert_eq!(plan.images[0].decision, Decision::NotPinned);
    let Act::Annotate(told) = &plan.steps[0].act else {
        panic!("{plan:?}")
    };
    assert_eq!(told.annotations[KEEL_POLICY], "force");
    assert_eq!(told.clears, [former]);
}

#[test]
fn without_a_value_the_workload_is_changed_only_where_nothing_moves_it() {
    let bare = json!({});
    let refused = hold(&running("1.9.28", &bare, &bare, &[1])).plan;
    assert_eq!(guards(&refused), [Guard::RefreshActive]);
    let stopping = json!({"imageRefresh": {"suspend": false}});
    let refused = hold(&running("1.9.28", &stopping, &bare, &[1])).plan;
    let line = &refused.refusals[0].advice[0];
    assert!(line.starts_with("helm upgrade edge "), "{line}");
    assert!(line.contains(" --set imageRefresh.suspend=true "), "{line}");
    let mut suspended = running("1.9.28", &bare, &bare, &[1]);
    suspended.live[2].cron.as_mut().unwrap().suspended = true;
    let plan = hold(&suspended).plan;
    assert_eq!(guards(&plan), []);
    assert_eq!(
        words(&plan),
        ["annotate", "set-image"],
        "killed in the wait, it is held all the same"
    );
    let Act::Annotate(mark) = &plan.steps[0].act else {
        panic!("{plan:?}")
    };
    // Once it is done, it is left by a second pin and by a refresh, and let go of.
    let main = main_workload(&mut suspended);
    main.records.extend(mark.annotations.clone());
    let held = format!("tracebloc/jobs-manager@{}", digest(1));
    main.workload.containers[0].image = Ok(ImageRef::parse(&held).unwrap());
    assert_eq!(hold(&suspended).plan.images[0].decision, Decision::Pinned);
    let profile = Profile::client().unwrap();
    let refreshed = refresh(&suspended, &profile, &RefreshWish::default()).unwrap();
    assert_eq!(refreshed.images[0].decision, Decision::Pinned);
    let plan = let_go(&suspended);
    assert_eq!(words(&plan), ["set-image", "annotate"]);
    let back = &plan.steps[0].act.rollout().unwrap().containers[0];
    assert!(back.to.ends_with("jobs-manager:prod"), "{back:?}");
}

#[test]
fn a_wrong_name_is_told_with_the_nearest() {
    let wish = PinWish {
        images: BTreeSet::from(["job-manager".to_owned()]),
        ..PinWish::default()
    };
    let outcome = pin(&unpinned(&[1]), &Profile::client().unwrap(), &wish);
    let Err(WishError::NoImage { known, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(known, ["jobs-manager"]);
    assert!(
        pin(
            &Snapshot {
                releases: Vec::new(),
                ..healthy("1.9.28")
            },
            &Profile::client().unwrap(),
            &wish
        )
        .is_err()
    );
}
