use serde_json::{Value, json};

use crate::assess::tests::{gap, healthy, whole_release};
use crate::assess::{Question, outdated, wanted_manifests, wanted_tags};
use crate::finding::Code;
use crate::image::{CarriedImage, Digest, ImageRef, Repository, Tag};
use crate::manifest::{Child, Document, Manifest, Platform};
use crate::profile::Profile;
use crate::report::{ImageFlag, ImageReport, ImageState, OutdatedReport, TagSource};
use crate::snapshot::{Evidence, Snapshot};

fn digest(digit: char) -> Digest {
    Digest::parse(&format!("sha256:{}", String::from(digit).repeat(64))).unwrap()
}

/// A release of that version whose jobs manager carries an ingestor with digest `carried`, under `tag` where a variable names it.
fn snapshot(version: &str, values: &Value, tag: Option<&str>, carried: Option<char>) -> Snapshot {
    let mut snapshot = healthy(version);
    let defaults = json!({"images": {"ingestor": {"tag": "0.3"}}});
    let record = whole_release(version, 1, "deployed", &defaults, values);
    snapshot.releases[0].record = Evidence::Known(record);
    let image = CarriedImage {
        repository: Some(Repository::parse("ghcr.io/tracebloc/ingestor").unwrap()),
        tag: tag.map(|tag| Tag::parse(tag).unwrap()),
        digest: carried.map(digest),
    };
    let container = &mut snapshot.live[0].workload.containers[0];
    container.carries.insert("INGESTOR".into(), image);
    snapshot
}

fn published(snapshot: &mut Snapshot, tag: &str, digit: char) {
    let image = ImageRef::parse(&format!("ghcr.io/tracebloc/ingestor:{tag}")).unwrap();
    let documents = snapshot
        .manifests
        .entry(image.repository().clone())
        .or_default();
    // Images of one platform, of different content.
    for (manifest, config) in [('a', '1'), ('b', '2')] {
        let manifest_of = Manifest::Image {
            config: digest(config),
        };
        documents.insert(digest(manifest), Document::Found(manifest_of));
    }
    snapshot
        .published
        .insert(image, Evidence::Known(digest(digit)));
}

fn question() -> Question {
    Question {
        digest: true,
        ..Question::default()
    }
}

fn judge(snapshot: &Snapshot) -> (OutdatedReport, ImageReport) {
    let report = outdated(snapshot, &Profile::client().unwrap(), &question());
    let image = report.releases[0]
        .images
        .iter()
        .find(|image| image.name == "ingestor")
        .cloned()
        .unwrap();
    assert_eq!(image.source, TagSource::Env);
    (report, image)
}

fn has(report: &OutdatedReport, code: Code) -> bool {
    report.findings.iter().any(|finding| finding.code == code)
}

fn asked(snapshot: &Snapshot, question: &Question) -> bool {
    wanted_tags(snapshot, &Profile::client().unwrap(), question)
        .iter()
        .any(|tag| tag.familiar().contains("ingestor"))
}

#[test]
fn what_the_refresh_should_have_moved_is_behind_with_the_line_that_moves_it() {
    let mut snapshot = snapshot("1.4.4", &json!({}), None, Some('a'));
    assert!(asked(&snapshot, &question()));
    published(&mut snapshot, "0.3", 'b');
    let (report, image) = judge(&snapshot);
    assert_eq!(
        (image.state, image.tag.as_deref()),
        (ImageState::Behind, Some("0.3"))
    );
    assert_eq!(report.summary.digests_behind, 1);
    let finding = report
        .findings
        .iter()
        .find(|finding| finding.code == Code::DigestBehind)
        .unwrap();
    assert!(
        finding.advice[0].starts_with("kubectl tracebloc refresh edge/edge --force "),
        "{:?}",
        finding.advice
    );
    assert!(!has(&report, Code::RecordLies));
    snapshot.live[0].records.insert(
        "tracebloc.io/last-refreshed-ingestor-digest".into(),
        digest('b').to_string(),
    );
    assert!(has(&judge(&snapshot).0, Code::RecordLies));
}

#[test]
fn what_is_published_is_current_whatever_was_recorded_for_later_versions() {
    let mut snapshot = snapshot(
        "1.9.28",
        &json!({"images": {"ingestor": {"digest": digest('a').to_string()}}}),
        Some("0.7"),
        Some('a'),
    );
    published(&mut snapshot, "0.7", 'a');
    snapshot.live[0].records.insert(
        "tracebloc.io/last-refreshed-ingestor-digest".into(),
        digest('c').to_string(),
    );
    let (_, image) = judge(&snapshot);
    assert_eq!(image.state, ImageState::Current);
    assert_eq!(image.digest.recorded, None);
}

