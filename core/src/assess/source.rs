//! Which chart repository to ask for a release's chart (DESIGN §6 "Chart").

use std::fmt;

use url::Url;

use crate::profile::{Kinship, Profile};
use crate::release::Release;
use crate::snapshot::{RepositoryOrigin, RepositoryRef};

/// A repository to ask: what may be shown of it, and the URL to use, which may hold credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct RepositorySource {
    /// What may be shown.
    pub reference: RepositoryRef,
    /// The URL as it was given.
    pub secret_url: String,
}

impl fmt::Debug for RepositorySource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reference.fmt(formatter)
    }
}

impl RepositorySource {
    /// A repository by its URL.
    pub fn new(url: &str, origin: RepositoryOrigin) -> Self {
        let shown = shown(url);
        Self {
            reference: RepositoryRef {
                masked: shown != url,
                url: shown,
                origin,
            },
            secret_url: url.to_owned(),
        }
    }
}

/// A URL without user info and without the values of its query; a text that is no URL is not shown at all, since it may be a password
/// in the wrong place.
fn shown(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else {
        return "(not a URL)".to_owned();
    };
    let secret =
        !parsed.username().is_empty() || parsed.password().is_some() || parsed.query().is_some();
    if !secret {
        return url.to_owned();
    }
    // Both fail only for URLs that cannot have user info, which then hold none.
    let _no_user_info = parsed.set_username("");
    let _no_user_info = parsed.set_password(None);
    parsed.set_query(None);
    parsed.to_string()
}

/// The repository that may publish newer versions of a release's chart: `--repo`, else what the release's own updater uses, else the profile's.
/// `None` for a chart that no profile knows, where `--repo` was not given either.
pub fn repository(
    release: &Release,
    profile: &Profile,
    flag: Option<&str>,
) -> Option<RepositorySource> {
    if let Some(url) = flag {
        return Some(RepositorySource::new(url, RepositoryOrigin::Flag));
    }
    if profile.kinship(release) != Kinship::Ours {
        return None;
    }
    let own = release
        .values
        .text(&profile.values.repository_url)
        .map(|(url, _)| url)
        .filter(|url| !url.is_empty());
    Some(match own {
        Some(url) => RepositorySource::new(&url, RepositoryOrigin::Release),
        None => RepositorySource::new(&profile.repository, RepositoryOrigin::Profile),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_a_url_are_not_shown() {
        for (url, expected) in [
            (
                "https://charts.example.com/stable",
                "https://charts.example.com/stable",
            ),
            (
                "https://user:hunter2@charts.example.com/stable",
                "https://charts.example.com/stable",
            ),
            (
                "https://charts.example.com/?token=hunter2",
                "https://charts.example.com/",
            ),
            ("hunter2", "(not a URL)"),
        ] {
            let source = RepositorySource::new(url, RepositoryOrigin::Flag);
            assert_eq!(source.reference.url, expected);
            assert_eq!(source.reference.masked, url != expected);
            assert!(!format!("{source:?}").contains("hunter2"));
        }
    }
}
