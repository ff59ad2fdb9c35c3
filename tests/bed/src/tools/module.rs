//! One pinned Go module: what its `go.mod` says, the flags it is built with, and the name of its cache folder.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::ToolError;

/// The version of Kubernetes is read here; without it the API server calls itself v0.0.0 and charts with a `kubeVersion` refuse it.
const KUBERNETES: &str = "k8s.io/kubernetes";

/// Where the clients keep the version that they show.
const CLIENT_VERSIONS: [(&str, &str, VersionForm); 6] = [
    (
        "helm.sh/helm/v4",
        "helm.sh/helm/v4/internal/version.version",
        VersionForm::Tagged,
    ),
    (
        "helm.sh/helm/v3",
        "helm.sh/helm/v3/internal/version.version",
        VersionForm::Tagged,
    ),
    (
        "github.com/distribution/distribution/v3",
        "github.com/distribution/distribution/v3/version.version",
        VersionForm::Tagged,
    ),
    (
        "sigs.k8s.io/kwok",
        "sigs.k8s.io/kwok/pkg/consts.Version",
        VersionForm::Bare,
    ),
    (
        "github.com/google/go-containerregistry",
        "github.com/google/go-containerregistry/cmd/crane/cmd.Version",
        VersionForm::Tagged,
    ),
    (
        "github.com/regclient/regclient",
        "github.com/regclient/regclient/internal/version.vcsTag",
        VersionForm::Tagged,
    ),
];

/// Whether a program shows its version with the `v` of the tag.
#[derive(Debug, Clone, Copy)]
enum VersionForm {
    Tagged,
    Bare,
}

/// A Go module whose tools are built.
#[derive(Debug)]
pub(super) struct Module {
    /// The folder of `go.mod`.
    pub(super) directory: PathBuf,
    /// The Go version that `go.mod` asks for.
    pub(super) go: String,
    /// The value of `-ldflags`.
    pub(super) link_flags: String,
    key: String,
}

impl Module {
    /// Reads `go.mod` and `go.sum` of the folder.
    pub(super) fn read(directory: &Path) -> Result<Self, ToolError> {
        let read = |name: &str| {
            let path = directory.join(name);
            std::fs::read_to_string(&path).map_err(ToolError::file(path))
        };
        let (go_mod, go_sum) = (read("go.mod")?, read("go.sum")?);
        let missing = |what| ToolError::Pins {
            path: directory.join("go.mod"),
            what,
        };
        let go = directive(&go_mod, "go")
            .ok_or_else(|| missing("a Go version"))?
            .to_owned();
        let link_flags = link_flags(&go_mod).ok_or_else(|| missing("a version of a program"))?;
        let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
        let key = cache_key(&[&go_mod, &go_sum, &link_flags, &platform]);
        Ok(Self {
            directory: directory.to_owned(),
            go,
            link_flags,
            key,
        })
    }

    /// The name of the cache folder: the same pins, flags and platform give the same name.
    pub(super) fn key(&self) -> &str {
        &self.key
    }
}

/// The flags for the linker: no debug tables (they cost the linker minutes), and the versions that the programs show.
fn link_flags(go_mod: &str) -> Option<String> {
    let mut flags = vec!["-s -w".to_owned()];
    if let Some(version) = required_version(go_mod, KUBERNETES) {
        let (major, minor) = version.strip_prefix('v')?.split_once('.')?;
        let (minor, _patch) = minor.split_once('.')?;
        for package in [
            "k8s.io/component-base/version",
            "k8s.io/client-go/pkg/version",
        ] {
            flags.push(format!("-X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"));
        }
    }
    for (module, variable, form) in CLIENT_VERSIONS {
        if let Some(version) = required_version(go_mod, module) {
            let shown = match form {
                VersionForm::Tagged => version,
                VersionForm::Bare => version.trim_start_matches('v'),
            };
            flags.push(format!("-X {variable}={shown}"));
        }
    }
    (flags.len() > 1).then(|| flags.join(" "))
}

/// The value of a one-line directive such as `go 1.26.8`.
fn directive<'a>(go_mod: &'a str, name: &str) -> Option<&'a str> {
    go_mod
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .map(str::trim)
}

/// The version at which a module is required, in a block or on a line of its own. Replacements do not count.
fn required_version<'a>(go_mod: &'a str, module: &str) -> Option<&'a str> {
    go_mod.lines().find_map(|line| {
        let line = line.trim();
        let mut words = line
            .strip_prefix("require ")
            .unwrap_or(line)
            .split_whitespace();
        let named = words.next()? == module;
        words
            .next()
            .filter(|version| named && version.starts_with('v'))
    })
}

/// A short name for texts: the first half of their SHA-256. The length of each goes in, so that moving a character from one
/// text to the next changes the name.
fn cache_key(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    let mut key = String::new();
    for byte in hash.finalize().iter().take(8) {
        key += &format!("{byte:02x}");
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    const GO_MOD: &str = "module example.org/tools\n\ngo 1.26.8\n\nreplace k8s.io/api => k8s.io/api v0.35.4\n\n\
                          tool k8s.io/kubernetes/cmd/kubectl\n\nrequire (\n\tk8s.io/kubernetes v1.35.4 // indirect\n)\n\
                          require sigs.k8s.io/kwok v0.8.0\n";

    #[test]
    fn versions_are_read_from_blocks_and_single_lines() {
        assert_eq!(directive(GO_MOD, "go"), Some("1.26.8"));
        assert_eq!(
            required_version(GO_MOD, "k8s.io/kubernetes"),
            Some("v1.35.4")
        );
        assert_eq!(required_version(GO_MOD, "sigs.k8s.io/kwok"), Some("v0.8.0"));
        assert_eq!(required_version(GO_MOD, "k8s.io/api"), None);
        assert_eq!(required_version(GO_MOD, "helm.sh/helm/v4"), None);
    }

    #[test]
    fn programs_are_told_their_version() {
        let flags = link_flags(GO_MOD).unwrap();
        assert!(
            flags.contains("-X k8s.io/component-base/version.gitVersion=v1.35.4"),
            "{flags}"
        );
        assert!(
            flags.contains("-X k8s.io/client-go/pkg/version.gitMinor=35"),
            "{flags}"
        );
        assert!(
            flags.contains("-X sigs.k8s.io/kwok/pkg/consts.Version=0.8.0"),
            "{flags}"
        );
        assert!(!flags.contains("helm"), "{flags}");
    }

    #[test]
    fn every_text_counts_in_the_key() {
        let key = cache_key(&["a", "bc"]);
        assert_eq!(key, cache_key(&["a", "bc"]));
        assert_eq!(key.len(), 16);
        for other in [&["ab", "c"][..], &["a", "bd"], &["a", "bc", ""]] {
            assert_ne!(key, cache_key(other));
        }
    }
}
