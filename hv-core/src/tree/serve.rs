//! A folder with an install tree, served to the one guest that installs from it: over HTTP, on the loopback interface,
//! which the guest reaches through its network in user mode, beneath a secret that its kernel is told.
//!
//! Only files are given, and only those within the folder; nothing is listed. It ends with the value.

use super::{Place, beneath, fill};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Empty, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue, RANGE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use percent_encoding::percent_decode_str;
use std::convert::Infallible;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, spawn_local};
use tracing::{Instrument, debug, info};

/// Where the host is to a guest with a network in user mode.
pub const HOST: &str = "10.0.2.2";

/// How many connections a guest may have at once.
const CONNECTIONS: usize = 32;

/// How long a question may take to come.
const QUESTION_DEADLINE: Duration = Duration::from_secs(30);

/// How much of a file is read at once.
const PIECE: usize = 128 << 10;

type Body = BoxBody<Bytes, io::Error>;

/// A folder that is being served.
#[derive(Debug)]
pub struct Serving {
    /// The port on the loopback interface.
    pub port: u16,
    secret: String,
    /// The tree within what is served, with a slash at its end where it is not all.
    within: String,
    task: AbortHandle,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Serving {
    /// Begins to serve the tree in a folder, with the mirror that it is a part of: at one of these ports, the first that is
    /// free.
    ///
    /// # Errors
    /// Where none can be listened at.
    pub async fn begin(folder: &Path, secret: &str, ports: &[u16]) -> io::Result<Self> {
        let mirror = Place::Folder(folder.to_owned()).mirror();
        let (root, within) = match mirror {
            Some((Place::Folder(root), within)) => (root, format!("{within}/")),
            _ => (folder.to_owned(), String::new()),
        };
        let mut listener = Err(io::ErrorKind::AddrInUse.into());
        for port in ports {
            listener = TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).await;
            if listener.is_ok() {
                break;
            }
        }
        let listener = listener?;
        let port = listener.local_addr()?.port();
        info!(port, folder = %root.display(), "serving its install tree");
        let shared = Rc::new(Shared { root: Arc::new(root), secret: secret.to_owned() });
        let task = spawn_local(serve(listener, shared).in_current_span()).abort_handle();
        Ok(Self { port, secret: secret.to_owned(), within, task })
    }

    /// Fills in what was left open in the words for a kernel.
    pub fn fill(&self, append: &str) -> String {
        let host = format!("{HOST}:{}", self.port);
        let mirror = format!("/{}/", self.secret);
        fill(append, &format!("http://{host}{mirror}{}", self.within), &host, &mirror)
    }
}

struct Shared {
    root: Arc<PathBuf>,
    secret: String,
}

async fn serve(listener: TcpListener, shared: Rc<Shared>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    // All connections end with this task.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                debug!(%error, "a guest's connection is lost");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let shared = Rc::clone(&shared);
        connections.spawn_local(async move {
            let answer = service_fn(|request| {
                let shared = Rc::clone(&shared);
                async move { Ok::<_, Infallible>(answer(&shared, request).await) }
            });
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(QUESTION_DEADLINE).max_buf_size(16 << 10);
            if let Err(error) = server.serve_connection(TokioIo::new(stream), answer).await {
                debug!(%error, "a guest broke a connection off");
            }
            drop(place);
        });
    }
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Response<Body> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return nothing(StatusCode::METHOD_NOT_ALLOWED);
    }
    let path = request.uri().path();
    let path = path.strip_prefix('/').and_then(|path| path.strip_prefix(&shared.secret)?.strip_prefix('/'));
    let Some(path) = path else { return nothing(StatusCode::NOT_FOUND) };
    let decoded: Vec<u8> = percent_decode_str(path.trim_start_matches('/')).collect();
    let root = Arc::clone(&shared.root);
    let open = move || {
        let file = beneath(&root, Path::new(OsStr::from_bytes(&decoded)))?;
        let length = file.metadata()?.len();
        Ok::<_, io::Error>((file, length))
    };
    let opened = tokio::task::spawn_blocking(open).await;
    let Ok(Ok((file, length))) = opened else { return nothing(StatusCode::NOT_FOUND) };
    let asked = request.headers().get(RANGE).and_then(|range| range.to_str().ok());
    let (status, start, end) = match asked.map_or(Part::All, |range| part(range, length)) {
        Part::All => (StatusCode::OK, 0, length),
        Part::Some(start, end) => (StatusCode::PARTIAL_CONTENT, start, end),
        Part::None => {
            let mut response = nothing(StatusCode::RANGE_NOT_SATISFIABLE);
            add(&mut response, CONTENT_RANGE, &format!("bytes */{length}"));
            return response;
        }
    };
    let body = if request.method() == Method::HEAD { empty() } else { pieces(file, start, end) };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    add(&mut response, ACCEPT_RANGES, "bytes");
    add(&mut response, CONTENT_TYPE, "application/octet-stream");
    add(&mut response, CONTENT_LENGTH, &(end - start).to_string());
    if status == StatusCode::PARTIAL_CONTENT {
        add(&mut response, CONTENT_RANGE, &format!("bytes {start}-{}/{length}", end - 1));
    }
    response
}

