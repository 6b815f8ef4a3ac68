//! The text that people get: tables, and blocks of one fact a line. Names and paths are made harmless
//! for the terminal here.

use super::network::mode_words;
use super::text::escaped;
use super::views::wire_word;
use crate::failure::english;
use hv_api::problem::{explain_accelerator, explain_state};
use hv_api::{CpuLimitFault, GuestInfo, HostInfo, Installation, ShutdownWait};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr;

/// A table with columns as wide as their widest cell needs on a terminal.
pub fn table<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> String {
    let rows: Vec<[String; N]> = std::iter::once(head.map(str::to_owned))
        .chain(rows.into_iter().map(|row| row.map(|cell| escaped(&cell))))
        .collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cell.width() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A title, and one fact a line beneath it.
pub fn block(title: &str, facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(label, _)| label.len()).max().unwrap_or(0) + 2;
    let mut text = format!("{}\n", escaped(title));
    for (label, fact) in facts {
        let line = format!("  {label:width$}{}", escaped(fact));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A moment, given in seconds since 1970, in the user's time zone.
pub fn moment(seconds: u64) -> String {
    let timestamp = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    timestamp.map_or_else(
        || "unknown".to_owned(),
        |timestamp| timestamp.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

/// One guest, with the addresses that it tells.
pub fn guest_block(guest: &GuestInfo, addresses: &[String]) -> String {
    let reason = guest.reason.map(|reason| format!(" ({})", wire_word(&reason))).unwrap_or_default();
    let mut facts = vec![
        ("State", format!("{}{reason}, since {}", wire_word(&guest.state), moment(guest.since))),
        ("Identity", guest.id.to_string()),
    ];
    if let Some(installation) = &guest.installing {
        facts.push(("Installing", installing(installation)));
    }
    if let Some(installed) = guest.installed {
        facts.push(("Installed", moment(installed)));
    }
    if let Some(asked) = &guest.waiting {
        facts.push(("Waiting", waiting(asked)));
    }
    if let Some(trouble) = explain_state(guest, &english) {
        facts.push(("Trouble", format!("{} {}", trouble.what, trouble.why)));
        facts.push(("Remedy", trouble.remedy));
        if let Some(detail) = trouble.detail {
            facts.extend(detail.lines().map(|line| ("Details", line.to_owned())));
        }
    }
    if let Some(pid) = guest.pid {
        let accelerator = guest.accelerator.map(|it| format!(", {}", wire_word(&it))).unwrap_or_default();
        facts.push(("Engine", format!("process {pid}{accelerator}")));
    }
    if let Some(os) = &guest.os {
        let name = guest.os_name.as_ref().map(|name| format!("{name} ({os})"));
        facts.push(("System", name.unwrap_or_else(|| os.clone())));
    }
    let share = guest.cpu_limit.map(|percent| format!(", {percent} % of their time")).unwrap_or_default();
    facts.push(("CPUs", format!("{} of at most {}{share}", guest.cpus, guest.max_cpus)));
    if let Some(model) = &guest.boot.cpu_model {
        facts.push(("CPU model", model.clone()));
    }
    let has = guest.memory_now.filter(|now| *now != guest.memory);
    let has = has.map(|now| format!(", the guest has {now} now")).unwrap_or_default();
    facts.push(("Memory", format!("{} of at most {}{has}", guest.memory, guest.max_memory)));
    let secure = if guest.boot.secure_boot { ", secure boot" } else { "" };
    facts.push(("Firmware", format!("{}{secure}", wire_word(&guest.firmware))));
    if guest.boot.tpm {
        facts.push(("TPM", "2.0".to_owned()));
    }
    if !guest.boot.order.is_empty() {
        facts.push(("Starts from", guest.boot.order.join(", ")));
    }
    if let Some(kernel) = &guest.kernel {
        facts.push(("Kernel", kernel.clone()));
    }
    if let Some(disk) = &guest.boot.kernel_disk {
        let entry = guest.boot.kernel_entry.as_ref().map(|entry| format!(": {entry}")).unwrap_or_default();
        facts.push(("Kernel", format!("the one that {disk}'s boot loader starts{entry}")));
    }
    for disk in &guest.disks {
        let size = disk.size.map(|size| format!(", {size}")).unwrap_or_default();
        facts.push(("Disk", format!("{} ({}{size})", disk.path, disk.format)));
    }
    for drive in &guest.drives {
        facts.push(("Drive", format!("{}: {}", drive.name, drive.medium.as_deref().unwrap_or("empty"))));
    }
    for nic in &guest.nics {
        let link = if nic.link { "" } else { ", unplugged" };
        let (mode, model) = (mode_words(nic), wire_word(&nic.model));
        facts.push(("Network", format!("{}: {mode}, {model}, {}{link}", nic.name, nic.mac)));
        facts.extend(nic.forwards.iter().map(|forward| ("Forward", format!("{}: {forward}", nic.name))));
    }
    for usb in &guest.usb {
        let when = if usb.present == Some(false) { ", at next start" } else { "" };
        facts.push(("USB device", format!("{}: {} ({}){when}", usb.name, usb.title(), usb.device)));
    }
    for pci in &guest.pci {
        let when = match (pci.leaving, pci.present) {
            (true, _) => ", taken away, but the guest has it yet",
            (false, Some(false)) => ", at next start",
            (false, _) => "",
        };
        facts.push(("PCI device", format!("{}: {} ({}){when}", pci.name, pci.title(), pci.address)));
    }
    if let Some(drive) = &guest.first_start {
        facts.push(("First start", format!("not over: what its system is told is in {drive}")));
    }
    facts.extend(addresses.iter().map(|address| ("Address", address.clone())));
    facts.push(("Serial ports", guest.serial_ports.to_string()));
    facts.push(("Watchdog", wire_word(&guest.watchdog)));
    facts.push(("Sound", wire_word(&guest.sound)));
    facts.push(("Shut down", format!("within {} s", guest.power.shutdown_wait)));
    facts.push(("On power-off", wire_word(&guest.power.on_poweroff)));
    facts.push(("On reboot", wire_word(&guest.power.on_reboot)));
    facts.push(("On crash", wire_word(&guest.power.on_crash)));
    facts.push(("Autostart", if guest.power.autostart { "with the session" } else { "no" }.to_owned()));
    facts.push(("At logout", wire_word(&guest.power.at_logout)));
    facts.push(("On host sleep", wire_word(&guest.power.on_host_sleep)));
    facts.push(("On battery", wire_word(&guest.power.on_battery)));
    for change in &guest.pending {
        facts.push((
            "At next start",
            format!("{} becomes {}, is {} now", change.key, change.next, change.now),
        ));
    }
    facts.push(("Folder", guest.paths.folder.clone()));
    facts.push(("Definition", guest.paths.definition.clone()));
    facts.push(("Engine's log", guest.paths.engine_log.clone()));
    facts.extend(guest.paths.serial_logs.iter().map(|path| ("Serial log", path.clone())));
    block(&guest.name, &facts)
}

/// What is known of an installation.
fn installing(installation: &Installation) -> String {
    let Installation { medium, tree, unattended, restarts } = installation;
    let from = tree.as_ref().or(medium.as_ref()).map(|from| format!("from {from}, ")).unwrap_or_default();
    let answers = if *unattended { "by itself, " } else { "" };
    let ends = if *restarts == 1 { "the first end".to_owned() } else { format!("{restarts} ends") };
    format!("{from}{answers}until {ends} with a system on the disk")
}

/// What a guest is waited for.
fn waiting(asked: &ShutdownWait) -> String {
    let until = moment(asked.deadline);
    let what = if asked.restart { "to shut down and start anew" } else { "to shut down" };
    match asked {
        ShutdownWait { heard: false, .. } => format!("{what}, but it does not listen to its power button"),
        ShutdownWait { overdue: true, .. } => format!("{what}, which it should have done by {until}"),
        _ => format!("{what}, until {until}"),
    }
}

/// The host.
pub fn host_block(host: &HostInfo) -> String {
    let mut facts = Vec::new();
    match &host.accelerator {
        Some(info) => {
            let explanation = explain_accelerator(info, &english);
            facts.push(("Accelerator", wire_word(&info.chosen)));
            facts.push(("Why", format!("{} {}", explanation.what, explanation.why)));
            facts.push(("Remedy", explanation.remedy));
            facts.push(("Details", info.detail.clone()));
        }
        None => facts.push(("Accelerator", "not yet known".to_owned())),
    }
    let engine = match (&host.engine.version, &host.engine.path) {
        (Some(version), Some(path)) => format!("QEMU {version}, {path}"),
        (None, Some(path)) => format!("{path}, of unknown version"),
        (_, None) => format!("{} is not installed", host.engine.program),
    };
    facts.push(("Engine", engine));
    facts.push(("CPUs", host.cpus.to_string()));
    let limits = host.cpu_limit_fault.map_or("can be limited", |fault| match fault {
        CpuLimitFault::NoManager => "can't be limited: this user has no systemd",
        CpuLimitFault::NotDelegated => "can't be limited: the user's systemd does not have it to share out",
        CpuLimitFault::Refused => "can't be limited: the user's systemd refuses",
    });
    facts.push(("CPU time", limits.to_owned()));
    facts.push(("Memory", format!("{}, of which {} available", host.memory, host.memory_available)));
    for firmware in &host.firmware {
        let secure = if firmware.secure_boot { ", secure boot" } else { "" };
        facts.push(("Firmware", format!("{}{secure}: {}", wire_word(&firmware.kind), firmware.path)));
    }
    facts
        .push(("TPM", host.tpm_program.clone().unwrap_or_else(|| "none: swtpm is not installed".to_owned())));
    let audio = host.audio.map(|service| wire_word(&service));
    facts.push(("Sound", audio.unwrap_or_else(|| "none: nobody hears what guests play".to_owned())));
    let power = host.on_battery.map(|battery| if battery { "battery" } else { "mains" }.to_owned());
    facts.push(("Power", power.unwrap_or_else(|| "unknown: UPower does not tell of it".to_owned())));
    let wait = host.session_wait.map(|seconds| format!("waits {seconds} s for guests"));
    facts.push(("Logout", wait.unwrap_or_else(|| "goes unnoticed: logind does not tell of it".to_owned())));
    facts.push(("Free space", host.free_space.to_string()));
    facts.push(("Guests", host.data_folder.clone()));
    facts.push(("Logs", host.state_folder.clone()));
    facts.push(("Sockets", host.runtime_folder.clone()));
    facts.push(("Core", format!("hv-core {}, process {}", host.core_version, host.core_pid)));
    block("This computer", &facts)
}

#[cfg(test)]
mod tests {
    use super::super::views::tests::guest;
    use super::*;
    use hv_api::{ByteSize, GuestState, HostRoom, StateReason};

    #[test]
    fn columns_stand_beneath_each_other_in_every_script() {
        let row = |name: &str, state: &str| [name.to_owned(), state.to_owned()];
        let rows = vec![row("日本", "off"), row("a", "running"), row("x\u{1b}[J", "off")];
        let expected = "NAME       STATE\n日本       off\na          running\nx\\u{1b}[J  off\n";
        assert_eq!(table(["NAME", "STATE"], rows), expected);
    }

    #[test]
    fn a_guest_is_shown_with_its_trouble_and_what_to_do() {
        let mut guest = guest();
        guest.state = GuestState::Paused;
        guest.reason = Some(StateReason::DiskFull);
        guest.name = "evil\u{1b}]0;title\u{7}".into();
        let text = guest_block(&guest, &["10.0.2.15".to_owned()]);
        assert!(text.contains("Address        10.0.2.15\n"), "{text}");
        assert!(text.starts_with("evil\\u{1b}]0;title\\u{7}\n"), "{text}");
        assert!(text.contains("paused (disk-full), since 2023-11-1"), "{text}");
        assert!(text.contains("Remedy         Delete something on the host"), "{text}");
        assert!(text.contains("At next start  cpus becomes 4, is 2 now"), "{text}");
        assert!(!text.contains('\u{1b}'));
        let (free, needed, missing) = (ByteSize::mib(1), ByteSize::mib(80), ByteSize::gib(4));
        guest.room = Some(HostRoom { folder: "/srv".into(), free, needed, missing });
        let text = guest_block(&guest, &[]);
        assert!(text.contains("1 MiB is free in /srv"), "{text}");
        assert!(text.contains("Remedy         Make 80 MiB of room on the host"), "{text}");
    }

    #[test]
    fn no_moment_is_too_far_away() {
        assert_eq!(moment(u64::MAX), "unknown");
        assert!(moment(0).starts_with("19"));
    }
}
