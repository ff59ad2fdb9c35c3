//! Kills at any instruction: `refresh` is killed before or after one of its requests to the API server, and the next run, which knows nothing of the
//! first, finds out from the cluster where it stood. Which request follows from a seed; a seed that fails is told and can be run again:
//! `TRACEBLOC_CHAOS_SEED=n`. `make chaos` kills as often as one likes (`TRACEBLOC_CHAOS_KILLS`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use serde_json::Value;
use tracebloc_bed::cluster::Output;
use tracebloc_bed::image::Image;
use tracebloc_bed::proxy::{Moment, Proxy};
use tracebloc_bed::{Helm, Install, Tenant};

use crate::outdated_faults::through;
use crate::refresh::{annotation, object, running};
use crate::support::{command, install, run, tenant};

/// How many kills there are in `make test`.
const KILLS: u64 = 10;

/// How many tenants are worked on at once: a run after a kill waits for a lease to end, and the machine has time.
const AT_ONCE: u64 = 5;

/// The image of the workload that rolls out beside others.
const MONITOR: &str = "tracebloc/resource-monitor";

/// What is refreshed.
#[derive(Debug, Clone, Copy)]
struct Scenario {
    name: &'static str,
    chart: &'static str,
    helm: Helm,
    /// How long a rollout may take: a daemon set goes through its nodes one after the other.
    timeout: &'static str,
    /// True if workloads roll out beside each other.
    at_once: bool,
}

/// The ways in which charts of different generations are refreshed.
const SCENARIOS: [Scenario; 4] = [
    Scenario {
        name: "restart",
        chart: "1.9.28",
        helm: Helm::Three,
        timeout: "5s",
        at_once: false,
    },
    Scenario {
        name: "set-image",
        chart: "1.9.40",
        helm: Helm::Four,
        timeout: "5s",
        at_once: false,
    },
    Scenario {
        name: "no-count",
        chart: "1.4.4",
        helm: Helm::Three,
        timeout: "5s",
        at_once: false,
    },
    Scenario {
        name: "at-once",
        chart: "1.9.40",
        helm: Helm::Four,
        timeout: "15s",
        at_once: true,
    },
];

/// Which of them each lane works on.
const LANES: [usize; 5] = [0, 1, 2, 0, 3];

/// A small generator of numbers that look like chance (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// A release that is refreshed and killed again and again.
struct Victim {
    scenario: Scenario,
    name: String,
    tenant: Tenant<'static>,
    proxy: Proxy,
    kubeconfig: std::path::PathBuf,
    /// How many requests a whole run takes, by whether what is published works.
    requests: BTreeMap<bool, usize>,
    /// The same of one that goes back.
    requests_back: usize,
}

impl Victim {
    fn new(name: &str, scenario: Scenario) -> Self {
        let tenant = tenant(name);
        install(
            &tenant,
            &Install::client(name, scenario.chart).by(scenario.helm),
        );
        let proxy = Proxy::before_api_server(tenant.bed().cluster()).unwrap();
        let kubeconfig = through(&tenant, &proxy);
        let mut victim = Self {
            scenario,
            name: name.to_owned(),
            tenant,
            proxy,
            kubeconfig,
            requests: BTreeMap::new(),
            requests_back: 0,
        };
        victim.settle("first sight", &[]);
        for works in [true, false] {
            victim.publish("measured", works);
            let taken = victim.measure(&mut victim.refresh(), works);
            victim.requests.insert(works, taken);
            if works {
                victim.requests_back = victim.measure(&mut victim.go_back(), true);
            }
        }
        victim
    }

    /// How many requests a run takes.
    fn measure(&self, run: &mut Command, works: bool) -> usize {
        self.proxy.log().clear();
        let output = Output::of(run).unwrap();
        assert_eq!(output.is_success(), works, "{output}");
        self.proxy.log().all().len()
    }

    /// The way back from the last refresh.
    fn go_back(&self) -> Command {
        let mut command = self.refresh();
        command.arg("--rollback");
        command
    }

    fn refresh(&self) -> Command {
        let namespace = self.tenant.namespace();
        let mut command = command(
            &self.tenant,
            &[
                "refresh",
                "--yes",
                "--context",
                "bed",
                "-o",
                "json",
                "--min-ready",
                "0",
                "--timeout",
                self.scenario.timeout,
                "-n",
                namespace,
            ],
        );
        if self.scenario.at_once {
            command.args(["--parallel", "3"]);
        }
        command.env("KUBECONFIG", &self.kubeconfig);
        command
    }

