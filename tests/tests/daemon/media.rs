//! What media are, by the operating-system database: this user's own additions to it, so that it does not matter
//! which one is installed.

use hv_tests::disc::Disc;
use hv_tests::{Core, Home, Script};
use serde_json::{Value, json};
use std::fs;

const SYSTEMS: &str = r#"<libosinfo>
  <os id="http://example.invalid/exampleos/3">
    <short-id>exampleos3</short-id><name>Example OS 3</name><version>3</version><family>linux</family>
    <resources arch="all"><recommended><n-cpus>1</n-cpus><ram>268435456</ram><storage>3221225472</storage></recommended></resources>
    <media arch="x86_64"><variant id="net"/><iso><volume-id>ExampleOS 3\.\d amd64$</volume-id><system-id>EXAMPLE</system-id></iso>
      <kernel>boot/vmlinuz</kernel><initrd>boot/initrd.gz</initrd></media>
  </os>
  <os id="http://example.invalid/twin/1"><short-id>twin1</short-id><name>Twin 1</name>
    <media arch="all"><iso><volume-id>EXAMPLE_TWINS</volume-id></iso></media></os>
  <os id="http://example.invalid/twin/2"><short-id>twin2</short-id><name>Twin 2</name>
    <media arch="all"><iso><volume-id>EXAMPLE_TWINS</volume-id></iso></media></os>
</libosinfo>"#;

async fn home() -> (Home, Core) {
    let home = Home::with_fake_qemu(&Script::obedient());
    let folder = home.path("config/osinfo/os/example.invalid");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("example.xml"), SYSTEMS).expect("a file");
    // What comes while it reads the database, it sees only some seconds later.
    let core = home.core().await;
    (home, core)
}

#[tokio::test]
async fn a_medium_tells_its_system() {
    let (home, _core) = home().await;
    let disc =
        |name: &str, volume, system| home.file(name, Disc { volume, system, ..Disc::default() }.bytes());
    let paths = [
        disc("known.iso", "ExampleOS 3.1 amd64", "EXAMPLE"),
        disc("newer.iso", "ExampleOS 4.0 amd64", "EXAMPLE"),
        disc("twins.iso", "EXAMPLE_TWINS", ""),
        disc("nothing.iso", "NOTHING_AT_ALL", ""),
    ];
    let words = ["inspect", "--json"].into_iter().chain(paths.iter().map(String::as_str));
    let said = home.hv(words).await.done();
    let found: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let [known, newer, twins, nothing] = found.as_slice() else { panic!("{said}") };

    assert_eq!((&known["os"], &known["os_name"]), (&json!("exampleos3"), &json!("Example OS 3")));
    assert_eq!((&known["confidence"], &known["newer_than_database"]), (&json!("exact"), &json!(false)));
    assert_eq!((&known["family"], &known["arch"]), (&json!("linux"), &json!("x86_64")));
    assert_eq!((&known["kernel"], &known["initrd"]), (&json!("boot/vmlinuz"), &json!("boot/initrd.gz")));
    assert_eq!((&known["variants"], &known["live"]), (&json!(["net"]), &json!(false)));
    assert_eq!(known["suggested_name"], "Example OS 3");
    assert_eq!(known["recommended"], json!({"cpus": 1, "memory": 268_435_456, "disk": 3_221_225_472_u64}));

    assert_eq!((&newer["os"], &newer["newer_than_database"]), (&json!("exampleos4"), &json!(true)));
    assert_eq!((&newer["confidence"], &newer["recommended"]), (&json!("probable"), &known["recommended"]));
    assert_eq!((&twins["os"], &twins["candidates"]), (&json!(null), &json!(["twin1", "twin2"])));
    assert_eq!((&nothing["os"], &nothing["candidates"]), (&json!(null), &json!([])));
    assert_eq!(nothing["confidence"], "unknown");
}

#[tokio::test]
async fn a_guest_gets_what_its_system_needs() {
    let (home, _core) = home().await;
    let listed = home.hv(["systems", "--json", "example", "os"]).await.json();
    assert_eq!((&listed["os"], &listed["os_name"]), (&json!("exampleos3"), &json!("Example OS 3")));

    let disc = Disc { volume: "ExampleOS 4.0 amd64", ..Disc::default() };
    let iso = home.file("a.iso", disc.bytes());
    home.hv(["create", "by medium", "--iso", &iso]).await.done();
    home.hv(["create", "by word", "--empty", "--os", "exampleos3", "--cpus", "2"]).await.done();
    for (name, os, os_name, cpus) in
        [("by medium", "exampleos4", "Example OS 4", 1), ("by word", "exampleos3", "Example OS 3", 2)]
    {
        let guest = home.hv(["show", name, "--json"]).await.json();
        assert_eq!((&guest["os"], &guest["os_name"]), (&json!(os), &json!(os_name)));
        assert_eq!((&guest["cpus"], &guest["memory"]), (&json!(cpus), &json!(268_435_456)));
    }
    let refused = home.hv(["create", "nobody", "--empty", "--os", "exampel3", "--json"]).await;
    assert_eq!((refused.code, &refused.json()["error"]["code"]), (1, &json!("os-unknown")));
}

#[tokio::test]
async fn one_file_that_cannot_be_read_keeps_nobody_from_the_others() {
    let (home, _core) = home().await;
    let disc = home.file("a.iso", Disc { volume: "A", ..Disc::default() }.bytes());
    let ran = home.hv(["inspect", "--json", "/nowhere/b.iso", &disc]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.lines().any(|line| line.contains("a.iso")), "{ran:?}");
    assert!(ran.out.lines().any(|line| line.contains("\"error\"")), "{ran:?}");
}
