//! What commands take to know what is published: repositories, registries, and how both are asked.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;
use tracebloc_core::image::{MirrorSource, RegistryMirror};
use tracebloc_core::version::Constraint;

/// Where to ask what is published.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// The chart repository to compare with, by URL or by its name in `helm repo list`, instead of the one that each release names
    #[arg(long, value_name = "REPOSITORY")]
    pub(crate) repo: Option<String>,
    /// Count prereleases of the chart too
    #[arg(long)]
    pub(crate) devel: bool,
    /// Count only chart versions in this range, such as `~1.9` or `>=1.9.40 <2`
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub(crate) constraint: Option<Constraint>,
    /// Ask about images too of which nothing runs: scaled to nothing, or between the runs of a `CronJob`
    #[arg(long)]
    pub(crate) all_images: bool,
    /// Where images come from a mirror (`global.imageRegistry`), ask its source too whether the mirror lags behind: Docker Hub, or the given place
    #[arg(long, value_name = "HOST[/PREFIX]", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) compare_source: Option<MirrorSource>,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    /// Ask nobody; print the least rights that this very call needs, as Roles
    #[arg(long)]
    pub(crate) print_rbac: bool,
}

/// How registries are asked what is published.
#[derive(Debug, Clone, Args)]
pub(crate) struct RegistryArgs {
    /// Neither use nor keep copies of what repositories and registries answered before
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Ask this registry over http; loopback hosts always are; repeatable
    #[arg(long, value_name = "HOST")]
    pub(crate) plain_http: Vec<String>,
    /// Say that the nodes pull a registry's images through a cache, such as docker.io=cache.example.com/hub; repeatable
    #[arg(long, value_name = "REGISTRY=HOST[/PREFIX]")]
    pub(crate) registry_mirror: Vec<RegistryMirror>,
    /// Ask registries with the pull secrets of the running pods too, which takes the right to read them
    #[arg(long)]
    pub(crate) use_pull_secrets: bool,
    /// A file of certificate authorities (PEM) to trust for registries and chart repositories, beside those of the system
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Send each host of a registry at most so many requests; what would take more is unknown
    #[arg(long, value_name = "N")]
    pub(crate) max_requests: Option<NonZeroU32>,
}
