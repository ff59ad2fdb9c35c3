use super::*;
use crate::runtime::block_on;
use std::io::{Read as _, Write as _};
use std::time::Instant;

struct Echo;

impl Connection for Echo {
    fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>> {
        Box::pin(async move {
            if request.uri().path() == "/upgrade" {
                tokio::spawn(async move {
                    let upgraded = hyper::upgrade::on(request).await.unwrap();
                    let (mut reader, mut writer) = tokio::io::split(TokioIo::new(upgraded));
                    tokio::io::copy(&mut reader, &mut writer).await
                });
                let response = Response::builder()
                    .status(StatusCode::SWITCHING_PROTOCOLS)
                    .header(CONNECTION, "upgrade")
                    .header(UPGRADE, "mirror");
                return Ok(response.body(empty())?);
            }
            if request.uri().path() == "/moved" {
                let response = Response::builder().status(StatusCode::TEMPORARY_REDIRECT);
                return Ok(response.header("location", "/elsewhere").body(empty())?);
            }
            let text = format!("{} {}", request.method(), request.uri());
            Ok(Response::builder()
                .header("docker-content-digest", "sha256:1")
                .body(full(text))?)
        })
    }
}

fn beds() -> (LoopbackServer, Proxy) {
    let server = LoopbackServer::start(None, |_reset| Echo).unwrap();
    let proxy = Proxy::before(&format!("http://{}", server.address())).unwrap();
    (server, proxy)
}

fn get(proxy: &Proxy, path: &str) -> reqwest::Result<(u16, bool, String)> {
    block_on(async {
        let client = Client::builder().no_proxy().build()?;
        let answer = client.get(format!("{}{path}", proxy.url())).send().await?;
        let status = answer.status().as_u16();
        let has_digest = answer.headers().contains_key("docker-content-digest");
        Ok((status, has_digest, answer.text().await?))
    })
}

#[test]
fn what_no_rule_names_is_passed_on_and_logged() {
    let (_server, proxy) = beds();
    assert_eq!(
        get(&proxy, "/a?b=c").unwrap(),
        (200, true, "GET /a?b=c".to_owned())
    );
    let log = proxy.log().all();
    assert_eq!((log.len(), log[0].path.as_str()), (1, "/a?b=c"));
}

#[test]
fn each_fault_does_what_it_says() {
    let (_server, proxy) = beds();
    proxy.break_with(Rule::new("/reset", Fault::Reset));
    proxy.break_with(Rule::new("/twice", Fault::status(503)).times(2));
    proxy.break_with(Rule::new("/cut", Fault::Cut(3)));
    proxy.break_with(Rule::new("/other", Fault::Body("other".to_owned())));
    proxy.break_with(Rule::new(
        "/bare",
        Fault::DropHeader("Docker-Content-Digest"),
    ));
    proxy.break_with(Rule::new(
        "/late",
        Fault::Latency(Duration::from_millis(300)),
    ));
    proxy.break_with(Rule::new(
        "/drip",
        Fault::Drip(2, Duration::from_millis(50)),
    ));
    assert!(get(&proxy, "/reset").is_err());
    assert_eq!(get(&proxy, "/twice").unwrap().0, 503);
    assert_eq!(get(&proxy, "/twice").unwrap().0, 503);
    assert_eq!(get(&proxy, "/twice").unwrap().0, 200);
    assert!(get(&proxy, "/cut").is_err());
    assert_eq!(get(&proxy, "/other").unwrap().2, "other");
    assert!(!get(&proxy, "/bare").unwrap().1);
    for slow in ["/late", "/drip"] {
        let started = Instant::now();
        assert_eq!(get(&proxy, slow).unwrap().0, 200);
        assert!(started.elapsed() >= Duration::from_millis(100), "{slow}");
    }
    proxy.heal();
    assert_eq!(get(&proxy, "/reset").unwrap().0, 200);
}

#[test]
fn what_the_server_breaks_off_does_not_look_whole() {
    let (_server, near) = beds();
    // Without a length nothing but the end itself tells that the body is whole.
    near.break_with(Rule::new("/", Fault::DropHeader("content-length")));
    near.break_with(Rule::new("/cut", Fault::Cut(3)));
    let far = Proxy::before(&near.url()).unwrap();
    assert_eq!(get(&far, "/whole").unwrap().2, "GET /whole");
    assert!(get(&far, "/cut").is_err());
}

