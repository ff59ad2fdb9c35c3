//! The tags of a repository, page by page.

use std::collections::BTreeSet;

use reqwest::header::{HeaderMap, LINK};
use serde::Deserialize;
use tokio::time::Instant;
use tracebloc_core::image::{Repository, Tag};

use super::memory::KeptPage;
use super::{Method, Registry, RegistryError, Visit, permit};
use crate::http::{Answer, SafeUrl};

/// How many tags a page is asked to have. Registries give fewer as they like.
const PAGE: &str = "1000";

/// The most pages: those with few tags a page have ten thousand tags on so many.
const PAGE_LIMIT: usize = 100;

/// How many times the time of one question a list may take, over all its pages.
const TIMES_DEADLINE: u32 = 3;

/// Why a list of tags is not known. A part of it is not answered: the newest version may be in the other part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TagsError {
    /// A page is something else.
    #[error("the answer is no list of tags")]
    Malformed,
    /// The next page is at another server, which is not asked.
    #[error("the next page is on another host")]
    Elsewhere,
    /// The next page has been read already.
    #[error("the pages go round in a circle")]
    Circle,
    /// There is no end.
    #[error("it has more than {PAGE_LIMIT} pages")]
    Endless,
}

#[derive(Deserialize)]
struct Page {
    /// Some registries say `null` for none.
    tags: Option<Vec<String>>,
}

impl Registry {
    /// All tags of a repository; those that are none by the specification are left out.
    pub(crate) async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>, RegistryError> {
        let semaphore = self.semaphore(repository);
        let _permit = permit(&semaphore).await;
        let failed = |reason| RegistryError::Tags {
            repository: repository.clone(),
            reason,
        };
        let end = Instant::now() + self.deadline * TIMES_DEADLINE;
        let mut next = Some(self.first_page(repository)?);
        let mut read = BTreeSet::new();
        let mut tags = Vec::new();
        while let Some(url) = next.take() {
            if !read.insert(url.as_url().to_string()) {
                return Err(failed(TagsError::Circle));
            }
            if read.len() > PAGE_LIMIT {
                return Err(failed(TagsError::Endless));
            }
            let (validators, kept) = self.kept_page(&url).unzip();
            let mut visit = Visit {
                accept: "application/json".to_owned(),
                url: url.clone(),
                validators: validators.unwrap_or_default(),
                ..self.visit(repository, "tags/list".to_owned())?
            };
            visit.deadline = visit.deadline.min(end);
            let answer = self.ask(&mut visit, Method::Get).await?;
            let page = match (answer.status.as_u16(), kept) {
                (304, Some(kept)) => kept,
                (200..=299, _) => {
                    let page = read_page(&answer, &url).map_err(failed)?;
                    self.keep_page(repository, &url, answer.validators(), &page);
                    page
                }
                (status, _) => return Err(visit.refusal(status)),
            };
            tags.extend(page.tags.iter().filter_map(|tag| Tag::parse(tag).ok()));
            next = match page.next {
                Some(target) => Some(same_server(&url, &target).map_err(failed)?),
                None => None,
            };
        }
        Ok(tags)
    }

    fn first_page(&self, repository: &Repository) -> Result<SafeUrl, RegistryError> {
        let path = format!("/v2/{}/tags/list", repository.path());
        let url = self
            .origin(repository.registry())
            .and_then(|origin| origin.join(&path).ok());
        let url = url.ok_or_else(|| RegistryError::Url {
            repository: repository.clone(),
        })?;
        Ok(url.with_query([("n", PAGE)]))
    }
}

/// The tags of a page, and where the next one is.
fn read_page(answer: &Answer, this: &SafeUrl) -> Result<KeptPage, TagsError> {
    let page: Page = serde_json::from_slice(&answer.body).map_err(|_| TagsError::Malformed)?;
    let next = next_page(&answer.headers, this)?;
    Ok(KeptPage {
        tags: page.tags.unwrap_or_default(),
        next: next.map(|next| next.as_url().to_string()),
    })
}

/// Where the page after `this` is, by the `Link` headers (RFC 8288); none after the last.
fn next_page(headers: &HeaderMap, this: &SafeUrl) -> Result<Option<SafeUrl>, TagsError> {
    let links = headers.get_all(LINK).into_iter();
    let target = links
        .filter_map(|value| value.to_str().ok())
        .find_map(next_target);
    let Some(target) = target else {
        return Ok(None);
    };
    same_server(this, target).map(Some)
}

/// The URL that a page leads to, which credentials may be sent to as well.
fn same_server(this: &SafeUrl, target: &str) -> Result<SafeUrl, TagsError> {
    let url = this.join(target).map_err(|_| TagsError::Malformed)?;
    if url.as_url().origin() == this.as_url().origin() {
        Ok(url)
    } else {
        Err(TagsError::Elsewhere)
    }
}

/// The target of the link with the relation `next` of one header: `<target>; rel="next"`.
fn next_target(header: &str) -> Option<&str> {
    header.split('<').skip(1).find_map(|link| {
        let (target, parameters) = link.split_once('>')?;
        let is_next = parameters.split([';', ',']).any(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or_default();
            let mut relations = value.trim().trim_matches('"').split_whitespace();
            name.trim().eq_ignore_ascii_case("rel")
                && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
        });
        is_next.then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_told_from_other_links() {
        for (header, target) in [
            (
                r#"</v2/a/tags/list?last=b&n=2>; rel="next""#,
                Some("/v2/a/tags/list?last=b&n=2"),
            ),
            ("</next>; REL=next", Some("/next")),
            (
                r#"</a,b>; rel="prev", </c>; title="x"; rel="last next""#,
                Some("/c"),
            ),
            (r#"</a>; rel="prev""#, None),
            (r#"</a>; title="next""#, None),
            ("", None),
            ("nonsense", None),
        ] {
            assert_eq!(next_target(header), target, "{header}");
        }
    }

    #[test]
    fn fuzzed() {
        let samples: [&[u8]; 2] = [
            br#"</v2/a/tags/list?last=b&n=2>; rel="next""#,
            br#"</a,b>; rel="prev", <http://h.example/c>; title="x"; rel="last next""#,
        ];
        let words = [
            "<",
            ">",
            "; rel=next",
            "rel=\"next\"",
            "https://h.example/",
            "//other.example/",
            "..",
            "\\",
        ];
        let this = SafeUrl::parse("https://h.example/v2/a/tags/list").unwrap();
        tracebloc_fuzz::fuzz("links", &samples, &words, |bytes| {
            let mut headers = HeaderMap::new();
            if let Ok(value) = reqwest::header::HeaderValue::from_bytes(bytes) {
                headers.append(LINK, value);
            }
            if let Ok(Some(next)) = next_page(&headers, &this) {
                assert_eq!(next.as_url().origin(), this.as_url().origin());
            }
        });
    }
}
