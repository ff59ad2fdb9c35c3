//! `index.yaml`, in the block style in which Helm writes it.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::chart::Chart;

/// Writes the index of charts; `base` is put before each file name.
pub(super) fn render(charts: &[Chart], base: &str, generated: Timestamp) -> String {
    let mut entries = serde_json::Map::new();
    // Helm sorts descending; the newest publication comes first here, which is the same for versions published in order.
    for chart in charts.iter().rev() {
        let mut entry = chart.metadata.clone();
        entry["created"] = json!(generated.to_string());
        entry["digest"] = json!(chart.sha256);
        entry["urls"] = json!([format!("{base}{}", chart.file_name())]);
        let versions = entries
            .entry(chart.name.clone())
            .or_insert_with(|| json!([]));
        if let Some(versions) = versions.as_array_mut() {
            versions.push(entry);
        }
    }
    let index = json!({"apiVersion": "v1", "entries": entries, "generated": generated.to_string()});
    let mut text = String::new();
    write(&mut text, &index, 0);
    text
}

/// Writes the members of a mapping or sequence, each line indented by `indent`; keys come sorted, as Go sorts them.
fn write(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|left, right| left.0.cmp(right.0));
            for (key, member) in sorted {
                line_start(text, indent);
                text.push_str(&scalar(&Value::String(key.clone())));
                text.push(':');
                // A sequence is not indented below its key.
                let deeper = if member.is_array() {
                    indent
                } else {
                    indent + 2
                };
                write_member(text, member, deeper);
            }
        }
        Value::Array(items) => {
            for item in items {
                line_start(text, indent);
                text.push('-');
                write_item(text, item, indent);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&scalar(value));
        }
    }
}

fn write_member(text: &mut String, member: &Value, indent: usize) {
    if is_block(member) {
        text.push('\n');
        write(text, member, indent);
    } else {
        text.push(' ');
        text.push_str(&scalar(member));
        text.push('\n');
    }
}

/// The first line of a block stands on the line of its dash.
fn write_item(text: &mut String, item: &Value, indent: usize) {
    text.push(' ');
    if is_block(item) {
        let mut block = String::new();
        write(&mut block, item, indent + 2);
        text.push_str(block.trim_start_matches(' '));
    } else {
        text.push_str(&scalar(item));
        text.push('\n');
    }
}

fn line_start(text: &mut String, indent: usize) {
    text.extend(std::iter::repeat_n(' ', indent));
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Strings that would be read as something else are put in double quotes, those with special marks in single quotes.
fn scalar(value: &Value) -> String {
    let Value::String(string) = value else {
        return value.to_string();
    };
    if string.chars().any(|character| {
        character.is_control()
            || matches!(character, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
    }) {
        return value.to_string();
    }
    if reads_as_another_type(string) {
        return value.to_string();
    }
    if is_plain(string) {
        string.clone()
    } else {
        format!("'{}'", string.replace('\'', "''"))
    }
}

/// Numbers, dates, booleans and nulls of YAML 1.1, generously: quotes too many do no harm.
fn reads_as_another_type(string: &str) -> bool {
    const WORDS: [&str; 13] = [
        "", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf",
    ];
    let lower = string.to_ascii_lowercase();
    if WORDS.contains(&lower.trim_start_matches(['+', '-'])) {
        return true;
    }
    let number = lower.trim_start_matches(['+', '-']);
    let mut characters = number.chars();
    let begins = characters
        .next()
        .is_some_and(|first| first.is_ascii_digit() || first == '.');
    let points = number.matches('.').count();
    let numeric = number.chars().all(|character| {
        character.is_ascii_hexdigit()
            || matches!(
                character,
                '.' | '_' | '+' | '-' | ':' | 'x' | 'o' | 't' | 'z' | ' '
            )
    });
    let is_date = number.len() >= 8 && number.get(4..5) == Some("-");
    let letters = number.chars().filter(char::is_ascii_alphabetic).count();
    begins
        && numeric
        && (points < 2 || is_date)
        && (letters <= 1 || is_date || number.starts_with("0x"))
}

fn is_plain(string: &str) -> bool {
    const NOT_FIRST: &str = "!&*-?:,[]{}#|>@`\"'% ";
    let starts = string
        .chars()
        .next()
        .is_some_and(|first| !NOT_FIRST.contains(first));
    starts && !string.ends_with([' ', ':']) && !string.contains(": ") && !string.contains(" #")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

    use super::*;

    fn rendered(value: &Value) -> String {
        let mut text = String::new();
        write(&mut text, value, 0);
        text
    }

    #[test]
    fn the_style_is_that_of_helm() {
        let index = json!({"apiVersion": "v1", "entries": {"client": [{
            "annotations": {"category": "Machine Learning"},
            "created": "2026-08-21T13:56:51.279328368Z",
            "keywords": ["aks", "eks"],
            "kubeVersion": ">=1.24.0-0",
            "maintainers": [{"name": "Team", "url": "https://example.org"}],
            "version": "1.9.51",
            "appVersion": "1.10",
        }]}});
        let expected = "\
apiVersion: v1
entries:
  client:
  - annotations:
      category: Machine Learning
    appVersion: \"1.10\"
    created: \"2026-08-21T13:56:51.279328368Z\"
    keywords:
    - aks
    - eks
    kubeVersion: '>=1.24.0-0'
    maintainers:
    - name: Team
      url: https://example.org
    version: 1.9.51
";
        assert_eq!(rendered(&index), expected);
    }

    fn value() -> impl Strategy<Value = Value> {
        let word = prop_oneof![
            "[ -~]{0,12}",
            "[0-9.:-]{1,8}",
            any::<String>(),
            Just("0x1F".to_owned())
        ];
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            word.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(word.clone(), inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(written in value()) {
            let document = json!({"entries": written});
            let read: Value = serde_saphyr::from_str(&rendered(&document)).expect("it is YAML");
            proptest::prop_assert_eq!(read, document);
        }
    }
}
