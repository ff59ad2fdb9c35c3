//! The files in which the user keeps credentials for registries: Docker's, then Podman's (FACTS 8.5).

use std::path::PathBuf;

use super::Environment;
use crate::registry::UserCredentials;
use crate::ui::Ui;

/// Reads what there is. A file that is of no use is told and passed over: most registries are asked anonymously anyway, and one that refuses that
/// is unknown because of the file.
pub(super) fn credentials(environment: &Environment, ui: &Ui) -> UserCredentials {
    let mut credentials = UserCredentials::default();
    for path in files(environment) {
        let read = std::fs::read(&path);
        if let Err(trouble) = credentials.add(&path, read) {
            ui.note(&format!("warning: {trouble}; it is not used"));
        }
    }
    credentials
}

/// Where those files would be. As for Docker and Podman themselves, a variable that names a place stands in for the usual ones.
fn files(environment: &Environment) -> Vec<PathBuf> {
    let variable = |name: &str| environment.get(name).map(PathBuf::from);
    let home = variable("HOME").or_else(dirs::home_dir);
    let below_home = |folder: &str| home.as_ref().map(|home| home.join(folder));
    let docker = variable("DOCKER_CONFIG").or_else(|| below_home(".docker"));
    let docker = docker.map(|folder| folder.join("config.json"));
    let podman = if let Some(named) = variable("REGISTRY_AUTH_FILE") {
        vec![Some(named)]
    } else {
        [
            variable("XDG_RUNTIME_DIR"),
            variable("XDG_CONFIG_HOME").or_else(|| below_home(".config")),
        ]
        .into_iter()
        .map(|folder| folder.map(|folder| folder.join("containers/auth.json")))
        .collect()
    };
    [docker].into_iter().chain(podman).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_file_goes_before_podmans() {
        for (variables, expected) in [
            (
                vec![("HOME", "/h")],
                vec!["/h/.docker/config.json", "/h/.config/containers/auth.json"],
            ),
            (
                vec![
                    ("HOME", "/h"),
                    ("DOCKER_CONFIG", "/d"),
                    ("XDG_RUNTIME_DIR", "/run/1"),
                    ("XDG_CONFIG_HOME", "/x"),
                ],
                vec![
                    "/d/config.json",
                    "/run/1/containers/auth.json",
                    "/x/containers/auth.json",
                ],
            ),
            (
                vec![
                    ("HOME", "/h"),
                    ("REGISTRY_AUTH_FILE", "/p.json"),
                    ("XDG_RUNTIME_DIR", "/run/1"),
                ],
                vec!["/h/.docker/config.json", "/p.json"],
            ),
        ] {
            let environment = Environment::from_pairs(&variables);
            let expected: Vec<PathBuf> = expected.into_iter().map(PathBuf::from).collect();
            assert_eq!(files(&environment), expected, "{variables:?}");
        }
    }
}
