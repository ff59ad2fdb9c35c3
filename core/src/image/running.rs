//! What a container runs, as its runtime reports it in `status.containerStatuses[].imageID`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::digest::is_lower_hex;
use super::{Digest, ImageError};

/// What the digest of a running image is a digest of, as far as its form tells.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum RunningKind {
    /// Of an index or a manifest in a repository: it can be asked for there.
    Repository,
    /// Of the image's configuration (images loaded from an archive, image identifiers of some runtimes): no registry resolves it as a manifest.
    Config,
}

/// The content that a container runs.
///
/// Only the digest counts. The repository beside it may be another one with the same content (Kubernetes #95385), so it is not kept.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct RunningImage {
    /// The digest.
    pub digest: Digest,
    /// What it is a digest of.
    pub kind: RunningKind,
}

impl RunningImage {
    /// Reads an `imageID`: `docker-pullable://repository@digest`, `docker://digest`, `repository@digest`, `digest`, or 64 hexadecimal
    /// digits (CRI-O). `None` for an empty one: the runtime has not started the container yet.
    pub fn parse(image_id: &str) -> Result<Option<Self>, ImageError> {
        let text = image_id.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let no_content = || ImageError::NoContent {
            text: image_id.to_owned(),
        };
        let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
        let (digest, kind) = match bare.rsplit_once('@') {
            Some((_, digest)) => (Digest::parse(digest), RunningKind::Repository),
            None if is_lower_hex(bare, 64) => (
                Digest::parse(&format!("sha256:{bare}")),
                RunningKind::Config,
            ),
            None => (Digest::parse(bare), RunningKind::Config),
        };
        let digest = digest.map_err(|_| no_content())?;
        Ok(Some(Self { digest, kind }))
    }
}

impl fmt::Display for RunningImage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digest.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn every_runtime_is_understood() {
        for (prefix, kind) in [
            (
                "docker-pullable://ghcr.io/a/b@sha256:",
                RunningKind::Repository,
            ),
            (
                "docker-pullable://localhost:5000/a/b@sha256:",
                RunningKind::Repository,
            ),
            ("docker://sha256:", RunningKind::Config),
            ("docker.io/library/mysql@sha256:", RunningKind::Repository),
            ("127.0.0.1:5000/x:prod@sha256:", RunningKind::Repository),
            ("sha256:", RunningKind::Config),
            ("", RunningKind::Config),
        ] {
            let running = RunningImage::parse(&format!("{prefix}{HEX}"))
                .expect(prefix)
                .expect("not empty");
            assert_eq!(running.kind, kind, "{prefix}");
            assert_eq!(running.digest.hex(), HEX, "{prefix}");
        }
        assert_eq!(RunningImage::parse(""), Ok(None));
        assert_eq!(RunningImage::parse("  "), Ok(None));
    }

    #[test]
    fn a_text_without_a_digest_is_an_error_and_not_an_absence() {
        for text in [
            "mysql:8.4",
            "docker.io/library/mysql:8.4",
            "docker://",
            "a@",
            "a@sha256:1",
            "docker://mysql@latest",
            &HEX[1..],
        ] {
            assert!(RunningImage::parse(text).is_err(), "`{text}`");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,90}") {
            let _outcome = RunningImage::parse(&text);
        }
    }
}
