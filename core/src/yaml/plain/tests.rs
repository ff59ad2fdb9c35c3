use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::super::from_slice;
use super::{Node, read};

/// As charts write, with what is in their manifests.
const SAMPLE: &str = r#"
# Source: client/templates/jobs-manager.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: edge-jobs-manager
  namespace: edge   # of the release
  labels:
    app.kubernetes.io/version: "1.9.28"
  annotations:
    "helm.sh/resource-policy": keep
spec:
  replicas: 1
  schedule: "7,22 * * * *"
  suspend: false
  nothing:
  none: ~
  selector: {}
  template:
    spec:
      containers:
      - name: main
        image: 127.0.0.1:5000/tracebloc/jobs-manager:prod
        command: ["/bin/sh", '-c', x]
        args:
          - --flag=one
          - |
            echo "a: b"  # –
              deeper

            - end
        env:
        - name: CLIENT_ID
          value: 'it is: one'
        -
          name: HOST
          valueFrom: {fieldRef: {fieldPath: status.hostIP}}
        - name: TEXT
          value: >-
            folded
        ports: [80, 443]
        resources:
          limits:
            cpu: 250m
            memory: 1Gi
      volumes: []
      lists:
      - - a
        - b
      -
      - c: 1
        d: $(HOME)/x
"#;

/// True if a value is what was read, as far as it was.
fn fits(node: &Node<'_>, value: &Value) -> bool {
    match (node, value) {
        (Node::Unread, Value::String(_)) | (Node::Null, Value::Null) => true,
        (Node::Bool(node), Value::Bool(value)) => node == value,
        (Node::Number(node), Value::Number(value)) => Some(*node) == value.as_u64(),
        (Node::Text(node), Value::String(value)) => node == value,
        (Node::List(nodes), Value::Array(values)) => {
            nodes.len() == values.len()
                && nodes
                    .iter()
                    .zip(values)
                    .all(|(node, value)| fits(node, value))
        }
        (Node::Map(entries), Value::Object(values)) => {
            entries.len() == values.len()
                && entries
                    .iter()
                    .all(|(key, node)| values.get(*key).is_some_and(|value| fits(node, value)))
        }
        _ => false,
    }
}

