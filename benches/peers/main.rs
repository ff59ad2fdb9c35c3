//! Us and the peers, side by side in one run on the test bed: wall time, peak memory and bytes from the API server, and the ratios to the goals.
//!
//! `make bench`. Nothing here fails a build: figures are printed, also those where we lose.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot go on ends, and its result is what it prints"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tracebloc_bed::tools::Tool;
use tracebloc_bed::{Bed, Helm, Install, Tenant};

/// The product, as cargo built it for benchmarks.
const PLUGIN: &str = env!("CARGO_BIN_EXE_kubectl-tracebloc");

/// Releases and revisions of the large fixture.
const RELEASES: u32 = 50;
const REVISIONS: u32 = 10;

/// What one record weighs in its Secret, in base64 characters: as much as the published chart 1.9.47 (measured).
const RECORD: usize = 480_000;

/// How many times faster than `helm list -A` we want to be on loopback.
const TIMES_FASTER: f64 = 40.0;

/// How long each direction to a far server takes.
const FAR: Duration = Duration::from_millis(15);

/// What one run took.
#[derive(Clone, Copy)]
struct Figures {
    wall: Duration,
    peak_kib: u64,
    bytes: u64,
}

fn main() {
    let bed = Bed::private().unwrap();
    let tenant = bed.tenant("bench").unwrap();
    tenant.publish_all("prod", "one").unwrap();
    tenant
        .install(&Install::client("bench", "1.9.28"))
        .unwrap()
        .success()
        .unwrap();
    tenant.wait_ready().unwrap();
    let meter = Meter::before(bed.cluster().server(), Duration::ZERO);
    let kubeconfig = meter.kubeconfig(&bed);
    println!(
        "\nprogram measured: {PLUGIN} ({} KiB)",
        fs::metadata(PLUGIN).unwrap().len() / 1024
    );
    one_release(&bed, &tenant, &meter, &kubeconfig);
    println!("\nwriting {} records …", RELEASES * REVISIONS);
    fill(&bed, &tenant);
    println!(
        "\n## {RELEASES} releases x {REVISIONS} revisions of about {} KB, all on loopback (medians of 3; ours of 9)",
        RECORD / 1000
    );
    many_releases(&bed, &meter, &kubeconfig, TIMES_FASTER);
    let meter = Meter::before(bed.cluster().server(), FAR);
    let kubeconfig = meter.kubeconfig(&bed);
    println!(
        "\n## the same, {} ms away: the server is asked to compress (bytes and memory have the goals, time is for information)",
        2 * FAR.as_millis()
    );
    many_releases(&bed, &meter, &kubeconfig, 1.0);
}

fn one_release(bed: &Bed, tenant: &Tenant<'_>, meter: &Meter, kubeconfig: &Path) {
    println!("\n## one release, all on loopback (medians of 15)");
    let kubectl = bed.cluster().tools().path(Tool::Kubectl);
    let namespace = tenant.namespace();
    let [peer, ours] = alternate(
        15,
        [
            &|| {
                measure(
                    bed,
                    meter,
                    kubeconfig,
                    kubectl,
                    &["get", "--raw", "/version"],
                )
            },
            &|| {
                measure(
                    bed,
                    meter,
                    kubeconfig,
                    Path::new(PLUGIN),
                    &["outdated", "-n", namespace],
                )
            },
        ],
    );
    show("kubectl get --raw /version", peer);
    show("kubectl-tracebloc outdated", ours);
    goal(
        "wall, ours to kubectl's",
        ratio(ours.wall, peer.wall),
        2.0,
        false,
    );
    goal(
        "peak memory in MiB",
        to_f64(ours.peak_kib) / 1024.0,
        30.0,
        false,
    );
}

