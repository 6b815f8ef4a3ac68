//! Menus as distributions write them, and such as nobody should.

use super::*;
use proptest::prelude::*;
use std::fmt::Write as _;

/// A disk of which the test says what is on it: files by the number of their file system and path.
#[derive(Default)]
struct Fake {
    files: BTreeMap<(Device, String), String>,
    uuids: Vec<&'static str>,
}

impl Fake {
    fn with(mut self, device: Device, path: &str, text: &str) -> Self {
        self.files.insert((device, path.to_owned()), text.to_owned());
        self
    }

    fn menu(&self, device: Device, path: &str) -> Menu {
        let text = self.files[&(device, path.to_owned())].clone();
        read(self, &Place { device, path: path.to_owned() }, &text, false)
    }
}

impl World for Fake {
    fn device(&self, name: &str) -> Option<Device> {
        name.trim_start_matches("hd0,").trim_start_matches(char::is_alphabetic).parse().ok()
    }

    fn name(&self, device: Device) -> String {
        format!("hd0,{device}")
    }

    fn search(&self, by: By, value: &str) -> Option<Device> {
        match by {
            By::File => self.files.keys().find(|(_, path)| path == value).map(|(device, _)| *device),
            By::Uuid | By::Label => self.uuids.iter().position(|uuid| *uuid == value),
        }
    }

    fn read(&self, device: Device, path: &str, _most: u64) -> Option<Vec<u8>> {
        self.files.get(&(device, path.to_owned())).map(|text| text.clone().into_bytes())
    }

    fn has_file(&self, device: Device, path: &str) -> bool {
        self.files.contains_key(&(device, path.to_owned()))
    }

    fn names(&self, device: Device, path: &str) -> Vec<String> {
        let inside = self.files.keys().filter(|(other, _)| *other == device);
        inside.filter_map(|(_, file)| Some(file.strip_prefix(&format!("{path}/"))?.to_owned())).collect()
    }
}

fn block(lines: &str) -> String {
    let mut block = format!("# GRUB Environment Block\n{lines}");
    block.extend(std::iter::repeat_n('#', 1024 - block.len()));
    block
}

/// A menu for people, as the golden tests keep it.
fn shown(menu: &Menu) -> String {
    let mut text = String::new();
    for (index, item) in menu.items.iter().enumerate() {
        let mark = if menu.default == Some(index) { '*' } else { ' ' };
        let place = |place: &Place| format!("({}){}", place.device, place.path);
        writeln!(text, "{mark} [{}] {} <{}>", item.position, item.title, item.id).unwrap();
        match &item.kernel {
            Some(kernel) => {
                writeln!(text, "    {} {}", place(kernel), item.append).unwrap();
                item.initrds.iter().for_each(|initrd| writeln!(text, "    {}", place(initrd)).unwrap());
            }
            None => text.push_str("    no kernel\n"),
        }
    }
    text
}

const DEBIAN: &str = include_str!("samples/debian.cfg");
const UBUNTU: &str = include_str!("samples/ubuntu.cfg");
const FEDORA: &str = include_str!("samples/fedora.cfg");
const OPENSUSE: &str = include_str!("samples/opensuse.cfg");

#[test]
fn debian_has_its_older_kernels_in_a_menu_below() {
    let mut disk = Fake::default().with(1, "/boot/grub/grub.cfg", DEBIAN);
    disk.uuids = vec!["", "0b5f2b2e-1c55-4c3e-9d1b-4b4a3e6f2a11"];
    insta::assert_snapshot!(shown(&disk.menu(1, "/boot/grub/grub.cfg")));
}

#[test]
fn ubuntu_starts_what_was_saved_from_a_partition_of_its_own() {
    let env = block("saved_entry=gnulinux-advanced-11>gnulinux-6.8.0-31-generic-advanced-11\nnext_entry=2\n");
    let mut disk =
        Fake::default().with(2, "/grub/grub.cfg", UBUNTU).with(2, "/grub/grubenv", &env).with(2, "/x", "");
    disk.uuids = vec!["", "", "22-boot", "11"];
    let menu = disk.menu(2, "/grub/grub.cfg");
    assert_eq!(menu.environment.as_ref().map(|place| &*place.path), Some("/grub/grubenv"));
    insta::assert_snapshot!(shown(&menu));
}

