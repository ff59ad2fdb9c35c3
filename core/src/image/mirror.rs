//! Pull-through caches: where nodes really pull an image that names another registry (DESIGN §6 "Pull-through caches").

use std::str::FromStr;

use super::{ImageError, Repository};

/// That nodes pull one registry's images through another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryMirror {
    /// The registry that references name, as [`Repository::registry`] has it.
    source: String,
    /// Host and path, below which the source's repositories are.
    prefix: String,
}

/// Why a text is no [`RegistryMirror`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MirrorError {
    /// There is no `=`.
    #[error("it takes REGISTRY=HOST[/PREFIX], such as docker.io=cache.example.com/hub")]
    Shape,
    /// One of the two is no registry.
    #[error(transparent)]
    Registry(#[from] ImageError),
}

impl FromStr for RegistryMirror {
    type Err = MirrorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (source, prefix) = text.split_once('=').ok_or(MirrorError::Shape)?;
        let prefix = prefix.trim_end_matches('/');
        if source.is_empty() || source.contains('/') || prefix.is_empty() {
            return Err(MirrorError::Shape);
        }
        // The grammar of repositories checks both; the names stand for any.
        let source = Repository::parse(&format!("{source}/any/image"))?;
        let through = Repository::parse(&format!("{prefix}/any/image"))?;
        let host = prefix.split('/').next().unwrap_or_default();
        let is_host = host.eq_ignore_ascii_case(through.registry());
        if !is_host || source.path() != "any/image" {
            return Err(MirrorError::Shape);
        }
        Ok(Self {
            source: source.registry().to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

impl RegistryMirror {
    /// The repository through which nodes pull this one; `None` where it is of another registry.
    pub fn of(&self, repository: &Repository) -> Option<Repository> {
        if repository.registry() != self.source {
            return None;
        }
        Repository::parse(&format!("{}/{}", self.prefix, repository.path())).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_found_below_the_prefix() {
        for (mirror, image, through) in [
            (
                "docker.io=cache.example.com/hub",
                "busybox",
                Some("cache.example.com/hub/library/busybox"),
            ),
            (
                "docker.io=cache.example.com:5000/",
                "tracebloc/api",
                Some("cache.example.com:5000/tracebloc/api"),
            ),
            (
                "index.docker.io=localhost",
                "tracebloc/api",
                Some("localhost/tracebloc/api"),
            ),
            ("ghcr.io=cache.example.com", "tracebloc/api", None),
            (
                "127.0.0.1:5000=127.0.0.1:6000/c",
                "127.0.0.1:5000/a",
                Some("127.0.0.1:6000/c/a"),
            ),
        ] {
            let mirror: RegistryMirror = mirror.parse().unwrap();
            let found = mirror.of(&Repository::parse(image).unwrap());
            assert_eq!(found.map(|found| found.to_string()).as_deref(), through);
        }
    }

    #[test]
    fn what_is_no_mirror_is_refused() {
        for text in [
            "",
            "docker.io",
            "docker.io=",
            "=cache.example.com",
            "docker.io/library=cache.example.com",
            "docker.io=cache/hub",
            "docker.io=https://cache.example.com",
            "docker.io=Cache.example.com/UPPER",
        ] {
            assert!(text.parse::<RegistryMirror>().is_err(), "{text}");
        }
    }
}
