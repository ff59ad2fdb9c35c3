//! Child processes that never outlive the run that started them.
//!
//! A [`Run`] is a folder and a watchdog. The watchdog is a small shell script that reads a pipe of ours: when this process ends in
//! any way, `SIGKILL` included, the pipe closes, and the script ends every child and removes the folder. Children leave their
//! process number in the folder before they become the real program, so none can be missed. Each child leads a process group of
//! its own: the interrupt key of a terminal reaches us first, and what a child starts ends with it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Leaves its process number in the file `$1`, then becomes the program that follows.
const LAUNCHER: &str = r#"echo $$ >"$1" && shift && exec "$@""#;

/// Waits for the end of standard input, then ends all process groups named in `$1/pids`, politely first, runs the scripts in `$1/at-end`,
/// and removes `$1` (unless `$2` is set, for a look at the logs). Signals twice because a child may just have been starting.
const WATCHDOG: &str = r#"
trap '' INT HUP TERM
while read -r _; do :; done
signal() {
    for file in "$1"/pids/*; do
        [ -f "$file" ] && read -r pid <"$file" && kill -s "$2" -- "-$pid" 2>/dev/null
    done
}
alive() {
    for file in "$1"/pids/*; do
        [ -f "$file" ] && read -r pid <"$file" && kill -s 0 -- "-$pid" 2>/dev/null && return 0
    done
    return 1
}
signal "$1" TERM
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    alive "$1" || break
    sleep 0.1
done
signal "$1" KILL
sleep 0.1
signal "$1" KILL
for file in "$1"/at-end/*; do
    [ -f "$file" ] && sh "$file"
done
[ -n "$2" ] || rm -rf "$1"
"#;

/// Lines of a log that an error shows.
const TAIL_LINES: usize = 25;

/// Why a child process could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The system could not start it or give it a folder.
    #[error("cannot start `{name}`")]
    Start {
        /// The name of the child.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ended although it should go on.
    #[error("`{name}` ended ({status}); the end of its log:\n{log}")]
    Ended {
        /// The name of the child.
        name: String,
        /// How it ended.
        status: String,
        /// The last lines of its output.
        log: String,
    },
    /// It goes on, but was not ready in time.
    #[error("`{name}` was not ready after {seconds} s: {reason}; the end of its log:\n{log}")]
    NotReady {
        /// The name of the child.
        name: String,
        /// How long was waited.
        seconds: u64,
        /// What was seen last.
        reason: String,
        /// The last lines of its output.
        log: String,
    },
}

/// The folder and the watchdog of one run of the bed.
#[derive(Debug)]
pub struct Run {
    directory: PathBuf,
    /// Open as long as this process lives; closing it lets the watchdog act.
    lifeline: Mutex<Option<ChildStdin>>,
    watchdog: Mutex<Child>,
}

impl Run {
    /// Makes a new folder below the system's temporary folder and starts the watchdog.
    ///
    /// With `TRACEBLOC_BED_KEEP` set the folder stays afterwards, for its logs.
    pub fn start() -> Result<Self, ProcessError> {
        let failed = |source| ProcessError::Start {
            name: "watchdog".to_owned(),
            source,
        };
        let directory = new_directory().map_err(failed)?;
        for folder in ["pids", "logs", "bin"] {
            fs::create_dir(directory.join(folder)).map_err(failed)?;
        }
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "bed-watchdog"])
            .arg(&directory)
            .arg(std::env::var_os("TRACEBLOC_BED_KEEP").unwrap_or_default())
            // Elsewhere than the folder of the caller, which may want to remove it.
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let lifeline = watchdog.stdin.take();
        Ok(Self {
            directory,
            lifeline: Mutex::new(lifeline),
            watchdog: Mutex::new(watchdog),
        })
    }

    /// The folder of this run. It is removed with the run.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes a file into the folder that only this user may read, and returns its path. Folders on the way are made.
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> io::Result<PathBuf> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let path = self.directory.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all(content.as_ref())?;
        Ok(path)
    }

    /// Leaves a shell script that runs when all children have ended, however this process ends: it removes what the system keeps of them.
    pub fn at_end(&self, name: &str, script: &str) -> io::Result<()> {
        self.write(Path::new("at-end").join(name), script)?;
        Ok(())
    }

    /// Starts a program whose output goes to a log of that name. The environment is that of `command`.
    ///
    /// The program runs until it is stopped, dropped, or this process ends.
    pub fn spawn(&self, name: &str, command: &Command) -> Result<Process, ProcessError> {
        let failed = |source| ProcessError::Start {
            name: name.to_owned(),
            source,
        };
        let log = self.directory.join("logs").join(format!("{name}.log"));
        let pid_file = self.directory.join("pids").join(name);
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(failed)?;
        let mut launched = Command::new("sh");
        launched
            .args(["-c", LAUNCHER, "bed-launcher"])
            .arg(&pid_file)
            .arg(command.get_program())
            .args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => launched.env(key, value),
                None => launched.env_remove(key),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            launched.current_dir(directory);
        }
        let child = launched
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(failed)?)
            .stderr(output)
            .spawn()
            .map_err(failed)?;
        Ok(Process {
            name: name.to_owned(),
            child,
            log,
            pid_file,
        })
    }
}

impl Drop for Run {
    /// Ends all children and waits until the folder is gone.
    fn drop(&mut self) {
        let lifeline = self
            .lifeline
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        drop(lifeline);
        // Without a watchdog there is nothing left to wait for.
        let _status = self
            .watchdog
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .wait();
    }
}

/// One running child. Dropping it kills its process group at once.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    pid_file: PathBuf,
}

impl Process {
    /// The name under which it was started.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process number, which is also that of its process group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The last lines of its output.
    pub fn log_tail(&self) -> String {
        tail(&self.log)
    }

    /// An error where the process has ended, with the tail of its log.
    pub fn check_running(&mut self) -> Result<(), ProcessError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.ended(status)),
            Err(source) => Err(ProcessError::Start {
                name: self.name.clone(),
                source,
            }),
        }
    }

    /// Asks `ready` again and again until it says yes. The process must go on meanwhile.
    pub fn wait_ready(
        &mut self,
        deadline: Duration,
        mut ready: impl FnMut() -> Result<(), String>,
    ) -> Result<(), ProcessError> {
        let started = Instant::now();
        loop {
            let reason = match ready() {
                Ok(()) => return Ok(()),
                Err(reason) => reason,
            };
            self.check_running()?;
            if started.elapsed() > deadline {
                return Err(ProcessError::NotReady {
                    name: self.name.clone(),
                    seconds: deadline.as_secs(),
                    reason,
                    log: self.log_tail(),
                });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks the process to end and waits; after `grace` it is killed.
    pub fn stop(mut self, grace: Duration) {
        self.signal("TERM");
        let started = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && started.elapsed() < grace {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal (`TERM`, `STOP`, `CONT`, ...) to the process group. A group that is gone is no error.
    pub fn signal(&self, signal: &str) {
        signal_group(self.id(), signal);
    }

    fn ended(&self, status: ExitStatus) -> ProcessError {
        let status = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "unknown status".to_owned(),
        };
        ProcessError::Ended {
            name: self.name.clone(),
            status,
            log: self.log_tail(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal("KILL");
        }
        // Both fail only where there is nothing left to do.
        let _status = self.child.wait();
        let _removed = fs::remove_file(&self.pid_file);
    }
}

/// Sends a signal to a process group through the shell's own `kill`, which is there on every system.
pub fn signal_group(group: u32, signal: &str) {
    let script = format!("kill -s {signal} -- -{group}");
    let _status = Command::new("sh")
        .args(["-c", &script])
        .stderr(Stdio::null())
        .status();
}

/// The last lines of a file; empty where it cannot be read.
pub fn tail(path: impl AsRef<Path>) -> String {
    let text = fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// A command with an environment of its own: nothing of the caller's reaches it but the PATH.
pub fn isolated(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// A fresh folder that only this user may enter.
fn new_directory() -> io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    static COUNT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("tracebloc-bed-{}-{number}", std::process::id()));
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(()) => return path.canonicalize(),
        }
    }
}

#[cfg(test)]
mod tests;
