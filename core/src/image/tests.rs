use proptest::prelude::*;

use super::*;

const HEX: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// A text, its registry, path and tag, and its short form.
type Reference = (
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
    &'static str,
);

const REFERENCES: &[Reference] = &[
    ("mysql", "docker.io", "library/mysql", None, "mysql"),
    (
        "mysql:8.4",
        "docker.io",
        "library/mysql",
        Some("8.4"),
        "mysql:8.4",
    ),
    ("library/mysql", "docker.io", "library/mysql", None, "mysql"),
    // A bare host is a name to Docker.
    ("ghcr.io", "docker.io", "library/ghcr.io", None, "ghcr.io"),
    (
        "docker.io/mysql",
        "docker.io",
        "library/mysql",
        None,
        "mysql",
    ),
    (
        "index.docker.io/mysql",
        "docker.io",
        "library/mysql",
        None,
        "mysql",
    ),
    (
        "tracebloc/client:prod",
        "docker.io",
        "tracebloc/client",
        Some("prod"),
        "tracebloc/client:prod",
    ),
    (
        "ghcr.io/a/b/c:1",
        "ghcr.io",
        "a/b/c",
        Some("1"),
        "ghcr.io/a/b/c:1",
    ),
    ("localhost/x", "localhost", "x", None, "localhost/x"),
    (
        "localhost:5000/x:y",
        "localhost:5000",
        "x",
        Some("y"),
        "localhost:5000/x:y",
    ),
    // Without a slash this is a name and a tag, whatever it looks like.
    (
        "localhost:5000",
        "docker.io",
        "library/localhost",
        Some("5000"),
        "localhost:5000",
    ),
    (
        "127.0.0.1:5000/a__b/c-d.e",
        "127.0.0.1:5000",
        "a__b/c-d.e",
        None,
        "127.0.0.1:5000/a__b/c-d.e",
    ),
    ("[::1]:5000/x", "[::1]:5000", "x", None, "[::1]:5000/x"),
    ("Registry/x", "Registry", "x", None, "Registry/x"),
    (
        "Registry.Example.com/x",
        "registry.example.com",
        "x",
        None,
        "registry.example.com/x",
    ),
    // The short form of this one would name another registry.
    (
        "docker.io/a.b/c",
        "docker.io",
        "a.b/c",
        None,
        "docker.io/a.b/c",
    ),
    (
        "foo/bar/baz",
        "docker.io",
        "foo/bar/baz",
        None,
        "foo/bar/baz",
    ),
];

#[test]
fn references_are_read_as_docker_reads_them() {
    let pinned = format!("sha256:{HEX}");
    for (text, registry, path, tag, familiar) in REFERENCES {
        for digest in [None, Some(&pinned)] {
            let suffix = digest
                .map(|digest| format!("@{digest}"))
                .unwrap_or_default();
            let image = ImageRef::parse(&format!("{text}{suffix}")).expect(text);
            assert_eq!(image.familiar(), format!("{familiar}{suffix}"), "{text}");
            assert_eq!(image.registry(), *registry, "{text}");
            assert_eq!(image.repository().path(), *path, "{text}");
            assert_eq!(image.tag().map(Tag::as_str), *tag, "{text}");
            assert_eq!(
                image.digest().map(ToString::to_string).as_ref(),
                digest,
                "{text}"
            );
            let effective = image.effective_tag();
            let expected = tag.or(if digest.is_none() {
                Some("latest")
            } else {
                None
            });
            assert_eq!(effective.as_ref().map(Tag::as_str), expected, "{text}");
        }
    }
}

