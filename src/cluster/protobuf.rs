//! The API server's own encoding, for release records: they are large, and here their bytes come as they are, without the base64 of JSON.
//!
//! The shapes are those of Kubernetes' `generated.proto` files; only the fields that are read stand here, and the others are passed over.

use bytes::Bytes;
use prost::Message;

/// The media type.
pub(super) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// What every message begins with (apimachinery's `serializer/protobuf`).
const MAGIC: &[u8] = b"k8s\0";

/// `k8s.io/apimachinery/pkg/runtime.Unknown`: the envelope.
#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(bytes = "bytes", tag = "2")]
    raw: Bytes,
}

/// `k8s.io/api/core/v1.Secret` and `ConfigMap`: both have their data in field 2, with keys and values of the same wire type.
#[derive(Clone, PartialEq, Message)]
struct Keyed {
    #[prost(message, repeated, tag = "2")]
    data: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

/// `k8s.io/apimachinery/pkg/apis/meta/v1.Status`: why a request failed.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
    /// The server's words.
    #[prost(string, tag = "3")]
    pub(super) message: String,
    /// The machine-readable reason.
    #[prost(string, tag = "4")]
    pub(super) reason: String,
    /// The HTTP status.
    #[prost(int32, tag = "6")]
    pub(super) code: i32,
}

/// The value of a key of a Secret or `ConfigMap`; `None` where the message is not one. An absent key is empty.
pub(super) fn value_of(message: &Bytes, key: &str) -> Option<Bytes> {
    let object: Keyed = open(message)?;
    let entry = object.data.into_iter().find(|entry| entry.key == key);
    Some(entry.map(|entry| entry.value).unwrap_or_default())
}

/// The `Status` that a refusal carries; `None` where the message is not one.
pub(super) fn status(message: &Bytes) -> Option<Status> {
    open(message)
}

fn open<T: Message + Default>(message: &Bytes) -> Option<T> {
    let after = message.strip_prefix(MAGIC)?;
    // Slices of one buffer: the payload is not copied.
    let envelope = Envelope::decode(message.slice_ref(after)).ok()?;
    T::decode(envelope.raw).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(object: &impl Message) -> Bytes {
        let raw = Bytes::from(object.encode_to_vec());
        let mut bytes = MAGIC.to_vec();
        bytes.extend(Envelope { raw }.encode_to_vec());
        Bytes::from(bytes)
    }

    fn secret() -> Keyed {
        let entry = |key: &str, value: &'static [u8]| Entry {
            key: key.to_owned(),
            value: Bytes::from_static(value),
        };
        Keyed {
            data: vec![entry("other", b"no"), entry("release", b"H4sI")],
        }
    }

    #[test]
    fn a_key_is_found_and_an_absent_one_is_empty() {
        let message = envelope(&secret());
        assert_eq!(value_of(&message, "release").unwrap(), "H4sI");
        assert_eq!(value_of(&message, "absent").unwrap(), "");
    }

    #[test]
    fn what_is_no_message_is_told() {
        let message = envelope(&secret());
        for cut in 0..message.len() {
            let short = message.slice(..cut);
            // An envelope may end between two fields; then there is no data, never wrong data.
            if let Some(value) = value_of(&short, "release") {
                assert_eq!(value, "");
            }
        }
        assert_eq!(
            value_of(&Bytes::from_static(b"{\"kind\":\"Secret\"}"), "release"),
            None
        );
    }

    #[test]
    fn a_refusal_is_read() {
        let refusal = Status {
            message: "secrets is forbidden".to_owned(),
            reason: "Forbidden".to_owned(),
            code: 403,
        };
        assert_eq!(status(&envelope(&refusal)), Some(refusal));
    }

    #[test]
    fn fuzzed() {
        let (secret, refusal) = (envelope(&secret()), envelope(&Status::default()));
        let samples: [&[u8]; 2] = [&secret, &refusal];
        let words = ["k8s\0", "release", "\u{12}", "\n\u{7}"];
        tracebloc_fuzz::fuzz("protobuf", &samples, &words, |bytes| {
            let bytes = Bytes::copy_from_slice(bytes);
            if let Some(value) = value_of(&bytes, "release") {
                assert!(value.len() < bytes.len());
            }
            let _status = status(&bytes);
        });
    }
}
