//! Records of releases, whole and damaged.

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::json;
use std::io::Write as _;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn record() -> Value {
    json!({
        "name": "edge", "namespace": "tracebloc", "version": 3,
        "info": {"status": "deployed", "first_deployed": "2026-03-04T10:00:00.123456789Z", "last_deployed": "2026-08-12T10:00:00Z", "deleted": ""},
        "chart": {"metadata": {"name": "client", "version": "1.9.34", "appVersion": "1.9.34"}, "values": {"env": {"CLIENT_ENV": ""}}, "templates": []},
        "config": {"clientPassword": "hunter2", "env": {"CLIENT_ENV": "stg"}},
        "manifest": "---\n# Source: client/templates/x.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: edge-jobs-manager\nspec:\n  template:\n    spec:\n      containers:\n        - name: api\n          image: docker.io/tracebloc/jobs-manager:prod\n          imagePullPolicy: Always\n"
    })
}

fn encode(value: &Value) -> Vec<u8> {
    STANDARD
        .encode(gzip(value.to_string().as_bytes()))
        .into_bytes()
}

#[test]
fn a_record_becomes_facts() {
    let release = Release::decode(&encode(&record())).unwrap();
    assert_eq!(release.head.id.to_string(), "tracebloc/edge");
    assert_eq!(release.head.revision, 3);
    assert_eq!(release.head.status, ReleaseStatus::Deployed);
    assert_eq!(release.chart.version_text, "1.9.34");
    assert_eq!(release.workloads.len(), 1);
    assert_eq!(release.workloads[0].containers[0].name, "api");
    assert_eq!(release.apply_method, ApplyMethod::ClientSide);
    assert_eq!(
        release.first_deployed.unwrap().to_string(),
        "2026-03-04T10:00:00.123456789Z"
    );
}

#[test]
fn plain_json_of_old_helm_is_read() {
    let record = STANDARD.encode(record().to_string());
    assert!(Release::decode(record.as_bytes()).is_ok());
}

#[test]
fn zero_times_are_no_time() {
    for zero in [json!(""), json!(null), json!("0001-01-01T00:00:00Z")] {
        let mut value = record();
        value["info"]["last_deployed"] = zero;
        assert_eq!(
            Release::decode(&encode(&value)).unwrap().last_deployed,
            None
        );
    }
}

type Expected = fn(&DecodeError) -> bool;

#[test]
fn damage_is_told_apart_and_says_nothing_secret() {
    let good = encode(&record());
    let cases: [(Vec<u8>, Expected); 5] = [
        (b"%%%".to_vec(), |error| {
            matches!(error, DecodeError::Base64)
        }),
        (
            STANDARD
                .encode(&gzip(record().to_string().as_bytes())[..200])
                .into_bytes(),
            |error| matches!(error, DecodeError::Gzip),
        ),
        (
            STANDARD
                .encode(gzip(b"{\"clientPassword\": \"hunter2\""))
                .into_bytes(),
            |error| matches!(error, DecodeError::Json { .. }),
        ),
        (
            STANDARD
                .encode(gzip(b"{\"name\": [\"hunter2\"]}"))
                .into_bytes(),
            |error| matches!(error, DecodeError::Json { .. }),
        ),
        (STANDARD.encode(gzip(b"")).into_bytes(), |error| {
            matches!(error, DecodeError::Json { .. })
        }),
    ];
    assert!(Release::decode(&good).is_ok());
    for (bytes, expected) in cases {
        let error = Release::decode(&bytes).unwrap_err();
        assert!(expected(&error), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }
}

#[test]
fn a_gzip_bomb_stops_at_the_limit() {
    let zeros = vec![b' '; usize::try_from(INFLATED_LIMIT).unwrap() + 10];
    let bomb = STANDARD.encode(gzip(&zeros));
    assert!(bomb.len() < 200_000);
    assert_eq!(
        Release::decode(bomb.as_bytes()).unwrap_err(),
        DecodeError::TooLarge {
            limit: INFLATED_LIMIT
        }
    );
}

#[test]
fn what_is_left_of_a_record_is_no_part_of_the_next() {
    let mut scratch = Scratch::default();
    let long = {
        let mut value = record();
        value["chart"]["templates"] = json!(["x".repeat(100_000)]);
        encode(&value)
    };
    let plain = STANDARD.encode(record().to_string()).into_bytes();
    for bytes in [&long, &encode(&record()), &plain, &b"%%%".to_vec(), &long] {
        let alone = Release::decode(bytes);
        assert_eq!(Release::decode_in(bytes, &mut scratch), alone);
    }
    assert!(scratch.packed.is_empty() && scratch.json.is_empty());
    scratch.json.reserve(2 * SCRATCH_LIMIT);
    assert!(Release::decode_in(&long, &mut scratch).is_ok());
    assert!(scratch.json.capacity() <= SCRATCH_LIMIT);
}

#[test]
fn debug_output_hides_values() {
    let release = Release::decode(&encode(&record())).unwrap();
    assert!(!format!("{release:?}").contains("hunter2"));
    assert!(!serde_json::to_string(&release).unwrap().contains("hunter2"));
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _outcome = Release::decode(&bytes);
        let _outcome = Release::decode(STANDARD.encode(&bytes).as_bytes());
        let _outcome = Release::decode(STANDARD.encode(gzip(&bytes)).as_bytes());
    }

    #[test]
    fn a_truncated_record_is_never_a_release(cut in 1usize..400) {
        let whole = encode(&record());
        let cut = cut.min(whole.len() - 1);
        prop_assert!(Release::decode(&whole[..whole.len() - cut]).is_err());
    }
}

