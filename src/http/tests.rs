//! The client's behaviour towards a server that says what a real one cannot be made to say on demand.

mod server;

use std::io::Write as _;
use std::net::TcpListener;

use reqwest::header::HeaderValue;

use super::*;

pub(crate) use server::{Server, reply};

/// A client, after the crypto provider of the process is there.
pub(crate) fn client() -> HttpClient {
    // Another test of this process may have been first.
    rustls::crypto::ring::default_provider()
        .install_default()
        .unwrap_or_default();
    HttpClient::new(ExtraRoots::default(), None).expect("a client")
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(3)
}

#[tokio::test]
async fn short_trouble_is_waited_out() {
    let server = Server::scripted(&[&reply(503, "", ""), "", &reply(200, "", "well")]);
    let answer = client()
        .send(&Request::get(server.url("/"), soon()))
        .await
        .expect("the third try");
    assert_eq!(answer.body, b"well");
    assert_eq!(server.seen().len(), 3);
    assert!(
        server.seen()[0]
            .to_ascii_lowercase()
            .contains(&format!("user-agent: {USER_AGENT}"))
    );
}

#[tokio::test]
async fn lasting_trouble_is_reported_after_four_tries() {
    let broken = reply(502, "", "");
    let server = Server::start(move |_| broken.clone());
    let answer = client()
        .send(&Request::get(server.url("/"), soon()))
        .await
        .expect("an answer");
    assert_eq!(answer.status.as_u16(), 502);
    assert!(matches!(
        answer.success(),
        Err(HttpError::Status { status: 502, .. })
    ));
    assert_eq!(server.seen().len(), 4);
    let server = Server::start(|_| String::new());
    let error = client()
        .send(&Request::get(server.url("/"), soon()))
        .await
        .expect_err("no answer");
    assert!(matches!(error, HttpError::Interrupted { .. }), "{error:?}");
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn other_refusals_are_not_repeated() {
    for status in [400, 401, 403, 404, 500] {
        let text = reply(status, "", "");
        let server = Server::start(move |_| text.clone());
        let answer = client()
            .send(&Request::get(server.url("/"), soon()))
            .await
            .expect("an answer");
        assert_eq!((answer.status.as_u16(), server.seen().len()), (status, 1));
    }
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_only_within_the_deadline() {
    let server = Server::scripted(&[&reply(429, "Retry-After: 1\r\n", ""), &reply(200, "", "")]);
    let begun = Instant::now();
    assert!(
        client()
            .send(&Request::get(server.url("/"), soon()))
            .await
            .is_ok()
    );
    assert!(begun.elapsed() >= Duration::from_secs(1));

    let dates =
        "Date: Wed, 21 Oct 2015 07:28:00 GMT\r\nRetry-After: Wed, 21 Oct 2015 07:30:00 GMT\r\n";
    for (headers, expected) in [
        ("Retry-After: 60\r\n", Some(60)),
        (dates, Some(120)),
        ("Retry-After: 18446744073709551615\r\n", Some(u64::MAX)),
    ] {
        let server = Server::scripted(&[&reply(429, headers, "")]);
        let error = client()
            .send(&Request::get(server.url("/"), soon()))
            .await
            .expect_err("limited");
        let HttpError::RateLimited { retry_after, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(retry_after, expected.map(Duration::from_secs), "{headers}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_limit_without_a_word_on_how_long_is_tried_again_a_few_times() {
    for (status, headers) in [(429, ""), (429, "Retry-After: soon\r\n"), (503, "")] {
        let limited = reply(status, headers, "");
        let server = Server::scripted(&[&limited, &limited, &limited, &reply(200, "", "well")]);
        let answer = client().send(&Request::get(server.url("/"), soon())).await;
        assert_eq!(answer.expect("the fourth try").body, b"well");
    }
    let server = Server::start(|_| reply(429, "", ""));
    let client = client();
    for tries in [4, 1, 1] {
        let before = server.seen().len();
        let error = client
            .send(&Request::get(server.url("/"), soon()))
            .await
            .expect_err("limited");
        assert!(matches!(error, HttpError::RateLimited { .. }), "{error:?}");
        assert_eq!(
            server.seen().len() - before,
            tries,
            "only the first insists"
        );
    }
}

#[tokio::test]
async fn no_pause_outlasts_the_deadline() {
    let server = Server::start(|_| reply(429, "", ""));
    let begun = Instant::now();
    let deadline = begun + Duration::from_millis(400);
    let error = client()
        .send(&Request::get(server.url("/"), deadline))
        .await
        .expect_err("limited");
    assert!(matches!(error, HttpError::RateLimited { .. }), "{error:?}");
    assert!(Instant::now() < deadline + Duration::from_millis(50));
    assert!(
        (2..=3).contains(&server.seen().len()),
        "{:?}",
        server.seen()
    );
}

#[tokio::test]
async fn the_deadline_covers_a_body_that_never_ends() {
    let server = Server::start(|_| {
        std::thread::sleep(Duration::from_secs(2));
        String::new()
    });
    let deadline = Instant::now() + Duration::from_millis(300);
    let begun = Instant::now();
    let error = client()
        .send(&Request::get(server.url("/"), deadline))
        .await
        .expect_err("late");
    assert!(begun.elapsed() < Duration::from_millis(1500));
    let HttpError::Timeout { endpoint, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(endpoint.port, server.address.port());
    assert!(error.to_string().contains(&server.address.to_string()));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_announced_or_not() {
    let announced = reply(200, "", "12345678901");
    let chunked = "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n5\r\n78901\r\n0\r\n\r\n";
    for text in [announced, chunked.to_owned()] {
        let server = Server::start(move |_| text.clone());
        let request = Request::get(server.url("/"), soon());
        let error = client()
            .send(&request.clone().body_limit(10))
            .await
            .expect_err("too large");
        assert!(
            matches!(error, HttpError::TooLarge { limit: 10, .. }),
            "{error:?}"
        );
        assert_eq!(
            client()
                .send(&request.body_limit(11))
                .await
                .expect("fits")
                .body,
            b"12345678901"
        );
    }
}

#[tokio::test]
async fn credentials_stay_with_their_host_across_redirects() {
    let other = Server::start(|_| reply(200, "", "there"));
    let target = format!("Location: http://{}/x\r\n", other.address);
    let first = Server::start(move |head| {
        if head.starts_with("GET /near ") {
            reply(302, "Location: /far\r\n", "")
        } else {
            reply(307, &target, "")
        }
    });
    let request = Request::get(first.url("/near"), soon())
        .authorization(HeaderValue::from_static("Basic hunter2"));
    assert!(!format!("{request:?}").contains("hunter2"));
    let answer = client().send(&request).await.expect("followed");
    assert_eq!(answer.body, b"there");
    assert_eq!(answer.endpoint.port, other.address.port());
    assert!(
        first.seen().iter().all(|head| head.contains("hunter2")),
        "{:?}",
        first.seen()
    );
    assert_eq!(first.seen().len(), 2);
    assert!(
        other
            .seen()
            .iter()
            .all(|head| !head.to_ascii_lowercase().contains("authorization")),
        "{:?}",
        other.seen()
    );

    let error = client()
        .send(&request.redirects(Redirects::SameOrigin))
        .await
        .expect_err("elsewhere");
    assert!(matches!(error, HttpError::Redirect { .. }), "{error:?}");
}

#[tokio::test]
async fn redirects_to_nowhere_good_are_refused() {
    for target in [
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "/again",
    ] {
        let text = reply(302, &format!("Location: {target}\r\n"), "");
        let server = Server::start(move |_| text.clone());
        let error = client()
            .send(&Request::get(server.url("/again"), soon()))
            .await
            .expect_err(target);
        assert!(
            matches!(error, HttpError::Redirect { .. }),
            "{target}: {error:?}"
        );
    }
    let (from, to) = (
        SafeUrl::parse("https://h/").expect("a URL"),
        SafeUrl::parse("http://h/").expect("a URL"),
    );
    assert!(check_redirect(Redirects::Follow, &from, &to, false).is_err());
}

#[tokio::test]
async fn failures_to_connect_are_told_apart() {
    let free = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("bound");
    let url = SafeUrl::parse(&format!("http://{free}/")).expect("a URL");
    let error = client()
        .send(&Request::get(url, soon()))
        .await
        .expect_err("refused");
    assert!(matches!(error, HttpError::Connect { .. }), "{error:?}");
    assert!(error.to_string().contains(&free.to_string()));

    let server = Server::start(|_| reply(400, "", ""));
    let speaks_plain = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = speaks_plain.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut stream in speaks_plain.incoming().flatten() {
            stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .unwrap_or_default();
        }
    });
    let url = SafeUrl::parse(&format!("https://{address}/")).expect("a URL");
    let error = client()
        .send(&Request::get(url, soon()))
        .await
        .expect_err("no TLS");
    assert!(matches!(error, HttpError::Tls { .. }), "{error:?}");
    assert!(server.seen().is_empty());

    // A label longer than DNS allows fails in the resolver itself, without a question to a server.
    let url = SafeUrl::parse(&format!("http://{}.invalid/", "x".repeat(64))).expect("a URL");
    let direct = HttpClient {
        budget: None,
        backoff: Arc::new(Backoff::seeded(0)),
        roots: ExtraRoots::default(),
        tls: TlsOptions::default(),
        proxied: build(
            reqwest::Client::builder().no_proxy(),
            &ExtraRoots::default(),
            &TlsOptions::default(),
        )
        .expect("a client"),
        direct: OnceLock::new(),
        deadline: None,
    };
    let error = direct
        .send(&Request::get(url, soon()))
        .await
        .expect_err("no such name");
    assert!(matches!(error, HttpError::Dns { .. }), "{error:?}");
}

#[tokio::test]
async fn every_request_counts_for_the_budget_of_its_host() {
    let server = Server::scripted(&[&reply(503, "", ""), &reply(200, "", "well")]);
    let other = Server::start(|_| reply(200, "", ""));
    let client = client().limited(NonZeroU32::new(2));
    let request = Request::get(server.url("/"), soon());
    client.send(&request).await.expect("the second try");
    let error = client.send(&request).await.expect_err("spent");
    assert!(matches!(error, HttpError::Budget { .. }), "{error:?}");
    assert!(error.to_string().contains(&server.address.to_string()));
    assert_eq!(server.seen().len(), 2);
    let elsewhere = Request::get(other.url("/"), soon());
    client.send(&elsewhere).await.expect("another host");
}

#[tokio::test]
async fn a_form_is_sent_once_to_its_own_server_and_cannot_be_printed() {
    let server = Server::start(|head| {
        if head.starts_with("POST /moved") {
            reply(307, "Location: http://192.0.2.1/\r\n", "")
        } else {
            reply(200, "", "")
        }
    });
    let form = |path: &str| Request::post_form(server.url(path), [("token", "hunter2")], soon());
    assert!(!format!("{:?}", form("/")).contains("hunter2"));
    client().send(&form("/")).await.expect("sent");
    let head = server.seen()[0].to_ascii_lowercase();
    assert!(head.starts_with("post / "), "{head}");
    assert!(
        head.contains("content-type: application/x-www-form-urlencoded"),
        "{head}"
    );
    assert!(
        head.contains(&format!("content-length: {}", "token=hunter2".len())),
        "{head}"
    );
    let error = client().send(&form("/moved")).await.expect_err("elsewhere");
    assert!(matches!(error, HttpError::Redirect { .. }), "{error:?}");
}

#[test]
fn a_file_without_authorities_is_named() {
    let place = std::env::temp_dir().join(format!("tracebloc-roots-{}", std::process::id()));
    for (content, word) in [
        (None, "cannot be read"),
        (Some("no certificate"), "holds no certificate"),
        (
            Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "certificate 1",
        ),
        (
            Some("-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n"),
            "certificate 1",
        ),
    ] {
        if let Some(content) = content {
            std::fs::write(&place, content).expect("a file");
        }
        let error = ExtraRoots::read(&place).expect_err(word).to_string();
        assert!(
            error.contains(word) && error.contains("--ca-file"),
            "{error}"
        );
    }
    std::fs::remove_file(&place).expect("removed");
}

#[tokio::test]
async fn overload_that_outlasts_the_deadline_is_a_rate_limit() {
    let server = Server::start(|_| reply(503, "Retry-After: 60\r\n", ""));
    let error = client()
        .send(&Request::get(server.url("/"), soon()))
        .await
        .expect_err("too long");
    assert!(
        matches!(&error, HttpError::RateLimited { retry_after: Some(wait), .. } if wait.as_secs() == 60),
        "{error:?}"
    );
    assert_eq!(server.seen().len(), 1);
}
