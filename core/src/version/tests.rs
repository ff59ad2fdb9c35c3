use super::*;
use proptest::prelude::*;

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

#[test]
fn reads_what_helm_reads() {
    for (text, numbers) in [
        ("1", (1, 0, 0)),
        ("1.2", (1, 2, 0)),
        ("v1.2.3", (1, 2, 3)),
        ("01.2.3", (1, 2, 3)),
        ("1.2.3-rc.1+b", (1, 2, 3)),
        ("1-a", (1, 0, 0)),
        ("1.2.3+01", (1, 2, 3)),
        ("1.2.3-007a", (1, 2, 3)),
    ] {
        let version = version(text);
        assert_eq!(
            (version.major(), version.minor(), version.patch()),
            numbers,
            "{text}"
        );
        assert_eq!(version.to_string(), text);
    }
}

#[test]
fn refuses_what_helm_refuses() {
    for text in [
        "",
        "v",
        "vv1",
        "V1",
        "1.2.3.4",
        " 1.2.3",
        "1.2.3 ",
        "1.2.3\n",
        "1.2.3-01",
        "1.2.3-",
        "1.2.3_4",
        "1.2.3+",
        "1.2.3-a..b",
        "1.-2",
        "1.",
        "é",
        "18446744073709551616",
        "latest",
    ] {
        assert!(Version::parse(text).is_err(), "{text:?}");
    }
    assert_eq!(Version::parse(&"1".repeat(257)), Err(VersionError::TooLong));
    assert_eq!(
        Version::parse("1.2.3-01").unwrap_err().to_string(),
        "`1.2.3-01` is not a version: a number in its prerelease begins with `0`"
    );
}

#[test]
fn precedence_is_that_of_semver() {
    // The chain of semver 2.0.0, section 11.
    let chain = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.1.0",
        "2.0.0",
    ];
    for pair in chain.windows(2) {
        assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
    }
    assert!(version("1.0.0-99") < version("1.0.0-103"));
    assert!(version("1.0.0-103") < version("1.0.0-a"));
}

#[test]
fn builds_have_one_precedence_but_are_not_equal() {
    assert_eq!(
        version("1.2.3").precedence_cmp(&version("v1.2.3+b1")),
        Ordering::Equal
    );
    assert_ne!(version("1.2.3"), version("1.2.3+b1"));
    assert!(version("1.2.3") < version("1.2.3+b1"));
}

#[test]
fn changes_name_the_most_significant_part() {
    let change = |from: &str, to: &str| version(from).change_to(&version(to));
    assert_eq!(change("1.2.3", "2.0.0"), Change::Major);
    assert_eq!(change("1.2.3", "1.3.0"), Change::Minor);
    assert_eq!(change("1.2.3", "1.2.4-rc.1"), Change::Patch);
    assert_eq!(change("1.2.3-rc.1", "1.2.3"), Change::Prerelease);
    assert_eq!(change("1.2", "v1.2.0+b"), Change::None);
    assert!(Change::Patch < Change::Major);
    assert_eq!(
        serde_json::to_string(&Change::Prerelease).unwrap(),
        "\"prerelease\""
    );
}

#[test]
fn serialises_as_its_text() {
    let read: Version = serde_json::from_str("\"v1.2\"").unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), "\"v1.2\"");
    assert!(serde_json::from_str::<Version>("\"1.2.3.4\"").is_err());
}

proptest! {
    #[test]
    fn never_panics(text in any::<String>()) {
        if let Ok(version) = Version::parse(&text) {
            prop_assert_eq!(version.to_string(), text);
        }
    }

    #[test]
    fn order_agrees_with_equality(
        left in "v?[0-2](\\.[0-2]){0,2}(-[0-9a-b]{1,2})?(\\+[ab])?",
        right in "v?[0-2](\\.[0-2]){0,2}(-[0-9a-b]{1,2})?(\\+[ab])?",
    ) {
        if let (Ok(left), Ok(right)) = (Version::parse(&left), Version::parse(&right)) {
            prop_assert_eq!(left.cmp(&right), right.cmp(&left).reverse());
            prop_assert_eq!(left.cmp(&right) == Ordering::Equal, left == right);
            prop_assert_eq!(left.change_to(&right) == Change::None, left.precedence_cmp(&right) == Ordering::Equal);
        }
    }
}

#[test]
fn fuzzed() {
    let samples: [&[u8]; 3] = [
        b"1.2.3\nv1.2\n1.2.3-rc.1+build.7\n1.2.3-rc.1.x\n2",
        b"1.2.3-alpha\n1.2.3-alpha.1\n1.2.3-1\n1.2.3--",
        b"18446744073709551615.0.0\n0.0.0-0",
    ];
    let words = [".", "-", "+", "v", "rc.1", "alpha", "00", "\n"];
    tracebloc_fuzz::fuzz("versions", &samples, &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let versions: Vec<Version> = text
            .lines()
            .take(12)
            .filter_map(|line| Version::parse(line).ok())
            .collect();
        for one in &versions {
            assert_eq!(Version::parse(one.as_str()).as_ref(), Ok(one));
            assert_eq!(one.change_to(one), Change::None);
            for other in &versions {
                assert_eq!(one.cmp(other), other.cmp(one).reverse());
                assert_eq!(one.cmp(other).is_eq(), one == other);
                assert_eq!(
                    one.precedence_cmp(other),
                    other.precedence_cmp(one).reverse()
                );
                for third in &versions {
                    if one <= other && other <= third {
                        assert!(one <= third, "{one} {other} {third}");
                    }
                }
            }
        }
    });
}