#[test]
fn fedora_has_an_entry_in_each_file_the_newest_first() {
    let entry = |version: &str, title: &str| {
        format!(
            "title {title}\nversion {version}\nlinux /vmlinuz-{version}\ninitrd /initramfs-{version}.img $tuned_initrd\n\
             options $kernelopts $tuned_params\ngrub_users $grub_users\ngrub_arg --unrestricted\n"
        )
    };
    let id = "c0ffee00c0ffee00c0ffee00c0ffee00";
    let env =
        block(&format!("saved_entry={id}-6.8.5-301.fc40.x86_64\nkernelopts=root=UUID=3 ro rhgb quiet\n"));
    let mut disk = Fake::default().with(2, "/grub2/grub.cfg", FEDORA).with(2, "/grub2/grubenv", &env);
    for (version, title) in [
        ("6.8.5-301.fc40.x86_64", "Fedora Linux (6.8.5-301.fc40.x86_64) 40"),
        ("6.8.11-300.fc40.x86_64", "Fedora Linux (6.8.11-300.fc40.x86_64) 40"),
        ("0-rescue-c0ffee", "Fedora Linux (0-rescue-c0ffee) 40"),
    ] {
        disk = disk.with(2, &format!("/loader/entries/{id}-{version}.conf"), &entry(version, title));
    }
    disk.uuids = vec!["", "AAAA-BBBB", "2"];
    insta::assert_snapshot!(shown(&disk.menu(2, "/grub2/grub.cfg")));
}

#[test]
fn opensuse_is_read() {
    let env = block("saved_entry=openSUSE Leap 15.5\n");
    let mut disk =
        Fake::default().with(2, "/boot/grub2/grub.cfg", OPENSUSE).with(2, "/boot/grub2/grubenv", &env);
    disk.uuids = vec!["", "", "5a"];
    insta::assert_snapshot!(shown(&disk.menu(2, "/boot/grub2/grub.cfg")));
}

#[test]
fn a_stub_leads_to_the_configuration() {
    let stub = "search --no-floppy --fs-uuid --set=dev 2\nset prefix=($dev)/grub2\nexport $prefix\nconfigfile $prefix/grub.cfg\n";
    let mut disk = Fake::default().with(1, "/EFI/fedora/grub.cfg", stub).with(
        2,
        "/grub2/grub.cfg",
        "menuentry a { linux ($dev)/k x=\"$prefix\" y }",
    );
    disk.uuids = vec!["", "1", "2"];
    insta::assert_snapshot!(shown(&disk.menu(1, "/EFI/fedora/grub.cfg")), @"
    * [0] a <a>
        (2)/k x=(hd0,2)/grub2 y
    ");
}

#[test]
fn the_default_is_found_by_all_its_names() {
    let text = |default: &str| {
        format!(
            "set default=\"{default}\"\nmenuentry 'A > b' --id a {{ linux /a\n}}\n\
             submenu 'More' --id more {{ menuentry c {{ linux /c\n}}\nmenuentry 'D' --id=d {{ linux /d\n}} }}\n\
             menuentry e {{ chainloader +1\n}}"
        )
    };
    for (name, expected) in [
        ("", "A > b"),
        ("0", "A > b"),
        ("a", "A > b"),
        ("A > b", "A > b"),
        ("1", "More › c"),
        ("more", "More › c"),
        ("1>1", "More › D"),
        ("more>d", "More › D"),
        ("More>D", "More › D"),
        ("more>none", "More › c"),
        ("2", "e"),
        ("none", "A > b"),
        ("99999999999999999999", "A > b"),
    ] {
        let disk = Fake::default().with(1, "/c", &text(name));
        let menu = disk.menu(1, "/c");
        assert_eq!(menu.items[menu.default.unwrap()].title, expected, "{name}");
    }
}

#[test]
fn xen_starts_the_kernel_that_it_would_start() {
    let text = "menuentry x { multiboot2 /xen.gz placeholder\n module2 /vmlinuz root=/dev/sda1\n module2 --nounzip /initrd }";
    let menu = Fake::default().with(1, "/c", text).menu(1, "/c");
    insta::assert_snapshot!(shown(&menu), @"
    * [0] x <x>
        (1)/vmlinuz root=/dev/sda1
        (1)/initrd
    ");
}

#[test]
fn what_calls_itself_ends() {
    let forever = "function f { f; f; }\nf\nset a=x\nset a=$a$a$a$a$a$a$a$a\n".to_owned()
        + &"set a=$a$a$a$a$a$a$a$a\n".repeat(40)
        + "source /c\nconfigfile /c\nmenuentry a { linux $a }\n"
        + &"menuentry b { f }\n".repeat(1000);
    let menu = Fake::default().with(1, "/c", &forever).menu(1, "/c");
    assert!(menu.items.len() <= MOST_ENTRIES);
}

proptest! {
    #[test]
    fn nothing_does_harm(text in "(set |default=|menuentry |submenu |linux |initrd |search |--set|--fs-uuid|if |\\[ |\\]|; then |fi|function |configfile |blscfg|load_env|[a-c/'\"${}();>=\n 0-9])*") {
        let menu = Fake::default().with(1, "/c", &text).menu(1, "/c");
        prop_assert!(menu.default.is_none_or(|default| default < menu.items.len()));
    }
}
