//! Processes that end, and that are ended.

use super::*;

fn exists(pid: u32) -> bool {
    Command::new("sh")
        .args(["-c", &format!("kill -0 {pid} 2>/dev/null")])
        .status()
        .unwrap()
        .success()
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_end_of_a_run_ends_children_and_grandchildren_and_the_folder() {
    let run = Run::start().unwrap();
    let directory = run.directory().to_owned();
    let mut command = isolated("sh");
    command.args(["-c", "sleep 1000 & echo $! && trap '' TERM && wait"]);
    let child = run.spawn("stubborn", &command).unwrap();
    let grandchild = || child.log_tail().trim().parse::<u32>().ok();
    wait_for("the grandchild starts", || grandchild().is_some());
    let (child_id, grandchild_id) = (child.id(), grandchild().unwrap());
    assert!(exists(grandchild_id));
    // As after SIGKILL of this process: nobody drops the child, only the pipe closes.
    std::mem::forget(child);
    drop(run);
    assert!(!directory.exists());
    wait_for("the grandchild is gone", || !exists(grandchild_id));
    // The child itself is a zombie of this very process until it is waited for, so its folder and group are what counts.
    assert!(
        !Command::new("pgrep")
            .args(["-g", &child_id.to_string(), "sleep"])
            .status()
            .is_ok_and(|s| s.success())
    );
}

#[test]
fn what_was_left_for_the_end_runs_after_the_children() {
    let run = Run::start().unwrap();
    let mark = run.directory().with_extension("mark");
    let mut command = isolated("sh");
    let last_words = format!(
        "trap 'sleep 0.3; echo child >>{0}; exit' TERM; echo ready; while :; do sleep 0.05; done",
        mark.display()
    );
    command.args(["-c", &last_words]);
    let child = run.spawn("slow-to-end", &command).unwrap();
    wait_for("the child starts", || child.log_tail() == "ready");
    run.at_end("mark", &format!("echo end >>{}", mark.display()))
        .unwrap();
    // As after SIGKILL of this process: nobody drops the child, only the pipe closes.
    std::mem::forget(child);
    drop(run);
    assert_eq!(fs::read_to_string(&mark).unwrap(), "child\nend\n");
    fs::remove_file(mark).unwrap();
}

#[test]
fn a_child_that_ends_is_reported_with_its_log() {
    let run = Run::start().unwrap();
    let mut command = isolated("sh");
    command.args(["-c", "echo no such port >&2; exit 3"]);
    let mut child = run.spawn("server", &command).unwrap();
    let error = child
        .wait_ready(Duration::from_secs(10), || Err("refused".to_owned()))
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("`server` ended (exit code 3)") && text.contains("no such port"),
        "{text}"
    );
}

#[test]
fn a_child_that_hangs_is_reported_with_the_last_reason() {
    let run = Run::start().unwrap();
    let mut command = isolated("sleep");
    command.arg("100");
    let mut child = run.spawn("slow", &command).unwrap();
    let error = child
        .wait_ready(Duration::from_millis(1), || {
            Err("connection refused".to_owned())
        })
        .unwrap_err();
    assert!(error.to_string().contains("connection refused"), "{error}");
}
