use super::*;
use serde_json::json;

fn edit_of(manager: &str, fields: &Value) -> Option<Edit> {
    let entry = json!({
        "manager": manager, "operation": "Update", "apiVersion": "apps/v1",
        "time": "2026-08-21T10:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields,
    });
    serde_json::from_value::<ManagedField>(entry)
        .unwrap()
        .edit()
}

fn words(edit: Option<Edit>) -> Vec<String> {
    edit.into_iter()
        .flat_map(|edit| edit.parts)
        .map(|part| part.to_string())
        .collect()
}

#[test]
fn what_kubectl_wrote_is_told_by_its_parts() {
    let set = json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {
        "k:{\"name\":\"api\"}": {
            "f:image": {},
            "f:env": {"k:{\"name\":\"INGESTOR_IMAGE_DIGEST\"}": {".": {}, "f:name": {}, "f:value": {}}},
        },
        "k:{\"name\":\"proxy\"}": {"f:resources": {"f:limits": {}}},
    }}}}});
    let edit = edit_of("kubectl-set", &set);
    assert_eq!(
        edit.as_ref().unwrap().at,
        "2026-08-21T10:00:00Z".parse().ok()
    );
    assert_eq!(
        words(edit),
        [
            "the image of api",
            "INGESTOR_IMAGE_DIGEST of api",
            "the container proxy"
        ]
    );
    let restart = json!({"f:spec": {"f:template": {"f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/restartedAt": {}}}}}});
    assert_eq!(
        words(edit_of("kubectl-rollout", &restart)),
        ["the mark of a restart"]
    );
    let patch = json!({"f:spec": {"f:suspend": {}, "f:schedule": {}}, "f:metadata": {"f:annotations": {"f:tracebloc.io/refresh-attempt": {}}, "f:labels": {"f:x": {}}}});
    assert_eq!(
        words(edit_of("kubectl-patch", &patch)),
        [
            "the suspension",
            "the schedule",
            "the annotation tracebloc.io/refresh-attempt",
            "labels"
        ]
    );
    let template = json!({"f:spec": {"f:replicas": {}, "f:minReadySeconds": {}, "f:template": {"f:spec": {"f:nodeSelector": {}}}}});
    assert_eq!(
        words(edit_of("kubectl-edit", &template)),
        [
            "the number of replicas",
            "the pod template",
            "the specification"
        ]
    );
}

#[test]
fn helm_is_known_by_what_it_writes_whatever_its_name() {
    let fields = json!({"f:metadata": {"f:annotations": {"f:meta.helm.sh/release-name": {}}}, "f:spec": {"f:replicas": {}}});
    assert_eq!(edit_of("package-manager", &fields), None);
    assert_eq!(
        edit_of("helm", &json!({"f:spec": {"f:replicas": {}}})),
        None
    );
    assert_eq!(
        edit_of("kubectl-edit", &json!({"f:status": {"f:replicas": {}}})),
        None
    );
}

#[test]
fn entries_without_fields_or_time_are_read() {
    for entry in [
        json!({"manager": "x"}),
        json!({"manager": "x", "fieldsV1": null}),
        json!({"manager": "x", "fieldsV1": {"f:spec": {"f:template": []}}}),
    ] {
        let entry: ManagedField = serde_json::from_value(entry).unwrap();
        assert_eq!(entry.edit(), None);
    }
    let entry = json!({"fieldsV1": {"f:spec": {"f:replicas": {}}}, "manager": "k9s", "time": null, "subresource": "scale"});
    let edit = serde_json::from_value::<ManagedField>(entry)
        .unwrap()
        .edit();
    assert_eq!(words(edit), ["the number of replicas"]);
}

#[test]
fn fuzzed() {
    let entry = json!({"manager": "kubectl-set", "time": "2026-08-21T10:00:00Z", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {
        "k:{\"name\":\"api\"}": {"f:image": {}, "f:env": {"k:{\"name\":\"A\"}": {".": {}}}},
    }}}}}})
    .to_string();
    let samples: [&[u8]; 1] = [entry.as_bytes()];
    let words = [
        "f:spec",
        "f:annotations",
        "null",
        "[]",
        "k:{\"name\":\"",
        "v:",
        "\u{0}",
    ];
    tracebloc_fuzz::fuzz("managed fields", &samples, &words, |bytes| {
        if let Ok(field) = serde_json::from_slice::<ManagedField>(bytes) {
            let edit = field.edit();
            assert!(edit.is_none_or(|edit| !edit.parts.is_empty()));
        }
    });
}
