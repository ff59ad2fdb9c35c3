use super::*;

fn repository(text: &str) -> Repository {
    Repository::parse(text).expect(text)
}

fn parse(text: &str) -> ConfigFile {
    ConfigFile::parse(Path::new("/c/config.json"), text.as_bytes()).expect("well-formed")
}

fn user_for<'a>(file: &'a ConfigFile, name: &str) -> Option<&'a str> {
    match file.credential(&repository(name))? {
        Ok(Credential::Login(login)) => Some(login.username.as_str()),
        Ok(Credential::Identity { .. }) => Some("identity"),
        Ok(Credential::Registry(_)) => Some("registry"),
        Err(_) => Some("trouble"),
    }
}

#[test]
fn every_form_of_key_and_secret_is_read() {
    let auth = |user: &str| STANDARD.encode(format!("{user}:pass:word"));
    let file = parse(&format!(
        r#"{{"auths":{{
          "https://index.docker.io/v1/":{{"auth":"{}"}},
          "ghcr.io":{{"username":"plain","password":"p"}},
          "ghcr.io/team/":{{"auth":"{}"}},
          "localhost:5000":{{"auth":"{}"}},
          "https://Quay.io":{{"auth":"{}"}},
          "bad.example":{{"auth":"%%%"}},
          "empty.example":{{}},
          "registry.example":{{"registrytoken":"t"}},
          "identity.example":{{"auth":"{}","identitytoken":"t"}}}},
          "HttpHeaders":{{"x":"y"}}}}"#,
        auth("hub"),
        auth("team"),
        auth("local"),
        auth("quay"),
        auth("id")
    ));
    for (name, user) in [
        ("mysql", Some("hub")),
        ("docker.io/tracebloc/client", Some("hub")),
        ("ghcr.io/other/x", Some("plain")),
        ("ghcr.io/team/x", Some("team")),
        ("ghcr.io/team", Some("team")),
        ("ghcr.io/teammate/x", Some("plain")),
        ("localhost:5000/x", Some("local")),
        ("localhost:5001/x", None),
        ("quay.io/x", Some("quay")),
        ("bad.example/x", Some("trouble")),
        ("empty.example/x", None),
        ("identity.example/x", Some("identity")),
        ("registry.example/x", Some("registry")),
        ("ghcr.io.evil.example/x", None),
    ] {
        assert_eq!(user_for(&file, name), user, "{name}");
    }
    let hub = file.credential(&repository("mysql")).expect("hub");
    let basic = hub.expect("a login").basic().expect("a user");
    assert_eq!(basic.expose(), STANDARD.encode("hub:pass:word"));
    let bad = file.credential(&repository("bad.example/x")).expect("bad");
    let message = bad.expect_err("nonsense").to_string();
    assert!(message.contains("bad.example"), "{message}");
    assert!(message.contains("/c/config.json"), "{message}");
}

