//! What the tests share: running the product as a user does, and reading its answer.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tracebloc_bed::cluster::Output;
use tracebloc_bed::proxy::Proxy;
use tracebloc_bed::{Bed, Helm, Install, Tenant};

/// The product.
pub(crate) const PLUGIN: &str = env!("CARGO_BIN_EXE_kubectl-tracebloc");

/// The shared bed.
pub(crate) fn bed() -> &'static Bed {
    Bed::shared()
}

/// A tenant with all images published under the channel `prod`.
pub(crate) fn tenant(name: &str) -> Tenant<'static> {
    let tenant = bed().tenant(name).unwrap();
    tenant.publish_all("prod", "one").unwrap();
    tenant
}

/// A schedule without a tick during the test: else the bed would start a Job.
pub(crate) const NEVER: &str = "0 0 1 1 *";

/// A release whose jobs keep still.
pub(crate) fn quiet<'a>(name: &'a str, version: &'a str) -> Install<'a> {
    Install::client(name, version)
        .set(format!("autoUpgrade.schedule={NEVER}"))
        .set(format!("imageRefresh.schedule={NEVER}"))
}

/// A tenant with a settled release `name`, whose own jobs keep still.
pub(crate) fn installed(name: &str, version: &str) -> Tenant<'static> {
    let tenant = tenant(name);
    install(&tenant, &quiet(name, version));
    tenant
}

/// Installs and waits until everything runs.
pub(crate) fn install(tenant: &Tenant<'_>, install: &Install<'_>) {
    tenant.install(install).unwrap().success().unwrap();
    tenant.wait_ready().unwrap();
}

/// A tenant whose images are asked for through a proxy.
pub(crate) fn behind_a_proxy(name: &str) -> (Tenant<'static>, Proxy) {
    let tenant = tenant(name);
    let proxy = Proxy::before(&format!("http://{}", tenant.bed().registry().host())).unwrap();
    let mirror = format!(
        "global.imageRegistry={}/{}",
        proxy.host(),
        tenant.namespace()
    );
    install(&tenant, &quiet(name, "1.9.28").set(mirror));
    (tenant, proxy)
}

/// The product with these arguments, in an environment that holds nothing of the caller's.
pub(crate) fn command(tenant: &Tenant<'_>, arguments: &[&str]) -> Command {
    let mut command = tenant.bed().cluster().command(PLUGIN, tenant.namespace());
    command.args(arguments);
    command
}

/// Runs the product in the tenant's namespace.
pub(crate) fn run(tenant: &Tenant<'_>, arguments: &[&str]) -> Output {
    let mut whole = arguments.to_vec();
    whole.extend(["--namespace", tenant.namespace()]);
    Output::of(&mut command(tenant, &whole)).unwrap()
}

/// `outdated -o json` in the tenant's namespace, parsed.
pub(crate) fn outdated(tenant: &Tenant<'_>, arguments: &[&str]) -> Value {
    let mut whole = vec!["outdated", "--output", "json"];
    whole.extend(arguments);
    parse(&run(tenant, &whole))
}

/// `status -o json` in the tenant's namespace, parsed.
pub(crate) fn status(tenant: &Tenant<'_>, arguments: &[&str]) -> Value {
    let mut whole = vec!["status", "--output", "json"];
    whole.extend(arguments);
    parse(&run(tenant, &whole))
}

/// What a user sees on a terminal of that many columns.
pub(crate) fn on_a_terminal(
    tenant: &Tenant<'_>,
    columns: u32,
    variables: &[(&str, &str)],
    arguments: &str,
) -> String {
    let line = format!(
        "stty columns {columns} rows 40; {PLUGIN} {arguments} --namespace {}",
        tenant.namespace()
    );
    let mut command = tenant.bed().cluster().command("script", tenant.namespace());
    command
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm")
        .envs(variables.iter().copied());
    let output = Output::of(&mut command).unwrap();
    output.success().unwrap().replace("\r\n", "\n")
}

/// The report of a run that succeeded.
pub(crate) fn parse(output: &Output) -> Value {
    assert!(output.is_success(), "{output}");
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"))
}

/// The image of that name in the first release of a report.
pub(crate) fn image<'report>(report: &'report Value, name: &str) -> &'report Value {
    image_of(&report["releases"][0], name)
}

