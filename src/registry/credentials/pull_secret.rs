//! Pull secrets of a cluster, matched as the kubelet matches them (FACTS 8.5). They hold credentials only: a helper that one names is never read.

use std::collections::BTreeMap;

use serde::Deserialize;
use tracebloc_core::image::Repository;

use super::config::{RawAuth, malformed};
use super::{ConfigError, Credential, key};

/// The credentials of some pull secrets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keyring(Vec<Key>);

#[derive(Debug, Clone)]
struct Key {
    pattern: Pattern,
    credential: Credential,
}

#[derive(Deserialize)]
struct ConfigJson {
    // Go programs write `null` for an empty map.
    auths: Option<BTreeMap<String, RawAuth>>,
}

impl Keyring {
    /// Adds what a secret of the type `kubernetes.io/dockerconfigjson` holds.
    pub(crate) fn add_config_json(&mut self, bytes: &[u8]) -> Result<(), ConfigError> {
        let ConfigJson { auths } = serde_json::from_slice(bytes).map_err(malformed)?;
        self.add(auths.unwrap_or_default());
        Ok(())
    }

    /// Adds what a secret of the older type `kubernetes.io/dockercfg` holds: the same without anything around it.
    pub(crate) fn add_cfg(&mut self, bytes: &[u8]) -> Result<(), ConfigError> {
        self.add(serde_json::from_slice(bytes).map_err(malformed)?);
        Ok(())
    }

    fn add(&mut self, auths: BTreeMap<String, RawAuth>) {
        let keys = auths.into_iter().filter_map(|(name, auth)| {
            Some(Key {
                pattern: Pattern::parse(&name),
                credential: auth.credential()?,
            })
        });
        self.0.extend(keys);
        // The sort is stable: of equal patterns the first secret's comes first.
        self.0.sort_by(|one, other| other.pattern.cmp(&one.pattern));
    }

    /// All credentials for a repository, those with the longest path first. The kubelet tries them one after another.
    pub(super) fn all(&self, repository: &Repository) -> Vec<Credential> {
        let mut found: Vec<Credential> = Vec::new();
        for Key {
            pattern,
            credential,
        } in &self.0
        {
            if pattern.fits(repository) && !found.contains(credential) {
                found.push(credential.clone());
            }
        }
        found
    }
}

/// What a key of a pull secret fits. The order of the fields makes the kubelet's order, which is that of the texts, backwards.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Pattern {
    /// With its port. `*` and `?` stand for parts of one label.
    host: String,
    /// The beginning of the path, not only of whole words in it.
    path: String,
}

impl Pattern {
    fn parse(key: &str) -> Self {
        let bare = key
            .strip_prefix("https://")
            .or_else(|| key.strip_prefix("http://"))
            .unwrap_or(key);
        let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
        let path = match path {
            "v1" | "v2" => "",
            _ => path
                .strip_prefix("v1/")
                .or_else(|| path.strip_prefix("v2/"))
                .unwrap_or(path),
        };
        Self {
            host: key::normal(host),
            path: path.to_owned(),
        }
    }

    fn fits(&self, repository: &Repository) -> bool {
        let (host, port) = split_port(&self.host);
        let (asked, asked_port) = split_port(repository.registry());
        let labels = host.split('.').count() == asked.split('.').count();
        let mut pairs = host.split('.').zip(asked.split('.'));
        port == asked_port
            && labels
            && pairs.all(|(pattern, label)| matches(pattern.as_bytes(), label.as_bytes()))
            && repository.path().starts_with(&self.path)
    }
}

/// A host and its port, which an IPv6 address in brackets does not hide.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    }
}

