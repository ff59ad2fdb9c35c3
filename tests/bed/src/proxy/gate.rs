//! A registry's token handshake, in front of a registry that has none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode};
use serde_json::json;

/// The token that is issued: only its holder is let through.
const TOKEN: &str = "bed-token";

/// Wants a token from its own service, which may want credentials.
#[derive(Debug, Clone, Default)]
pub struct TokenGate {
    credentials: Option<String>,
}

impl TokenGate {
    /// Tokens for everybody.
    pub fn open() -> Self {
        Self::default()
    }

    /// Tokens for this user only.
    pub fn for_user(user: &str, password: &str) -> Self {
        Self {
            credentials: Some(format!(
                "Basic {}",
                STANDARD.encode(format!("{user}:{password}"))
            )),
        }
    }

    /// The answer to a request that does not get through: a token, a refusal, or the challenge.
    pub(super) fn refuse<B>(&mut self, request: &Request<B>) -> Option<Response<String>> {
        let header = |name| {
            request
                .headers()
                .get(name)
                .and_then(|value: &hyper::header::HeaderValue| value.to_str().ok())
        };
        let given = header(AUTHORIZATION);
        let answer = |status: StatusCode, challenge: Option<String>, body: String| {
            let mut response = Response::builder().status(status);
            if let Some(challenge) = challenge {
                response = response.header(WWW_AUTHENTICATE, challenge);
            }
            response.body(body).ok()
        };
        if request.uri().path() == "/token" {
            return match &self.credentials {
                Some(wanted) if given != Some(wanted) => {
                    answer(StatusCode::UNAUTHORIZED, None, String::new())
                }
                Some(_) | None => answer(
                    StatusCode::OK,
                    None,
                    json!({"token": TOKEN, "expires_in": 60}).to_string(),
                ),
            };
        }
        if given.and_then(|given| given.strip_prefix("Bearer ")) == Some(TOKEN) {
            return None;
        }
        let host = header(HOST).unwrap_or_default();
        let repository = request
            .uri()
            .path()
            .strip_prefix("/v2/")
            .and_then(|path| path.split_once("/manifests/"))
            .map_or("", |(repository, _)| repository);
        let challenge = format!(
            "Bearer realm=\"http://{host}/token\",service=\"bed\",scope=\"repository:{repository}:pull\""
        );
        answer(StatusCode::UNAUTHORIZED, Some(challenge), String::new())
    }
}