#[test]
fn fuzzed_records() {
    let record = record().to_string();
    let nested = record.replace("\"values\":{", "\"values\":{\"a\":[[[[{\"b\":[]}]]]],");
    let samples: [&[u8]; 2] = [record.as_bytes(), nested.as_bytes()];
    let words = [
        "[",
        "{\"a\":",
        "\\u0000",
        "\\ud800",
        "\"manifest\"",
        "\"config\"",
        "null",
    ];
    tracebloc_fuzz::fuzz("records", &samples, &words, |json| {
        for record in [STANDARD.encode(gzip(json)), STANDARD.encode(json)] {
            match Release::decode(record.as_bytes()) {
                Ok(release) => {
                    // What is skipped is read for its shape only: half a surrogate pair there is no fault.
                    assert!(serde_json::from_slice::<serde::de::IgnoredAny>(json).is_ok());
                    let _shown = format!("{release:?}");
                }
                Err(error) => assert!(!error.to_string().contains("hunter2"), "{error}"),
            }
        }
    });
}

#[test]
fn fuzzed_streams() {
    let (gzip, plain) = (encode(&record()), STANDARD.encode(record().to_string()));
    let unpacked = STANDARD.decode(&gzip).unwrap();
    let samples: [&[u8]; 3] = [&gzip, plain.as_bytes(), &unpacked];
    tracebloc_fuzz::fuzz("streams", &samples, &["H4sIA", "==", "AAAA"], |bytes| {
        let _outcome = Release::decode(bytes);
        let _outcome = Release::decode(STANDARD.encode(bytes).as_bytes());
    });
}

#[test]
fn fuzzed_manifests() {
    let value = record();
    let manifest = value["manifest"].as_str().unwrap().to_owned();
    let more = "---\nkind: CronJob\napiVersion: batch/v1\nmetadata: {name: c, annotations: {helm.sh/resource-policy: keep}}\nspec:\n  schedule: '*/5 * * * *'\n  jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: 'x@y'}]}}}}\n---\nkind: List\nitems:\n- kind: PersistentVolumeClaim\n  metadata: {name: d}\n";
    let samples: [&[u8]; 2] = [manifest.as_bytes(), more.as_bytes()];
    let words = [
        "---\n",
        "kind: Deployment\n",
        "&a [*a]",
        "- ",
        "  ",
        "!!binary ",
        "? ",
        "image: ",
    ];
    let value = std::cell::RefCell::new(value);
    tracebloc_fuzz::fuzz("manifests", &samples, &words, |manifest| {
        let mut value = value.borrow_mut();
        value["manifest"] = String::from_utf8_lossy(manifest).into_owned().into();
        // One object that cannot be read makes no release unreadable.
        assert!(Release::decode(&encode(&value)).is_ok());
    });
}
