//! Content digests, `algorithm:hex`, as the OCI image specification defines them.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ImageError;

/// How many hexadecimal digits the short form of a digest keeps: as many as Docker shows.
const SHORT_LENGTH: usize = 12;

/// A hash algorithm that the OCI specification registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, which every registry uses.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// The name in front of the colon.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn hex_length(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

/// The digest of some content: two digests are equal exactly where the content is.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

/// True for exactly `length` lower-case hexadecimal digits.
pub(super) fn is_lower_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Digest {
    /// Reads `sha256:` with 64 or `sha512:` with 128 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        let malformed = || ImageError::Digest {
            text: text.to_owned(),
        };
        let (name, hex) = text.split_once(':').ok_or_else(malformed)?;
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            _ => return Err(malformed()),
        };
        if !is_lower_hex(hex, algorithm.hex_length()) {
            return Err(malformed());
        }
        Ok(Self {
            algorithm,
            hex: hex.to_owned(),
        })
    }

    /// The digest whose 32 SHA-256 bytes are given.
    pub fn from_sha256(bytes: &[u8; 32]) -> Self {
        Self {
            algorithm: Algorithm::Sha256,
            hex: hex_of(bytes),
        }
    }

    /// The digest whose 64 SHA-512 bytes are given.
    pub fn from_sha512(bytes: &[u8; 64]) -> Self {
        Self {
            algorithm: Algorithm::Sha512,
            hex: hex_of(bytes),
        }
    }

    /// The hash algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hexadecimal digits, without the algorithm.
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// The algorithm and the first 12 digits: enough to tell digests apart by eye, never to compare them.
    pub fn short(&self) -> String {
        format!("{}:{}", self.algorithm.as_str(), &self.hex[..SHORT_LENGTH])
    }
}

fn hex_of(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| {
            [
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]
        })
        .map(char::from)
        .collect()
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.algorithm.as_str(), self.hex)
    }
}

impl FromStr for Digest {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Digest {
    type Error = ImageError;

    fn try_from(text: String) -> Result<Self, ImageError> {
        Self::parse(&text)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_algorithms_of_the_right_length_are_digests() {
        let hex = "0123456789abcdef".repeat(4);
        let sha256 = format!("sha256:{hex}");
        let sha512 = format!("sha512:{hex}{hex}");
        for text in [&sha256, &sha512] {
            let digest = Digest::parse(text).expect(text);
            assert_eq!(&digest.to_string(), text);
            assert_eq!(digest.short(), text[..19]);
        }
        for text in [
            "",
            "sha256",
            "sha256:",
            &hex,
            &sha256[..70],
            &format!("{sha256}0"),
            &format!("sha256:{}", hex.to_uppercase()),
            &format!("SHA256:{hex}"),
            &format!("sha512:{hex}"),
            &format!("sha1:{}", &hex[..40]),
            &format!(" {sha256}"),
        ] {
            assert!(Digest::parse(text).is_err(), "`{text}`");
        }
    }

    #[test]
    fn bytes_become_digits() {
        let mut bytes = [0; 32];
        bytes[0] = 0xab;
        bytes[31] = 0x09;
        let digest = Digest::from_sha256(&bytes);
        assert_eq!(digest.to_string(), format!("sha256:ab{}09", "0".repeat(60)));
        assert_eq!(Digest::parse(&digest.to_string()), Ok(digest));
        let longer = Digest::from_sha512(&[0xff; 64]);
        assert_eq!(Digest::parse(&longer.to_string()), Ok(longer));
    }

    #[test]
    fn json_holds_a_digest_as_text_and_refuses_another_text() {
        let text = format!("\"sha256:{}\"", "a".repeat(64));
        let digest: Digest = serde_json::from_str(&text).expect("a digest");
        assert_eq!(serde_json::to_string(&digest).expect("text"), text);
        assert!(serde_json::from_str::<Digest>("\"sha256:a\"").is_err());
    }
}
