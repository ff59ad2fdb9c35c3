use super::*;
use proptest::prelude::*;

/// The columns of [`VERDICTS`].
const VERSIONS: [&str; 14] = [
    "0.0.0",
    "0.0.3",
    "0.0.4",
    "0.2.9",
    "1.2",
    "1.2.0-beta.2",
    "v1.2.3",
    "1.2.3+b1",
    "1.2.4-beta.1",
    "1.3.0",
    "2.0.0",
    "2.3.9",
    "3.1.0",
    "1.33.4-gke.1245000",
];

/// What Masterminds/semver v3.5.0 itself says of each constraint: `#` where the version of that column fits.
#[rustfmt::skip]
const VERDICTS: [(&str, &str); 61] = [
    ("*", "#####.##.####."),
    (">0.0.0-0", "##############"),
    (">=0-0", "##############"),
    ("^1.2.0", "....#.##.#...."),
    ("^0.2.3", "...#.........."),
    ("^0.0.3", ".#............"),
    ("^0", "####.........."),
    ("^0.0", "###..........."),
    ("^*", "#............."),
    ("^1.2", "....#.##.#...."),
    ("^1", "....#.##.#...."),
    ("~1.2.3", "......##......"),
    ("~1.2", "....#.##......"),
    ("~1", "....#.##.#...."),
    ("1.2", "....#.##......"),
    ("1.2.x", "....#.##......"),
    ("=1.2", "....#.##......"),
    ("~>1.2", "....#.##......"),
    ("~0.0.0", "#####.##.####."),
    ("~*", "#####.##.####."),
    ("1.x", "....#.##.#...."),
    ("1.2 - 2.3", "....#.##.###.."),
    ("1.2.0 - 2.0.0", "....#.##.##..."),
    (">=1.2, <2", "....#.##.#...."),
    (">=1.2 <2", "....#.##.#...."),
    ("^1 || ^3", "....#.##.#..#."),
    (">=1.2.0-0", "....##########"),
    (">=1.2.0-alpha <2.0.0", "....######...#"),
    (">=1.24.0", "..........###."),
    (">=1.24.0-0", "..........####"),
    ("1.2.3", "......##......"),
    ("=1.2.3", "......##......"),
    ("v1.2.3", "......##......"),
    ("!=1.2.3", "#####....####."),
    ("!=1.2", "####.....####."),
    ("!=1", "####......###."),
    ("!=*", ".####.##.####."),
    ("!=1.2-beta.2", "#####.########"),
    (">1", "..........###."),
    (">1.2", ".........####."),
    (">1.2.3", ".........####."),
    (">*", ".####.##.####."),
    ("<1", "####.........."),
    ("<1.2", "####.........."),
    ("<*", ".............."),
    ("<=1", "#####.##.#...."),
    ("<=1.2", "#####.##......"),
    ("<=*", "###..........."),
    (">=1", "....#.##.####."),
    ("=>1.2", "....#.##.####."),
    ("=<1.2", "#####.##......"),
    ("<=1.2.3", "#####.##......"),
    ("~1.2.0-beta.1", "....#####....."),
    ("^1.2.0-beta.1", "....######...#"),
    ("1.2.4-beta.1", "........#....."),
    ("1.2.x-beta", "....#####....."),
    ("1 - 2v3", ".............."),
    (">=1.2.0-0 || 3", "....##########"),
    ("x.1|", "#####.##.####."),
    (">=*", "#####.##.####."),
    ("1.2.3 ||3.1.0", "......##....#."),
];

fn fits(constraint: &str, version: &str) -> bool {
    Constraint::parse(constraint)
        .unwrap()
        .matches(&Version::parse(version).unwrap())
}

#[test]
fn verdicts_are_those_of_masterminds() {
    for (constraint, expected) in VERDICTS {
        let verdict: String = VERSIONS
            .iter()
            .map(|version| if fits(constraint, version) { '#' } else { '.' })
            .collect();
        assert_eq!(verdict, expected, "{constraint}");
    }
}

#[test]
fn texts_that_masterminds_refuses_are_refused() {
    for text in [
        "",
        "latest",
        " ",
        "||",
        "1||",
        "1|2",
        "1.2.3.4",
        "1,",
        "1,,2",
        ",1",
        "> =1",
        "==1",
        "><1",
        "0 1 - 2",
        "^1 - 2",
        "1.2.3-01",
        "1.2-",
        "\u{b}1",
        "18446744073709551616",
        "1 é",
    ] {
        assert!(Constraint::parse(text).is_err(), "{text:?}");
    }
    assert!(Constraint::parse(&["1"; 32].join("||")).is_ok());
    assert_eq!(
        Constraint::parse(&["1"; 33].join("||")),
        Err(ConstraintError::TooManyGroups)
    );
    assert_eq!(
        Constraint::parse(&"1".repeat(513)),
        Err(ConstraintError::TooLong)
    );
}

