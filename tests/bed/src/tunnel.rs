//! An HTTP proxy that tunnels (`CONNECT`), as stands between many workstations and their clusters.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// One request to a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnelled {
    /// Where to, as `host:port`.
    pub target: String,
    /// Whether the client sent credentials for the proxy.
    pub with_credentials: bool,
}

/// A running proxy. Its thread waits for connections as long as the process lives.
#[derive(Debug)]
pub struct Tunnel {
    address: SocketAddr,
    log: Arc<Mutex<Vec<Tunnelled>>>,
}

impl Tunnel {
    /// Serves on loopback. Only the named targets are reached, each at the address that stands for it: names need not exist elsewhere.
    pub fn start(targets: BTreeMap<String, String>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let log: Arc<Mutex<Vec<Tunnelled>>> = Arc::default();
        let (shared_log, targets) = (Arc::clone(&log), Arc::new(targets));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (log, targets) = (Arc::clone(&shared_log), Arc::clone(&targets));
                // A client that breaks off has nobody left to tell.
                std::thread::spawn(move || {
                    let _broken = serve(client, &targets, &log);
                });
            }
        });
        Ok(Self { address, log })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// What was asked for so far.
    pub fn log(&self) -> Vec<Tunnelled> {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn serve(
    client: TcpStream,
    targets: &BTreeMap<String, String>,
    log: &Mutex<Vec<Tunnelled>>,
) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut client = client;
    let request = lines.first().map_or("", String::as_str);
    let target = request
        .strip_prefix("CONNECT ")
        .and_then(|rest| rest.split(' ').next())
        .unwrap_or_default()
        .to_owned();
    let with_credentials = lines.iter().any(|line| {
        line.to_ascii_lowercase()
            .starts_with("proxy-authorization:")
    });
    log.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(Tunnelled {
            target: target.clone(),
            with_credentials,
        });
    let Some(address) = targets.get(&target) else {
        return client.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    };
    let mut server = TcpStream::connect(address)?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let mut back = (server.try_clone()?, client.try_clone()?);
    std::thread::spawn(move || {
        let _broken = io::copy(&mut back.0, &mut back.1);
        let _gone = back.1.shutdown(Shutdown::Write);
    });
    io::copy(&mut reader, &mut server)?;
    server.shutdown(Shutdown::Write)
}
