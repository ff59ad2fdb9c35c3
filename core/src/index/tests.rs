use super::*;
use proptest::prelude::*;

/// An index in the manner of the `client` chart's own repository: versions out of order, a withdrawn prefix in a digest, and a rival chart.
fn fixture() -> String {
    let mut text = "apiVersion: v1\nentries:\n  client:\n".to_owned();
    for patch in [2, 10, 9] {
        let digest = format!("{patch:03}a").repeat(16);
        text.push_str(&[
            "  - annotations:\n      category: Machine Learning\n    apiVersion: v2\n    appVersion: 1.9.",
            &patch.to_string(),
            "\n    created: \"2026-08-21T13:56:51.279328368Z\"\n    description: A unified Helm chart\n    digest: ",
            &digest,
            "\n    keywords:\n    - aks\n    kubeVersion: '>=1.24.0-0'\n    name: client\n    type: application\n    urls:\n    - client-1.9.",
            &patch.to_string(),
            ".tgz\n    version: 1.9.",
            &patch.to_string(),
            "\n",
        ].concat());
    }
    text + "  ingestor:\n  - name: ingestor\n    version: 0.3.0\ngenerated: \"2026-08-21T13:56:51.2Z\"\n"
}

fn parse(text: &str) -> Result<ChartIndex, IndexError> {
    ChartIndex::parse(text.as_bytes(), "client")
}

fn texts(index: &ChartIndex) -> Vec<&str> {
    index
        .versions
        .iter()
        .map(|entry| entry.version.as_str())
        .collect()
}

#[test]
fn versions_come_newest_first_with_what_is_known_of_them() {
    let index = parse(&fixture()).unwrap();
    assert_eq!(texts(&index), ["1.9.10", "1.9.9", "1.9.2"]);
    assert_eq!(index.rejected, []);
    assert_eq!(
        index.versions[0],
        ChartVersion {
            version: Version::parse("1.9.10").unwrap(),
            app_version: Some("1.9.10".to_owned()),
            kube_version: Some(">=1.24.0-0".to_owned()),
            deprecated: false,
            unread: false,
            digest: Some("010a".repeat(16)),
            urls: vec!["client-1.9.10.tgz".to_owned()],
        }
    );
}

#[test]
fn the_style_of_writing_does_not_matter() {
    let expected = parse(&fixture()).unwrap();
    let value: serde_json::Value = crate::yaml::from_slice(fixture().as_bytes()).unwrap();
    let json = serde_json::to_string_pretty(&value).unwrap();
    assert_eq!(parse(&json).unwrap(), expected);
    assert_eq!(parse(&format!("\n\t {json}\n")).unwrap(), expected);
    // A comma before the closing brace is YAML but not JSON.
    let flow = json.trim_end_matches('}').to_owned() + ",}";
    assert!(serde_json::from_str::<serde_json::Value>(&flow).is_err());
    assert_eq!(parse(&flow).unwrap(), expected);
    assert_eq!(
        parse(&fixture().replace("  client:\n", "  \"client\":\n")).unwrap(),
        expected
    );
    assert_eq!(
        parse(&fixture().replace(
            "'>=1.24.0-0'\n    name",
            "'>=1.24.0-0'\n    unknown: 1\n    name"
        ))
        .unwrap(),
        expected
    );
}

#[test]
fn aliases_reach_from_one_chart_into_another() {
    let index = parse("apiVersion: v1\nentries:\n  aks:\n  - &a {name: client, version: 2.0.0}\n  client:\n  - *a\n").unwrap();
    assert_eq!(texts(&index), ["2.0.0"]);
}

#[test]
fn entries_that_helm_skips_are_kept_apart() {
    let index = parse(
        "apiVersion: v1\nentries:\n  client:\n  -\n  - version: 1.0.0\n  - name: client\n  - name: client\n    version: 1.2.3.4\n  - {name: client, version: 1.10}\n",
    )
    .unwrap();
    let rejected: Vec<_> = index
        .rejected
        .iter()
        .map(|entry| (entry.position, entry.version.as_deref(), entry.reason))
        .collect();
    assert_eq!(
        rejected,
        [
            (1, None, Rejection::Empty),
            (2, Some("1.0.0"), Rejection::Nameless),
            (3, None, Rejection::Versionless),
            (4, Some("1.2.3.4"), Rejection::Unreadable),
        ]
    );
    assert_eq!(texts(&index), ["1.10"]);
}

