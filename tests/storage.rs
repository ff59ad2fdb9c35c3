//! Storage safety judged on real releases and real claims. No command asks for it yet: the facts are read here, and judged by the core.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tracebloc_bed::{Install, Tenant};
use tracebloc_core::assess::{Question, outdated};
use tracebloc_core::claim::{ClaimId, LiveClaim, ReclaimPolicy};
use tracebloc_core::profile::Profile;
use tracebloc_core::release::Release;
use tracebloc_core::snapshot::{
    ContextFacts, Evidence, Gap, GapReason, ObservedRelease, Snapshot, StorageFacts,
};

use crate::support::{codes, finding, install, paste, tenant};

fn shown(tenant: &Tenant<'_>, arguments: &[&str]) -> Value {
    let mut whole = arguments.to_vec();
    whole.extend(["--output", "json"]);
    let text = tenant.kubectl(&whole).unwrap().success().unwrap();
    serde_json::from_str(&text).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The release, its claims and the volumes as the cluster has them now.
fn snapshot(tenant: &Tenant<'_>, release: &str) -> Snapshot {
    let secret = shown(
        tenant,
        &["get", "secret", &format!("sh.helm.release.v1.{release}.v1")],
    );
    let packed = STANDARD.decode(text(&secret["data"]["release"])).unwrap();
    let record = Release::decode(&packed).unwrap();
    let namespace = record.head.id.namespace.clone();
    let claims = shown(tenant, &["get", "persistentvolumeclaims"]);
    let volumes = shown(tenant, &["get", "persistentvolumes"]);
    let items = |list: &Value| list["items"].as_array().cloned().unwrap_or_default();
    let context = ContextFacts {
        name: Some("bed".to_owned()),
        server: String::new(),
        cluster_uid: Evidence::Known(String::new()),
        kubeconfig: None,
    };
    let observed_at = "2026-08-21T10:00:00Z".parse().unwrap();
    let releases = vec![ObservedRelease {
        newest: record.head.clone(),
        record: Evidence::Known(record),
        deployed: None,
        repository: None,
    }];
    Snapshot {
        storage: Some(StorageFacts {
            claims: items(&claims)
                .iter()
                .map(|claim| LiveClaim {
                    id: ClaimId {
                        namespace: namespace.clone(),
                        name: text(&claim["metadata"]["name"]),
                    },
                    phase: text(&claim["status"]["phase"]),
                    volume: claim["spec"]["volumeName"].as_str().map(str::to_owned),
                })
                .collect(),
            unlisted: Vec::new(),
            volumes: Evidence::Known(
                items(&volumes)
                    .iter()
                    .map(|volume| {
                        let policy = &volume["spec"]["persistentVolumeReclaimPolicy"];
                        (
                            text(&volume["metadata"]["name"]),
                            ReclaimPolicy::parse(&text(policy)),
                        )
                    })
                    .collect::<BTreeMap<_, _>>(),
            ),
        }),
        ..Snapshot::of_releases(context, observed_at, Evidence::Unknown(gap()), releases)
    }
}

fn gap() -> Gap {
    Gap {
        asked: "persistent volumes".to_owned(),
        reason: GapReason::Forbidden,
        message: "may not be listed".to_owned(),
    }
}

fn judge(snapshot: &Snapshot) -> Value {
    let question = Question {
        storage: true,
        ..Question::default()
    };
    let report = outdated(snapshot, &Profile::client().unwrap(), &question);
    serde_json::to_value(report).unwrap()
}

fn wait_bound(tenant: &Tenant<'_>) {
    let wait = [
        "wait",
        "persistentvolumeclaims",
        "--all",
        "--for=jsonpath={.status.phase}=Bound",
        "--timeout=60s",
    ];
    tenant.kubectl(&wait).unwrap().success().unwrap();
}

#[test]
fn claims_of_the_client_chart_are_kept_by_the_manifest_whatever_is_live() {
    let tenant = tenant("store-kept");
    install(&tenant, &Install::client("store-kept", "1.9.51"));
    wait_bound(&tenant);
    let report = judge(&snapshot(&tenant, "store-kept"));
    let claims = report["releases"][0]["storage"].as_array().unwrap().clone();
    assert_eq!(claims.len(), 3, "{report:#}");
    for claim in &claims {
        assert_eq!(claim["kept"], true);
        assert_eq!(
            (&claim["phase"], &claim["reclaim"]),
            (&"Bound".into(), &"retain".into())
        );
    }
    assert_eq!(codes(&report), Vec::<&str>::new());
    let strip = [
        "annotate",
        "persistentvolumeclaims",
        "--all",
        "helm.sh/resource-policy-",
    ];
    tenant.kubectl(&strip).unwrap().success().unwrap();
    let report = judge(&snapshot(&tenant, "store-kept"));
    assert_eq!(
        codes(&report),
        Vec::<&str>::new(),
        "uninstall reads the manifest"
    );
}

#[test]
fn claims_of_a_legacy_chart_go_with_it_and_the_advice_saves_the_volumes() {
    let tenant = tenant("store-lost");
    let legacy = Install {
        chart: "eks",
        version: "1.0.3",
        ..Install::client("store-lost", "1.0.3")
    };
    install(&tenant, &legacy);
    wait_bound(&tenant);
    let volumes = shown(&tenant, &["get", "persistentvolumeclaims"]);
    let volume = text(&volumes["items"][0]["spec"]["volumeName"]);
    let loosen = [
        "patch",
        "persistentvolume",
        &volume,
        "--patch",
        r#"{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}"#,
    ];
    tenant.kubectl(&loosen).unwrap().success().unwrap();
    let report = judge(&snapshot(&tenant, "store-lost"));
    let kept = |code: &str| {
        codes(&report)
            .iter()
            .filter(|found| **found == code)
            .count()
    };
    assert_eq!(
        (kept("pvc-not-kept"), kept("pv-not-retained")),
        (3, 1),
        "{report:#}"
    );
    let advice = finding(&report, "pv-not-retained")["advice"][0].clone();
    paste(&tenant, advice.as_str().unwrap(), tracebloc_bed::Helm::Four)
        .success()
        .unwrap();
    let report = judge(&snapshot(&tenant, "store-lost"));
    assert!(!codes(&report).contains(&"pv-not-retained"));
    assert_eq!(finding(&report, "pvc-not-kept")["severity"], "danger");
}

#[test]
fn a_claim_that_waits_for_a_volume_is_said_and_volumes_unread_are_unknown() {
    let tenant = tenant("store-wait");
    let odd = Install::client("store-wait", "1.9.51").set("storageClass.name=no-such-class");
    tenant.install(&odd).unwrap().success().unwrap();
    let mut seen = snapshot(&tenant, "store-wait");
    let report = judge(&seen);
    assert_eq!(codes(&report), ["pvc-not-bound"; 3], "{report:#}");
    let advice = finding(&report, "pvc-not-bound")["advice"][0].clone();
    paste(&tenant, advice.as_str().unwrap(), tracebloc_bed::Helm::Four)
        .success()
        .unwrap();
    if let Some(storage) = &mut seen.storage {
        storage.volumes = Evidence::Unknown(gap());
    }
    assert!(codes(&judge(&seen)).contains(&"cluster-unanswered"));
}
