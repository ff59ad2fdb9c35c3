//! A bed that ends leaves nothing behind, however it ends.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tracebloc_bed::process::signal_group;
use tracebloc_bed::{Bed, wait_until};

/// Names the file in which [`hold_a_bed_until_killed`] tells where its bed is.
const HOLD: &str = "TRACEBLOC_BED_SMOKE_HOLD";

#[test]
fn two_beds_stand_side_by_side_and_one_ends_alone() {
    let shared = Bed::shared();
    let other = Bed::private().unwrap();
    assert_ne!(shared.cluster().server(), other.cluster().server());
    assert_ne!(shared.registry().host(), other.registry().host());
    let directory = other.cluster().directory().to_owned();
    let children = children(&directory);
    assert!(children.len() >= 6, "{children:?}");
    assert_eq!(running_groups(&children), children);
    drop(other);
    assert!(!directory.exists(), "{}", directory.display());
    assert_eq!(running_groups(&children), Vec::<u32>::new());
    shared.cluster().api().ready().unwrap();
}

#[test]
fn nothing_is_left_when_the_test_process_is_killed() {
    let told = std::env::temp_dir().join(format!("tracebloc-bed-smoke-{}", std::process::id()));
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "ends::hold_a_bed_until_killed"])
        .env(HOLD, &told)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let directory = wait_until(
        Duration::from_secs(180),
        "the other process has a bed",
        || {
            Ok(std::fs::read_to_string(&told)
                .map(PathBuf::from)
                .map_err(|error| error.to_string()))
        },
    );
    let children = directory
        .as_ref()
        .map(|directory| children(directory))
        .unwrap_or_default();
    let ran = running_groups(&children);
    holder.kill().unwrap();
    holder.wait().unwrap();
    std::fs::remove_file(&told).unwrap();
    let directory = directory.unwrap();
    assert!(children.len() >= 6, "{children:?}");
    assert_eq!(ran, children);
    let gone = wait_until(
        Duration::from_secs(20),
        "the bed of the killed process is gone",
        || {
            let left = running_groups(&children);
            let gone = left.is_empty() && !directory.exists();
            Ok(if gone {
                Ok(())
            } else {
                Err(format!("{left:?} {}", directory.display()))
            })
        },
    );
    // Where the watchdog failed, this test still leaves nothing behind.
    for group in children {
        signal_group(group, "KILL");
    }
    gone.unwrap();
}

#[test]
#[ignore = "the process that `nothing_is_left_when_the_test_process_is_killed` starts and kills"]
fn hold_a_bed_until_killed() {
    let Some(told) = std::env::var_os(HOLD).map(PathBuf::from) else {
        return;
    };
    let bed = Bed::private().unwrap();
    // Renamed into place, so that a reader sees the whole path or nothing.
    let aside = told.with_extension("part");
    std::fs::write(
        &aside,
        bed.cluster().directory().as_os_str().as_encoded_bytes(),
    )
    .unwrap();
    std::fs::rename(aside, told).unwrap();
    std::thread::sleep(Duration::from_secs(600));
}

/// The process groups of the children of a run.
fn children(directory: &Path) -> Vec<u32> {
    let files = std::fs::read_dir(directory.join("pids")).unwrap();
    files
        .map(|file| {
            std::fs::read_to_string(file.unwrap().path())
                .unwrap()
                .trim()
                .parse()
                .unwrap()
        })
        .collect()
}

/// Those of the process groups that still have a living process. A zombie does not count: whoever inherited it reaps it in its own time.
fn running_groups(groups: &[u32]) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    // A process may end between the listing and the reading.
    let states =
        processes.filter_map(|process| std::fs::read_to_string(process.path().join("stat")).ok());
    let running: BTreeSet<u32> = states.filter_map(|state| running_group(&state)).collect();
    groups
        .iter()
        .copied()
        .filter(|group| running.contains(group))
        .collect()
}

/// The process group of a line of `/proc/<pid>/stat`: `pid (name) state parent group ...`. The name may hold anything.
fn running_group(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?;
    let group = fields.nth(1)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(group)
}
