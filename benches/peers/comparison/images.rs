//! The traps of content that has moved: each image is one Deployment of one release.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tracebloc_bed::api::Patch;
use tracebloc_bed::image::{Image, Platform};
use tracebloc_bed::registry::Published;
use tracebloc_bed::{Tenant, wait_until};

use super::peers::Peer;
use super::table::{Answer, Mark};
use super::{Compared, Ways};
use crate::ground::{Ground, RELEASE};
use crate::records;

/// The only container of each workload that is looked at.
const CONTAINER: &str = "main";

/// How the image is named.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Tag(&'static str),
    NoTag,
    Digest,
    TagAndDigest,
}

/// What is done once the pods run.
#[derive(Clone, Copy)]
enum Twist {
    Nothing,
    /// The tag goes to other content.
    Move,
    /// Pods report the platform's manifest of the index.
    Child,
    /// The same, and then the tag moves.
    ChildAndMove,
    /// The index is made anew around the same images.
    AgainPushed,
    /// Pods report the image's configuration, as after `docker load`.
    Configuration,
    /// Pods report as Docker does.
    Pullable,
    /// The tag is deleted.
    Delete,
}

struct Case {
    name: &'static str,
    what: &'static str,
    /// The right answers, the first being the whole truth.
    right: &'static [&'static str],
    path: &'static str,
    form: Form,
    twist: Twist,
    /// The image is an init container's.
    is_init: bool,
    /// It cannot be pulled.
    is_stuck: bool,
}

const PLAIN: Case = Case {
    name: "",
    what: "",
    right: &["current"],
    path: "",
    form: Form::Tag("prod"),
    twist: Twist::Nothing,
    is_init: false,
    is_stuck: false,
};

const CASES: [Case; 15] = [
    Case {
        name: "same",
        what: "the tag has not moved",
        ..PLAIN
    },
    Case {
        name: "moved",
        what: "the tag was pushed again",
        right: &["behind"],
        twist: Twist::Move,
        ..PLAIN
    },
    Case {
        name: "latest",
        what: "no tag is written, and `latest` moved",
        right: &["behind"],
        form: Form::NoTag,
        twist: Twist::Move,
        ..PLAIN
    },
    Case {
        name: "deep",
        what: "a repository of five parts, moved",
        right: &["behind"],
        path: "/a/b/c/d",
        twist: Twist::Move,
        ..PLAIN
    },
    Case {
        name: "child",
        what: "the pod reports the platform's manifest of the current index",
        twist: Twist::Child,
        ..PLAIN
    },
    Case {
        name: "old-child",
        what: "the same of the former index",
        right: &["behind"],
        twist: Twist::ChildAndMove,
        ..PLAIN
    },
    Case {
        name: "again",
        what: "the index was pushed again around the same images",
        twist: Twist::AgainPushed,
        ..PLAIN
    },
    Case {
        name: "configuration",
        what: "the pod reports the image's configuration",
        twist: Twist::Configuration,
        ..PLAIN
    },
    Case {
        name: "pullable",
        what: "the pod reports `docker-pullable://`",
        twist: Twist::Pullable,
        ..PLAIN
    },
    Case {
        name: "by-digest",
        what: "`repository@digest`",
        right: &["pinned", "current"],
        form: Form::Digest,
        twist: Twist::Move,
        ..PLAIN
    },
    Case {
        name: "tag-and-digest",
        what: "`repository:tag@digest`, and the tag moved",
        right: &["pinned, and the tag moved", "pinned", "current"],
        form: Form::TagAndDigest,
        twist: Twist::Move,
        ..PLAIN
    },
    Case {
        name: "init",
        what: "an init container's tag moved",
        right: &["behind"],
        is_init: true,
        twist: Twist::Move,
        ..PLAIN
    },
    Case {
        name: "stuck",
        what: "the image cannot be pulled: no content runs",
        right: &["unknown"],
        is_stuck: true,
        ..PLAIN
    },
    Case {
        name: "deleted",
        what: "the tag was deleted",
        right: &["unknown"],
        twist: Twist::Delete,
        ..PLAIN
    },
    Case {
        name: "jobs-manager",
        what: "the chart's own image, moved",
        right: &["behind"],
        twist: Twist::Move,
        ..PLAIN
    },
];

