//! Image registries: which content a tag points to now, and the manifests that tell whether other content is the same.
//!
//! The protocol is the OCI distribution specification with Docker's token authentication.

mod ask;
mod challenge;
mod credentials;
mod error;
mod realm;
mod tags;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use sha2::Digest as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use tracebloc_core::image::{Algorithm, Digest, ImageRef, Repository};
use tracebloc_core::manifest::Manifest;

use crate::http::{Answer, HttpClient, Reach, SafeUrl};
use challenge::Bearer;
use token::Tokens;

pub(crate) use credentials::DockerAuths;
pub(crate) use error::{Asked, RegistryError};
pub(crate) use tags::is_content_of;

/// How long one question may take, unless told otherwise.
pub(crate) const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);

/// The most questions at once to one registry.
const IN_FLIGHT_LIMIT: usize = 16;

/// The header in which registries tell a manifest's digest.
const CONTENT_DIGEST: &str = "docker-content-digest";

/// How registries are asked.
#[derive(Debug, Clone)]
pub(crate) struct RegistryOptions {
    /// Hosts asked over http, with a port or for all ports. Loopback hosts always are.
    pub(crate) plain_http: Vec<String>,
    /// The user's credentials.
    pub(crate) auths: DockerAuths,
    /// How long one question may take, waiting for its turn not counted.
    pub(crate) deadline: Duration,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            plain_http: Vec::new(),
            auths: DockerAuths::default(),
            deadline: DEFAULT_DEADLINE,
        }
    }
}

/// What a tag points to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    /// The digest of the manifest or index.
    pub(crate) digest: Digest,
    /// Its media type, where the registry tells one.
    pub(crate) media_type: Option<String>,
}

/// All registries, as one run sees them: tokens and manifests are kept, the digests of tags never.
#[derive(Debug)]
pub(crate) struct Registry {
    http: HttpClient,
    options: RegistryOptions,
    tokens: Tokens,
    /// By registry: the challenge that its manifests come with, so that the next repository needs no refusal first.
    challenges: Mutex<HashMap<String, Bearer>>,
    permits: Mutex<HashMap<String, Arc<Semaphore>>>,
    manifests: Mutex<HashMap<Digest, Manifest>>,
}

/// One question to one repository.
struct Visit<'a> {
    repository: &'a Repository,
    origin: SafeUrl,
    section: Section,
    /// What is asked for in the section: a tag or digest, or the query of a list.
    reference: String,
    deadline: Instant,
}

impl Visit<'_> {
    /// The path of the question's URL, with its query.
    fn path(&self) -> String {
        let repository = self.repository.path();
        match self.section {
            Section::Manifests => format!("/v2/{repository}/manifests/{}", self.reference),
            Section::Blobs => format!("/v2/{repository}/blobs/{}", self.reference),
            Section::Tags => format!("/v2/{repository}/tags/list?{}", self.reference),
        }
    }
}

/// What a repository is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Manifests,
    Blobs,
    Tags,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Head,
    Get,
}

impl Registry {
    /// A client for all registries.
    pub(crate) fn new(http: HttpClient, options: RegistryOptions) -> Self {
        Self {
            http,
            options,
            tokens: Tokens::default(),
            challenges: Mutex::default(),
            permits: Mutex::default(),
            manifests: Mutex::default(),
        }
    }

    /// Asks what the image's tag points to now; for a reference with a digest only, whether the registry has it.
    ///
    /// A HEAD, which counts as no pull. Where a registry does not answer it or leaves the digest out, a GET whose body is hashed.
    pub(crate) async fn published(&self, image: &ImageRef) -> Result<Published, RegistryError> {
        let reference = match (image.effective_tag(), image.digest()) {
            (None, Some(digest)) => digest.to_string(),
            (tag, _) => tag.map(|tag| tag.to_string()).unwrap_or_default(),
        };
        let repository = image.repository();
        let semaphore = self.semaphore(repository);
        let _permit = permit(&semaphore).await;
        let visit = self.visit(repository, reference)?;
        let answer = self.ask(&visit, Method::Head).await?;
        let digest = answer
            .header(CONTENT_DIGEST)
            .and_then(|digest| Digest::parse(digest).ok());
        match (answer.status.as_u16(), digest) {
            (200..=299, Some(digest)) => {
                let expected = if image.effective_tag().is_none() {
                    image.digest()
                } else {
                    None
                };
                check_digest(repository, expected, &digest)?;
                Ok(Published {
                    digest,
                    media_type: media_type(&answer),
                })
            }
            (200..=299, None) | (400 | 404 | 405 | 501, _) => self.published_by_get(&visit).await,
            (status, _) => Err(self.refusal(&visit, status)),
        }
    }

    async fn published_by_get(&self, visit: &Visit<'_>) -> Result<Published, RegistryError> {
        let answer = self.ask(visit, Method::Get).await?;
        let status = answer.status.as_u16();
        if !answer.status.is_success() {
            return Err(self.refusal(visit, status));
        }
        let announced = answer
            .header(CONTENT_DIGEST)
            .and_then(|digest| Digest::parse(digest).ok());
        let asked = Digest::parse(&visit.reference).ok();
        let expected = asked.or(announced);
        let digest = self.keep(visit.repository, expected.as_ref(), &answer)?.0;
        Ok(Published {
            digest,
            media_type: media_type(&answer),
        })
    }

