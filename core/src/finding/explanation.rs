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
    #[expect(
        clippy::too_many_lines,
        reason = "it is a table: one entry a code, so that none can be forgotten"
    )]
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
            Self::IndexShrunk => Explanation {
                rests_on: "The versions that the repository lists now, and those that it listed at earlier calls, which the cache remembers.",
                cause: "Versions were withdrawn, or a faulty publication replaced the index by a smaller one.",
                consequence: "What counts as newest may be older than it was, and a withdrawn version cannot be installed again.",
                next_step: "Ask who publishes the charts. If the withdrawal was meant, `kubectl tracebloc cache clear` forgets the earlier list.",
            },
            Self::ChartRepublished => Explanation {
                rests_on: "The digest that the repository gives for a version now, and the one that it gave at earlier calls.",
                cause: "The version was packaged and pushed again, or somebody replaced it.",
                consequence: "Two clusters with the same version may run different charts, and a malicious replacement looks no different.",
                next_step: "Ask who publishes the charts before you install or upgrade to this version. If it was meant, `kubectl tracebloc cache clear` forgets the earlier digest.",
            },
            Self::RepositoryUnanswered => Explanation {
                rests_on: "The answer of an entry of the user's `repositories.yaml`, or the lack of one.",
                cause: "The repository could not be reached, refused the entry's credentials, or sent something that is no index.",
                consequence: "If the release comes from that repository, newer versions there are not seen; the other repositories are judged.",
                next_step: "Remove the cause that the message names, or name the right repository with `--repo`.",
            },
            Self::ConfigurationUnread => Explanation {
                rests_on: "A configuration file of the user, such as Helm's `repositories.yaml`.",
                cause: "The file cannot be read or is no such configuration.",
                consequence: "What the file would have told, such as repositories and their credentials, is not taken into account.",
                next_step: "Mend the file that the message names; its content is never shown.",
            },
            Self::UpgradeBlocked => Explanation {
                rests_on: "The installed and the newest chart version, the release's values (which are never shown), and the profile's list of upgrade breakers.",
                cause: "The newer chart demands what the release does not have, or would change what Kubernetes lets nobody change.",
                consequence: "The plain upgrade fails, perhaps half-way, or leaves data behind.",
                next_step: "Do first what the message says; the advised line holds what the upgrade needs, or shows where to look.",
            },
            Self::UpgradeCaution => Explanation {
                rests_on: "The installed and the newest chart version, the release's values, and the profile's list; what cannot be judged from here is named so in the evidence.",
                cause: "The way to the newest version passes versions that change how the release behaves.",
                consequence: "The upgrade works, and is felt; or it fails if what could not be judged is so.",
                next_step: "Read the evidence (`-o json`) before the upgrade, and check what it asks to check.",
            },
            Self::RcStuck => Explanation {
                rests_on: "The installed version, the stable versions that the repository publishes, and the order in which the chart's updater sorts them.",
                cause: "The updater sorts with `sort -V`, which puts `1.2.3-rc.1` above `1.2.3`.",
                consequence: "The release stays at the prerelease until a version after the one that it led to is published.",
                next_step: "Upgrade by hand with the advised line.",
            },
            Self::MetricsApiMissing => Explanation {
                rests_on: "The API groups that the cluster serves, and the workloads of the release.",
                cause: "The metrics-server was never installed, or was removed.",
                consequence: "What reads the metrics stops to do its work, and upgrades of the chart fail.",
                next_step: "Install metrics-server, or switch the resource monitor off by its value.",
            },
            Self::PlatformMissing => Explanation {
                rests_on: "The published index, as far as it had to be read, and the platforms of the nodes on which pods of the image run; of a digest in an environment the index behind it, and the platforms of all nodes.",
                cause: "The image was pushed again for fewer platforms than before, or was never built for that one.",
                consequence: "Pods that run go on; those that start anew on such a node wait for an image that there is not.",
                next_step: "Do not restart these pods. Tell the image's publisher, or move the workload to nodes that the image is for.",
            },
            Self::ReplicasDrift => Explanation {
                rests_on: "The stored manifest, the live object, and who last wrote its scale.",
                cause: "Somebody scaled the workload by hand, past the release.",
                consequence: "The next upgrade may set it back, or keep it; what was scaled to zero does not work meanwhile.",
                next_step: "Scale it back with the advised line, or set the number in the release's values.",
            },
            Self::RolloutDeadlock => Explanation {
                rests_on: "The stored manifest: the Deployment's strategy, its volumes, and the access modes of the release's claims; and how many nodes there are.",
                cause: "Charts before 1.9.12 roll the jobs manager over, while its claims can be mounted on one node only.",
                consequence: "A rollout hangs as soon as the new pod is sent to another node, and the chart's jobs begin it again and again.",
                next_step: "Upgrade to a chart version that stops the old pod first; where a rollout hangs, look at it with the advised line.",
            },
            Self::RefreshDeadline => Explanation {
                rests_on: "The live CronJob's deadline, and the release's value for how long one rollout may take.",
                cause: "The time for a rollout was raised, and the deadline of the job was not.",
                consequence: "The job is ended in the middle of its work, and counts as failed.",
                next_step: "Raise the deadline with the advised line.",
            },
            Self::ImageBehind => Explanation {
                rests_on: "The image's version tag, and the tags of its repository that are written alike.",
                cause: "A newer version was published after the tag was chosen, by the chart or by the release's values.",
                consequence: "The image lacks the fixes of the newer version.",
                next_step: "Where the chart chooses the tag, upgrade the chart. Where the values do, run the advised line, which changes that value only.",
            },
            Self::ImageUnknown => Explanation {
                rests_on: "The list of tags of the image's repository, or the lack of one.",
                cause: "The registry does not let its tags be listed, did not answer, or gave only a part of the list.",
                consequence: "There may be a newer version: nothing is claimed. The content behind the tag in force is judged all the same.",
                next_step: "Remove the cause that the message names, for example by logging in to the registry, and ask again.",
            },
            Self::CacheStale => Explanation {
                rests_on: "What the registry and the nodes' pull-through cache answer for the same tag.",
                cause: "The cache keeps what it fetched once until its time is over, and the tag was moved meanwhile.",
                consequence: "New pods get the old content, so that restarting them gains nothing.",
                next_step: "Have the cache fetch the tag anew, or wait until it does, and ask again.",
            },
            Self::CacheUnconfirmed => Explanation {
                rests_on: "The answers of the registry and of the nodes' pull-through cache, of which one is missing.",
                cause: "The cache or the registry did not answer, as a registry beyond a firewall.",
                consequence: "Pods are compared with what one of the two says; whether the other agrees is unknown.",
                next_step: "Nothing need be done where the network is meant to be closed; else remove the cause that the message names.",
            },
            Self::MirrorBehind => Explanation {
                rests_on: "What the mirror that the release's values name and its source answer for the same tag. The same image under another index, or one platform's image of the source's index, counts as equal.",
                cause: "The tag was moved at the source after the mirror had copied it, or somebody pushed other content to the mirror.",
                consequence: "Pods that run what the mirror has count as current, and still lack what the source published since. Neither a restart nor the chart's own jobs can bring it.",
                next_step: "Copy the image from the source to the mirror anew, with the tool that fills the mirror. Then `outdated` tells which pods are behind.",
            },
            Self::MirrorUnconfirmed => Explanation {
                rests_on: "The answer of the mirror's source, or the lack of one.",
                cause: "The source did not answer, as from a network without a way out, does not have the tag, or its content could not be compared.",
                consequence: "Whether the mirror lags behind its source is unknown. All else is judged by the mirror.",
                next_step: "Remove the cause that the message names, or leave `--compare-source` out.",
            },
            Self::UpgradeAbsent => Explanation {
                rests_on: "The release's values and stored manifest, and the chart's versions that have such a job.",
                cause: "The job is switched off, the chart version is older than the job, or it was never rendered.",
                consequence: "The release stays at its version until somebody upgrades it.",
                next_step: "Nothing need be done where upgrades are made by hand or by another tool.",
            },
            Self::UpgradeSuspended => Explanation {
                rests_on: "The suspend field of the live CronJob and the value that sets it.",
                cause: "Somebody suspended it, by a value of the release or in the cluster only.",
                consequence: "The release stays at its version until it is resumed or upgraded by hand.",
                next_step: "Run the advised command once the reason is gone.",
            },
            Self::UpgradeStalled => Explanation {
                rests_on: "The live CronJob's last run and last success, its Jobs, and its schedule.",
                cause: "Runs fail, hang, or are not started; before chart 1.9.29 a failed upgrade is taken for a finished one.",
                consequence: "Nothing brings newer versions any more, though everything looks automatic.",
                next_step: "Look at the last Job with the advised command and remove the cause, or upgrade by hand.",
            },
            Self::UpgradeLockedOut => Explanation {
                rests_on: "The release's failed revision, or the job's last run that failed, and the roles and bindings that the job needs.",
                cause: "An upgrade that the job began removed its own rights before it failed, or somebody deleted a role or a binding.",
                consequence: "The job can neither upgrade nor undo an upgrade; every further run fails.",
                next_step: "Run the advised line as an administrator: it brings the rights back.",
            },
            Self::RefreshAbsent => Explanation {
                rests_on: "The release's values and stored manifest, and the chart's versions that have such a job.",
                cause: "The job is switched off, the chart version is older than the job, or every image is pinned.",
                consequence: "Moved tags reach no running pod until somebody restarts it.",
                next_step: "Nothing need be done where images are moved by hand or by another tool.",
            },
            Self::RefreshSuspended => Explanation {
                rests_on: "The suspend field of the live CronJob, the value that sets it, and the mark of a run of ours.",
                cause: "Somebody suspended it, by a value of the release or in the cluster only; or a `refresh` did for as long as it lasts, and is at work or was killed.",
                consequence: "Moved tags reach no running pod until it is resumed.",
                next_step: "Run the advised command once the reason is gone.",
            },
            Self::RefreshInert => Explanation {
                rests_on: "The release's image registry and its chart version.",
                cause: "From 1.9.40 on the chart's job leaves images of a mirror alone.",
                consequence: "Moved tags reach no running pod, though the job runs and ends well.",
                next_step: "Restart what is behind with the advised commands of `digest-behind`, or pull from the source.",
            },
            Self::RefreshFlapping => Explanation {
                rests_on: "The attempt counter and the flap mark that the job leaves on the main workload.",
                cause: "Rollouts to the published content failed so often that the job gave up.",
                consequence: "The job runs and ends well, but does nothing until the marks are taken off.",
                next_step: "Find out why the new content does not start, then arm the job again with the advised command.",
            },
            Self::RefreshRetrying => Explanation {
                rests_on: "The attempt counter that the job leaves on the main workload.",
                cause: "A rollout that the job began did not settle.",
                consequence: "The job tries again at its next ticks, and gives up after some more failures.",
                next_step: "Look at the pods of the workload; nothing need be done if the next attempt works.",
            },
            Self::RefreshStalled => Explanation {
                rests_on: "The live CronJob's last run and last success, its Jobs, its skip counter and its schedule.",
                cause: "Runs fail, hang or are not started, or skip again and again because a rollout never settles.",
                consequence: "Moved tags reach no running pod, though everything looks automatic.",
                next_step: "Look at the last Job and at the workload's rollout with the advised command, and remove the cause.",
            },
            Self::RefreshLockedOut => Explanation {
                rests_on: "The job's last run, which failed, and the bindings of the stored manifest with their roles, which were looked for in the cluster.",
                cause: "Somebody deleted a role or a binding, or an upgrade that failed half-way did.",
                consequence: "Moved tags reach no running pod: every run fails.",
                next_step: "Run the advised line as an administrator: it makes what is missing anew.",
            },
            Self::RefreshNeverWorked => Explanation {
                rests_on: "The job's successes, and the records that it should have left on the main workload.",
                cause: "The job ends well without reaching its work, for example for a missing right.",
                consequence: "Moved tags reach no running pod, though the job looks healthy.",
                next_step: "Look at the log of its last Job with the advised command.",
            },
            Self::AutomationDeleted => Explanation {
                rests_on: "The stored manifest of the release, and the CronJobs in the cluster.",
                cause: "Somebody deleted the CronJob; Helm does not bring it back before the next upgrade.",
                consequence: "What the job did is not done any more.",
                next_step: "Upgrade the release with its present version and values to bring it back, or switch it off by its value.",
            },
            Self::NoUpdatePath => Explanation {
                rests_on: "The pull policy of the running containers, whose tag is the release's channel, and the state of the chart's own refresh.",
                cause: "From 1.9.40 the chart renders `IfNotPresent`, since its refresh sets exact digests; suspended, switched off, at a mirror or given up, it sets none.",
                consequence: "No new content reaches these pods, not even by a restart on a node that has the tag; only a node that has not pulls what is published.",
                next_step: "Let the refresh do its work again with the advised command, or move the images by hand as `digest-behind` advises.",
            },
            Self::ContainerOutOfMemory => Explanation {
                rests_on: "The reason for which the container ended last, as the kubelet reports it: OOMKilled.",
                cause: "The container needed more memory than its limit, or the node had none left.",
                consequence: "It was started again and may be ended again; work that it did at that moment is lost. An upgrade that waits for it may fail.",
                next_step: "See with the advised command what it did last, and raise `resources.*.limits.memory` of the release before you upgrade.",
            },
            Self::ContainerCrashing => Explanation {
                rests_on: "The reason for which the kubelet lets the container wait: CrashLoopBackOff.",
                cause: "The container ends soon after each start: wrong values, a dependency that is not there, or a faulty image.",
                consequence: "Its pod is not ready. Rollouts of its workload do not settle, and refreshes and upgrades that wait for it fail.",
                next_step: "See with the advised command what it said before it ended. If an image was moved shortly before, go back to the former content.",
            },
            Self::ChangeUnfinished => Explanation {
                rests_on: "The annotation `tracebloc.io/change` that a refresh writes as it acts, and closes as it ends.",
                cause: "A refresh is at work at this moment, or was killed or interrupted.",
                consequence: "The workload may be between two contents, and its records may not yet say what it runs.",
                next_step: "Run `refresh` again: it says who is at work, or finishes or undoes what a killed run left.",
            },
            Self::ManagedElsewhere => Explanation {
                rests_on: "Labels, annotations and field managers of the main workload.",
                cause: "Argo CD, Flux, Terraform, Pulumi or a like tool applied the release.",
                consequence: "What is changed past that tool it undoes, or reports as drift.",
                next_step: "Make changes where the tool has its source, not with the advised Helm and kubectl lines.",
            },
            Self::MissingFix => Explanation {
                rests_on: "The installed chart version, and the profile's list of what later versions fix.",
                cause: "The release was not upgraded past the version that has the fix.",
                consequence: "The release has the fault that the message names.",
                next_step: "Upgrade to the version that the message names or a newer one.",
            },
            Self::ChannelAlias => Explanation {
                rests_on: "The release's channel value, and the chart versions that resolve aliases.",
                cause: "The value is a long name such as `production`, which chart versions before 1.9.32 take for a tag.",
                consequence: "Images are pulled by a tag that is no longer built, so that they stay old for ever.",
                next_step: "Run the advised line, which sets the channel's own name, or upgrade the chart.",
            },
            Self::ValuesFrozen => Explanation {
                rests_on: "The defaults stored with the release, and keys that defaults of its chart version must have.",
                cause: "An upgrade with `--reuse-values` kept the defaults of the older chart.",
                consequence: "Defaults that newer versions bring or correct never reach the release.",
                next_step: "Upgrade once with `--reset-then-reuse-values`, as the advised line does.",
            },
            Self::PinStored => Explanation {
                rests_on: "The digests in the release's values.",
                cause: "Somebody pinned the image, or a tool stored the digest it ran with.",
                consequence: "Neither a moved tag nor a newer chart changes what runs.",
                next_step: "If the pin is not meant any more, take the value away at the next upgrade.",
            },
            Self::PinHeld => Explanation {
                rests_on: "The digest that the chart itself stores for its production channel.",
                cause: "The vendor holds the image at a tested digest, behind its tag.",
                consequence: "What runs is older than the tag on purpose.",
                next_step: "Nothing need be done: the next chart version moves it.",
            },
            Self::HoldReleased => Explanation {
                rests_on: "The release's values: the channel, the digest that the chart holds there, and the switch that lets the image go.",
                cause: "Somebody set the switch to `false`, to get newer content of the image than was tested on this channel.",
                consequence: "The image floats with its tag. A newer one may no longer have what the rest of the release still needs.",
                next_step: "Unless it was meant, let the chart hold the image again with the advised command.",
            },
            Self::PvcNotKept => Explanation {
                rests_on: "The claims in the stored release manifest, and their resource policy there.",
                cause: "The chart version declares the claim without the keep annotation, or the release was installed before it had one.",
                consequence: "An uninstall deletes the claim, and with it perhaps the data; live annotations change nothing.",
                next_step: "Do not uninstall. Upgrade to a chart version that keeps the claim, and see that the volume is retained.",
            },
            Self::PvNotRetained => Explanation {
                rests_on: "The reclaim policy of the volume behind a claim.",
                cause: "The storage class gives its volumes the policy Delete or Recycle.",
                consequence: "When the claim goes, the data goes with it.",
                next_step: "Run the advised line, which sets the policy to Retain and changes nothing else.",
            },
            Self::PvcNotBound => Explanation {
                rests_on: "The claims in the stored manifest, and their phase in the cluster.",
                cause: "The claim was deleted, its volume is gone or claimed by another, or nothing provisions one.",
                consequence: "Pods that mount it cannot start, or the data is not where it is looked for.",
                next_step: "Look at the claim's events with the advised command before anything is created anew.",
            },
            Self::ClusterUnanswered => Explanation {
                rests_on: "A request to the API server that failed or was refused.",
                cause: "The credentials lack a right, or the server did not answer in time.",
                consequence: "What rests on that answer is unknown; the rest is answered. Where Helm's records may not be read, a release is known by the labels of its workloads alone, and the finding lists what only its record tells.",
                next_step: "Ask for the right that the message names (verb and resource; `--print-rbac` prints all that the command needs), or give more time with `--request-timeout`, and ask again.",
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
