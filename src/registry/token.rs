//! Tokens of registries' token services: fetched once for all who need the same one, and kept while they are valid.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderValue;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};
use tracebloc_core::image::Repository;

use super::challenge::Bearer;
use super::credentials::{Credential, Secret};
use super::error::RegistryError;
use super::realm;
use crate::http::{Endpoint, HttpClient, Redirects, Request, SafeUrl};

/// How long a token is valid whose service does not say (Docker's token specification).
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);

/// The most that a service's word on the life of a token counts.
const LONGEST_LIFETIME: Duration = Duration::from_secs(3600);

/// A token is not used in the last seconds of its life, nor one that lives shorter kept.
const MARGIN: Duration = Duration::from_secs(10);

/// How long a failure is the answer to others who ask for the same token.
const FAILURE_LIFETIME: Duration = Duration::from_secs(5);

/// How we call ourselves where a token is exchanged.
const CLIENT_ID: &str = "kubectl-tracebloc";

/// What a token was asked for, and as whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    realm: String,
    service: Option<String>,
    scope: String,
    credential: Option<Credential>,
}

/// What came of asking for a token.
#[derive(Debug, Clone)]
pub(super) enum Grant {
    /// The token.
    Token(Secret),
    /// The service refused these credentials, or the anonymous request, with this status: 401, 403, or 400 at some.
    Refused(u16),
}

#[derive(Debug, Clone)]
struct Kept {
    outcome: Result<Grant, RegistryError>,
    until: Instant,
}

type Slot = Arc<tokio::sync::Mutex<Option<Kept>>>;

/// The tokens of one run.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    slots: Mutex<HashMap<Key, Slot>>,
}

/// For whom a token is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker<'a> {
    /// The repository to be read.
    pub(super) repository: &'a Repository,
    /// Its registry.
    pub(super) origin: &'a SafeUrl,
    /// The user's credentials; none for an anonymous token.
    pub(super) credential: Option<&'a Credential>,
    /// When it must have ended.
    pub(super) deadline: Instant,
}

impl Tokens {
    /// A token that answers `challenge`, from the cache or its service.
    pub(super) async fn get(
        &self,
        http: &HttpClient,
        challenge: &Bearer,
        asker: Asker<'_>,
    ) -> Result<Grant, RegistryError> {
        let Asker {
            repository,
            origin,
            credential,
            deadline,
        } = asker;
        let Bearer {
            realm,
            service,
            scope,
        } = challenge;
        let scope = scope.clone().unwrap_or_else(|| pull_scope(repository));
        let key = Key {
            realm: realm.clone(),
            service: service.clone(),
            scope,
            credential: credential.cloned(),
        };
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(key.clone()).or_default())
        };
        let begun = Instant::now();
        // The resolver and other askers have no deadline of their own.
        timeout_at(deadline, fill(&slot, http, &key, asker))
            .await
            .unwrap_or_else(|_elapsed| {
                Err(RegistryError::Timeout {
                    repository: repository.clone(),
                    endpoint: Endpoint::of(origin.as_url()),
                    limit: deadline - begun,
                })
            })
    }
}

/// What the slot keeps, or else what the token service says, which is kept.
async fn fill(
    slot: &Slot,
    http: &HttpClient,
    key: &Key,
    asker: Asker<'_>,
) -> Result<Grant, RegistryError> {
    let mut kept = slot.lock().await;
    if let Some(kept) = kept.as_ref().filter(|kept| kept.until > Instant::now()) {
        return kept.outcome.clone();
    }
    let begun = Instant::now();
    let (outcome, lifetime) = match fetch(http, key, asker).await {
        Ok((grant, lifetime)) => (Ok(grant), lifetime),
        Err(error) => (Err(error), FAILURE_LIFETIME),
    };
    *kept = Some(Kept {
        outcome: outcome.clone(),
        until: begun + lifetime,
    });
    outcome
}

