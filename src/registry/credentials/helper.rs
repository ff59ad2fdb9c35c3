//! Credential helpers: programs named `docker-credential-<name>` that keep credentials in the place of a file.
//!
//! A [`HelperName`] comes from the user's own configuration
//! only: what a cluster holds has no way to one.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::{Credential, Login, Secret, key};
use crate::process::{self, Printed};

/// How long a helper may take. It is no part of the registry's time.
const DEADLINE: Duration = Duration::from_secs(5);

/// The most bytes of a helper's answer.
const ANSWER_LIMIT: u64 = 64 * 1024;

/// What a helper prints that has nothing for a registry.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// The user name with which a helper says that the secret is an identity token.
const TOKEN_USER: &str = "<token>";

/// The name of a helper, which is safe as the end of a program's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct HelperName(String);

impl HelperName {
    /// Reads a name of the user's configuration. Anything that could lead to another folder is refused.
    pub(super) fn parse(text: &str) -> Result<Self, HelperError> {
        let is_plain = |character: char| {
            character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-')
        };
        if text.is_empty() || !text.chars().all(is_plain) {
            return Err(HelperError::Name);
        }
        Ok(Self(text.to_owned()))
    }

    fn program(&self) -> String {
        format!("docker-credential-{self}")
    }
}

impl fmt::Display for HelperName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why a helper gave no credentials. What it printed is not repeated: it may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HelperError {
    /// The configuration names none that can be a program.
    #[error(
        "the configuration names a credential helper that is not made of letters, digits, `.`, `_` and `-`"
    )]
    Name,
    /// There is no such program on the PATH.
    #[error("the credential helper `{program}` is not on the PATH")]
    Missing {
        /// The program.
        program: String,
    },
    /// It could not be started, or spoken with.
    #[error("the credential helper `{program}` cannot be run: {reason}")]
    Run {
        /// The program.
        program: String,
        /// What the system says.
        reason: io::ErrorKind,
    },
    /// It ended with an error.
    #[error("the credential helper `{program}` failed{}; `{program} get` shows why", exit_code(*code))]
    Failed {
        /// The program.
        program: String,
        /// Its exit code; none where a signal ended it.
        code: Option<i32>,
    },
    /// It did not end.
    #[error("the credential helper `{program}` did not answer within {} s", DEADLINE.as_secs())]
    Timeout {
        /// The program.
        program: String,
    },
    /// It printed something else than credentials.
    #[error("the credential helper `{program}` answered something that is no credential")]
    Malformed {
        /// The program.
        program: String,
    },
}

fn exit_code(code: Option<i32>) -> String {
    code.map_or_else(String::new, |code| format!(" with exit code {code}"))
}

/// By helper and registry: what it answered.
type Answers = HashMap<(HelperName, String), Arc<OnceCell<Answer>>>;

type Answer = Result<Option<Credential>, HelperError>;

/// The helpers of one run, each started once for each registry.
#[derive(Debug, Default)]
pub(super) struct Helpers(Mutex<Answers>);

impl Helpers {
    /// What a helper keeps for a registry: none where it has nothing.
    pub(super) async fn get(&self, name: &HelperName, registry: &str) -> Answer {
        let cell = {
            let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(
                answers
                    .entry((name.clone(), registry.to_owned()))
                    .or_default(),
            )
        };
        cell.get_or_init(|| ask(name, key::server(registry)))
            .await
            .clone()
    }
}

async fn ask(name: &HelperName, server: &str) -> Answer {
    let program = name.program();
    match timeout(DEADLINE, exchange(&program, server)).await {
        Ok(answer) => answer,
        // The process ends with the future that was dropped.
        Err(_elapsed) => Err(HelperError::Timeout { program }),
    }
}

/// The helpers' protocol: the registry on standard input, JSON on standard output.
async fn exchange(program: &str, server: &str) -> Answer {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => HelperError::Missing {
            program: program.to_owned(),
        },
        reason => HelperError::Run {
            program: program.to_owned(),
            reason,
        },
    };
    let mut command = Command::new(program);
    command.arg("get").stderr(Stdio::null());
    let question = format!("{server}\n");
    let Printed { status, output } = process::ask(command, Some(&question), ANSWER_LIMIT)
        .await
        .map_err(failed)?;
    read(program, status.success(), status.code(), &output)
}

#[derive(Deserialize)]
struct Answered {
    #[serde(default, rename = "Username")]
    username: String,
    #[serde(default, rename = "Secret")]
    secret: String,
}

/// What the output of a helper means.
fn read(program: &str, success: bool, code: Option<i32>, printed: &[u8]) -> Answer {
    let program = program.to_owned();
    if !success {
        return if String::from_utf8_lossy(printed).trim() == NOT_FOUND {
            Ok(None)
        } else {
            Err(HelperError::Failed { program, code })
        };
    }
    let Ok(Answered { username, secret }) = serde_json::from_slice(printed) else {
        return Err(HelperError::Malformed { program });
    };
    let secret = Secret(secret);
    Ok(match (username.as_str(), secret.expose()) {
        (_, "") | ("", _) => None,
        (TOKEN_USER, _) => Some(Credential::Identity {
            token: secret,
            login: None,
        }),
        _ => Some(Credential::Login(Login {
            username,
            password: secret,
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["desktop", "ecr-login", "gcloud", "a.b_c-1"] {
            assert_eq!(
                HelperName::parse(name).expect(name).program(),
                format!("docker-credential-{name}")
            );
        }
        for name in ["", "../x", "a/b", "a b", "a;b", "a\0b", "ä", "a\\b"] {
            assert_eq!(HelperName::parse(name), Err(HelperError::Name), "{name:?}");
        }
    }

    #[test]
    fn every_answer_has_its_meaning() {
        let program = "docker-credential-x";
        let answer = |code: i32, text: &str| read(program, code == 0, Some(code), text.as_bytes());
        assert_eq!(
            answer(
                0,
                r#"{"ServerURL":"s","Username":"jane","Secret":"hunter2"}"#
            ),
            Ok(Some(Credential::Login(Login {
                username: "jane".to_owned(),
                password: Secret("hunter2".to_owned()),
            })))
        );
        assert_eq!(
            answer(0, r#"{"Username":"<token>","Secret":"hunter2"}"#),
            Ok(Some(Credential::Identity {
                token: Secret("hunter2".to_owned()),
                login: None,
            }))
        );
        assert_eq!(
            answer(0, r#"{"ServerURL":"","Username":"","Secret":""}"#),
            Ok(None)
        );
        assert_eq!(
            answer(1, "credentials not found in native keychain\n"),
            Ok(None)
        );
        for (code, text) in [(1, "hunter2 is wrong"), (0, "hunter2"), (0, "")] {
            let error = answer(code, text).expect_err(text);
            assert!(!format!("{error} {error:?}").contains("hunter2"));
            assert!(error.to_string().contains(program));
        }
    }

    #[tokio::test]
    async fn a_helper_that_is_not_there_is_named() {
        let name = HelperName::parse("tracebloc-test-nowhere").expect("plain");
        let error = Helpers::default().get(&name, "ghcr.io").await;
        assert_eq!(
            error,
            Err(HelperError::Missing {
                program: "docker-credential-tracebloc-test-nowhere".to_owned()
            })
        );
    }
}
