//! The bytes of a release record, unpacked and typed.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::bufread::GzDecoder;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::manifest;
use super::{ApplyMethod, ChartMetadata, Release, ReleaseStatus, RevisionHead, Values};
use crate::name::{ChartName, NameError, Namespace, ReleaseId, ReleaseName};
use crate::version::Version;

/// The most bytes a payload may inflate to. A Secret holds 1 MiB, real releases inflate to a few MiB; a gzip bomb stops here.
pub const INFLATED_LIMIT: u64 = 64 * 1024 * 1024;

/// What a [`Scratch`] keeps of its memory: more than a record of the usual size takes.
const SCRATCH_LIMIT: usize = 4 * 1024 * 1024;

/// The first bytes of a gzip stream; a payload without them is plain JSON, as very old Helm 3 wrote it.
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];

/// Why a release record cannot be read. No variant carries any of the record's content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The record is not base64.
    #[error("the record is not base64")]
    Base64,
    /// The gzip stream is damaged or cut short.
    #[error("the record's gzip stream is damaged or cut short")]
    Gzip,
    /// The gzip stream is larger than any release.
    #[error("the record inflates to more than {limit} bytes")]
    TooLarge {
        /// [`INFLATED_LIMIT`].
        limit: u64,
    },
    /// The JSON is malformed, or is not a release.
    #[error("the record is not a Helm release: {reason} at line {line}, column {column}")]
    Json {
        /// What kind of fault.
        reason: &'static str,
        /// Line of the fault, counted from 1.
        line: usize,
        /// Column of the fault, counted from 1.
        column: usize,
    },
    /// A name in the record is not one.
    #[error("the record names something impossible")]
    Name(#[from] NameError),
}

#[derive(Deserialize)]
struct Record {
    name: String,
    namespace: String,
    version: u32,
    #[serde(default)]
    manifest: String,
    #[serde(default)]
    config: Option<Value>,
    #[serde(default)]
    info: Info,
    chart: Chart,
    #[serde(default)]
    apply_method: String,
}

#[derive(Deserialize, Default)]
struct Info {
    #[serde(default)]
    status: String,
    #[serde(default)]
    description: String,
    #[serde(default, deserialize_with = "lenient_time")]
    first_deployed: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient_time")]
    last_deployed: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Chart {
    metadata: Metadata,
    #[serde(default)]
    values: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    app_version: Option<String>,
}

/// Helm 3 writes a zero time as `""`, Helm 4 leaves it out, and both may write the year 1 (FACTS 5.2): all of these are no time.
fn lenient_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    Ok(text
        .and_then(|text| text.parse::<Timestamp>().ok())
        .filter(|time| time.as_second() > 0))
}

/// Room in which records are unpacked, to be used again for the next one: memory that is given back and asked for anew costs more than the
/// parse. It holds values of the last record, so that it cannot be printed.
#[derive(Default)]
pub struct Scratch {
    packed: Vec<u8>,
    json: Vec<u8>,
}

impl Scratch {
    /// Gives back what an unusually large record took.
    fn shrink(&mut self) {
        self.packed.clear();
        self.json.clear();
        self.packed.shrink_to(SCRATCH_LIMIT);
        self.json.shrink_to(SCRATCH_LIMIT);
    }
}

impl Release {
    /// Decodes the value of the key `release` of a release Secret or `ConfigMap`: for a Secret after the base64 of its `data` is undone,
    /// for a `ConfigMap` as it stands.
    pub fn decode(record: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_in(record, &mut Scratch::default())
    }

    /// As [`Release::decode`], for one of many.
    pub fn decode_in(record: &[u8], scratch: &mut Scratch) -> Result<Self, DecodeError> {
        let release = inflate(record, scratch).and_then(Self::read);
        scratch.shrink();
        release
    }

    fn read(json: &[u8]) -> Result<Self, DecodeError> {
        let record: Record = serde_json::from_slice(json).map_err(|error| json_error(&error))?;
        let namespace = Namespace::parse(&record.namespace)?;
        let contents = manifest::parse(&record.manifest, &namespace);
        let values = Values::new(record.config, record.chart.values);
        Ok(Self {
            head: RevisionHead {
                id: ReleaseId {
                    namespace,
                    name: ReleaseName::parse(&record.name)?,
                },
                revision: record.version,
                status: ReleaseStatus::parse(&record.info.status),
            },
            chart: ChartMetadata {
                name: ChartName::parse(&record.chart.metadata.name)?,
                version: Version::parse(&record.chart.metadata.version).ok(),
                version_text: record.chart.metadata.version,
                app_version: record.chart.metadata.app_version,
            },
            first_deployed: record.info.first_deployed,
            last_deployed: record.info.last_deployed,
            description: values.conceal(&record.info.description),
            apply_method: if record.apply_method == "ssa" {
                ApplyMethod::ServerSide
            } else {
                ApplyMethod::ClientSide
            },
            workloads: contents.workloads,
            claims: contents.claims,
            unreadable: contents.unreadable,
            values,
        })
    }
}

fn inflate<'scratch>(
    record: &[u8],
    scratch: &'scratch mut Scratch,
) -> Result<&'scratch [u8], DecodeError> {
    let Scratch { packed, json } = scratch;
    packed.clear();
    STANDARD
        .decode_vec(record.trim_ascii(), packed)
        .map_err(|_| DecodeError::Base64)?;
    if !packed.starts_with(&GZIP_MAGIC) {
        return Ok(packed);
    }
    json.clear();
    json.reserve(claimed_length(packed));
    GzDecoder::new(packed.as_slice())
        .take(INFLATED_LIMIT + 1)
        .read_to_end(json)
        .map_err(|_| DecodeError::Gzip)?;
    if json.len() as u64 > INFLATED_LIMIT {
        return Err(DecodeError::TooLarge {
            limit: INFLATED_LIMIT,
        });
    }
    Ok(json)
}

/// The length that a gzip stream's last four bytes claim (RFC 1952 §2.3.1), and a byte more to see the end in. A claim beyond what deflate can do
/// is not believed.
fn claimed_length(packed: &[u8]) -> usize {
    const MOST_PER_BYTE: usize = 1032;
    let claimed = packed
        .last_chunk()
        .map_or(0, |bytes| u32::from_le_bytes(*bytes));
    let believable = packed.len().saturating_mul(MOST_PER_BYTE);
    let limit = usize::try_from(INFLATED_LIMIT).unwrap_or(usize::MAX);
    usize::try_from(claimed)
        .unwrap_or(usize::MAX)
        .min(believable)
        .min(limit)
        .saturating_add(1)
}

/// The place and the kind of a JSON fault; serde's own message may quote the record.
fn json_error(error: &serde_json::Error) -> DecodeError {
    use serde_json::error::Category;
    DecodeError::Json {
        reason: match error.classify() {
            Category::Io => "unreadable",
            Category::Syntax => "malformed JSON",
            Category::Data => "a field is missing or of the wrong type",
            Category::Eof => "the JSON ends too early",
        },
        line: error.line(),
        column: error.column(),
    }
}

#[cfg(test)]
mod tests {
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
                        // What was decoded is what the record says of itself.
                        assert!(serde_json::from_slice::<Value>(json).is_ok());
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
}