fn many_releases(bed: &Bed, meter: &Meter, kubeconfig: &Path, times_faster: f64) {
    let ours = |arguments: &'static [&'static str]| {
        median(
            (0..9)
                .map(|_| measure(bed, meter, kubeconfig, Path::new(PLUGIN), arguments))
                .collect(),
        )
    };
    let chart = ours(&["outdated", "-A", "--only", "chart"]);
    let all = ours(&["outdated", "-A"]);
    show("outdated -A --only chart", chart);
    show("outdated -A", all);
    for helm in Helm::ALL {
        let program = bed.cluster().tools().path(helm.tool());
        let peer = median(
            (0..3)
                .map(|_| measure(bed, meter, kubeconfig, program, &["list", "-A"]))
                .collect(),
        );
        show(&format!("helm list -A, Helm {helm:?}"), peer);
        for (name, figures) in [("--only chart", chart), ("whole", all)] {
            goal(
                &format!("{name}: times faster"),
                ratio(peer.wall, figures.wall),
                times_faster,
                true,
            );
            goal(
                &format!("{name}: times fewer bytes"),
                to_f64(peer.bytes) / to_f64(figures.bytes),
                8.0,
                true,
            );
            goal(
                &format!("{name}: times less memory"),
                to_f64(peer.peak_kib) / to_f64(figures.peak_kib),
                15.0,
                true,
            );
        }
    }
}

fn show(name: &str, figures: Figures) {
    println!(
        "{name:32} {:>9.1} ms  {:>8.1} MiB  {:>10.1} KiB from the API server",
        figures.wall.as_secs_f64() * 1000.0,
        to_f64(figures.peak_kib) / 1024.0,
        to_f64(figures.bytes) / 1024.0
    );
}

fn goal(name: &str, value: f64, goal: f64, at_least: bool) {
    let met = if at_least {
        value >= goal
    } else {
        value <= goal
    };
    let (word, verdict) = (
        if at_least { "at least" } else { "at most" },
        if met { "met" } else { "MISSED" },
    );
    println!("  {name:34} {value:>7.2}   goal {word} {goal}: {verdict}");
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn to_f64(number: u64) -> f64 {
    number as f64
}

/// Runs both in turns, so that what else the machine does hits both.
fn alternate(runs: usize, candidates: [&dyn Fn() -> Figures; 2]) -> [Figures; 2] {
    let mut figures = [Vec::new(), Vec::new()];
    for _ in 0..runs {
        for (figures, candidate) in figures.iter_mut().zip(candidates) {
            figures.push(candidate());
        }
    }
    figures.map(median)
}

fn median(mut figures: Vec<Figures>) -> Figures {
    figures.sort_by_key(|figures| figures.wall);
    let middle = figures[figures.len() / 2];
    Figures {
        peak_kib: figures
            .iter()
            .map(|figures| figures.peak_kib)
            .max()
            .unwrap(),
        ..middle
    }
}

/// Runs a program to its end. Its peak memory is the kernel's own high-water mark, read while it runs.
fn measure(
    bed: &Bed,
    meter: &Meter,
    kubeconfig: &Path,
    program: &Path,
    arguments: &[&str],
) -> Figures {
    let before = meter.bytes();
    let mut command: Command = bed.cluster().command(program, "bench");
    command
        .env("KUBECONFIG", kubeconfig)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let started = Instant::now();
    let mut child = command.spawn().unwrap();
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        let text = fs::read_to_string(&status_file).unwrap_or_default();
        let mark = text.lines().find_map(|line| {
            line.strip_prefix("VmHWM:")?
                .trim()
                .strip_suffix(" kB")?
                .trim()
                .parse()
                .ok()
        });
        peak_kib = peak_kib.max(mark.unwrap_or(0));
        std::thread::sleep(Duration::from_micros(500));
    };
    let wall = started.elapsed();
    assert!(
        status.success(),
        "{} {arguments:?}: {status}",
        program.display()
    );
    Figures {
        wall,
        peak_kib,
        bytes: meter.bytes() - before,
    }
}

