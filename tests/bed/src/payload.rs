//! The program inside the images: built once from `tests/bed/payload`, then cached between runs.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::image::Layer;
use crate::tools;

/// The sources of the program; they are part of the test bed's own binary so that a cache key needs no file.
const SOURCES: [(&str, &str); 2] = [
    ("go.mod", include_str!("../payload/go.mod")),
    ("main.go", include_str!("../payload/main.go")),
];
const FLAGS: [&str; 4] = [
    "build",
    "-trimpath",
    "-buildvcs=false",
    "-ldflags=-s -w -buildid=",
];

/// The architectures that images of the test bed exist for, as Go and OCI name them.
pub const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];

/// Why the payload could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// No `go` program on the path.
    #[error("`go` is needed to build the payload of the test images and was not found")]
    GoMissing(#[source] io::Error),
    /// The compiler refused.
    #[error("building the payload for `{architecture}` failed: {output}")]
    Build {
        /// The architecture that was asked for.
        architecture: String,
        /// What the compiler said.
        output: String,
    },
    /// The cache could not be read or written.
    #[error("the payload cache `{path}` is not usable")]
    Cache {
        /// The file or folder concerned.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The environment names no place for the cache.
    #[error("no place for the payload cache: {0}")]
    NoCache(String),
    /// No payload exists for this architecture.
    #[error("there is no payload for the architecture `{0}`")]
    Architecture(String),
}

/// The program for every architecture, as image layers that hold it at `/payload`.
#[derive(Debug)]
pub struct Payload {
    layers: Vec<(String, Layer)>,
}

impl Payload {
    /// Returns the payload, building it on first use. It is packed once for the whole process.
    pub fn shared() -> Result<&'static Self, &'static PayloadError> {
        static SHARED: OnceLock<Result<Payload, PayloadError>> = OnceLock::new();
        SHARED.get_or_init(Self::build).as_ref()
    }

    /// Makes a payload of given programs, for tests that never run them.
    pub fn from_programs(programs: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let layers = programs
            .into_iter()
            .map(|(architecture, program)| {
                (
                    architecture,
                    Layer::of_files(&[("payload", 0o755, &program)]),
                )
            })
            .collect();
        Self { layers }
    }

    /// Returns the layer that holds the program for `architecture`.
    pub fn layer(&self, architecture: &str) -> Result<&Layer, PayloadError> {
        self.layers
            .iter()
            .find_map(|(name, layer)| (name == architecture).then_some(layer))
            .ok_or_else(|| PayloadError::Architecture(architecture.to_owned()))
    }

    fn build() -> Result<Self, PayloadError> {
        let directory = tools::cache_directory()
            .map_err(|error| PayloadError::NoCache(error.to_string()))?
            .join("payload")
            .join(cache_key()?);
        fs::create_dir_all(&directory).map_err(|source| cache_error(&directory, source))?;
        let lock_path = directory.join("lock");
        let lock = File::create(&lock_path).map_err(|source| cache_error(&lock_path, source))?;
        lock.lock()
            .map_err(|source| cache_error(&lock_path, source))?;
        let mut programs = Vec::new();
        for architecture in ARCHITECTURES {
            let program = directory.join(format!("payload-linux-{architecture}"));
            if !program.exists() {
                compile(architecture, &directory, &program)?;
            }
            let bytes = fs::read(&program).map_err(|source| cache_error(&program, source))?;
            programs.push((architecture.to_owned(), bytes));
        }
        Ok(Self::from_programs(programs))
    }
}

/// Compiles beside the target and renames, so that an interrupted build leaves nothing that looks finished.
fn compile(architecture: &str, directory: &Path, program: &Path) -> Result<(), PayloadError> {
    let source_directory = directory.join("source");
    fs::create_dir_all(&source_directory)
        .map_err(|source| cache_error(&source_directory, source))?;
    for (name, text) in SOURCES {
        let path = source_directory.join(name);
        fs::write(&path, text).map_err(|source| cache_error(&path, source))?;
    }
    let unfinished = program.with_extension("unfinished");
    let output = Command::new("go")
        .args(FLAGS)
        .arg("-o")
        .arg(&unfinished)
        .arg(".")
        .current_dir(&source_directory)
        .env("CGO_ENABLED", "0")
        .env("GOOS", "linux")
        .env("GOARCH", architecture)
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "")
        .env("GOWORK", "off")
        .output()
        .map_err(PayloadError::GoMissing)?;
    if !output.status.success() {
        return Err(PayloadError::Build {
            architecture: architecture.to_owned(),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    fs::rename(&unfinished, program).map_err(|source| cache_error(program, source))
}

/// The compiler's version is part of the key: another one makes other bytes, and with them other digests.
fn cache_key() -> Result<String, PayloadError> {
    let version = Command::new("go")
        .args(["env", "GOVERSION"])
        .env("GOTOOLCHAIN", "local")
        .output()
        .map_err(PayloadError::GoMissing)?;
    let mut text = String::from_utf8_lossy(&version.stdout).into_owned();
    for part in SOURCES.iter().map(|(_, source)| *source).chain(FLAGS) {
        text.push('\0');
        text.push_str(part);
    }
    let digest = crate::image::sha256_hex(text.as_bytes());
    Ok(digest.chars().take(16).collect())
}

fn cache_error(path: &Path, source: io::Error) -> PayloadError {
    PayloadError::Cache {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_architecture_without_a_program_is_named() {
        let payload = Payload::from_programs([("amd64".to_owned(), b"program".to_vec())]);
        assert!(payload.layer("amd64").is_ok());
        let error = payload.layer("riscv64").expect_err("no such program");
        assert!(error.to_string().contains("`riscv64`"), "{error}");
    }

    #[test]
    fn the_cache_key_is_stable() {
        assert_eq!(cache_key().expect("go runs"), cache_key().expect("go runs"));
    }
}
