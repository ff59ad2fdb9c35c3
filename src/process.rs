//! A program of the user's that is asked something and prints its answer. Which program that may be, the caller knows.

use std::io;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

/// How a program ended, and what it printed.
pub(crate) struct Printed {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// What it printed on standard output, at most so many bytes.
    pub(crate) output: Vec<u8>,
}

/// Starts a program, gives it a question on standard input if there is one, and waits until it ends. It ends with the future if that is dropped
/// first; what it prints beyond `limit` bytes is not read.
pub(crate) async fn ask(
    mut command: Command,
    question: Option<&str>,
    limit: u64,
) -> io::Result<Printed> {
    command.stdout(Stdio::piped()).kill_on_drop(true);
    if question.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn()?;
    if let (Some(question), Some(mut stdin)) = (question, child.stdin.take()) {
        match stdin.write_all(question.as_bytes()).await {
            // One that does not read its question may know the answer all the same.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            outcome => outcome?,
        }
    }
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(limit).read_to_end(&mut output).await?;
    }
    let status = child.wait().await?;
    Ok(Printed { status, output })
}

/// How a program ended that was to do something, and what it printed.
pub(crate) struct Ended {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// What it printed on standard output, at most so many bytes.
    pub(crate) output: Vec<u8>,
    /// The same of standard error.
    pub(crate) complaint: Vec<u8>,
    /// True if it was asked to end before it did.
    pub(crate) was_stopped: bool,
}

/// Starts a program that does something, and waits until it ends. Once `stop` comes it is asked to end in good order (SIGTERM), and waited for all the
/// same: a signal from the terminal reaches us and not it. It is killed with the future if that is dropped first.
pub(crate) async fn run(
    mut command: Command,
    limit: u64,
    stop: impl Future<Output = ()>,
) -> io::Result<Ended> {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let printed = async { tokio::try_join!(read(stdout, limit), read(stderr, limit)) };
    tokio::pin!(printed, stop);
    let mut was_stopped = false;
    let (output, complaint) = tokio::select! {
        printed = &mut printed => printed?,
        () = &mut stop => {
            was_stopped = true;
            ask_to_end(&mut child)?;
            printed.await?
        }
    };
    let status = child.wait().await?;
    Ok(Ended {
        status,
        output,
        complaint,
        was_stopped,
    })
}

/// Reads to the end, and keeps the beginning: a program that cannot print what it has to say would not end.
async fn read(from: Option<impl AsyncRead + Unpin>, limit: u64) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    if let Some(mut from) = from {
        (&mut from).take(limit).read_to_end(&mut kept).await?;
        tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
    }
    Ok(kept)
}

#[cfg(unix)]
fn ask_to_end(child: &mut Child) -> io::Result<()> {
    use rustix::process::{Pid, Signal, kill_process};
    let id = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
    match id {
        Some(id) => Ok(kill_process(id, Signal::TERM)?),
        // It has ended already.
        None => Ok(()),
    }
}

#[cfg(not(unix))]
fn ask_to_end(child: &mut Child) -> io::Result<()> {
    child.start_kill()
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        command
    }

    #[tokio::test]
    async fn a_program_gets_its_question_and_its_answer_is_read() {
        let printed = ask(
            shell("read -r line; echo \"<$line>\"; exit 3"),
            Some("who\n"),
            100,
        )
        .await;
        let printed = printed.expect("run");
        assert_eq!(printed.output, b"<who>\n");
        assert_eq!(printed.status.code(), Some(3));
    }

    #[tokio::test]
    async fn one_that_does_not_listen_is_heard_and_one_without_end_is_ended() {
        let question = "x".repeat(1024 * 1024);
        let deaf = ask(shell("exec <&-; echo well"), Some(&question), 100).await;
        assert_eq!(deaf.expect("run").output, b"well\n");
        let endless = ask(shell("while echo more; do :; done"), None, 100).await;
        assert_eq!(endless.expect("run").output.len(), 100);
    }

    #[tokio::test]
    async fn one_that_does_something_is_heard_and_ended_in_good_order() {
        let ended = run(
            shell("echo much; echo less >&2; exit 4"),
            3,
            std::future::pending(),
        )
        .await;
        let ended = ended.expect("run");
        assert_eq!(
            (ended.output.as_slice(), ended.complaint.as_slice()),
            (&b"muc"[..], &b"les"[..])
        );
        assert_eq!((ended.status.code(), ended.was_stopped), (Some(4), false));
        let script = "trap 'echo well >&2; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
        let soon = tokio::time::sleep(std::time::Duration::from_millis(500));
        let ended = run(shell(script), 100, soon).await.expect("run");
        assert_eq!(ended.complaint, b"well\n");
        assert_eq!((ended.status.code(), ended.was_stopped), (Some(5), true));
    }
}