pub(super) fn compare(ground: &Ground, ways: &Ways, peers: &[Peer]) -> Compared {
    let tenant = ground.bed().tenant("cases").unwrap();
    let specs = deploy(ground, ways, &tenant);
    let namespace = tenant.namespace();
    let mut tools = vec!["kubectl-tracebloc".to_owned()];
    let mut costs = Vec::new();

    let question = ["outdated", "--only", "digest", "-n", namespace];
    let mut asking = ground.ours(&question);
    let report = ways.output(asking.args(["-o", "json"])).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let mut answers: Vec<Vec<Answer>> = CASES
        .iter()
        .map(|case| vec![case.judge(ours(&report, case))])
        .collect();
    ways.forget(ground);
    let run = ways.measure(ground.ours(&question));
    costs.push(ways.cost(
        ground,
        "kubectl-tracebloc",
        "`outdated --only digest`",
        &[run],
    ));

    for peer in peers {
        peer.prepare(ground, &ways.registry.host());
        tools.push(peer.name.to_owned());
        let pods = ["get", "pods", "-o", "json", "-n", namespace];
        let listed = ways
            .output(&mut ground.command(ground.kubectl(), &pods))
            .unwrap();
        let running = running(&serde_json::from_str(&listed).unwrap());
        for (case, answers) in CASES.iter().zip(&mut answers) {
            let said = match running.get(case.name) {
                None => "unknown".to_owned(),
                Some(running) => match ways.output(&mut peer.digest(ground, &specs[case.name])) {
                    Ok(digest) if digest == *running => "current".to_owned(),
                    Ok(_) => "behind".to_owned(),
                    Err(_) => "unknown".to_owned(),
                },
            };
            answers.push(case.judge(said));
        }
        ways.forget(ground);
        let mut runs = vec![ways.measure(ground.command(ground.kubectl(), &pods))];
        for case in CASES
            .iter()
            .filter(|case| !matches!(case.twist, Twist::Delete))
        {
            runs.push(ways.measure(peer.digest(ground, &specs[case.name])));
        }
        let did = format!(
            "`kubectl get pods`, then `{} digest` for each image",
            peer.name
        );
        costs.push(ways.cost(ground, peer.name, &did, &runs));
    }
    Compared {
        cases: CASES
            .iter()
            .map(|case| (case.what, case.right[0]))
            .collect(),
        tools,
        answers,
        costs,
    }
}

impl Case {
    fn workload(&self) -> String {
        format!("cases-{}", self.name)
    }

    fn repository(&self) -> String {
        format!("{}{}", self.name, self.path)
    }

    fn tag(&self) -> &'static str {
        match self.form {
            Form::Tag(tag) => tag,
            Form::NoTag => "latest",
            Form::Digest | Form::TagAndDigest => "prod",
        }
    }

    fn judge(&self, said: String) -> Answer {
        let mark = match self.right.iter().position(|right| *right == said) {
            Some(0) => Mark::Right,
            Some(_) => Mark::Part,
            None => Mark::Wrong,
        };
        Answer { said, mark }
    }
}

/// What our report says of the image of a case.
fn ours(report: &Value, case: &Case) -> String {
    let images = report["releases"][0]["images"].as_array().unwrap();
    let image = images.iter().find(|image| {
        let mut references = image["references"].as_array().into_iter().flatten();
        references.any(|reference| reference["workload"]["name"] == case.workload().as_str())
    });
    let Some(image) = image else {
        return "absent".to_owned();
    };
    let state = image["state"].as_str().unwrap();
    let is_pinned = image["flags"].to_string().contains("pinned");
    match (state, is_pinned) {
        ("behind", true) => "pinned, and the tag moved".to_owned(),
        (_, true) => "pinned".to_owned(),
        (state, false) => state.to_owned(),
    }
}

/// What a script finds in the pods: by case, what follows the `@` of the image ID, or all of it.
fn running(pods: &Value) -> BTreeMap<&'static str, String> {
    let mut running = BTreeMap::new();
    for pod in pods["items"].as_array().unwrap() {
        for case in &CASES {
            let is_of = pod["metadata"]["labels"]["app"] == case.workload().as_str();
            let statuses = if case.is_init {
                "initContainerStatuses"
            } else {
                "containerStatuses"
            };
            let id = pod["status"][statuses][0]["imageID"]
                .as_str()
                .unwrap_or_default();
            if is_of && !id.is_empty() {
                let digest = id.rsplit_once('@').map_or(id, |(_, digest)| digest);
                running.insert(case.name, digest.to_owned());
            }
        }
    }
    running
}

