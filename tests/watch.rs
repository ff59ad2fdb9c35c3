//! `--watch`: one answer after another, on pipes and on terminals, through failures and new credentials.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tracebloc_bed::Tenant;
use tracebloc_bed::cluster::Output;
use tracebloc_bed::proxy::{Fault, Proxy, Rule};

use crate::outdated_connection::{exec, kubeconfig_with_user, plugin, token};
use crate::outdated_faults::through;
use crate::support::{PLUGIN, command, image, installed, run};

/// A program that runs until it is dropped, with what it prints.
struct Watching {
    child: Child,
    lines: Receiver<String>,
}

impl Watching {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let errors = sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ended = sender.send(line);
            }
        });
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ended = errors.send(format!("stderr: {line}"));
            }
        });
        Self { child, lines }
    }

    /// The lines up to one that is as wanted.
    fn until(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(Duration::from_secs(60)) {
                Ok(line) => {
                    let found = wanted(&line);
                    seen.push(line);
                    if found {
                        return seen;
                    }
                }
                Err(error) => panic!("{error} after {seen:#?}"),
            }
        }
    }

    /// The next document of JSON.
    fn document(&self) -> Value {
        let lines = self.until(|line| line == "}");
        serde_json::from_str(&lines.join("\n"))
            .unwrap_or_else(|error| panic!("{error}: {lines:#?}"))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[test]
fn programs_get_a_document_for_each_change_and_none_without() {
    let tenant = installed("watch-pipe", "1.9.28");
    let namespace = tenant.namespace();
    let arguments = [
        "outdated",
        "-n",
        namespace,
        "-o",
        "json",
        "--only",
        "digest",
        "--watch=1s",
    ];
    let watching = Watching::start(command(&tenant, &arguments));
    let first = watching.document();
    assert_eq!(
        image(&first, "jobs-manager")["state"],
        "current",
        "{first:#}"
    );
    // Several rounds without a change print nothing: the next document is of the change.
    std::thread::sleep(Duration::from_secs(3));
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let second = watching.document();
    assert_eq!(
        image(&second, "jobs-manager")["state"],
        "behind",
        "{second:#}"
    );
    assert!(first["checkedAt"].as_str() < second["checkedAt"].as_str());
}

#[test]
fn a_failure_between_two_answers_is_told_once_and_gone_through() {
    let tenant = installed("watch-fault", "1.9.28");
    let cluster = tenant.bed().cluster();
    let proxy = Proxy::before_api_server(cluster).unwrap();
    let arguments = [
        "status",
        "-n",
        tenant.namespace(),
        "-o",
        "yaml",
        "--watch=1s",
    ];
    let mut command = command(&tenant, &arguments);
    command.env("KUBECONFIG", through(&tenant, &proxy));
    let watching = Watching::start(command);
    watching.until(|line| line.starts_with("kind: StatusReport"));
    proxy.break_with(Rule::new("/secrets", Fault::status(500)));
    let told = watching.until(|line| line.starts_with("stderr: error:"));
    assert!(
        told.last().unwrap().contains("the Helm releases"),
        "{told:#?}"
    );
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    std::thread::sleep(Duration::from_secs(3));
    proxy.heal();
    let rest = watching.until(|line| line.starts_with("kind: StatusReport"));
    let again = rest
        .iter()
        .filter(|line| line.starts_with("stderr: error:"));
    assert_eq!(again.count(), 0, "told once: {rest:#?}");
    assert!(
        rest.iter().any(|line| line == "---"),
        "a new document: {rest:#?}"
    );
}

/// What a credential plugin answers.
pub(crate) fn credential(token: &str) -> String {
    json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"token": token},
    })
    .to_string()
}

/// The digests of a release, watched every second as the user of a kubeconfig, after the first answer.
fn watch_digests(tenant: &Tenant<'_>, kubeconfig: &Path) -> Watching {
    let namespace = tenant.namespace();
    let arguments = [
        "outdated",
        "-n",
        namespace,
        "-o",
        "json",
        "--only",
        "digest",
        "--watch=1s",
    ];
    let mut command = command(tenant, &arguments);
    command.env("KUBECONFIG", kubeconfig);
    let watching = Watching::start(command);
    watching.document();
    watching
}

/// Takes away the account whose token was used first.
fn end_account(tenant: &Tenant<'_>) {
    let end = ["delete", "serviceaccount", "first"];
    tenant.kubectl(&end).unwrap().success().unwrap();
}

/// What moves is told, and of the change of credentials nothing.
fn goes_on_unnoticed(tenant: &Tenant<'_>, watching: &Watching) {
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    let lines = watching.until(|line| line == "}");
    assert!(
        !lines.iter().any(|line| line.starts_with("stderr: error")),
        "nobody need know: {lines:#?}"
    );
}

