//! A web server on this machine, for the tests of everything that downloads.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What a test's server does with one request: path and first byte wanted, to be answered on the stream.
type Answer = Box<dyn FnMut(&str, u64, &mut TcpStream) + Send>;

/// A server that runs for as long as the test does.
pub(crate) struct Server {
    pub(crate) url: String,
    /// Path and start of each request, in order.
    pub(crate) requests: Arc<Mutex<Vec<(String, u64)>>>,
}

impl Server {
    pub(crate) fn new(mut answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (mut path, mut start) = (String::new(), 0);
                for line in BufReader::new(&stream).lines() {
                    let Ok(line) = line else { break };
                    if line.is_empty() {
                        break;
                    }
                    let lower = line.to_lowercase();
                    if let Some(range) = lower.strip_prefix("range: bytes=") {
                        start = range.trim_end_matches('-').parse().unwrap();
                    } else if let Some(rest) = ["GET ", "HEAD "]
                        .iter()
                        .find_map(|verb| line.strip_prefix(verb))
                    {
                        path = rest.split(' ').next().unwrap().to_owned();
                    }
                }
                seen.lock().unwrap().push((path.clone(), start));
                answer(&path, start, &mut stream);
            }
        });
        Self { url, requests }
    }

    /// A server that has these files, and serves them well.
    pub(crate) fn of(files: BTreeMap<String, Vec<u8>>) -> Self {
        Self::new(Box::new(move |path, start, stream| match files.get(path) {
            Some(body) => serve(stream, body, start, usize::MAX),
            None => status(stream, 404),
        }))
    }

    pub(crate) fn request_count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

/// Sends a body from `start`, but cuts the connection after `at_most` bytes.
pub(crate) fn serve(stream: &mut TcpStream, body: &[u8], start: u64, at_most: usize) {
    let total = body.len();
    let rest = &body[usize::try_from(start).unwrap().min(total)..];
    let mut head = if start == 0 {
        "HTTP/1.1 200 OK\r\n".to_owned()
    } else {
        format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{}/{total}\r\n",
            total.max(1) - 1
        )
    };
    head.extend([
        "Content-Length: ",
        &rest.len().to_string(),
        "\r\nConnection: close\r\n\r\n",
    ]);
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&rest[..rest.len().min(at_most)]);
}

/// Answers with a status and nothing else.
pub(crate) fn status(stream: &mut TcpStream, code: u16) {
    let _ = stream.write_all(
        format!("HTTP/1.1 {code} Whatever\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .as_bytes(),
    );
}
