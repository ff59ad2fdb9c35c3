//! The bytes of a release record, unpacked and typed.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::bufread::GzDecoder;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::manifest;
use super::{ApplyMethod, ChartMetadata, KnownBy, Release, ReleaseStatus, RevisionHead, Values};
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
            known_by: KnownBy::Record,
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
            bindings: contents.bindings,
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
mod tests;
