//! The bed in the background: one process that holds it, found again by a file in the cache folder.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tracebloc_bed::process::{signal_group, tail};
use tracebloc_bed::progress::say;
use tracebloc_bed::tools::{self, Tool};
use tracebloc_bed::{Bed, Install};

use crate::Failure;

/// How long the bed may take to come up, once its programs are built.
const UP_DEADLINE: Duration = Duration::from_secs(180);

/// The release that `try` looks at.
pub(crate) const RELEASE: &str = "edge";

/// The chart version that it runs: old enough to be behind.
const OLD_VERSION: &str = "1.9.28";

/// What the background process tells of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Daemon {
    pub(crate) process: u32,
    pub(crate) kubeconfig: PathBuf,
    /// A folder with kubectl and helm.
    pub(crate) programs: PathBuf,
    pub(crate) namespace: String,
    pub(crate) repository: String,
    pub(crate) registry: String,
}

fn state_file() -> Result<PathBuf, Failure> {
    Ok(tools::cache_directory()?.join("try.json"))
}

/// Starts a background process, after ending an earlier one, and waits until it is up.
pub(crate) fn start() -> Result<Daemon, Failure> {
    stop()?;
    let ready = state_file()?;
    if let Some(folder) = ready.parent() {
        fs::create_dir_all(folder)?;
    }
    let log = ready.with_extension("log");
    let output = fs::File::create(&log)?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg("serve")
        .arg("--ready")
        .arg(&ready)
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()?;
    let started = Instant::now();
    loop {
        if let Some(daemon) = read(&ready) {
            return Ok(daemon);
        }
        if child.try_wait()?.is_some() || started.elapsed() > UP_DEADLINE {
            signal_group(child.id(), "KILL");
            return Err(format!("the bed did not come up:\n{}", tail(&log)).into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Ends the background process; nothing where there is none.
pub(crate) fn stop() -> Result<(), Failure> {
    let path = state_file()?;
    let Some(daemon) = read(&path) else {
        return Ok(());
    };
    fs::remove_file(&path)?;
    // The number may belong to another process by now: only our own program is told to end.
    let shown = Command::new("ps")
        .args(["-o", "command=", "-p", &daemon.process.to_string()])
        .output()?;
    let command = String::from_utf8_lossy(&shown.stdout).into_owned();
    if command.split_whitespace().any(|word| word == "serve") {
        signal_group(daemon.process, "TERM");
        say("the bed of an earlier `make try` is stopped");
    }
    Ok(())
}

fn read(path: &Path) -> Option<Daemon> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Holds a bed with an old release, whose channel tag has moved since, until the process is ended.
pub(crate) fn serve(ready: &Path) -> Result<(), Failure> {
    let bed = Bed::start(&[Tool::Helm4])?;
    let tenant = bed.tenant("try")?;
    tenant.publish_all("prod", "of last month")?;
    tenant
        .install(&Install::client(RELEASE, OLD_VERSION))?
        .success()?;
    tenant.wait_ready()?;
    tenant.move_tag(
        "tracebloc/jobs-manager",
        "prod",
        "tracebloc/jobs-manager of today",
    )?;
    let daemon = Daemon {
        process: std::process::id(),
        kubeconfig: bed.cluster().kubeconfig().to_owned(),
        programs: bed.cluster().programs(tracebloc_bed::Helm::Four),
        namespace: tenant.namespace().to_owned(),
        repository: tenant.repository().url(),
        registry: tenant.registry_path(),
    };
    let aside = ready.with_extension("part");
    fs::write(&aside, serde_json::to_vec(&daemon)?)?;
    fs::rename(&aside, ready)?;
    // Nobody writes to this pipe: the process sleeps until a signal ends it, and its watchdog ends the rest.
    let (mut reader, _writer) = std::io::pipe()?;
    let mut nothing = [0];
    let _ended = reader.read(&mut nothing)?;
    Ok(())
}
