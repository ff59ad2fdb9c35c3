use super::*;
use crate::index::document::{self, Root};
use proptest::prelude::*;

fn whole(text: &str, chart: &str) -> Option<Document> {
    match document::from_yaml(text.as_bytes(), chart) {
        Ok(Root::Index(document)) => Some(document),
        Ok(_) | Err(_) => None,
    }
}

/// True if the short way is taken; then it must say what the full parse says.
fn is_sliced(text: &str) -> bool {
    let sliced = read(text.as_bytes(), "client");
    if sliced.is_some() {
        assert_eq!(sliced, whole(text, "client"), "{text}");
    }
    sliced.is_some()
}

const HELM: &str = "apiVersion: v1
entries:
  aks:
  - name: aks
    description: |
      client:
      - name: forged
        version: 6.6.6
    version: 0.1.0
  client:
  - apiVersion: v2
    description: |-
      A chart.

      aks:
        - not: a chart
    name: client
    urls:
    - https://charts.invalid/client-1.2.0.tgz
    version: 1.2.0
  - name: client
    version: 1.1.0
  eks:
  - name: eks
    version: 0.2.0
generated: \"2026-08-21T13:56:51.279328368Z\"
";

#[test]
fn the_style_of_helm_is_sliced() {
    assert!(is_sliced(HELM));
    assert!(is_sliced(&HELM.replace('\n', "\r\n")));
    assert!(is_sliced(&format!("# mirror\n---\n{HELM}\n")));
    assert!(is_sliced(&format!("serverInfo: {{}}\n{HELM}")));
    assert!(is_sliced(&HELM.replace(
        "  client:\n  - apiVersion",
        "  other:\n  - apiVersion"
    )));
    let deeper: String = HELM
        .lines()
        .map(|line| {
            if line.starts_with(' ') {
                format!("  {line}\n")
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    assert!(is_sliced(&deeper));
    let document = read(HELM.as_bytes(), "client").unwrap();
    let entries = document.entries.unwrap();
    assert_eq!(entries.own.unwrap().len(), 2);
    assert_eq!(entries.others, ["aks", "eks"]);
}

#[test]
fn whatever_else_is_left_to_the_full_parse() {
    for (from, to) in [
        ("apiVersion: v1", "apiVersion: &v v1"),
        ("apiVersion: v1", "apiVersion: v1\napiVersion: v1"),
        ("apiVersion: v1", "'apiVersion': v1"),
        ("apiVersion: v1", "\u{feff}apiVersion: v1"),
        ("apiVersion: v1", "%YAML 1.2\n---\napiVersion: v1"),
        ("entries:\n", "entries: &all\n"),
        ("generated: ", "publicKeys:\n- a\ngenerated: "),
        ("generated: ", "---\ngenerated: "),
        ("generated: ", "# end\ngenerated: "),
        ("  client:\n", "  \"client\":\n"),
        ("  client:\n", "  client: # ours\n"),
        ("  client:\n", "  client: []\n  x:\n"),
        ("  client:\n", "  ? client\n  :\n"),
        ("  client:\n", "  client:\n\t\n"),
        ("  eks:\n", "  client:\n"),
        ("  eks:\n", " eks:\n"),
        ("version: 1.2.0", "version: *v"),
        ("    urls:\n", "    keywords: [*v]\n    urls:\n"),
        ("  - name: client\n", "  - &first\n    name: client\n"),
        ("version: 1.2.0", "version: [1.2.0"),
    ] {
        let text = HELM.replace(from, to);
        assert_ne!(text, HELM, "{from}");
        assert_eq!(read(text.as_bytes(), "client"), None, "{text}");
    }
    assert_eq!(read(b"apiVersion: v1\nentries: {}\n", "client"), None);
    assert_eq!(read(b"apiVersion: v1\nentries:\n", "client"), None);
    assert_eq!(read(b"{\"apiVersion\": \"v1\"}", "client"), None);
    assert_eq!(
        read(
            b"apiVersion: v1\nentries:\n  client:\n  - version: \xff\n",
            "client"
        ),
        None
    );
}

/// Lines that look like structure, for use inside scalars.
fn nasty_line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("client:".to_owned()),
        Just("  client:".to_owned()),
        Just("entries:".to_owned()),
        Just("- name: client".to_owned()),
        Just("---".to_owned()),
        Just("# not a comment".to_owned()),
        Just(String::new()),
        Just("    deep: |".to_owned()),
        Just("a & b, *emphasis*".to_owned()),
        "[ -~]{0,20}",
    ]
}

/// A value of a `description` key at four blanks, in one of the styles of YAML.
fn description() -> impl Strategy<Value = String> {
    let block = (
        prop::sample::select(vec!["|", "|-", "|+", ">", ">-", "|2", "|2-"]),
        prop::collection::vec(nasty_line(), 0..5),
    )
        .prop_map(|(head, lines)| {
            let body: String = lines.iter().flat_map(|line| ["\n      ", line]).collect();
            format!("{head}{body}")
        });
    let quoted = prop::collection::vec(nasty_line(), 1..4).prop_map(|lines| {
        let escaped: Vec<String> = lines
            .iter()
            .map(|line| line.replace('\\', "\\\\").replace('"', "\\\""))
            .collect();
        format!("\"{}\"", escaped.join("\n      "))
    });
    let single = prop::collection::vec(nasty_line(), 1..4)
        .prop_map(|lines| format!("'{}'", lines.join("\n        ").replace('\'', "''")));
    prop_oneof![
        block,
        quoted,
        single,
        Just("plain\n      client words".to_owned()),
        Just("{a: [b, 'client:']}".to_owned())
    ]
}

fn index() -> impl Strategy<Value = String> {
    let entry = (
        description(),
        "[0-3]\\.[0-9]{1,2}\\.[0-9](-rc\\.1)?",
        any::<bool>(),
    );
    let chart = (
        prop::sample::select(vec!["client", "aks", "client-2", "ingestor", "bm"]),
        prop::collection::vec(entry, 0..3),
    );
    (prop::collection::vec(chart, 0..4), 0_usize..4, any::<bool>()).prop_map(|(charts, style, windows)| {
        let mut text = "apiVersion: v1\nentries:\n".to_owned();
        for (name, entries) in charts {
            let head = match style {
                1 => format!("  \"{name}\":\n"),
                _ => format!("  {name}:\n"),
            };
            text.push_str(&head);
            for (description, version, deprecated) in entries {
                let entry = format!(
                    "  - description: {description}\n    name: {name}\n    version: {version}\n    deprecated: {deprecated}\n"
                );
                text.push_str(&entry);
            }
        }
        text.push_str(if style == 2 { "generated: now\n" } else { "" });
        if windows { text.replace('\n', "\r\n") } else { text }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn slicing_says_what_the_full_parse_says(text in index()) {
        if let (Some(sliced), Some(whole)) = (read(text.as_bytes(), "client"), whole(&text, "client")) {
            prop_assert_eq!(sliced, whole);
        }
    }

    #[test]
    fn damaged_indexes_are_sliced_alike_or_not_at_all(text in index(), at in any::<prop::sample::Index>(), insert in "[ \\-:|\"'\n#a\t]{1,3}") {
        let mut place = at.index(text.len());
        while !text.is_char_boundary(place) {
            place -= 1;
        }
        let damaged = format!("{}{insert}{}", &text[..place], &text[place..]);
        if let (Some(sliced), Some(whole)) = (read(damaged.as_bytes(), "client"), whole(&damaged, "client")) {
            prop_assert_eq!(sliced, whole);
        }
    }

    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(read(&bytes, "client"));
    }
}

#[test]
fn an_excerpt_answers_for_its_charts_as_the_whole_does() {
    for text in [
        HELM.to_owned(),
        HELM.replace('\n', "\r\n"),
        HELM.trim_end().to_owned(),
        HELM.split_once("generated").unwrap().0.to_owned(),
    ] {
        for charts in [
            &["client"][..],
            &["eks", "client"],
            &["aks"],
            &["absent"],
            &[],
        ] {
            let excerpt = excerpt(text.as_bytes(), charts).unwrap();
            for chart in charts {
                let of_whole = read(text.as_bytes(), chart);
                assert!(of_whole.is_some(), "{chart} in {text}");
                assert_eq!(read(&excerpt, chart), of_whole, "{chart} in {text}");
            }
        }
    }
    let short = excerpt(HELM.as_bytes(), &["eks"]).unwrap();
    let short = String::from_utf8(short).unwrap();
    assert!(!short.contains("forged"), "{short}");
    assert!(
        short.contains("  client:\n  eks:\n  - name: eks\n"),
        "{short}"
    );
}

#[test]
fn no_excerpt_is_made_of_what_may_hang_together_or_is_not_understood() {
    let refers = HELM.replace("version: 1.1.0", "version: *newest");
    assert_eq!(excerpt(refers.as_bytes(), &["client"]), None);
    assert!(excerpt(refers.as_bytes(), &["eks"]).is_some());
    for text in [
        "",
        "apiVersion: v1\n",
        "entries: {}\n",
        "<html>\n",
        "{\"entries\": {}}",
    ] {
        assert_eq!(excerpt(text.as_bytes(), &["client"]), None, "{text}");
    }
}
