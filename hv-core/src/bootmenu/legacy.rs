//! The menu of GRUB's first generation, `menu.lst` or `grub.conf`: a line for each thing, entries from `title` on.

/// The most entries that are read.
const MOST: usize = 200;

/// A menu.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Menu {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Which is the default.
    pub default: Preset,
}

/// Which entry is the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Preset {
    /// The first, as nothing is said.
    #[default]
    First,
    /// That with this number, from 0.
    Number(usize),
    /// That which is noted in the file `default` beside the menu.
    Saved,
}

/// One entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its title.
    pub title: String,
    /// The partition that its paths are on, as `(hd0,0)`; empty where none is named.
    pub root: String,
    /// The kernel; empty where none is started.
    pub kernel: String,
    /// Its command line.
    pub append: String,
    /// What goes with it.
    pub initrds: Vec<String>,
}

/// Reads one.
pub fn read(text: &str) -> Menu {
    let mut menu = Menu::default();
    let mut hypervisor = false;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
        let (command, rest) = line.split_at(end);
        let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '=').trim_end();
        if command == "title" {
            if menu.entries.len() == MOST {
                break;
            }
            hypervisor = false;
            menu.entries.push(Entry { title: rest.to_owned(), ..Entry::default() });
            continue;
        }
        let Some(entry) = menu.entries.last_mut() else {
            if command == "default" {
                menu.default = match rest {
                    "saved" => Preset::Saved,
                    number => number.parse().map_or(Preset::First, Preset::Number),
                };
            }
            continue;
        };
        let words = || rest.split_whitespace().filter(|word| !word.starts_with("--"));
        let start = |entry: &mut Entry| {
            let mut words = words();
            words.next().unwrap_or_default().clone_into(&mut entry.kernel);
            entry.append = words.collect::<Vec<_>>().join(" ");
        };
        match command {
            "root" | "rootnoverify" | "uuid" => {
                rest.split_whitespace().next().unwrap_or_default().clone_into(&mut entry.root);
            }
            "kernel" => {
                start(entry);
                // Xen itself; what is to be started under it are modules.
                let name = entry.kernel.rsplit(['/', ')']).next().unwrap_or_default();
                hypervisor = name.starts_with("xen") && !name.contains("vmlinu");
                if hypervisor {
                    (entry.kernel, entry.append) = (String::new(), String::new());
                }
            }
            "module" if hypervisor && entry.kernel.is_empty() => start(entry),
            "module" if hypervisor => entry.initrds.extend(words().next().map(str::to_owned)),
            "initrd" => entry.initrds.extend(words().map(str::to_owned)),
            _ => {}
        }
    }
    menu
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn modules_of_xen_are_kernels() {
        let menu = read(
            "default=1\ntimeout 5\n# title not\ntitle Fedora (2.6.18-1.2849.fc6xen)\n\troot (hd0,0)\n\
             \tkernel /xen.gz-2.6.18-1.2849.fc6\n\tmodule /vmlinuz-2.6.18-1.2849.fc6xen ro root=/dev/sda2\n\
             \tmodule /initrd-2.6.18-1.2849.fc6xen.img\ntitle Other\n\tkernel --type=linux (hd0,1)/vmlinuz ro  quiet\n\
             \tinitrd /initrd\ntitle Windows\n\trootnoverify (hd0,2)\n\tchainloader +1\n",
        );
        assert_eq!(menu.default, Preset::Number(1));
        let shown: Vec<_> = menu
            .entries
            .iter()
            .map(|one| (&*one.root, &*one.kernel, &*one.append, one.initrds.join(" ")))
            .collect();
        assert_eq!(
            shown,
            [
                (
                    "(hd0,0)",
                    "/vmlinuz-2.6.18-1.2849.fc6xen",
                    "ro root=/dev/sda2",
                    "/initrd-2.6.18-1.2849.fc6xen.img".into()
                ),
                ("", "(hd0,1)/vmlinuz", "ro quiet", "/initrd".into()),
                ("(hd0,2)", "", "", String::new()),
            ]
        );
        assert_eq!(read("default saved\n").default, Preset::Saved);
        assert_eq!(read("title a\ndefault 3\n").default, Preset::First);
    }

    proptest! {
        #[test]
        fn nothing_does_harm(text in "(title|root|kernel|module|initrd|default|/xen.gz|[=\n ()/a-z0-9])*") {
            prop_assert!(read(&text).entries.len() <= MOST);
        }
    }
}
