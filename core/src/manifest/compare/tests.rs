use super::*;

fn digest(digit: char) -> Digest {
    Digest::parse(&format!("sha256:{}", digit.to_string().repeat(64))).expect("a digest")
}

fn pulled(digit: char) -> RunningImage {
    RunningImage {
        digest: digest(digit),
        kind: RunningKind::Repository,
    }
}

fn loaded(digit: char) -> RunningImage {
    RunningImage {
        digest: digest(digit),
        kind: RunningKind::Config,
    }
}

fn amd64() -> Platform {
    Platform::new("linux", "amd64", None)
}

fn arm64() -> Platform {
    Platform::new("linux", "arm64", None)
}

fn child(digit: char, platform: Platform) -> Child {
    Child {
        digest: digest(digit),
        platform: Some(platform),
        attestation: false,
    }
}

fn attestation(digit: char) -> Child {
    Child {
        digest: digest(digit),
        platform: Some(Platform::new("unknown", "unknown", None)),
        attestation: true,
    }
}

fn index(children: Vec<Child>) -> Document {
    Document::Found(Manifest::Index { children })
}

fn image(config: char) -> Document {
    Document::Found(Manifest::Image {
        config: digest(config),
    })
}

fn documents(entries: Vec<(char, Document)>) -> Documents {
    entries
        .into_iter()
        .map(|(digit, document)| (digest(digit), document))
        .collect()
}

/// The published index `0` of amd64 image `a` and arm64 image `b`, with an attestation `e`.
fn published() -> (char, Document) {
    (
        '0',
        index(vec![
            child('a', amd64()),
            child('b', arm64()),
            attestation('e'),
        ]),
    )
}

fn judge(running: &RunningImage, platform: Option<&Platform>, documents: &Documents) -> Verdict {
    compare(&digest('0'), running, platform, documents)
}

fn needs(digit: char) -> Verdict {
    Verdict::Needs(Need::Manifest(digest(digit)))
}

#[test]
fn equal_digests_need_no_document() {
    assert_eq!(
        judge(&pulled('0'), None, &Documents::new()),
        Verdict::current(How::SameDigest)
    );
    // Some runtimes report an image identifier that is the digest of the manifest.
    assert_eq!(
        judge(&loaded('0'), None, &Documents::new()),
        Verdict::current(How::SameDigest)
    );
}

#[test]
fn unequal_digests_ask_for_the_published_manifest_first() {
    assert_eq!(
        judge(&pulled('a'), Some(&amd64()), &Documents::new()),
        needs('0')
    );
    assert_eq!(
        judge(&loaded('c'), Some(&amd64()), &Documents::new()),
        needs('0')
    );
}

#[test]
fn a_child_of_the_published_index_is_current_on_its_platform() {
    let known = documents(vec![published()]);
    let current = Verdict::current(How::ChildOfPublished);
    assert_eq!(judge(&pulled('a'), Some(&amd64()), &known), current);
    assert_eq!(judge(&pulled('b'), Some(&arm64()), &known), current);
    assert_eq!(judge(&pulled('a'), None, &known), current);
    assert_eq!(judge(&pulled('b'), None, &known), current);
}

#[test]
fn another_platforms_child_is_current_only_where_the_node_has_none() {
    let known = documents(vec![published(), ('b', image('c'))]);
    assert_eq!(
        judge(&pulled('b'), Some(&amd64()), &known),
        Verdict::DIFFERENT
    );
    let riscv = Platform::new("linux", "riscv64", None);
    assert_eq!(
        judge(&pulled('b'), Some(&riscv), &known),
        Verdict::current(How::ChildOfPublished)
    );
}

#[test]
fn an_attestation_is_no_image() {
    let known = documents(vec![published(), ('e', image('c'))]);
    assert_eq!(judge(&pulled('e'), None, &known), Verdict::DIFFERENT);
}

