//! A registry's handshake, in front of a registry that has none.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};
use reqwest::Url;
use serde_json::json;

/// How a registry asks who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// By a token of its service.
    Bearer,
    /// By user name and password in each request.
    Basic,
}

/// Wants a token from its own service, which may want credentials, or wants the credentials themselves.
///
/// A token opens what it was asked for: the repositories and actions of its scope, nothing else.
#[derive(Clone)]
pub struct TokenGate {
    scheme: Scheme,
    /// The name of the token's member in the service's answer.
    member: &'static str,
    credentials: Option<String>,
    /// The identity token that the service exchanges, instead of credentials.
    identity: Option<String>,
    /// The tokens that were issued, with their scopes.
    issued: BTreeMap<String, String>,
}

impl std::fmt::Debug for TokenGate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TokenGate")
            .field("scheme", &self.scheme)
            .field("issued", &self.issued.len())
            .finish_non_exhaustive()
    }
}

impl TokenGate {
    /// Tokens for everybody.
    pub fn open() -> Self {
        Self {
            scheme: Scheme::Bearer,
            member: "token",
            credentials: None,
            identity: None,
            issued: BTreeMap::new(),
        }
    }

    /// Tokens for this user only.
    pub fn for_user(user: &str, password: &str) -> Self {
        Self {
            credentials: Some(format!(
                "Basic {}",
                STANDARD.encode(format!("{user}:{password}"))
            )),
            ..Self::open()
        }
    }

    /// No tokens: the user's name and password in each request.
    pub fn basic(user: &str, password: &str) -> Self {
        Self {
            scheme: Scheme::Basic,
            ..Self::for_user(user, password)
        }
    }

    /// Tokens for who has this identity token, by an exchange only.
    pub fn exchanging(identity: &str) -> Self {
        Self {
            identity: Some(identity.to_owned()),
            ..Self::open()
        }
    }

    /// Answers tokens as `access_token`, which some registries send alone.
    #[must_use]
    pub fn as_access_token(mut self) -> Self {
        self.member = "access_token";
        self
    }

    /// The answer to a request that does not get through: a token, a refusal, or the challenge.
    pub(super) fn refuse<B>(&mut self, request: &Request<B>) -> Option<Response<String>> {
        let header = |name| {
            let value: Option<&HeaderValue> = request.headers().get(name);
            value.and_then(|value| value.to_str().ok())
        };
        let given = header(AUTHORIZATION);
        let is_known = self.credentials.as_deref() == given;
        if self.scheme == Scheme::Basic {
            let challenge = "Basic realm=\"bed\"".to_owned();
            return (!is_known).then(|| refusal(Some(challenge)));
        }
        if request.uri().path() == "/token" {
            let is_allowed = self.identity.is_none() && (self.credentials.is_none() || is_known);
            let query = request.uri().query().unwrap_or_default();
            return Some(if is_allowed {
                self.issue(query)
            } else {
                refusal(None)
            });
        }
        let scope = scope(request);
        let token = given.and_then(|given| given.strip_prefix("Bearer "));
        if let Some(held) = token.and_then(|token| self.issued.get(token))
            && scope
                .as_ref()
                .is_none_or(|(name, action)| opens(held, name, action))
        {
            return None;
        }
        let host = header(HOST).unwrap_or_default();
        let mut challenge = format!("Bearer realm=\"http://{host}/token\",service=\"bed\"");
        if let Some((name, action)) = scope {
            let actions = if action == "pull" {
                "pull".to_owned()
            } else {
                format!("pull,{action}")
            };
            challenge += &format!(",scope=\"repository:{name}:{actions}\"");
        }
        Some(refusal(Some(challenge)))
    }

    /// The answer to a form that was posted to the token service: a token for the identity token, else a refusal.
    pub(super) fn exchange(&mut self, form: &str) -> Response<String> {
        let Some(identity) = &self.identity else {
            let mut response = refusal(None);
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            return response;
        };
        let is_given = |name: &str, expected: &str| values(form, name) == [expected];
        if is_given("grant_type", "refresh_token")
            && is_given("refresh_token", identity)
            && is_given("service", "bed")
        {
            self.issue(form)
        } else {
            refusal(None)
        }
    }

    /// A token for what a query or a form asks.
    fn issue(&mut self, query: &str) -> Response<String> {
        let token = format!("bed-token-{}", self.issued.len());
        let scopes = values(query, "scope");
        self.issued.insert(token.clone(), scopes.join(" "));
        Response::new(json!({self.member: token, "expires_in": 60}).to_string())
    }
}

/// The values of a name in a query or a form.
fn values(query: &str, name: &str) -> Vec<String> {
    Url::parse(&format!("http://bed/?{query}"))
        .iter()
        .flat_map(Url::query_pairs)
        .filter_map(|(key, value)| (key == name).then(|| value.into_owned()))
        .collect()
}

fn refusal(challenge: Option<String>) -> Response<String> {
    let body = json!({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]});
    let mut response = Response::new(body.to_string());
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    if let Some(challenge) = challenge.and_then(|text| HeaderValue::try_from(text).ok()) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The repository that a request is about and what it does there; nothing for `/v2/` itself.
fn scope<B>(request: &Request<B>) -> Option<(String, &'static str)> {
    let path = request.uri().path().strip_prefix("/v2/")?;
    let name = ["/manifests/", "/blobs/", "/tags/", "/referrers/"]
        .iter()
        .find_map(|part| path.rsplit_once(part))?
        .0;
    let action = match *request.method() {
        Method::GET | Method::HEAD => "pull",
        Method::DELETE => "delete",
        _ => "push",
    };
    Some((name.to_owned(), action))
}

/// Whether one of the scopes, separated by spaces, is `repository:<name>:<actions with this one>`.
fn opens(scopes: &str, name: &str, action: &str) -> bool {
    scopes.split(' ').any(|scope| {
        let held = scope
            .strip_prefix("repository:")
            .and_then(|scope| scope.rsplit_once(':'));
        held.is_some_and(|(held, actions)| {
            held == name && actions.split(',').any(|held| held == action || held == "*")
        })
    })
}