    /// Publishes new content of two images, one of which two workloads share; and of a third, that a workload beside the second of them runs, where
    /// they go at once.
    fn publish(&self, content: &str, works: bool) {
        let mut repositories = vec!["tracebloc/jobs-manager", "tracebloc/pods-monitor"];
        repositories.extend(self.scenario.at_once.then_some(MONITOR));
        for repository in repositories {
            let image = Image::new(format!("{repository} {content} {works}"));
            let image = if works {
                image
            } else {
                image.steering("ready", "false")
            };
            self.tenant.publish(repository, "prod", &image).unwrap();
        }
    }

    /// Lets a run end that nobody kills, until there is nothing more to do or the guard says that it was tried often enough.
    fn settle(&self, told: &str, more: &[&str]) {
        let mut outputs = Vec::new();
        let once = [
            "refresh",
            "--yes",
            "--context",
            "bed",
            "-o",
            "json",
            "--min-ready",
            "0",
            "--timeout",
            self.scenario.timeout,
        ];
        let once = [&once[..], more].concat();
        for _ in 0..4 {
            let output = run(&self.tenant, &once);
            let plan: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
            let is_idle = output.code == Some(0) && plan["steps"] == serde_json::json!([]);
            let is_guarded = output.code == Some(11) && plan["refusals"][0]["guard"] == "flapping";
            if is_idle || is_guarded {
                return;
            }
            outputs.push(output.to_string());
        }
        panic!("{told}: no end of it:\n{}", outputs.join("\n"));
    }

