//! Servers of all kinds, on the loopback interface.

use super::*;
use crate::osdb::Database;
use crate::tree::{get, look};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How a server answers for each path: with what head and body; nothing for silence.
type Answers = fn(&str) -> Option<(String, Vec<u8>)>;

/// A server, by its address.
async fn server(answers: Answers) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = format!("http://{}/tree", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answers));
        }
    });
    address
}

async fn serve(stream: TcpStream, answers: Answers) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    let path = line.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let mut more = String::new();
    while stream.read_line(&mut more).await.is_ok_and(|count| count > 2) {
        more.clear();
    }
    let Some((head, body)) = answers(&path) else {
        return tokio::time::sleep(Duration::from_secs(60)).await;
    };
    let _ = stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes()).await;
    if head.contains("Drip: yes") {
        for byte in body {
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    } else if !line.starts_with("HEAD") {
        let _ = stream.write_all(&body).await;
    }
    let _ = stream.shutdown().await;
}

#[expect(clippy::unnecessary_wraps, reason = "it is an answer like others")]
fn ok(body: &[u8]) -> Option<(String, Vec<u8>)> {
    Some((format!("HTTP/1.1 200 OK\r\nContent-Length: {}", body.len()), body.to_vec()))
}

#[expect(clippy::unnecessary_wraps, reason = "it is an answer like others")]
fn none() -> Option<(String, Vec<u8>)> {
    Some(("HTTP/1.1 404 Not Found\r\nContent-Length: 0".into(), Vec::new()))
}

const INFO: &str = "[general]\nfamily = Example\nversion = 1\narch = x86_64\n[images-x86_64]\nkernel = linux\n\
    initrd = initrd\n[checksums]\nlinux = sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683\n";

fn tree(path: &str) -> Option<(String, Vec<u8>)> {
    match path {
        "/tree/.treeinfo" => ok(INFO.as_bytes()),
        "/tree/linux" => ok(b"key"),
        "/tree/initrd" => {
            let (head, body) = ok(b"files")?;
            Some((format!("{head}\r\nETag: \"1\""), body))
        }
        _ => none(),
    }
}

async fn fault_of(address: &str) -> TreeFault {
    let place = Place::of(address).unwrap();
    match look(place, Arc::default()).await.map(|_| ()) {
        Err(Error::TreeUnusable { fault, location, .. }) => {
            assert!(!location.contains("secret"), "{location}");
            fault
        }
        other => panic!("{other:?}"),
    }
}

/// What becomes of the markers of a tree whose server is given this long.
async fn markers(address: &str, small: Duration) -> (Vec<Option<String>>, Vec<TreeFault>) {
    let mut remote = Remote::new(Place::of(address).unwrap()).await.unwrap();
    remote.patience.small = small;
    let texts = remote.texts(&[".treeinfo", "content"]).await;
    (texts, remote.faults.into_iter().map(|fault| fault.kind).collect())
}

async fn installer(address: &str, cache: &Path, folder: &Path) -> Result<(), Error> {
    std::fs::create_dir(folder).unwrap();
    let tree = look(Place::of(address).unwrap(), Arc::<Database>::default()).await?;
    tree.check()?;
    get::installer(&tree, cache, folder, |_| {}).await
}

#[tokio::test]
async fn a_tree_is_found_and_its_installer_fetched_once() {
    let address = server(tree).await;
    let home = tempfile::tempdir().unwrap();
    let cache = home.path().join("cache");
    for name in ["one", "two"] {
        let folder = home.path().join(name);
        installer(&address, &cache, &folder).await.unwrap();
        assert_eq!(std::fs::read(folder.join("linux")).unwrap(), b"key");
        assert_eq!(std::fs::read(folder.join("initrd")).unwrap(), b"files");
    }
    assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 2);
    // One that was damaged in the cache is fetched anew.
    for entry in std::fs::read_dir(&cache).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("content-") {
            std::fs::remove_file(entry.path()).unwrap();
            std::fs::write(entry.path(), "damaged").unwrap();
        }
    }
    let folder = home.path().join("three");
    installer(&address, &cache, &folder).await.unwrap();
    assert_eq!(std::fs::read(folder.join("linux")).unwrap(), b"key");
}