    /// The manifest of a digest. Its content is checked against the digest, and kept for the rest of the run.
    pub(crate) async fn manifest(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Manifest, RegistryError> {
        let kept = || {
            self.manifests
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(digest)
                .cloned()
        };
        if let Some(manifest) = kept() {
            return Ok(manifest);
        }
        let semaphore = self.semaphore(repository);
        let _permit = permit(&semaphore).await;
        if let Some(manifest) = kept() {
            return Ok(manifest);
        }
        let visit = self.visit(repository, digest.to_string())?;
        let answer = self.ask(&visit, Method::Get).await?;
        if !answer.status.is_success() {
            return Err(self.refusal(&visit, answer.status.as_u16()));
        }
        Ok(self.keep(repository, Some(digest), &answer)?.1)
    }

    /// Checks, reads and keeps the manifest that an answer holds.
    fn keep(
        &self,
        repository: &Repository,
        expected: Option<&Digest>,
        answer: &Answer,
    ) -> Result<(Digest, Manifest), RegistryError> {
        let algorithm = expected.map_or(Algorithm::Sha256, Digest::algorithm);
        let digest = digest_of(algorithm, &answer.body);
        check_digest(repository, expected, &digest)?;
        let manifest =
            Manifest::parse(media_type(answer).as_deref(), &answer.body).map_err(|source| {
                RegistryError::Malformed {
                    repository: repository.clone(),
                    source,
                }
            })?;
        let mut manifests = self
            .manifests
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        manifests.insert(digest.clone(), manifest.clone());
        Ok((digest, manifest))
    }

    /// The error for a status, with what credentials had to do with it.
    fn refusal(&self, visit: &Visit<'_>, status: u16) -> RegistryError {
        let auths = &self.options.auths;
        let asked = if auths.credential(visit.repository).is_some() {
            Asked::Refused
        } else {
            auths
                .not_read(visit.repository)
                .map_or(Asked::Anonymously, Asked::NotRead)
        };
        let reference = match visit.section {
            Section::Manifests | Section::Blobs => &visit.reference,
            Section::Tags => "tags",
        };
        RegistryError::from_status(visit.repository, reference, status, asked)
    }

    fn visit<'a>(
        &self,
        repository: &'a Repository,
        reference: String,
    ) -> Result<Visit<'a>, RegistryError> {
        let origin = self
            .origin(repository.registry())
            .ok_or_else(|| RegistryError::Url {
                repository: repository.clone(),
            })?;
        Ok(Visit {
            repository,
            origin,
            section: Section::Manifests,
            reference,
            deadline: Instant::now() + self.options.deadline,
        })
    }

    /// The URL under which a registry's API is.
    fn origin(&self, registry: &str) -> Option<SafeUrl> {
        let host = if registry == "docker.io" {
            "registry-1.docker.io"
        } else {
            registry
        };
        let plain = SafeUrl::parse(&format!("http://{host}/")).ok()?;
        let listed = self.options.plain_http.iter().any(|entry| {
            let entry = entry.trim_end_matches('/').to_ascii_lowercase();
            entry == registry || plain.as_url().host_str() == Some(entry.as_str())
        });
        if listed || Reach::of_host(plain.as_url()) == Some(Reach::Loopback) {
            Some(plain)
        } else {
            SafeUrl::parse(&format!("https://{host}/")).ok()
        }
    }

    fn semaphore(&self, repository: &Repository) -> Arc<Semaphore> {
        let mut permits = self.permits.lock().unwrap_or_else(PoisonError::into_inner);
        let semaphore = permits.entry(repository.registry().to_owned());
        Arc::clone(semaphore.or_insert_with(|| Arc::new(Semaphore::new(IN_FLIGHT_LIMIT))))
    }
}

/// Waits for a turn. The semaphores are never closed, so that an error cannot occur; without a permit the request goes out all the same.
async fn permit(semaphore: &Semaphore) -> Option<SemaphorePermit<'_>> {
    semaphore.acquire().await.ok()
}

fn media_type(answer: &Answer) -> Option<String> {
    answer.header(CONTENT_TYPE.as_str()).map(str::to_owned)
}

fn digest_of(algorithm: Algorithm, body: &[u8]) -> Digest {
    match algorithm {
        Algorithm::Sha256 => Digest::from_sha256(&sha2::Sha256::digest(body).into()),
        Algorithm::Sha512 => Digest::from_sha512(&sha2::Sha512::digest(body).into()),
    }
}

fn check_digest(
    repository: &Repository,
    expected: Option<&Digest>,
    actual: &Digest,
) -> Result<(), RegistryError> {
    match expected {
        Some(expected) if expected != actual => Err(RegistryError::BadDigest {
            repository: repository.clone(),
            expected: expected.clone(),
            actual: actual.clone(),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
