//! Appliances and disk images that are imported: what is told of them, the guest that is made, and what is left of one
//! that fails or is given up, which is nothing.

use crate::files::has_image_tool;
use crate::{connected, ended, make, shown};
use futures_util::StreamExt;
use hv_api::client::{Connection, settle};
use hv_api::{ByteSize, Core, DiskBus, Error, FileFault, ImportPlan, JobStage};
use hv_tests::{Home, Ova, Script, entry, header, until, within};
use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Command, Stdio};

/// A disk whose first sector can be started from, with this at its first mebibyte.
fn disk(home: &Home, name: &str, says: &[u8]) -> PathBuf {
    let mut content = vec![0; 3 << 20];
    content[510..512].copy_from_slice(&[0x55, 0xaa]);
    content[1 << 20..][..says.len()].copy_from_slice(says);
    let path = home.path(name);
    fs::write(&path, content).expect("a file");
    path
}

/// The same as another program has it.
fn converted(raw: &Path, format: &str, options: &[&str]) -> PathBuf {
    let path = raw.with_extension(format);
    let mut tool = Command::new("qemu-img");
    tool.args(["convert", "-f", "raw", "-O", format]).args(options).arg(raw).arg(&path);
    assert!(tool.status().expect("qemu-img").success());
    path
}

fn stream_optimized(raw: &Path) -> PathBuf {
    converted(raw, "vmdk", &["-o", "subformat=streamOptimized"])
}

fn packed(file: &Path) -> PathBuf {
    let path = file.with_extension("gz");
    let mut packer = Command::new("gzip");
    let packer = packer.arg("-c").stdin(fs::File::open(file).expect("a file")).stdout(Stdio::piped());
    let output = packer.spawn().expect("gzip").wait_with_output().expect("its output");
    fs::write(&path, output.stdout).expect("a file");
    path
}

/// What a guest sees of its disk at the first mebibyte.
fn says(home: &Home, disk: &str) -> Vec<u8> {
    let path = home.path("content");
    let mut tool = Command::new("qemu-img");
    tool.args(["convert", "-f", "qcow2", "-O", "raw", disk]).arg(&path);
    assert!(tool.status().expect("qemu-img").success());
    fs::read(path).expect("a file")[1 << 20..][..5].to_vec()
}

async fn plan(core: &mut Connection, path: &Path) -> Result<ImportPlan, Error> {
    core.plan_import(path.to_str().expect("UTF-8"), None).await.expect("a connection")
}

