//! Advice: the command line to type next, whole, with context and namespace, for the tools that exist today.

use std::fmt::Write as _;

use crate::claim::ClaimId;
use crate::name::{Namespace, ReleaseId};
use crate::snapshot::{ContextFacts, RepositoryRef};
use crate::workload::WorkloadId;

/// A word more at the end of a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extra<'text> {
    /// A flag that stands for itself.
    Flag(&'text str),
    /// A flag with its value.
    Option(&'text str, &'text str),
}

/// Builds command lines that lead to the cluster that was asked.
#[derive(Debug, Clone, Copy)]
pub struct Advisor<'facts> {
    context: &'facts ContextFacts,
}

impl<'facts> Advisor<'facts> {
    /// An advisor for the cluster of these facts.
    pub fn new(context: &'facts ContextFacts) -> Self {
        Self { context }
    }

    /// Brings a release to a chart version, keeping the user's values over that chart's defaults (FACTS 5.5), with further words at the end of
    /// the line: a value is set by `--set`, or by `--set-string` where a text such as `1.36` would become a number.
    pub fn upgrade(
        self,
        release: &ReleaseId,
        chart: &str,
        repository: &RepositoryRef,
        version: &str,
        extras: &[Extra<'_>],
    ) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = CommandLine::new("helm upgrade");
        line.word(release.name.as_str());
        if let Some(name) = &repository.name {
            // Only by its name does Helm use the entry's credentials, and then with its own copy of the index, which may be old.
            let mut update = CommandLine::new("helm repo update");
            update.word(name);
            lines.push(update.0);
            line.word(&format!("{name}/{chart}"));
        } else if repository.url.starts_with("oci://") {
            line.word(&repository.url);
            if repository.plain_http {
                line.flag("--plain-http");
            }
        } else {
            line.word(chart);
            if repository.masked {
                // The shell's variable holds what must not be printed.
                line.flag("--repo \"$REPOSITORY_URL\"");
            } else {
                line.option("--repo", &repository.url);
            }
        }
        line.option("--version", version);
        line.flag("--reset-then-reuse-values");
        for extra in extras {
            match extra {
                Extra::Flag(name) => line.flag(name),
                Extra::Option(name, value) => line.option(name, value),
            }
        }
        lines.push(self.helm(line, &release.namespace));
        lines
    }

    /// Brings a release back to a revision; the only way out of a pending operation (FACTS 5.3).
    pub fn rollback(self, release: &ReleaseId, revision: u32) -> String {
        let mut line = CommandLine::new("helm rollback");
        line.word(release.name.as_str());
        line.word(&revision.to_string());
        self.helm(line, &release.namespace)
    }

    /// Shows what happened to a release.
    pub fn history(self, release: &ReleaseId) -> String {
        let mut line = CommandLine::new("helm history");
        line.word(release.name.as_str());
        self.helm(line, &release.namespace)
    }

    /// Brings what runs of a release to what is published, with further words such as `--force`.
    pub fn refresh(self, release: &ReleaseId, words: &[&str]) -> String {
        self.own("refresh", release, words)
    }

    /// Lets go of an image that `pin` holds.
    pub fn unpin(self, release: &ReleaseId, image: &str) -> String {
        self.own("unpin", release, &["--image", image])
    }

    /// Holds images at what they run, with further words such as `--print-values`.
    pub fn pin(self, release: &ReleaseId, images: &[&str], words: &[&str]) -> String {
        let images = images.join(",");
        self.own("pin", release, &[&["--image", &images], words].concat())
    }

    /// Tells how a release stands.
    pub fn status(self, release: &ReleaseId) -> String {
        self.own("status", release, &[])
    }

    /// Tells the newer tags of a release's images.
    pub fn newer_tags(self, release: &ReleaseId) -> String {
        self.own("outdated", release, &["--only", "image"])
    }

    fn own(self, command: &str, release: &ReleaseId, words: &[&str]) -> String {
        let mut line = CommandLine::new("kubectl tracebloc");
        line.word(command);
        line.word(&release.to_string());
        for word in words {
            line.word(word);
        }
        self.kubectl(line, None)
    }

    /// Lets a paused Deployment go on.
    pub fn resume(self, workload: &WorkloadId) -> String {
        let mut line = CommandLine::new("kubectl rollout resume");
        line.word(&workload.to_string());
        self.kubectl(line, Some(&workload.namespace))
    }

