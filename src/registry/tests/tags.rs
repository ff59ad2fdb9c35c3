//! Lists of tags.

use super::*;
use crate::registry::tags::TagsError;

async fn list(server: &Server) -> Result<Vec<String>, RegistryError> {
    let repository = image(server, "a/b").repository().clone();
    let tags = registry("{}").tags(&repository).await?;
    Ok(tags.iter().map(ToString::to_string).collect())
}

/// The `Link` header to the page after a tag.
fn link(target: &str) -> String {
    format!("Link: <{target}>; rel=\"next\"\r\n")
}

#[tokio::test]
async fn all_pages_are_read_with_one_token() {
    let server = guarded(|_| reply(200, "", r#"{"token":"good"}"#));
    let inner = Server::start({
        let realm = server.address;
        move |head| {
            if header_of(head, "authorization") != Some("Bearer good") {
                let challenge = format!(
                    "WWW-Authenticate: Bearer realm=\"http://{realm}/token\",scope=\"repository:a/b:pull\"\r\n"
                );
                return reply(401, &challenge, "");
            }
            if head.starts_with("GET /v2/a/b/tags/list?n=1000 ") {
                let next = link("/v2/a/b/tags/list?n=1000&last=1.1.0");
                reply(200, &next, r#"{"name":"a/b","tags":["1.0.0","1.1.0"]}"#)
            } else if head.starts_with("GET /v2/a/b/tags/list?n=1000&last=1.1.0 ") {
                let next = link("list?n=1000&last=2");
                reply(200, &next, r#"{"tags":["2.0.0","../etc","-"]}"#)
            } else {
                reply(200, "", r#"{"tags":null}"#)
            }
        }
    });
    let tags = list(&inner).await.expect("a list");
    assert_eq!(tags, ["1.0.0", "1.1.0", "2.0.0"]);
    assert_eq!(count(&server, "GET /token"), 1);
    assert_eq!(count(&inner, "GET /v2/a/b/tags/list"), 4, "one was refused");
}

#[tokio::test]
async fn a_part_of_a_list_is_no_answer() {
    type Answer = Box<dyn Fn(&str) -> String + Send + Sync>;
    let elsewhere = link("http://192.0.2.1/v2/a/b/tags/list?last=x");
    let circle = link("/v2/a/b/tags/list?n=1000");
    let cases: [(Answer, TagsError); 5] = [
        (
            Box::new(move |_| reply(200, &elsewhere, r#"{"tags":["1"]}"#)),
            TagsError::Elsewhere,
        ),
        (
            Box::new(move |_| reply(200, &circle, r#"{"tags":["1"]}"#)),
            TagsError::Circle,
        ),
        (
            Box::new({
                let page = std::sync::atomic::AtomicUsize::new(0);
                move |_| {
                    let page = page.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    let next = link(&format!("/v2/a/b/tags/list?page={page}"));
                    reply(200, &next, r#"{"tags":["1"]}"#)
                }
            }),
            TagsError::Endless,
        ),
        (
            Box::new(|_| reply(200, "", "<html>log in")),
            TagsError::Malformed,
        ),
        (
            Box::new(|_| reply(200, &link("file:///etc/passwd"), r#"{"tags":[]}"#)),
            TagsError::Malformed,
        ),
    ];
    for (answer, expected) in cases {
        let server = Server::start(answer);
        let error = list(&server).await.expect_err("no whole list");
        assert!(
            matches!(&error, RegistryError::Tags { reason, .. } if *reason == expected),
            "{expected:?}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_list_that_is_refused_is_named() {
    let server = Server::start(|_| reply(404, "", ""));
    let error = list(&server).await.expect_err("none").to_string();
    assert!(error.contains("has no `tags/list` of `a/b`"), "{error}");
}
