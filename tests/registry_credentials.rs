//! Who we are to registries: the user's configuration files, helper programs and tokens, against a registry that asks.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tracebloc_bed::Tenant;
use tracebloc_bed::cluster::Output;
use tracebloc_bed::proxy::{Proxy, TokenGate};

use crate::support::{behind_a_proxy, command, image, parse};

/// A secret that must not be seen anywhere.
const SECRET: &str = "hunter2";

/// `robot:hunter2`.
const ROBOT: &str = "cm9ib3Q6aHVudGVyMg==";

/// A user's workstation, with configuration files and helpers.
struct Desk<'a> {
    tenant: &'a Tenant<'static>,
    variables: Vec<(&'static str, PathBuf)>,
}

impl<'a> Desk<'a> {
    fn new(tenant: &'a Tenant<'static>) -> Self {
        Self {
            tenant,
            variables: Vec::new(),
        }
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let name = format!("desks/{}/{name}", self.tenant.namespace());
        self.tenant.bed().cluster().write(&name, content).unwrap()
    }

    /// With this Docker configuration.
    fn docker(mut self, config: &Value) -> Self {
        let path = self.write("docker/config.json", &config.to_string());
        self.variables
            .push(("DOCKER_CONFIG", path.parent().unwrap().to_owned()));
        self
    }

    /// With a helper: a shell script, which appends its arguments and its standard input to a file first.
    fn helper(mut self, name: &str, script: &str) -> Self {
        let log = self.write("asked", "");
        let script = format!(
            "#!/bin/sh\nread -r question\necho \"$* $question\" >> '{}'\n{script}\n",
            log.display()
        );
        let path = self.write(&format!("bin/docker-credential-{name}"), &script);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        self.variables
            .push(("PATH", path.parent().unwrap().to_owned()));
        self
    }

    /// What helpers were asked, one line each.
    fn asked(&self) -> Vec<String> {
        let name = format!("desks/{}/asked", self.tenant.namespace());
        let path = self.tenant.bed().cluster().directory().join(name);
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// `outdated --only digest -o json`; nothing of it may show the secret.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut whole = vec!["outdated", "--only", "digest", "--output", "json"];
        whole.extend(["--namespace", self.tenant.namespace()]);
        whole.extend(arguments);
        let mut command = command(self.tenant, &whole);
        for (name, value) in &self.variables {
            if *name == "PATH" {
                let before = command
                    .get_envs()
                    .find(|(name, _)| *name == "PATH")
                    .and_then(|(_, value)| value.map(std::ffi::OsStr::to_owned));
                let mut paths = vec![value.clone()];
                paths.extend(std::env::split_paths(&before.unwrap()));
                command.env(name, std::env::join_paths(paths).unwrap());
            } else {
                command.env(name, value);
            }
        }
        let output = Output::of(&mut command).unwrap();
        assert!(!output.to_string().contains(SECRET), "{output}");
        output
    }

    fn report(&self) -> Value {
        parse(&self.run(&[]))
    }

    #[track_caller]
    fn is_let_in(&self) {
        let report = self.report();
        let image = image(&report, "jobs-manager");
        assert_eq!(image["state"], "current", "{image:#}");
    }

    /// Why the registry did not let us in.
    #[track_caller]
    fn refusal(&self) -> String {
        let report = self.report();
        let image = image(&report, "jobs-manager");
        assert_eq!(image["state"], "unknown", "{image:#}");
        assert_eq!(image["unknown"]["reason"], "unauthorized", "{image:#}");
        image["unknown"]["message"].as_str().unwrap().to_owned()
    }
}

fn guarded(name: &str, gate: TokenGate) -> (Tenant<'static>, Proxy) {
    let (tenant, proxy) = behind_a_proxy(name);
    proxy.require_token(gate);
    (tenant, proxy)
}

#[test]
fn a_helper_is_asked_once_for_the_registry_that_it_is_for() {
    let (tenant, proxy) = guarded(
        "credentials-helper",
        TokenGate::for_user("robot", SECRET).as_access_token(),
    );
    let desk = Desk::new(&tenant)
        .docker(&json!({
            "credHelpers": {proxy.host(): "test"},
            "credsStore": "never-asked",
            // A helper goes before what the file says.
            "auths": {proxy.host(): {"username": "robot", "password": "wrong"}},
        }))
        .helper(
            "test",
            r#"echo '{"ServerURL":"x","Username":"robot","Secret":"hunter2"}'"#,
        );
    desk.is_let_in();
    assert_eq!(desk.asked(), [format!("get {}", proxy.host())]);
}

#[test]
fn a_helper_is_not_started_where_nobody_asks() {
    let (tenant, _proxy) = behind_a_proxy("credentials-lazy");
    let desk = Desk::new(&tenant)
        .docker(&json!({"credsStore": "test"}))
        .helper("test", "exit 1");
    desk.is_let_in();
    assert_eq!(desk.asked(), [""; 0]);
}

