//! `docs/comparison.md`: what we and each peer that can be run answer to the same cases, and what it takes them.

mod charts;
mod images;
mod peers;
mod table;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tracebloc_bed::proxy::Proxy;

use crate::ground::{Ground, Way};
use crate::run::{Figures, measure};
use table::Answer;

/// What it took a tool to answer all cases.
struct Cost {
    tool: String,
    did: String,
    api: usize,
    registry: usize,
    charts: usize,
    figures: Figures,
}

/// The ways to everything that is asked, each with its log.
struct Ways {
    api: Proxy,
    registry: Proxy,
    to_api: Way,
}

impl Ways {
    fn open(ground: &Ground) -> Self {
        let bed = ground.bed();
        let api = Proxy::before_api_server_over_tls(bed.cluster()).unwrap();
        let to_api = Way::to(bed, &api.url(), Duration::ZERO);
        let registry = Proxy::before(&format!("http://{}", bed.registry().host())).unwrap();
        Self {
            api,
            registry,
            to_api,
        }
    }

    fn forget(&self, ground: &Ground) {
        self.api.log().clear();
        self.registry.log().clear();
        ground.tenant.repository().log().clear();
    }

    /// What was asked since [`Ways::forget`], by these runs of a tool.
    fn cost(&self, ground: &Ground, tool: &str, did: &str, runs: &[Figures]) -> Cost {
        let figures = Figures {
            wall: runs.iter().map(|run| run.wall).sum(),
            cpu: runs.iter().map(|run| run.cpu).sum(),
            peak_kib: runs.iter().map(|run| run.peak_kib).max().unwrap_or(0),
            bytes: 0,
        };
        Cost {
            tool: tool.to_owned(),
            did: did.to_owned(),
            api: self.api.log().all().len(),
            registry: self.registry.log().all().len(),
            charts: ground.tenant.repository().log().all().len(),
            figures,
        }
    }

    /// What a command prints. It goes the counted way to the API server, and may fail: that is an answer too.
    fn output(&self, command: &mut Command) -> Result<String, String> {
        command.env("KUBECONFIG", &self.to_api.kubeconfig);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }

    fn measure(&self, mut command: Command) -> Figures {
        command.env("KUBECONFIG", &self.to_api.kubeconfig);
        measure(command)
    }
}

pub(crate) fn run(ground: &Ground) {
    let ways = Ways::open(ground);
    let peers = peers::find(ground);
    let images = images::compare(ground, &ways, &peers);
    let charts = charts::compare(ground, &ways);
    let page = table::page(ground, &peers, &images, &charts);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/comparison.md");
    fs::write(&path, &page).unwrap();
    println!("{page}\nwritten to {}", path.display());
}

/// The answers to one kind of cases, by tool, and what they took.
struct Compared {
    /// Case, what it is, and what is true.
    cases: Vec<(&'static str, &'static str)>,
    tools: Vec<String>,
    /// By case, then by tool.
    answers: Vec<Vec<Answer>>,
    costs: Vec<Cost>,
}