#[tokio::test]
async fn an_appliance_is_shown_and_becomes_a_guest_with_all_of_its_disks() {
    if !has_image_tool() {
        return;
    }
    let home = Home::with_fake_qemu(&Script::obedient());
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    let mut ova = Ova::new();
    ova.disk("disk, 1.vmdk", &stream_optimized(&disk(&home, "a.img", b"first")));
    ova.disk("disk2.vmdk.gz", &packed(&converted(&disk(&home, "b.img", b"other"), "vmdk", &[])));
    ova.disk("disk3.qcow2", &converted(&disk(&home, "c.img", b"third"), "qcow2", &[]));
    let path = home.path("all, in one.ova");
    ova.write(&path, Some(&ova.manifest("sha256", &home.path("."))));
    let before = fs::read(&path).expect("a file");
    let text = path.to_str().expect("UTF-8");

    let told = home.hv(["inspect", "--json", text]).await.json();
    assert_eq!((told["kind"].as_str(), told["format"].as_str()), (Some("appliance"), Some("ova")), "{told}");
    assert_eq!((told["recommended"]["cpus"].as_u64(), told["arch"].as_str()), (Some(1), Some("x86_64")));
    let inside = &told["appliance"];
    assert_eq!((inside["name"].as_str(), inside["has_manifest"].as_bool()), (Some("handed on"), Some(true)));
    let formats: Vec<_> =
        inside["disks"].as_array().expect("disks").iter().map(|disk| disk["format"].as_str()).collect();
    assert_eq!(formats, [Some("vmdk"), Some("gz"), Some("qcow2")]);
    assert!(home.hv(["inspect", text]).await.done().contains("disk, 1.vmdk, vmdk, 3 MiB"));

    let plan = plan(&mut core, &path).await.unwrap();
    let created = core.create(&plan.guest).await.unwrap().unwrap();
    let mut stages = Vec::new();
    {
        let mut follower = home.connect().await;
        let mut job = pin!(follower.follow(created.job).await.expect("a connection"));
        let mut last = 0.0;
        while let Some(message) = within("the job", job.next()).await {
            let job = message.expect("a connection").expect("it does not fail").job;
            assert!(job.progress >= last, "{job:?}");
            last = job.progress;
            if let (Some(done), Some(total)) = (job.done, job.total) {
                assert!(done <= total, "{job:?}");
            }
            if stages.last() != Some(&job.stage) {
                stages.push(job.stage);
            }
        }
    }
    // Files of some kilobytes are checked before anybody can look.
    assert!(stages.contains(&JobStage::Copying), "{stages:?}");
    let guest = shown(&mut core, "handed on").await;
    assert_eq!((guest.cpus, guest.memory), (1, ByteSize::mib(64)));
    for (disk, expected) in guest.disks.iter().zip([b"first", b"other", b"third"]) {
        assert!(disk.own && disk.bus == DiskBus::Sata && disk.format == "qcow2", "{disk:?}");
        assert_eq!(says(&home, &disk.path), expected);
    }
    assert_eq!(guest.disks.len(), 3);
    assert_eq!(fs::read(&path).expect("a file"), before, "the appliance stays as it is");
    let kept = fs::read_dir(&guest.paths.folder).expect("a folder").count();
    assert_eq!(kept, 4, "the definition and the disks");
    // The same once more is another guest.
    let told = home.hv(["import", text, "--name", "again"]).await.done();
    assert!(told.contains("kept     disk: disk 0, ovf:/disk/disk0 (disk, 1.vmdk)"), "{told}");
}

#[tokio::test]
async fn an_appliance_in_a_folder_is_checked_and_imported() {
    if !has_image_tool() {
        return;
    }
    let home = Home::with_fake_qemu(&Script::obedient());
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    let mut ova = Ova::new();
    ova.disk("disk1.vmdk", &stream_optimized(&disk(&home, "a.img", b"first")));
    for algorithm in ["sha1", "sha512"] {
        let folder = home.path(algorithm);
        let path = ova.write_beside(&folder, Some(&ova.manifest(algorithm, &home.path("."))));
        let plan = plan(&mut core, &path).await.unwrap();
        let guest = make(&mut core, &plan.guest).await.unwrap();
        assert_eq!(says(&home, &guest.disks[0].path), b"first");
        core.delete(&guest.name, Some(true)).await.unwrap().unwrap();
        // One bit of it is another one now.
        let file = folder.join("disk1.vmdk");
        let mut content = fs::read(&file).expect("a file");
        let end = content.len() - 1;
        content[end] ^= 1;
        fs::write(&file, content).expect("a file");
        let refused = make(&mut core, &plan.guest).await.unwrap_err();
        assert!(
            matches!(&refused, Error::ApplianceDamaged { file, .. } if file == "disk1.vmdk"),
            "{refused:?}"
        );
        assert_eq!(home.tree().iter().filter(|path| path.is_file()).count(), 0, "{:?}", home.tree());
    }
    let told = home.hv(["import", &home.text("sha1/machine.ovf"), "--json"]).await;
    assert!(told.code == 1 && told.out.contains("appliance-damaged"), "{told:?}");
}

