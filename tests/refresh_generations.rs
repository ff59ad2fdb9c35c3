//! Every generation of the chart: what `refresh` does at first sight, once a tag has moved, and when all is done, is what that chart does itself
//! (DOMAIN §4), and what it leaves behind is what that chart's own job reads.

use std::collections::BTreeMap;

use serde_json::Value;
use tracebloc_bed::cluster::Output;
use tracebloc_bed::{Install, Tenant};

use crate::refresh::{decision, object, plan, refresh, running, steps};
use crate::support::{install, quiet, tenant};

/// The images whose tags move.
const MOVED: [&str; 3] = ["jobs-manager", "pods-monitor", "resource-monitor"];

/// What is expected of a chart.
struct Generation {
    chart: &'static str,
    version: &'static str,
    /// The steps of the first run, each with what its object's name ends with.
    first: &'static [(&'static str, &'static str)],
    /// Those of the run after all tags have moved.
    moved: &'static [(&'static str, &'static str)],
    /// What is decided about the ingestor, whose tag has moved too; nothing where the release has none.
    ingestor: Option<&'static str>,
    /// Whose records are kept.
    records: &'static [&'static str],
}

const GENERATIONS: [Generation; 7] = [
    Generation {
        chart: "eks",
        version: "1.0.3",
        first: &[],
        moved: &[
            ("restart", "-jobs-manager"),
            ("restart", "tracebloc-resource-monitor"),
        ],
        ingestor: None,
        records: &[],
    },
    Generation {
        chart: "client",
        version: "1.1.0",
        first: &[],
        moved: &[
            ("restart", "-jobs-manager"),
            ("restart", "tracebloc-resource-monitor"),
        ],
        ingestor: None,
        records: &[],
    },
    Generation {
        chart: "client",
        version: "1.4.0",
        first: &[("record", "-jobs-manager")],
        moved: &[
            ("restart", "-jobs-manager"),
            ("record", "-jobs-manager"),
            ("restart", "-requests-proxy"),
            ("record", "-jobs-manager"),
            ("restart", "-resource-monitor"),
        ],
        ingestor: Some("pinned"),
        records: &["jobs-manager", "pods-monitor"],
    },
    Generation {
        chart: "client",
        version: "1.4.4",
        first: &[("record", "-jobs-manager")],
        moved: &[
            ("set-environment", "-jobs-manager"),
            ("record", "-jobs-manager"),
            ("restart", "-requests-proxy"),
            ("record", "-jobs-manager"),
            ("restart", "-resource-monitor"),
        ],
        ingestor: Some("move"),
        records: &["ingestor", "jobs-manager", "pods-monitor"],
    },
    Generation {
        chart: "client",
        version: "1.9.28",
        first: &[("record", "-jobs-manager")],
        moved: &[
            ("restart", "-jobs-manager"),
            ("record", "-jobs-manager"),
            ("restart", "-requests-proxy"),
            ("record", "-jobs-manager"),
            ("restart", "-resource-monitor"),
        ],
        ingestor: Some("held"),
        records: &["jobs-manager", "pods-monitor"],
    },
    Generation {
        chart: "client",
        version: "1.9.40",
        first: &[("record", "-jobs-manager")],
        moved: &[
            ("set-image", "-jobs-manager"),
            ("record", "-jobs-manager"),
            ("set-image", "-requests-proxy"),
            ("record", "-jobs-manager"),
            ("set-image", "-resource-monitor"),
            ("record", "-jobs-manager"),
        ],
        ingestor: Some("held"),
        records: &["jobs-manager", "pods-monitor", "resource-monitor"],
    },
    Generation {
        chart: "client",
        version: "1.9.51",
        first: &[("record", "-jobs-manager")],
        moved: &[
            ("set-image", "-jobs-manager"),
            ("record", "-jobs-manager"),
            ("set-image", "-requests-proxy"),
            ("record", "-jobs-manager"),
            ("set-image", "-resource-monitor"),
            ("record", "-jobs-manager"),
        ],
        ingestor: Some("held"),
        records: &["jobs-manager", "pods-monitor", "resource-monitor"],
    },
];

