//! The names of entries in configuration files, and which repositories they lead to.

use tracebloc_core::image::Repository;

/// Docker Hub, as image references name it.
const DOCKER_HUB: &str = "docker.io";

/// `https://index.docker.io/v1/` and the like, reduced to `host[:port][/path]`, Docker Hub as `docker.io`.
pub(super) fn normal(key: &str) -> String {
    let bare = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
    let host = host.to_ascii_lowercase();
    let host = match host.as_str() {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => DOCKER_HUB,
        other => other,
    };
    let path = path.trim_matches('/');
    let path = match path.split_once('/') {
        Some(("v1" | "v2", rest)) => rest,
        None if matches!(path, "v1" | "v2") => "",
        _ => path,
    };
    if path.is_empty() {
        host.to_owned()
    } else {
        format!("{host}/{path}")
    }
}

/// Whether a key of the form of [`normal`] leads to a repository: its host, and its path or folders above it.
pub(super) fn covers(key: &str, repository: &Repository) -> bool {
    let name = repository.to_string();
    let rest = name.strip_prefix(key);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The name under which helpers know a registry: Docker's own for Docker Hub, else the host.
pub(super) fn server(registry: &str) -> &str {
    if registry == DOCKER_HUB {
        "https://index.docker.io/v1/"
    } else {
        registry
    }
}
