//! What a call tells and how it ends when it is not carried out to its end: declined or interrupted at the prompt, without a release, or failed after
//! something was done.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tracebloc_bed::Tenant;
use tracebloc_bed::image::Image;
use tracebloc_core::plan::Plan;

use crate::docs::{faults, validator};
use crate::refresh::{annotation, break_tag, object, plan, recorded, refresh, running, steps};
use crate::refresh_runs::{spawn, start_job, wait_for_change};
use crate::support::{PLUGIN, installed, tenant};

/// A call that waits at its prompt, on a terminal of its own.
struct Prompted {
    script: Child,
    /// What the terminal showed so far.
    shown: String,
    pid: PathBuf,
    answer: PathBuf,
}

impl Prompted {
    /// `refresh` with the plan as JSON, up to the question.
    fn refresh(tenant: &Tenant<'_>) -> Self {
        Self::refresh_with(tenant, "")
    }

    /// The same with more flags.
    fn refresh_with(tenant: &Tenant<'_>, more: &str) -> Self {
        let cluster = tenant.bed().cluster();
        let file = |name: &str| {
            let path = format!("prompt/{}/{name}", tenant.namespace());
            cluster.write(&path, "").unwrap()
        };
        let (pid, answer) = (file("pid"), file("answer"));
        let line = format!(
            "echo $$ >'{}'; exec {PLUGIN} refresh --context bed --output json --min-ready 0 {more} --namespace {} >'{}'",
            pid.display(),
            tenant.namespace(),
            answer.display()
        );
        let mut script = cluster
            .command("script", tenant.namespace())
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .env("PATH", "/usr/bin:/bin")
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let terminal = script.stdout.as_mut().unwrap();
        let mut shown = Vec::new();
        while !String::from_utf8_lossy(&shown).contains("[y/N]") {
            let mut byte = [0];
            let told = String::from_utf8_lossy(&shown).into_owned();
            assert_eq!(terminal.read(&mut byte).unwrap(), 1, "{told}");
            shown.push(byte[0]);
        }
        Self {
            script,
            shown: String::from_utf8_lossy(&shown).into_owned(),
            pid,
            answer,
        }
    }

    fn say(mut self, answer: &str) -> (Option<i32>, Value, String) {
        let mut keyboard = self.script.stdin.take().unwrap();
        writeln!(keyboard, "{answer}").unwrap();
        // An end of its input would be typed too.
        let ended = self.end();
        drop(keyboard);
        ended
    }

    fn signal(self, signal: &str) -> (Option<i32>, Value, String) {
        let pid = fs::read_to_string(&self.pid).unwrap();
        let told = Command::new("kill").args([signal, pid.trim()]).status();
        assert!(told.unwrap().success());
        self.end()
    }

    /// The exit code, the answer, and what was shown.
    fn end(mut self) -> (Option<i32>, Value, String) {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.script.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > Duration::from_secs(30) {
                let pid = fs::read_to_string(&self.pid).unwrap();
                let _gone = Command::new("kill").args(["-KILL", pid.trim()]).status();
                panic!("it does not end");
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        let mut terminal = self.script.stdout.take().unwrap();
        terminal.read_to_string(&mut self.shown).unwrap();
        let answer = fs::read_to_string(&self.answer).unwrap();
        let answer = serde_json::from_str(&answer).unwrap_or_else(|error| {
            panic!("{error}: {answer}: {}", self.shown);
        });
        (status.code(), answer, self.shown)
    }
}

#[test]
fn what_moved_while_the_answer_was_waited_for_is_brought_back_too() {
    let tenant = installed("prompt-beside", "1.9.28");
    recorded(&tenant);
    let beside = running(&tenant, "pods-monitor-container");
    break_tag(&tenant, "tracebloc/jobs-manager");
    let prompted = Prompted::refresh_with(&tenant, "--timeout 8s");
    tenant
        .move_tag("tracebloc/pods-monitor", "prod", "moved meanwhile")
        .unwrap();
    let (code, answer, shown) = prompted.say("y");
    assert_eq!(code, Some(1), "{shown}");
    assert_eq!(steps(&answer)[0].2, "failed", "{shown}");
    assert_eq!(
        running(&tenant, "pods-monitor-container"),
        beside,
        "{shown}"
    );
}

#[test]
fn a_signal_at_the_prompt_ends_the_call_and_what_was_declined_is_skipped() {
    let name = "prompt";
    let tenant = installed(name, "1.9.28");
    let main = "prompt-jobs-manager";
    let record = || annotation(&tenant, main, "last-refreshed-jobs-manager-digest");
    for signal in ["-INT", "-TERM"] {
        let (code, answer, shown) = Prompted::refresh(&tenant).signal(signal);
        assert_eq!(code, Some(130), "{signal}: {shown}");
        assert!(shown.contains("nothing was changed"), "{signal}: {shown}");
        assert_eq!(steps(&answer), [("record", main, "skipped")], "{answer:#}");
    }
    let (code, answer, shown) = Prompted::refresh(&tenant).say("n");
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("nothing was changed"), "{shown}");
    assert_eq!(steps(&answer), [("record", main, "skipped")], "{answer:#}");
    assert_eq!(record(), None);
    let (code, answer, shown) = Prompted::refresh(&tenant).say("y");
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(steps(&answer), [("record", main, "done")], "{answer:#}");
    assert!(record().is_some());
}