/// Sends a request as text and returns what came until the connection ended, and how it ended.
fn raw(proxy: &Proxy, request: &str) -> (String, Option<io::ErrorKind>) {
    let mut stream = std::net::TcpStream::connect(proxy.host()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let ended = stream.read_to_end(&mut bytes).err();
    (
        String::from_utf8(bytes).unwrap(),
        ended.map(|error| error.kind()),
    )
}

#[test]
fn a_reset_is_a_reset_and_a_cut_body_begins() {
    let (_server, proxy) = beds();
    proxy.break_with(Rule::new("/reset", Fault::Reset));
    proxy.break_with(Rule::new("/cut", Fault::Cut(3)));
    let (text, ended) = raw(&proxy, "GET /reset HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(
        (text.as_str(), ended),
        ("", Some(io::ErrorKind::ConnectionReset))
    );
    let (text, ended) = raw(&proxy, "GET /cut HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(text.contains("content-length: 8\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\nGET"), "{text}");
    assert_eq!(ended, None, "it ends early, not with a reset");
    assert_eq!(proxy.log().all()[0].status, None);
    assert_eq!(proxy.log().all()[1].response_bytes, 3);
}

#[test]
fn what_another_server_points_to_is_not_fetched() {
    let (_server, proxy) = beds();
    let (text, _) = raw(
        &proxy,
        "GET /moved HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    );
    assert!(text.starts_with("HTTP/1.1 307"), "{text}");
    assert!(text.contains("location: /elsewhere"), "{text}");
}

#[test]
fn another_protocol_passes_in_both_directions() {
    let (_server, proxy) = beds();
    let mut stream = std::net::TcpStream::connect(proxy.host()).unwrap();
    let request =
        "GET /upgrade HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: mirror\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    stream.write_all(b"hello").unwrap();
    let mut echoed = [0; 5];
    stream.read_exact(&mut echoed).unwrap();
    assert_eq!(&echoed, b"hello");
    drop(proxy);
    assert!(
        matches!(stream.read(&mut echoed), Ok(0) | Err(_)),
        "it ends with the proxy"
    );
}

/// The token service's answer for a scope.
fn token(proxy: &Proxy, scope: &str, member: &str) -> String {
    let answer = get(proxy, &format!("/token?service=bed&scope={scope}")).unwrap();
    let answer: serde_json::Value = serde_json::from_str(&answer.2).unwrap();
    answer[member].as_str().unwrap().to_owned()
}

fn status_with(proxy: &Proxy, path: &str, authorization: &str) -> u16 {
    block_on(async {
        let client = Client::builder().no_proxy().build().unwrap();
        let request = client.get(format!("{}{path}", proxy.url()));
        let answer = request.header(AUTHORIZATION, authorization).send().await;
        answer.unwrap().status().as_u16()
    })
}

#[test]
fn a_token_opens_what_it_was_asked_for() {
    let (_server, proxy) = beds();
    proxy.require_token(TokenGate::open().as_access_token());
    let token = token(&proxy, "repository%3Aa%2Fb%3Apull", "access_token");
    let authorization = format!("Bearer {token}");
    assert_eq!(
        status_with(&proxy, "/v2/a/b/manifests/x", &authorization),
        200
    );
    assert_eq!(status_with(&proxy, "/v2/", &authorization), 200);
    assert_eq!(
        status_with(&proxy, "/v2/a/c/manifests/x", &authorization),
        401
    );
    assert_eq!(
        status_with(&proxy, "/v2/a/b/manifests/x", "Bearer other"),
        401
    );
    let asked = proxy.log().matching(&hyper::Method::GET, "/token?");
    assert_eq!(asked.len(), 1);
}

#[test]
fn a_gate_may_want_the_password_in_each_request() {
    let (_server, proxy) = beds();
    proxy.require_token(TokenGate::basic("reader", "secret"));
    let (text, _) = raw(
        &proxy,
        "GET /v2/ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    );
    assert!(
        text.contains("www-authenticate: Basic realm=\"bed\""),
        "{text}"
    );
    assert_eq!(
        status_with(&proxy, "/v2/", "Basic cmVhZGVyOnNlY3JldA=="),
        200
    );
    assert_eq!(status_with(&proxy, "/v2/", "Basic cmVhZGVyOndyb25n"), 401);
}

#[test]
fn a_gate_wants_its_own_token() {
    let (_server, proxy) = beds();
    proxy.require_token(TokenGate::open());
    assert_eq!(get(&proxy, "/v2/a/manifests/b").unwrap().0, 401);
    assert!(get(&proxy, "/token").unwrap().2.contains("bed-token"));
    proxy.require_token(TokenGate::for_user("a", "b"));
    assert_eq!(get(&proxy, "/token").unwrap().0, 401);
}

#[test]
fn a_gate_exchanges_the_identity_token_that_it_knows_and_no_other() {
    let (_server, proxy) = beds();
    let ask = |form: &'static str| {
        block_on(async {
            let client = Client::builder().no_proxy().build().unwrap();
            let url = format!("{}/token", proxy.url());
            let answer = client.post(url).body(form).send().await.unwrap();
            answer.status().as_u16()
        })
    };
    let right = "grant_type=refresh_token&service=bed&refresh_token=id&scope=repository%3Aa%3Apull";
    proxy.require_token(TokenGate::exchanging("id"));
    assert_eq!(ask(right), 200);
    for wrong in [
        "",
        "grant_type=password&service=bed&refresh_token=id",
        "grant_type=refresh_token&service=other&refresh_token=id",
        "grant_type=refresh_token&service=bed&refresh_token=other",
    ] {
        assert_eq!(ask(wrong), 401, "{wrong}");
    }
    assert_eq!(
        get(&proxy, "/token").unwrap().0,
        401,
        "nothing but an exchange"
    );
    proxy.require_token(TokenGate::open());
    assert_eq!(ask(right), 405, "it knows no exchange");
}