#[test]
fn pins_and_opt_outs_are_told_and_do_not_count() {
    let by_value = json!({"images": {"ingestor": {"digest": digest('a').to_string()}}});
    let opted_out = json!({"images": {"ingestor": {"autoRefresh": false}}});
    for (version, values) in [
        ("1.9.28", &by_value),
        ("1.4.4", &by_value),
        ("1.4.4", &opted_out),
    ] {
        let mut snapshot = snapshot(version, values, Some("0.3"), Some('a'));
        published(&mut snapshot, "0.3", 'b');
        let (report, image) = judge(&snapshot);
        assert_eq!(image.flags, [ImageFlag::Pinned], "{version}");
        assert_eq!(report.summary.digests_behind, 0);
        assert!(has(&report, Code::DigestPinned) && !has(&report, Code::DigestBehind));
    }
}

#[test]
fn what_is_held_is_asked_about_only_with_all_images_and_never_advised() {
    let held = json!({"images": {"ingestor": {"prodDigest": digest('a').to_string()}}});
    let mut snapshot = snapshot("1.9.51", &held, Some("0.8"), Some('a'));
    assert!(!asked(&snapshot, &question()));
    let all = Question {
        all_images: true,
        ..question()
    };
    assert!(asked(&snapshot, &all));
    let (report, image) = judge(&snapshot);
    assert_eq!(image.state, ImageState::Idle);
    assert_eq!(image.flags, [ImageFlag::Pinned, ImageFlag::Held]);
    assert!(!has(&report, Code::DigestUnknown));
    published(&mut snapshot, "0.8", 'b');
    let (report, image) = judge(&snapshot);
    assert_eq!(image.state, ImageState::Behind);
    assert!(!has(&report, Code::DigestBehind) && !has(&report, Code::DigestPinned));
    assert_eq!(report.summary.digests_behind, 0);
}

#[test]
fn what_floats_is_idle_and_a_registry_that_does_not_answer_is_unknown() {
    let floating = snapshot("1.9.28", &json!({}), Some("0.7"), None);
    assert!(!asked(&floating, &question()));
    assert_eq!(judge(&floating).1.state, ImageState::Idle);

    let mut silent = snapshot("1.4.4", &json!({}), None, Some('a'));
    let tag = ImageRef::parse("ghcr.io/tracebloc/ingestor:0.3").unwrap();
    silent
        .published
        .insert(tag, Evidence::Unknown(gap("the digest")));
    let (report, image) = judge(&silent);
    assert_eq!(image.state, ImageState::Unknown);
    assert!(has(&report, Code::DigestUnknown));
    assert_eq!(report.summary.unknown, 1 + unknown_besides(&report));
}

#[test]
fn a_digest_for_other_platforms_than_the_nodes_is_told() {
    let held = json!({"images": {"ingestor": {"prodDigest": digest('a').to_string()}}});
    let mut snapshot = snapshot("1.9.51", &held, Some("0.8"), Some('a'));
    let profile = Profile::client().unwrap();
    let wants = |snapshot: &Snapshot| {
        wanted_manifests(snapshot, &profile)
            .iter()
            .any(|wanted| wanted.digest == digest('a'))
    };
    let platform = |architecture| Platform::new("linux", architecture, None);
    snapshot.nodes.insert("one".into(), platform("amd64"));
    assert!(!wants(&snapshot), "every image is for these nodes");
    snapshot.nodes.insert("two".into(), platform("arm64"));
    assert!(wants(&snapshot));
    for (architectures, missing) in [(&["amd64"][..], true), (&["amd64", "arm64"], false)] {
        let children = architectures
            .iter()
            .map(|architecture| Child {
                digest: digest('c'),
                platform: Some(platform(architecture)),
                attestation: false,
            })
            .collect();
        let repository = Repository::parse("ghcr.io/tracebloc/ingestor").unwrap();
        let index = Document::Found(Manifest::Index { children });
        snapshot
            .manifests
            .entry(repository)
            .or_default()
            .insert(digest('a'), index);
        assert!(!wants(&snapshot), "it is read once");
        let report = judge(&snapshot).0;
        assert_eq!(
            has(&report, Code::PlatformMissing),
            missing,
            "{architectures:?}"
        );
    }
}

/// What else is unknown in a snapshot in which no registry answered.
fn unknown_besides(report: &OutdatedReport) -> u32 {
    let others = report.releases[0]
        .images
        .iter()
        .filter(|image| image.state == ImageState::Unknown && image.name != "ingestor");
    u32::try_from(others.count()).unwrap()
}
