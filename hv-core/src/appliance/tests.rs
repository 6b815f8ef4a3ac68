//! Tests of [`super`].

use super::archive::tests::entry;
use super::*;
use std::fs;

const DESCRIPTION: &[u8] = b"<Envelope><VirtualSystem id='a'/></Envelope>";

fn archive(name: &str, files: &[(&str, &[u8])]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(
        &path,
        files.iter().flat_map(|(name, content)| entry(name, b'0', content)).collect::<Vec<u8>>(),
    )
    .unwrap();
    (folder, path)
}

#[test]
fn an_archive_is_known_by_what_is_first_in_it() {
    let open = |name: &str, files: &[(&str, &[u8])]| {
        let (_folder, path) = archive(name, files);
        Appliance::open(&path).map(|found| found.map(|found| found.is_archive()))
    };
    assert_eq!(open("a.ova", &[("a.ovf", DESCRIPTION), ("disk", b"x")]), Ok(Some(true)));
    assert_eq!(open("any name", &[("A.OVF", DESCRIPTION)]), Ok(Some(true)));
    assert_eq!(open("a.tar", &[("notes.txt", b"x")]), Ok(None), "somebody's archive");
    for wrong in [
        &[("notes.txt", &b"x"[..]), ("a.ovf", DESCRIPTION)][..],
        &[("a.ovf", b"<Envelope>")],
        &[("a.ovf", b"x")],
    ] {
        let refused = open("a.ova", wrong);
        assert!(
            matches!(refused, Err(Error::FileUnusable { fault: FileFault::WrongFormat, .. })),
            "{refused:?}"
        );
    }
    let long = vec![b' '; 2 << 20];
    assert!(open("a.ova", &[("a.ovf", &long)]).is_err());
}

#[test]
fn a_description_is_known_beside_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        Appliance::open(&path).map(|found| found.is_some())
    };
    assert_eq!(open("a.ovf", DESCRIPTION), Ok(true));
    assert_eq!(open("a.xml", DESCRIPTION), Ok(true));
    assert_eq!(open("b.xml", b"<domain/>"), Ok(false));
    assert_eq!(open("c.ovf", b"no XML"), Ok(false));
    assert!(open("d.ovf", b"<domain/>").is_err());
}

#[tokio::test]
async fn files_are_compared_with_the_manifest() {
    let digest = |bytes: &[u8]| manifest::digest(Algorithm::Sha256, &mut &*bytes, &mut |_| true).unwrap();
    let lines = |disk: &str| {
        format!("SHA256(a.ovf)= {}\nSHA256(disk)= {disk}\nSHA256(gone)= {disk}\n", digest(DESCRIPTION))
    };
    let disk = vec![7; 1 << 20];
    let right = lines(&digest(&disk));
    let (_folder, path) =
        archive("a.ova", &[("a.ovf", DESCRIPTION), ("a.mf", right.as_bytes()), ("disk", &disk)]);
    let last = std::cell::Cell::new((0, 0));
    let told = |done: ByteSize, total: ByteSize| last.set((done.as_bytes(), total.as_bytes()));
    assert_eq!(Appliance::verify(&path, told).await, Ok(()));
    let all = (DESCRIPTION.len() + disk.len()) as u64;
    assert_eq!(last.get().1, all, "{last:?}");

    let wrong = digest(b"something else");
    let (_folder, path) =
        archive("a.ova", &[("a.ovf", DESCRIPTION), ("disk", &disk), ("a.mf", lines(&wrong).as_bytes())]);
    let expected = Error::ApplianceDamaged {
        path: path.display().to_string(),
        file: "disk".into(),
        algorithm: "SHA-256".into(),
        expected: wrong,
        found: digest(&disk),
    };
    assert_eq!(Appliance::verify(&path, |_, _| {}).await, Err(expected));
    let (_folder, path) = archive("a.ova", &[("a.ovf", DESCRIPTION), ("a.mf", b"whatever")]);
    assert!(matches!(Appliance::verify(&path, |_, _| {}).await, Err(Error::FileUnusable { .. })));
    let (_folder, path) = archive("a.ova", &[("a.ovf", DESCRIPTION)]);
    assert_eq!(Appliance::verify(&path, |_, _| {}).await, Ok(()), "there is nothing to compare with");
}
