//! Manifests, well-formed and not.

use proptest::prelude::*;

use super::*;

fn digest(digit: char) -> Digest {
    Digest::parse(&format!("sha256:{}", digit.to_string().repeat(64))).expect("a digest")
}

fn image(media_type: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{media_type}","config":{{"digest":"{}"}},"layers":[]}}"#,
        digest('c')
    )
}

fn index(media_type: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{media_type}","manifests":[
          {{"digest":"{a}","platform":{{"os":"linux","architecture":"amd64"}}}},
          {{"digest":"{b}","platform":{{"os":"linux","architecture":"arm64","variant":"v8"}}}},
          {{"digest":"{c}","platform":{{"os":"unknown","architecture":"unknown"}}}},
          {{"digest":"{d}","platform":{{"os":"linux","architecture":"amd64"}},"annotations":{{"vnd.docker.reference.type":"attestation-manifest"}}}},
          {{"digest":"{e}"}}]}}"#,
        a = digest('a'),
        b = digest('b'),
        c = digest('c'),
        d = digest('d'),
        e = digest('e'),
    )
}

#[test]
fn all_four_types_are_read_from_the_header_the_document_or_the_shape() {
    for media_type in [OCI_MANIFEST, DOCKER_MANIFEST] {
        let expected = Ok(Manifest::Image {
            config: digest('c'),
        });
        let body = image(media_type);
        assert_eq!(Manifest::parse(Some(media_type), body.as_bytes()), expected);
        assert_eq!(
            Manifest::parse(
                Some(&format!("{media_type}; charset=utf-8")),
                body.as_bytes()
            ),
            expected
        );
        assert_eq!(
            Manifest::parse(Some("application/json"), body.as_bytes()),
            expected
        );
        assert_eq!(Manifest::parse(None, body.as_bytes()), expected);
        let untyped = body.replace(&format!(r#""mediaType":"{media_type}","#), "");
        assert_eq!(Manifest::parse(None, untyped.as_bytes()), expected);
    }
    for media_type in [OCI_INDEX, DOCKER_LIST] {
        let Ok(Manifest::Index { children }) =
            Manifest::parse(Some(media_type), index(media_type).as_bytes())
        else {
            panic!("{media_type} is an index");
        };
        let marks: Vec<bool> = children.iter().map(|child| child.attestation).collect();
        assert_eq!(marks, [false, false, true, true, false]);
        assert_eq!(
            children[1].platform,
            Some(Platform::new("linux", "arm64", None))
        );
        assert_eq!(children[4].platform, None);
    }
}

#[test]
fn the_package_of_a_chart_is_its_layer_of_that_type() {
    let layer = |media_type: &str, number: char| serde_json::json!({"mediaType": media_type, "digest": digest(number)});
    let of = |layers: serde_json::Value| {
        chart_content(serde_json::json!({"layers": layers}).to_string().as_bytes())
    };
    let provenance = layer("application/vnd.cncf.helm.chart.provenance.v1.prov", 'a');
    let content = layer(CHART_CONTENT, 'b');
    let found = of([provenance.clone(), content].into_iter().collect());
    assert_eq!(found, Some(digest('b')));
    assert_eq!(of([provenance].into_iter().collect()), None);
    assert_eq!(chart_content(b"<html>"), None);
}

#[test]
fn what_cannot_be_trusted_is_refused() {
    let both = format!(
        r#"{{"manifests":[],"config":{{"digest":"{}"}}}}"#,
        digest('c')
    );
    assert_eq!(
        Manifest::parse(None, both.as_bytes()),
        Err(ManifestError::Ambiguous)
    );
    let layered = r#"{"manifests":[],"layers":[]}"#;
    assert_eq!(
        Manifest::parse(None, layered.as_bytes()),
        Err(ManifestError::Ambiguous)
    );
    assert_eq!(
        Manifest::parse(Some(OCI_INDEX), image(OCI_MANIFEST).as_bytes()),
        Err(ManifestError::Incomplete { field: "manifests" })
    );
    assert_eq!(
        Manifest::parse(Some(OCI_MANIFEST), b"{}"),
        Err(ManifestError::Incomplete { field: "config" })
    );
    let schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    assert!(matches!(
        Manifest::parse(Some(schema1), b"{}"),
        Err(ManifestError::Unsupported { .. })
    ));
    assert!(matches!(
        Manifest::parse(None, br#"{"schemaVersion":1}"#),
        Err(ManifestError::Unsupported { .. })
    ));
    assert!(matches!(
        Manifest::parse(None, b"<html>"),
        Err(ManifestError::Malformed { line: 1, .. })
    ));
    let child = format!(r#"{{"digest":"{}"}}"#, digest('a'));
    let many = vec![child.as_str(); CHILDREN_LIMIT + 1].join(",");
    let body = format!(r#"{{"manifests":[{many}]}}"#);
    assert_eq!(
        Manifest::parse(None, body.as_bytes()),
        Err(ManifestError::TooMany {
            count: CHILDREN_LIMIT + 1
        })
    );
}

#[test]
fn platforms_are_compared_in_normal_form() {
    let node = Platform::new("linux", "arm64", None);
    assert!(Platform::new("linux", "arm64", Some("v8")).serves(&node));
    assert!(Platform::new("Linux", "aarch64", None).serves(&node));
    assert!(!Platform::new("windows", "arm64", None).serves(&node));
    assert!(!Platform::new("linux", "amd64", None).serves(&node));
    let old = Platform::new("linux", "arm", Some("v6"));
    assert!(old.serves(&Platform::new("linux", "arm", None)));
    assert!(!old.serves(&Platform::new("linux", "arm", Some("v7"))));
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _outcome = Manifest::parse(None, &body);
    }
}

#[test]
fn fuzzed() {
    let (image, index) = (image(OCI_MANIFEST), index(OCI_INDEX));
    let samples: [&[u8]; 2] = [image.as_bytes(), index.as_bytes()];
    let words = [
        "\"manifests\":",
        "\"config\":",
        "\"digest\":",
        "sha256:",
        "[",
        DOCKER_LIST,
    ];
    tracebloc_fuzz::fuzz("manifests of registries", &samples, &words, |body| {
        for media_type in [None, Some(OCI_INDEX), Some(DOCKER_MANIFEST)] {
            if let Ok(Manifest::Index { children }) = Manifest::parse(media_type, body) {
                assert!(children.len() <= CHILDREN_LIMIT);
                assert_ne!(media_type, Some(DOCKER_MANIFEST));
            }
        }
    });
}