#[test]
fn digests_are_bare_lower_case_hex() {
    let of = |text: &str| {
        let entry = format!(
            "apiVersion: v1\nentries:\n  client:\n  - name: client\n    version: 1.0.0\n    digest: '{text}'\n"
        );
        parse(&entry).unwrap().versions.remove(0).digest
    };
    assert_eq!(
        of(&format!("sha256:{}", "AB".repeat(32))),
        Some("ab".repeat(32))
    );
    assert_eq!(of(&"0".repeat(64)), Some("0".repeat(64)));
    assert_eq!(of(&"0".repeat(63)), None);
    assert_eq!(of(&"z".repeat(64)), None);
    assert_eq!(of(""), None);
}

#[test]
fn what_is_no_index_is_told_by_name() {
    assert_eq!(parse(""), Err(IndexError::Empty));
    assert_eq!(parse(" \r\n"), Err(IndexError::Empty));
    assert_eq!(parse("---\n# nothing\n"), Err(IndexError::Empty));
    for (text, found) in [
        ("\n<!DOCTYPE html><html>Sign in</html>", "an HTML page"),
        (
            "<Error><Code>AccessDenied</Code></Error>",
            "an XML document",
        ),
        ("Not Found", "a text"),
        ("- a\n- b\n", "a list"),
        ("404\n", "a number"),
    ] {
        assert_eq!(parse(text), Err(IndexError::NotAnIndex { found }), "{text}");
    }
    assert_eq!(parse("entries: {}\n"), Err(IndexError::MissingApiVersion));
    assert_eq!(
        parse(&fixture().replace("apiVersion: v1\ne", "e")),
        Err(IndexError::MissingApiVersion)
    );
    assert_eq!(
        parse("apiVersion: ''\nentries: {}\n"),
        Err(IndexError::MissingApiVersion)
    );
    assert_eq!(parse("apiVersion: v1\n"), Err(IndexError::MissingEntries));
    assert_eq!(
        parse("apiVersion: v1\nentries:\n"),
        Err(IndexError::MissingEntries)
    );
    assert_eq!(
        parse("{\"message\": \"Not Found\"}"),
        Err(IndexError::MissingApiVersion)
    );
}

#[test]
fn damage_is_told_by_its_place() {
    let place = |text: &str| match parse(text) {
        Err(IndexError::Malformed { line, reason, .. }) => (line, reason),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        place("apiVersion: v1\nentries:\n  client: [\n"),
        (3, "the text is not valid YAML")
    );
    assert_eq!(
        place(&fixture().replace("  ingestor:", "  client:")),
        (49, "a key is there twice")
    );
    assert_eq!(
        place(&fixture().replace("generated:", "apiVersion:")),
        (52, "a key is there twice")
    );
    assert_eq!(
        place("apiVersion: v1\nentries:\n  client:\n  - name: a\n    name: b\n"),
        (5, "a key is there twice")
    );
    assert_eq!(
        place("apiVersion: v1\nentries:\n  client:\n  - urls: 7\n"),
        (4, "a value is not of the expected kind")
    );
    assert_eq!(
        place("{\"apiVersion\": \"v1\", \"apiVersion\": \"v1\", \"entries\": {}}"),
        (1, "a key is there twice")
    );
}

