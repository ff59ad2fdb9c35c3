//! One release, beside the smallest thing that kubectl can ask.

use crate::ground::Ground;
use crate::run::alternate;
use crate::show::{Goal, goal, heading, ratio, show, to_f64};

pub(crate) fn run(ground: &Ground) {
    heading("one release, all on loopback (medians of 15)");
    let way = ground.way();
    let version = ["get", "--raw", "/version"];
    let outdated = ["outdated", "-n", ground.tenant.namespace()];
    let [peer, ours] = alternate(
        15,
        [
            &|| way.measure(ground.command(ground.kubectl(), &version)),
            &|| way.measure(ground.ours(&outdated)),
        ],
    );
    show("kubectl get --raw /version", peer);
    show("kubectl-tracebloc outdated", ours);
    goal(
        "wall, ours to kubectl's",
        ratio(ours.wall, peer.wall),
        Goal::AtMost(2.0),
    );
    goal(
        "peak memory in MiB",
        to_f64(ours.peak_kib) / 1024.0,
        Goal::AtMost(30.0),
    );
}
