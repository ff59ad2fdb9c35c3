//! `registries.conf` of the container tools (containers-registries.conf(5), version 2): through which caches images are pulled.
//!
//! It is the workstation's file, and counts for the nodes because users keep both alike; `--registry-mirror` goes before it.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tracebloc_core::image::RegistryRule;
use tracebloc_core::snapshot::{Gap, GapReason};

use super::Environment;

/// Real files have some KiB.
const FILE_LIMIT: u64 = 1024 * 1024;

/// Where the files of the machine are.
const SYSTEM: &str = "/etc/containers";

/// What the files say.
#[derive(Debug, Default)]
pub(crate) struct RegistryConfiguration {
    /// For each prefix of images how they are pulled.
    pub(crate) rules: Vec<RegistryRule>,
    /// Hosts, with their ports, that may be asked over http.
    pub(crate) insecure: Vec<String>,
    /// Files that could not be read.
    pub(crate) unread: Vec<Gap>,
}

/// The variable that names one file in place of all.
const NAMING: &str = "CONTAINERS_REGISTRIES_CONF";

impl RegistryConfiguration {
    /// Reads the files that there are; of two that speak of the same prefix the later one counts.
    pub(super) fn read(environment: &Environment) -> Self {
        let mut configuration = Self::default();
        let is_named = environment.get(NAMING).is_some();
        for path in files(environment, Path::new(SYSTEM)) {
            configuration.add(&path, read(&path, is_named));
        }
        configuration
    }

    fn add(&mut self, path: &Path, content: Result<Option<String>, String>) {
        let outcome = content.and_then(|content| match content {
            Some(text) => self.take(&text),
            None => Ok(()),
        });
        if let Err(reason) = outcome {
            self.unread.push(Gap {
                asked: "the caches through which images are pulled".to_owned(),
                reason: GapReason::Malformed,
                message: format!("`{}` {reason}", path.display()),
            });
        }
    }

    fn take(&mut self, text: &str) -> Result<(), String> {
        let document: Document = toml::from_str(text).map_err(|error| malformed(&error, text))?;
        for registry in document.registry {
            let location = registry.location.as_deref().filter(|text| !text.is_empty());
            let prefix = registry.prefix.as_deref().filter(|text| !text.is_empty());
            let Some(prefix) = prefix.or(location) else {
                return Err("has a registry without prefix and location".to_owned());
            };
            let mirror = registry
                .mirror
                .iter()
                .find(|mirror| !registry.mirror_by_digest_only && mirror.serves_tags());
            let (through, insecure) = match mirror {
                Some(mirror) => (Some(mirror.location.as_str()), mirror.insecure),
                None => (
                    location.filter(|location| *location != prefix),
                    registry.insecure,
                ),
            };
            // A rule for one tag or digest alone is legal, and of no use here.
            let Some(rule) = RegistryRule::new(prefix, through) else {
                continue;
            };
            if let (true, Some(host)) = (insecure, through.or(location).and_then(host)) {
                self.insecure.push(host);
            }
            self.rules.retain(|known| !rule.replaces(known));
            self.rules.push(rule);
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    registry: Vec<Registry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Registry {
    prefix: Option<String>,
    location: Option<String>,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    mirror_by_digest_only: bool,
    #[serde(default)]
    mirror: Vec<Mirror>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Mirror {
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(rename = "pull-from-mirror")]
    pulls: Option<String>,
}

impl Mirror {
    /// True if images are pulled from it by tag.
    fn serves_tags(&self) -> bool {
        self.pulls.as_deref() != Some("digest-only")
    }
}

/// The registry of a place.
fn host(place: &str) -> Option<String> {
    let host = place.split('/').next().filter(|host| !host.is_empty())?;
    Some(host.to_ascii_lowercase())
}

/// Where a text is no such file, without its content.
fn malformed(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map(|span| {
        let before = text.as_bytes().iter().take(span.start);
        before.filter(|byte| **byte == b'\n').count() + 1
    });
    match line {
        Some(line) => format!("is no registries.conf: line {line}"),
        None => "is no registries.conf".to_owned(),
    }
}

/// The files in the order in which they count. One that the environment names stands alone.
fn files(environment: &Environment, system: &Path) -> Vec<PathBuf> {
    if let Some(path) = environment.get(NAMING) {
        return vec![path.into()];
    }
    let home = || {
        let home = environment.get("HOME").map(PathBuf::from);
        home.or_else(dirs::home_dir)
    };
    let own = environment
        .get("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| home().map(|home| home.join(".config")))
        .map(|folder| folder.join("containers"));
    let main = |folder: &Path| folder.join("registries.conf");
    let mut files = Vec::new();
    files.push(match &own {
        Some(own) if main(own).exists() => main(own),
        _ => main(system),
    });
    files.extend(drop_ins(system));
    files.extend(own.iter().flat_map(|own| drop_ins(own)));
    files
}

/// The files of a `registries.conf.d` in their order.
fn drop_ins(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder.join("registries.conf.d")) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "conf")
        })
        .collect();
    paths.sort();
    paths
}