#[test]
fn an_index_pushed_again_with_the_same_image_for_the_node_is_current() {
    let old = (
        '1',
        index(vec![
            child('a', amd64()),
            child('2', arm64()),
            attestation('3'),
        ]),
    );
    assert_eq!(
        judge(&pulled('1'), Some(&amd64()), &documents(vec![published()])),
        needs('1')
    );
    let known = documents(vec![published(), old]);
    assert_eq!(
        judge(&pulled('1'), Some(&amd64()), &known),
        Verdict::current(How::SameChild)
    );
    assert_eq!(
        judge(&pulled('1'), Some(&arm64()), &known),
        Verdict::DIFFERENT
    );
    assert_eq!(
        judge(&pulled('1'), None, &known),
        Verdict::unknown(Undecided::AmbiguousPlatform)
    );
}

#[test]
fn new_attestations_alone_change_nothing_even_on_an_unknown_platform() {
    let old = (
        '1',
        index(vec![
            child('a', amd64()),
            child('b', arm64()),
            attestation('3'),
        ]),
    );
    let known = documents(vec![published(), old]);
    assert_eq!(
        judge(&pulled('1'), None, &known),
        Verdict::current(How::SameChild)
    );
}

#[test]
fn an_index_with_other_images_only_is_different_on_every_platform() {
    let old = ('1', index(vec![child('2', amd64()), child('3', arm64())]));
    let known = documents(vec![published(), old]);
    for platform in [None, Some(amd64()), Some(arm64())] {
        assert_eq!(
            judge(&pulled('1'), platform.as_ref(), &known),
            Verdict::DIFFERENT
        );
    }
}

#[test]
fn an_image_that_became_an_index_keeps_its_content() {
    // The tag was a single image first, and the node still names that one.
    assert_eq!(
        judge(&pulled('a'), Some(&amd64()), &documents(vec![published()])),
        Verdict::current(How::ChildOfPublished)
    );
    // The other way round: the tag is the single image now that the old index had for the node.
    let known = documents(vec![
        ('0', image('c')),
        ('1', index(vec![child('0', amd64()), child('2', arm64())])),
    ]);
    assert_eq!(
        judge(&pulled('1'), Some(&amd64()), &known),
        Verdict::current(How::SameChild)
    );
    assert_eq!(
        judge(&pulled('1'), Some(&arm64()), &known),
        Verdict::DIFFERENT
    );
    assert_eq!(
        judge(&pulled('1'), None, &known),
        Verdict::unknown(Undecided::AmbiguousPlatform)
    );
}

#[test]
fn a_child_of_an_old_index_is_different() {
    assert_eq!(
        judge(&pulled('2'), Some(&amd64()), &documents(vec![published()])),
        needs('2')
    );
    let known = documents(vec![published(), ('2', image('c'))]);
    assert_eq!(
        judge(&pulled('2'), Some(&amd64()), &known),
        Verdict::DIFFERENT
    );
}

#[test]
fn running_content_that_the_registry_dropped_is_different() {
    let known = documents(vec![published(), ('1', Document::Gone)]);
    assert_eq!(
        judge(&pulled('1'), Some(&amd64()), &known),
        Verdict::DIFFERENT
    );
    assert_eq!(judge(&pulled('1'), None, &known), Verdict::DIFFERENT);
}

#[test]
fn single_images_are_told_apart_by_configuration() {
    let known = documents(vec![
        ('0', image('c')),
        ('1', image('c')),
        ('2', image('d')),
    ]);
    assert_eq!(
        judge(&pulled('1'), None, &known),
        Verdict::current(How::SameConfig)
    );
    assert_eq!(judge(&pulled('2'), None, &known), Verdict::DIFFERENT);
    assert_eq!(
        judge(&loaded('c'), None, &known),
        Verdict::current(How::SameConfig)
    );
    assert_eq!(judge(&loaded('d'), None, &known), Verdict::DIFFERENT);
}

#[test]
fn a_configuration_is_looked_up_in_the_nodes_image() {
    assert_eq!(
        judge(&loaded('c'), Some(&amd64()), &documents(vec![published()])),
        needs('a')
    );
    let known = documents(vec![published(), ('a', image('c')), ('b', image('d'))]);
    assert_eq!(
        judge(&loaded('c'), Some(&amd64()), &known),
        Verdict::current(How::SameConfig)
    );
    assert_eq!(
        judge(&loaded('d'), Some(&amd64()), &known),
        Verdict::DIFFERENT
    );
    assert_eq!(
        judge(&loaded('d'), None, &known),
        Verdict::current(How::SameConfig)
    );
    assert_eq!(judge(&loaded('f'), None, &known), Verdict::DIFFERENT);
}

