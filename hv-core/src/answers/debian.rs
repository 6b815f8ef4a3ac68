//! Debian's installer: a list of answers for debconf, which it finds in the top folder of its initial RAM disk.
//!
//! One answer a line, without quotation: what stands in it has passed the checks, which leave no line end and no
//! backslash in it.

use super::Answers;
use crate::seed::SeedFile;
use std::fmt::Write as _;

/// The release, as far as it makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Debian {
    /// Its number.
    pub release: u32,
    /// The medium has packages enough that no mirror is needed.
    pub whole_medium: bool,
}

/// What the list answers whoever is asking: no more than what is asked, as each line takes an emulated CPU a second. The
/// disk may have been used before.
const ALWAYS: &str = "\
d-i preseed/early_command string echo 'ttyS0::respawn:/usr/bin/tail -n +1 -f /var/log/syslog' >> /etc/inittab
d-i netcfg/choose_interface select auto
d-i netcfg/get_domain string
d-i passwd/root-login boolean false
d-i user-setup/allow-password-weak boolean true
d-i clock-setup/utc boolean true
d-i clock-setup/ntp boolean true
d-i partman/early_command string debconf-set partman-auto/disk \"$(list-devices disk | head -n 1)\"
d-i partman-auto/method string regular
d-i partman-auto/choose_recipe select atomic
d-i partman-efi/non_efi_system boolean true
d-i partman-lvm/device_remove_lvm boolean true
d-i partman-md/device_remove_md boolean true
d-i partman-partitioning/confirm_write_new_label boolean true
d-i partman/choose_partition select finish
d-i partman/confirm boolean true
d-i partman/confirm_nooverwrite boolean true
d-i partman/mount_style select uuid
d-i apt-setup/cdrom/set-first boolean false
d-i apt-setup/cdrom/set-next boolean false
d-i apt-setup/disable-cdrom-entries boolean true
d-i apt-setup/non-free-firmware boolean true
d-i mirror/country string manual
d-i mirror/http/hostname string deb.debian.org
d-i mirror/http/directory string /debian
d-i mirror/http/proxy string
popularity-contest popularity-contest/participate boolean false
d-i pkgsel/upgrade select full-upgrade
d-i grub-installer/only_debian boolean true
d-i grub-installer/with_other_os boolean true
d-i grub-installer/bootdev string default
d-i debian-installer/add-kernel-opts string console=tty0 console=ttyS0,115200
d-i cdrom-detect/eject boolean true
d-i finish-install/reboot_in_progress note
d-i debian-installer/exit/poweroff boolean true
";

/// `preseed.cfg`.
pub fn preseed(answers: &Answers, debian: Debian) -> Vec<SeedFile> {
    let mut list = String::from("#_preseed_V1\n");
    let mut say = |owner: &str, question: &str, kind: &str, answer: &str| {
        // Writing into memory does not fail.
        let _never = writeln!(list, "{owner} {question} {kind} {answer}");
    };
    say("d-i", "debian-installer/locale", "string", &answers.locale());
    say("d-i", "localechooser/supported-locales", "multiselect", &answers.locale());
    say("d-i", "keyboard-configuration/xkb-keymap", "select", &answers.layout);
    say("d-i", "keyboard-configuration/layoutcode", "string", &answers.layout);
    if let Some(variant) = &answers.variant {
        say("d-i", "keyboard-configuration/variantcode", "string", variant);
    }
    say("d-i", "netcfg/hostname", "string", &answers.host_name);
    say("d-i", "netcfg/get_hostname", "string", &answers.host_name);
    say("d-i", "time/zone", "string", &answers.time_zone);
    say("d-i", "passwd/user-fullname", "string", &answers.full_name);
    say("d-i", "passwd/username", "string", &answers.user);
    say("d-i", "passwd/user-password-crypted", "password", answers.password());
    let mirror = if debian.whole_medium { "false" } else { "true" };
    say("d-i", "apt-setup/use_mirror", "boolean", mirror);
    let server = if answers.ssh_keys.is_empty() { "" } else { ", ssh-server" };
    say("tasksel", "tasksel/first", "multiselect", &format!("standard{server}"));
    if !debian.whole_medium {
        say("d-i", "pkgsel/include", "string", "qemu-guest-agent");
    }
    if !answers.ssh_keys.is_empty() {
        say("d-i", "preseed/late_command", "string", &let_in(answers, "/target", "in-target "));
    }
    list.push_str(ALWAYS);
    if debian.release < 12 {
        list.push_str("d-i apt-setup/non-free boolean true\n");
    }
    vec![SeedFile::new("preseed.cfg", list)]
}

/// A command that lets the keys in, of a system whose top folder is at `root` and in which commands run behind `inside`.
/// User and keys have letters, digits and few signs in them, none of which the shell knows within single quotes.
pub(super) fn let_in(answers: &Answers, root: &str, inside: &str) -> String {
    let user = &answers.user;
    let keys: Vec<String> = answers.ssh_keys.iter().map(|key| format!("'{key}'")).collect();
    format!(
        "mkdir -p {root}/home/{user}/.ssh; \
         printf '%s\\n' {} > {root}/home/{user}/.ssh/authorized_keys; \
         {inside}chown -R {user}:{user} /home/{user}/.ssh; \
         {inside}chmod -R go= /home/{user}/.ssh",
        keys.join(" ")
    )
}