#[tokio::test]
async fn hostile_appliances_are_refused_and_leave_nothing() {
    if !has_image_tool() {
        return;
    }
    let home = Home::with_fake_qemu(&Script::obedient());
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    let before = home.tree();
    let machine = Ova::new().description().into_bytes();
    let first = entry("machine.ovf", &machine);
    let mut link = header("disk1.vmdk", 0);
    link[156] = b'2';
    link[157..168].copy_from_slice(b"/etc/passwd");
    let flipped = [&first[..], &[1; 512]].concat();
    let archives = [
        [first.clone(), entry("../../disk1.vmdk", b"x")].concat(),
        [first.clone(), entry("/etc/disk1.vmdk", b"x")].concat(),
        [first.clone(), link].concat(),
        [first.clone(), header("disk1.vmdk", 10 << 40), vec![0; 4096]].concat(),
        [first.clone(), entry("machine.ovf", &machine)].concat(),
        [first.clone(), (0..3000).flat_map(|number| header(&format!("{number}"), 0)).collect()].concat(),
        flipped,
        [entry("disk1.vmdk", b"x"), first].concat(),
        entry("machine.ovf", b"<!DOCTYPE a [<!ENTITY b 'b'>]><Envelope/>"),
        entry("machine.ovf", &vec![b' '; 2 << 20]),
    ];
    for (number, archive) in archives.iter().enumerate() {
        let path = home.path(&format!("{number}.ova"));
        fs::write(&path, archive).expect("a file");
        let refused = plan(&mut core, &path).await;
        let wrong = matches!(refused, Err(Error::FileUnusable { fault: FileFault::WrongFormat, .. }));
        assert!(wrong, "{number}: {refused:?}");
        let inspected = core.inspect(&[path.display().to_string()]).await.expect("a connection");
        assert!(inspected.is_err(), "{number}: {inspected:?}");
    }
    // Its disks name other files of this user's.
    let secret = disk(&home, "secret.img", b"other");
    let layer = home.path("layer.qcow2");
    let mut tool = Command::new("qemu-img");
    tool.args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]).arg(&secret).arg(&layer);
    assert!(tool.status().expect("qemu-img").success());
    let extent = home.file(
        "descriptor.vmdk",
        "# Disk DescriptorFile\nversion=1\ncreateType=\"monolithicFlat\"\n\
        RW 6144 FLAT \"secret.img\" 0\n",
    );
    let bits = disk(&home, "bits.img", b"other");
    let broken = {
        let path = stream_optimized(&bits);
        let mut content = fs::read(&path).expect("a file");
        // Where its table is.
        content[56..64].fill(0x7f);
        fs::write(&path, content).expect("a file");
        path
    };
    for file in [layer.as_path(), extent.as_ref(), &broken] {
        let mut ova = Ova::new();
        ova.disk("disk1", file);
        let path = home.path("naming.ova");
        ova.write(&path, None);
        let plan = plan(&mut core, &path).await.unwrap();
        let refused = make(&mut core, &plan.guest).await.unwrap_err();
        let wrong = matches!(refused, Error::FileUnusable { fault: FileFault::WrongFormat, .. });
        assert!(wrong, "{}: {refused:?}", file.display());
    }
    // One that is not there is told, and can't be left out by accident.
    let mut ova = Ova::new();
    ova.disk("disk1.vmdk", &secret);
    let beside = ova.write_beside(&home.path("beside"), None);
    fs::remove_file(home.path("beside/disk1.vmdk")).expect("a file");
    std::os::unix::fs::symlink(&secret, home.path("beside/disk1.vmdk")).expect("a link");
    let plan = plan(&mut core, &beside).await.unwrap();
    let refused = make(&mut core, &plan.guest).await.unwrap_err();
    assert!(matches!(refused, Error::ApplianceFileUnusable { .. }), "{refused:?}");
    assert_eq!(home.tree(), before);
}

