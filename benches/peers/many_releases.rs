//! Fifty releases with ten revisions each, beside `helm list -A`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tracebloc_bed::Helm;

use crate::ground::{Ground, RELEASE, Way};
use crate::records;
use crate::run::{Figures, middle};
use crate::show::{Goal, goal, heading, ratio, show, to_f64};

/// Releases and revisions.
const RELEASES: u32 = 50;
const REVISIONS: u32 = 10;

/// What one record weighs in its Secret, in base64 characters: as much as the published chart 1.9.47 (measured).
const RECORD: usize = 480_000;

/// How many times faster than `helm list -A` we want to be on loopback.
const TIMES_FASTER: f64 = 40.0;

/// How long each direction to a far server takes.
const FAR: Duration = Duration::from_millis(15);

pub(crate) fn run(ground: &Ground) {
    println!("\nwriting {} records …", RELEASES * REVISIONS);
    fill(ground);
    heading(&format!(
        "{RELEASES} releases x {REVISIONS} revisions of about {} KB, all on loopback (medians of 3; ours of 9)",
        RECORD / 1000
    ));
    beside_helm(ground, ground.way(), TIMES_FASTER);
    heading(&format!(
        "the same, {} ms away: the server is asked to compress (bytes and memory have the goals, time is for information)",
        2 * FAR.as_millis()
    ));
    beside_helm(ground, &Way::new(ground.bed(), FAR), 1.0);
    clear(ground);
}

fn beside_helm(ground: &Ground, way: &Way, times_faster: f64) {
    let ours = |arguments: &[&str]| {
        let runs: Vec<Figures> = (0..9)
            .map(|_| way.measure(ground.ours(arguments)))
            .collect();
        middle(&runs)
    };
    let chart = ours(&["outdated", "-A", "--only", "chart"]);
    let all = ours(&["outdated", "-A"]);
    show("outdated -A --only chart", chart);
    show("outdated -A", all);
    for helm in Helm::ALL {
        let runs: Vec<Figures> = (0..3)
            .map(|_| way.measure(ground.command(ground.helm(helm), &["list", "-A"])))
            .collect();
        let peer = middle(&runs);
        show(&format!("helm list -A, Helm {helm:?}"), peer);
        for (name, figures) in [("--only chart", chart), ("whole", all)] {
            goal(
                &format!("{name}: times faster"),
                ratio(peer.wall, figures.wall),
                Goal::AtLeast(times_faster),
            );
            goal(
                &format!("{name}: times fewer bytes"),
                to_f64(peer.bytes) / to_f64(figures.bytes),
                Goal::AtLeast(8.0),
            );
            goal(
                &format!("{name}: times less memory"),
                to_f64(peer.peak_kib) / to_f64(figures.peak_kib),
                Goal::AtLeast(15.0),
            );
        }
    }
}

fn name(release: u32) -> String {
    format!("{RELEASE}-{release:02}")
}

/// Writes the records of many releases, made from a real one: what Helm decodes is a whole release each.
fn fill(ground: &Ground) {
    let api = ground.bed().cluster().api();
    let (packed, mut record) = records::read(api, ground.tenant.namespace(), RELEASE);
    // Base64 twice makes 16/9 of a byte; the padding is noise, which gzip brings back to about its own length from the base64 it stands in.
    let missing = (RECORD * 9 / 16).saturating_sub(packed);
    record["chart"]["files"] =
        json!([{"name": "padding", "data": STANDARD.encode(noise(missing))}]);
    for release in 0..RELEASES {
        let name = name(release);
        records::rename(&mut record, &name);
        api.create(
            "/api/v1/namespaces",
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
        )
        .unwrap();
        for revision in 1..=REVISIONS {
            record["version"] = json!(revision);
            record["info"]["status"] = json!(if revision == REVISIONS {
                "deployed"
            } else {
                "superseded"
            });
            let path = format!("/api/v1/namespaces/{name}/secrets");
            api.create(&path, &records::secret(&record)).unwrap();
        }
    }
}

/// Takes the records away again, for the figures that come after.
fn clear(ground: &Ground) {
    for release in 0..RELEASES {
        let path = format!("/api/v1/namespaces/{}/secrets", name(release));
        ground.bed().cluster().api().delete(&path).unwrap();
    }
}

/// Bytes without a pattern, the same in every run (xorshift).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    })
    .take(length)
    .collect()
}
