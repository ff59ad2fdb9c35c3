//! Runs `go build` for what is missing, one build at a time on the machine, and shows how far it is.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::module::Module;
use super::{Tool, ToolError, is_executable};
use crate::progress::{say, spoken};

/// Between two lines that say that the build goes on.
const REPORT_EVERY: Duration = Duration::from_secs(15);
/// Lines of the compiler's output in an error.
const KEPT_LINES: usize = 40;

/// Builds those of the tools that the folder does not hold.
pub(super) fn missing(module: &Module, directory: &Path, tools: &[Tool]) -> Result<(), ToolError> {
    if absent(directory, tools).is_empty() {
        return Ok(());
    }
    fs::create_dir_all(directory).map_err(ToolError::file(directory))?;
    let _lock = lock(directory)?;
    // Whoever held the lock may have built them.
    let tools = absent(directory, tools);
    if tools.is_empty() {
        return Ok(());
    }
    let staging = directory.join(format!("building-{}", std::process::id()));
    fs::create_dir_all(&staging).map_err(ToolError::file(&staging))?;
    let built = compile(module, &staging, &tools);
    let placed = built.and_then(|()| {
        tools.iter().try_for_each(|tool| {
            let target = directory.join(tool.name());
            fs::rename(staging.join(tool.built_name()), &target).map_err(ToolError::file(target))
        })
    });
    fs::remove_dir_all(&staging).map_err(ToolError::file(&staging))?;
    placed
}

/// The tools that the folder does not hold.
fn absent(directory: &Path, tools: &[Tool]) -> Vec<Tool> {
    tools
        .iter()
        .copied()
        .filter(|tool| !is_executable(&directory.join(tool.name())))
        .collect()
}

/// Waits until this process alone may build into the folder. The lock ends with the returned file.
fn lock(directory: &Path) -> Result<File, ToolError> {
    let path = directory.join("lock");
    let file = File::create(&path).map_err(ToolError::file(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            say(&format!(
                "another run builds into {}; waiting for it",
                directory.display()
            ));
            file.lock().map_err(ToolError::file(&path))?;
            Ok(file)
        }
        Err(TryLockError::Error(error)) => Err(ToolError::file(path)(error)),
    }
}

/// One `go build` of several programs into a folder.
fn compile(module: &Module, target: &Path, tools: &[Tool]) -> Result<(), ToolError> {
    let programs = tools
        .iter()
        .map(|tool| tool.name())
        .collect::<Vec<_>>()
        .join(", ");
    let cold: u64 = tools.iter().map(|tool| tool.cold_minutes()).sum();
    say(&format!(
        "building {programs} with Go from pinned sources (once; with an empty Go cache about {cold} min on two cores)"
    ));
    let started = Instant::now();
    let mut command = Command::new("go");
    command
        .current_dir(&module.directory)
        .env("CGO_ENABLED", "0")
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-mod=readonly")
        .env_remove("GOOS")
        .env_remove("GOARCH")
        // `-v` names each package once it is compiled, which is the progress that can be shown.
        .args([
            "build",
            "-v",
            "-buildvcs=false",
            "-trimpath",
            "-ldflags",
            &module.link_flags,
            "-o",
        ])
        .arg(target.join("")) // the separator at the end says that it is a folder
        .args(tools.iter().map(|tool| tool.package()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ToolError::NoGo {
            version: module.go.clone(),
        },
        _ => ToolError::file("go")(error),
    })?;
    let (succeeded, output) = follow(child, &programs, started).map_err(ToolError::file("go"))?;
    if !succeeded {
        return Err(ToolError::Build {
            programs,
            output: output.join("\n"),
        });
    }
    say(&format!(
        "built {programs} in {}",
        spoken(started.elapsed())
    ));
    Ok(())
}

/// Waits for the compiler, saying now and then how far it is. Returns whether it succeeded and the end of its output.
fn follow(mut child: Child, programs: &str, started: Instant) -> io::Result<(bool, Vec<String>)> {
    let lines: Mutex<(usize, Vec<String>)> = Mutex::default();
    let output = child.stderr.take();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            for line in output
                .into_iter()
                .flat_map(|stream| BufReader::new(stream).lines())
                .map_while(Result::ok)
            {
                let mut lines = lines
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                lines.0 += 1;
                if lines.1.len() == KEPT_LINES {
                    lines.1.remove(0);
                }
                lines.1.push(line);
            }
        });
        let mut reported = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if reported.elapsed() >= REPORT_EVERY {
                reported = Instant::now();
                let (count, last) = {
                    let lines = lines
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    (lines.0, lines.1.last().cloned().unwrap_or_default())
                };
                let progress = if count == 0 {
                    "linking".to_owned()
                } else {
                    format!("{count} packages compiled, last {last}")
                };
                say(&format!(
                    "still building {programs}: {}, {progress}",
                    spoken(started.elapsed())
                ));
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        // The reader ends with the stream; a panic there loses only progress lines.
        let _ended = reader.join();
        let kept = std::mem::take(
            &mut lines
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .1,
        );
        Ok((status.success(), kept))
    })
}