/// The image of that name in one release.
pub(crate) fn image_of<'report>(release: &'report Value, name: &str) -> &'report Value {
    release["images"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|image| image["name"] == name)
        .unwrap_or_else(|| panic!("no image {name} in {release:#}"))
}

/// The codes of a report's findings.
pub(crate) fn codes(report: &Value) -> Vec<&str> {
    report["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|finding| finding["code"].as_str())
        .collect()
}

/// The same without what is known of the installed version, and of what an upgrade changes.
pub(crate) fn codes_beside_advisories(report: &Value) -> Vec<&str> {
    let mut codes = codes(report);
    codes.retain(|code| !["missing-fix", "upgrade-caution"].contains(code));
    codes
}

/// The finding with that code.
pub(crate) fn finding<'report>(report: &'report Value, code: &str) -> &'report Value {
    report["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|finding| finding["code"] == code)
        .unwrap_or_else(|| panic!("no finding {code} in {report:#}"))
}

/// Runs a line of advice as a user who pastes it into a shell, and says yes to what it asks.
pub(crate) fn paste(tenant: &Tenant<'_>, line: &str, helm: Helm) -> Output {
    let mut shell = tenant
        .bed()
        .cluster()
        .command_with("sh", tenant.namespace(), helm);
    let path = std::env::join_paths(
        std::path::Path::new(PLUGIN)
            .parent()
            .map(PathBuf::from)
            .into_iter()
            .chain(
                shell
                    .get_envs()
                    .find(|(name, _)| *name == "PATH")
                    .and_then(|(_, value)| value)
                    .map(std::env::split_paths)
                    .into_iter()
                    .flatten(),
            ),
    );
    shell.env("PATH", path.unwrap());
    let asks = ["refresh ", "pin ", "unpin "]
        .iter()
        .any(|command| line.starts_with(&format!("kubectl tracebloc {command}")))
        && !line.contains("--print-values");
    shell.args(["-c", &format!("{line}{}", if asks { " --yes" } else { "" })]);
    Output::of(&mut shell).unwrap()
}

/// Leaves a release as a killed `helm upgrade` does: with a newer revision in `pending-upgrade`, begun at that time.
pub(crate) fn hang(tenant: &Tenant<'_>, release: &str, begun: &str) {
    leave(tenant, release, "pending-upgrade", begun);
}

/// Leaves a release with a second revision of that status, begun at that time.
pub(crate) fn leave(tenant: &Tenant<'_>, release: &str, status: &str, begun: &str) {
    leave_saying(tenant, release, status, begun, "");
}

/// The same, with what Helm says of the revision.
pub(crate) fn leave_saying(
    tenant: &Tenant<'_>,
    release: &str,
    status: &str,
    begun: &str,
    description: &str,
) {
    let mut record = record_of(tenant, release);
    record["version"] = 2.into();
    record["info"]["status"] = status.into();
    record["info"]["last_deployed"] = begun.into();
    record["info"]["description"] = description.into();
    store(tenant, &record);
}

/// The record of a release's first revision, unpacked.
pub(crate) fn record_of(tenant: &Tenant<'_>, release: &str) -> Value {
    let first = format!("sh.helm.release.v1.{release}.v1");
    let shown = tenant
        .kubectl(&["get", "secret", &first, "-o", "json"])
        .unwrap();
    let object: Value = serde_json::from_str(&shown.success().unwrap()).unwrap();
    let packed = STANDARD
        .decode(object["data"]["release"].as_str().unwrap())
        .unwrap();
    let packed = STANDARD.decode(packed).unwrap();
    let mut json = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_end(&mut json)
        .unwrap();
    serde_json::from_slice(&json).unwrap()
}

/// Stores a record as Helm does.
pub(crate) fn store(tenant: &Tenant<'_>, record: &Value) {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(record.to_string().as_bytes()).unwrap();
    let data = STANDARD.encode(STANDARD.encode(encoder.finish().unwrap()));
    let (name, version) = (
        record["name"].as_str().unwrap(),
        record["version"].to_string(),
    );
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {
            "name": format!("sh.helm.release.v1.{name}.v{version}"),
            "namespace": tenant.namespace(),
            "labels": {"owner": "helm", "name": name, "version": version, "status": record["info"]["status"]},
        },
        "data": {"release": data},
    });
    let created = tenant
        .bed()
        .cluster()
        .kubectl_with_input(&["create", "-f", "-"], &secret.to_string());
    created.unwrap().success().unwrap();
}