/// The text of a file; `None` where there is none. One that the environment names must be there: else what it should say is not known.
fn read(path: &Path, named: bool) -> Result<Option<String>, String> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => {
            return Ok(None);
        }
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    let mut text = String::new();
    match file.take(FILE_LIMIT + 1).read_to_string(&mut text) {
        Ok(_) if text.len() as u64 > FILE_LIMIT => Err("is larger than 1 MiB".to_owned()),
        Ok(_) => Ok(Some(text)),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tracebloc_core::image::{Mirrors, Repository};

    use super::*;

    fn through(configuration: &RegistryConfiguration, image: &str) -> Option<String> {
        let mirrors = Mirrors::new(Vec::new(), configuration.rules.clone());
        let through = mirrors.through(&Repository::parse(image).unwrap());
        through.map(|through| through.to_string())
    }

    fn of(texts: &[&str]) -> RegistryConfiguration {
        let mut configuration = RegistryConfiguration::default();
        for text in texts {
            configuration.add(Path::new("/c"), Ok(Some((*text).to_owned())));
        }
        configuration
    }

    #[test]
    fn mirrors_and_moved_registries_are_read() {
        let configuration = of(&[r#"
            unqualified-search-registries = ["docker.io"]
            short-name-mode = "enforcing"
            [[registry]]
            prefix = "docker.io"
            location = "registry-1.docker.io"
            [[registry.mirror]]
            location = "digests.example.com"
            pull-from-mirror = "digest-only"
            [[registry.mirror]]
            location = "cache.example.com:5000/hub"
            insecure = true
            [[registry.mirror]]
            location = "second.example.com"
            [[registry]]
            location = "ghcr.io"
            mirror-by-digest-only = true
            [[registry.mirror]]
            location = "cache.example.com/ghcr"
            [[registry]]
            prefix = "old.example.com/team"
            location = "new.example.com/team"
            [[registry]]
            prefix = "docker.io/library/busybox:1.35"
            location = "elsewhere.example.com"
        "#]);
        assert_eq!(configuration.unread, []);
        for (image, expected) in [
            (
                "busybox",
                Some("cache.example.com:5000/hub/library/busybox"),
            ),
            ("ghcr.io/a/b", None),
            ("old.example.com/team/x", Some("new.example.com/team/x")),
            ("old.example.com/other", None),
        ] {
            assert_eq!(
                through(&configuration, image).as_deref(),
                expected,
                "{image}"
            );
        }
        assert_eq!(configuration.insecure, ["cache.example.com:5000"]);
    }

    #[test]
    fn a_later_file_takes_the_place_of_an_earlier_one_for_its_prefix() {
        let first = "[[registry]]\nlocation = 'docker.io'\n[[registry.mirror]]\nlocation = 'one.example.com'\n";
        let second = "[[registry]]\nlocation = 'docker.io'\n[[registry.mirror]]\nlocation = 'two.example.com'\n";
        let none = "[[registry]]\nlocation = 'docker.io'\n";
        for (texts, expected) in [
            (vec![first, second], Some("two.example.com/a/b")),
            (vec![second, first], Some("one.example.com/a/b")),
            (vec![first, none], None),
            (vec![first, "damaged ["], Some("one.example.com/a/b")),
        ] {
            assert_eq!(through(&of(&texts), "a/b").as_deref(), expected);
        }
    }

    #[test]
    fn a_malformed_file_is_told_by_name_and_line_and_never_quoted() {
        for text in [
            "a = 1\n[[registry]]\nlocation = hunter2\n",
            "registry = 'hunter2'",
            "[[registry]]\nprefix = ''\n",
            "[[registry]]\n[[registry.mirror]]\n",
            "a = 1\na = 'hunter2'",
        ] {
            let configuration = of(&[text]);
            let [gap] = &configuration.unread[..] else {
                panic!("{text}")
            };
            assert!(gap.message.starts_with("`/c` "), "{}", gap.message);
            assert!(!gap.message.contains("hunter2"), "{}", gap.message);
        }
        let message = &of(&["a = 1\n[[registry]]\nlocation = x\n"]).unread[0].message;
        assert!(message.ends_with("line 3"), "{message}");
    }

    #[test]
    fn the_users_file_stands_in_for_the_machines_and_drop_ins_add_to_both() {
        let place = std::env::temp_dir().join(format!("tracebloc-mirrors-{}", std::process::id()));
        let (system, own) = (place.join("etc"), place.join("home/.config/containers"));
        for folder in [&system, &own] {
            std::fs::create_dir_all(folder.join("registries.conf.d")).unwrap();
        }
        let write = |path: PathBuf| {
            std::fs::write(&path, "").unwrap();
            path
        };
        let two = write(system.join("registries.conf.d/02.conf"));
        let one = write(system.join("registries.conf.d/01.conf"));
        write(system.join("registries.conf.d/03.conf.rpmsave"));
        let three = write(own.join("registries.conf.d/00.conf"));
        let home = place.join("home");
        let environment = |more: &[(&str, &str)]| {
            let home = home.to_str().unwrap();
            Environment::from_pairs(&[&[("HOME", home)], more].concat())
        };
        let drop_ins = [one, two, three];
        let found = files(&environment(&[]), &system);
        assert_eq!(found[0], system.join("registries.conf"));
        assert_eq!(found[1..], drop_ins);
        let main = write(own.join("registries.conf"));
        let found = files(&environment(&[]), &system);
        assert_eq!((&found[0], &found[1..]), (&main, &drop_ins[..]));
        let named = [("CONTAINERS_REGISTRIES_CONF", "/n.conf")];
        assert_eq!(files(&environment(&named), &system), [Path::new("/n.conf")]);
        assert_eq!(read(&place.join("absent"), false), Ok(None));
        assert!(read(&place.join("absent"), true).is_err());
        assert!(read(&place, false).is_err(), "a folder is no file");
        std::fs::write(&main, vec![b' '; 1024 * 1024 + 1]).unwrap();
        assert!(read(&main, false).unwrap_err().contains("larger"));
        std::fs::remove_dir_all(&place).unwrap();
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(\\PC|[\\[\\]\"'=.\\n]|registry|mirror|location){0,60}") {
            let _configuration = of(&[&text]);
        }
    }

    #[test]
    fn fuzzed() {
        let sample: &[u8] = b"unqualified-search-registries = ['docker.io']\n[[registry]]\nprefix = 'docker.io/a'\nlocation = 'h.example:5000/b'\ninsecure = true\n[[registry.mirror]]\nlocation = \"m.example\"\npull-from-mirror = \"tag-only\"\n";
        let words = [
            "[[registry]]\n",
            "[[registry.mirror]]\n",
            "[registry.a]\n",
            "prefix = ",
            "location = '",
            "*.",
            "a.b.c.",
            "{a=",
            "[[",
            "\"\"\"",
            "docker.io",
        ];
        tracebloc_fuzz::fuzz("registries.conf", &[sample], &words, |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let configuration = of(&[&text]);
            for image in ["busybox", "a/b", "h.example:5000/b/c"] {
                assert_ne!(through(&configuration, image).as_deref(), Some(image));
            }
        });
    }
}
