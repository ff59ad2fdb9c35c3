//! One question to a registry, with the credentials and tokens that it wants.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderValue, WWW_AUTHENTICATE};
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout};
use tracebloc_core::image::Repository;

use super::allowance::Allowance;
use super::challenge::{Bearer, Challenge};
use super::credentials::{Credential, Held};
use super::error::{Asked, RegistryError};
use super::token::{Asker, Grant, header, pull_scope};
use super::{Method, Registry, Visit};
use crate::http::{Answer, Request};

/// How long a question waits for the first one to its registry.
const GREETING_LIMIT: Duration = Duration::from_secs(1);

/// The largest answer read: registries accept manifests of 4 MiB at most.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

impl Registry {
    /// Asks for what the visit is for, with whatever authorization the registry wants. The answer may have any status.
    pub(super) async fn ask(
        &self,
        visit: &mut Visit<'_>,
        method: Method,
    ) -> Result<Answer, RegistryError> {
        if let Some(first) = self.greet(visit, method).await {
            return self.answer_challenges(visit, method, first?, None).await;
        }
        let known = self.known_challenge(visit.repository);
        let mut refused = None;
        if let Some(known) = &known {
            match self.ask_authorized(visit, method, known).await? {
                Ok(answer) => return Ok(answer),
                Err(status) => refused = Some(status),
            }
        }
        let answer = self.send(visit, method, None).await?;
        self.answer_challenges(visit, method, answer, known.zip(refused))
            .await
    }

    /// The first question of a run to a registry goes alone: whether it wants a token is then known to all others, which would be refused too.
    /// `None` where another one was the first. They do not wait long for it, since only this one may be slow.
    async fn greet(
        &self,
        visit: &Visit<'_>,
        method: Method,
    ) -> Option<Result<Answer, RegistryError>> {
        let (greeting, turn) = self.greeting(visit.repository);
        if turn.is_none() {
            let _answered_or_slow = timeout(GREETING_LIMIT, greeting.lock()).await;
            return None;
        }
        let first = self.send(visit, method, None).await;
        if let Ok(answer) = &first {
            self.remember(visit.repository, &challenges(answer));
        }
        Some(first)
    }

    /// What the first question to a registry holds while it has no answer, and, for the first, the hold.
    fn greeting(
        &self,
        repository: &Repository,
    ) -> (Arc<tokio::sync::Mutex<()>>, Option<OwnedMutexGuard<()>>) {
        let mut greetings = self
            .greetings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(greeting) = greetings.get(repository.registry()) {
            return (Arc::clone(greeting), None);
        }
        let greeting: Arc<tokio::sync::Mutex<()>> = Arc::default();
        let turn = Arc::clone(&greeting).try_lock_owned().ok();
        greetings.insert(repository.registry().to_owned(), Arc::clone(&greeting));
        (greeting, turn)
    }

    /// Asks again where an answer without authorization is a challenge; `refused` is a challenge that was answered already, with the status
    /// that came of it.
    async fn answer_challenges(
        &self,
        visit: &mut Visit<'_>,
        method: Method,
        answer: Answer,
        refused: Option<(Vec<Challenge>, u16)>,
    ) -> Result<Answer, RegistryError> {
        let challenges = challenges(&answer);
        if answer.status.as_u16() != 401 || challenges.is_empty() {
            return Ok(answer);
        }
        // Only another challenge than the one already answered gives another outcome.
        match refused {
            Some((known, status)) if known == challenges => Err(visit.refusal(status)),
            _ => {
                self.remember(visit.repository, &challenges);
                let outcome = self.ask_authorized(visit, method, &challenges).await?;
                outcome.map_err(|status| visit.refusal(status))
            }
        }
    }

    /// Asks with each credential and then as anyone, since one that has expired must not hide what is public. The status is that of the
    /// first refusal.
    async fn ask_authorized(
        &self,
        visit: &mut Visit<'_>,
        method: Method,
        challenges: &[Challenge],
    ) -> Result<Result<Answer, u16>, RegistryError> {
        let begun = Instant::now();
        let Held {
            credentials,
            trouble,
        } = self.keychain.held(visit.repository).await;
        // What a helper takes is not the registry's time.
        visit.deadline += begun.elapsed();
        visit.asked = match (credentials.is_empty(), trouble) {
            (false, trouble) => Asked::Refused(trouble.map(Box::new)),
            (true, Some(trouble)) => Asked::Without(Box::new(trouble)),
            (true, None) => Asked::Anonymously,
        };
        let mut refused = None;
        let mut missing = None;
        for (place, identity) in credentials.iter().map(Some).chain([None]).enumerate() {
            let status = match self.authorization(visit, challenges, identity).await? {
                None => continue,
                Some(Err(status)) => status,
                Some(Ok(authorization)) => {
                    let answer = self.send(visit, method, Some(authorization)).await?;
                    match answer.status.as_u16() {
                        status @ (401 | 403) => status,
                        // Some registries say so of what these credentials may not see, and other ones may.
                        404 if place + 1 < credentials.len() => {
                            missing = missing.or(Some(answer));
                            continue;
                        }
                        _ => {
                            if identity.is_some() {
                                self.note_personal(visit.repository);
                            }
                            return Ok(Ok(answer));
                        }
                    }
                }
            };
            refused = refused.or(Some(status));
        }
        Ok(missing.ok_or(refused.unwrap_or(401)))
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
            deadline,
            ..
        } = visit;
        if let Some(Credential::Registry(token)) = identity {
            return Ok(Some(Ok(header("Bearer", token, repository)?)));
        }
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
        match identity.and_then(Credential::basic) {
            Some(login) => Ok(Some(Ok(header("Basic", &login, repository)?))),
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
            url,
            accept,
            validators,
            deadline,
            ..
        } = visit;
        let url = url.clone();
        let mut request = match method {
            Method::Head => Request::head(url, *deadline),
            Method::Get => Request::get(url, *deadline)
                .body_limit(ANSWER_LIMIT)
                .unless_as_in(validators),
        };
        if let Ok(accept) = HeaderValue::try_from(accept.as_str()) {
            request = request.header(ACCEPT, accept);
        }
        if let Some(authorization) = authorization {
            request = request.authorization(authorization);
        }
        let answer = self
            .http
            .send(&request)
            .await
            .map_err(|error| RegistryError::from_http(repository, error))?;
        if let Some(told) = Allowance::of(&answer) {
            let mut allowances = self
                .allowances
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            allowances
                .entry(repository.registry().to_owned())
                .and_modify(|known| *known = known.least(told))
                .or_insert(told);
        }
        Ok(answer)
    }
}

fn challenges(answer: &Answer) -> Vec<Challenge> {
    let headers = answer.headers.get_all(WWW_AUTHENTICATE).into_iter();
    headers
        .filter_map(|value| value.to_str().ok())
        .flat_map(Challenge::parse)
        .collect()
}
