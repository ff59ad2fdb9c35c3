//! One release with 50 ms on every hop: how deep the chain of questions to the API server is.

use std::time::Duration;

use tracebloc_bed::Install;
use tracebloc_bed::proxy::Proxy;
use tracebloc_bed::request_log::LoggedRequest;

use crate::ground::{Ground, Way};
use crate::pipe::Pipe;
use crate::run::{Figures, middle};
use crate::show::{Goal, count, goal, heading, note, show};

/// How long each direction takes, on every hop.
const DELAY: Duration = Duration::from_millis(25);

/// Timers and scheduling may take so much off a round trip, as a server sees it.
const SLACK: Duration = Duration::from_millis(5);

const RUNS: usize = 7;

pub(crate) fn run(ground: &Ground) {
    heading(&format!(
        "one release, {} ms on every hop (medians of {RUNS})",
        2 * DELAY.as_millis()
    ));
    let bed = ground.bed();
    let registry = Pipe::before(bed.registry().host(), DELAY);
    let tenant = bed.tenant("far").unwrap();
    tenant.publish_all("prod", "one").unwrap();
    let mirror = format!(
        "global.imageRegistry={}/{}",
        registry.host(),
        tenant.namespace()
    );
    let install = Install::client("far", "1.9.28").set(mirror);
    tenant.install(&install).unwrap().success().unwrap();
    tenant.wait_ready().unwrap();
    let charts = Pipe::before(&tenant.repository().url(), DELAY);
    let charts = format!("http://{}", charts.host());
    // Counted by a proxy; timed without it, because it knows no HTTP/2 and so takes a handshake for each question at once.
    let api = Proxy::before_api_server_over_tls(bed.cluster()).unwrap();
    let counted = Way::to(bed, &api.url(), DELAY);
    let way = Way::new(bed, DELAY);

    let question = [
        "outdated",
        "--no-cache",
        "--repo",
        &charts,
        "-n",
        tenant.namespace(),
    ];
    let mut depth = 0;
    let runs: Vec<Figures> = (0..RUNS)
        .map(|_| {
            api.log().clear();
            let _counted = counted.measure(ground.ours(&question));
            depth = depth.max(chain(&api.log().all()));
            way.measure(ground.ours(&question))
        })
        .collect();
    let records = format!("/api/v1/namespaces/{}/secrets", tenant.namespace());
    bed.cluster().api().delete(&records).unwrap();
    let ours = middle(&runs);
    show("kubectl-tracebloc outdated", ours);
    note(&format!(
        "{} requests to the API server",
        api.log().all().len()
    ));
    goal(
        "sequential round trips to the API server",
        count(depth),
        Goal::AtMost(4.0),
    );
    let hops = ours.wall.as_secs_f64() / (2 * DELAY).as_secs_f64();
    note(&format!(
        "the whole run takes {hops:.1} round trips, of which TLS takes 1, and what the processors do {:.1}",
        ours.cpu.as_secs_f64() / (2 * DELAY).as_secs_f64()
    ));
}

/// The longest chain of requests each of which came a whole round trip after the answer to the one before it: it may have waited for that.
fn chain(asked: &[LoggedRequest]) -> usize {
    let mut depths: Vec<(Duration, usize)> = Vec::new();
    // They stand in the order in which they came.
    for request in asked {
        let waited_for = depths
            .iter()
            .filter(|(answered, _)| *answered + 2 * DELAY <= request.received + SLACK)
            .map(|(_, depth)| *depth)
            .max();
        let answered = request.received + request.took.unwrap_or_default();
        depths.push((answered, waited_for.unwrap_or(0) + 1));
    }
    depths
        .into_iter()
        .map(|(_, depth)| depth)
        .max()
        .unwrap_or(0)
}
