//! `guesthouse-bench`: what Guesthouse costs, beside what the same costs by hand or with virt-manager.
//!
//! Both sides of a comparison are taken in one run and in turns, because figures of two hours on a shared
//! machine compare badly. It works in a home and on a screen of its own and touches no guest of the user's.
//! Its arguments name what to measure; without any, that is everything.
#![expect(clippy::print_stdout, reason = "this is what it says to whoever runs it")]

mod by_hand;
mod measure;
mod reading;
mod running;
mod saving;
mod table;

use hv_tests::ui::Desktop;
use hv_tests::{Home, program};
use measure::{Load, Shown, median, stopwatch};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use table::Table;

/// What can be measured.
const PARTS: [&str; 8] = ["start", "idle", "many", "inspect", "import", "window", "save", "running"];

/// How many guests are many.
const MANY: usize = 1000;

/// How many guests stand while nothing happens.
const STANDING: usize = 50;

/// How often a thing is measured whose median counts.
const ROUNDS: usize = 7;

/// How often a guest is started: the two sides lie so close together that fewer would compare chance.
const STARTS: usize = 21;

/// How long idleness is watched.
const WATCHED: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let wanted: Vec<_> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|word| !PARTS.contains(&word.as_str())) {
        println!("guesthouse-bench: nothing here is called {unknown}. It measures: {}", PARTS.join(", "));
        std::process::exit(2);
    }
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|word| word == part);
    let mut table = Table::default();
    if is_wanted("start") {
        start_of_a_guest(&mut table).await;
    }
    if is_wanted("idle") {
        idle_core(&mut table).await;
    }
    if is_wanted("many") {
        many_guests(&mut table).await;
    }
    if is_wanted("inspect") {
        reading::many_discs(&mut table).await;
    }
    if is_wanted("import") {
        reading::a_disk_of_an_image(&mut table).await;
    }
    if is_wanted("save") {
        saving::saving_of_a_guest(&mut table).await;
    }
    if is_wanted("running") {
        running::guests_that_run(&mut table).await;
    }
    if is_wanted("window") {
        windows(&mut table).await;
    }
    table.print();
}

async fn windows(table: &mut Table) {
    if let Some(missing) = Desktop::missing() {
        println!("{missing} is not installed: the window is not measured.");
        return;
    }
    let other = installed("virt-manager");
    if !other {
        println!("virt-manager is not installed: the window is not compared with it.");
    }
    for guests in [0, MANY] {
        window(table, guests, other).await;
    }
}

/// A guest's start, beside the same engine that is started by hand.
async fn start_of_a_guest(table: &mut Table) {
    let home = Home::new();
    let _core = home.core().await;
    let words = ["create", "measured", "--empty", "--no-disk", "--memory", "256MiB", "--cpus", "1"];
    let plan = home.hv(["--json"].iter().chain(&words).chain(&["--dry-run"])).await.json();
    done(&home, &words).await;
    let command = by_hand::Command::from_plan(&plan, &home);
    let (mut ours, mut by_hand) = (Vec::new(), Vec::new());
    for _round in 0..STARTS {
        ours.push(stopwatch(done(&home, &["start", "measured"])).await);
        done(&home, &["force-off", "measured"]).await;
        by_hand.push(command.time_until_running().await);
    }
    table.compare("a guest's start, to running", median(ours), "QEMU by hand", median(by_hand), Some(1.1));
}

/// What the core does when nothing happens.
async fn idle_core(table: &mut Table) {
    let home = Home::new();
    let core = home.core().await;
    let load = Load::over(core.pid(), WATCHED).await;
    table.limit("idle core: wake-ups a second", load.wake_ups_a_second(), 1.0);
    table.note("idle core: CPU, %", &format!("{:.2}", load.cpu()));
    for number in 0..STANDING {
        let name = format!("paused {number}");
        let words = ["create", &name, "--empty", "--no-disk", "--memory", "32MiB", "--cpus", "1"];
        done(&home, &words).await;
        done(&home, &["start", "--paused", &name]).await;
    }
    let load = Load::over(core.pid(), WATCHED).await;
    let what = format!("core with {STANDING} paused guests");
    table.limit(&format!("{what}: wake-ups a second"), load.wake_ups_a_second(), 1.0);
    table.limit(&format!("{what}: CPU, %"), load.cpu(), 0.2);
    table.limit(&format!("{what}: memory, MiB"), measure::resident(core.pid()), 38.0);
    // Who looked at statistics and went leaves nothing behind.
    done(&home, &["stats", "paused 0"]).await;
    let load = Load::over(core.pid(), WATCHED).await;
    table.limit("the same, after somebody looked at statistics", load.wake_ups_a_second(), 1.0);
}

