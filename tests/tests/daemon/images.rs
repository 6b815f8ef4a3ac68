//! Disk images from elsewhere: what a guest's disk holds that is made of one, in whatever form it comes.

use crate::files::has_image_tool;
use crate::{connected, ended, make};
use hv_api::{ByteSize, Core, Error, FileFault, NewGuest};
use hv_tests::{Home, Script, until};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SIZE: u64 = 3 << 20;

/// A disk with a partition table, and something on it.
fn raw(folder: &Path) -> PathBuf {
    let mut content = vec![0; SIZE as usize];
    content[510..512].copy_from_slice(&[0x55, 0xaa]);
    content[1 << 20..][..4].copy_from_slice(b"here");
    let path = folder.join("disk, of mine.img");
    fs::write(&path, content).expect("a file");
    path
}

fn converted(raw: &Path, format: &str) -> PathBuf {
    let path = raw.with_extension(format);
    let mut tool = Command::new("qemu-img");
    tool.args(["convert", "-f", "raw", "-O", format]).arg(raw).arg(&path);
    assert!(tool.status().expect("qemu-img").success());
    path
}

/// A file as a program packs it; nothing where that is not installed.
fn packed(file: &Path, program: &str) -> Option<PathBuf> {
    let path = PathBuf::from(format!("{}.by-{program}", file.display()));
    let mut packer = Command::new(program);
    let packer = packer.arg("-c").stdin(fs::File::open(file).expect("a file")).stdout(Stdio::piped());
    let Ok(packer) = packer.spawn() else {
        hv_tests::skip(&format!("{program} is not installed"));
        return None;
    };
    fs::write(&path, packer.wait_with_output().expect("its output").stdout).expect("a file");
    Some(path)
}

fn of_image(name: &str, image: &Path) -> NewGuest {
    NewGuest { name: name.into(), image: Some(image.display().to_string()), ..NewGuest::default() }
}

/// What a guest sees of its disk.
fn content(home: &Home, disk: &str) -> Vec<u8> {
    let path = home.path("content");
    let mut tool = Command::new("qemu-img");
    tool.args(["convert", "-f", "qcow2", "-O", "raw", disk]).arg(&path);
    assert!(tool.status().expect("qemu-img").success());
    fs::read(path).expect("a file")
}

#[tokio::test]
async fn a_disk_is_made_of_an_image_in_any_form_and_the_image_stays_as_it_is() {
    if !has_image_tool() {
        return;
    }
    let home = Home::with_fake_qemu(&Script::obedient());
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    let raw = raw(&home.path("."));
    let mut images: Vec<_> =
        ["qcow2", "vmdk", "vdi", "vhdx", "vpc"].iter().map(|format| converted(&raw, format)).collect();
    images.extend(["gzip", "xz", "zstd"].iter().filter_map(|program| packed(&raw, program)));
    images.extend(packed(&images[0], "gzip"));
    images.push(raw.clone());
    for image in &images {
        let before = fs::read(image).expect("a file");
        let name = image.file_name().expect("a name").to_str().expect("UTF-8");
        let guest = make(&mut core, &of_image(name, image)).await.unwrap();
        let disk = &guest.disks[0];
        assert!(disk.own && disk.path.ends_with("disk0.qcow2"), "{disk:?}");
        let found = content(&home, &disk.path);
        // VHD counts in cylinders.
        assert!(found.len() as u64 >= SIZE && found.len() < 2 * SIZE as usize, "{name}: {}", found.len());
        assert_eq!(&found[1 << 20..][..4], b"here", "{name}");
        assert_eq!(fs::read(image).expect("a file"), before, "{name}");
        let kept = fs::read_dir(&guest.paths.folder).expect("a folder").count();
        assert_eq!(kept, 2, "{name}: the definition and the disk");
    }
    let told = home.hv(["inspect", "--json", images[1].to_str().expect("UTF-8")]).await.json();
    assert_eq!(
        (told["kind"].as_str(), told["format"].as_str()),
        (Some("disk-image"), Some("vmdk")),
        "{told}"
    );
    // Larger, where that is asked for; never smaller.
    let larger = NewGuest { disk: Some(ByteSize::mib(8)), ..of_image("larger", &images[0]) };
    let guest = make(&mut core, &larger).await.unwrap();
    assert_eq!(guest.disks[0].size, Some(ByteSize::mib(8)));
    for (place, image) in [(0, "qcow2"), (5, "gzip")] {
        let smaller = NewGuest { disk: Some(ByteSize::mib(1)), ..of_image(image, &images[place]) };
        let name = format!("smaller-{image}");
        let refused = make(&mut core, &NewGuest { name, ..smaller }).await.unwrap_err();
        let told =
            matches!(refused, Error::DiskSizeOutOfRange { minimum, .. } if minimum == ByteSize::bytes(SIZE));
        assert!(told, "{refused:?}");
    }
    let words = ["create", "by hand", "--disk", "4MiB", "--image"];
    home.hv(words.iter().copied().chain([raw.to_str().expect("UTF-8")])).await.done();
}

