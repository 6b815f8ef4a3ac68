//! Firmware, its variable store and the TPM: found, refused, made, and gone with the engine.

use hv_tests::{Home, Reaction, Script, skip, until};
use std::fs;
use std::path::Path;

/// A description of firmware in files of the test's own.
fn describe(home: &Home, name: &str, features: &[&str]) {
    let (image, template) = (home.file("image.fd", "image"), home.file("template.fd", vec![7; 4096]));
    let file = |path: &str| serde_json::json!({ "filename": path, "format": "raw" });
    let text = serde_json::json!({
        "interface-types": ["uefi"],
        "mapping": { "device": "flash", "executable": file(&image), "nvram-template": file(&template) },
        "targets": [{ "architecture": "x86_64", "machines": ["pc-q35-*"] }],
        "features": features,
    });
    fs::write(home.path("config/qemu/firmware").join(name), text.to_string()).expect("a file");
}

/// A home in which no firmware of the host counts.
fn home(script: &Script) -> Home {
    let home = Home::with_fake_qemu(script);
    let own = home.path("config/qemu/firmware");
    fs::create_dir_all(&own).expect("a folder");
    for folder in ["/etc/qemu/firmware", "/usr/share/qemu/firmware"] {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            fs::write(own.join(entry.expect("an entry").file_name()), "").expect("a file");
        }
    }
    home
}

#[tokio::test]
async fn firmware_that_is_not_there_is_refused_before_anything_is_made() {
    let home = home(&Script::obedient());
    let _core = home.core().await;
    let before = home.tree();
    let create = async |option: &str| {
        home.hv(["create", "one", "--empty", "--no-disk", option, "--firmware=uefi", "--json"]).await
    };
    assert_eq!(create("--start").await.error_code(), "firmware-missing");
    describe(&home, "1.json", &["secure-boot", "requires-smm"]);
    // What can't say whose signatures to trust starts nothing, or anything.
    assert_eq!(create("--secure-boot").await.error_code(), "firmware-missing");
    assert_eq!(home.tree(), before);
    let both = home.hv(["create", "one", "--empty", "--firmware=bios", "--secure-boot", "--json"]).await;
    assert_eq!(both.error_code(), "options-conflict");

    home.hv(["create", "one", "--empty", "--no-disk"]).await.done();
    let set = async |setting: &str| home.hv(["set", "one", setting, "--json"]).await;
    assert_eq!(set("secure-boot=true").await.error_code(), "firmware-missing");
    assert_eq!(set("firmware=uefi").await.code, 0);
    let host = home.hv(["host", "--json"]).await.json();
    let uefi = host["firmware"].as_array().expect("a list").last().expect("one");
    assert_eq!((&uefi["kind"], &uefi["secure_boot"]), (&"uefi".into(), &false.into()));
}

#[tokio::test]
async fn a_guest_has_a_store_for_each_kind_of_firmware_and_keeps_it() {
    let home = home(&Script::obedient());
    let _core = home.core().await;
    describe(&home, "1.json", &[]);
    describe(&home, "2.json", &["secure-boot", "enrolled-keys", "requires-smm"]);
    home.hv(["create", "one", "--empty", "--no-disk", "--firmware=uefi", "--start"]).await.done();
    let guest = home.hv(["show", "one", "--json"]).await.json();
    let folder = Path::new(guest["paths"]["folder"].as_str().expect("a path"));
    let plain = folder.join("variables.qcow2");
    // As if the guest had written into it.
    let mut kept = fs::read(&plain).expect("a store");
    kept.push(1);
    fs::write(&plain, &kept).expect("a store");

    let said = home.hv(["set", "one", "secure-boot=true"]).await.done();
    assert_eq!(said, "secure-boot: applied at next start (the machine has it from its start)\n");
    let pending = home.hv(["show", "one", "--json"]).await.json()["pending"].clone();
    assert_eq!(pending, serde_json::json!([{ "key": "secure-boot", "now": "false", "next": "true" }]));
    home.hv(["force-off", "one"]).await.done();
    home.hv(["start", "one"]).await.done();
    assert_eq!(home.hv(["show", "one", "--json"]).await.json()["pending"], serde_json::json!([]));
    assert!(folder.join("variables-secure-boot.qcow2").is_file());
    home.hv(["force-off", "one"]).await.done();
    home.hv(["set", "one", "firmware=bios"]).await.done();
    home.hv(["set", "one", "firmware=uefi"]).await.done();
    home.hv(["start", "one"]).await.done();
    assert_eq!(fs::read(&plain).expect("a store"), kept);

    // An update that brings firmware for a flash of another size does not take the guest's away.
    home.hv(["force-off", "one"]).await.done();
    home.file("template.fd", vec![7; 8192]);
    assert_eq!(home.hv(["start", "one", "--json"]).await.error_code(), "firmware-missing");
    assert_eq!(fs::read(&plain).expect("a store"), kept);
}