/// A core with many guests.
async fn many_guests(table: &mut Table) {
    let few = Home::new();
    let few_core = few.core().await;
    let many = Home::new();
    define(&many, MANY).await;
    let begun = Instant::now();
    let many_core = many.core().await;
    let listed = done(&many, &["list", "--json"]).await;
    table.note("core's start with 1,000 guests, to the first list", &measure::milliseconds(begun.elapsed()));
    assert_eq!(listed.lines().count(), MANY, "all guests are listed");
    let (mut with_many, mut with_none) = (Vec::new(), Vec::new());
    for _round in 0..ROUNDS {
        with_many.push(stopwatch(done(&many, &["list", "--json"])).await);
        with_none.push(stopwatch(done(&few, &["list", "--json"])).await);
    }
    table.compare("hv list --json of 1,000 guests", median(with_many), "of none", median(with_none), None);
    if !installed("virsh") {
        table.note("virsh list --all", "virsh is not installed: not compared");
    }
    let (own, base) = (measure::memory(many_core.pid()), measure::memory(few_core.pid()));
    table.note("core with 1,000 guests: memory", &format!("{own}, without any {base}"));
    let load = Load::over(many_core.pid(), WATCHED).await;
    table.limit("core with 1,000 guests: wake-ups a second", load.wake_ups_a_second(), 1.0);
}

/// Defines guests by writing their files, as they are found when the core starts.
async fn define(home: &Home, count: usize) {
    let words = ["--json", "create", "pattern", "--empty", "--no-disk", "--dry-run"];
    let plan = home.hv(words).await.json();
    // Whatever core answered that has not seen these.
    for core in home.cores() {
        core.terminate();
        core.ended().await;
    }
    let pattern = plan["definition"].as_str().expect("a definition").to_owned();
    let id = pattern.lines().find_map(|line| line.strip_prefix("id = ")).expect("its identity").to_owned();
    for number in 0..count {
        let own = format!("00000000-0000-4000-8000-{number:012}");
        let folder = home.guests().join(&own);
        fs::create_dir_all(&folder).expect("a folder");
        let text =
            pattern.replace(&id, &format!("{own:?}")).replace("\"pattern\"", &format!("\"guest {number}\""));
        fs::write(folder.join("guest.toml"), text).expect("a definition");
    }
}

/// The window, beside virt-manager's with as many guests.
async fn window(table: &mut Table, guests: usize, compare: bool) {
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    for _round in 0..3 {
        let desktop = Desktop::new().await;
        define(desktop.home(), guests).await;
        // The core runs before, as libvirt does.
        desktop.hv(&["list"]).await;
        ours.push(Shown::after_start(&desktop, desktop.command(program("guesthouse"))).await);
        drop(desktop);
        if compare {
            let desktop = Desktop::new().await;
            let file = libvirt_guests(desktop.home().path("guests.xml").as_path(), guests);
            let mut other = desktop.command("virt-manager");
            other.args(["--no-fork", "--connect", &file]);
            others.push(Shown::after_start(&desktop, other).await);
        }
    }
    let what = format!("window with {guests} guests");
    for (name, value) in Shown::FIGURES {
        // Of many guests, only those in sight should cost anything; of memory, the toolkit's own is the most.
        let goal = if guests > 0 && name.ends_with(", s") { 0.1 } else { 1.0 };
        let own = median(ours.iter().map(value).collect());
        if compare {
            let other = median(others.iter().map(value).collect());
            table.compare_figures(&format!("{what}: {name}"), own, "virt-manager", other, Some(goal));
        } else {
            table.note(&format!("{what}: {name}"), &format!("{own:.1}"));
        }
    }
}

/// Guests for libvirt's test driver, which needs no service. Returns the address of the connection.
fn libvirt_guests(file: &Path, count: usize) -> String {
    let domain = |number| {
        format!(
            "<domain type='test'><name>guest {number}</name><memory>262144</memory><vcpu>1</vcpu>\
             <os><type arch='x86_64'>hvm</type></os></domain>"
        )
    };
    let domains: Vec<_> = (0..count).map(domain).collect();
    fs::write(file, format!("<node>{}</node>", domains.concat())).expect("a file");
    format!("test://{}", file.display())
}

/// Runs `hv`, which must succeed for its time to mean anything.
async fn done(home: &Home, words: &[&str]) -> String {
    home.hv(words).await.done()
}

fn installed(name: &str) -> bool {
    let search = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search).any(|folder| folder.join(name).is_file())
}
