//! Installations without questions: what is offered, what is made for one, and what is not left behind.

use crate::{connected, make};
use hv_api::{
    AnswerFault, AnswerField, Answers, Core, Error, Express, Installation, MediumInfo, NewGuest, Secret,
};
use hv_tests::fake_engine::{FakeCore, FakeEngine};
use hv_tests::{Home, skip};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// A disc with these files, that calls itself so; nothing where it can't be made here.
fn disc(home: &Home, volume: &str, files: &[(&str, &str)]) -> Option<String> {
    let tree = home.path("tree");
    for (name, text) in files {
        let path = tree.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let path = home.text(&format!("{volume}.iso"));
    let mut xorriso = Command::new("xorriso");
    xorriso.args(["-as", "mkisofs", "-quiet", "-R", "-V", volume, "-o", &path]).arg(&tree);
    let made = xorriso.stderr(Stdio::null()).status();
    fs::remove_dir_all(&tree).expect("a folder");
    if made.is_err() {
        skip("xorriso is not installed");
        return None;
    }
    Some(path)
}

const INSTALLER: [(&str, &str); 2] =
    [("install.amd/vmlinuz", "a kernel"), ("install.amd/initrd.gz", "an initial RAM disk")];

fn new(iso: &str) -> NewGuest {
    let answers = Answers {
        user: "ada".into(),
        password: Some(Secret::new("open sesame, 4711")),
        language: Some("de_DE".into()),
        keyboard: Some("de".into()),
        ..Answers::default()
    };
    NewGuest { name: "one".into(), iso: Some(iso.into()), express: Some(answers), ..NewGuest::default() }
}

async fn looked(core: &mut impl Core, path: &str) -> MediumInfo {
    core.inspect(&[path.to_owned()]).await.expect("a connection").expect("it can be read").media.remove(0)
}

#[tokio::test]
async fn debians_installer_is_started_with_the_answers() {
    let home = Home::new();
    let Some(iso) = disc(&home, "Debian 12.7.0 amd64 n", &INSTALLER) else { return };
    let engine = Arc::<FakeEngine>::default();
    let _thread = FakeCore::start(&home, &engine).await;
    let (mut core, _events) = connected(&home).await;
    assert_eq!(looked(&mut core, &iso).await.express, Some(Express::Offered));
    let guest = make(&mut core, &new(&iso)).await.expect("a guest");
    let expected =
        Installation { medium: Some("cd0".into()), restarts: 1, unattended: true, ..Installation::default() };
    assert_eq!(guest.installing, Some(expected));
    let folder = Path::new(&guest.paths.folder).join("install");
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join("initrd.gz"))), (0o700, 0o600));
    assert_eq!(fs::read(folder.join("vmlinuz")).expect("a kernel"), b"a kernel");
    let initrd = fs::read(folder.join("initrd.gz")).expect("an initial RAM disk");
    let text = String::from_utf8_lossy(&initrd);
    assert!(text.starts_with("an initial RAM disk\x00070701"), "{text}");
    assert!(text.contains("preseed.cfg") && text.contains("d-i passwd/username string ada\n"), "{text}");
    assert!(text.contains("$6$") && !text.contains("open sesame"));
    let definition = fs::read_to_string(&guest.paths.definition).expect("a definition");
    assert!(definition.contains("auto=true priority=critical locale=de_DE.UTF-8 keymap=de"), "{definition}");
    assert!(!definition.contains("$6$"));
    let planned = NewGuest { name: "two".into(), ..new(&iso) };
    let plan = core.plan(&planned).await.expect("a connection").expect("a plan");
    assert!(
        plan.definition.contains("unattended = true") && !format!("{plan:?}").contains("$6$"),
        "{plan:?}"
    );
    // Disks that are kept have no secret beside them.
    core.delete("one", Some(false)).await.expect("a connection").expect("it is deleted");
    assert!(!folder.exists());
}

#[tokio::test]
async fn what_was_not_tried_is_not_offered_and_leaves_nothing() {
    let home = Home::new();
    let discs = [
        ("Fedora-S-dvd-x86_64-37", &INSTALLER[..], Express::NotTested),
        ("Ubuntu-Server 24.04 LTS amd64", &INSTALLER, Express::NotTested),
        ("Debian 12.5.0 i386 n", &INSTALLER, Express::WrongProcessor),
        ("Debian 12.5.0 amd64 n", &INSTALLER[1..], Express::NoInstaller),
        ("d-live 12.5.0 gn amd64", &INSTALLER[1..], Express::NoInstaller),
        ("MY DISC", &INSTALLER, Express::SystemUnknown),
    ];
    let engine = Arc::<FakeEngine>::default();
    let _thread = FakeCore::start(&home, &engine).await;
    let (mut core, _events) = connected(&home).await;
    for (volume, files, expected) in discs {
        let Some(iso) = disc(&home, volume, files) else { return };
        assert_eq!(looked(&mut core, &iso).await.express, Some(expected), "{volume}");
        let refused = make(&mut core, &new(&iso)).await.unwrap_err();
        let told = matches!(&refused, Error::ExpressNotOffered { reason, path, .. } if *reason == expected && *path == iso);
        assert!(told, "{volume}: {refused:?}");
    }
    let Some(iso) = disc(&home, "Debian 12.5.0 amd64 n", &INSTALLER) else { return };
    let without =
        NewGuest { express: Some(Answers { user: "ada".into(), ..Answers::default() }), ..new(&iso) };
    let refused = make(&mut core, &without).await.unwrap_err();
    let told = matches!(
        refused,
        Error::AnswerInvalid { field: AnswerField::Password, fault: AnswerFault::Missing, .. }
    );
    assert!(told, "{refused:?}");
    let nowhere = make(&mut core, &NewGuest { iso: None, ..new(&iso) }).await.unwrap_err();
    assert_eq!(nowhere, Error::OptionNeeds { option: "express".into(), needs: "iso".into() });
    assert_eq!(fs::read_dir(home.guests()).expect("a folder").count(), 0);
}
