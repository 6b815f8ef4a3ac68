//! An installation without questions: Debian's own installer, on a disc in the layout of Debian's, as far as its mirror.

use crate::{eventually, installed, shown};
use hv_tests::{Home, skip};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

const FOLDER: &str = "/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64";

/// A disc with Debian's network installer on it; nothing where that or xorriso is not installed.
fn debian(home: &Home) -> Option<String> {
    let kernel = installed("debian-installer-12-netboot-amd64", &[&format!("{FOLDER}/linux")])?;
    let tree = home.path("tree");
    for name in [".disk", "install.amd"] {
        fs::create_dir_all(tree.join(name)).expect("a folder");
    }
    let info = "Debian GNU/Linux 12.5.0 \"Bookworm\" - Official amd64 NETINST with firmware 20240210-11:27";
    fs::write(tree.join(".disk/info"), info).expect("a file");
    symlink(kernel, tree.join("install.amd/vmlinuz")).expect("a link");
    symlink(format!("{FOLDER}/initrd.gz"), tree.join("install.amd/initrd.gz")).expect("a link");
    let disc = home.text("debian.iso");
    let mut xorriso = Command::new("xorriso");
    xorriso.args(["-as", "mkisofs", "-quiet", "-f", "-R", "-V", "Debian 12.5.0 amd64 n", "-o", &disc]);
    let Ok(status) = xorriso.arg(&tree).stderr(Stdio::null()).status() else {
        skip("xorriso is not installed");
        return None;
    };
    assert!(status.success());
    Some(disc)
}

#[tokio::test]
async fn debians_installer_asks_nothing_on_its_way_to_the_mirror() {
    let home = Home::new();
    let Some(disc) = debian(&home) else { return };
    let told = home.hv(["inspect", "--json", &disc]).await.json();
    assert_eq!(
        (told["os"].as_str(), told["express"].as_str()),
        (Some("debian12"), Some("offered")),
        "{told}"
    );
    let password = home.file("password", "open sesame\n");
    let answers = ["--express", "--user", "ada", "--password-file", &password, "--host-name", "engine"];
    let more = ["--language", "de_DE", "--keyboard", "de", "--time-zone", "Europe/Berlin"];
    let machine = ["--memory", "1GiB", "--cpus", "1", "--disk", "4GiB", "--start"];
    let words = ["create", "debian", "--iso", &disc];
    home.hv(words.iter().chain(&answers).chain(&more).chain(&machine)).await.done();
    let guest = shown(&home, "debian").await;
    assert_eq!(
        (guest["state"].as_str(), guest["installing"]["unattended"].as_bool()),
        (Some("running"), Some(true))
    );

    // It goes by the list from one of its menu's items to the next, as far as the mirror; it would stand at its first
    // question. Signs may be doubled in the log of a slow machine, so what is looked for comes more than once.
    let log_with = async |word: &'static str| {
        eventually(word, async || {
            let log = home.hv(["log", "debian", "--serial", "0"]).await.done();
            log.contains(word).then_some(log)
        })
        .await
    };
    log_with("preseed").await;
    log_with("netcfg").await;
    let log = log_with("choose-mirror").await;
    for word in ["/preseed.cfg", "netcfg", "locale=de_DE.UTF-8"] {
        assert!(log.contains(word), "{word}: {log}");
    }
    assert!(!log.contains("open sesame") && !log.contains("$6$"));
    home.hv(["force-off", "debian"]).await.done();
    home.no_engine().await;
}
