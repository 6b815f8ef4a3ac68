//! Ubuntu's installer, of servers since 20.04 and of desktops since 23.04: the files of NoCloud with what it installs.

use super::Answers;
use super::cloud::text;
use crate::seed::SeedFile;
use serde_json::json;

/// `user-data` and `meta-data`, for a disc called `cidata`. The kernel has to be told `autoinstall`, or it asks.
pub fn autoinstall(answers: &Answers) -> Vec<SeedFile> {
    let mut keyboard = json!({ "layout": answers.layout });
    if let Some(variant) = &answers.variant {
        keyboard["variant"] = variant.as_str().into();
    }
    let data = json!({
        "autoinstall": {
            "version": 1,
            "locale": answers.locale(),
            "keyboard": keyboard,
            "timezone": time_zone(answers),
            "identity": {
                "realname": answers.full_name,
                "username": answers.user,
                "hostname": answers.host_name,
                "password": answers.password(),
            },
            "ssh": {
                "install-server": !answers.ssh_keys.is_empty(),
                "authorized-keys": answers.ssh_keys,
                "allow-pw": answers.ssh_keys.is_empty(),
            },
            "storage": { "layout": { "name": "direct", "match": { "size": "largest" } } },
            "packages": ["qemu-guest-agent"],
            "late-commands": [[
                "sh",
                "-c",
                "echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX console=tty0 console=ttyS0,115200\"' \
                 > /target/etc/default/grub.d/60-serial.cfg && curtin in-target -- update-grub",
            ]],
            "shutdown": "poweroff",
        }
    });
    let meta = json!({ "instance-id": "install" });
    vec![
        SeedFile::new("user-data", format!("#cloud-config\n{}", text(&data))),
        SeedFile::new("meta-data", text(&meta)),
    ]
}

/// The installer's list has no name for it but this one.
fn time_zone(answers: &Answers) -> &str {
    if answers.time_zone == "Etc/UTC" { "UTC" } else { &answers.time_zone }
}
