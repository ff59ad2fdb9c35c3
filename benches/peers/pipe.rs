//! A pipe in front of a server that counts what comes back, and may take longer; TLS goes through it untouched.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// A running pipe. It lasts as long as the process.
pub(crate) struct Pipe {
    port: u16,
    counted: Arc<AtomicU64>,
}

impl Pipe {
    /// Whatever goes through takes `delay` longer in each direction; bandwidth is not limited, and a connection is there at once.
    pub(crate) fn before(server: &str, delay: Duration) -> Self {
        let upstream = server
            .trim_start_matches("https://")
            .trim_start_matches("http://")
            .to_owned();
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

    /// What came back so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.counted.load(Ordering::SeqCst)
    }

    /// `127.0.0.1:port`.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
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