#[test]
fn credentials_that_end_are_asked_for_again() {
    let tenant = installed("watch-token", "1.9.28");
    let (path, starts) = plugin(&tenant, "plugin", &credential(&token(&tenant, "first")));
    let kubeconfig = kubeconfig_with_user(&tenant, "config", &exec(&path));
    let watching = watch_digests(&tenant, &kubeconfig);
    let next = token(&tenant, "second");
    std::fs::write(starts.with_extension("answer"), credential(&next)).unwrap();
    end_account(&tenant);
    // Until the API server forgets the account's token, a minute at most, answers may go on with the old one.
    let deadline = Instant::now() + Duration::from_secs(90);
    while std::fs::read_to_string(&starts).unwrap().lines().count() < 2 {
        assert!(Instant::now() < deadline, "the plugin is asked once more");
        std::thread::sleep(Duration::from_millis(500));
    }
    goes_on_unnoticed(&tenant, &watching);
    assert_eq!(std::fs::read_to_string(&starts).unwrap().lines().count(), 2);
}

#[test]
fn credentials_that_are_replaced_in_the_kubeconfig_are_read_again() {
    let tenant = installed("watch-replaced", "1.9.28");
    let user = |account: &str| json!({"token": token(&tenant, account)});
    let first = user("first");
    let kubeconfig = kubeconfig_with_user(&tenant, "config", &first);
    let old = kubeconfig_with_user(&tenant, "old", &first);
    let asks = |kubeconfig: &Path| {
        let mut command = command(&tenant, &["outdated", "--only", "digest"]);
        command.env("KUBECONFIG", kubeconfig);
        command.output().unwrap().status.success()
    };
    let watching = watch_digests(&tenant, &kubeconfig);
    // Written beside and moved into its place, as kubectl does it: nobody reads half a file.
    let next = kubeconfig_with_user(&tenant, "next", &user("second"));
    std::fs::rename(next, &kubeconfig).unwrap();
    end_account(&tenant);
    // Until the API server forgets the account's token, answers may go on with the old one.
    let deadline = Instant::now() + Duration::from_secs(90);
    while asks(&old) {
        assert!(Instant::now() < deadline, "the old token is refused");
        std::thread::sleep(Duration::from_millis(500));
    }
    goes_on_unnoticed(&tenant, &watching);
}

#[test]
fn a_plugin_that_fails_once_is_asked_again() {
    let tenant = installed("watch-plugin", "1.9.28");
    let (path, starts) = plugin(&tenant, "plugin", &credential(&token(&tenant, "first")));
    let kubeconfig = kubeconfig_with_user(&tenant, "config", &exec(&path));
    let watching = watch_digests(&tenant, &kubeconfig);
    let next = credential(&token(&tenant, "second"));
    std::fs::write(starts.with_extension("answer"), "no credentials today").unwrap();
    end_account(&tenant);
    watching.until(|line| line.starts_with("stderr: error:") && line.contains("plugin"));
    std::fs::write(starts.with_extension("answer"), next).unwrap();
    tenant
        .move_tag("tracebloc/jobs-manager", "prod", "two")
        .unwrap();
    watching.until(|line| line == "}");
}

#[test]
fn a_failure_at_the_first_round_ends_it() {
    let tenant = installed("watch-first", "1.9.28");
    let output = run(&tenant, &["status", "no-such-release", "--watch"]);
    assert_eq!(output.code, Some(4), "{output}");
    for arguments in [
        &["outdated", "--watch=0s"][..],
        &["outdated", "--watch=often"],
        &["outdated", "--watch", "--exit-code"],
        &["status", "--watch", "--fail-on", "chart-behind"],
        &["status", "--watch", "--print-rbac"],
    ] {
        let output = run(&tenant, arguments);
        assert_eq!(output.code, Some(2), "{arguments:?}: {output}");
        assert!(output.stderr.contains("--watch"), "{output}");
    }
}

#[test]
fn a_terminal_is_drawn_over_and_an_interrupt_ends_with_130() {
    let tenant = installed("watch-terminal", "1.9.28");
    let line = format!(
        "stty columns 100 rows 60; timeout --signal=INT 4 {PLUGIN} outdated --namespace {} --watch=1s; echo code $?",
        tenant.namespace()
    );
    let mut command = tenant.bed().cluster().command("script", tenant.namespace());
    command
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm");
    let output = Output::of(&mut command).unwrap();
    let text = output.stdout.replace("\r\n", "\n");
    assert!(text.matches("Context: bed").count() >= 2, "{text}");
    // The second goes up by as many rows as the first took.
    let first = text.split("\x1b[J").next().unwrap();
    let rows = first.matches("\x1b[K\n").count();
    assert!(rows > 5, "{text}");
    assert!(first.contains("UTC; Ctrl-C ends"), "{text}");
    assert!(text.contains("A\r"), "{text}");
    assert!(!text.contains("\x1b[2J"), "what stood above stays: {text}");
    assert!(
        text.contains("code 124") || text.contains("code 130"),
        "{text}"
    );
}
