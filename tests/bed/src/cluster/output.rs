//! What a program printed and how it ended.

use std::fmt;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::ClusterError;

/// The result of a program.
#[derive(Clone, PartialEq, Eq)]
#[must_use = "check whether the program succeeded"]
pub struct Output {
    /// The command line, as a person would type it.
    pub command: String,
    /// The exit code; nothing where a signal ended the program.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Result<Self, ClusterError> {
        let shown = shown(command);
        let output = command.output().map_err(|source| ClusterError::Start {
            command: shown.clone(),
            source,
        })?;
        Ok(Self::from_parts(shown, &output))
    }

    /// Runs a command to its end, with standard input.
    pub fn of_input(command: &mut Command, input: &str) -> Result<Self, ClusterError> {
        let shown = shown(command);
        let failed = |source| ClusterError::Start {
            command: shown.clone(),
            source,
        };
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let stdin = child.stdin.take();
        // Written beside the reading: a program may print before it has read everything. One that ends early is judged by its exit
        // code, not by the broken pipe.
        let input = input.to_owned();
        let writer =
            std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(input.as_bytes())));
        let output = child.wait_with_output().map_err(failed)?;
        let _written = writer.join();
        Ok(Self::from_parts(shown, &output))
    }

    fn from_parts(command: String, output: &std::process::Output) -> Self {
        Self {
            command,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Whether the exit code is 0.
    pub fn is_success(&self) -> bool {
        self.code == Some(0)
    }

    /// Standard output of a program that succeeded; otherwise an error that shows everything.
    pub fn success(self) -> Result<String, ClusterError> {
        if self.is_success() {
            Ok(self.stdout)
        } else {
            Err(ClusterError::Command(Box::new(self)))
        }
    }
}

/// As in a terminal: the command line, its output, and the exit code.
impl fmt::Display for Output {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            command,
            code,
            stdout,
            stderr,
        } = self;
        writeln!(formatter, "$ {command}\n{}", stdout.trim_end())?;
        if !stderr.trim().is_empty() {
            writeln!(formatter, "------- stderr -------\n{}", stderr.trim_end())?;
        }
        match code {
            Some(code) => write!(formatter, "[exit code {code}]"),
            None => formatter.write_str("[ended by a signal]"),
        }
    }
}

/// `unwrap` in a test prints this.
impl fmt::Debug for Output {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\n{self}\n")
    }
}

/// The command line with the program's own name in place of its path.
fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut words = vec![
        program
            .file_name()
            .unwrap_or(program.as_os_str())
            .to_string_lossy()
            .into_owned(),
    ];
    words.extend(
        command
            .get_args()
            .map(|argument| argument.to_string_lossy().into_owned()),
    );
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_command_output_and_code() {
        let output =
            Output::of(Command::new("/bin/sh").args(["-c", "echo out; echo err >&2; exit 7"]))
                .unwrap();
        let text = output.success().unwrap_err().to_string();
        assert!(text.starts_with("$ sh -c"), "{text}");
        assert!(
            text.contains("out") && text.contains("err") && text.ends_with("[exit code 7]"),
            "{text}"
        );
    }

    #[test]
    fn input_reaches_the_program() {
        let output = Output::of_input(&mut Command::new("cat"), "hello").unwrap();
        assert_eq!(output.success().unwrap(), "hello");
    }
}