impl Generation {
    /// A settled release of it, whose ingestor is at the first content.
    fn installed(&self, name: &str) -> Tenant<'static> {
        let tenant = tenant(name);
        let old = move_ingestor(&tenant, "one");
        let release = Install {
            chart: self.chart,
            ..quiet(name, self.version)
        };
        let release = match self.ingestor {
            Some("held") => release
                .set(format!("images.ingestor.prodDigest={old}"))
                .set("images.ingestor.channelTags.prod=0.3"),
            // As the chart's own default does.
            Some("pinned") => release.set(format!("images.ingestor.digest={old}")),
            Some(_) => release,
            // The roles of the oldest chart have one name for all releases of a cluster.
            None => release.set("clusterRole=false"),
        };
        install(&tenant, &release);
        if self.ingestor == Some("move") {
            // As the chart's own job left it.
            let workload = format!("deployment/{name}-jobs-manager");
            let set = format!("INGESTOR_IMAGE_DIGEST={old}");
            let set = tenant.kubectl(&["set", "env", &workload, "--containers", "api", &set]);
            set.unwrap().success().unwrap();
            tenant.wait_ready().unwrap();
        }
        tenant
    }

    /// Runs `refresh` until there is nothing left to do, and holds each run to what is expected.
    fn walk(&self) {
        let name = format!("gen-{}-{}", self.chart, self.version.replace('.', "-"));
        let tenant = self.installed(&name);
        // Charts of the ingestor's first age name the public registry; here the tenant's stands in for it.
        let through = format!("--registry-mirror=ghcr.io={}", tenant.registry_path());
        let run = || -> Output { refresh(&tenant, &[&through]) };
        let first = plan(&run(), 0);
        self.check(&name, self.first, &first);
        let digest = |repository: &str| {
            let moved = tenant.move_tag(
                &format!("tracebloc/{repository}"),
                "prod",
                &format!("{repository} two"),
            );
            (repository.to_owned(), moved.unwrap().digest)
        };
        let mut published: BTreeMap<String, String> = MOVED.into_iter().map(digest).collect();
        published.insert("ingestor".to_owned(), move_ingestor(&tenant, "two"));
        // Not followed: a database that restarts may come up as another one.
        let mysql = running(&tenant, "mysql-client");
        for tag in ["prod", "latest"] {
            let moved = tenant.move_tag("tracebloc/mysql-client", tag, "two");
            moved.unwrap();
        }

        let moved = plan(&run(), 0);
        self.check(&name, self.moved, &moved);
        for image in MOVED {
            assert_eq!(decision(&moved, image), "move", "{moved:#}");
        }
        if let Some(expected) = self.ingestor {
            assert_eq!(decision(&moved, "ingestor"), expected, "{moved:#}");
        }
        for (container, image) in [
            ("api", "jobs-manager"),
            ("pods-monitor-container", "pods-monitor"),
        ] {
            let running = running(&tenant, container);
            assert_eq!(running, [published[image].clone()], "{name}");
        }
        assert_eq!(running(&tenant, "mysql-client"), mysql, "{name}");
        let main = object(&tenant, "deployment", &format!("{name}-jobs-manager"));
        let sets_it = main["spec"].to_string().contains(&published["ingestor"]);
        assert_eq!(sets_it, self.ingestor == Some("move"), "{main:#}");
        let expected: BTreeMap<String, &str> = self
            .records
            .iter()
            .map(|image| {
                let key = format!("last-refreshed-{image}-digest");
                (key, published[*image].as_str())
            })
            .collect();
        assert_eq!(records(&main), expected, "{name}");
        assert_eq!(steps(&plan(&run(), 0)), [], "{name}");
    }

    fn check(&self, name: &str, expected: &[(&str, &str)], plan: &Value) {
        let expected: Vec<(&str, String)> = expected
            .iter()
            .map(|(action, object)| {
                let whole = object.starts_with('-').then(|| format!("{name}{object}"));
                (*action, whole.unwrap_or_else(|| (*object).to_owned()))
            })
            .collect();
        let told: Vec<(&str, String)> = steps(plan)
            .into_iter()
            .map(|(action, object, state)| {
                assert_eq!(state, "done", "{plan:#}");
                (action, object.to_owned())
            })
            .collect();
        assert_eq!(told, expected, "{} {}", self.chart, self.version);
    }
}

/// Moves the ingestor's tags; its digest.
fn move_ingestor(tenant: &Tenant<'_>, content: &str) -> String {
    let published = tenant.move_tag("tracebloc/ingestor", "0.3", &format!("ingestor {content}"));
    published.unwrap().digest
}

/// The annotations of ours and of the chart on a workload, but for our own note of the last change.
fn records(object: &Value) -> BTreeMap<String, &str> {
    let annotations = object["metadata"]["annotations"].as_object().unwrap();
    annotations
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix("tracebloc.io/")?, value)))
        .filter(|(key, _)| *key != "change")
        .map(|(key, value)| (key.to_owned(), value.as_str().unwrap()))
        .collect()
}

#[test]
fn each_generation_of_the_chart_is_refreshed_in_its_own_way() {
    let walks: Vec<_> = GENERATIONS
        .iter()
        .map(|generation| std::thread::spawn(|| generation.walk()))
        .collect();
    let failed = walks.into_iter().filter_map(|walk| walk.join().err());
    assert_eq!(failed.count(), 0, "their messages stand above");
}
