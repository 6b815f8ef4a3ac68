//! What is on media, and disks made of images of other programs.

use crate::done;
use crate::measure::{median, stopwatch};
use crate::table::Table;
use hv_tests::Home;
use hv_tests::disc::Disc;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

/// How many discs are looked at in one call.
const DISCS: usize = 1000;

/// How large the image is whose copy is measured, and each of the eight places of it that are written: an eighth of it all,
/// as a system that was just installed.
const IMAGE: u64 = 4 << 30;
const WRITTEN: usize = 64 << 20;

/// How often each is measured.
const ROUNDS: usize = 5;

/// A disc as it is installed from, where this package is there: what begins like one is read further.
const REAL: &str = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso";

/// All discs of a folder, looked at in one call.
pub async fn many_discs(table: &mut Table) {
    let home = Home::new();
    let core = home.core().await;
    let mut paths = Vec::new();
    for number in 0..DISCS {
        let path = home.path(&format!("disc {number}.iso"));
        if number % 2 == 0 && Path::new(REAL).exists() {
            std::os::unix::fs::symlink(REAL, &path).expect("a link");
        } else {
            let volume = format!("Debian {}.0.0 amd64 n", number % 13);
            let disc = Disc { volume: &volume, system: "", publisher: "", application: "XORRISO" };
            fs::write(&path, disc.bytes()).expect("a file");
        }
        paths.push(path.display().to_string());
    }
    let words: Vec<&str> =
        ["inspect", "--json"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    // Once before: the database is read then.
    done(&home, &words[..3]).await;
    let mut took = Vec::new();
    let before = read_by(core.pid());
    for _round in 0..ROUNDS {
        took.push(stopwatch(done(&home, &words)).await.as_secs_f64());
    }
    let each = (read_by(core.pid()) - before) as f64 / (ROUNDS * DISCS) as f64 / 1024.0;
    table.limit("hv inspect of 1,000 discs in one call, s", median(took), 2.0);
    table.limit("what of each is read, KiB", each, 100.0);
}

/// A sparse image of 4 GiB that becomes a guest's disk, beside QEMU's own tool.
pub async fn a_disk_of_an_image(table: &mut Table) {
    let home = Home::new();
    let _core = home.core().await;
    let image = home.path("image.raw");
    let mut file = fs::File::create(&image).expect("a file");
    file.set_len(IMAGE).expect("room");
    // A boot sector, and in each half GiB something that is neither zero nor the same.
    let mut bytes: Vec<u8> =
        (0..WRITTEN as u64).map(|at| (at.wrapping_mul(0x9e37_79b9) >> 16) as u8).collect();
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    for place in (0..IMAGE).step_by(1 << 29) {
        file.seek(SeekFrom::Start(place)).and_then(|_| file.write_all(&bytes)).expect("room");
    }
    file.sync_all().expect("a disk that takes it");
    let (image, copy) = (image.display().to_string(), home.text("copy.qcow2"));
    let (mut ours, mut by_hand): (Vec<Duration>, Vec<Duration>) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let name = format!("guest {round}");
        ours.push(stopwatch(done(&home, &["create", &name, "--image", &image])).await);
        let mut tool = home.command("qemu-img");
        tool.args(["convert", "-f", "raw", "-O", "qcow2", &image, &copy]);
        by_hand.push(stopwatch(async { assert_eq!(home.run(&mut tool).await.code, 0) }).await);
        fs::remove_file(&copy).expect("it is there");
        done(&home, &["delete", &name, "--with-disks"]).await;
    }
    let goal = Some(1.1);
    table.compare(
        "a guest of a sparse image of 4 GiB",
        median(ours),
        "qemu-img convert",
        median(by_hand),
        goal,
    );
}

/// What a process has read, in bytes.
fn read_by(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).expect("a process");
    let line = text.lines().find_map(|line| line.strip_prefix("rchar: ")).expect("what it has read");
    line.parse().expect("a number")
}
