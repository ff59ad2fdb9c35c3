//! What is kept in the user's cache directory: copies of indexes and of lists of tags, so that an unchanged one costs a question and no
//! download; what was listed before, so that a list that shrinks is noticed; and manifests and configurations in registries, which never
//! change under their digest.
//!
//! Each is one file, written aside and renamed, so that concurrent runs see a whole one or none. What cannot be read or written is not kept;
//! the answer does not depend on it. All together they take no more than [`LIMIT`]: the least recently used go first.
//!
//! What a tag points to is never kept, and of a list nothing that its server cannot be asked about: a list that is only so old may lack the
//! newest version.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The most bytes of all files together.
const LIMIT: u64 = 64 * 1024 * 1024;

/// The most files: to count them takes time, and a manifest is small.
const FILES_LIMIT: usize = 8192;

/// The limit is looked after once this part of it was written, and at the first writing of a run.
const TRIM_PART: u64 = 16;

/// The most bytes of one file: a larger one would push out all others.
const FILE_LIMIT: usize = 32 * 1024 * 1024;

/// After this long nobody writes a file that is still aside: its writer was killed.
const ABANDONED: Duration = Duration::from_secs(3600);

/// How the name of a file ends that is being written.
const ASIDE: &str = "part";

/// Makes names of files that are written aside unique within the process.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// What is kept: each kind has a directory of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Copies of indexes, by URL.
    Index,
    /// What was listed before, by URL and chart.
    History,
    /// Configurations of charts, by digest.
    Config,
    /// Manifests of images and charts, by digest.
    Manifest,
    /// Pages of lists of tags, by URL.
    Tags,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Index,
        Self::History,
        Self::Config,
        Self::Manifest,
        Self::Tags,
    ];

    fn directory(self) -> &'static str {
        match self {
            Self::Index => "indexes",
            Self::History => "histories",
            Self::Config => "configs",
            Self::Manifest => "manifests",
            Self::Tags => "tags",
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::History => "history",
            Self::Config => "config",
            Self::Manifest => "manifest",
            Self::Tags => "tags",
        }
    }
}

/// The cache of one user.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    directory: PathBuf,
    limit: u64,
    now: SystemTime,
    /// Bytes written since the limit was last looked after; none before the first time.
    written: Arc<Mutex<Option<u64>>>,
}

/// What a server gave to ask with whether its answer is still the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Validators {
    /// Its `ETag`.
    pub(crate) etag: Option<String>,
    /// Its `Last-Modified`.
    pub(crate) last_modified: Option<String>,
}

impl Validators {
    /// True where there is nothing to ask with.
    fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// An answer as it was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) validators: Validators,
    /// The charts that an index was shortened to; `None` where it is whole.
    pub(crate) charts: Option<Vec<String>>,
    pub(crate) body: Vec<u8>,
}

impl Kept {
    /// Whether it answers for this chart.
    pub(crate) fn covers(&self, chart: &str) -> bool {
        self.charts
            .as_ref()
            .is_none_or(|charts| charts.iter().any(|kept| kept == chart))
    }
}

/// What was removed from the cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cleared {
    /// How many files.
    pub(crate) files: u64,
    /// How many bytes they had.
    pub(crate) bytes: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    url: String,
    #[serde(flatten)]
    validators: Validators,
    #[serde(default)]
    charts: Option<Vec<String>>,
    /// Guards against a file that was cut short.
    length: usize,
}

/// A file of the cache.
struct File {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
    is_aside: bool,
}

impl Cache {
    /// The cache in a directory, which need not exist.
    pub(crate) fn at(directory: &Path, now: Timestamp) -> Self {
        Self {
            directory: directory.to_owned(),
            limit: LIMIT,
            now: now.into(),
            written: Arc::default(),
        }
    }

    /// The copy of an answer.
    pub(crate) fn copy(&self, kind: Kind, url: &str) -> Option<Kept> {
        let mut bytes = self.read(kind, url)?;
        let line_end = bytes.iter().position(|byte| *byte == b'\n')?;
        let header: Header = serde_json::from_slice(&bytes[..line_end]).ok()?;
        let body = bytes.split_off(line_end + 1);
        (header.url == url && header.length == body.len()).then_some(Kept {
            validators: header.validators,
            charts: header.charts,
            body,
        })
    }

    /// Keeps a copy of an answer, where the server gave something to ask about it with.
    pub(crate) fn keep_copy(&self, kind: Kind, url: &str, kept: Kept) {
        let Kept {
            validators,
            charts,
            body,
        } = kept;
        if validators.is_empty() {
            return;
        }
        let header = Header {
            url: url.to_owned(),
            validators,
            charts,
            length: body.len(),
        };
        if let Ok(mut bytes) = serde_json::to_vec(&header) {
            bytes.push(b'\n');
            bytes.extend_from_slice(&body);
            self.keep(kind, url, &bytes);
        }
    }

