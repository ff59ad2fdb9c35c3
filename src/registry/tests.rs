mod credentials;
mod memory;
mod tags;

use std::path::PathBuf;

use jiff::Timestamp;

use super::realm::RealmError;
use super::*;
use crate::http::tests::{Server, client, reply};

const IMAGE: &str = r#"{"schemaVersion":2,"config":{"digest":"sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"},"layers":[]}"#;
const IMAGE_TYPE: &str = "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n";

fn sha256(text: &str) -> Digest {
    digest_of(Algorithm::Sha256, text.as_bytes())
}

fn image(server: &Server, path: &str) -> ImageRef {
    ImageRef::parse(&format!("{}/{path}", server.address)).expect("a reference")
}

/// A client with the credentials of this Docker configuration.
fn registry(config: &str) -> Registry {
    let mut credentials = UserCredentials::default();
    let path = std::path::Path::new("/c/config.json");
    credentials
        .add(path, Ok(config.as_bytes().to_vec()))
        .expect("well-formed");
    Registry::new(
        client(),
        RegistryOptions {
            credentials,
            ..RegistryOptions::default()
        },
    )
}

/// A cache directory of its own for each test, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let name = format!("tracebloc-registry-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// A run of its own: nothing but the directory is shared with others.
    fn run(&self, config: &str) -> Registry {
        let mut registry = registry(config);
        registry.cache = Some(Cache::at(&self.0, Timestamp::now()));
        registry
    }

    /// The files that are kept, of one kind.
    fn files(&self, kind: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.0.join(kind));
        let entries = entries.into_iter().flatten();
        entries
            .map(|entry| entry.expect("readable").path())
            .collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

fn found(body: &str) -> String {
    reply(
        200,
        &format!("{IMAGE_TYPE}Docker-Content-Digest: {}\r\n", sha256(body)),
        body,
    )
}

fn header_of<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

#[tokio::test]
async fn a_head_with_all_types_is_enough_where_the_digest_is_told() {
    let server = Server::start(|_| found(IMAGE));
    let published = registry("{}")
        .published(&image(&server, "a/b:prod"))
        .await
        .expect("published");
    assert_eq!(published.digest, sha256(IMAGE));
    assert_eq!(published.media_type.as_deref(), Some(MEDIA_TYPES[2]));
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert!(
        seen[0].starts_with("HEAD /v2/a/b/manifests/prod "),
        "{}",
        seen[0]
    );
    let accept = header_of(&seen[0], "accept").expect("sent");
    assert!(
        MEDIA_TYPES
            .iter()
            .all(|media_type| accept.contains(media_type)),
        "{accept}"
    );
}

#[tokio::test]
async fn a_get_is_hashed_where_head_does_not_tell() {
    for refusal in [
        reply(200, IMAGE_TYPE, ""),
        reply(405, "", ""),
        reply(404, "", ""),
        reply(400, "", ""),
    ] {
        let server = Server::start(move |head| {
            if head.starts_with("HEAD") {
                refusal.clone()
            } else {
                reply(200, IMAGE_TYPE, IMAGE)
            }
        });
        let published = registry("{}")
            .published(&image(&server, "a"))
            .await
            .expect("published");
        assert_eq!(published.digest, sha256(IMAGE));
        assert_eq!(server.seen().len(), 2);
        assert!(server.seen()[1].starts_with("GET /v2/a/manifests/latest "));
    }
}