fn add(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn empty() -> Body {
    Empty::new().map_err(|never: Infallible| match never {}).boxed()
}

fn nothing(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = status;
    response
}

/// A file from one byte to before another, piece by piece.
fn pieces(file: File, start: u64, end: u64) -> Body {
    let file = Arc::new(file);
    let pieces = stream::try_unfold(start, move |at| {
        let file = Arc::clone(&file);
        async move {
            let wanted = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
            if wanted == 0 {
                return Ok(None);
            }
            let read = move || {
                let mut piece = vec![0; wanted];
                file.read_exact_at(&mut piece, at).map(|()| piece)
            };
            let piece = tokio::task::spawn_blocking(read).await.map_err(io::Error::other)??;
            Ok(Some((Frame::data(Bytes::from(piece)), at + wanted as u64)))
        }
    });
    BodyExt::boxed(StreamBody::new(pieces))
}

/// What of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    All,
    Some(u64, u64),
    None,
}

/// The part that a header names; all where it names several or is not understood, which is allowed.
fn part(range: &str, length: u64) -> Part {
    let Some((first, last)) = range.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-'))
    else {
        return Part::All;
    };
    let number = |text: &str| text.trim().parse::<u64>();
    let (start, end) = match (number(first), number(last)) {
        (Ok(start), Ok(last)) if start <= last => (start, last.saturating_add(1).min(length)),
        (Ok(start), Err(_)) if last.trim().is_empty() => (start, length),
        (Err(_), Ok(last)) if first.trim().is_empty() => (length.saturating_sub(last), length),
        _ => return Part::All,
    };
    if start < end { Part::Some(start, end) } else { Part::None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::LocalSet;

    async fn ask(port: u16, question: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        stream.write_all(question.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_guest_gets_files_of_the_folder_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("mirror");
        let tree = root.join("dists/x");
        std::fs::create_dir_all(tree.join("a b")).unwrap();
        std::fs::write(folder.path().join("secret"), "hidden").unwrap();
        std::fs::write(tree.join("a b/linux"), "0123456789").unwrap();
        std::os::unix::fs::symlink("../../../secret", tree.join("link")).unwrap();
        let local = LocalSet::new();
        let work = async {
            let serving = Serving::begin(&tree, "word", &[0]).await.unwrap();
            let port = serving.port;
            let append = serving.fill("inst.repo={tree} h={host} d={mirror}");
            let expected =
                format!("inst.repo=http://10.0.2.2:{port}/word/dists/x/ h=10.0.2.2:{port} d=/word/");
            assert_eq!(append, expected);
            let get = async |method: &str, path: &str, more: &str| {
                ask(port, &format!("{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{more}\r\n"))
                    .await
            };
            let file = "/word/dists/x/a%20b/linux";
            let whole = get("GET", file, "").await;
            assert!(whole.starts_with("HTTP/1.1 200") && whole.ends_with("\r\n\r\n0123456789"), "{whole}");
            let head = get("HEAD", file, "").await;
            assert!(head.contains("content-length: 10\r\n") && head.ends_with("\r\n\r\n"), "{head}");
            let some = get("GET", file, "Range: bytes=2-4\r\n").await;
            assert!(some.starts_with("HTTP/1.1 206") && some.ends_with("\r\n\r\n234"), "{some}");
            assert!(some.contains("content-range: bytes 2-4/10\r\n"), "{some}");
            assert!(get("GET", file, "Range: bytes=10-\r\n").await.starts_with("HTTP/1.1 416"));
            assert!(get("POST", file, "").await.starts_with("HTTP/1.1 405"));
            for path in [
                "/",
                "/dists/x/a%20b/linux",
                "/wor/dists/x/a%20b/linux",
                "/word",
                "/word/",
                "/word/dists/x",
                "/word/dists/x/link",
                "/word/dists/x/none",
                "/word/../secret",
                "/word/%2e%2e/secret",
                "/word/dists/x/%2e%2e/%2e%2e/%2e%2e/secret",
                "/word//etc/passwd",
                "/word/%00",
            ] {
                let answer = get("GET", path, "").await;
                assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
            }
            // Another one that wants its port gets the next.
            let other = Serving::begin(&tree, "word", &[port, 0]).await.unwrap();
            assert_ne!(other.port, port);
            drop(serving);
            tokio::task::yield_now().await;
            assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.is_ok());
        };
        local.run_until(work).await;
    }

    #[test]
    fn parts_are_within_their_file() {
        for (range, expected) in [
            ("bytes=0-0", Part::Some(0, 1)),
            ("bytes=5-", Part::Some(5, 10)),
            ("bytes=-3", Part::Some(7, 10)),
            ("bytes=-30", Part::Some(0, 10)),
            ("bytes=5-100", Part::Some(5, 10)),
            ("bytes=10-", Part::None),
            ("bytes=-0", Part::None),
            ("bytes=4-2", Part::All),
            ("bytes=0-1,3-4", Part::All),
            ("lines=1-2", Part::All),
        ] {
            assert_eq!(part(range, 10), expected, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), Part::None);
    }

    proptest! {
        #[test]
        fn no_question_asks_for_more_than_there_is(range in "bytes=[0-9]{0,21}-[0-9]{0,21}", length in any::<u64>()) {
            if let Part::Some(start, end) = part(&range, length) {
                prop_assert!(start < end && end <= length);
            }
        }
    }
}