#[test]
fn an_identity_token_is_a_password_where_nothing_exchanges_it() {
    let azure = STANDARD.encode("00000000-0000-0000-0000-000000000000:");
    for (entry, login) in [
        (
            format!(r#"{{"auth":"{azure}","identitytoken":"t"}}"#),
            Some("00000000-0000-0000-0000-000000000000:t"),
        ),
        (
            r#"{"username":"u","password":"p","identitytoken":"t"}"#.to_owned(),
            Some("u:p"),
        ),
        (r#"{"identitytoken":"t"}"#.to_owned(), None),
    ] {
        let file = parse(&format!(r#"{{"auths":{{"a.example":{entry}}}}}"#));
        let credential = file.credential(&repository("a.example/x"));
        let credential = credential.expect("an entry").expect("a token");
        assert_eq!(
            credential.basic(),
            login.map(|login| Secret(STANDARD.encode(login))),
            "{entry}"
        );
    }
}

#[test]
fn the_helper_of_a_registry_goes_before_the_one_for_all() {
    let file = parse(
        r#"{"auths":{"ghcr.io":{}},"credsStore":"desktop",
            "credHelpers":{"gcr.io":"gcloud","https://index.docker.io/v1/":"hub","bad.example":"../x"}}"#,
    );
    let helper = |name: &str| file.helper(&repository(name)).expect("one");
    assert_eq!(helper("gcr.io/x"), HelperName::parse("gcloud"));
    assert_eq!(helper("mysql"), HelperName::parse("hub"));
    assert_eq!(helper("ghcr.io/x"), HelperName::parse("desktop"));
    assert_eq!(helper("bad.example/x"), Err(HelperError::Name));
    for empty in ["{}", r#"{"auths":null,"credsStore":"","credHelpers":null}"#] {
        assert_eq!(parse(empty).helper(&repository("ghcr.io/x")), None);
    }
}

#[test]
fn files_that_are_no_use_are_remembered_and_those_that_are_not_there_forgotten() {
    let mut user = UserCredentials::default();
    let missing = io::Error::from(io::ErrorKind::NotFound);
    assert_eq!(user.add(Path::new("/none"), Err(missing)), Ok(()));
    assert_eq!(user.trouble(), None);
    let closed = io::Error::from(io::ErrorKind::PermissionDenied);
    let trouble = user.add(Path::new("/closed"), Err(closed));
    let trouble = trouble.expect_err("closed");
    assert_eq!(
        trouble.to_string(),
        "`/closed` cannot be read: permission denied"
    );
    let broken = user.add(Path::new("/broken"), Ok(b"{\n!".to_vec()));
    assert_eq!(
        broken.expect_err("broken").to_string(),
        "`/broken` is malformed at line 2, column 1"
    );
    assert_eq!(user.trouble(), Some(&trouble));
    assert_eq!(user.add(Path::new("/good"), Ok(b"{}".to_vec())), Ok(()));
    assert_eq!(user.files().len(), 1);
}

#[test]
fn no_secret_is_printed() {
    let file = parse(
        r#"{"auths":{"a.b":{"username":"u","password":"hunter2"},"c.d":{"identitytoken":"hunter2"},
            "e.f":{"registrytoken":"hunter2"},"g.h":{"auth":"hunter2"}}}"#,
    );
    assert!(!format!("{file:?}").contains("hunter2"));
    let trouble = file.credential(&repository("g.h/x")).expect("an entry");
    assert!(!format!("{:?}", trouble.expect_err("nonsense")).contains("hunter2"));
    let cut = br#"{"auths":{"a.b":{"username":"u","password":"hunter2""#;
    let error = ConfigFile::parse(Path::new("/c"), cut).expect_err("cut off");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn fuzzed() {
    let auth = STANDARD.encode("user:hunter2");
    let sample = format!(
        r#"{{"auths":{{"https://index.docker.io/v1/":{{"auth":"{auth}"}},"h.example/team":{{"username":"u","password":"hunter2"}},"i.example":{{"identitytoken":"hunter2"}}}},"credHelpers":{{"g.example":"gcr"}},"credsStore":"desktop"}}"#
    );
    let words = [
        "\"auths\":",
        "\"auth\":",
        "\"credsStore\":",
        "../",
        "https://",
        "/v1/",
        "null",
        "{",
        &auth,
    ];
    tracebloc_fuzz::fuzz(
        "Docker configurations",
        &[sample.as_bytes()],
        &words,
        |bytes| {
            let path = Path::new("/c/config.json");
            match ConfigFile::parse(path, bytes) {
                Ok(file) => {
                    for name in ["busybox", "h.example/team/a", "i.example/a", "g.example/a"] {
                        let _credential = file.credential(&repository(name));
                        let _helper = file.helper(&repository(name));
                    }
                }
                Err(error) => assert!(!error.to_string().contains("hunter2"), "{error}"),
            }
        },
    );
}
