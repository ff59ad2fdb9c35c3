//! The kind that a document of a manifest declares.

use std::borrow::Cow;

use serde::Deserialize;

use super::CLAIM;
use crate::workload::WorkloadKind;
use crate::yaml::{self, YamlError};

#[derive(Deserialize)]
struct KindOnly {
    #[serde(default)]
    kind: Option<String>,
}

/// The kind of a document. Most of a manifest is of no interest here, so it is found without parsing where it is written as charts write it; a
/// document in another writing, such as JSON, is parsed for it where it has a word of interest at all.
pub(super) fn declared_kind(document: &str) -> Result<Option<Cow<'_, str>>, YamlError> {
    if let Some(kind) = plain_kind(document) {
        return Ok(Some(Cow::Borrowed(kind)));
    }
    let is_of_interest = WorkloadKind::ALL
        .into_iter()
        .map(WorkloadKind::as_str)
        .chain([CLAIM])
        .any(|kind| document.contains(kind));
    if !is_of_interest {
        return Ok(None);
    }
    let document: KindOnly = yaml::from_slice(document.as_bytes())?;
    Ok(document.kind.map(Cow::Owned))
}

/// The word after a `kind:` that begins a line of a block mapping, where it is one word alone. No text in such a mapping begins a line with it.
fn plain_kind(document: &str) -> Option<&str> {
    let mut content = document
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .skip_while(|line| line.trim().is_empty())
        .peekable();
    if content.peek()?.trim_start().starts_with(['{', '"', '\'']) {
        return None;
    }
    let kind = content.find_map(|line| line.strip_prefix("kind:"))?.trim();
    let kind = ['"', '\'']
        .into_iter()
        .find_map(|quote| kind.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(kind);
    (!kind.is_empty() && kind.chars().all(char::is_alphanumeric)).then_some(kind)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::parse;
    use crate::claim::DeclaredClaim;
    use crate::name::Namespace;
    use crate::workload::Workload;

    /// What a manifest of one document holds, all of it.
    fn read_one(document: &str) -> (Vec<Workload>, Vec<DeclaredClaim>, Vec<String>) {
        let contents = parse(
            &format!("---\n# Source: x/templates/x.yaml\n{document}\n"),
            &Namespace::parse("edge").unwrap(),
        );
        (contents.workloads, contents.claims, contents.unreadable)
    }

    #[test]
    fn the_kind_is_found_however_it_is_written() {
        let rest =
            "metadata: {name: x}\nspec: {template: {spec: {containers: [{name: a, image: b}]}}}\n";
        for kind in [
            "kind: Deployment",
            "kind: 'Deployment'",
            "kind: \"Deployment\"\r",
            "kind: Deployment # by hand",
            "kind:\n  Deployment",
            "kind : Deployment",
            "\"kind\": Deployment",
            "'kind': Deployment",
            "? kind\n: Deployment",
            "kind: !!str Deployment",
            "kind: &kind Deployment",
            "kind: \"\\x44eployment\"\nother: Deployment",
        ] {
            let (workloads, _, unreadable) = read_one(&format!("{kind}\n{rest}"));
            assert_eq!(workloads.len(), 1, "{kind}");
            assert_eq!(unreadable, Vec::<String>::new(), "{kind}");
        }
        // Of no interest, whatever else they name.
        for other in [
            "kind: Secret\nstringData: {note: 'kind: Deployment'}",
            "kind: Secret # not a Deployment",
            "{\"kind\": \"ConfigMap\", \"data\": {\"kind\": \"Deployment\"}}",
            "{data: {note: 'a\n\nkind: Deployment\n\n'},\nkind: ConfigMap}",
            "data: Deployment",
        ] {
            let (workloads, claims, unreadable) = read_one(other);
            assert!(workloads.is_empty() && claims.is_empty(), "{other}");
            assert_eq!(unreadable, Vec::<String>::new(), "{other}");
        }
    }

    #[test]
    fn what_may_be_a_workload_and_cannot_be_read_is_told() {
        let (workloads, _, unreadable) = read_one("{\"kind\": \"Deployment\", \"metadata\": ");
        assert!(workloads.is_empty());
        assert_eq!(unreadable, ["document"]);
        let (_, _, unreadable) = read_one("{\"kind\": \"Deployment\", \"metadata\": []}");
        assert_eq!(unreadable, ["Deployment"]);
    }

    proptest! {
        #[test]
        fn a_workload_is_the_same_in_every_writing(
            kind in prop::sample::select(vec!["Deployment", "StatefulSet", "DaemonSet", "Job"]),
            name in "[a-z][a-z0-9]{0,8}",
            image in "[a-z]{1,8}(/[a-z]{1,8})?:[a-z][a-z0-9]{0,4}",
            policy in prop::option::of(prop::sample::select(vec!["Always", "IfNotPresent", "Never"])),
            replicas in prop::option::of(0_u32..9),
            kind_first in any::<bool>(),
        ) {
            let policy_line = policy.map_or_else(String::new, |policy| format!("          imagePullPolicy: {policy}\n"));
            let replicas_line = replicas.map_or_else(String::new, |replicas| format!("  replicas: {replicas}\n"));
            let (head, tail) = if kind_first { (format!("kind: {kind}\n"), String::new()) } else { (String::new(), format!("kind: {kind}\n")) };
            let block = format!(
                "{head}metadata:\n  name: {name}\nspec:\n{replicas_line}  template:\n    spec:\n      containers:\n        - name: main\n          image: {image}\n{policy_line}{tail}"
            );
            let mut container = json!({"name": "main", "image": image});
            if let Some(policy) = policy {
                container["imagePullPolicy"] = policy.into();
            }
            let mut object = json!({
                "apiVersion": "apps/v1",
                "kind": kind,
                "metadata": {"name": name},
                "spec": {"template": {"spec": {"containers": [container]}}},
            });
            if let Some(replicas) = replicas {
                object["spec"]["replicas"] = replicas.into();
            }
            let expected = read_one(&block);
            prop_assert_eq!((expected.0.len(), expected.2.len()), (1, 0));
            let compact = object.to_string();
            // The flow writing of YAML: a blank after each colon of a key, and no quotes around the words.
            let flow = compact.replace("\":", "\": ").replace("\"kind\"", "kind").replace(&format!("\"{kind}\""), kind);
            let indented = format!("  {}\n", block.trim_end().replace('\n', "\n  "));
            for writing in [compact, serde_json::to_string_pretty(&object).unwrap(), flow, indented] {
                prop_assert_eq!(&read_one(&writing), &expected, "{}", writing);
            }
        }
    }
}