#[test]
fn errors_name_the_text_and_the_place() {
    let message = |text: &str| Constraint::parse(text).unwrap_err().to_string();
    assert_eq!(
        message("^1 || >=1.2 newest"),
        "`^1 || >=1.2 newest` is not a version constraint: ` >=1.2 newest` cannot be read from character 8 on (`newest`)"
    );
    assert_eq!(
        message(""),
        "`` is not a version constraint: `` cannot be read from character 1 on (the text ends there)"
    );
}

#[test]
fn serialises_as_its_text() {
    let read: Constraint = serde_json::from_str("\"^1.2 || 3 - 4\"").unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), "\"^1.2 || 3 - 4\"");
    assert!(serde_json::from_str::<Constraint>("\"latest\"").is_err());
}

/// Texts near the grammar, many of them valid.
fn near() -> impl Strategy<Value = String> {
    "((=|!=|>|<|>=|=>|<=|=<|~|~>|\\^)?[ ]?v?[0-3x*](\\.[0-3xX]){0,2}(-[0-9a]{1,2})?(, ?| | - |\\|\\| ?|)){1,3}"
}

proptest! {
    #[test]
    fn never_panics(text in any::<String>(), version in "[0-3]\\.[0-3]\\.[0-3](-a)?") {
        if let Ok(constraint) = Constraint::parse(&text) {
            constraint.matches(&Version::parse(&version).unwrap());
        }
    }

    #[test]
    fn what_is_displayed_reads_back(text in near()) {
        if let Ok(constraint) = Constraint::parse(&text) {
            prop_assert_eq!(constraint.to_string(), text);
            prop_assert_eq!(Constraint::parse(&constraint.to_string()), Ok(constraint));
        }
    }

    #[test]
    fn caret_keeps_the_first_number_that_is_not_zero(low in any::<[u8; 3]>(), high in any::<[u8; 3]>()) {
        let text = |numbers: [u8; 3]| numbers.map(|number| number.to_string()).join(".");
        let kept = low.iter().position(|number| *number > 0).map_or(3, |first| first + 1);
        let expected = high >= low && high[..kept] == low[..kept];
        prop_assert_eq!(fits(&format!("^{}", text(low)), &text(high)), expected);
    }

    #[test]
    fn caret_and_tilde_agree_with_their_ranges(major in 1_u8..4, minor in 0_u8..4, patch in 0_u8..4, version in "[0-4]\\.[0-4]\\.[0-4]") {
        let from = format!("{major}.{minor}.{patch}");
        let caret = format!(">={from}, <{}.0.0", major + 1);
        prop_assert_eq!(fits(&format!("^{from}"), &version), fits(&caret, &version));
        let tilde = format!(">={from}, <{major}.{}.0", minor + 1);
        prop_assert_eq!(fits(&format!("~{from}"), &version), fits(&tilde, &version));
    }

    #[test]
    fn a_prerelease_needs_a_group_that_names_one(text in near(), version in "[0-3]\\.[0-3]\\.[0-3]-[a-c]") {
        if let Ok(constraint) = Constraint::parse(&text) && !text.contains('-') {
            prop_assert!(!constraint.matches(&Version::parse(&version).unwrap()));
        }
    }
}

#[test]
fn fuzzed() {
    let samples: [&[u8]; 6] = [
        b">=1.24.0-0 <2",
        b"^1.2 || ~2.3.4",
        b"1.2 - 2.3.4",
        b"!=1.x, >1.*",
        b"1.2.3-rc.1+b",
        b"*",
    ];
    let words = [
        ">=", "<=", "=>", "!=", "^", "~", "~>", "||", " - ", ",", "x", "*", ".", "v", "-0",
    ];
    let versions = [
        "0.0.0",
        "0.0.1-a",
        "1.2.3",
        "1.2.3-rc.1",
        "18446744073709551615.0.0",
    ]
    .map(|text| Version::parse(text).unwrap());
    tracebloc_fuzz::fuzz("constraints", &samples, &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let Ok(constraint) = Constraint::parse(&text) else {
            return;
        };
        let again = Constraint::parse(&constraint.to_string()).unwrap();
        for version in &versions {
            assert_eq!(
                constraint.matches(version),
                again.matches(version),
                "{text}"
            );
            // What fits without prereleases fits with them.
            assert!(
                constraint.matches_prereleases(version) || !constraint.matches(version),
                "{text} {version}"
            );
        }
    });
}
