//! `outdated`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use tracebloc_core::image::{MirrorSource, RegistryMirror};
use tracebloc_core::name::{NameError, Namespace, ReleaseName};
use tracebloc_core::version::Constraint;

use super::AnswerArgs;

/// What stands before a release where its kind is said too.
const RELEASE_KIND: &str = "release/";

/// Show which releases are behind, in chart and in image content, and why
///
/// Without arguments: the releases of the context's namespace, or, where that has none, of the whole cluster.
#[derive(Debug, Args)]
pub(crate) struct OutdatedArgs {
    /// Releases to look at: RELEASE or NAMESPACE/RELEASE, or what `--output name` printed
    #[arg(value_name = "RELEASE")]
    pub(crate) releases: Vec<ReleaseSelector>,
    /// Look at the releases of all namespaces
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// Only releases whose labels match (those given to `helm install --labels`)
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub(crate) selector: Option<String>,
    /// Look at releases of any chart whose repository is known, not only of the tracebloc chart
    #[arg(long)]
    pub(crate) all_charts: bool,
    /// The chart repository to compare with, by URL or by its name in `helm repo list`, instead of the one that each release names
    #[arg(long, value_name = "REPOSITORY")]
    pub(crate) repo: Option<String>,
    /// Neither use nor keep copies of what repositories and registries answered before
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Judge only this; repeatable
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(crate) only: Vec<Only>,
    /// Count prereleases of the chart too
    #[arg(long)]
    pub(crate) devel: bool,
    /// Count only chart versions in this range, such as `~1.9` or `>=1.9.40 <2`
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub(crate) constraint: Option<Constraint>,
    /// Ask this registry over http; loopback hosts always are; repeatable
    #[arg(long, value_name = "HOST")]
    pub(crate) plain_http: Vec<String>,
    /// Say that the nodes pull a registry's images through a cache, such as docker.io=cache.example.com/hub; repeatable
    #[arg(long, value_name = "REGISTRY=HOST[/PREFIX]")]
    pub(crate) registry_mirror: Vec<RegistryMirror>,
    /// Where images come from a mirror (`global.imageRegistry`), ask its source too whether the mirror lags behind: Docker Hub, or the given place
    #[arg(long, value_name = "HOST[/PREFIX]", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) compare_source: Option<MirrorSource>,
    /// Ask registries with the pull secrets of the running pods too, which takes the right to read them
    #[arg(long)]
    pub(crate) use_pull_secrets: bool,
    /// A file of certificate authorities (PEM) to trust for registries and chart repositories, beside those of the system
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Send each host of a registry at most so many requests; what would take more is unknown
    #[arg(long, value_name = "N")]
    pub(crate) max_requests: Option<NonZeroU32>,
    /// Ask nobody; print the least rights that this very call needs, as Roles
    #[arg(long)]
    pub(crate) print_rbac: bool,
    #[command(flatten)]
    pub(crate) answer: AnswerArgs,
}

/// A kind of drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Only {
    /// Newer chart versions.
    Chart,
    /// Newer version tags of images.
    Image,
    /// Content that a tag has moved away from.
    Digest,
}

/// A release, with its namespace where one was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReleaseSelector {
    pub(crate) namespace: Option<Namespace>,
    pub(crate) name: ReleaseName,
}

impl FromStr for ReleaseSelector {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        // As `--output name` writes it. A namespace may be called `release`: only with two more parts is it the kind.
        let text = match text.strip_prefix(RELEASE_KIND) {
            Some(rest) if rest.contains('/') => rest,
            Some(_) | None => text,
        };
        match text.split_once('/') {
            Some((namespace, name)) => Ok(Self {
                namespace: Some(Namespace::parse(namespace)?),
                name: ReleaseName::parse(name)?,
            }),
            None => Ok(Self {
                namespace: None,
                name: ReleaseName::parse(text)?,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_named_in_three_ways() {
        for (text, namespace, name) in [
            ("edge", None, "edge"),
            ("prod/edge", Some("prod"), "edge"),
            ("release/prod/edge", Some("prod"), "edge"),
            ("release/edge", Some("release"), "edge"),
        ] {
            let selector: ReleaseSelector = text.parse().unwrap();
            let found = selector.namespace.as_ref().map(Namespace::as_str);
            assert_eq!((found, selector.name.as_str()), (namespace, name), "{text}");
        }
        for text in ["", "a/b/c", "release/a/b/c", "release//b"] {
            assert!(text.parse::<ReleaseSelector>().is_err(), "{text}");
        }
    }
}