    /// What is kept under a key.
    pub(crate) fn read(&self, kind: Kind, key: &str) -> Option<Vec<u8>> {
        let path = self.path(kind, key);
        let bytes = fs::read(&path).ok()?;
        // Where the time of use cannot be written, the file only goes earlier.
        let _unmarked = fs::File::open(&path).and_then(|file| file.set_modified(self.now));
        Some(bytes)
    }

    /// Keeps bytes under a key. A full disk or a read-only home must not fail the answer.
    pub(crate) fn keep(&self, kind: Kind, key: &str, bytes: &[u8]) {
        if bytes.len() > FILE_LIMIT {
            return;
        }
        let _not_kept = self.write(kind, key, bytes).and_then(|()| {
            let written = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if self.is_to_trim(written) {
                self.trim(self.now)
            } else {
                Ok(())
            }
        });
    }

    /// True where so much was written that the limit is to be looked after.
    fn is_to_trim(&self, written: u64) -> bool {
        let mut since = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let total = since.map(|since| since.saturating_add(written));
        let is_due = total.is_none_or(|total| total > self.limit / TRIM_PART);
        *since = Some(if is_due { 0 } else { total.unwrap_or_default() });
        is_due
    }

    fn write(&self, kind: Kind, key: &str, bytes: &[u8]) -> io::Result<()> {
        private_directory(&self.directory.join(kind.directory()))?;
        let path = self.path(kind, key);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let aside = path.with_extension(format!("{}-{number}.{ASIDE}", std::process::id()));
        let outcome = private(&aside)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| fs::rename(&aside, &path));
        if outcome.is_err() {
            let _already_gone = fs::remove_file(&aside);
        }
        outcome
    }

    /// Removes the least recently used files until the rest is within the limits, and what killed runs left.
    fn trim(&self, now: SystemTime) -> io::Result<()> {
        let mut files = self.files()?;
        files.sort_by_key(|file| file.used);
        let mut total: u64 = files.iter().map(|file| file.bytes).sum();
        let count = files.len();
        for (place, file) in files.into_iter().enumerate() {
            let age = now.duration_since(file.used).unwrap_or_default();
            let is_too_much = total > self.limit || count - place > FILES_LIMIT;
            if is_too_much || file.is_aside && age > ABANDONED {
                // Another run may have been faster.
                let _already_gone = fs::remove_file(&file.path);
                total = total.saturating_sub(file.bytes);
            }
        }
        Ok(())
    }

    /// Removes everything that was kept. Files of others in the same place stay.
    pub(crate) fn clear(&self) -> io::Result<Cleared> {
        let mut cleared = Cleared::default();
        for file in self.files()? {
            match fs::remove_file(&file.path) {
                Ok(()) => {
                    cleared.files += 1;
                    cleared.bytes += file.bytes;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        for kind in Kind::ALL {
            // It stays where something of somebody else's is in it.
            let _not_empty = fs::remove_dir(self.directory.join(kind.directory()));
        }
        let _not_empty = fs::remove_dir(&self.directory);
        Ok(cleared)
    }

    /// The files that are ours: by place, by name, and no links.
    fn files(&self) -> io::Result<Vec<File>> {
        let mut files = Vec::new();
        for kind in Kind::ALL {
            let entries = match fs::read_dir(self.directory.join(kind.directory())) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let path = entry?.path();
                let Some(is_aside) = is_ours(&path, kind) else {
                    continue;
                };
                let metadata = match fs::symlink_metadata(&path) {
                    Ok(metadata) if metadata.is_file() => metadata,
                    // A link or a directory is not ours; what is gone was another run's.
                    Ok(_) => continue,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                };
                files.push(File {
                    bytes: metadata.len(),
                    used: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                    is_aside,
                    path,
                });
            }
        }
        Ok(files)
    }

    fn path(&self, kind: Kind, key: &str) -> PathBuf {
        use std::fmt::Write as _;
        let mut name = String::with_capacity(72);
        for byte in Sha256::digest(key.as_bytes()) {
            let _infallible = write!(name, "{byte:02x}");
        }
        self.directory
            .join(kind.directory())
            .join(format!("{name}.{}", kind.suffix()))
    }
}

/// Whether a name is one that we give, and if so, whether to a file that is being written.
fn is_ours(path: &Path, kind: Kind) -> Option<bool> {
    let (hash, rest) = path.file_name()?.to_str()?.split_once('.')?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_aside = rest.rsplit('.').next() == Some(ASIDE);
    (is_hash && (is_aside || rest == kind.suffix())).then_some(is_aside)
}

/// A directory that only its owner may enter.
fn private_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// A new file that only its owner may read.
fn private(path: &Path) -> io::Result<fs::File> {
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
mod tests;