#[tokio::test]
async fn a_page_in_place_of_a_manifest_is_no_digest() {
    let server = Server::start(|_| reply(200, "Content-Type: text/html\r\n", "<html>log in"));
    let error = registry("{}")
        .published(&image(&server, "a"))
        .await
        .expect_err("a portal");
    assert!(
        matches!(error, RegistryError::Malformed { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn content_that_does_not_match_its_digest_is_refused() {
    let server = Server::start(|_| reply(200, IMAGE_TYPE, IMAGE));
    let registry = registry("{}");
    let repository = image(&server, "a").repository().clone();
    let error = registry
        .manifest(&repository, &sha256("other"))
        .await
        .expect_err("forged");
    assert!(
        matches!(error, RegistryError::BadDigest { .. }),
        "{error:?}"
    );
    let lying = Server::start(|head| {
        if head.starts_with("HEAD") {
            reply(405, "", "")
        } else {
            reply(
                200,
                &format!("Docker-Content-Digest: {}\r\n", sha256("x")),
                IMAGE,
            )
        }
    });
    let error = registry
        .published(&image(&lying, "a:b"))
        .await
        .expect_err("forged");
    assert!(
        matches!(error, RegistryError::BadDigest { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_manifest_is_fetched_once_a_run() {
    let server = Server::start(|_| reply(200, IMAGE_TYPE, IMAGE));
    let registry = registry("{}");
    let repository = image(&server, "a").repository().clone();
    for _ in 0..3 {
        assert!(matches!(
            registry.manifest(&repository, &sha256(IMAGE)).await,
            Ok(Manifest::Image { .. })
        ));
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn statuses_become_named_errors() {
    for (status, message) in [
        (
            401,
            "wants credentials for `a/b` (asked without credentials)",
        ),
        (403, "denies access to `a/b`"),
        (404, "has no `prod` of `a/b`"),
        (429, "limits the rate"),
        (418, "answered with status 418"),
    ] {
        let server = Server::start(move |_| reply(status, "", ""));
        let error = registry("{}")
            .published(&image(&server, "a/b:prod"))
            .await
            .expect_err("refused")
            .to_string();
        assert!(error.contains(message), "{error}");
        assert!(error.contains(&server.address.to_string()), "{error}");
    }
}

/// A registry with a token service of its own: `pull` is what the token service says to a request.
fn guarded(grant: impl Fn(&str) -> String + Send + Sync + 'static) -> Server {
    Server::start(move |head| {
        if head.starts_with("GET /token") || head.starts_with("POST /token") {
            return grant(head);
        }
        if header_of(head, "authorization") == Some("Bearer good") {
            return found(IMAGE);
        }
        let host = header_of(head, "host").unwrap_or_default();
        let path = head
            .split("/manifests/")
            .next()
            .and_then(|start| start.split("/v2/").nth(1))
            .unwrap_or_default();
        let challenge = format!(
            "WWW-Authenticate: Bearer realm=\"http://{host}/token?x=y\",service=\"s\",scope=\"repository:{path}:pull\"\r\n"
        );
        reply(401, &challenge, "")
    })
}

fn count(server: &Server, start: &str) -> usize {
    server
        .seen()
        .iter()
        .filter(|head| head.starts_with(start))
        .count()
}

#[tokio::test]
async fn concurrent_questions_share_one_token_and_later_ones_need_no_refusal() {
    let server = guarded(|_| reply(200, "", r#"{"access_token":"good","expires_in":300}"#));
    let registry = registry("{}");
    let reference = image(&server, "a/b:prod");
    let outcomes =
        futures_util::future::join_all((0..8).map(|_| registry.published(&reference))).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(
        count(&server, "HEAD "),
        8 + 1,
        "one was refused, and told the others"
    );
    assert_eq!(
        count(
            &server,
            "GET /token?x=y&service=s&scope=repository%3Aa%2Fb%3Apull "
        ),
        1
    );
    let before = server.seen().len();
    registry
        .published(&image(&server, "c:prod"))
        .await
        .expect("another repository");
    assert_eq!(server.seen().len() - before, 2, "a token and a HEAD");
    assert_eq!(
        count(
            &server,
            "GET /token?x=y&service=s&scope=repository%3Ac%3Apull "
        ),
        1
    );
}

#[tokio::test]
async fn a_first_question_that_is_slow_holds_up_the_others_no_longer_than_its_limit() {
    let server = Server::start(|head| {
        if head.contains("/slow/") {
            std::thread::sleep(Duration::from_secs(4));
        }
        found(IMAGE)
    });
    let registry = registry("{}");
    let (slow, quick) = (image(&server, "slow:prod"), image(&server, "quick:prod"));
    let begun = Instant::now();
    let quick = async {
        let outcome = registry.published(&quick).await;
        (outcome, begun.elapsed())
    };
    let (_, (outcome, took)) = futures_util::future::join(registry.published(&slow), quick).await;
    assert!(outcome.is_ok(), "{outcome:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn a_token_service_without_a_token_is_an_error() {
    for body in ["", "{}", "<html>", r#"{"token":""}"#] {
        let server = guarded(move |_| reply(200, "", body));
        let error = registry("{}")
            .published(&image(&server, "a:b"))
            .await
            .expect_err(body);
        assert!(matches!(error, RegistryError::NoToken { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_token_service_at_a_metadata_address_is_not_asked() {
    let server = Server::start(|_| {
        reply(
            401,
            "WWW-Authenticate: Bearer realm=\"http://169.254.169.254/token\"\r\n",
            "",
        )
    });
    let error = registry("{}")
        .published(&image(&server, "a:b"))
        .await
        .expect_err("hostile");
    assert!(
        matches!(
            error,
            RegistryError::Realm {
                reason: RealmError::LinkLocal,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn schemes_and_hosts_follow_the_registry() {
    let options = RegistryOptions {
        plain_http: vec!["Plain.example".to_owned(), "one.example:81".to_owned()],
        ..RegistryOptions::default()
    };
    let registry = Registry::new(client(), options);
    for (name, origin) in [
        ("docker.io", "https://registry-1.docker.io/"),
        ("ghcr.io", "https://ghcr.io/"),
        ("localhost:5000", "http://localhost:5000/"),
        ("127.1.2.3", "http://127.1.2.3/"),
        ("[::1]:5000", "http://[::1]:5000/"),
        ("10.0.0.1:5000", "https://10.0.0.1:5000/"),
        ("plain.example:5000", "http://plain.example:5000/"),
        ("one.example:81", "http://one.example:81/"),
        ("one.example:82", "https://one.example:82/"),
    ] {
        assert_eq!(registry.origin(name).expect(name).to_string(), origin);
    }
}

#[tokio::test]
async fn only_so_many_questions_at_once_are_put_to_a_registry() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let (now, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let server = Server::start(move |_| {
        seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(50));
        now.fetch_sub(1, Ordering::SeqCst);
        found(IMAGE)
    });
    let registry = registry("{}");
    let images: Vec<ImageRef> = (0..30)
        .map(|number| image(&server, &format!("a:{number}")))
        .collect();
    let outcomes =
        futures_util::future::join_all(images.iter().map(|image| registry.published(image))).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let most = most.load(Ordering::SeqCst);
    assert!((2..=IN_FLIGHT_LIMIT).contains(&most), "{most} at once");
}

#[tokio::test]
async fn what_a_registry_says_of_its_limits_is_kept() {
    let server = Server::start(|head| {
        let left = if head.contains("/one") { 3 } else { 7 };
        let digest = sha256(IMAGE);
        let headers = format!(
            "RateLimit-Limit: 10;w=3600\r\nratelimit-remaining: {left};w=3600\r\nDocker-Content-Digest: {digest}\r\n"
        );
        reply(200, &headers, "")
    });
    let registry = registry("{}");
    assert!(registry.allowances().is_empty());
    for tag in ["a:one", "a:two"] {
        registry.published(&image(&server, tag)).await.expect(tag);
    }
    let told: Vec<String> = registry
        .allowances()
        .into_iter()
        .map(|(registry, allowance)| format!("{registry}: {allowance}"))
        .collect();
    assert_eq!(
        told,
        [format!("{}: 3 of 10 pulls left in 1 h", server.address)]
    );
}
