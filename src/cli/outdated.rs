//! `outdated`.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use tracebloc_core::name::{NameError, Namespace, ReleaseName};

use super::{AnswerArgs, SourceArgs, WatchArgs};

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
    /// Judge only this; repeatable
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(crate) only: Vec<Only>,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) answer: AnswerArgs,
    #[command(flatten)]
    pub(crate) watch: WatchArgs,
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
