//! Which chart repository to ask for a release's chart (DESIGN §6 "Chart").

use std::fmt;

use url::Url;

use crate::index::ChartIndex;
use crate::name::ChartName;
use crate::profile::{Kinship, Profile};
use crate::release::Release;
use crate::snapshot::{ObservedChart, RepositoryOrigin, RepositoryRef};
use crate::version::Version;

/// What the URL of a registry begins with.
const OCI: &str = "oci://";

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
                name: None,
                plain_http: false,
                origin,
            },
            secret_url: url.to_owned(),
        }
    }

    /// True if it is a registry.
    pub fn is_oci(&self) -> bool {
        self.secret_url.starts_with(OCI)
    }

    /// The same for one chart: in a registry each chart is a repository of its own, whose name may be given or left to be added.
    fn of_chart(mut self, chart: &ChartName) -> Self {
        if self.is_oci() {
            for url in [&mut self.secret_url, &mut self.reference.url] {
                url.truncate(url.trim_end_matches('/').len());
                if url.rsplit('/').next() != Some(chart.as_str()) {
                    url.push('/');
                    url.push_str(chart.as_str());
                }
            }
        }
        self
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

/// An entry of the user's `repositories.yaml`, as far as it is of interest here: credentials stay where they were read.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRepository {
    /// Its name.
    pub name: String,
    /// Its URL, which may hold credentials.
    pub secret_url: String,
}

impl fmt::Debug for UserRepository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "UserRepository({})", self.name)
    }
}

impl UserRepository {
    fn source(&self, origin: RepositoryOrigin) -> RepositorySource {
        let mut source = RepositorySource::new(&self.secret_url, origin);
        source.reference.name = Some(self.name.clone());
        source
    }
}

/// The repositories that may publish newer versions of a release's chart, the strongest first: `--repo` alone, or what the release's own
/// updater uses alone, or the user's entries and at last the profile's. Which of the entries counts, [`choose`] says once they were asked.
///
/// A URL that the user has an entry for is asked as that entry says, with its credentials. Empty for a chart that nobody knows a place for.
pub fn repositories(
    release: &Release,
    profile: &Profile,
    flag: Option<&str>,
    user: &[UserRepository],
) -> Vec<RepositorySource> {
    candidates(release, profile, flag, user)
        .into_iter()
        .map(|source| source.of_chart(&release.chart.name))
        .collect()
}

fn candidates(
    release: &Release,
    profile: &Profile,
    flag: Option<&str>,
    user: &[UserRepository],
) -> Vec<RepositorySource> {
    let by_url = |url: &str, origin| {
        user.iter()
            .find(|entry| is_same_url(&entry.secret_url, url))
            .map_or_else(
                || RepositorySource::new(url, origin),
                |entry| entry.source(origin),
            )
    };
    if let Some(text) = flag {
        let named = user.iter().find(|entry| entry.name == text);
        return vec![named.map_or_else(
            || by_url(text, RepositoryOrigin::Flag),
            |entry| entry.source(RepositoryOrigin::Flag),
        )];
    }
    let kinship = profile.kinship(release);
    if kinship == Kinship::Replaced {
        return Vec::new();
    }
    if kinship == Kinship::Ours {
        let own = release
            .values
            .text(&profile.values.repository_url)
            .map(|(url, _)| url)
            .filter(|url| !url.is_empty());
        if let Some(url) = own {
            return vec![by_url(&url, RepositoryOrigin::Release)];
        }
    }
    let mut all: Vec<RepositorySource> = user
        .iter()
        .map(|entry| entry.source(RepositoryOrigin::User))
        .collect();
    if kinship == Kinship::Ours {
        all.push(by_url(&profile.repository, RepositoryOrigin::Profile));
    }
    all
}

/// The candidate that a release is held against, of those that were asked. An entry of the user counts only if its index has the chart in the
/// installed version or at least in its family, which is its major version: many charts share a name. `None` where none counts.
pub fn choose<'candidates>(
    candidates: &'candidates [RepositoryRef],
    release: &Release,
    observed: &[ObservedChart],
) -> Option<&'candidates RepositoryRef> {
    let fit = |candidate: &RepositoryRef| {
        let observed = observed.iter().find(|observed| {
            observed.repository.is_same(candidate) && observed.chart == release.chart.name
        })?;
        match candidate.origin {
            RepositoryOrigin::Flag | RepositoryOrigin::Release => Some(Fit::Named),
            RepositoryOrigin::Profile => Some(Fit::Fallback),
            RepositoryOrigin::User => family(observed.index.known()?, release),
        }
    };
    // The first of the best: `max_by_key` alone would take the last.
    candidates
        .iter()
        .filter_map(|candidate| Some((fit(candidate)?, candidate)))
        .rev()
        .max_by_key(|(fit, _)| *fit)
        .map(|(_, candidate)| candidate)
}

/// How well a repository fits a release, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// Nobody but the profile names it.
    Fallback,
    /// It has versions of the installed one's family.
    Family,
    /// It has the installed version.
    Exact,
    /// The user or the release names it.
    Named,
}

fn family(index: &ChartIndex, release: &Release) -> Option<Fit> {
    let Some(installed) = &release.chart.version else {
        return (!index.versions.is_empty()).then_some(Fit::Family);
    };
    let has = |fits: &dyn Fn(&Version) -> bool| {
        index
            .versions
            .iter()
            .any(|published| fits(&published.version))
    };
    if has(&|version| version.precedence_cmp(installed).is_eq()) {
        Some(Fit::Exact)
    } else {
        has(&|version| version.major() == installed.major()).then_some(Fit::Family)
    }
}

fn is_same_url(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_asked_for_the_chart_itself() {
        let chart = ChartName::parse("client").unwrap();
        for (url, expected) in [
            ("oci://h/p", "oci://h/p/client"),
            ("oci://h/p/client/", "oci://h/p/client"),
            ("oci://h:5000", "oci://h:5000/client"),
            ("https://h/p", "https://h/p"),
        ] {
            let source = RepositorySource::new(url, RepositoryOrigin::Flag).of_chart(&chart);
            assert_eq!(source.reference.url, expected);
            assert_eq!(source.secret_url, expected);
        }
    }

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
