//! The user's Helm, which alone makes revisions of a release: which program it is, how it is called, and what becomes of it. No secret is in its
//! arguments, and of what it prints only one line is repeated, without anything that the release's values hold (DESIGN §1.3, §1.8).

mod error;
mod kubeconfig;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tracebloc_core::name::ReleaseId;
use tracebloc_core::release::Values;

use crate::context::Context;
use crate::process::{self, Ended};

pub(crate) use error::HelmError;

/// How long Helm may take to say its version.
const VERSION_LIMIT: Duration = Duration::from_secs(10);

/// The most bytes that are read of what Helm prints: the rest is of no use to anybody.
const OUTPUT_LIMIT: u64 = 64 * 1024;

/// The first version that has `--reset-then-reuse-values`.
const LEAST: (u64, u64) = (3, 14);

/// The longest line of Helm's that is repeated, in characters.
const LONGEST_LINE: usize = 400;

/// What a Helm that calls us as its plugin hands on of its own flags. The generated kubeconfig says all of it, and these would go before it.
const HANDED_ON: [&str; 10] = [
    "HELM_KUBECONTEXT",
    "HELM_KUBETOKEN",
    "HELM_KUBEASUSER",
    "HELM_KUBEASGROUPS",
    "HELM_KUBEAPISERVER",
    "HELM_KUBECAFILE",
    "HELM_KUBETLS_SERVER_NAME",
    "HELM_KUBEINSECURE_SKIP_TLS_VERIFY",
    "HELM_NAMESPACE",
    "KUBECONFIG",
];

/// A Helm that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Helm {
    program: PathBuf,
    /// Its major version.
    pub(crate) major: u64,
}

/// An upgrade that changes nothing but values.
pub(crate) struct Upgrade<'a> {
    pub(crate) release: &'a ReleaseId,
    /// The packaged chart.
    pub(crate) package: &'a [u8],
    /// What is set, as a values file has it.
    pub(crate) values: &'a Value,
    pub(crate) description: &'a str,
    pub(crate) timeout: Duration,
    /// What must not be repeated.
    pub(crate) conceals: &'a Values,
}

impl Helm {
    /// The Helm that called us, or else the one on the PATH.
    pub(crate) async fn find(context: &Context) -> Result<Self, HelmError> {
        for program in &context.helm {
            match version(program).await {
                Err(HelmError::Missing) => {}
                outcome => return outcome,
            }
        }
        Err(HelmError::Missing)
    }

    /// Makes a new revision, and waits until all of it is ready; what does not come up is rolled back by Helm itself. `stop` asks it to end in good
    /// order. Answers the folder with what it was told, where that could not be removed.
    pub(crate) async fn upgrade(
        &self,
        context: &Context,
        upgrade: &Upgrade<'_>,
        stop: impl Future<Output = ()>,
    ) -> Result<Option<PathBuf>, HelmError> {
        let folder = private_folder().map_err(HelmError::File)?;
        let file = |name: &str, content: &[u8]| write(&folder, name, content);
        let kubeconfig = kubeconfig::minified(&context.identity)?;
        let kubeconfig = file("kubeconfig", &kubeconfig).map_err(HelmError::File)?;
        let values = file("values.json", upgrade.values.to_string().as_bytes());
        let values = values.map_err(HelmError::File)?;
        let package = file("chart.tgz", upgrade.package).map_err(HelmError::File)?;
        let mut command = command(&self.program);
        command
            .arg("upgrade")
            .arg(upgrade.release.name.as_str())
            .arg(package)
            .arg("--namespace")
            .arg(upgrade.release.namespace.as_str())
            .arg("--kubeconfig")
            .arg(&kubeconfig)
            .arg("--values")
            .arg(values)
            .arg("--reset-then-reuse-values")
            .arg("--description")
            .arg(upgrade.description)
            .arg("--wait")
            .arg("--timeout")
            .arg(format!("{}s", upgrade.timeout.as_secs().max(1)))
            .arg(if self.major == 3 {
                "--atomic"
            } else {
                "--rollback-on-failure"
            });
        let ended = process::run(command, OUTPUT_LIMIT, stop)
            .await
            .map_err(HelmError::Run)?;
        // What it was told is nobody's business any more.
        let place = folder.path().to_owned();
        let left = folder.close().err().map(|_| place);
        judge(&ended, upgrade.conceals)?;
        Ok(left)
    }
}

/// A folder that nobody else can look into, which goes away with what is in it.
fn private_folder() -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("kubectl-tracebloc-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o700));
    }
    builder.tempdir()
}

/// Writes a file that only its owner can read.
fn write(folder: &TempDir, name: &str, content: &[u8]) -> io::Result<PathBuf> {
    let path = folder.path().join(name);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(&path)?.write_all(content)?;
    Ok(path)
}

/// A call of Helm that takes nothing from a Helm around us, and asks nobody anything.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for variable in HANDED_ON {
        command.env_remove(variable);
    }
    command.env("HELM_DEBUG", "false").stdin(Stdio::null());
    command
}

async fn version(program: &Path) -> Result<Helm, HelmError> {
    let mut command = command(program);
    command.args(["version", "--template", "{{.Version}}"]);
    let run = process::run(command, OUTPUT_LIMIT, std::future::pending());
    let ended = match tokio::time::timeout(VERSION_LIMIT, run).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Err(HelmError::Missing);
        }
        Ok(Err(error)) => return Err(HelmError::Run(error)),
        Err(_elapsed) => return Err(HelmError::NoVersion),
    };
    let (major, minor) =
        parse(&String::from_utf8_lossy(&ended.output)).ok_or(HelmError::NoVersion)?;
    if (major, minor) < LEAST {
        return Err(HelmError::TooOld { major, minor });
    }
    Ok(Helm {
        program: program.to_owned(),
        major,
    })
}

/// Major and minor of `v3.22.0`, or of `v3.22` as a build of one's own says (FACTS 5.6).
fn parse(text: &str) -> Option<(u64, u64)> {
    let mut parts = text.trim().strip_prefix('v')?.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor: String = parts
        .next()?
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    Some((major, minor.parse().ok()?))
}

fn judge(ended: &Ended, conceals: &Values) -> Result<(), HelmError> {
    if ended.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&ended.complaint);
    let line = text
        .lines()
        .filter_map(|line| line.strip_prefix("Error: "))
        .next_back()
        .unwrap_or("it did not say why");
    let said: String = conceals.conceal(line).chars().take(LONGEST_LINE).collect();
    Err(HelmError::Failed {
        said,
        was_stopped: ended.was_stopped,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_however_they_were_built() {
        for (text, expected) in [
            ("v3.22.0", Some((3, 22))),
            ("v3.22", Some((3, 22))),
            ("v4.3.1\n", Some((4, 3))),
            ("v3.14+unreleased", Some((3, 14))),
            ("WARNING: v3", None),
            ("", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn files_are_the_owners_alone_and_go_away() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = private_folder().unwrap();
        let path = write(&folder, "values.json", b"{}").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(folder.path()), mode(&path)), (0o700, 0o600));
        let place = folder.path().to_owned();
        drop(folder);
        assert!(!place.exists());
    }
}
