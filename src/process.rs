//! A program of the user's that is asked something and prints its answer. Which program that may be, the caller knows.

use std::io;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

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
}
