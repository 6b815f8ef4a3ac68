//! A cloud image's first start: the files of cloud-init's NoCloud. They are JSON, which is YAML as well.

use super::Answers;
use crate::seed::SeedFile;
use serde_json::{Value, json};

/// `user-data` and `meta-data`. `instance` is a word by which the image knows that it has not started as this guest yet.
///
/// There is no `network-config`: the image asks the network on its first card, and a rule for cards by what they are
/// called could be read by some releases only.
pub fn cloud_init(answers: &Answers, instance: &str) -> Vec<SeedFile> {
    let mut user = json!({
        "name": answers.user,
        "gecos": answers.full_name,
        "shell": "/bin/bash",
        "lock_passwd": answers.password.is_none(),
        // Who has a password is asked for it.
        "sudo": if answers.password.is_some() { "ALL=(ALL:ALL) ALL" } else { "ALL=(ALL:ALL) NOPASSWD:ALL" },
    });
    if answers.password.is_some() {
        user["passwd"] = answers.password().into();
    }
    if !answers.ssh_keys.is_empty() {
        user["ssh_authorized_keys"] = answers.ssh_keys.clone().into();
    }
    let mut keyboard = json!({ "layout": answers.layout });
    if let Some(variant) = &answers.variant {
        keyboard["variant"] = variant.as_str().into();
    }
    let data = json!({
        "hostname": answers.host_name,
        "users": [user],
        "disable_root": true,
        // A password opens SSH where there is no key.
        "ssh_pwauth": answers.password.is_some() && answers.ssh_keys.is_empty(),
        "locale": answers.locale(),
        "keyboard": keyboard,
        "timezone": answers.time_zone,
        // The disc is taken away after this start. Some images would begin anew without it.
        "runcmd": [["touch", "/etc/cloud/cloud-init.disabled"]],
    });
    vec![
        SeedFile::new("user-data", format!("#cloud-config\n{}", text(&data))),
        meta_data(&answers.host_name, instance),
    ]
}

/// `meta-data` alone, for a system that is told the rest otherwise.
pub fn nothing(host_name: &str, instance: &str) -> Vec<SeedFile> {
    vec![meta_data(host_name, instance)]
}

fn meta_data(host_name: &str, instance: &str) -> SeedFile {
    let data = json!({ "instance-id": instance, "local-hostname": host_name });
    SeedFile::new("meta-data", text(&data))
}

/// JSON with a line end. A map with words as its keys can always be written.
pub(super) fn text(value: &Value) -> String {
    format!("{value:#}\n")
}