#[tokio::test]
async fn an_image_that_is_no_good_leaves_nothing() {
    if !has_image_tool() {
        return;
    }
    let home = Home::with_fake_qemu(&Script::obedient());
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    let raw = raw(&home.path("."));
    let before = fs::read_dir(home.guests()).map_or(0, Iterator::count);
    let layer = home.path("layer.qcow2");
    let mut tool = Command::new("qemu-img");
    tool.args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]).arg(&raw).arg(&layer);
    assert!(tool.status().expect("qemu-img").success());
    let text = home.path("notes.txt");
    fs::write(&text, "nothing to start from").expect("a file");
    let mut bad = vec![text.clone()];
    bad.extend(packed(&layer, "gzip"));
    bad.extend(packed(&text, "gzip"));
    if let Some(cut) = packed(&raw, "gzip") {
        let whole = fs::read(&cut).expect("a file");
        fs::write(&cut, &whole[..whole.len() - 9]).expect("a file");
        bad.push(cut);
    }
    for image in &bad {
        let refused = make(&mut core, &of_image("one", image)).await.unwrap_err();
        let shown = image.display().to_string();
        let told = matches!(&refused, Error::FileUnusable { fault: FileFault::WrongFormat, path, .. } if *path == shown);
        assert!(told, "{refused:?}");
        assert_eq!(fs::read_dir(home.guests()).map_or(0, Iterator::count), before, "{shown}");
    }
}

/// Also in the middle of it.
#[tokio::test]
async fn a_creation_that_is_cancelled_leaves_nothing() {
    if !has_image_tool() {
        return;
    }
    let home = Home::with_fake_qemu(&Script::obedient());
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    // What takes a while to unpack: some gigabytes, part by part.
    let part = home.path("part.img");
    let mut content = vec![0; 16 << 20];
    content[510..512].copy_from_slice(&[0x55, 0xaa]);
    fs::write(&part, content).expect("a file");
    let Some(image) = packed(&part, "gzip") else { return };
    fs::write(&image, fs::read(&image).expect("a file").repeat(256)).expect("a file");
    let created = core.create(&of_image("one", &image)).await.unwrap().unwrap();
    until("it is at it", || {
        let folders = fs::read_dir(home.guests()).into_iter().flatten().flatten();
        folders.map(|entry| entry.path().join("disk0.unpacked")).any(|file| file.exists()).then_some(())
    })
    .await;
    core.cancel(created.job).await.unwrap().unwrap();
    assert!(matches!(ended(&home, created.job).await, Ok(()) | Err(Error::JobCancelled { .. })));
    until("nothing of it", || (fs::read_dir(home.guests()).expect("a folder").count() == 0).then_some(()))
        .await;
    assert!(matches!(core.show("one").await.unwrap(), Err(Error::GuestNotFound { .. })));
}
