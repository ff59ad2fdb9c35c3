//! The values of a release: what the user set over what the chart has by default.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

/// Who set a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The user, by `-f`, `--set` or values kept from an earlier revision.
    User,
    /// The chart's own `values.yaml`, as stored with the release.
    Chart,
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

    /// True if the chart's stored defaults have a key at that path, whatever it holds.
    pub fn has_default(&self, path: &str) -> bool {
        lookup(&self.chart, path).is_some()
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
    fn maps_and_missing_paths_are_no_text() {
        let values = values();
        assert_eq!(values.text("env"), None);
        assert_eq!(values.text("a.b.c"), None);
        assert_eq!(values.text("port.x"), None);
        assert!(values.has_default("images.jobsManager") && !values.has_default("port"));
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
