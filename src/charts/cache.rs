//! Copies of chart indexes, so that an unchanged one costs a question and no download.
//!
//! A copy is one file, written aside and renamed, so that concurrent runs see a whole one or none: a line of JSON, then the index as it came.
//! A copy that cannot be read or written is no copy; the answer does not depend on it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The directory of the copies.
#[derive(Debug, Clone)]
pub(crate) struct IndexCache {
    directory: PathBuf,
}

/// An index as it was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    pub(crate) body: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    url: String,
    etag: Option<String>,
    last_modified: Option<String>,
    /// Guards against a file that was cut short.
    length: usize,
}

impl IndexCache {
    /// The copies below a cache directory.
    pub(crate) fn below(cache: &Path) -> Self {
        Self {
            directory: cache.join("indexes"),
        }
    }

    /// The copy of a repository's index.
    pub(crate) fn read(&self, url: &str) -> Option<Kept> {
        let mut bytes = fs::read(self.path(url)).ok()?;
        let line_end = bytes.iter().position(|byte| *byte == b'\n')?;
        let header: Header = serde_json::from_slice(&bytes[..line_end]).ok()?;
        let body = bytes.split_off(line_end + 1);
        (header.url == url && header.length == body.len()).then_some(Kept {
            etag: header.etag,
            last_modified: header.last_modified,
            body,
        })
    }

    /// Keeps a copy, where the server gave something to ask about it with.
    pub(crate) fn keep(
        &self,
        url: &str,
        etag: Option<String>,
        last_modified: Option<String>,
        body: &[u8],
    ) {
        if etag.is_none() && last_modified.is_none() {
            return;
        }
        let header = Header {
            url: url.to_owned(),
            etag,
            last_modified,
            length: body.len(),
        };
        // A full disk or a read-only home must not fail the answer.
        let _not_kept = self.write(url, &header, body);
    }

    fn write(&self, url: &str, header: &Header, body: &[u8]) -> std::io::Result<()> {
        fs::create_dir_all(&self.directory)?;
        let path = self.path(url);
        let aside = path.with_extension(format!("{}.part", std::process::id()));
        let mut file = private(&aside)?;
        let outcome = serde_json::to_writer(&mut file, header)
            .map_err(std::io::Error::from)
            .and_then(|()| file.write_all(b"\n"))
            .and_then(|()| file.write_all(body))
            .and_then(|()| fs::rename(&aside, &path));
        if outcome.is_err() {
            let _already_gone = fs::remove_file(&aside);
        }
        outcome
    }

    fn path(&self, url: &str) -> PathBuf {
        use std::fmt::Write as _;
        let mut name = String::with_capacity(70);
        for byte in Sha256::digest(url.as_bytes()) {
            let _infallible = write!(name, "{byte:02x}");
        }
        self.directory.join(name + ".index")
    }
}

/// A new file that only its owner may read.
fn private(path: &Path) -> std::io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(name: &str) -> (IndexCache, PathBuf) {
        let directory = std::env::temp_dir().join(format!(
            "tracebloc-index-cache-{name}-{}",
            std::process::id()
        ));
        (IndexCache::below(&directory), directory)
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let (cache, directory) = cache("round-trip");
        cache.keep("https://a", Some("\"1\"".into()), None, b"entries:\n");
        assert_eq!(cache.read("https://b"), None);
        let kept = cache.read("https://a").unwrap();
        assert_eq!(
            (kept.etag.as_deref(), kept.body.as_slice()),
            (Some("\"1\""), b"entries:\n".as_slice())
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(cache.path("https://a"))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_damaged_copy_is_none() {
        let (cache, directory) = cache("damaged");
        cache.keep("https://a", Some("1".into()), None, b"0123456789");
        let path = cache.path("https://a");
        let whole = fs::read(&path).unwrap();
        for cut in [0, 5, whole.len() - 1] {
            fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(cache.read("https://a"), None, "{cut}");
        }
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn nothing_is_kept_that_cannot_be_asked_about() {
        let (cache, directory) = cache("bare");
        cache.keep("https://a", None, None, b"x");
        assert_eq!(cache.read("https://a"), None);
        assert!(!directory.exists());
    }
}
