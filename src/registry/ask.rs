//! One question to a registry, with the credentials and tokens that it wants.

use std::sync::PoisonError;

use reqwest::header::{ACCEPT, HeaderValue, WWW_AUTHENTICATE};
use tracebloc_core::image::Repository;
use tracebloc_core::manifest::MEDIA_TYPES;

use super::challenge::{Bearer, Challenge};
use super::credentials::Credential;
use super::error::RegistryError;
use super::token::{Asker, Grant, header, pull_scope};
use super::{Method, Registry, Section, Visit};
use crate::http::{Answer, Request};

/// The largest manifest read: registries accept 4 MiB at most.
const MANIFEST_LIMIT: usize = 8 * 1024 * 1024;

impl Registry {
    /// Asks for a manifest, with whatever authorization the registry wants. The answer may have any status.
    pub(super) async fn ask(
        &self,
        visit: &Visit<'_>,
        method: Method,
    ) -> Result<Answer, RegistryError> {
        let known = self.known_challenge(visit.repository);
        let mut refused = None;
        if let Some(known) = &known {
            match self.ask_authorized(visit, method, known).await? {
                Ok(answer) => return Ok(answer),
                Err(status) => refused = Some(status),
            }
        }
        let answer = self.send(visit, method, None).await?;
        let challenges = challenges(&answer);
        if answer.status.as_u16() != 401 || challenges.is_empty() {
            return Ok(answer);
        }
        // Only another challenge than the one already answered gives another outcome.
        match refused {
            Some(status) if known.as_ref() == Some(&challenges) => Err(self.refusal(visit, status)),
            _ => {
                self.remember(visit.repository, &challenges);
                let outcome = self.ask_authorized(visit, method, &challenges).await?;
                outcome.map_err(|status| self.refusal(visit, status))
            }
        }
    }

    /// Asks as the user and then as anyone, since a credential that has expired must not hide what is public. The status is that of the
    /// first refusal.
    async fn ask_authorized(
        &self,
        visit: &Visit<'_>,
        method: Method,
        challenges: &[Challenge],
    ) -> Result<Result<Answer, u16>, RegistryError> {
        let credential = self.options.auths.credential(visit.repository);
        let mut refused = None;
        for identity in credential.map(Some).into_iter().chain([None]) {
            let status = match self.authorization(visit, challenges, identity).await? {
                None => continue,
                Some(Err(status)) => status,
                Some(Ok(authorization)) => {
                    let answer = self.send(visit, method, Some(authorization)).await?;
                    match answer.status.as_u16() {
                        status @ (401 | 403) => status,
                        _ => return Ok(Ok(answer)),
                    }
                }
            };
            refused = refused.or(Some(status));
        }
        Ok(Err(refused.unwrap_or(401)))
    }

    /// The challenge that this repository will come with, by what others of its registry came with.
    fn known_challenge(&self, repository: &Repository) -> Option<Vec<Challenge>> {
        let challenges = self
            .challenges
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let bearer = challenges.get(repository.registry())?.clone();
        Some(vec![Challenge::Bearer(Bearer {
            scope: Some(pull_scope(repository)),
            ..bearer
        })])
    }

    /// The header that answers the challenges as `identity`: none where there is no such way, the status where it is refused.
    async fn authorization(
        &self,
        visit: &Visit<'_>,
        challenges: &[Challenge],
        identity: Option<&Credential>,
    ) -> Result<Option<Result<HeaderValue, u16>>, RegistryError> {
        let bearer = challenges.iter().find_map(|challenge| match challenge {
            Challenge::Bearer(bearer) => Some(bearer),
            Challenge::Basic => None,
        });
        let Visit {
            repository,
            origin,
            section: _,
            reference: _,
            deadline,
        } = visit;
        if let Some(bearer) = bearer {
            let asker = Asker {
                repository,
                origin,
                credential: identity,
                deadline: *deadline,
            };
            return match self.tokens.get(&self.http, bearer, asker).await? {
                Grant::Token(token) => Ok(Some(Ok(header("Bearer", &token, repository)?))),
                Grant::Refused(status) => Ok(Some(Err(status))),
            };
        }
        match identity {
            Some(credential) => Ok(Some(Ok(header("Basic", &credential.basic(), repository)?))),
            None => Ok(None),
        }
    }

    /// Keeps a challenge of the usual form for the registry's other repositories.
    fn remember(&self, repository: &Repository, challenges: &[Challenge]) {
        let usual = challenges.iter().find_map(|challenge| match challenge {
            Challenge::Bearer(bearer) if bearer.scope == Some(pull_scope(repository)) => {
                Some(bearer.clone())
            }
            _ => None,
        });
        if let Some(bearer) = usual {
            let mut challenges = self
                .challenges
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            challenges.insert(repository.registry().to_owned(), bearer);
        }
    }

    async fn send(
        &self,
        visit: &Visit<'_>,
        method: Method,
        authorization: Option<HeaderValue>,
    ) -> Result<Answer, RegistryError> {
        let Visit {
            repository,
            origin,
            section,
            reference: _,
            deadline,
        } = visit;
        let url = origin.join(&visit.path()).map_err(|_| RegistryError::Url {
            repository: (*repository).clone(),
        })?;
        let mut request = match method {
            Method::Head => Request::head(url, *deadline),
            Method::Get => Request::get(url, *deadline).body_limit(MANIFEST_LIMIT),
        };
        if *section == Section::Manifests
            && let Ok(accept) = HeaderValue::try_from(MEDIA_TYPES.join(", "))
        {
            request = request.header(ACCEPT, accept);
        }
        if let Some(authorization) = authorization {
            request = request.authorization(authorization);
        }
        self.http
            .send(&request)
            .await
            .map_err(|error| RegistryError::from_http(repository, error))
    }
}

fn challenges(answer: &Answer) -> Vec<Challenge> {
    let headers = answer.headers.get_all(WWW_AUTHENTICATE).into_iter();
    headers
        .filter_map(|value| value.to_str().ok())
        .flat_map(Challenge::parse)
        .collect()
}
