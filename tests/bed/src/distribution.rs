//! The container registry of the bed: the distribution project's own program, on plain HTTP, with its storage in the run's folder.

use std::path::Path;
use std::time::Duration;

use crate::port::free_port;
use crate::process::{Process, ProcessError, Run, isolated};
use crate::registry::Registry;
use crate::tools::{Tool, Toolbox};

/// How long the registry may take to answer.
const DEADLINE: Duration = Duration::from_secs(60);

/// A running registry. It ends with this value.
#[derive(Debug)]
pub struct Distribution {
    registry: Registry,
    process: Process,
}

impl Distribution {
    /// Starts the registry and waits until it answers.
    pub fn start(run: &Run, tools: &Toolbox) -> Result<Self, ProcessError> {
        let failed = |source| ProcessError::Start {
            name: "registry".to_owned(),
            source,
        };
        let host = format!("127.0.0.1:{}", free_port().map_err(failed)?);
        let storage = run.directory().join("registry");
        let path = run
            .write("registry.yaml", configuration(&host, &storage))
            .map_err(failed)?;
        let mut command = isolated(tools.path(Tool::Registry));
        // The program would send traces to a collector on loopback otherwise.
        command
            .env("OTEL_TRACES_EXPORTER", "none")
            .arg("serve")
            .arg(path);
        let mut process = run.spawn("registry", &command)?;
        process.wait_ready(DEADLINE, || match std::net::TcpStream::connect(&host) {
            Ok(_connection) => Ok(()),
            Err(error) => Err(error.to_string()),
        })?;
        Ok(Self {
            registry: Registry::new(host),
            process,
        })
    }

    /// The client of this registry.
    pub fn client(&self) -> &Registry {
        &self.registry
    }

    /// The process, for tests that pause it.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn configuration(host: &str, storage: &Path) -> String {
    format!(
        "version: 0.1\n\
         log:\n  level: warn\n  accesslog:\n    disabled: true\n\
         storage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\n  maintenance:\n    uploadpurging:\n      enabled: false\n\
         http:\n  addr: {host}\n",
        storage.display()
    )
}