#[tokio::test]
async fn a_tpm_ends_with_the_engine_however_that_ends() {
    let without = Home::without_programs();
    let _core = without.core().await;
    let ran = without.hv(["create", "one", "--empty", "--no-disk", "--tpm", "--json"]).await;
    assert_eq!(ran.error_code(), "engine-missing");
    assert!(ran.out.contains("swtpm"), "{ran:?}");
    if !Path::new("/usr/bin/swtpm").exists() {
        return skip("swtpm is not installed");
    }

    let home = home(&Script::obedient());
    let core = home.core().await;
    let gone = async || until("the end of its TPM", || home.tpms().is_empty().then_some(())).await;
    home.hv(["create", "one", "--empty", "--no-disk", "--tpm", "--start"]).await.done();
    assert_eq!(home.tpms().len(), 1);
    home.hv(["force-off", "one"]).await.done();
    gone().await;

    home.set_script(&Script::obedient().on("start", Reaction::Die("no such machine".into(), 1)));
    assert_eq!(home.hv(["start", "one", "--json"]).await.error_code(), "start-failed");
    gone().await;

    // Neither does a core that dies in between leave one.
    home.set_script(&Script::obedient().on("start", Reaction::Delay(100)));
    let mut start = home.command(hv_tests::program("hv"));
    let mut start = start.args(["start", "one"]).stderr(std::process::Stdio::null()).spawn().expect("hv");
    until("its TPM", || home.tpms().pop()).await;
    core.kill().await;
    hv_tests::within("its end", start.wait()).await.expect("a status");
    home.engines().iter().for_each(hv_tests::Process::kill);
    home.no_engine().await;
    home.hv(["list"]).await.done();
    gone().await;
}

#[tokio::test]
async fn what_a_guest_starts_from_can_be_changed_for_good_or_for_once() {
    let home = home(&Script::obedient());
    let _core = home.core().await;
    let iso = home.file("a.iso", "something");
    home.hv(["create", "one", "--empty", "--disk", "1MiB"]).await.done();
    let set = async |setting: &str| home.hv(["set", "one", setting, "--json"]).await;
    assert_eq!(set("boot=cd0,disk1").await.error_code(), "boot-device-not-found");
    assert_eq!(set("boot=cd0,disk0").await.code, 0);
    assert_eq!(set("kernel=/nonexistent/kernel").await.error_code(), "file-unusable");
    let started = home.hv(["start", "one", "--from-cd", "--json"]).await;
    assert_eq!(started.error_code(), "boot-device-not-found");
    home.hv(["media", "one", "insert", &iso]).await.done();
    home.hv(["set", "one", "boot=disk0"]).await.done();
    let cd = async |words: &[&str]| {
        home.hv(words).await.done();
        let line = fs::read(format!("/proc/{}/cmdline", home.engines()[0].pid())).expect("it runs");
        home.hv(["force-off", "one"]).await.done();
        home.no_engine().await;
        String::from_utf8_lossy(&line).contains("ide-cd,id=cd0,bus=ide.0,bootindex=1")
    };
    assert!(cd(&["start", "one", "--from-cd"]).await);
    assert!(!cd(&["start", "one"]).await);
}
