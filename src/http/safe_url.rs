//! URLs that cannot print a password.

use std::fmt;

use url::Url;

/// What stands in place of a secret.
const MASK: &str = "***";

/// Why a text is no URL that we ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SafeUrlError {
    /// It is no absolute URL. The text is not repeated: it may hold a password.
    #[error("not a valid URL")]
    Malformed,
    /// Its scheme is neither http nor https.
    #[error("the URL is neither http nor https")]
    Scheme,
    /// It names no host.
    #[error("the URL names no host")]
    NoHost,
}

/// An http or https URL with a host. Printing it masks user information and the values of the query.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct SafeUrl(Url);

impl SafeUrl {
    /// Reads a URL.
    pub(crate) fn parse(text: &str) -> Result<Self, SafeUrlError> {
        Self::accept(Url::parse(text).map_err(|_| SafeUrlError::Malformed)?)
    }

    fn accept(url: Url) -> Result<Self, SafeUrlError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(SafeUrlError::Scheme);
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(SafeUrlError::NoHost);
        }
        Ok(Self(url))
    }

    /// A URL relative to this one.
    pub(crate) fn join(&self, reference: &str) -> Result<Self, SafeUrlError> {
        Self::accept(
            self.0
                .join(reference)
                .map_err(|_| SafeUrlError::Malformed)?,
        )
    }

    /// The same URL with these pairs added to its query.
    pub(crate) fn with_query<'a>(
        &self,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mut url = self.0.clone();
        url.query_pairs_mut().extend_pairs(pairs);
        Self(url)
    }

    /// The URL itself, secrets included.
    pub(crate) fn as_url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://", self.0.scheme())?;
        if !self.0.username().is_empty() || self.0.password().is_some() {
            write!(formatter, "{MASK}@")?;
        }
        formatter.write_str(self.0.host_str().unwrap_or_default())?;
        if let Some(port) = self.0.port() {
            write!(formatter, ":{port}")?;
        }
        formatter.write_str(self.0.path())?;
        let mut separator = '?';
        for (key, _) in self.0.query_pairs() {
            write!(formatter, "{separator}{key}={MASK}")?;
            separator = '&';
        }
        Ok(())
    }
}

impl fmt::Debug for SafeUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SafeUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_form_prints_a_secret() {
        let url =
            SafeUrl::parse("https://me:hunter2@host:8443/a/b?token=hunter3&x=hunter4#hunter5")
                .expect("a URL");
        assert_eq!(url.to_string(), "https://***@host:8443/a/b?token=***&x=***");
        assert_eq!(
            format!("{url:?}"),
            "SafeUrl(https://***@host:8443/a/b?token=***&x=***)"
        );
        assert_eq!(
            SafeUrl::parse("https://hunter2@host/")
                .expect("a URL")
                .to_string(),
            "https://***@host/"
        );
    }

    #[test]
    fn only_web_addresses_are_taken() {
        for (text, error) in [
            ("host/path", SafeUrlError::Malformed),
            ("file:///etc/passwd", SafeUrlError::Scheme),
            ("oci://host/path", SafeUrlError::Scheme),
            ("https://", SafeUrlError::Malformed),
        ] {
            assert_eq!(SafeUrl::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn query_pairs_are_added_to_what_is_there() {
        let url = SafeUrl::parse("https://host/token?a=b").expect("a URL");
        let url = url.with_query([("service", "s p"), ("scope", "repository:a/b:pull")]);
        assert_eq!(
            url.as_url().query(),
            Some("a=b&service=s+p&scope=repository%3Aa%2Fb%3Apull")
        );
    }
}
