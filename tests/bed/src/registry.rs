//! A client of the bed's own registry: publishes images, moves tags, deletes manifests.
//!
//! It speaks the distribution protocol over plain HTTP to a registry that asks for no credentials. Layers that a
//! registry already holds in another repository are mounted, not sent again, so that many repositories with the same
//! program cost little.

mod error;
mod published;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::body::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, LINK, LOCATION};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};

use crate::image::{Blob, BuiltImage, Image, Manifest};
use crate::payload::Payload;
use crate::runtime;

pub use error::RegistryError;
pub use published::{ChildDigests, Published};

/// Every type of manifest: a registry may answer an incomplete list with another document.
pub const MANIFEST_TYPES: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// A registry, reached over plain HTTP. Clones share what they know about stored blobs.
#[derive(Debug, Clone)]
pub struct Registry {
    host: String,
    client: Client,
    /// For each digest a repository that holds it.
    held: Arc<Mutex<HashMap<String, String>>>,
}

impl Registry {
    /// Names a registry by `host:port`. Nothing is sent yet.
    ///
    /// # Panics
    /// Where no HTTP client can be made at all.
    #[expect(
        clippy::expect_used,
        reason = "a client without TLS settings, proxy or resolver of its own can be made"
    )]
    pub fn new(host: impl Into<String>) -> Self {
        let _runtime_with_cryptography = runtime::runtime();
        let client = Client::builder()
            .no_proxy()
            .build()
            .expect("a plain HTTP client can be made");
        Self {
            host: host.into(),
            client,
            held: Arc::default(),
        }
    }

    /// Returns `host:port`, which image references begin with.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Pushes an image and points `tag` to it. What is there already is not sent again.
    pub fn publish(
        &self,
        repository: &str,
        tag: &str,
        image: &Image,
    ) -> Result<Published, RegistryError> {
        let built = image
            .build(Payload::shared()?)
            .map_err(|error| RegistryError::from(&error))?;
        self.publish_built(repository, tag, &built)
    }

    /// Pushes an image that is already made and points `tag` to it.
    pub fn publish_built(
        &self,
        repository: &str,
        tag: &str,
        image: &BuiltImage,
    ) -> Result<Published, RegistryError> {
        runtime::block_on(async {
            for blob in &image.blobs {
                self.put_blob(repository, blob).await?;
            }
            for manifest in image
                .children
                .iter()
                .map(|child| &child.manifest)
                .chain(&image.attestations)
            {
                self.put_manifest(repository, &manifest.blob.digest, manifest)
                    .await?;
            }
            self.put_manifest(repository, tag, &image.root).await
        })?;
        Ok(Published::from(image))
    }

    /// Pushes one blob.
    pub fn push_blob(&self, repository: &str, blob: &Blob) -> Result<(), RegistryError> {
        runtime::block_on(self.put_blob(repository, blob))
    }

    /// Pushes one manifest under a tag or its own digest, after everything that it names.
    pub fn push_manifest(
        &self,
        repository: &str,
        reference: &str,
        manifest: &Manifest,
    ) -> Result<(), RegistryError> {
        runtime::block_on(self.put_manifest(repository, reference, manifest))
    }

    /// Points `tag` to a manifest that the repository holds already.
    pub fn move_tag(&self, repository: &str, tag: &str, digest: &str) -> Result<(), RegistryError> {
        runtime::block_on(async {
            let path = manifest_path(repository, digest);
            let request = self
                .request(Method::GET, &path)
                .header(ACCEPT, MANIFEST_TYPES);
            let response = expect(
                send(request, Method::GET, &path).await?,
                Method::GET,
                &path,
                StatusCode::OK,
            )
            .await?;
            let media_type = response.headers().get(CONTENT_TYPE).cloned();
            let media_type = media_type.ok_or_else(|| missing(&path, "Content-Type"))?;
            let bytes = body(response, Method::GET, &path).await?;
            let path = manifest_path(repository, tag);
            let request = self
                .request(Method::PUT, &path)
                .header(CONTENT_TYPE, media_type)
                .body(bytes);
            expect(
                send(request, Method::PUT, &path).await?,
                Method::PUT,
                &path,
                StatusCode::CREATED,
            )
            .await?;
            Ok(())
        })
    }

    /// Returns the digest that a tag points to now, or nothing when the repository or tag is absent.
    pub fn digest(&self, repository: &str, tag: &str) -> Result<Option<String>, RegistryError> {
        runtime::block_on(self.resolve(repository, tag))
    }

    /// As [`Registry::digest`], for callers that are asynchronous themselves.
    pub async fn resolve(
        &self,
        repository: &str,
        tag: &str,
    ) -> Result<Option<String>, RegistryError> {
        let path = manifest_path(repository, tag);
        let request = self
            .request(Method::HEAD, &path)
            .header(ACCEPT, MANIFEST_TYPES);
        let response = send(request, Method::HEAD, &path).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let response = expect(response, Method::HEAD, &path, StatusCode::OK).await?;
        header(response.headers(), "Docker-Content-Digest", &path).map(Some)
    }

    /// The annotations of an index or a manifest, for callers that are asynchronous themselves; none where it cannot be had.
    pub async fn annotations(&self, repository: &str, digest: &str) -> BTreeMap<String, String> {
        let path = manifest_path(repository, digest);
        let request = self
            .request(Method::GET, &path)
            .header(ACCEPT, MANIFEST_TYPES);
        let document = async {
            let response = send(request, Method::GET, &path).await.ok()?;
            let bytes = response.bytes().await.ok()?;
            serde_json::from_slice::<serde_json::Value>(&bytes).ok()
        };
        let annotations = document
            .await
            .and_then(|document| serde_json::from_value(document.get("annotations")?.clone()).ok());
        annotations.unwrap_or_default()
    }

    /// Deletes the manifest with this digest and with it every tag that points to it.
    pub fn delete_manifest(&self, repository: &str, digest: &str) -> Result<(), RegistryError> {
        runtime::block_on(async {
            let path = manifest_path(repository, digest);
            let request = self.request(Method::DELETE, &path);
            expect(
                send(request, Method::DELETE, &path).await?,
                Method::DELETE,
                &path,
                StatusCode::ACCEPTED,
            )
            .await?;
            Ok(())
        })
    }

    /// Returns the tags of a repository in the registry's order; none when the repository is absent.
    pub fn tags(&self, repository: &str) -> Result<Vec<String>, RegistryError> {
        runtime::block_on(async {
            let mut tags = Vec::new();
            let mut next = Some(format!("/v2/{repository}/tags/list"));
            while let Some(path) = next.take() {
                let response = send(self.request(Method::GET, &path), Method::GET, &path).await?;
                if response.status() == StatusCode::NOT_FOUND {
                    break;
                }
                let response = expect(response, Method::GET, &path, StatusCode::OK).await?;
                next = next_page(response.headers());
                let bytes = body(response, Method::GET, &path).await?;
                let page: TagPage = serde_json::from_slice(&bytes).unwrap_or_default();
                tags.extend(page.tags.unwrap_or_default());
            }
            Ok(tags)
        })
    }

    async fn put_manifest(
        &self,
        repository: &str,
        reference: &str,
        manifest: &Manifest,
    ) -> Result<(), RegistryError> {
        let path = manifest_path(repository, reference);
        let request = self
            .request(Method::PUT, &path)
            .header(CONTENT_TYPE, manifest.media_type)
            .body(manifest.blob.bytes.clone());
        expect(
            send(request, Method::PUT, &path).await?,
            Method::PUT,
            &path,
            StatusCode::CREATED,
        )
        .await?;
        Ok(())
    }

    /// Asks whether the repository has the blob, else mounts it from a repository known to hold it, else sends it.
    async fn put_blob(&self, repository: &str, blob: &Blob) -> Result<(), RegistryError> {
        let digest = &blob.digest;
        let known = self
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(digest)
            .cloned();
        let here = format!("/v2/{repository}/blobs/{digest}");
        if known.as_deref() == Some(repository) || known.is_none() {
            let answer = send(self.request(Method::HEAD, &here), Method::HEAD, &here).await?;
            if answer.status() == StatusCode::OK {
                self.remember(digest, repository);
                return Ok(());
            }
        }
        let start = match known.filter(|holder| holder != repository) {
            Some(holder) => format!("/v2/{repository}/blobs/uploads/?mount={digest}&from={holder}"),
            None => format!("/v2/{repository}/blobs/uploads/"),
        };
        let answer = send(self.request(Method::POST, &start), Method::POST, &start).await?;
        if answer.status() != StatusCode::CREATED {
            let answer = expect(answer, Method::POST, &start, StatusCode::ACCEPTED).await?;
            let location = header(answer.headers(), LOCATION.as_str(), &start)?;
            let separator = if location.contains('?') { '&' } else { '?' };
            let path = format!("{location}{separator}digest={digest}");
            let request = self
                .request(Method::PUT, &path)
                .header(CONTENT_TYPE, "application/octet-stream")
                .body(blob.bytes.clone());
            expect(
                send(request, Method::PUT, &path).await?,
                Method::PUT,
                &path,
                StatusCode::CREATED,
            )
            .await?;
        }
        self.remember(digest, repository);
        Ok(())
    }

    fn remember(&self, digest: &str, repository: &str) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.entry(digest.to_owned())
            .or_insert_with(|| repository.to_owned());
    }

    /// Takes a path, or the whole address that a registry gives for an upload.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let address = if path.starts_with('/') {
            format!("http://{}{path}", self.host)
        } else {
            path.to_owned()
        };
        self.client.request(method, address)
    }
}