#[tokio::test]
async fn a_file_that_is_not_what_the_tree_says_is_refused() {
    let address = server(|path| if path == "/tree/linux" { ok(b"kez") } else { tree(path) }).await;
    let home = tempfile::tempdir().unwrap();
    let cache = home.path().join("cache");
    let refused = installer(&address, &cache, &home.path().join("one")).await;
    let Err(Error::TreeUnusable { fault: TreeFault::Checksum, file, detail, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(file, "linux");
    assert!(detail.starts_with("expected 2c70") && detail.contains("found "), "{detail}");
    assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 0, "nothing of it is left");
}

#[tokio::test]
async fn trees_that_can_not_be_had_are_told_apart() {
    assert_eq!(fault_of(&server(|_| none()).await).await, TreeFault::NotATree);
    // A page in place of each file, with and without a word about it.
    assert_eq!(
        fault_of(
            &server(|_| Some(("HTTP/1.1 200 OK\r\nContent-Type: text/html".into(), b"<p>".to_vec()))).await
        )
        .await,
        TreeFault::NotATree
    );
    assert_eq!(
        fault_of(&server(|_| Some(("HTTP/1.1 200 OK".into(), b" <html>family = Fedora".to_vec()))).await)
            .await,
        TreeFault::NotATree
    );
    let forbidden = |_: &str| Some(("HTTP/1.1 403 Forbidden\r\nContent-Length: 0".into(), Vec::new()));
    assert_eq!(fault_of(&server(forbidden).await.replace("//", "//u:secret@")).await, TreeFault::Refused);
    let away = |path: &str| {
        Some((format!("HTTP/1.1 302 Found\r\nLocation: {path}\r\nContent-Length: 0"), Vec::new()))
    };
    assert_eq!(fault_of(&server(away).await).await, TreeFault::Redirects);
    let file = |_: &str| {
        Some(("HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0".into(), Vec::new()))
    };
    assert_eq!(fault_of(&server(file).await).await, TreeFault::Redirects);
    // Port 1 is nobody's.
    assert_eq!(fault_of("http://127.0.0.1:1/tree").await, TreeFault::Unreachable);
    let foreign = |path: &str| match path {
        "/tree/.treeinfo" => ok(INFO.replace("x86_64", "s390x").as_bytes()),
        _ => none(),
    };
    let home = tempfile::tempdir().unwrap();
    let refused = installer(&server(foreign).await, home.path(), &home.path().join("one")).await;
    assert!(matches!(refused, Err(Error::TreeUnusable { fault: TreeFault::Processor, .. })), "{refused:?}");
    let outside = |path: &str| match path {
        "/tree/.treeinfo" => ok(INFO.replace("linux", "../linux").as_bytes()),
        _ => tree(path),
    };
    let refused = installer(&server(outside).await, home.path(), &home.path().join("two")).await;
    assert!(matches!(refused, Err(Error::TreeUnusable { fault: TreeFault::NoKernel, .. })), "{refused:?}");
}

#[tokio::test]
async fn no_server_keeps_anybody_waiting_for_ever() {
    let short = Duration::from_millis(300);
    let late = (vec![None, None], vec![TreeFault::Overdue; 2]);
    assert_eq!(markers(&server(|_| None).await, short).await, late);
    let drips = |_: &str| Some(("HTTP/1.1 200 OK\r\nDrip: yes".into(), vec![b'a'; 100_000]));
    assert_eq!(markers(&server(drips).await, short).await, late);
    let endless = |_: &str| Some(("HTTP/1.1 200 OK".into(), vec![b'a'; 2 << 20]));
    let large = (vec![None, None], vec![TreeFault::TooLarge; 2]);
    assert_eq!(markers(&server(endless).await, Duration::from_secs(20)).await, large);

    let mut remote = Remote::new(Place::of(&server(drips).await).unwrap()).await.unwrap();
    remote.patience.least = (1 << 20, short);
    let home = tempfile::tempdir().unwrap();
    let dripped = get::tests::fetched(&remote, "linux", home.path()).await;
    assert_eq!(dripped, Some(TreeFault::Overdue));
    let lying = |_: &str| Some(("HTTP/1.1 200 OK\r\nContent-Length: 10".into(), b"abc".to_vec()));
    let remote = Remote::new(Place::of(&server(lying).await).unwrap()).await.unwrap();
    assert_eq!(get::tests::fetched(&remote, "linux", home.path()).await, Some(TreeFault::Unreachable));
    let huge = |_: &str| Some(("HTTP/1.1 200 OK\r\nContent-Length: 99999999999".into(), b"abc".to_vec()));
    let remote = Remote::new(Place::of(&server(huge).await).unwrap()).await.unwrap();
    assert_eq!(get::tests::fetched(&remote, "linux", home.path()).await, Some(TreeFault::TooLarge));
    assert_eq!(std::fs::read_dir(home.path().join("cache")).unwrap().count(), 0);
}