/// Writes the records of many releases, made from a real one: what Helm decodes is a whole release each.
fn fill(bed: &Bed, tenant: &Tenant<'_>) {
    let api = bed.cluster().api();
    let path = format!(
        "/api/v1/namespaces/{}/secrets/sh.helm.release.v1.bench.v1",
        tenant.namespace()
    );
    let secret = api.get(&path).unwrap();
    let packed = STANDARD
        .decode(secret["data"]["release"].as_str().unwrap())
        .unwrap();
    let packed = STANDARD.decode(packed).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_end(&mut bytes)
        .unwrap();
    let mut record: Value = serde_json::from_slice(&bytes).unwrap();
    // Base64 twice makes 16/9 of a byte; the padding is noise, which gzip brings back to about its own length from the base64 it stands in.
    let missing = (RECORD * 9 / 16).saturating_sub(packed.len());
    record["chart"]["files"] =
        json!([{"name": "padding", "data": STANDARD.encode(noise(missing))}]);
    for release in 0..RELEASES {
        let name = format!("bench-{release:02}");
        api.create(
            "/api/v1/namespaces",
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
        )
        .unwrap();
        for revision in 1..=REVISIONS {
            let status = if revision == REVISIONS {
                "deployed"
            } else {
                "superseded"
            };
            record["name"] = json!(name);
            record["namespace"] = json!(name);
            record["version"] = json!(revision);
            record["info"]["status"] = json!(status);
            record["manifest"] = json!(
                record["manifest"]
                    .as_str()
                    .unwrap()
                    .replace("bench-jobs-manager", &format!("{name}-jobs-manager"))
            );
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(record.to_string().as_bytes()).unwrap();
            let data = STANDARD.encode(STANDARD.encode(encoder.finish().unwrap()));
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
                "metadata": {
                    "name": format!("sh.helm.release.v1.{name}.v{revision}"),
                    "labels": {"owner": "helm", "name": name, "version": revision.to_string(), "status": status},
                },
                "data": {"release": data},
            });
            api.create(&format!("/api/v1/namespaces/{name}/secrets"), &secret)
                .unwrap();
        }
        record["manifest"] = json!(
            record["manifest"]
                .as_str()
                .unwrap()
                .replace(&format!("{name}-jobs-manager"), "bench-jobs-manager")
        );
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

/// A pipe in front of the API server that counts what comes back; TLS goes through it untouched.
struct Meter {
    port: u16,
    counted: Arc<AtomicU64>,
}

impl Meter {
    /// Whatever goes through takes `delay` longer in each direction; bandwidth is not limited.
    fn before(server: &str, delay: Duration) -> Self {
        let upstream = server.trim_start_matches("https://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let counted = Arc::new(AtomicU64::new(0));
        let total = Arc::clone(&counted);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(&upstream).unwrap();
                for stream in [&client, &server] {
                    stream.set_nodelay(true).unwrap();
                }
                let (client_again, server_again) =
                    (client.try_clone().unwrap(), server.try_clone().unwrap());
                let sum = Arc::clone(&total);
                std::thread::spawn(move || pump(client, server, delay, None));
                std::thread::spawn(move || pump(server_again, client_again, delay, Some(&sum)));
            }
        });
        Self { port, counted }
    }

    fn bytes(&self) -> u64 {
        self.counted.load(Ordering::SeqCst)
    }

    fn kubeconfig(&self, bed: &Bed) -> PathBuf {
        let kubeconfig = bed
            .cluster()
            .admin()
            .at(&format!("https://127.0.0.1:{}", self.port));
        bed.cluster()
            .write_kubeconfig("metered", &kubeconfig)
            .unwrap()
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, delay: Duration, counter: Option<&AtomicU64>) {
    let count = |length: usize| {
        if let Some(counter) = counter {
            counter.fetch_add(length as u64, Ordering::SeqCst);
        }
    };
    let mut buffer = vec![0; 256 * 1024];
    if delay.is_zero() {
        // A thread more on the way would be measured too.
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            count(length);
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _gone = to.shutdown(Shutdown::Write);
        return;
    }
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    let writer = move || {
        for (due, bytes) in receiver {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        // The other side may have gone already.
        let _gone = to.shutdown(Shutdown::Write);
    };
    std::thread::spawn(writer);
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        count(length);
        if sender
            .send((Instant::now() + delay, buffer[..length].to_vec()))
            .is_err()
        {
            break;
        }
    }
}