#[test]
fn what_a_helper_does_not_know_the_next_place_may_know() {
    let (tenant, proxy) = guarded("credentials-next", TokenGate::basic("robot", SECRET));
    let nothing = "echo 'credentials not found in native keychain'; exit 1";
    let desk = Desk::new(&tenant)
        .docker(&json!({"credsStore": "test"}))
        .helper("test", nothing);
    assert!(
        desk.refusal().contains("(asked without credentials)"),
        "{}",
        desk.refusal()
    );
    let desk = Desk::new(&tenant)
        .docker(&json!({"credsStore": "test", "auths": {proxy.host(): {"auth": ROBOT}}}))
        .helper("test", nothing);
    desk.is_let_in();
    // Podman's file comes after Docker's, and names repositories.
    let mut desk = Desk::new(&tenant)
        .docker(&json!({"credsStore": "test"}))
        .helper("test", nothing);
    let keyed =
        |path: &str| json!({"auths": {format!("{}/{path}", proxy.host()): {"auth": ROBOT}}});
    let ours = desk.write("auth.json", &keyed(tenant.namespace()).to_string());
    desk.variables.push(("REGISTRY_AUTH_FILE", ours));
    desk.is_let_in();
    desk.variables.pop();
    let runtime = desk.write(
        "run/containers/auth.json",
        &keyed(&format!("{}/tracebloc/jobs-manager", tenant.namespace())).to_string(),
    );
    let runtime = runtime.parent().unwrap().parent().unwrap().to_owned();
    desk.variables.push(("XDG_RUNTIME_DIR", runtime));
    desk.is_let_in();
    let report = desk.report();
    let other = image(&report, "pods-monitor");
    assert_eq!(other["state"], "unknown", "the key is another's: {other:#}");
}

#[test]
fn a_helper_that_fails_is_told_without_its_words() {
    let (tenant, proxy) = guarded("credentials-broken", TokenGate::for_user("robot", SECRET));
    let config = json!({"credHelpers": {proxy.host(): "test"}});
    for (script, word) in [
        (
            "echo hunter2 >&2; echo hunter2; exit 3",
            "failed with exit code 3",
        ),
        ("echo hunter2", "answered something that is no credential"),
        ("kill -9 $$", "`docker-credential-test` failed;"),
    ] {
        let desk = Desk::new(&tenant).docker(&config).helper("test", script);
        let message = desk.refusal();
        assert!(message.contains(word), "{script}: {message}");
    }
    let desk = Desk::new(&tenant).docker(&config);
    let message = desk.refusal();
    assert!(message.contains("is not on the PATH"), "{message}");
    let begun = Instant::now();
    let desk = Desk::new(&tenant)
        .docker(&config)
        .helper("test", "exec sleep 60");
    let message = desk.refusal();
    assert!(message.contains("did not answer within"), "{message}");
    assert!(begun.elapsed() < Duration::from_secs(12), "{begun:?}");
    // A helper that fails does not hide what is public.
    proxy.require_token(TokenGate::open());
    let desk = Desk::new(&tenant).docker(&config).helper("test", "exit 1");
    desk.is_let_in();
}

#[test]
fn an_identity_token_is_exchanged() {
    let (tenant, proxy) = guarded("credentials-identity", TokenGate::exchanging(SECRET));
    let azure = "MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwOg==";
    Desk::new(&tenant)
        .docker(&json!({"auths": {proxy.host(): {"auth": azure, "identitytoken": SECRET}}}))
        .is_let_in();
    assert!(
        proxy
            .log()
            .all()
            .iter()
            .all(|request| !request.path.contains(SECRET))
    );
    Desk::new(&tenant)
        .docker(&json!({"credsStore": "test"}))
        .helper(
            "test",
            r#"echo '{"Username":"<token>","Secret":"hunter2"}'"#,
        )
        .is_let_in();
    let wrong =
        Desk::new(&tenant).docker(&json!({"auths": {proxy.host(): {"identitytoken": "wrong"}}}));
    assert!(wrong.refusal().contains("credentials are refused"));
}

#[test]
fn a_configuration_that_is_no_use_is_told_where_it_matters() {
    let (tenant, proxy) = guarded("credentials-config", TokenGate::for_user("robot", SECRET));
    let mut desk = Desk::new(&tenant);
    let config = desk.write(
        "docker/config.json",
        "{\"auths\": {\"x\": {\"password\": \"hunter2\"",
    );
    desk.variables
        .push(("DOCKER_CONFIG", config.parent().unwrap().to_owned()));
    let message = desk.refusal();
    assert!(message.contains("is malformed at line 1"), "{message}");
    let output = desk.run(&[]);
    assert!(output.stderr.contains("warning: `"), "{output}");
    assert!(output.stderr.contains("it is not used"), "{output}");
    // What needs no credentials is answered.
    proxy.require_token(TokenGate::open());
    desk.is_let_in();
}

#[test]
fn credentials_stay_with_their_registry() {
    let (tenant, proxy) = guarded("credentials-stay", TokenGate::for_user("robot", SECRET));
    let other = Proxy::before(&proxy.url()).unwrap();
    let desk = Desk::new(&tenant)
        .docker(&json!({"auths": {other.host(): {"auth": ROBOT}}, "credHelpers": {"127.0.0.1": "test"}}))
        .helper("test", "exit 1");
    assert!(desk.refusal().contains("(asked without credentials)"));
    assert_eq!(desk.asked(), [""; 0], "the port is another");
    assert!(
        proxy
            .log()
            .all()
            .iter()
            .all(|request| request.header("authorization") != Some("Basic")),
    );
}