    /// Kills one run, has others finish it, and looks at what came of it.
    fn kill(&self, seed: u64) -> &'static str {
        let mut chance = Chance(seed);
        let works = chance.below(2) == 0;
        let number = usize::try_from(chance.below(self.requests[&works] as u64)).unwrap();
        let moment = if chance.below(2) == 0 {
            Moment::Before
        } else {
            Moment::After
        };
        let told = format!(
            "TRACEBLOC_CHAOS_SEED={seed}: {} {works} killed {moment:?} request {number} of {}",
            self.scenario.name, self.requests[&works]
        );
        let before = running(&self.tenant, "api");
        self.publish(&format!("seed {seed}"), works);
        let published = self.published("tracebloc/jobs-manager");
        self.run_and_kill(self.refresh(), number, moment);
        let asked: Vec<String> = self
            .proxy
            .log()
            .all()
            .iter()
            .map(|request| format!("{} {} {:?}", request.method, request.path, request.status))
            .collect();
        let last = asked.last().cloned().unwrap_or_default();
        let told = format!("{told} ({last})");
        self.settle(&told, &[]);
        self.look(&told, works, &before, &published);
        if !works {
            return "brought back";
        }
        if chance.below(3) > 0 {
            return "brought forward";
        }
        // What was brought forward is gone back from, and that is killed too.
        let number = usize::try_from(chance.below(self.requests_back as u64)).unwrap();
        let told = format!("{told}; its way back killed {moment:?} request {number}");
        self.run_and_kill(self.go_back(), number, moment);
        self.settle(&told, &["--rollback"]);
        self.look(&told, false, &before, &published);
        "gone back from"
    }

    fn published(&self, repository: &str) -> String {
        let repository = format!("{}/{repository}", self.tenant.namespace());
        let registry = self.tenant.bed().registry();
        registry.digest(&repository, "prod").unwrap().unwrap()
    }

    fn run_and_kill(&self, mut command: Command, number: usize, moment: Moment) {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.proxy.log().clear();
        let process = std::sync::Arc::new(Mutex::new(None::<Child>));
        let target = std::sync::Arc::clone(&process);
        self.proxy.halt_at(number, moment, move || {
            // The process is there: it sent the request.
            loop {
                if let Some(child) = target.lock().unwrap().as_mut() {
                    child.kill().unwrap();
                    return;
                }
            }
        });
        *process.lock().unwrap() = Some(command.spawn().unwrap());
        let began = Instant::now();
        loop {
            let ended = process
                .lock()
                .unwrap()
                .as_mut()
                .unwrap()
                .try_wait()
                .unwrap();
            if ended.is_some() {
                return;
            }
            assert!(began.elapsed().as_secs() < 120, "the run does not end");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// No workload is left between, and no record lies.
    fn look(&self, told: &str, works: bool, before: &[String], published: &str) {
        let deployment = format!("{}-jobs-manager", self.name);
        let wanted = if works {
            vec![published.to_owned()]
        } else {
            before.to_vec()
        };
        for container in ["api", "proxy"] {
            let runs = running(&self.tenant, container);
            // Earlier charts have no requests proxy of the same name; what there is runs the same.
            assert!(
                runs.is_empty() || runs == wanted,
                "{told}: {container} runs {runs:?}, not {wanted:?}"
            );
        }
        let api = running(&self.tenant, "api");
        let recorded = annotation(
            &self.tenant,
            &deployment,
            "last-refreshed-jobs-manager-digest",
        );
        assert_eq!(
            recorded.as_deref(),
            Some(api[0].as_str()),
            "{told}: the record"
        );
        let monitor = running(&self.tenant, "pods-monitor-container");
        let recorded = annotation(
            &self.tenant,
            &deployment,
            "last-refreshed-pods-monitor-digest",
        );
        assert_eq!(
            recorded.as_deref(),
            Some(monitor[0].as_str()),
            "{told}: the other record"
        );
        // Where all is well the chart's own job is told of no failure any more.
        let attempts = annotation(&self.tenant, &deployment, "refresh-attempt");
        assert!(!works || attempts.is_none(), "{told}: {attempts:?}");
        let job = object(
            &self.tenant,
            "cronjob",
            &format!("{}-image-refresh", self.name),
        );
        assert!(
            !is_ours(&job, "f:suspend"),
            "{told}: the job is not handed back"
        );
        let mut changed = vec![
            object(&self.tenant, "deployment", &deployment),
            object(
                &self.tenant,
                "deployment",
                &format!("{}-requests-proxy", self.name),
            ),
        ];
        if self.scenario.at_once {
            changed.push(self.monitor());
            let recorded = annotation(
                &self.tenant,
                &deployment,
                "last-refreshed-resource-monitor-digest",
            );
            let is_published = recorded == Some(self.published(MONITOR));
            assert!(is_published || !works, "{told}: the third record");
        }
        for live in changed {
            let name = live["metadata"]["name"].as_str().unwrap();
            let text = live["metadata"]["annotations"]["tracebloc.io/change"].as_str();
            if let Some(text) = text {
                let change: Value = serde_json::from_str(text).unwrap();
                let state = change["state"].as_str().unwrap();
                assert!(
                    ["done", "undone", "failed"].contains(&state),
                    "{told}: {name} is left {state}"
                );
            }
            let is_kept = is_ours(&live, "f:image");
            assert!(!is_kept, "{told}: {name} is not handed back");
        }
    }
}

/// True if that field of an object is ours.
fn is_ours(live: &Value, field: &str) -> bool {
    live["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|entry| entry["manager"] == "kubectl-tracebloc")
        .any(|entry| entry.to_string().contains(field))
}

impl Victim {
    /// The workload that rolls out beside another one.
    fn monitor(&self) -> Value {
        let path = format!(
            "/apis/apps/v1/namespaces/{}/daemonsets/{}-resource-monitor",
            self.tenant.agents_namespace(),
            self.name
        );
        self.tenant.bed().cluster().api().get(&path).unwrap()
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn a_killed_refresh_is_finished_or_undone_by_the_next() {
    let kills = number("TRACEBLOC_CHAOS_KILLS").unwrap_or(KILLS);
    let first = number("TRACEBLOC_CHAOS_SEED");
    let seeds: Vec<u64> = match first {
        Some(seed) => vec![seed],
        None => (1..=kills).collect(),
    };
    let began = Instant::now();
    let results: Mutex<BTreeMap<(&str, &str), u64>> = Mutex::default();
    std::thread::scope(|scope| {
        for (lane, scenario) in (0..AT_ONCE).zip(LANES) {
            let mine: Vec<u64> = seeds
                .iter()
                .copied()
                .filter(|seed| seed % AT_ONCE == lane)
                .collect();
            let results = &results;
            if mine.is_empty() {
                continue;
            }
            scope.spawn(move || {
                let victim = Victim::new(&format!("chaos-{lane}"), SCENARIOS[scenario]);
                for seed in mine {
                    let outcome = victim.kill(seed);
                    let key = (victim.scenario.name, outcome);
                    *results.lock().unwrap().entry(key).or_default() += 1;
                }
            });
        }
    });
    let mut text = format!("{} kills in {} s\n", seeds.len(), began.elapsed().as_secs());
    for ((scenario, outcome), count) in results.into_inner().unwrap() {
        let _infallible = writeln!(text, "{scenario}: {count} {outcome}");
    }
    eprintln!("{text}");
}
