//! A server on the socket that says what a real one cannot be made to say on demand.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::http::SafeUrl;

/// Answers requests through a function from the head of a request to the whole text of an answer; an empty answer hangs up.
pub(crate) struct Server {
    /// Where it listens, on loopback.
    pub(crate) address: SocketAddr,
    /// The heads of the requests so far, in their order.
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts it; it ends with the test process.
    pub(crate) fn start(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&requests), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &log, answer.as_ref()));
            }
        });
        Self { address, requests }
    }

    /// A server with one answer after another.
    pub(crate) fn scripted(answers: &[&str]) -> Self {
        let answers: VecDeque<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        let answers = Mutex::new(answers);
        Self::start(move |_| {
            answers
                .lock()
                .expect("not poisoned")
                .pop_front()
                .unwrap_or_else(|| reply(500, "", ""))
        })
    }

    /// The request heads so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.requests.lock().expect("not poisoned").clone()
    }

    /// A URL of it.
    pub(crate) fn url(&self, path: &str) -> SafeUrl {
        SafeUrl::parse(&format!("http://{}{path}", self.address)).expect("a URL")
    }
}

fn serve(mut stream: TcpStream, log: &Mutex<Vec<String>>, answer: &dyn Fn(&str) -> String) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    log.lock().expect("not poisoned").push(head.clone());
    let text = answer(&head);
    // A client that stopped listening is what some tests are about.
    stream.write_all(text.as_bytes()).unwrap_or_default();
}

/// An answer with a length; `headers` are whole lines, each with its line end.
pub(crate) fn reply(status: u16, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}
