//! Install trees: looked at, fetched, refused with their reason, and served to the guest that installs from one.

use hv_tests::{FileServer, Home, Script, until};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

const KERNEL: &[u8] = b"a kernel";
const INITRD: &[u8] = b"an initial file system";
/// Of the kernel, by `sha256sum`.
const DIGEST: &str = "4fff0d3e643b3894c17a0738fbdc591953aa722c9d42774425090accc4377126";

/// A tree as Fedora and its relatives have them.
fn fedora(folder: &Path, digest: &str) {
    fs::create_dir_all(folder.join("images/pxeboot")).expect("a folder");
    let info = format!(
        "[general]\nfamily = Fedora\nversion = 37\narch = x86_64\n[images-x86_64]\n\
         kernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n\
         [checksums]\nimages/pxeboot/vmlinuz = sha256:{digest}\n"
    );
    fs::write(folder.join(".treeinfo"), info).expect("a file");
    fs::write(folder.join("images/pxeboot/vmlinuz"), KERNEL).expect("a file");
    fs::write(folder.join("images/pxeboot/initrd.img"), INITRD).expect("a file");
}

/// A mirror of Debian, with what its installer needs; where in it the tree is.
fn debian(root: &Path) -> String {
    let tree = "dists/bookworm/main/installer-amd64";
    let images = root.join(tree).join("current/images");
    let folder = images.join("netboot/debian-installer/amd64");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(images.join("MANIFEST"), "netboot/debian-installer/amd64/linux -- Debian's kernel\n")
        .expect("a file");
    let sums = format!("{DIGEST}  ./netboot/debian-installer/amd64/linux\n");
    fs::write(images.join("SHA256SUMS"), sums).expect("a file");
    fs::write(folder.join("linux"), KERNEL).expect("a file");
    fs::write(folder.join("initrd.gz"), INITRD).expect("a file");
    fs::write(root.join("dists/bookworm/Release"), "Suite: stable\n").expect("a file");
    tree.to_owned()
}

/// What the kernel of the engine that runs is told.
async fn told(home: &Home) -> String {
    let engine = until("an engine", || home.engines().pop()).await.pid();
    let line = fs::read(format!("/proc/{engine}/cmdline")).expect("its command line");
    let words: Vec<String> =
        line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into()).collect();
    let at = words.iter().position(|word| word == "-append").expect("a kernel's command line");
    words[at + 1].clone()
}

/// What is answered at an address that a guest was told.
fn fetch(address: &str) -> String {
    let rest = address.strip_prefix("http://10.0.2.2:").expect("the core's server");
    let (port, path) = rest.split_once('/').expect("a path");
    let mut stream =
        TcpStream::connect((Ipv4Addr::LOCALHOST, port.parse().expect("a port"))).expect("a server");
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("it listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[tokio::test]
async fn a_guest_is_made_from_a_tree_on_a_server() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let _core = home.core().await;
    fedora(&home.path("mirror/os"), DIGEST);
    let server = FileServer::start(&home.path("mirror"));
    let address = server.address("os");
    let found = home.hv(["inspect", "--json", &address]).await.json();
    assert_eq!((&found["kind"], &found["arch"]), (&json!("tree"), &json!("x86_64")));
    assert_eq!(found["kernel"], "images/pxeboot/vmlinuz");
    assert_eq!(found["kernel_args"], format!("inst.repo={address}/"));

    let words = ["create", "one", "--tree", &address, "--append", "inst.text", "--disk", "1MiB"];
    home.hv(words).await.done();
    let guest = home.hv(["show", "one", "--json"]).await.json();
    assert_eq!(guest["installing"]["tree"], format!("{address}/"));
    assert_eq!(guest["kernel"], Value::Null, "it is not the guest's own");
    let folder = Path::new(guest["paths"]["folder"].as_str().expect("a path")).join("install");
    assert_eq!(fs::read(folder.join("linux")).expect("a kernel"), KERNEL);
    assert_eq!(fs::read(folder.join("initrd")).expect("an initrd"), INITRD);
    home.hv(["start", "one"]).await.done();
    let expected = format!(
        "console=ttyS0 console=tty0 inst.repo={}/ inst.text",
        address.replace("127.0.0.1", "10.0.2.2")
    );
    assert_eq!(told(&home).await, expected);
    // The kernel of another one comes from the cache.
    let fetched = || {
        server.asked().iter().filter(|asked| asked.ends_with("vmlinuz") && asked.starts_with("GET")).count()
    };
    assert_eq!(fetched(), 1);
    home.hv(["create", "two", "--tree", &address, "--disk", "1MiB"]).await.done();
    assert_eq!(fetched(), 1);
}

#[tokio::test]
async fn a_tree_that_lies_or_is_none_leaves_no_trace() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let _core = home.core().await;
    fedora(&home.path("mirror/os"), &"0".repeat(64));
    fs::create_dir_all(home.path("mirror/empty")).expect("a folder");
    let server = FileServer::start(&home.path("mirror"));
    let before = home.tree();
    let passwords = server.address("empty").replace("//", "//ada:secret@");
    for (place, why) in [
        (server.address("os"), "is not what the tree says"),
        (home.text("mirror/os"), "is not what the tree says"),
        (passwords, "There is no install tree"),
        (home.text("mirror/empty"), "There is no install tree"),
        ("http://127.0.0.1:1/os".into(), "can't be reached"),
        ("gopher://h/os".into(), "This is no address"),
    ] {
        let refused = home.hv(["--json", "create", "one", "--tree", &place, "--disk", "1MiB"]).await;
        let last = refused.out.lines().last().expect("an error");
        let error: Value = serde_json::from_str(last).expect("JSON");
        assert_eq!(
            (refused.code, &error["error"]["code"]),
            (1, &json!("tree-unusable")),
            "{place}: {refused:?}"
        );
        let said = error["error"]["why"].as_str().expect("words");
        assert!(said.contains(why), "{place}: {said}");
        assert!(!refused.out.contains("secret"), "{refused:?}");
        assert_eq!(home.tree(), before, "{place}");
    }
    // Two sources are one too many.
    let both = home.hv(["create", "one", "--tree", "/x", "--kernel", "/y"]).await;
    assert_eq!(both.code, 2, "{both:?}");
}

