//! Pull-through caches: where nodes really pull an image that names another registry (DESIGN §6 "Pull-through caches").

use std::str::FromStr;

use super::{ImageError, Repository};

/// That nodes pull one registry's images through another: `--registry-mirror`.
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
    /// It is no registry, nor a place below one.
    #[error("it takes HOST[/PREFIX], such as docker.io or registry.example.com/upstream")]
    Place,
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

/// What a configuration of the container tools (`registries.conf`) says of the images below a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryRule {
    prefix: Prefix,
    /// Host and path in place of the prefix; `None` where the images are pulled from where they name.
    through: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Prefix {
    /// A registry, with or without the beginning of a path, or a whole repository.
    Path(String),
    /// `*.example.com`: all registries below a domain, kept with the dot.
    Subdomains(String),
}

impl RegistryRule {
    /// A rule; `None` where the prefix is none that images without tag and digest are found under.
    pub fn new(prefix: &str, through: Option<&str>) -> Option<Self> {
        let prefix = prefix.trim_end_matches('/');
        let prefix = match prefix.strip_prefix('*') {
            Some(domain) if domain.starts_with('.') && !domain.contains('/') => {
                Prefix::Subdomains(domain.to_ascii_lowercase())
            }
            Some(_) => return None,
            None => Prefix::Path(normal(prefix)?),
        };
        let through = through.map(|through| through.trim_end_matches('/'));
        if through.is_some_and(|through| normal(through).is_none()) {
            return None;
        }
        Some(Self {
            prefix,
            through: through.map(str::to_owned),
        })
    }

    /// True if it is about the same images as another rule, which it then takes the place of.
    pub fn replaces(&self, other: &Self) -> bool {
        self.prefix == other.prefix
    }

    /// What is left of a repository's name behind the prefix, and how specific the prefix is; `None` where it is about other images.
    fn rest<'name>(&self, repository: &'name str) -> Option<(usize, &'name str)> {
        match &self.prefix {
            Prefix::Path(path) => {
                let rest = repository.strip_prefix(path.as_str())?;
                (rest.is_empty() || rest.starts_with('/')).then_some((path.len(), rest))
            }
            Prefix::Subdomains(domain) => {
                let (host, _) = repository.split_once('/')?;
                host.ends_with(domain.as_str())
                    .then_some((domain.len(), &repository[host.len()..]))
            }
        }
    }
}

/// A registry or a place below one, in the form in which [`Repository`] writes names; `None` where it is neither.
fn normal(place: &str) -> Option<String> {
    // The grammar of repositories checks it; the path stands for any.
    let whole = Repository::parse(&format!("{place}/any/image")).ok()?;
    let host = place.split('/').next().unwrap_or_default();
    let is_meant = host.eq_ignore_ascii_case(whole.registry())
        || (whole.registry() == "docker.io" && host.eq_ignore_ascii_case("index.docker.io"));
    let whole = whole.to_string();
    is_meant.then(|| {
        whole
            .strip_suffix("/any/image")
            .unwrap_or(&whole)
            .to_owned()
    })
}

/// A place in registries: a host, or a path below one, such as `docker.io` or `registry.example.com/upstream`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(String);

impl FromStr for Place {
    type Err = MirrorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim_end_matches('/');
        normal(text).map(Self).ok_or(MirrorError::Place)
    }
}

impl Place {
    /// The repository of the same name below another place; `None` where this one is not below `self`.
    pub fn moved(&self, repository: &Repository, other: &Self) -> Option<Repository> {
        let name = repository.to_string();
        let rest = name.strip_prefix(self.0.as_str())?.strip_prefix('/')?;
        let moved = Repository::parse(&format!("{}/{rest}", other.0)).ok()?;
        (moved != *repository).then_some(moved)
    }
}

/// Where the source of a mirror is, as a flag says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MirrorSource {
    /// Where it usually is: an empty text.
    Usual,
    /// At this place.
    At(Place),
}

impl FromStr for MirrorSource {
    type Err = MirrorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            Ok(Self::Usual)
        } else {
            text.parse().map(Self::At)
        }
    }
}

/// Through which caches nodes pull: what the user said for this call, and what the container tools are configured to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirrors {
    named: Vec<RegistryMirror>,
    rules: Vec<RegistryRule>,
}

impl Mirrors {
    /// Mirrors of flags, which go before rules.
    pub fn new(named: Vec<RegistryMirror>, rules: Vec<RegistryRule>) -> Self {
        Self { named, rules }
    }

