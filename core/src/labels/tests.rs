use proptest::prelude::*;

use super::*;
use crate::image::ImageRef;
use crate::workload::{Container, Shape, WorkloadKind};

fn profile() -> Profile {
    Profile::client().unwrap()
}

fn id(name: &str) -> ReleaseId {
    ReleaseId {
        namespace: Namespace::parse("edge").unwrap(),
        name: ReleaseName::parse(name).unwrap(),
    }
}

fn digest() -> String {
    format!("sha256:{}", "a".repeat(64))
}

/// A workload of the release `edge` in its own namespace, made from that chart, with one container.
fn labelled(
    kind: WorkloadKind,
    name: &str,
    chart: &str,
    container: &str,
    image: &str,
) -> LabelledWorkload {
    LabelledWorkload {
        workload: Workload {
            id: WorkloadId {
                kind,
                namespace: Namespace::parse("edge").unwrap(),
                name: name.into(),
            },
            containers: vec![Container::declared(container.into(), image, None, false)],
            shape: Shape::default(),
        },
        release: id("edge"),
        chart: (!chart.is_empty()).then(|| chart.to_owned()),
        variables: BTreeMap::new(),
    }
}

fn main_workload(chart: &str, image: &str) -> LabelledWorkload {
    labelled(
        WorkloadKind::Deployment,
        "edge-jobs-manager",
        chart,
        "api",
        image,
    )
}

fn refresh_job(variables: &[(&str, &str)]) -> LabelledWorkload {
    let mut job = labelled(
        WorkloadKind::CronJob,
        "edge-image-refresh",
        "client-1.9.51",
        "refresh",
        "alpine/k8s:1.30.5",
    );
    job.variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    job
}

/// The reference of the main workload's container in a release of these.
fn reference(release: &Release) -> String {
    release.workloads[0].containers[0]
        .image
        .as_ref()
        .unwrap()
        .to_string()
}

#[test]
fn only_what_helm_takes_for_its_own_is_a_release_s() {
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    };
    let whole = [(RELEASE_NAME, "edge"), (RELEASE_NAMESPACE, "edge")];
    let managed = [(MANAGED_BY, "Helm")];
    assert_eq!(owner(&map(&managed), &map(&whole)), Some(id("edge")));
    for (labels, annotations) in [
        (&[][..], &whole[..]),
        (&[(MANAGED_BY, "helm")], &whole),
        (&managed, &whole[..1]),
        (&managed, &whole[1..]),
        (
            &managed,
            &[(RELEASE_NAME, "EDGE"), (RELEASE_NAMESPACE, "edge")],
        ),
        (
            &managed,
            &[(RELEASE_NAME, "edge"), (RELEASE_NAMESPACE, "../edge")],
        ),
        // Labels are no annotations.
        (&whole, &managed),
    ] {
        assert_eq!(
            owner(&map(labels), &map(annotations)),
            None,
            "{labels:?} {annotations:?}"
        );
    }
}

#[test]
fn the_chart_is_what_its_label_says() {
    let cut = format!("client-1.9.28-{}", "x".repeat(48));
    for (label, chart, text, version) in [
        ("client-1.9.28", "client", "1.9.28", Some("1.9.28")),
        (
            "client-1.9.61-rc.1",
            "client",
            "1.9.61-rc.1",
            Some("1.9.61-rc.1"),
        ),
        (
            "client-1.9.28_build.7",
            "client",
            "1.9.28+build.7",
            Some("1.9.28+build.7"),
        ),
        (
            "tracebloc-eks-chart-0.1.2",
            "tracebloc-eks-chart",
            "0.1.2",
            Some("0.1.2"),
        ),
        ("my-2-chart-1.0.0", "my-2-chart", "1.0.0", Some("1.0.0")),
        ("foo-1.2.3-4.5.6", "foo", "1.2.3-4.5.6", Some("1.2.3-4.5.6")),
        // What fills a label may have been cut.
        (cut.as_str(), "client", &cut["client-".len()..], None),
    ] {
        let release = release(&id("edge"), &[main_workload(label, "x:1")], &profile()).unwrap();
        assert_eq!(release.chart.name.as_str(), chart, "{label}");
        assert_eq!(release.chart.version_text, text);
        assert_eq!(
            release.chart.version.as_ref().map(Version::as_str),
            version,
            "{label}"
        );
    }
    for label in [
        "",
        "client",
        "client-",
        "client-1.9",
        "client-one",
        "1.9.28",
        "-1.9.28",
    ] {
        let made = release(&id("edge"), &[main_workload(label, "x:1")], &profile());
        assert_eq!(made, Err(LabelError::NoChart), "{label}");
    }
}

