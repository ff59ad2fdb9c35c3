//! The tools that tell what a tag points to: those that the bed builds, and others that are on the PATH.

use std::path::PathBuf;
use std::process::Command;

use tracebloc_bed::tools::{self, Tool};

use crate::ground::Ground;

/// A tool that answers an image reference with a digest.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    program: PathBuf,
    version: &'static [&'static str],
    /// What comes before the reference; `{}` where it stands inside an argument.
    digest: &'static [&'static str],
    /// What makes it speak plain HTTP with a registry on loopback, once.
    prepare: &'static [&'static str],
}

/// Name, how it tells its version, how it tells a digest, and how it is prepared. The first two are built by the bed.
type Known = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

const KNOWN: [Known; 4] = [
    ("crane", &["version"], &["digest", "{}"], &[]),
    (
        "regctl",
        &["version", "--format", "{{.VCSTag}}"],
        &["image", "digest", "{}"],
        &["registry", "set", "--tls", "disabled", "{}"],
    ),
    (
        "skopeo",
        &["--version"],
        &[
            "inspect",
            "--tls-verify=false",
            "--format",
            "{{.Digest}}",
            "docker://{}",
        ],
        &[],
    ),
    (
        "oras",
        &["version"],
        &["resolve", "--plain-http", "{}"],
        &[],
    ),
];

/// Builds what the bed builds, and looks for the others.
pub(crate) fn find(ground: &Ground) -> Vec<Peer> {
    let built = tools::ensure(&Tool::PEERS).unwrap();
    KNOWN
        .iter()
        .filter_map(|&(name, version, digest, prepare)| {
            let program = match Tool::named(name) {
                Some(tool) => built.path(tool).to_owned(),
                None => on_path(name)?,
            };
            let peer = Peer {
                name,
                program,
                version,
                digest,
                prepare,
            };
            peer.version(ground).is_some().then_some(peer)
        })
        .collect()
}

fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

impl Peer {
    /// What it calls its version.
    pub(crate) fn version(&self, ground: &Ground) -> Option<String> {
        let output = ground.command(&self.program, self.version).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().next()?.trim();
        Some(line.trim_start_matches("skopeo version ").to_owned())
    }

    /// Makes it ready for a registry on loopback.
    pub(crate) fn prepare(&self, ground: &Ground, registry: &str) {
        if !self.prepare.is_empty() {
            let status = self
                .command(ground, self.prepare, registry)
                .status()
                .unwrap();
            assert!(status.success(), "{}: {status}", self.name);
        }
    }

    /// The question what a reference points to.
    pub(crate) fn digest(&self, ground: &Ground, reference: &str) -> Command {
        self.command(ground, self.digest, reference)
    }

    fn command(&self, ground: &Ground, arguments: &[&str], value: &str) -> Command {
        let mut command = ground.command(&self.program, &[]);
        command.args(
            arguments
                .iter()
                .map(|argument| argument.replace("{}", value)),
        );
        command
    }
}
