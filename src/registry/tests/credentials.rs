//! Which credentials are used, and what is said where they do not help.

use super::*;

#[tokio::test]
async fn a_refused_credential_does_not_hide_what_is_public() {
    let server = guarded(|head| {
        if header_of(head, "authorization").is_some() {
            reply(403, "", "")
        } else {
            reply(200, "", r#"{"token":"good"}"#)
        }
    });
    let auths = format!(
        r#"{{"auths":{{"{}":{{"username":"u","password":"expired"}}}}}}"#,
        server.address
    );
    registry(&auths)
        .published(&image(&server, "a:b"))
        .await
        .expect("public");
    assert_eq!(count(&server, "GET /token"), 2);

    let closed = guarded(|_| reply(401, "", ""));
    let auths = format!(
        r#"{{"auths":{{"{}":{{"username":"u","password":"expired"}}}}}}"#,
        closed.address
    );
    let error = registry(&auths)
        .published(&image(&closed, "a:b"))
        .await
        .expect_err("closed");
    assert!(
        matches!(
            &error,
            RegistryError::Unauthorized {
                asked: Asked::Refused(None),
                ..
            }
        ),
        "{error:?}"
    );
    assert!(!format!("{error:?}").contains("expired"));
}

#[tokio::test]
async fn basic_credentials_are_sent_only_where_they_are_asked_for() {
    let server = Server::start(|head| match header_of(head, "authorization") {
        Some("Basic dTpw") => found(IMAGE),
        _ => reply(401, "WWW-Authenticate: Basic realm=\"x\"\r\n", ""),
    });
    let auths = format!(
        r#"{{"auths":{{"{}/a":{{"auth":"dTpw"}}}}}}"#,
        server.address
    );
    let registry = registry(&auths);
    registry
        .published(&image(&server, "a/b:c"))
        .await
        .expect("allowed");
    assert_eq!(server.seen().len(), 2);
    let error = registry
        .published(&image(&server, "other/b:c"))
        .await
        .expect_err("no credentials");
    assert!(
        matches!(
            error,
            RegistryError::Unauthorized {
                asked: Asked::Anonymously,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn credentials_that_could_not_be_had_are_told_with_the_refusal() {
    let server = Server::start(|_| reply(401, "WWW-Authenticate: Basic realm=\"x\"\r\n", ""));
    let broken = format!(r#"{{"auths":{{"{}":{{"auth":"%%%"}}}}}}"#, server.address);
    for (config, word) in [
        (
            r#"{"credsStore":"tracebloc-test-nowhere"}"#,
            "`docker-credential-tracebloc-test-nowhere` is not on the PATH",
        ),
        (r#"{"credsStore":"../evil"}"#, "not made of letters"),
        (broken.as_str(), "of `/c/config.json` is neither"),
    ] {
        let error = registry(config)
            .published(&image(&server, "a"))
            .await
            .expect_err("refused")
            .to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[tokio::test]
async fn a_helper_is_not_started_for_a_registry_that_asks_for_nothing() {
    for (status, word) in [(200, None), (403, Some("(asked without credentials)"))] {
        let server = Server::start(move |_| match status {
            200 => found(IMAGE),
            status => reply(status, "", ""),
        });
        let outcome = registry(r#"{"credsStore":"tracebloc-test-nowhere"}"#)
            .published(&image(&server, "a"))
            .await;
        match word {
            None => assert!(outcome.is_ok(), "{outcome:?}"),
            Some(word) => {
                let error = outcome.expect_err("refused").to_string();
                assert!(error.contains(word), "no helper was asked: {error}");
            }
        }
    }
}

#[tokio::test]
async fn a_registry_token_goes_to_the_registry_itself() {
    let server = guarded(|_| reply(500, "", ""));
    let config = format!(
        r#"{{"auths":{{"{}":{{"registrytoken":"good"}}}}}}"#,
        server.address
    );
    registry(&config)
        .published(&image(&server, "a:b"))
        .await
        .expect("allowed");
    assert_eq!(count(&server, "GET /token"), 0);
}

#[tokio::test]
async fn an_identity_token_is_exchanged_or_else_used_as_the_password() {
    let azure = r#""username":"u","identitytoken":"identity""#;
    for (exchange, entry, posts, gets) in [
        (200, azure, 1, 0),
        (404, azure, 1, 1),
        (405, azure, 1, 1),
        (401, azure, 1, 1),
    ] {
        let server = guarded(move |head| {
            let token = reply(200, "", r#"{"access_token":"good"}"#);
            if head.starts_with("POST") {
                assert!(header_of(head, "authorization").is_none(), "{head}");
                return if exchange == 200 {
                    token
                } else {
                    reply(exchange, "", "")
                };
            }
            // u:identity
            match header_of(head, "authorization") {
                Some("Basic dTppZGVudGl0eQ==") => token,
                _ => reply(401, "", ""),
            }
        });
        let config = format!(r#"{{"auths":{{"{}":{{{entry}}}}}}}"#, server.address);
        registry(&config)
            .published(&image(&server, "a:b"))
            .await
            .unwrap_or_else(|error| panic!("{exchange}: {error}"));
        assert_eq!(count(&server, "POST /token"), posts, "{exchange}");
        assert_eq!(count(&server, "GET /token"), gets, "{exchange}");
    }
    let refusing = guarded(|_| reply(404, "", ""));
    let config = format!(
        r#"{{"auths":{{"{}":{{"identitytoken":"identity"}}}}}}"#,
        refusing.address
    );
    let error = registry(&config)
        .published(&image(&refusing, "a:b"))
        .await
        .expect_err("nothing helps");
    assert!(!format!("{error:?}").contains("identity"), "{error:?}");
}

/// Asks with pull secrets, each of one user with the password `p`.
async fn with_pull_secrets(server: &Server, users: &[&str]) -> Result<Published, RegistryError> {
    let registry = registry("{}");
    let image = image(server, "a/b:c");
    let mut keyring = Keyring::default();
    for user in users {
        let json = format!(
            r#"{{"auths":{{"{}":{{"username":"{user}","password":"p"}}}}}}"#,
            server.address
        );
        keyring
            .add_config_json(json.as_bytes())
            .expect("well-formed");
    }
    let trouble = Trouble::PullSecret {
        secret: "edge/other".to_owned(),
        reason: "forbidden".to_owned(),
    };
    registry.lend(image.repository().clone(), keyring, Some(trouble));
    registry.published(&image).await
}

#[tokio::test]
async fn all_pull_secrets_are_tried() {
    // Basic credentials of `one` see nothing, of `two` are refused, of `three` are taken.
    let server = Server::start(|head| match header_of(head, "authorization") {
        Some("Basic b25lOnA=") => reply(404, "", ""),
        Some("Basic dGhyZWU6cA==") => found(IMAGE),
        _ => reply(401, "WWW-Authenticate: Basic realm=\"x\"\r\n", ""),
    });
    for users in [["one", "two", "three"], ["two", "one", "three"]] {
        let published = with_pull_secrets(&server, &users).await;
        assert!(published.is_ok(), "{users:?}: {published:?}");
    }
    let missing = with_pull_secrets(&server, &["one", "two"]).await;
    assert!(
        matches!(missing, Err(RegistryError::NotFound { .. })),
        "what one of them sees counts: {missing:?}"
    );
    let refused = with_pull_secrets(&server, &["two"]).await;
    let message = refused.expect_err("refused").to_string();
    assert!(
        message.contains("are refused; the pull secret `edge/other` cannot be used: forbidden"),
        "{message}"
    );
    let none = with_pull_secrets(&server, &[]).await;
    let message = none.expect_err("refused").to_string();
    assert!(
        message.contains("asked without credentials: the pull secret `edge/other`"),
        "{message}"
    );
}
