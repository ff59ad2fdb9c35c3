//! What lies behind an `oci://` chart repository: the tags of a repository, the manifest of a tag, and small blobs.

use std::collections::BTreeSet;

use reqwest::header::LINK;
use serde::Deserialize;
use tokio::time::Instant;
use tracebloc_core::image::{Digest, Repository, Tag};
use tracebloc_core::manifest::Manifest;

use super::{
    CONTENT_DIGEST, Method, Registry, RegistryError, Section, Visit, check_digest, digest_of,
    permit,
};
use crate::http::Answer;

/// The most tags read from one repository. With more, the newest might be among those not read.
const TAG_LIMIT: usize = 10_000;

/// How many tags are asked for at once; registries give fewer where they want to.
const PAGE: &str = "n=1000";

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Registry {
    /// All tags of a repository, page by page; names that are no tags are left out.
    pub(crate) async fn tags(
        &self,
        repository: &Repository,
        deadline: Instant,
    ) -> Result<Vec<Tag>, RegistryError> {
        let semaphore = self.semaphore(repository);
        let _permit = permit(&semaphore).await;
        let refuse = |reason| RegistryError::Tags {
            repository: repository.clone(),
            reason,
        };
        let mut found = BTreeSet::new();
        let mut query = PAGE.to_owned();
        loop {
            let visit = Visit {
                section: Section::Tags,
                deadline,
                ..self.visit(repository, query.clone())?
            };
            let answer = self.ask(&visit, Method::Get).await?;
            let status = answer.status.as_u16();
            if !answer.status.is_success() {
                return Err(self.refusal(&visit, status));
            }
            let page: Page = serde_json::from_slice(&answer.body)
                .map_err(|_| refuse("the answer is not a list of tags"))?;
            let before = found.len();
            found.extend(
                page.tags
                    .unwrap_or_default()
                    .iter()
                    .filter_map(|tag| Tag::parse(tag).ok()),
            );
            if found.len() > TAG_LIMIT {
                return Err(refuse("there are more than 10000"));
            }
            match next_page(&answer, &visit).map_err(refuse)? {
                None => return Ok(found.into_iter().collect()),
                // A registry that leads in a circle would be asked until the deadline.
                Some(_) if found.len() == before => {
                    return Err(refuse("a page of the list brings nothing new"));
                }
                Some(next) => query = next,
            }
        }
    }

    /// The manifest that a tag points to now, with its digest.
    pub(crate) async fn tagged(
        &self,
        repository: &Repository,
        tag: &Tag,
    ) -> Result<(Digest, Manifest), RegistryError> {
        let semaphore = self.semaphore(repository);
        let _permit = permit(&semaphore).await;
        let visit = self.visit(repository, tag.to_string())?;
        let answer = self.ask(&visit, Method::Get).await?;
        if !answer.status.is_success() {
            return Err(self.refusal(&visit, answer.status.as_u16()));
        }
        let announced = answer
            .header(CONTENT_DIGEST)
            .and_then(|digest| Digest::parse(digest).ok());
        self.keep(repository, announced.as_ref(), &answer)
    }

    /// A small blob, checked against its digest.
    pub(crate) async fn blob(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Vec<u8>, RegistryError> {
        let semaphore = self.semaphore(repository);
        let _permit = permit(&semaphore).await;
        let visit = Visit {
            section: Section::Blobs,
            ..self.visit(repository, digest.to_string())?
        };
        let answer = self.ask(&visit, Method::Get).await?;
        if !answer.status.is_success() {
            return Err(self.refusal(&visit, answer.status.as_u16()));
        }
        let actual = digest_of(digest.algorithm(), &answer.body);
        check_digest(repository, Some(digest), &actual)?;
        Ok(answer.body)
    }

    /// True if no credentials are known for a repository: what it gives, it gives to everyone.
    pub(crate) fn is_anonymous(&self, repository: &Repository) -> bool {
        self.options.auths.credential(repository).is_none()
    }

    /// True if a registry is asked over http.
    pub(crate) fn is_plain_http(&self, repository: &Repository) -> bool {
        self.origin(repository.registry())
            .is_some_and(|origin| origin.as_url().scheme() == "http")
    }
}

/// True if bytes are what a digest stands for.
pub(crate) fn is_content_of(digest: &Digest, bytes: &[u8]) -> bool {
    digest_of(digest.algorithm(), bytes) == *digest
}

/// The query of the next page that a `Link` header names: for the same list on the same host only, since credentials go with it.
fn next_page(answer: &Answer, visit: &Visit<'_>) -> Result<Option<String>, &'static str> {
    let Some(link) = answer.header(LINK.as_str()) else {
        return Ok(None);
    };
    let target = link.split(',').find_map(|entry| {
        let (target, parameters) = entry.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.split(';').any(|parameter| {
            let parameter = parameter.trim().replace('"', "").to_ascii_lowercase();
            parameter == "rel=next"
        });
        is_next.then_some(target)
    });
    let Some(target) = target else {
        return Ok(None);
    };
    let list = visit
        .origin
        .join(&visit.path())
        .map_err(|_| "its next page has no address")?;
    let next = list
        .join(target)
        .map_err(|_| "its next page has no address")?;
    // Behind a proxy that ends TLS a registry may call itself by http: host and path must be the same.
    let place = |url: &url::Url| (url.host_str().map(str::to_owned), url.path().to_owned());
    if place(next.as_url()) != place(list.as_url()) {
        return Err("its next page is elsewhere");
    }
    Ok(next.as_url().query().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::http::tests::{Server, client, reply};
    use crate::registry::RegistryOptions;

    async fn tags(server: &Server) -> Result<Vec<String>, RegistryError> {
        let repository = Repository::parse(&format!("{}/a/b", server.address)).unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        let tags = Registry::new(client(), RegistryOptions::default())
            .tags(&repository, deadline)
            .await?;
        Ok(tags.iter().map(ToString::to_string).collect())
    }

    fn page(tags: &str, link: &str) -> String {
        let link = if link.is_empty() {
            String::new()
        } else {
            format!("Link: {link}\r\n")
        };
        reply(
            200,
            &link,
            &format!("{{\"name\": \"a/b\", \"tags\": {tags}}}"),
        )
    }

    #[tokio::test]
    async fn every_page_is_read() {
        let server = Server::start(|head| {
            if head.starts_with("GET /v2/a/b/tags/list?n=1000 ") {
                page(
                    "[\"1.0.0\", \"-bad\"]",
                    "</v2/a/b/tags/list?last=1.0.0&n=2>; rel=\"next\"",
                )
            } else if head.starts_with("GET /v2/a/b/tags/list?last=1.0.0&n=2 ") {
                page("[\"1.1.0\"]", "<list?last=1.1.0>; rel=next")
            } else {
                page("null", "</v2/a/b/tags/list?n=1>; rel=\"prev\"")
            }
        });
        assert_eq!(tags(&server).await.unwrap(), ["1.0.0", "1.1.0"]);
        assert_eq!(server.seen().len(), 3);
    }

    #[tokio::test]
    async fn a_list_that_is_not_whole_is_no_list() {
        let many: Vec<String> = (0..=TAG_LIMIT)
            .map(|number| format!("\"1.0.{number}\""))
            .collect();
        for (answer, reason) in [
            (
                page(
                    "[\"1\"]",
                    "<http://elsewhere.example/v2/a/b/tags/list?n=1>; rel=next",
                ),
                "elsewhere",
            ),
            (
                page("[\"1\"]", "</v2/c/tags/list?n=1>; rel=next"),
                "elsewhere",
            ),
            (
                page("[\"1\"]", "</v2/a/b/tags/list?n=1>; rel=next"),
                "nothing new",
            ),
            (
                page(&format!("[{}]", many.join(",")), ""),
                "more than 10000",
            ),
            (reply(200, "", "<html>"), "not a list"),
        ] {
            let server = Server::start(move |_| answer.clone());
            let error = tags(&server).await.unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
        let absent = Server::start(|_| reply(404, "", ""));
        let error = tags(&absent).await.unwrap_err();
        assert!(matches!(error, RegistryError::NotFound { .. }), "{error:?}");
    }
}
