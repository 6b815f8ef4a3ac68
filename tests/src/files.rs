//! A server of files on the loopback interface, as a mirror has them; and one that never answers.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A server. It ends with the test's process.
#[derive(Debug)]
pub struct FileServer {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl FileServer {
    /// Serves this folder.
    pub fn start(folder: &Path) -> Self {
        Self::begin(Some(folder.to_owned()))
    }

    /// Takes questions and answers none.
    pub fn silent() -> Self {
        Self::begin(None)
    }

    fn begin(folder: Option<PathBuf>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("a port"));
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming().flatten() {
                match folder.clone() {
                    Some(folder) => {
                        let seen = Arc::clone(&seen);
                        std::thread::spawn(move || answer(&stream, &folder, &seen));
                    }
                    None => kept.push(stream),
                }
            }
        });
        Self { address, asked }
    }

    /// The address of a folder or file in it.
    pub fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.address)
    }

    /// What was asked for, as `GET /path`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Answers one question. Whoever asks may hang up.
fn answer(stream: &TcpStream, folder: &Path, asked: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() {
        return;
    }
    let mut words = line.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return };
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{method} {path}"));
    let mut header = String::new();
    while reader.read_line(&mut header).is_ok_and(|count| count > 2) {
        header.clear();
    }
    let found = fs::read(folder.join(path.trim_start_matches('/')));
    let (status, body) = found.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
    let mut stream = stream;
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes());
    if method == "GET" {
        let _ = stream.write_all(&body);
    }
}
