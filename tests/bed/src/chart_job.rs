//! The chart's own jobs, run on this machine in place of a pod: the script that the chart renders, with the environment that its `CronJob` gives it,
//! against the real cluster and registry.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::cluster::ClusterError;
use crate::node::may_skip;
use crate::progress::say;
use crate::tenant::{Tenant, TenantError};

/// What the scripts of the sample charts call, beside the bed's own `kubectl`.
const PROGRAMS: [&str; 3] = ["bash", "curl", "jq"];

impl Tenant<'_> {
    /// What a `CronJob` of the chart runs, ready to start: the script of the `ConfigMap` that its pod mounts, with the environment of its container,
    /// the administrator's identity and homes of its own under `home`. Nothing where this machine lacks a program that the script calls and need
    /// not have it: the reader of the test's output is told.
    pub fn chart_job(&self, cron_job: &str, home: &str) -> Result<Option<Command>, TenantError> {
        if let Some(missing) = PROGRAMS.into_iter().find(|name| !is_on_path(name))
            && may_skip()
        {
            say(&format!(
                "SKIPPED, the script of {cron_job} needs `{missing}`"
            ));
            return Ok(None);
        }
        let cluster = self.bed().cluster();
        let namespace = self.namespace();
        let get = |path: String| cluster.api().get(&path).map_err(ClusterError::from);
        let job = get(format!(
            "/apis/batch/v1/namespaces/{namespace}/cronjobs/{cron_job}"
        ))?;
        let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let map = text(&pod["volumes"][0]["configMap"]["name"]);
        let scripts = get(format!("/api/v1/namespaces/{namespace}/configmaps/{map}"))?;
        let mounted = Path::new(text(&container["command"][1])).file_name();
        let name = mounted.unwrap_or_default().to_string_lossy();
        let script = text(&scripts["data"][name.as_ref()]);
        let file = cluster.write(&format!("chart-jobs/{namespace}/{name}"), script)?;
        let mut command = cluster.command("bash", home);
        command.arg(file);
        for variable in container["env"].as_array().into_iter().flatten() {
            command.env(text(&variable["name"]), text(&variable["value"]));
        }
        Ok(Some(command))
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