/// What one needs to read a repository.
pub(super) fn pull_scope(repository: &Repository) -> String {
    format!("repository:{}:pull", repository.path())
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(default)]
    token: String,
    /// The name that OAuth 2 gives it, the only one at Azure.
    #[serde(default)]
    access_token: String,
    expires_in: Option<u64>,
}

async fn fetch(
    http: &HttpClient,
    key: &Key,
    asker: Asker<'_>,
) -> Result<(Grant, Duration), RegistryError> {
    let Asker {
        repository,
        origin,
        credential,
        deadline,
    } = asker;
    let realm = realm::accept(&key.realm, origin)
        .await
        .map_err(|reason| RegistryError::Realm {
            repository: repository.clone(),
            reason,
        })?;
    let service = key
        .service
        .iter()
        .map(|service| ("service", service.as_str()));
    let scopes = key.scope.split_whitespace().map(|scope| ("scope", scope));
    let url = realm.with_query(service.chain(scopes));
    let send = async |request: Request| {
        http.send(&request)
            .await
            .map_err(|error| RegistryError::from_http(repository, error))
    };
    let login = credential.and_then(Credential::basic);
    let exchanged = match credential {
        Some(Credential::Identity { token, .. }) => {
            let answer = send(exchange(&realm, key, token, deadline)).await?;
            // Services that know no exchange say so in different ways; the user's name is another way in, where there is one.
            let is_unknown = matches!(answer.status.as_u16(), 401 | 404 | 405);
            (!is_unknown || login.is_none()).then_some(answer)
        }
        Some(Credential::Login(_) | Credential::Registry(_)) | None => None,
    };
    let answer = if let Some(answer) = exchanged {
        answer
    } else {
        let mut request = Request::get(url, deadline).redirects(Redirects::SameOrigin);
        if let Some(login) = login {
            request = request.authorization(header("Basic", &login, repository)?);
        }
        send(request).await?
    };
    let status = answer.status.as_u16();
    match (status, credential) {
        (400 | 401 | 403, _) => return Ok((Grant::Refused(status), FAILURE_LIFETIME)),
        // It has no exchange, and the identity token no other use.
        (404 | 405, Some(Credential::Identity { .. })) => {
            return Ok((Grant::Refused(401), FAILURE_LIFETIME));
        }
        _ => {}
    }
    let answer = answer
        .success()
        .map_err(|error| RegistryError::from_http(repository, error))?;
    let no_token = || RegistryError::NoToken {
        repository: repository.clone(),
    };
    let TokenAnswer {
        token,
        access_token,
        expires_in,
    } = serde_json::from_slice(&answer.body).map_err(|_| no_token())?;
    let token = if token.is_empty() {
        access_token
    } else {
        token
    };
    if token.is_empty() {
        return Err(no_token());
    }
    let lifetime = expires_in
        .map_or(DEFAULT_LIFETIME, Duration::from_secs)
        .min(LONGEST_LIFETIME);
    Ok((
        Grant::Token(Secret::new(token)),
        lifetime.saturating_sub(MARGIN),
    ))
}

/// The question to exchange an identity token (the OAuth form of Docker's token specification).
fn exchange(realm: &SafeUrl, key: &Key, token: &Secret, deadline: Instant) -> Request {
    let pairs = [
        ("grant_type", "refresh_token"),
        ("service", key.service.as_deref().unwrap_or_default()),
        ("client_id", CLIENT_ID),
        ("scope", &key.scope),
        ("refresh_token", token.expose()),
    ];
    Request::post_form(realm.clone(), pairs, deadline)
}

/// An `Authorization` header. A token that is no header text counts as none.
pub(super) fn header(
    scheme: &str,
    secret: &Secret,
    repository: &Repository,
) -> Result<HeaderValue, RegistryError> {
    HeaderValue::try_from(format!("{scheme} {}", secret.expose())).map_err(|_| {
        RegistryError::NoToken {
            repository: repository.clone(),
        }
    })
}
