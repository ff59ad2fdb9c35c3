//! What a code means at length: for `explain` and for docs/findings.md.

use super::Code;

/// A code explained, each part one or more whole sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// The facts that are compared, and where they are read.
    pub rests_on: &'static str,
    /// How it comes about.
    pub cause: &'static str,
    /// What follows if nothing is done.
    pub consequence: &'static str,
    /// What to do.
    pub next_step: &'static str,
}

impl Code {
    /// What it rests on, how it comes about, what follows, and what to do.
    pub fn explanation(self) -> Explanation {
        match self {
            Self::ChartBehind => Explanation {
                rests_on: "The chart version in the release's newest deployed record, and the versions in the chart repository's index that are not deprecated, are no prereleases (unless the release runs one) and take this server's Kubernetes version.",
                cause: "A version was published after the release was last upgraded, and no updater has brought it: there is none, it is suspended, or its next run is still to come.",
                consequence: "The release lacks the fixes of the newer versions.",
                next_step: "Read what the newer versions change, and run the advised `helm upgrade`, which keeps the release's values.",
            },
            Self::ChartAhead => Explanation {
                rests_on: "The chart version in the release's newest deployed record, and all versions in the chart repository's index.",
                cause: "The chart was installed from a file or from another repository, or the version was withdrawn from this one.",
                consequence: "Nothing newer can be found for the release. An updater that installs the newest published version may take it back.",
                next_step: "If the release comes from another repository, name it with `--repo URL`; else nothing need be done.",
            },
            Self::ChartReplaced => Explanation {
                rests_on: "The chart's name and its main workload, which are those of a chart that the profile knows as replaced.",
                cause: "The chart is published under another name now, and the release was never moved.",
                consequence: "The release gets no further versions. Uninstalling it would delete its claims together with their data, because they carry no keep annotation.",
                next_step: "Do not uninstall. Look at the claims and the volumes behind them with the advised command, and plan the move to the `client` chart with a backup at hand.",
            },
            Self::ChartVersionUnlisted => Explanation {
                rests_on: "The chart version in the release's newest deployed record, and all versions in the chart repository's index.",
                cause: "The version was removed from the index after it had been installed, or it never was in this repository.",
                consequence: "The release works, but this version cannot be installed from the repository again, and a Helm rollback is the only way back to it.",
                next_step: "Nothing need be done at once; the next upgrade ends it.",
            },
            Self::ChartUnknown => Explanation {
                rests_on: "The answer of the chart repository, or the lack of one.",
                cause: "The repository could not be reached or its index not read, no repository is known for the chart, or the installed version is not a version.",
                consequence: "The chart may be current or behind: nothing is claimed.",
                next_step: "Remove the cause that the message names, or name the repository with `--repo URL`, and ask again.",
            },
            Self::ReleaseFailed => Explanation {
                rests_on: "The status of the release's newest record.",
                cause: "An install, upgrade or rollback ended with an error, such as a hook that failed, a time limit, or an object that the API server refused.",
                consequence: "Some objects may have the newer version and others the older one. The next upgrade compares with the failed revision.",
                next_step: "Look at the release's history with the advised command, remove the cause, and upgrade again or roll back to the revision that worked.",
            },
            Self::ReleasePending => Explanation {
                rests_on: "The status of the release's newest record, and the time at which its operation began.",
                cause: "An operation is at work, or its process was killed, as an updater's is at its deadline, before it could write how it ended.",
                consequence: "As long as it stands Helm refuses every upgrade with \"another operation is in progress\", those of the chart's own updater included.",
                next_step: "Wait if the operation began a short time ago. If it was killed, roll back to the last revision that worked with the advised command.",
            },
            Self::ReleaseUninstalled => Explanation {
                rests_on: "The status of the release's newest record.",
                cause: "Somebody uninstalled the release with `--keep-history`, or is uninstalling it now.",
                consequence: "Nothing of it runs. Its name stays taken until the history is removed.",
                next_step: "Nothing need be done. The history shows what was there.",
            },
            Self::ReleaseUnreadable => Explanation {
                rests_on: "The release's record as Helm stored it.",
                cause: "The record is damaged, was cut short or edited, is written in a form that this build does not know, or may not be read.",
                consequence: "What belongs to the release is unknown in whole or in part. If Helm cannot read the record either, it can neither upgrade nor uninstall the release.",
                next_step: "See with the advised `helm history` whether Helm reads it; if not, restore the record from a backup.",
            },
            Self::DigestBehind => Explanation {
                rests_on: "The `imageID` that the kubelet reports of each running container, and the digest that the registry has for the tag now. The same content under another digest (index or platform manifest) counts as equal.",
                cause: "The tag was moved to new content after the pods had pulled it. Kubernetes does not pull again by itself.",
                consequence: "Pods run old content until something restarts them, and a pod that is started anew runs other content than those beside it.",
                next_step: "Run the advised commands: a restart where that pulls anew, else the exact digest.",
            },
            Self::DigestPinned => Explanation {
                rests_on: "The digest in the image reference of the release's stored manifest, and the digest that the registry has for the tag now.",
                cause: "The release's values or the chart chose exact content, and newer content has been published under the tag since.",
                consequence: "None: pods go on running what was chosen. It does not count as behind.",
                next_step: "Nothing need be done. To follow the tag again, take the digest out of the release's values.",
            },
            Self::RecordLies => Explanation {
                rests_on: "The annotation with which the chart's own refresh records what it rolled out, the digest that the registry has, and the `imageID` of the running containers.",
                cause: "The refresh wrote its annotation, but the pods did not pull: the rollout failed or was undone, or the pull policy kept what the node had.",
                consequence: "The refresh compares with its annotation only, and so will not act until the tag moves again.",
                next_step: "Run the commands that `digest-behind` advises for the same image.",
            },
            Self::DigestSkewed => Explanation {
                rests_on: "The `imageID` of the image's running containers, pod by pod and platform by platform.",
                cause: "Some pods were restarted after the tag had moved, and others were not; or nodes hold different content under one tag.",
                consequence: "Requests are answered by different versions, depending on the pod.",
                next_step: "Run the commands that `digest-behind` advises for the same image.",
            },
            Self::DigestUnknown => Explanation {
                rests_on: "The registry's answer for the tag and what the cluster says of the pods, or the lack of one of them.",
                cause: "The registry was not reached, refused the credentials or limits requests; the pods could not be listed, or none has pulled the image yet.",
                consequence: "The image may be current or behind: nothing is claimed.",
                next_step: "Remove the cause that the message names, and ask again. Where credentials are missing, log in to the registry or give `--use-pull-secrets`.",
            },
            Self::ClusterUnanswered => Explanation {
                rests_on: "A request to the API server that failed or was refused.",
                cause: "The credentials lack a right, or the server did not answer in time.",
                consequence: "What rests on that answer is unknown; the rest is answered.",
                next_step: "Ask for the right that the message names (verb and resource), or give more time with `--request-timeout`, and ask again.",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_said_in_whole_sentences() {
        for code in Code::ALL {
            let Explanation {
                rests_on,
                cause,
                consequence,
                next_step,
            } = code.explanation();
            for part in [rests_on, cause, consequence, next_step] {
                assert!(part.ends_with('.'), "{code}: {part}");
                assert!(part.starts_with(char::is_uppercase), "{code}: {part}");
                assert!(!part.contains(['\n', '|']), "{code}: {part}");
            }
        }
    }
}
