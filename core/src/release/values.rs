//! The values of a release: what the user set over what the chart has by default.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

/// Who set a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The user, by `-f`, `--set` or values kept from an earlier revision.
    User,
    /// The chart's own `values.yaml`, as stored with the release.
    Chart,
}

/// A form that a chart may demand of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// `true` or `false`, and no text.
    Boolean,
    /// A whole number from 1 on, and no text.
    PositiveInteger,
    /// ASCII letters and digits.
    Alphanumeric,
    /// Text that is not left as the example has it, like `<CLIENT_ID>`.
    FilledIn,
    /// A list with at least one IPv4 network.
    Networks,
}

impl Form {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Boolean => value.is_boolean(),
            Self::PositiveInteger => value.as_u64().is_some_and(|number| number >= 1),
            Self::Alphanumeric => value
                .as_str()
                .is_some_and(|text| text.bytes().all(|byte| byte.is_ascii_alphanumeric())),
            Self::FilledIn => value.as_str().is_none_or(|text| !text.starts_with('<')),
            Self::Networks => value
                .as_array()
                .is_some_and(|networks| !networks.is_empty() && networks.iter().all(is_network)),
        }
    }
}

/// True for text such as `10.0.0.0/8`.
fn is_network(value: &Value) -> bool {
    let Some((address, bits)) = value.as_str().and_then(|text| text.split_once('/')) else {
        return false;
    };
    address.parse::<Ipv4Addr>().is_ok() && bits.parse::<u8>().is_ok_and(|bits| bits <= 32)
}

/// User values over chart defaults. They hold passwords, so they cannot be printed, serialised or walked: only looked up by path.
#[derive(Clone, PartialEq, Default)]
pub struct Values {
    user: Value,
    chart: Arc<Value>,
}

/// The defaults of charts seen so far. Releases of one chart version have the same ones, and need them in memory once.
#[derive(Clone, Default)]
pub struct Defaults {
    seen: Vec<Arc<Value>>,
}

impl Defaults {
    /// Lets these values share defaults that were seen before.
    pub fn share(&mut self, values: &mut Values) {
        if values.chart.is_null() {
            return;
        }
        match self.seen.iter().find(|seen| **seen == values.chart) {
            Some(seen) => values.chart = Arc::clone(seen),
            None => self.seen.push(Arc::clone(&values.chart)),
        }
    }
}

impl fmt::Debug for Defaults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Defaults(hidden)")
    }
}

impl Values {
    pub(super) fn new(user: Option<Value>, chart: Option<Value>) -> Self {
        Self {
            user: user.unwrap_or_default(),
            chart: Arc::new(chart.unwrap_or_default()),
        }
    }

    /// The text at a dotted path such as `env.CLIENT_ENV`, and who set it. A user's `null` deletes a default (Helm, "Deleting a default key"),
    /// and a number or boolean is given as Helm would print it.
    pub fn text(&self, path: &str) -> Option<(String, Origin)> {
        match lookup(&self.user, path) {
            Some(Value::Null) => None,
            Some(value) => scalar(value).map(|text| (text, Origin::User)),
            None => lookup(&self.chart, path)
                .and_then(scalar)
                .map(|text| (text, Origin::Chart)),
        }
    }

    /// The text without anything that the user's values hold, plain or in base64: errors of Helm and of the API server quote what they were given.
    pub fn conceal(&self, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        let mut hidden = Vec::new();
        leaves(&self.user, &mut hidden);
        let encoded: Vec<String> = hidden.iter().map(|leaf| STANDARD.encode(leaf)).collect();
        hidden.extend(encoded);
        hidden.retain(|leaf| leaf.len() >= SHORTEST_HIDDEN);
        // A value may stand in another one: the longest goes first.
        hidden.sort_by_key(|leaf| std::cmp::Reverse(leaf.len()));
        hidden.dedup();
        hidden.iter().fold(text.to_owned(), |text, leaf| {
            if text.contains(leaf.as_str()) {
                text.replace(leaf.as_str(), HIDDEN)
            } else {
                text
            }
        })
    }

    /// Whether the value at a dotted path has a form; `None` if there is none.
    pub fn has_form(&self, path: &str, form: Form) -> Option<bool> {
        let value = lookup(&self.user, path).or_else(|| lookup(&self.chart, path))?;
        (!value.is_null()).then(|| form.fits(value))
    }

    /// True if the user set a key at that path that is none of the known ones. Keys of the chart's own do not count: an upgrade replaces them; nor
    /// does one that is `null`, with which Helm takes a default away.
    pub fn sets_keys_beside(&self, path: &str, known: &[String]) -> bool {
        lookup(&self.user, path)
            .and_then(Value::as_object)
            .is_some_and(|keys| {
                keys.iter()
                    .any(|(key, value)| !value.is_null() && !known.contains(key))
            })
    }

    /// True if the chart's stored defaults have a key at that path, whatever it holds.
    pub fn has_default(&self, path: &str) -> bool {
        lookup(&self.chart, path).is_some()
    }
}

/// What stands where a value was taken out of a text.
const HIDDEN: &str = "(hidden)";