/// The ways in which manifests are read: optional and required, nested and flattened, and by what a value looks like.
#[derive(Deserialize, Debug, PartialEq)]
struct Typed {
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    replicas: Option<u32>,
    #[serde(default)]
    a: Option<String>,
    b: Option<Box<Self>>,
    #[serde(default, rename = "c")]
    list: Vec<Guess>,
    #[serde(flatten)]
    names: Names,
    metadata: Option<Names>,
    spec: Option<Box<Self>>,
    template: Option<Box<Self>>,
    containers: Option<Vec<Self>>,
    env: Option<Vec<Self>>,
    value: Option<Guess>,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Names {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(untagged)]
enum Guess {
    Text(String),
    Number(u64),
    Other(serde::de::IgnoredAny),
}

/// True if the document was read here; then the library must read the same.
fn is_read_alike(document: &str) -> bool {
    let Some(node) = read(document) else {
        return false;
    };
    let value = from_slice::<Value>(document.as_bytes());
    let alike = value.as_ref().is_ok_and(|value| fits(&node, value));
    assert!(alike, "{document:?}\n{node:?}\n{value:?}");
    if let Ok(typed) = Typed::deserialize(node) {
        assert_eq!(
            from_slice::<Typed>(document.as_bytes()).as_ref(),
            Ok(&typed),
            "{document:?}"
        );
    }
    true
}

#[test]
fn what_charts_write_is_read() {
    // What is not of the plain part is left to the library.
    assert!(!is_read_alike(SAMPLE));
    let plain: Vec<&str> = SAMPLE
        .lines()
        .filter(|line| !line.contains("--flag") && !line.contains("fieldRef"))
        .collect();
    assert!(is_read_alike(&plain.join("\n")));
}

#[test]
fn what_is_unusual_is_left_to_the_library() {
    for document in [
        "",
        "# nothing\n",
        "a",
        "- &a b\n- *a\n",
        "a: &x 1\n",
        "a: !!str 1\n",
        "a: b\n  c\n",
        "a: b: c\n",
        "a: \"b\n  c\"\n",
        "a: [b,\n  c]\n",
        "a: [b: c]\n",
        "a: \"\\x41\"\n",
        "a: 'it''s'\n",
        "a: 1.5\n",
        "a: 010\n",
        "a: 0x10\n",
        "a: 12:30:45\n",
        "a: yes\n",
        "a: NULL\n",
        "yes: a\n",
        "a: 1\na: 2\n",
        "a:\n  b: 1\n c: 2\n",
        "a: 1\n  b: 2\n",
        "a:\n- b\n  c: d\n",
        "a: |\n    \n  b\n",
        "a: |2\n  b\n",
        "a: b\n...\n",
        "a:\tb\n",
        "a: b\r\n",
        "a: ü\n",
        "\u{feff}a: b\n",
        "a: b # \u{85}c: d\n",
        "<<: {a: b}\n",
        "? a\n: b\n",
        "{\"a\": \"b\"}",
        "%YAML 1.1\na: b\n",
        "a: @b\n",
        "a: -\n",
    ] {
        assert!(read(document).is_none(), "{document:?}");
    }
    let deep: Vec<String> = (0..100)
        .map(|depth| format!("{}a:", " ".repeat(depth)))
        .collect();
    assert!(read(&deep.join("\n")).is_none());
    // Each key is held against all others of its mapping.
    let wide: Vec<String> = (0..1_000).map(|number| format!("a{number}: b")).collect();
    assert!(read(&wide[..100].join("\n")).is_some());
    assert!(read(&wide.join("\n")).is_none());
}

/// Pieces of lines, the usual and the unusual ones.
fn piece() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "", "", "a: ", "b: ", "\"c\": ", "a:", "b:", "c :", "? ",
    ]);
    let dash = prop::sample::select(vec!["", "", "", "- ", "-   ", "- - ", "-"]);
    let value = prop::sample::select(vec![
        "",
        "",
        "",
        "x",
        "x y",
        "7",
        "0",
        "-1",
        "~",
        "null",
        "true",
        "no",
        "1.5",
        "1/2",
        "5m",
        "01Gi",
        "1e5",
        "5mm",
        "/x",
        "$x",
        "\"q\"",
        "\"7\"",
        "'true'",
        "''",
        "'q'",
        "\"q\" # c",
        "'q'#",
        "x # c",
        "x #",
        "x#",
        "x:",
        "x: y",
        "[]",
        "{}",
        "[a, \"b\"]",
        "[a b]",
        "[a,]",
        "[,]",
        "[-]",
        "|",
        "|-",
        ">",
        "|1",
        "&a x",
        "*a",
        "!t x",
        "# c",
        "#",
        "---",
        "...",
        "\"",
        "'",
        "[",
        "{a: b}",
        "x - y",
        "x, y",
        "-x",
        "%",
        "@",
        "`",
        "x\u{85}y",
        "é",
    ]);
    (0_usize..7, dash, key, value).prop_map(|(indented, dash, key, value)| {
        format!("{}{dash}{key}{value}", " ".repeat(indented))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn whatever_is_read_is_read_as_the_library_reads_it(lines in prop::collection::vec(piece(), 1..9)) {
        is_read_alike(&lines.join("\n"));
    }
}

#[test]
fn fuzzed() {
    let plain = SAMPLE
        .replace("--flag", "flag")
        .replace("{fieldRef: {fieldPath: status.hostIP}}", "here");
    assert!(is_read_alike(&plain));
    let words = [
        "- ", "  ", "a: ", "a:\n", "|\n", ">-\n", "---", "...", " #", "? ", "!!str ", "\t",
        "\u{85}", "\u{2028}",
    ];
    tracebloc_fuzz::fuzz(
        "plain",
        &[plain.as_bytes(), SAMPLE.as_bytes()],
        &words,
        |bytes| {
            if let Ok(document) = std::str::from_utf8(bytes) {
                is_read_alike(document);
            }
        },
    );
}
