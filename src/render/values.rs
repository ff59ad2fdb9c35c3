//! Values as a file has them, for those who keep theirs elsewhere.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tracebloc_core::plan::Setting;

use crate::error::Error;

/// YAML with a level for each part of a path.
pub(crate) fn snippet(values: &BTreeMap<String, Setting>) -> Result<String, Error> {
    let mut root = Map::new();
    for (path, setting) in values {
        put(&mut root, path, setting);
    }
    super::yaml(&Value::Object(root))
}

fn put(level: &mut Map<String, Value>, path: &str, setting: &Setting) {
    match path.split_once('.') {
        Some((first, rest)) => {
            let below = level
                .entry(first)
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(below) = below {
                put(below, rest, setting);
            }
        }
        None => {
            level.insert(path.to_owned(), setting.to_string().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use tracebloc_core::image::Digest;

    use super::*;

    #[test]
    fn paths_are_levels() {
        let digest = Digest::from_sha256(&[7; 32]);
        let values = ["images.a.digest", "images.b.digest", "egress.image.digest"];
        let values = values.map(|path| (path.to_owned(), Setting::Digest(digest.clone())));
        let text = snippet(&BTreeMap::from(values)).unwrap();
        assert_eq!(text.matches("images:").count(), 1, "{text}");
        let read: Value = tracebloc_core::yaml::from_slice(text.as_bytes()).unwrap();
        for place in [
            "/images/a/digest",
            "/images/b/digest",
            "/egress/image/digest",
        ] {
            assert_eq!(read.pointer(place).unwrap(), &digest.to_string(), "{text}");
        }
    }
}
