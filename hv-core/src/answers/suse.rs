//! SUSE's installers: AutoYaST up to 15, with its XML, and Agama since Leap 16, with its JSON.

use super::Answers;
use super::cloud::text;
use super::windows::escaped;
use crate::seed::SeedFile;
use serde_json::json;
use std::fmt::Write as _;

/// `autoinst.xml`, for the top folder of the initial RAM disk, with `autoyast=file:///autoinst.xml` for its kernel.
pub fn autoyast(answers: &Answers) -> Vec<SeedFile> {
    let Answers { user, full_name, host_name, time_zone, language, layout, .. } = answers;
    let mut keys = String::new();
    for key in &answers.ssh_keys {
        // Writing into memory does not fail.
        let _never = writeln!(keys, "        <listentry>{}</listentry>", escaped(key));
    }
    let keys = if keys.is_empty() {
        String::new()
    } else {
        format!("      <authorized_keys config:type=\"list\">\n{keys}      </authorized_keys>\n")
    };
    let file = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE profile>
<profile xmlns="http://www.suse.com/1.0/yast2ns" xmlns:config="http://www.suse.com/1.0/configns">
  <general>
    <mode>
      <confirm config:type="boolean">false</confirm>
      <halt config:type="boolean">true</halt>
      <final_halt config:type="boolean">true</final_halt>
      <second_stage config:type="boolean">false</second_stage>
    </mode>
  </general>
  <language>
    <language>{language}</language>
  </language>
  <keyboard>
    <keymap>{layout}</keymap>
  </keyboard>
  <timezone>
    <hwclock>UTC</hwclock>
    <timezone>{time_zone}</timezone>
  </timezone>
  <bootloader>
    <global>
      <append>console=tty0 console=ttyS0,115200</append>
      <timeout config:type="integer">3</timeout>
    </global>
  </bootloader>
  <networking>
    <dns>
      <hostname>{host_name}</hostname>
    </dns>
    <keep_install_network config:type="boolean">true</keep_install_network>
  </networking>
  <software>
    <packages config:type="list">
      <package>qemu-guest-agent</package>
      <package>sudo</package>
    </packages>
    <patterns config:type="list">
      <pattern>base</pattern>
    </patterns>
  </software>
  <groups config:type="list">
    <group>
      <groupname>wheel</groupname>
      <userlist>{user}</userlist>
    </group>
  </groups>
  <users config:type="list">
    <user>
      <username>root</username>
      <user_password>!</user_password>
      <encrypted config:type="boolean">true</encrypted>
    </user>
    <user>
      <username>{user}</username>
      <fullname>{}</fullname>
      <user_password>{}</user_password>
      <encrypted config:type="boolean">true</encrypted>
{keys}    </user>
  </users>
  <scripts>
    <chroot-scripts config:type="list">
      <script>
        <filename>sudo.sh</filename>
        <chrooted config:type="boolean">true</chrooted>
        <source><![CDATA[
#!/bin/sh
echo '%wheel ALL=(ALL:ALL) ALL' > /etc/sudoers.d/50-wheel
chmod 440 /etc/sudoers.d/50-wheel
]]></source>
      </script>
    </chroot-scripts>
  </scripts>
</profile>
"#,
        escaped(full_name),
        escaped(answers.password()),
    );
    vec![SeedFile::new("autoinst.xml", file)]
}

/// `autoinst.json`, for a disc called `OEMDRV`. `product` is what Agama calls the system, as `openSUSE_Leap`.
pub fn agama(answers: &Answers, product: &str) -> Vec<SeedFile> {
    let mut user = json!({
        "fullName": answers.full_name,
        "userName": answers.user,
        "password": answers.password(),
        "hashedPassword": true,
    });
    if !answers.ssh_keys.is_empty() {
        user["sshPublicKeys"] = answers.ssh_keys.clone().into();
    }
    let data = json!({
        "product": { "id": product },
        "bootloader": { "extraKernelParams": "console=tty0 console=ttyS0,115200" },
        "hostname": { "static": answers.host_name },
        "user": user,
        // The names of 16.0, which later releases still read.
        "localization": {
            "language": answers.locale(),
            "keyboard": answers.layout,
            "timezone": answers.time_zone,
        },
        "software": { "packages": ["qemu-guest-agent"] },
        "scripts": {
            "post": [{ "name": "end", "content": "#!/bin/sh\nsystemd-run --on-active=20 systemctl poweroff\n", "chroot": false }]
        },
    });
    vec![SeedFile::new("autoinst.json", text(&data))]
}