/// Runs all cases and twists them. Returns the references in the specs.
fn deploy(ground: &Ground, ways: &Ways, tenant: &Tenant<'_>) -> BTreeMap<&'static str, String> {
    let namespace = tenant.namespace();
    let api = ground.bed().cluster().api();
    let mut specs = BTreeMap::new();
    let mut published = BTreeMap::new();
    let mut manifest = String::new();
    for case in &CASES {
        let first = tenant
            .publish(&case.repository(), case.tag(), &first(case))
            .unwrap();
        let repository = format!("{}/{namespace}/{}", ways.registry.host(), case.repository());
        let spec = match case.form {
            Form::Tag(tag) => format!("{repository}:{tag}"),
            Form::NoTag => repository,
            Form::Digest => format!("{repository}@{}", first.digest),
            Form::TagAndDigest => format!("{repository}:prod@{}", first.digest),
        };
        let deployment = deployment(case, namespace, &spec, tenant);
        api.create(
            &format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
            &deployment,
        )
        .unwrap();
        manifest += &records::document(&deployment);
        specs.insert(case.name, spec);
        published.insert(case.name, first);
    }
    let model = (ground.tenant.namespace(), RELEASE);
    records::stand_in(api, model, (namespace, "cases"), &manifest);
    wait_until(Duration::from_secs(90), "all pods but one run", || {
        let pods =
            tenant
                .pods()
                .map_err(|error| tracebloc_bed::cluster::ClusterError::Deadline {
                    what: "pods".to_owned(),
                    seconds: 0,
                    seen: error.to_string(),
                })?;
        let running = pods
            .iter()
            .filter(|pod| pod["status"]["phase"] == "Running")
            .count();
        Ok(if running + 1 >= CASES.len() && pods.len() == CASES.len() {
            Ok(())
        } else {
            Err(format!("{running} of {}", pods.len()))
        })
    })
    .unwrap();
    for case in &CASES {
        twist(case, tenant, &published[case.name]);
    }
    specs
}

fn first(case: &Case) -> Image {
    Image::new(format!("{} one", case.name))
}

fn deployment(case: &Case, namespace: &str, spec: &str, tenant: &Tenant<'_>) -> Value {
    let name = case.workload();
    let container = json!({"name": CONTAINER, "image": spec, "imagePullPolicy": "Always"});
    let pod = if case.is_init {
        let beside = format!("{}/same:prod", tenant.registry_path());
        json!({"initContainers": [container], "containers": [{"name": "beside", "image": beside}]})
    } else {
        json!({"containers": [container]})
    };
    let annotations = if case.is_stuck {
        json!({"bed.tracebloc.io/pull-error": CONTAINER})
    } else {
        json!({})
    };
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}, "annotations": annotations}, "spec": pod},
        },
    })
}

fn twist(case: &Case, tenant: &Tenant<'_>, first: &Published) {
    let repository = case.repository();
    let other = || {
        let image = Image::new(format!("{} two", case.name));
        tenant.publish(&repository, case.tag(), &image).unwrap();
    };
    let child = &first.children[&Platform::linux("amd64")];
    let whole = format!("{}/{repository}", tenant.registry_path());
    match case.twist {
        Twist::Nothing => {}
        Twist::Move => other(),
        Twist::Child => report(case, tenant, &format!("{whole}@{}", child.manifest)),
        Twist::ChildAndMove => {
            report(case, tenant, &format!("{whole}@{}", child.manifest));
            other();
        }
        Twist::AgainPushed => {
            let again = self::first(case).index_annotation("build", "2");
            tenant.publish(&repository, case.tag(), &again).unwrap();
        }
        Twist::Configuration => report(case, tenant, &child.config),
        Twist::Pullable => {
            report(
                case,
                tenant,
                &format!("docker-pullable://{whole}@{}", first.digest),
            );
        }
        Twist::Delete => tenant
            .bed()
            .registry()
            .delete_manifest(
                &format!("{}/{repository}", tenant.namespace()),
                &first.digest,
            )
            .unwrap(),
    }
}

/// Makes the pods of a case report this content.
fn report(case: &Case, tenant: &Tenant<'_>, id: &str) {
    let api = tenant.bed().cluster().api();
    for pod in tenant.pods().unwrap() {
        if pod["metadata"]["labels"]["app"] != case.workload().as_str() {
            continue;
        }
        let name = pod["metadata"]["name"].as_str().unwrap();
        let mut statuses = pod["status"]["containerStatuses"].clone();
        statuses[0]["imageID"] = json!(id);
        let path = format!(
            "/api/v1/namespaces/{}/pods/{name}/status",
            tenant.namespace()
        );
        let change = json!({"status": {"containerStatuses": statuses}});
        api.patch(&path, Patch::Merge, &change).unwrap();
    }
}
