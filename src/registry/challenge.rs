//! `WWW-Authenticate`: how a registry wants to be asked (RFC 9110 §11.6.1).

/// A challenge that we can answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// With a token from a token service.
    Bearer(Bearer),
    /// With user name and password.
    Basic,
}

/// Where a token is to be had, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Bearer {
    /// The token service's URL, not yet judged.
    pub(super) realm: String,
    /// The name of the registry at the token service.
    pub(super) service: Option<String>,
    /// What the token must allow.
    pub(super) scope: Option<String>,
}

impl Challenge {
    /// The challenges of one header, those of unknown schemes left out.
    pub(super) fn parse(header: &str) -> Vec<Self> {
        let mut found = Vec::new();
        let mut scanner = Scanner { rest: header };
        let mut open: Option<(String, Vec<(String, String)>)> = None;
        while let Some(word) = scanner.word() {
            match (scanner.value(), &mut open) {
                (Some(value), Some((_, parameters))) => {
                    parameters.push((word.to_ascii_lowercase(), value));
                }
                // A parameter of no challenge means nothing.
                (Some(_), None) => {}
                (None, _) => {
                    found.extend(
                        open.replace((word.to_ascii_lowercase(), Vec::new()))
                            .and_then(Self::from_parts),
                    );
                }
            }
        }
        found.extend(open.and_then(Self::from_parts));
        found
    }

    fn from_parts((scheme, parameters): (String, Vec<(String, String)>)) -> Option<Self> {
        let parameter = |name: &str| {
            let found = parameters.iter().find(|(key, _)| key == name);
            found
                .map(|(_, value)| value.clone())
                .filter(|value| !value.is_empty())
        };
        match scheme.as_str() {
            "basic" => Some(Self::Basic),
            "bearer" => Some(Self::Bearer(Bearer {
                realm: parameter("realm")?,
                service: parameter("service"),
                scope: parameter("scope"),
            })),
            _ => None,
        }
    }
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    /// The next word, after separators.
    fn word(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start_matches([' ', '\t', ',', '=', '"']);
        let end = self
            .rest
            .find([' ', '\t', ',', '=', '"'])
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    /// What follows an equals sign, if one follows: a quoted string or a word.
    fn value(&mut self) -> Option<String> {
        let after = self
            .rest
            .trim_start_matches([' ', '\t'])
            .strip_prefix('=')?
            .trim_start_matches([' ', '\t']);
        let Some(quoted) = after.strip_prefix('"') else {
            let end = after.find([' ', '\t', ',']).unwrap_or(after.len());
            let (value, rest) = after.split_at(end);
            self.rest = rest;
            return Some(value.to_owned());
        };
        let mut value = String::new();
        let mut characters = quoted.chars();
        while let Some(character) = characters.next() {
            match character {
                '"' => break,
                '\\' => value.extend(characters.next()),
                other => value.push(other),
            }
        }
        self.rest = characters.as_str();
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer(Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        })
    }

    #[test]
    fn headers_of_real_registries_are_read() {
        for (header, challenges) in [
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/mysql:pull""#,
                vec![bearer(
                    "https://auth.docker.io/token",
                    Some("registry.docker.io"),
                    Some("repository:library/mysql:pull"),
                )],
            ),
            (
                r#"bearer  service=ghcr.io , realm = "https://ghcr.io/token" ,error="a, b""#,
                vec![bearer("https://ghcr.io/token", Some("ghcr.io"), None)],
            ),
            (
                r#"Basic realm="https://1.dkr.ecr.eu-central-1.amazonaws.com/",service="ecr.amazonaws.com""#,
                vec![Challenge::Basic],
            ),
            (
                r#"Negotiate abc==, Basic realm="x", Bearer realm="https://t/\"q\"",scope="repository:a:pull,push repository:b:pull""#,
                vec![
                    Challenge::Basic,
                    bearer(
                        r#"https://t/"q""#,
                        None,
                        Some("repository:a:pull,push repository:b:pull"),
                    ),
                ],
            ),
            ("Basic", vec![Challenge::Basic]),
            ("Bearer", vec![]),
            (r#"Bearer service="x""#, vec![]),
            (r#"realm="x""#, vec![]),
            ("", vec![]),
            (
                r#"Bearer realm="https://t"#,
                vec![bearer("https://t", None, None)],
            ),
        ] {
            assert_eq!(Challenge::parse(header), challenges, "{header}");
        }
    }

    #[test]
    fn fuzzed() {
        let samples: [&[u8]; 3] = [
            br#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/mysql:pull""#,
            br#"Negotiate abc==, Basic realm="x", Bearer realm="https://t/\"q\"",scope="a b""#,
            b"bearer realm = https://ghcr.io/token",
        ];
        let words = [
            "Bearer ", "Basic ", "realm=", "service=", "scope=", "=", "\"", "\\", ", ",
        ];
        tracebloc_fuzz::fuzz("challenges", &samples, &words, |bytes| {
            let header = String::from_utf8_lossy(bytes);
            for challenge in Challenge::parse(&header) {
                if let Challenge::Bearer(Bearer { realm, .. }) = challenge {
                    assert!(!realm.is_empty());
                    let bare = header.replace('\\', "");
                    assert!(bare.contains(&realm.replace('\\', "")), "{realm}");
                }
            }
        });
    }
}