#[derive(Default, serde::Deserialize)]
struct TagPage {
    tags: Option<Vec<String>>,
}

fn manifest_path(repository: &str, reference: &str) -> String {
    format!("/v2/{repository}/manifests/{reference}")
}

async fn send(
    request: RequestBuilder,
    method: Method,
    path: &str,
) -> Result<Response, RegistryError> {
    request
        .send()
        .await
        .map_err(|source| RegistryError::Transport {
            method,
            path: path.to_owned(),
            source,
        })
}

async fn body(response: Response, method: Method, path: &str) -> Result<Bytes, RegistryError> {
    response
        .bytes()
        .await
        .map_err(|source| RegistryError::Transport {
            method,
            path: path.to_owned(),
            source,
        })
}

async fn expect(
    response: Response,
    method: Method,
    path: &str,
    expected: StatusCode,
) -> Result<Response, RegistryError> {
    let status = response.status();
    if status == expected {
        return Ok(response);
    }
    let body = response.text().await.unwrap_or_default();
    Err(RegistryError::Status {
        method,
        path: path.to_owned(),
        status,
        body,
    })
}

fn header(headers: &HeaderMap, name: &'static str, path: &str) -> Result<String, RegistryError> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.map(str::to_owned).ok_or_else(|| missing(path, name))
}

fn missing(path: &str, header: &'static str) -> RegistryError {
    RegistryError::Header {
        path: path.to_owned(),
        header,
    }
}

/// Reads `<path>; rel="next"`.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let link = headers.get(LINK)?.to_str().ok()?;
    let (target, relation) = link.trim().strip_prefix('<')?.split_once('>')?;
    relation.contains("rel=\"next\"").then(|| target.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_read_from_the_link_header() {
        let mut headers = HeaderMap::new();
        assert_eq!(next_page(&headers), None);
        headers.insert(
            LINK,
            "</v2/a/tags/list?n=2&last=b>; rel=\"next\""
                .parse()
                .expect("a header"),
        );
        assert_eq!(
            next_page(&headers).as_deref(),
            Some("/v2/a/tags/list?n=2&last=b")
        );
        headers.insert(
            LINK,
            "</v2/a/tags/list>; rel=\"prev\"".parse().expect("a header"),
        );
        assert_eq!(next_page(&headers), None);
    }
}