#[test]
fn a_version_that_is_not_on_every_workload_is_unknown() {
    let proxy = |chart: &str| {
        labelled(
            WorkloadKind::Deployment,
            "edge-requests-proxy",
            chart,
            "proxy",
            "x:1",
        )
    };
    let made = |chart: &str| {
        release(
            &id("edge"),
            &[main_workload("client-1.9.28", "x:1"), proxy(chart)],
            &profile(),
        )
    };
    let agreed = made("client-1.9.28").unwrap();
    assert!(agreed.chart.version.is_some());
    for (chart, text) in [
        ("client-1.9.40", "1.9.28 or 1.9.40"),
        ("", "1.9.28 or an unlabelled one"),
        ("nonsense", "1.9.28 or an unlabelled one"),
    ] {
        let release = made(chart).unwrap();
        assert_eq!(release.chart.version, None, "{chart}");
        assert_eq!(release.chart.version_text, text);
    }
    assert!(
        matches!(made("other-1.0.0"), Err(LabelError::SeveralCharts(names)) if names.len() == 2)
    );
}

#[test]
fn the_release_is_known_by_labels_and_nothing_is_made_up() {
    let release = release(
        &id("edge"),
        &[main_workload("client-1.9.28", "x:1")],
        &profile(),
    )
    .unwrap();
    assert!(release.is_by_labels());
    assert_eq!(
        (release.head.revision, release.head.status),
        (0, ReleaseStatus::Unknown)
    );
    assert_eq!(release.first_deployed.or(release.last_deployed), None);
    assert!(release.claims.is_empty() && release.bindings.is_empty());
    assert_eq!(release.values.text("env.CLIENT_ENV"), None);
}

#[test]
fn what_the_refresh_job_is_told_says_what_no_value_pins() {
    let pinned = format!("docker.io/tracebloc/jobs-manager@{}", digest());
    let tag = "docker.io/tracebloc/jobs-manager:stg";
    for (variables, image, rendered, is_unknown) in [
        // A refresh set the digest, and the chart renders the channel's tag.
        (
            &[("IMAGE_TAG", "stg"), ("JOBS_MANAGER_PINNED", "0")][..],
            pinned.as_str(),
            tag,
            false,
        ),
        (
            &[("IMAGE_TAG", "stg"), ("JOBS_MANAGER_PINNED", "1")],
            &pinned,
            &pinned,
            false,
        ),
        // Nothing tells: it may be pinned.
        (&[("IMAGE_TAG", "stg")], &pinned, &pinned, true),
        (
            &[("IMAGE_TAG", "stg"), ("JOBS_MANAGER_PINNED", "")],
            &pinned,
            &pinned,
            true,
        ),
        (
            &[("IMAGE_TAG", "stg"), ("JOBS_MANAGER_PINNED", "yes")],
            &pinned,
            &pinned,
            true,
        ),
        (&[("JOBS_MANAGER_PINNED", "0")], &pinned, &pinned, true),
        (
            &[("IMAGE_TAG", "no tag!"), ("JOBS_MANAGER_PINNED", "0")],
            &pinned,
            &pinned,
            true,
        ),
        // Another variable's word is not this one's.
        (
            &[("IMAGE_TAG", "stg"), ("PODS_MONITOR_PINNED", "0")],
            &pinned,
            &pinned,
            true,
        ),
        // A tag floats, whatever is told, unless a value pins it and somebody set the tag.
        (&[], tag, tag, false),
        (
            &[("IMAGE_TAG", "prod"), ("JOBS_MANAGER_PINNED", "0")],
            tag,
            tag,
            false,
        ),
        (
            &[("IMAGE_TAG", "stg"), ("JOBS_MANAGER_PINNED", "1")],
            tag,
            tag,
            true,
        ),
    ] {
        let parts = [
            main_workload("client-1.9.51", image),
            refresh_job(variables),
        ];
        let release = release(&id("edge"), &parts, &profile()).unwrap();
        let written = |text: &str| ImageRef::parse(text).unwrap().to_string();
        assert_eq!(
            reference(&release),
            written(rendered),
            "{variables:?} {image}"
        );
        let main = &release.workloads[0];
        assert_eq!(
            release.is_pin_unknown(&main.id, &main.containers[0]),
            is_unknown,
            "{variables:?} {image}"
        );
    }
}

#[test]
fn a_digest_of_another_repository_is_nobody_s_channel() {
    let other = format!("example.com/fork/manager@{}", digest());
    let told = [("IMAGE_TAG", "prod"), ("JOBS_MANAGER_PINNED", "0")];
    let parts = [main_workload("client-1.9.51", &other), refresh_job(&told)];
    let release = release(&id("edge"), &parts, &profile()).unwrap();
    let main = &release.workloads[0];
    assert!(release.is_pin_unknown(&main.id, &main.containers[0]));
}

