//! What is asked of a server.

use std::fmt;

use reqwest::Method;
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
};
use tokio::time::Instant;

use super::SafeUrl;
use crate::cache::Validators;

/// The body cap of requests that set none: enough for tokens and error documents.
const DEFAULT_BODY_LIMIT: usize = 1024 * 1024;

/// Which redirects a request follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Redirects {
    /// Any, without credentials where the host changes, but never from https to http nor to a link-local address.
    Follow,
    /// Only those within the same scheme, host and port.
    SameOrigin,
}

/// The body of a request: a form, whose values cannot be printed.
#[derive(Clone)]
pub(super) struct Form(String);

impl Form {
    /// The form, for the wire.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Form(***)")
    }
}

/// A request that changes nothing: all that this client sends may be repeated.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(super) method: Method,
    pub(super) url: SafeUrl,
    pub(super) headers: HeaderMap,
    pub(super) form: Option<Form>,
    pub(super) deadline: Instant,
    pub(super) body_limit: usize,
    pub(super) redirects: Redirects,
    pub(super) credentials_everywhere: bool,
}

impl Request {
    /// A GET that ends at `deadline`, retries and body included.
    pub(crate) fn get(url: SafeUrl, deadline: Instant) -> Self {
        Self::new(Method::GET, url, deadline)
    }

    /// A HEAD that ends at `deadline`, retries included.
    pub(crate) fn head(url: SafeUrl, deadline: Instant) -> Self {
        Self::new(Method::HEAD, url, deadline)
    }

    /// A POST of a form with secrets in it, such as one for a token; it stays with the server that it is for.
    pub(crate) fn post_form<'a>(
        url: SafeUrl,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
        deadline: Instant,
    ) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(pairs);
        let form = Form(form.finish());
        let media_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        Self {
            form: Some(form),
            ..Self::new(Method::POST, url, deadline)
        }
        .header(CONTENT_TYPE, media_type)
        .redirects(Redirects::SameOrigin)
    }

    fn new(method: Method, url: SafeUrl, deadline: Instant) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            form: None,
            deadline,
            body_limit: DEFAULT_BODY_LIMIT,
            redirects: Redirects::Follow,
            credentials_everywhere: false,
        }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Asks only for what is no longer as it was with these validators: else the answer is 304.
    pub(crate) fn unless_as_in(self, validators: &Validators) -> Self {
        let Validators {
            etag,
            last_modified,
        } = validators;
        let conditions = [(IF_NONE_MATCH, etag), (IF_MODIFIED_SINCE, last_modified)];
        conditions.into_iter().fold(self, |request, (name, text)| {
            let value = text
                .as_deref()
                .and_then(|text| HeaderValue::from_str(text).ok());
            match value {
                Some(value) => request.header(name, value),
                None => request,
            }
        })
    }

    /// Adds credentials, which never print and never reach another host.
    pub(crate) fn authorization(self, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.header(AUTHORIZATION, value)
    }

    /// Sets the most bytes of the decoded body.
    pub(crate) fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Lets credentials follow redirects to other hosts, where the user asks for exactly that.
    pub(crate) fn credentials_everywhere(mut self, on: bool) -> Self {
        self.credentials_everywhere = on;
        self
    }

    /// Sets which redirects are followed.
    pub(crate) fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }
}
