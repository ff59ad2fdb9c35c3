//! Image registries: which content a tag points to now, and the manifests that tell whether other content is the same.
//!
//! The protocol is the OCI distribution specification with Docker's token authentication.

mod allowance;
mod artifact;
mod ask;
mod challenge;
mod credentials;
mod error;
mod memory;
mod realm;
mod tags;
mod token;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use sha2::Digest as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use tracebloc_core::image::{Algorithm, Digest, ImageRef, Repository};
use tracebloc_core::manifest::{MEDIA_TYPES, Manifest};

use crate::cache::{Cache, Validators};
use crate::http::{Answer, HttpClient, Reach, SafeUrl};
use challenge::Bearer;
use credentials::Keychain;
use error::Asked;
use token::Tokens;

pub(crate) use allowance::Allowance;
pub(crate) use artifact::is_content_of;
pub(crate) use credentials::{Keyring, Trouble, UserCredentials};
pub(crate) use error::RegistryError;

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
    pub(crate) credentials: UserCredentials,
    /// How long one question may take, waiting for its turn not counted.
    pub(crate) deadline: Duration,
    /// Where manifests and lists of tags are kept for the next run; none where they are not.
    pub(crate) cache: Option<Cache>,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            plain_http: Vec::new(),
            credentials: UserCredentials::default(),
            deadline: DEFAULT_DEADLINE,
            cache: None,
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
    plain_http: Vec<String>,
    deadline: Duration,
    keychain: Keychain,
    tokens: Tokens,
    /// By registry: the challenge that its manifests come with, so that the next repository needs no refusal first.
    challenges: Mutex<HashMap<String, Bearer>>,
    /// By registry: locked until its first answer is there.
    greetings: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    permits: Mutex<HashMap<String, Arc<Semaphore>>>,
    manifests: Mutex<HashMap<Digest, Manifest>>,
    cache: Option<Cache>,
    /// By registry: what it still takes from us, where it says so.
    allowances: Mutex<BTreeMap<String, Allowance>>,
    /// The repositories that gave something for credentials.
    personal: Mutex<BTreeSet<Repository>>,
}

/// One question to one repository.
struct Visit<'a> {
    repository: &'a Repository,
    /// The registry.
    origin: SafeUrl,
    /// What is asked for.
    url: SafeUrl,
    /// The media types that are understood.
    accept: String,
    /// The same in words: the tag or digest.
    reference: String,
    /// What a copy that is kept is to be asked about with.
    validators: Validators,
    deadline: Instant,
    /// With which credentials it was asked so far.
    asked: Asked,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Head,
    Get,
}

impl Registry {
    /// A client for all registries.
    pub(crate) fn new(http: HttpClient, options: RegistryOptions) -> Self {
        let RegistryOptions {
            plain_http,
            credentials,
            deadline,
            cache,
        } = options;
        Self {
            http,
            plain_http,
            deadline,
            keychain: Keychain::new(credentials),
            tokens: Tokens::default(),
            challenges: Mutex::default(),
            greetings: Mutex::default(),
            permits: Mutex::default(),
            manifests: Mutex::default(),
            cache,
            allowances: Mutex::default(),
            personal: Mutex::default(),
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
        let mut visit = self.visit(repository, reference)?;
        let answer = self.ask(&mut visit, Method::Head).await?;
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
            (200..=299, None) | (400 | 404 | 405 | 501, _) => self.published_by_get(visit).await,
            (status, _) => Err(visit.refusal(status)),
        }
    }

    async fn published_by_get(&self, mut visit: Visit<'_>) -> Result<Published, RegistryError> {
        let answer = self.ask(&mut visit, Method::Get).await?;
        if !answer.status.is_success() {
            return Err(visit.refusal(answer.status.as_u16()));
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

    /// The manifest of a digest, which never changes: from the cache where that has it. Its content is checked against the digest in any case.
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
        if let Some(manifest) = kept().or_else(|| self.kept_manifest(digest)) {
            return Ok(manifest);
        }
        let semaphore = self.semaphore(repository);
        let _permit = permit(&semaphore).await;
        if let Some(manifest) = kept() {
            return Ok(manifest);
        }
        let mut visit = self.visit(repository, digest.to_string())?;
        let answer = self.ask(&mut visit, Method::Get).await?;
        if !answer.status.is_success() {
            return Err(visit.refusal(answer.status.as_u16()));
        }
        Ok(self.keep(repository, Some(digest), &answer)?.1)
    }

    /// Takes pull secrets into use, for one repository; `trouble` is why there may be more in them.
    pub(crate) fn lend(&self, repository: Repository, keyring: Keyring, trouble: Option<Trouble>) {
        self.keychain.lend(repository, keyring, trouble);
    }

    /// What each registry said of its limits, where it did.
    pub(crate) fn allowances(&self) -> BTreeMap<String, Allowance> {
        let allowances = self.allowances.lock();
        allowances.unwrap_or_else(PoisonError::into_inner).clone()
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
        self.remember_manifest(&digest, &manifest);
        self.keep_manifest(&digest, media_type(answer).as_deref(), &answer.body);
        Ok((digest, manifest))
    }

    /// Keeps a manifest for the rest of the run.
    fn remember_manifest(&self, digest: &Digest, manifest: &Manifest) {
        let mut manifests = self
            .manifests
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        manifests.insert(digest.clone(), manifest.clone());
    }

    fn visit<'a>(
        &self,
        repository: &'a Repository,
        reference: String,
    ) -> Result<Visit<'a>, RegistryError> {
        let no_url = || RegistryError::Url {
            repository: repository.clone(),
        };
        let origin = self.origin(repository.registry()).ok_or_else(no_url)?;
        let path = format!("/v2/{}/manifests/{reference}", repository.path());
        Ok(Visit {
            repository,
            url: origin.join(&path).map_err(|_| no_url())?,
            origin,
            accept: MEDIA_TYPES.join(", "),
            reference,
            validators: Validators::default(),
            deadline: Instant::now() + self.deadline,
            asked: Asked::Anonymously,
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
        let listed = self.plain_http.iter().any(|entry| {
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

impl Visit<'_> {
    /// The error for a status, with what credentials had to do with it.
    fn refusal(&self, status: u16) -> RegistryError {
        RegistryError::from_status(self.repository, &self.reference, status, self.asked.clone())
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