#[test]
fn an_absent_chart_comes_with_similar_names() {
    let text = "apiVersion: v1\nentries:\n  clients: []\n  cleint:\n  - {}\n  mysql: []\n  client-operator: []\n";
    assert_eq!(
        parse(text).unwrap_err().to_string(),
        "the index has no chart `client`; it has `clients`, `cleint`, `client-operator`"
    );
    assert_eq!(
        parse("apiVersion: v1\nentries: {}\n")
            .unwrap_err()
            .to_string(),
        "the index has no chart `client`"
    );
    let many: String = (0..9)
        .map(|digit| ["  client", &digit.to_string(), ":\n"].concat())
        .collect();
    match parse(&format!("apiVersion: v1\nentries:\n{many}")) {
        Err(IndexError::ChartAbsent { similar, .. }) => assert_eq!(
            similar,
            ["client0", "client1", "client2", "client3", "client4"]
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn aliases_that_multiply_are_refused() {
    let mut text = "apiVersion: v1\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(
            &[
                "a",
                &level.to_string(),
                ": &a",
                &level.to_string(),
                " [",
                &aliases,
                "]\n",
            ]
            .concat(),
        );
    }
    assert_eq!(parse(&text), Err(IndexError::TooManyNodes));
}

#[test]
fn deep_nesting_is_refused() {
    let deep = "[".repeat(100_000);
    for text in [
        format!("apiVersion: v1\nunknown: {deep}"),
        format!("{{\"apiVersion\": \"v1\",\n\"unknown\": {deep}"),
    ] {
        assert!(matches!(
            parse(&text),
            Err(IndexError::Malformed { line: 2, .. })
        ));
    }
}

#[test]
fn a_large_index_is_read() {
    let mut text = "apiVersion: v1\nentries:\n  client:\n".to_owned();
    for minor in 0..20_000 {
        text.push_str(
            &[
                "  - keywords: [a, b, c, d, e, f]\n    name: client\n    version: 1.",
                &minor.to_string(),
                ".0\n",
            ]
            .concat(),
        );
    }
    assert_eq!(parse(&text).unwrap().versions.len(), 20_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_an_index_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        // What is neither JSON nor YAML of an index's shape has no versions.
        if let Ok(index) = ChartIndex::parse(&bytes, "client") {
            prop_assert!(bytes.windows(7).any(|window| window == b"entries"), "{index:?}");
        }
    }

    #[test]
    fn a_damaged_index_never_gives_versions_out_of_order(
        place in any::<prop::sample::Index>(),
        length in 0_usize..12,
        new in ".{0,8}",
    ) {
        let mut bytes = fixture().into_bytes();
        let start = place.index(bytes.len());
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, new.bytes());
        if let Ok(index) = ChartIndex::parse(&bytes, "client") {
            prop_assert!(index.versions.is_sorted_by(|one, other| one.version >= other.version));
            for published in &index.versions {
                // Whatever the index holds, a version is harmless on a terminal and in a command line.
                prop_assert!(published.version.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-".contains(&byte)));
                prop_assert!(published.digest.as_ref().is_none_or(|digest| digest.len() == 64));
            }
        }
    }

    #[test]
    fn a_list_that_stays_the_same_is_good(patches in prop::collection::btree_set(0_u8..50, 1..10)) {
        let tags: Vec<String> = patches.iter().map(|patch| format!("1.0.{patch}")).collect();
        let index = ChartIndex::from_tags(tags.iter().map(String::as_str));
        let now = jiff::Timestamp::UNIX_EPOCH;
        let (history, first) = ChartHistory::default().advance(&index, now);
        prop_assert_eq!(first, ChartChanges::default());
        let (again, second) = history.clone().advance(&index, now);
        prop_assert_eq!(second, ChartChanges::default());
        prop_assert_eq!(again, history.clone());
        // Without its newest version it is not; the oldest may go.
        let shorter = ChartIndex::from_tags(tags.iter().map(String::as_str).filter(|tag| *tag != index.versions[0].version.as_str()));
        prop_assert_eq!(history.advance(&shorter, now).1.withdrawn, vec![index.versions[0].version.clone()]);
    }
}

#[test]
fn fuzzed() {
    let fixture = fixture();
    let value: serde_json::Value = crate::yaml::from_slice(fixture.as_bytes()).unwrap();
    let json = value.to_string();
    let html = "<!doctype html><html><title>log in</title>";
    let samples: [&[u8]; 3] = [fixture.as_bytes(), json.as_bytes(), html.as_bytes()];
    let words = [
        "entries:",
        "client:",
        "- version: ",
        "&a ",
        "*a",
        "<<: *a",
        "---\n",
        "[",
        "  ",
        "deprecated: true\n",
    ];
    tracebloc_fuzz::fuzz("indexes", &samples, &words, |body| {
        if let Ok(index) = ChartIndex::parse(body, "client") {
            let versions = &index.versions;
            assert!(versions.is_sorted_by(|one, other| one.version >= other.version));
        }
    });
}

#[test]
fn fuzzed_configurations_of_charts() {
    let sample: &[u8] = br#"{"name":"client","version":"1.9.28","appVersion":"1","kubeVersion":">=1.24.0-0","deprecated":false}"#;
    tracebloc_fuzz::fuzz(
        "chart configurations",
        &[sample],
        &["\"version\":", "[", "null"],
        |body| {
            let _outcome = ChartConfig::parse(body);
        },
    );
}