    /// Lets a `CronJob` start Jobs again.
    pub fn unsuspend(self, workload: &WorkloadId) -> String {
        let mut line = CommandLine::new("kubectl patch");
        line.word(&workload.to_string());
        line.option("--type", "merge");
        line.option("--patch", r#"{"spec":{"suspend":false}}"#);
        self.kubectl(line, Some(&workload.namespace))
    }

    /// Shows a workload with its latest events.
    pub fn describe(self, workload: &WorkloadId) -> String {
        let mut line = CommandLine::new("kubectl describe");
        line.word(&workload.to_string());
        self.kubectl(line, Some(&workload.namespace))
    }

    /// Shows a claim with its latest events.
    pub fn describe_claim(self, claim: &ClaimId) -> String {
        let mut line = CommandLine::new("kubectl describe");
        line.word(&claim.to_string());
        self.kubectl(line, Some(&claim.namespace))
    }

    /// Lets the data of a volume outlive its claim.
    pub fn retain(self, volume: &str) -> String {
        let mut line = CommandLine::new("kubectl patch");
        line.word(&format!("persistentvolume/{volume}"));
        line.option("--type", "merge");
        line.option(
            "--patch",
            r#"{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}"#,
        );
        self.kubectl(line, None)
    }

    /// Shows what the pods of a Job said.
    pub fn logs(self, job: &WorkloadId) -> String {
        let mut line = CommandLine::new("kubectl logs");
        line.word(&job.to_string());
        self.kubectl(line, Some(&job.namespace))
    }

    /// Shows what a container said before it ended last.
    pub fn last_words(self, namespace: &Namespace, pod: &str, container: &str) -> String {
        let mut line = CommandLine::new("kubectl logs");
        line.word(pod);
        line.option("--container", container);
        line.flag("--previous");
        self.kubectl(line, Some(namespace))
    }

    /// Ends a Job that hangs.
    pub fn delete(self, job: &WorkloadId) -> String {
        let mut line = CommandLine::new("kubectl delete");
        line.word(&job.to_string());
        self.kubectl(line, Some(&job.namespace))
    }

    /// Lists the claims of a namespace with the volumes behind them.
    pub fn claims(self, namespace: &Namespace) -> String {
        let mut line = CommandLine::new("kubectl get persistentvolumeclaims");
        line.option("--output", "wide");
        self.kubectl(line, Some(namespace))
    }

    /// Asks the cluster what it has of an API group, which anybody may ask.
    pub fn api_resources(self, group: &str) -> String {
        let mut line = CommandLine::new("kubectl api-resources");
        line.option("--api-group", group);
        self.kubectl(line, None)
    }

    /// Lists the nodes with their architectures.
    pub fn nodes(self) -> String {
        let mut line = CommandLine::new("kubectl get nodes");
        line.option("--label-columns", "kubernetes.io/arch");
        self.kubectl(line, None)
    }

    /// Sets how many pods a workload has.
    pub fn scale(self, workload: &WorkloadId, replicas: u32) -> String {
        let mut line = CommandLine::new("kubectl scale");
        line.word(&workload.to_string());
        line.option("--replicas", &replicas.to_string());
        self.kubectl(line, Some(&workload.namespace))
    }

    /// Shows the pods of a namespace.
    pub fn pods(self, namespace: &Namespace) -> String {
        self.kubectl(CommandLine::new("kubectl get pods"), Some(namespace))
    }

    /// Deletes pods, in whose place their controller makes new ones.
    pub fn delete_pods<'name>(
        self,
        namespace: &Namespace,
        names: impl IntoIterator<Item = &'name str>,
    ) -> String {
        let mut line = CommandLine::new("kubectl delete pods");
        for name in names {
            line.word(name);
        }
        // Pods of a StatefulSet come again under the same name, and kubectl would wait for the end of those.
        line.flag("--wait=false");
        self.kubectl(line, Some(namespace))
    }

    /// Asks the API server whether the credentials may do something.
    pub fn can_i(self, verb: &str, resource: &str, namespace: Option<&Namespace>) -> String {
        let mut line = CommandLine::new("kubectl auth can-i");
        line.word(verb);
        line.word(resource);
        self.kubectl(line, namespace)
    }

    fn helm(self, mut line: CommandLine, namespace: &Namespace) -> String {
        line.option("--namespace", namespace.as_str());
        if let Some(context) = &self.context.name {
            line.option("--kube-context", context);
        }
        self.finish(line)
    }

    fn kubectl(self, mut line: CommandLine, namespace: Option<&Namespace>) -> String {
        if let Some(namespace) = namespace {
            line.option("--namespace", namespace.as_str());
        }
        if let Some(context) = &self.context.name {
            line.option("--context", context);
        }
        self.finish(line)
    }

    fn finish(self, mut line: CommandLine) -> String {
        if let Some(kubeconfig) = &self.context.kubeconfig {
            line.option("--kubeconfig", kubeconfig);
        }
        line.0
    }
}

/// A command line under construction, quoted for a POSIX shell.
struct CommandLine(String);

impl CommandLine {
    fn new(command: &str) -> Self {
        Self(command.to_owned())
    }

    fn word(&mut self, text: &str) {
        self.0.push(' ');
        self.0.push_str(&quoted(text));
    }

    fn flag(&mut self, name: &str) {
        self.0.push(' ');
        self.0.push_str(name);
    }

    fn option(&mut self, name: &str, value: &str) {
        // Writing to a String cannot fail.
        let _infallible = write!(self.0, " {name} {}", quoted(value));
    }
}

/// A word as a POSIX shell reads it back: in single quotes unless all its characters are harmless.
fn quoted(text: &str) -> String {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !text.is_empty() && text.bytes().all(harmless) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_where_a_shell_needs_it() {
        for (text, expected) in [
            ("client", "client"),
            ("arn:aws:eks:eu:1:cluster/x", "arn:aws:eks:eu:1:cluster/x"),
            ("my context", "'my context'"),
            ("", "''"),
            ("a'b; rm -rf $HOME", r"'a'\''b; rm -rf $HOME'"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