/// Whether a label has the form of a pattern.
///
/// What a star takes is tried anew only for the last one: patterns come from a cluster, and with all of them it could take for ever.
fn matches(pattern: &[u8], label: &[u8]) -> bool {
    let (mut at, mut taken) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while taken < label.len() {
        match pattern.get(at) {
            Some(b'*') => {
                last_star = Some((at, taken));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == label[taken] => {
                at += 1;
                taken += 1;
            }
            _ => {
                let Some((star, from)) = last_star else {
                    return false;
                };
                last_star = Some((star, from + 1));
                (at, taken) = (star + 1, from + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(text: &str) -> Repository {
        Repository::parse(text).expect(text)
    }

    #[test]
    fn keys_fit_as_for_the_kubelet() {
        for (key, name, fits) in [
            ("ghcr.io", "ghcr.io/team/x", true),
            ("https://ghcr.io/v2/", "ghcr.io/team/x", true),
            ("https://ghcr.io/v1", "ghcr.io/team/x", true),
            ("ghcr.io/team", "ghcr.io/team/x", true),
            ("ghcr.io/team", "ghcr.io/teammate/x", true),
            ("ghcr.io/team/", "ghcr.io/teammate/x", false),
            ("ghcr.io/team", "ghcr.io/other/x", false),
            ("*.azurecr.io", "one.azurecr.io/x", true),
            ("*.azurecr.io", "one.two.azurecr.io/x", false),
            ("*.azurecr.io", "azurecr.io/x", false),
            ("a*z.example", "abcz.example/x", true),
            ("a?c.example", "abc.example/x", true),
            ("a?c.example", "abbc.example/x", false),
            ("*.io", "ghcr.io.evil/x", false),
            ("r.example:5000", "r.example:5000/x", true),
            ("r.example", "r.example:5000/x", false),
            ("r.example:5000", "r.example/x", false),
            ("[::1]:5000", "[::1]:5000/x", true),
            ("https://index.docker.io/v1/", "mysql", true),
            ("docker.io", "docker.io/tracebloc/x", true),
            ("index.docker.io", "ghcr.io/tracebloc/x", false),
        ] {
            let fitting = Pattern::parse(key).fits(&repository(name));
            assert_eq!(fitting, fits, "{key} for {name}");
        }
    }

    #[test]
    fn all_that_fit_are_tried_the_longest_path_first() {
        let mut keyring = Keyring::default();
        let json = br#"{"auths":{"ghcr.io":{"auth":"dTE6cA=="},"ghcr.io/team":{"username":"u2","password":"p"},
                        "*.io":{"auth":"dTM6cA=="},"bad.io":{"auth":"%"}},"credHelpers":{"ghcr.io":"evil"},"credsStore":"evil"}"#;
        keyring.add_config_json(json).expect("well-formed");
        let cfg = br#"{"https://ghcr.io":{"auth":"dTQ6cA==","email":"x"}, "ghcr.io/te":{"auth":"dTE6cA=="}}"#;
        keyring.add_cfg(cfg).expect("well-formed");
        let users: Vec<String> = keyring
            .all(&repository("ghcr.io/team/x"))
            .into_iter()
            .map(|credential| match credential {
                Credential::Login(login) => login.username,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(users, ["u2", "u1", "u4", "u3"]);
        assert_eq!(keyring.all(&repository("quay.io/x")).len(), 1);
        assert_eq!(keyring.all(&repository("r.example/x")), []);
        let empty = keyring.add_config_json(br#"{"auths":null}"#);
        assert_eq!(empty, Ok(()));
    }

    #[test]
    fn what_is_malformed_is_said_without_its_text() {
        let cut = br#"{"auths":{"a.b":{"username":"u","password":"hunter2""#;
        let json = Keyring::default().add_config_json(cut).expect_err("cut");
        let cfg = Keyring::default().add_cfg(&cut[9..]).expect_err("cut");
        for error in [json, cfg] {
            assert!(error.to_string().contains("malformed"), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn many_stars_take_no_longer() {
        let label = [b'a'; 63];
        let pattern = b"*a".repeat(25);
        assert!(matches(&pattern, &label));
        assert!(!matches(&[&pattern[..], b"b"].concat(), &label));
        for (pattern, label, fits) in [
            ("", "", true),
            ("*", "", true),
            ("?", "", false),
            ("a*c", "abcbc", true),
            ("a*c", "abcb", false),
            ("*b?", "abbc", true),
            ("a**", "a", true),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), label.as_bytes()),
                fits,
                "{pattern}"
            );
        }
    }

    #[test]
    fn fuzzed() {
        let samples: [&[u8]; 3] = [
            br#"{"auths":{"*.example.com/team":{"username":"u","password":"hunter2"},"h.example:5000":{"auth":"dTpodW50ZXIy"}}}"#,
            br#"{"https://index.docker.io/v1/":{"username":"u","password":"hunter2"}}"#,
            b"*a*a.example.com/team",
        ];
        let words = [
            "*",
            "a*",
            "?",
            ".",
            ":",
            "/",
            "[::1]",
            "https://",
            "/v2/",
            "\"auths\":",
        ];
        let long = format!("{}.example.com/team/x", "a".repeat(60));
        let names = ["a.example.com/team/x", "h.example:5000/x", "busybox", &long].map(repository);
        tracebloc_fuzz::fuzz("pull secrets", &samples, &words, |bytes| {
            let mut keyring = Keyring::default();
            for outcome in [keyring.add_config_json(bytes), keyring.add_cfg(bytes)] {
                if let Err(error) = outcome {
                    assert!(!error.to_string().contains("hunter2"), "{error}");
                }
            }
            for name in &names {
                let _credentials = keyring.all(name);
                let key = String::from_utf8_lossy(bytes);
                let _fits = Pattern::parse(&key).fits(name);
            }
        });
    }
}