#[test]
fn what_docker_refuses_is_refused() {
    let long_tag = format!("a:{}", "t".repeat(129));
    let long_path = format!("ghcr.io/{}", "p".repeat(256));
    for text in [
        "",
        " ",
        "a b",
        "Mysql",
        "ghcr.io/Owner/x",
        "a//b",
        "/a",
        "a/",
        ":tag",
        "a:",
        "a:-x",
        "a:.x",
        "a:b:c",
        "a@",
        "@sha256:00",
        "a@sha256:00",
        "a@md5:d41d8cd98f00b204e9800998ecf8427e",
        "-a",
        "a-",
        "a___b",
        "a..b",
        "a._b",
        "host:port/x",
        "host.com:/x",
        "host.com:99999/x",
        ".com/x",
        "a.-b.com/x",
        "https://ghcr.io/x",
        "[::1/x",
        "[zz]/x",
        "ghcr.io/",
        "docker.io/",
        HEX,
        long_tag.as_str(),
        long_path.as_str(),
        "ä/b",
        "a:ä",
        "a\n",
    ] {
        let outcome = ImageRef::parse(text);
        assert!(outcome.is_err(), "`{text}` was read as {outcome:?}");
    }
}

#[test]
fn replacing_the_tag_drops_the_digest_and_the_other_way_round() {
    let image = ImageRef::parse(&format!("a/b:prod@sha256:{HEX}")).expect("valid");
    assert_eq!(image.with_tag(Tag::latest()).familiar(), "a/b:latest");
    let digest = image.digest().expect("given").clone();
    assert_eq!(
        image.with_digest(digest).familiar(),
        format!("a/b@sha256:{HEX}")
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,80}") {
        let _outcome = ImageRef::parse(&text);
    }

    #[test]
    fn both_forms_are_read_back_as_the_same_reference(
        text in "(([a-zA-Z0-9]{1,3}\\.[a-z]{2}|[A-Z][a-z]{1,3}|localhost|docker\\.io)(:[1-9][0-9]{0,3})?/)?[a-z0-9]{1,4}((_|__|-{1,3})[a-z0-9]{1,3}){0,2}(/[a-z0-9]{1,4}(\\.[a-z0-9])?){0,2}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,6})?(@sha256:[0-9a-f]{64})?"
    ) {
        let image = ImageRef::parse(&text).expect("the grammar allows it");
        prop_assert_eq!(&ImageRef::parse(&image.to_string()).expect("canonical"), &image);
        prop_assert_eq!(&ImageRef::parse(&image.familiar()).expect("familiar"), &image);
    }
}

#[test]
fn fuzzed() {
    let digest = format!("h.example:5000/a/b__c:v1@sha256:{}", "0a".repeat(32));
    let samples: [&[u8]; 5] = [
        b"busybox",
        b"docker.io/library/busybox:1.35",
        b"[::1]:5000/a-b/c.d:x_y",
        b"localhost/a",
        digest.as_bytes(),
    ];
    let words = [
        "/",
        ":",
        "@",
        "sha256:",
        "sha512:",
        ".",
        "--",
        "__",
        "[::",
        "docker.io/",
        "index.docker.io/",
        ":65536",
    ];
    tracebloc_fuzz::fuzz("references", &samples, &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(image) = ImageRef::parse(&text) {
            assert_eq!(ImageRef::parse(&image.to_string()).as_ref(), Ok(&image));
            assert_eq!(ImageRef::parse(&image.familiar()).as_ref(), Ok(&image));
            if let Some(tag) = image.tag().and_then(VersionTag::parse) {
                assert_eq!(tag.newest_of(&[tag.tag().clone()]), None);
            }
        }
        let _rule = RegistryRule::new(&text, Some(&text));
        let _mirror = text.parse::<RegistryMirror>();
        if let Ok(place) = text.parse::<Place>() {
            let below = Repository::parse("docker.io/a/b").unwrap();
            assert!(place.moved(&below, &place).is_none());
        }
    });
}

#[test]
fn fuzzed_image_ids() {
    let pullable = format!(
        "docker-pullable://h.example:5000/a@sha256:{}",
        "0a".repeat(32)
    );
    let bare = "0a".repeat(32);
    let samples: [&[u8]; 3] = [pullable.as_bytes(), bare.as_bytes(), b"docker://sha256:ab"];
    tracebloc_fuzz::fuzz(
        "image IDs",
        &samples,
        &["@", "sha256:", "://", "docker"],
        |bytes| {
            let text = String::from_utf8_lossy(bytes);
            if let Ok(Some(running)) = RunningImage::parse(&text) {
                assert!(text.contains(running.digest.hex()));
            }
        },
    );
}