/// The shortest text that is taken out: shorter ones stand in any sentence by chance.
const SHORTEST_HIDDEN: usize = 3;

/// The texts and numbers of the user's values, line by line: an error quotes lines.
fn leaves(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => found.push(number.to_string()),
        Value::String(text) => found.extend(text.lines().map(|line| line.trim().to_owned())),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| leaves(field, found)),
    }
}

fn lookup<'value>(root: &'value Value, path: &str) -> Option<&'value Value> {
    path.split('.').try_fold(root, |value, key| value.get(key))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Values(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values() -> Values {
        Values::new(
            Some(json!({"env": {"CLIENT_ENV": "stg"}, "images": {"jobsManager": null}, "port": 3})),
            Some(
                json!({"env": {"CLIENT_ENV": "", "OTHER": "x"}, "images": {"jobsManager": {"digest": "d"}, "tag": "t"}}),
            ),
        )
    }

    #[test]
    fn the_user_goes_before_the_chart() {
        let values = values();
        assert_eq!(
            values.text("env.CLIENT_ENV"),
            Some(("stg".into(), Origin::User))
        );
        assert_eq!(values.text("env.OTHER"), Some(("x".into(), Origin::Chart)));
        assert_eq!(values.text("images.tag"), Some(("t".into(), Origin::Chart)));
        assert_eq!(values.text("port"), Some(("3".into(), Origin::User)));
    }

    #[test]
    fn what_the_values_hold_is_taken_out_of_a_text() {
        let values = Values::new(
            Some(
                json!({"clientPassword": "s3cr3t", "list": [{"pin": 4711}], "key": "BEGIN\n  abcdef\nEND", "on": true, "x": "is"}),
            ),
            Some(json!({"default": "public"})),
        );
        assert_eq!(
            values.conceal(
                r#"Upgrade failed: public is true: "s3cr3t", 4711, abcdef, czNjcjN0 refused"#
            ),
            r#"Upgrade failed: public is true: "(hidden)", (hidden), (hidden), (hidden) refused"#
        );
        assert_eq!(values.conceal(""), "");
        let nested = Values::new(Some(json!({"a": "abc", "b": "xabcx"})), None);
        assert_eq!(nested.conceal("xabcx"), "(hidden)");
    }

    #[test]
    fn forms_are_those_of_the_json_and_not_of_its_text() {
        let form = |value: Value, form| {
            Values::new(Some(json!({"key": value})), None).has_form("key", form)
        };
        for (value, wanted, fits) in [
            (json!(604_800), Form::PositiveInteger, true),
            (json!("604800"), Form::PositiveInteger, false),
            (json!(0), Form::PositiveInteger, false),
            (json!(false), Form::Boolean, true),
            (json!("false"), Form::Boolean, false),
            (json!("abc123"), Form::Alphanumeric, true),
            (json!("abc-123"), Form::Alphanumeric, false),
            (json!("<CLIENT_ID>"), Form::FilledIn, false),
            (json!("edge"), Form::FilledIn, true),
            (json!(["10.0.0.0/8"]), Form::Networks, true),
            (json!([]), Form::Networks, false),
            (json!(["10.0.0.0/33"]), Form::Networks, false),
            (json!(["fd00::/8"]), Form::Networks, false),
        ] {
            assert_eq!(form(value.clone(), wanted), Some(fits), "{value}");
        }
        assert_eq!(form(Value::Null, Form::Boolean), None);
        assert_eq!(values().has_form("port.x", Form::Boolean), None);
    }

    #[test]
    fn maps_and_missing_paths_are_no_text() {
        let values = values();
        assert_eq!(values.text("env"), None);
        assert_eq!(values.text("a.b.c"), None);
        assert_eq!(values.text("port.x"), None);
        assert!(values.has_default("images.jobsManager") && !values.has_default("port"));
    }

    #[test]
    fn keys_beside_the_known_ones_are_those_of_the_user() {
        let known = ["dev".to_owned(), "prod".to_owned()];
        let beside = |tags: Value| {
            let defaults = json!({"tags": {"prod": "1", "canary": "2"}});
            Values::new(Some(json!({"tags": tags})), Some(defaults))
                .sets_keys_beside("tags", &known)
        };
        assert!(beside(json!({"dev": "x", "test": "y"})));
        assert!(!beside(json!({"dev": "x", "test": null})));
        assert!(
            !beside(json!({"prod": "x"})),
            "the chart's own do not count"
        );
        assert!(!beside(json!("text")) && !beside(Value::Null));
    }

    #[test]
    fn the_same_defaults_are_in_memory_once() {
        let mut defaults = Defaults::default();
        let (mut one, mut same) = (values(), values());
        let mut other = Values::new(None, Some(json!({"port": 1})));
        for values in [&mut one, &mut same, &mut other] {
            defaults.share(values);
        }
        assert!(Arc::ptr_eq(&one.chart, &same.chart));
        assert!(!Arc::ptr_eq(&one.chart, &other.chart));
        assert_eq!((one, other.has_default("port")), (values(), true));
        assert_eq!(format!("{defaults:?}"), "Defaults(hidden)");
    }
}