#[test]
fn a_configuration_among_many_platforms_is_not_searched_for() {
    let children = (0..6).map(|number| {
        child(
            char::from(b'a' + number),
            Platform::new("linux", &format!("cpu{number}"), None),
        )
    });
    let known = documents(vec![('0', index(children.collect()))]);
    assert_eq!(
        judge(&loaded('9'), None, &known),
        Verdict::unknown(Undecided::AmbiguousPlatform)
    );
}

#[test]
fn missing_evidence_is_never_current_and_never_different() {
    let unavailable = || Document::Unavailable("rate limited".to_owned());
    for (running, known) in [
        (pulled('1'), documents(vec![('0', unavailable())])),
        (pulled('1'), documents(vec![('0', Document::Gone)])),
        (
            pulled('1'),
            documents(vec![published(), ('1', unavailable())]),
        ),
        (
            loaded('c'),
            documents(vec![published(), ('a', unavailable())]),
        ),
        (
            loaded('c'),
            documents(vec![published(), ('a', Document::Gone)]),
        ),
        (
            loaded('c'),
            documents(vec![published(), ('a', index(Vec::new()))]),
        ),
        (
            pulled('1'),
            documents(vec![published(), ('1', index(vec![child('5', arm64())]))]),
        ),
    ] {
        let verdict = judge(&running, Some(&amd64()), &known);
        assert!(
            matches!(verdict, Verdict::Decided(ContentVerdict::Unknown(_))),
            "{running:?}: {verdict:?}"
        );
    }
}

#[test]
fn a_published_index_without_the_nodes_platform_is_unknown() {
    let riscv = Platform::new("linux", "riscv64", None);
    let known = documents(vec![published()]);
    for running in [pulled('1'), loaded('c')] {
        assert!(matches!(
            judge(&running, Some(&riscv), &known),
            Verdict::Decided(ContentVerdict::Unknown(Undecided::NoPlatform { .. }))
        ));
    }
}

#[test]
fn variants_of_one_architecture_are_decided_only_where_all_agree() {
    let arm = |variant| Platform::new("linux", "arm", Some(variant));
    let node = Platform::new("linux", "arm", None);
    let now = (
        '0',
        index(vec![child('a', arm("v6")), child('b', arm("v7"))]),
    );
    let one_changed = (
        '1',
        index(vec![child('a', arm("v6")), child('2', arm("v7"))]),
    );
    let known = documents(vec![now, one_changed]);
    assert_eq!(
        judge(&pulled('1'), Some(&node), &known),
        Verdict::unknown(Undecided::AmbiguousPlatform)
    );
    assert_eq!(
        judge(&pulled('1'), Some(&arm("v6")), &known),
        Verdict::current(How::SameChild)
    );
    assert_eq!(
        judge(&pulled('1'), Some(&arm("v7")), &known),
        Verdict::DIFFERENT
    );
}

#[test]
fn the_documents_asked_for_come_to_an_end() {
    let registry = documents(vec![
        published(),
        ('a', image('c')),
        ('b', image('d')),
        ('1', index(vec![child('2', amd64())])),
    ]);
    for running in [
        pulled('1'),
        pulled('9'),
        loaded('9'),
        loaded('d'),
        pulled('a'),
    ] {
        for platform in [None, Some(amd64())] {
            let mut known = Documents::new();
            let verdict = loop {
                match judge(&running, platform.as_ref(), &known) {
                    Verdict::Needs(Need::Manifest(digest)) => {
                        let document = registry.get(&digest).cloned().unwrap_or(Document::Gone);
                        assert!(known.insert(digest, document).is_none(), "asked twice");
                    }
                    decided @ Verdict::Decided(_) => break decided,
                }
            };
            assert!(matches!(verdict, Verdict::Decided(_)));
            assert!(
                known.len() <= 3,
                "{running:?} cost {} requests",
                known.len()
            );
        }
    }
}
