//! Who we are to registries: the user's configuration files, helper programs and tokens, against a registry that asks.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tracebloc_bed::cluster::Output;
use tracebloc_bed::kubeconfig::{Kubeconfig, User};
use tracebloc_bed::proxy::{Fault, Proxy, Rule, TokenGate};
use tracebloc_bed::{Install, Tenant};

use crate::support::{behind_a_proxy, command, image, parse};

/// A secret that must not be seen anywhere.
const SECRET: &str = "hunter2";

/// `robot:hunter2`.
const ROBOT: &str = "cm9ib3Q6aHVudGVyMg==";

/// A user's workstation, with configuration files and helpers.
struct Desk<'a> {
    tenant: &'a Tenant<'static>,
    variables: Vec<(&'static str, PathBuf)>,
    flags: Vec<&'static str>,
}

impl<'a> Desk<'a> {
    fn new(tenant: &'a Tenant<'static>) -> Self {
        Self {
            tenant,
            variables: Vec::new(),
            flags: Vec::new(),
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

    /// With these flags from now on.
    fn flags(mut self, flags: &[&'static str]) -> Self {
        self.flags = flags.to_vec();
        self
    }

    fn report(&self) -> Value {
        parse(&self.run(&self.flags))
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
fn what_a_helper_takes_is_not_the_time_of_the_registry() {
    let (tenant, proxy) = guarded("credentials-slow", TokenGate::for_user("robot", SECRET));
    proxy.break_with(Rule::new("/v2/", Fault::Latency(Duration::from_secs(2))));
    Desk::new(&tenant)
        .docker(&json!({"credHelpers": {proxy.host(): "test"}}))
        .helper(
            "test",
            r#"sleep 4; echo '{"Username":"robot","Secret":"hunter2"}'"#,
        )
        .is_let_in();
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

/// A tenant whose release has made the pull secret `<release>-regcred` for the proxy in front of the registry.
fn with_pull_secret(name: &str) -> (Tenant<'static>, Proxy) {
    let (tenant, proxy) = behind_a_proxy(name);
    let mut release = Install::client(name, "1.9.28").set(format!(
        "global.imageRegistry={}/{}",
        proxy.host(),
        tenant.namespace()
    ));
    for value in [
        "create=true".to_owned(),
        format!("server=http://{}", proxy.host()),
        "username=robot".to_owned(),
        format!("password={SECRET}"),
        "email=robot@example.com".to_owned(),
    ] {
        release = release.set(format!("dockerRegistry.{value}"));
    }
    tenant.upgrade(&release).unwrap().success().unwrap();
    tenant.wait_ready().unwrap();
    proxy.require_token(TokenGate::for_user("robot", SECRET));
    (tenant, proxy)
}

#[test]
fn pull_secrets_are_used_where_the_user_says_so() {
    let name = "credentials-pull";
    let (tenant, proxy) = with_pull_secret(name);
    let cluster = tenant.bed().cluster();
    let secret = format!("{name}-regcred");
    let without = Desk::new(&tenant);
    assert!(without.refusal().contains("(asked without credentials)"));
    let with = Desk::new(&tenant).flags(&["--use-pull-secrets"]);
    with.is_let_in();

    // The older type; a helper that a secret names is none of ours.
    let replace = |kind: &str, member: &str, content: &Value| {
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "type": kind,
            "metadata": {"name": secret, "namespace": tenant.namespace()},
            "stringData": {member: content.to_string()},
        });
        let namespace = tenant.namespace();
        let delete = ["delete", "secret", &secret, "--namespace", namespace];
        cluster.kubectl(&delete).unwrap().success().unwrap();
        let created = cluster.kubectl_with_input(&["create", "-f", "-"], &object.to_string());
        created.unwrap().success().unwrap();
    };
    let entry = json!({"username": "robot", "password": SECRET});
    let glob = proxy.host().replacen("127.", "*.", 1);
    replace(
        "kubernetes.io/dockercfg",
        ".dockercfg",
        &json!({glob: entry}),
    );
    with.is_let_in();
    let helped = Desk::new(&tenant)
        .helper("test", "exit 1")
        .flags(&["--use-pull-secrets"]);
    replace(
        "kubernetes.io/dockerconfigjson",
        ".dockerconfigjson",
        &json!({"auths": {}, "credsStore": "test", "credHelpers": {proxy.host(): "test"}}),
    );
    assert!(helped.refusal().contains("(asked without credentials)"));
    assert_eq!(helped.asked(), [""; 0], "a cluster starts no program");
    // The right one is tried although the user's own comes first and is refused.
    let path = format!("{}/{}", proxy.host(), tenant.namespace());
    let wrong = json!({"username": "robot", "password": "wrong"});
    replace(
        "kubernetes.io/dockerconfigjson",
        ".dockerconfigjson",
        &json!({"auths": {path: wrong, proxy.host(): entry}}),
    );
    Desk::new(&tenant)
        .docker(&json!({"auths": {proxy.host(): {"auth": "cm9ib3Q6d3Jvbmc="}}}))
        .flags(&["--use-pull-secrets"])
        .is_let_in();
}

#[test]
fn a_pull_secret_that_may_not_be_read_is_told_and_the_rest_answered() {
    let name = "credentials-forbidden";
    let (tenant, gated) = with_pull_secret(name);
    let cluster = tenant.bed().cluster();
    let proxy = Proxy::before_api_server(cluster).unwrap();
    let mut kubeconfig = Kubeconfig::new("bed", &proxy.url(), "", User::Nobody);
    kubeconfig.authority = None;
    let kubeconfig = cluster.write_kubeconfig(name, &kubeconfig).unwrap();
    let mut desk = Desk::new(&tenant).flags(&["--use-pull-secrets"]);
    desk.variables.push(("KUBECONFIG", kubeconfig));
    desk.is_let_in();
    let read = |part: &str| proxy.log().matching(&"GET".parse().unwrap(), part).len();
    let secret = format!("/namespaces/{}/secrets/{name}-regcred", tenant.namespace());
    assert_eq!(read(&secret), 1, "once for all workloads");

    let forbidden = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "reason": "Forbidden", "code": 403, "message": "secrets are forbidden",
    });
    proxy.break_with(Rule::new(
        secret,
        Fault::Answer {
            status: 403,
            headers: vec![("Content-Type", "application/json".to_owned())],
            body: forbidden.to_string(),
        },
    ));
    let message = desk.refusal();
    let named = format!("the pull secret `{}/{name}-regcred`", tenant.namespace());
    assert!(message.contains(&named), "{message}");
    assert!(message.contains("forbidden"), "{message}");
    gated.require_token(TokenGate::open());
    desk.is_let_in();
}