#[tokio::test]
async fn an_import_that_is_cancelled_leaves_nothing() {
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
    let long = home.path("long.gz");
    fs::write(&long, fs::read(packed(&part)).expect("a file").repeat(256)).expect("a file");
    let mut ova = Ova::new();
    ova.disk("disk1.img.gz", &long);
    let path = home.path("long.ova");
    ova.write(&path, None);
    let guest = plan(&mut core, &path).await.unwrap().guest;
    let created = core.create(&guest).await.unwrap().unwrap();
    until("it is at it", || home.tree().iter().any(|path| path.ends_with("disk0.unpacked")).then_some(()))
        .await;
    core.cancel(created.job).await.unwrap().unwrap();
    assert!(matches!(ended(&home, created.job).await, Ok(()) | Err(Error::JobCancelled { .. })));
    let nothing = || (fs::read_dir(home.guests()).expect("a folder").count() == 0).then_some(());
    until("nothing of it", nothing).await;

    // And while its files are compared with the manifest: a disk of which nearly all is a hole.
    let huge = home.path("huge/disk1.img");
    let mut described = Ova::new();
    described.disk("disk1.img", &part);
    let path =
        described.write_beside(&home.path("huge"), Some(&described.manifest("sha512", &home.path("."))));
    fs::File::options().write(true).open(&huge).and_then(|file| file.set_len(64 << 30)).expect("a hole");
    let guest = plan(&mut core, &path).await.unwrap().guest;
    let created = core.create(&guest).await.unwrap().unwrap();
    {
        let mut follower = home.connect().await;
        let mut job = pin!(follower.follow(created.job).await.expect("a connection"));
        while let Some(message) = within("it compares them", job.next()).await {
            let job = settle(message).expect("it does not fail").job;
            if job.stage == JobStage::Verifying && job.done.is_some_and(|done| done.as_bytes() > 1 << 20) {
                break;
            }
        }
    }
    core.cancel(created.job).await.unwrap().unwrap();
    assert!(matches!(ended(&home, created.job).await, Ok(()) | Err(Error::JobCancelled { .. })));
    assert!(matches!(core.show(&guest.name).await.unwrap(), Err(Error::GuestNotFound { .. })));
    until("nothing of it", nothing).await;
}

/// The room is looked at before anything is written.
#[tokio::test]
async fn an_import_that_does_not_fit_is_refused_before_it_begins() {
    if !has_image_tool() {
        return;
    }
    let home = Home::with_fake_qemu(&Script::obedient());
    let data = home.text("data");
    let small = format!("mount -t tmpfs -o size=1m,mode=0700 none {data} && exec \"$0\"");
    let wrapper = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", &small];
    let tried = home.run(home.command("unshare").args(&wrapper[1..]).arg("true")).await;
    if tried.code != 0 {
        return hv_tests::skip(&format!("no small file system can be made: {}", tried.err));
    }
    let _process = home.core_under(&wrapper).await;
    let (mut core, _events) = connected(&home).await;
    // Of random bytes, so that no form of it is smaller.
    let raw = disk(&home, "a.img", b"first");
    let mut content = fs::read(&raw).expect("a file");
    let mut state = 1_u64;
    for bytes in content[4096..].chunks_mut(8) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.copy_from_slice(&(state ^ (state >> 29)).to_le_bytes()[..bytes.len()]);
    }
    fs::write(&raw, content).expect("a file");
    let mut ova = Ova::new();
    ova.disk("disk1.vmdk", &stream_optimized(&raw));
    let path = home.path("large.ova");
    ova.write(&path, None);
    let guest = plan(&mut core, &path).await.unwrap().guest;
    let refused = make(&mut core, &guest).await.unwrap_err();
    let Error::SpaceMissing { needed, available, .. } = refused else { panic!("{refused:?}") };
    assert!(needed > ByteSize::mib(3) && available <= ByteSize::mib(1), "{needed}, {available}");
}

#[tokio::test]
async fn a_bare_disk_image_becomes_a_guest_with_a_copy_of_it() {
    if !has_image_tool() {
        return;
    }
    let home = Home::with_fake_qemu(&Script::obedient());
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    let vmdk = converted(&disk(&home, "old_server.img", b"first"), "vmdk", &[]);
    let told = home.hv(["import", vmdk.to_str().expect("UTF-8"), "--name", "old"]).await.done();
    assert!(told.starts_with("changed  ") && told.contains("old_server.vmdk (vmdk, 3 MiB)"), "{told}");
    let guest = shown(&mut core, "old").await;
    assert_eq!(says(&home, &guest.disks[0].path), b"first");
    assert_eq!((guest.disks.len(), guest.nics.len()), (1, 1));
}
