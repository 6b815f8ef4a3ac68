//! The menu of the boot loader on a guest's disk, for programs and for people.

use super::human::{block, table};
use super::views::wire_word;
use hv_api::{BootMenu, BootMenuEntry};
use serde::Serialize;

/// A menu.
#[derive(Debug, Serialize)]
pub struct BootMenuView<'a> {
    disk: &'a str,
    loader: String,
    config: &'a str,
    partition: Option<u32>,
    entries: Vec<EntryView<'a>>,
}

/// An entry of one.
#[derive(Debug, Serialize)]
struct EntryView<'a> {
    number: u32,
    title: &'a str,
    id: &'a str,
    kernel: Option<&'a str>,
    initrds: &'a [String],
    append: &'a str,
    partition: Option<u32>,
    default: bool,
}

impl<'a> From<&'a BootMenu> for BootMenuView<'a> {
    fn from(menu: &'a BootMenu) -> Self {
        let BootMenu { disk, loader, config, partition, entries } = menu;
        let entry = |entry: &'a BootMenuEntry| EntryView {
            number: entry.number,
            title: &entry.title,
            id: &entry.id,
            kernel: entry.kernel.as_deref(),
            initrds: &entry.initrds,
            append: &entry.append,
            partition: entry.partition,
            default: entry.is_default,
        };
        let entries = entries.iter().map(entry).collect();
        Self { disk, loader: wire_word(loader), config, partition: *partition, entries }
    }
}

/// The menu as people read it.
pub fn boot_menu_block(menu: &BootMenu) -> String {
    let on = menu.partition.map(|number| format!(", partition {number}")).unwrap_or_default();
    let facts = [("Written in", format!("{}{on}", menu.config)), ("Boot loader", wire_word(&menu.loader))];
    let row = |entry: &BootMenuEntry| {
        let mark = if entry.is_default { "*" } else { "" };
        let kernel = entry.kernel.clone().unwrap_or_else(|| "none that can be started".into());
        [mark.to_owned(), entry.number.to_string(), entry.title.clone(), kernel]
    };
    let rows = menu.entries.iter().map(row).collect();
    format!("{}\n{}", block(&menu.disk, &facts), table(["", "NUMBER", "TITLE", "KERNEL"], rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_menu_reads_well() {
        let entry = |number, title: &str, kernel: Option<&str>| BootMenuEntry {
            number,
            title: title.into(),
            kernel: kernel.map(str::to_owned),
            is_default: number == 1,
            ..BootMenuEntry::default()
        };
        let menu = BootMenu {
            disk: "disk0".into(),
            loader: hv_api::BootLoader::Grub,
            config: "/grub/grub.cfg".into(),
            partition: Some(2),
            entries: vec![entry(0, "Memory test", None), entry(1, "Debian\u{1b}[31m", Some("/vmlinuz"))],
        };
        let text = boot_menu_block(&menu);
        assert!(
            text.starts_with("disk0\n  Written in   /grub/grub.cfg, partition 2\n  Boot loader  grub\n\n"),
            "{text}"
        );
        assert!(
            text.contains("   0       Memory test") && text.contains("none that can be started"),
            "{text}"
        );
        assert!(text.contains("*  1       Debian") && !text.contains('\u{1b}'), "{text}");
        let json = serde_json::to_value(BootMenuView::from(&menu)).unwrap();
        assert_eq!((&json["loader"], &json["entries"][1]["default"]), (&"grub".into(), &true.into()));
    }
}
