use super::*;
use crate::runtime::block_on;
use std::time::{Duration, Instant};

struct Echo;

impl Connection for Echo {
    fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>> {
        Box::pin(async move {
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
fn a_gate_wants_its_own_token() {
    let (_server, proxy) = beds();
    proxy.require_token(TokenGate::open());
    assert_eq!(get(&proxy, "/v2/a/manifests/b").unwrap().0, 401);
    assert!(get(&proxy, "/token").unwrap().2.contains("bed-token"));
    proxy.require_token(TokenGate::for_user("a", "b"));
    assert_eq!(get(&proxy, "/token").unwrap().0, 401);
}