#[test]
fn without_a_release_programs_get_a_plan_with_nothing_in_it() {
    let tenant = tenant("prompt-none");
    let validator = validator(&schemars::schema_for!(Plan));
    let hold = |command: &str| crate::pin::hold(&tenant, command, "jobs-manager", &[]);
    for (command, output) in [
        ("refresh", refresh(&tenant, &[])),
        ("refresh --rollback", refresh(&tenant, &["--rollback"])),
        ("pin", hold("pin")),
        ("unpin", hold("unpin")),
    ] {
        let plan = plan(&output, 0);
        assert_eq!(faults(&validator, &plan), "", "{plan:#}");
        assert_eq!(plan["command"], command);
        assert_eq!(plan["context"]["name"], "bed");
        assert_eq!(steps(&plan), []);
        assert_eq!(plan.get("release"), None);
        assert!(!output.stderr.is_empty(), "{output}");
    }
}

/// Leaves a rollout to be finished whose pods take so long.
fn left_open(tenant: &Tenant<'_>, main: &str, takes: &str) {
    let slow = Image::new("slow").steering("ready-delay", takes);
    tenant
        .publish("tracebloc/jobs-manager", "prod", &slow)
        .unwrap();
    let killed = spawn(tenant, &[]);
    wait_for_change(tenant, main, "acting");
    let pid = killed.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    let output = killed.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
}

/// What a call tells on stderr.
struct Told(Receiver<String>);

impl Told {
    /// All of it is read, so that nobody writes into a full pipe.
    fn by(child: &mut Child) -> Self {
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _nobody_waits = sender.send(line);
            }
        });
        Self(receiver)
    }

    /// Waits for a line with these words.
    fn wait_for(&self, words: &str) {
        let mut told = Vec::new();
        loop {
            let line = self.0.recv_timeout(Duration::from_secs(90));
            let line = line.unwrap_or_else(|error| panic!("never {words}: {error}: {told:?}"));
            if line.contains(words) {
                return;
            }
            told.push(line);
        }
    }
}

#[test]
fn what_was_finished_is_told_also_where_nothing_more_can_be_planned() {
    let name = "prompt-finish";
    let tenant = installed(name, "1.9.28");
    recorded(&tenant);
    let main = "prompt-finish-jobs-manager";
    left_open(&tenant, main, "15s");
    let mut child = spawn(&tenant, &[name, "--output", "json"]);
    Told::by(&mut child).wait_for(main);
    let gone = ["delete", "secret", "--selector", "owner=helm"];
    tenant.kubectl(&gone).unwrap().success().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(steps(&plan), [("finish", main, "done")], "{plan:#}");
    let change = object(&tenant, "deployment", main)["metadata"]["annotations"].to_string();
    assert!(change.contains(r#"\"state\":\"done\""#), "{change}");
}

#[test]
fn a_finish_takes_nothing_of_the_time_that_jobs_are_waited_for() {
    let name = "prompt-patience";
    let tenant = installed(name, "1.9.28");
    recorded(&tenant);
    let main = "prompt-patience-jobs-manager";
    left_open(&tenant, main, "20s");
    let waits = [name, "--output", "json", "--wait-for-jobs", "12s"];
    let mut child = spawn(&tenant, &waits);
    let told = Told::by(&mut child);
    told.wait_for(main);
    start_job(&tenant, "prompt-patience-image-refresh", "10m");
    told.wait_for("waiting: job/");
    tenant
        .kubectl(&["delete", "job", "prompt-patience-image-refresh-1"])
        .unwrap()
        .success()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{plan:#}");
    assert_eq!(steps(&plan)[0], ("finish", main, "done"), "{plan:#}");
    assert!(steps(&plan).len() > 1, "the other workload: {plan:#}");
}