#[test]
fn a_job_tells_of_its_own_release_only() {
    let pinned = format!("tracebloc/jobs-manager@{}", digest());
    let told = [("IMAGE_TAG", "prod"), ("JOBS_MANAGER_PINNED", "0")];
    let mut others = [refresh_job(&told), refresh_job(&told), refresh_job(&told)];
    others[0].release = id("other");
    // Where the release may have workloads, but not this one.
    others[1].workload.id.namespace = Namespace::parse("tracebloc-node-agents").unwrap();
    others[2].workload.id.kind = WorkloadKind::Deployment;
    for other in others {
        let parts = [main_workload("client-1.9.51", &pinned), other];
        let release = release(&id("edge"), &parts, &profile()).unwrap();
        let main = release
            .workloads
            .iter()
            .find(|one| one.id.name == "edge-jobs-manager")
            .unwrap();
        assert!(release.is_pin_unknown(&main.id, &main.containers[0]));
    }
}

#[test]
fn what_claims_to_be_a_release_s_elsewhere_is_not() {
    let mut monitor = labelled(
        WorkloadKind::DaemonSet,
        "edge-resource-monitor",
        "client-1.9.51",
        "tracebloc-resource-monitor",
        "tracebloc/resource-monitor:prod",
    );
    let has_monitor = |monitor: &LabelledWorkload, job: &LabelledWorkload| {
        let parts = [
            main_workload("client-1.9.51", "x:1"),
            monitor.clone(),
            job.clone(),
        ];
        let release = release(&id("edge"), &parts, &profile()).unwrap();
        release
            .workloads
            .iter()
            .any(|one| one.id == monitor.workload.id)
    };
    let silent = refresh_job(&[]);
    let telling = refresh_job(&[("NODE_AGENTS_NAMESPACE", "agents")]);
    for (namespace, by_default, as_told) in [
        ("edge", true, true),
        ("tracebloc-node-agents", true, false),
        ("agents", false, true),
        ("evil", false, false),
    ] {
        monitor.workload.id.namespace = Namespace::parse(namespace).unwrap();
        assert_eq!(has_monitor(&monitor, &silent), by_default, "{namespace}");
        assert_eq!(has_monitor(&monitor, &telling), as_told, "{namespace}");
    }
}

/// Workloads of several releases, versions and places.
fn any_workload() -> impl Strategy<Value = LabelledWorkload> {
    let names = prop::sample::select(vec![
        "edge-jobs-manager",
        "edge-requests-proxy",
        "other-jobs-manager",
        "edge-image-refresh",
    ]);
    let charts = prop::sample::select(vec![
        "",
        "client-1.9.28",
        "client-1.9.51",
        "client",
        "eks-1.0.3",
    ]);
    let releases = prop::sample::select(vec!["edge", "other"]);
    let places = prop::sample::select(vec!["edge", "tracebloc-node-agents", "evil"]);
    let kinds = prop::sample::select(vec![WorkloadKind::Deployment, WorkloadKind::CronJob]);
    let pins = prop::sample::select(vec!["0", "1", "", "2"]);
    (names, charts, releases, places, kinds, pins).prop_map(
        |(name, chart, release, place, kind, pin)| {
            let image = format!("tracebloc/jobs-manager@{}", digest());
            let mut one = labelled(kind, name, chart, "api", &image);
            one.release = id(release);
            one.workload.id.namespace = Namespace::parse(place).unwrap();
            one.variables = BTreeMap::from([
                ("IMAGE_TAG".to_owned(), "prod".to_owned()),
                ("JOBS_MANAGER_PINNED".to_owned(), pin.to_owned()),
            ]);
            one
        },
    )
}

proptest! {
    #[test]
    fn whatever_labels_say_releases_are_not_mixed_and_nothing_is_current_by_guess(
        found in prop::collection::vec(any_workload(), 0..8)
    ) {
        let profile = profile();
        for id in [id("edge"), id("other")] {
            let Ok(release) = release(&id, &found, &profile) else { continue };
            let own: Vec<&LabelledWorkload> = found.iter().filter(|one| one.release == id).collect();
            for workload in &release.workloads {
                prop_assert!(own.iter().any(|one| one.workload.id == workload.id));
                prop_assert!(workload.id.namespace.as_str() != "evil");
            }
            let charts: BTreeSet<_> = own
                .iter()
                .filter(|one| release.workloads.iter().any(|workload| workload.id == one.workload.id))
                .map(|one| &one.chart)
                .collect();
            prop_assert!(release.chart.version.is_none() || charts.len() == 1);
            // A digest is taken off only where the release's own job says that no value pins it.
            let told = own.iter().any(|one| {
                one.variables["JOBS_MANAGER_PINNED"] == "0" && one.workload.id.kind == WorkloadKind::CronJob
            });
            for workload in &release.workloads {
                let floats = workload.containers[0].image.as_ref().unwrap().digest().is_none();
                prop_assert!(!floats || told);
            }
        }
    }

    #[test]
    fn no_label_makes_the_reading_fail(label in ".{0,80}") {
        let made = release(&id("edge"), &[main_workload(&label, "x:1")], &profile());
        if let Ok(release) = made {
            let joined = format!("{}-{}", release.chart.name, release.chart.version_text);
            prop_assert_eq!(joined.replace('+', "_"), label.replace('+', "_"));
        }
    }
}