    /// The repository through which nodes pull this one; `None` where they ask it itself. Of rules the one with the longest prefix counts, even
    /// if it says that there is no cache.
    pub fn through(&self, repository: &Repository) -> Option<Repository> {
        if let Some(through) = self.named.iter().find_map(|mirror| mirror.of(repository)) {
            return Some(through);
        }
        let name = repository.to_string();
        let (_, rest, rule) = self
            .rules
            .iter()
            .filter_map(|rule| {
                let (length, rest) = rule.rest(&name)?;
                Some((length, rest, rule))
            })
            .max_by_key(|(length, _, _)| *length)?;
        let through = Repository::parse(&format!("{}{rest}", rule.through.as_ref()?)).ok()?;
        (through != *repository).then_some(through)
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

    fn rules(rules: &[(&str, Option<&str>)]) -> Mirrors {
        let rules = rules
            .iter()
            .map(|(prefix, through)| RegistryRule::new(prefix, *through).expect(prefix));
        Mirrors::new(Vec::new(), rules.collect())
    }

    #[test]
    fn the_longest_prefix_counts() {
        let mirrors = rules(&[
            ("docker.io", Some("cache.example.com/hub")),
            ("docker.io/tracebloc", Some("cache.example.com:5000")),
            ("docker.io/tracebloc/own", None),
            ("docker.io/library/busybox", Some("cache.example.com/box")),
            ("*.example.org", Some("cache.example.com/org")),
            ("quay.io", Some("quay.io")),
        ]);
        for (image, through) in [
            ("busybox", Some("cache.example.com/box")),
            ("busybox2", Some("cache.example.com/hub/library/busybox2")),
            ("tracebloc/api", Some("cache.example.com:5000/api")),
            (
                "traceblocs/api",
                Some("cache.example.com/hub/traceblocs/api"),
            ),
            ("tracebloc/own", None),
            ("tracebloc/own/api", None),
            ("a.b.example.org/x", Some("cache.example.com/org/x")),
            ("example.org/x", None),
            ("quay.io/x", None),
            ("ghcr.io/x", None),
        ] {
            let found = mirrors.through(&Repository::parse(image).unwrap());
            let found = found.map(|found| found.to_string());
            assert_eq!(found.as_deref(), through, "{image}");
        }
    }

    #[test]
    fn a_repository_is_found_again_at_another_place() {
        for (from, to, image, moved) in [
            (
                "m.example.com/hub",
                "docker.io",
                "m.example.com/hub/tracebloc/api",
                Some("docker.io/tracebloc/api"),
            ),
            (
                "m.example.com",
                "docker.io",
                "m.example.com/busybox",
                Some("docker.io/library/busybox"),
            ),
            (
                "m.example.com:5000/",
                "m.example.com:6000/up/",
                "m.example.com:5000/a",
                Some("m.example.com:6000/up/a"),
            ),
            (
                "m.example.com/hub",
                "docker.io",
                "m.example.com/hub2/a",
                None,
            ),
            ("docker.io", "docker.io", "tracebloc/api", None),
        ] {
            let place = |text: &str| text.parse::<Place>().expect(text);
            let found = place(from).moved(&Repository::parse(image).unwrap(), &place(to));
            assert_eq!(found.map(|found| found.to_string()).as_deref(), moved);
        }
        for text in [
            "",
            "name",
            "https://h.example",
            "h.example/UPPER",
            "h.example/a:b",
        ] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_flag_goes_before_all_rules() {
        let flag = "docker.io=flag.example.com".parse().unwrap();
        let rule = RegistryRule::new("docker.io/tracebloc", Some("rule.example.com")).unwrap();
        let mirrors = Mirrors::new(vec![flag], vec![rule]);
        let through = mirrors.through(&Repository::parse("tracebloc/api").unwrap());
        assert_eq!(
            through.unwrap().to_string(),
            "flag.example.com/tracebloc/api"
        );
    }

    #[test]
    fn what_is_no_place_of_images_makes_no_rule() {
        for (prefix, through) in [
            ("", None),
            ("docker.io/library/busybox:1.35", None),
            ("*", None),
            ("*.example.com/x", None),
            ("name", None),
            ("docker.io", Some("")),
            ("docker.io", Some("https://cache.example.com")),
            ("docker.io", Some("cache.example.com/UPPER")),
        ] {
            assert_eq!(RegistryRule::new(prefix, through), None, "{prefix}");
        }
    }
}