#[tokio::test]
async fn a_slow_server_keeps_nobody_waiting_but_who_asked_for_it() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let _core = home.core().await;
    fedora(&home.path("mirror/os"), DIGEST);
    let (good, silent) = (FileServer::start(&home.path("mirror")), FileServer::silent());
    let slow = home
        .command(hv_tests::program("hv"))
        .args(["inspect", "--json", &silent.address("os"), &good.address("os")])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("hv");
    let begun = Instant::now();
    home.hv(["inspect", "--json", &good.address("os")]).await.json();
    home.hv(["list"]).await.done();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let ended = tokio::time::timeout(Duration::from_secs(60), slow.wait_with_output()).await;
    let ended = ended.expect("it ends").expect("its output");
    let out = String::from_utf8(ended.stdout).expect("text");
    assert!(out.lines().any(|line| line.contains("\"kind\":\"tree\"")), "{out}");
    assert!(out.contains("Its server answers too slowly."), "{out}");
}

#[tokio::test]
async fn a_folder_is_served_to_its_guest_alone() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let core = home.core().await;
    let root = home.path("mirror");
    let tree = root.join(debian(&root));
    fs::write(home.path("private"), "mine").expect("a file");
    std::os::unix::fs::symlink("../private", root.join("link")).expect("a link");
    let tree = tree.to_str().expect("text");
    home.hv(["create", "one", "--tree", tree, "--disk", "1MiB", "--start"]).await.done();
    let words = told(&home).await;
    let value = |key: &str| {
        let found = words.split_whitespace().find_map(|word| word.strip_prefix(key));
        found.unwrap_or_else(|| panic!("{key} in {words}")).to_owned()
    };
    let (host, folder) = (value("mirror/http/hostname="), value("mirror/http/directory="));
    let address = |path: &str| format!("http://{host}{folder}{path}");
    assert!(fetch(&address("dists/bookworm/Release")).ends_with("Suite: stable\n"));
    for none in ["link", "dists", "", "../private", "%2e%2e/private"] {
        assert!(fetch(&address(none)).starts_with("HTTP/1.1 404"), "{none}");
    }
    assert!(fetch(&format!("http://{host}/dists/bookworm/Release")).starts_with("HTTP/1.1 404"));

    // The guest knows one address, also of the next core.
    core.kill().await;
    let _core = home.core().await;
    let again = || TcpStream::connect(("127.0.0.1", host.rsplit_once(':')?.1.parse().ok()?)).ok().map(drop);
    until("the server again", again).await;
    assert!(fetch(&address("dists/bookworm/Release")).ends_with("Suite: stable\n"));
    home.hv(["force-off", "one"]).await.done();
    until("the end of the server", || again().is_none().then_some(())).await;

    // It reaches the core by its network in user mode only.
    let refused = home.hv(["--json", "create", "two", "--tree", tree, "--nic", "none"]).await;
    assert_eq!(refused.json()["error"]["code"], "option-needs", "{refused:?}");
}
