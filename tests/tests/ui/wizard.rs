//! The New Guest window: files that come from outside, and what is wrong with them.

use crate::{DISC, disc_is_missing, visit};
use hv_tests::ui::{Desktop, Role, State};
use hv_tests::{PhysicalDisk, program, within};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8UXdM8Hnj4dIYV2iTHkpUgmGzqtPSGZPbXvQGKBPGN";

/// Launches the window again with a file, as a file manager does, and waits until that process has ended.
async fn launch_again(desktop: &Desktop, file: &str) {
    let mut second = desktop.command(program("guesthouse"));
    let status = within("the second launch's end", second.arg(file).status()).await.expect("it runs");
    assert!(status.success(), "the second launch ended with {status}");
}

#[tokio::test]
async fn a_second_launch_hands_its_file_to_the_window_that_is_open() {
    if disc_is_missing() {
        return;
    }
    visit("wizard", async |desktop| {
        desktop.hv(&["create", "Taken", "--empty", "--no-disk"]).await;
        desktop.open::<&str>([]);
        desktop.window("Guesthouse").says("No Guest Selected").await;
        launch_again(desktop, DISC).await;

        let form = desktop.window("New Guest");
        form.says("grub-rescue-cdrom.iso").await;
        let can_create = |possible: bool| {
            form.until(if possible { "the way to be free" } else { "the way to be barred" }, move |tree| {
                let create = tree.find(Role::Button, "Create")?;
                (create.is(State::Sensitive) == possible).then_some(())
            })
        };
        can_create(true).await;
        form.write("Name", "Taken").await;
        form.says("Another guest has this name already.").await;
        can_create(false).await;
        form.write("Name", "Free").await;
        can_create(true).await;
        form.write("Memory", "much").await;
        form.says("Write the memory as a number and a unit").await;
        can_create(false).await;
        form.press("Close").await;
        form.closed().await;

        launch_again(desktop, &desktop.home().text("no-such.iso")).await;
        form.until("that the file is missing", |tree| tree.label("no-such.iso").map(|_said| ())).await;
        form.press("Close").await;
        form.closed().await;

        let text = desktop.home().file("notes.iso", "This is no disc at all.\n".repeat(200));
        launch_again(desktop, &text).await;
        form.says("neither a disc image nor a known disk image").await;
        assert_eq!(desktop.hv(&["list"]).await.len(), 1, "nothing was made");
    })
    .await;
}

#[tokio::test]
async fn a_machine_of_another_program_becomes_a_guest_and_what_is_otherwise_is_said() {
    visit("machine", async |desktop| {
        let text = "name = \"guest1\"\nbuilder = \"hvm\"\nmemory = \"64\"\nvcpus = 1\nvnc = 1\n\
                    vif = [ 'mac=00:16:3e:6d:02:f3, bridge=xenbr0' ]\nwheels = 4\n";
        let file = desktop.home().file("guest1.cfg", text);
        desktop.open([file.as_str()]);
        let form = desktop.window("New Guest");
        form.says("Machine of Xen").await;
        form.says("Different here: ").await;
        form.says("left out: 1").await;
        assert_eq!(form.nameless().await, [""; 0]);
        assert_eq!(form.read("Name").await, "guest1");
        form.write("Memory", "96 MiB").await;
        form.press("Create").await;
        form.closed().await;
        let guest = &desktop.hv(&["show", "guest1"]).await[0];
        assert_eq!(guest["memory"], 96_u64 << 20, "{guest}");
        assert_eq!(guest["nics"][0]["mac"], "00:16:3e:6d:02:f3", "{guest}");
        assert_eq!(guest["disks"], serde_json::json!([]), "{guest}");
    })
    .await;
}

#[tokio::test]
async fn a_cloud_image_is_told_who_uses_it() {
    visit("cloud", async |desktop| {
        let mut disk = vec![0; 16 << 20];
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
        let image = desktop.home().file("debian-12-genericcloud-amd64.raw", disk);
        desktop.open([image.as_str()]);
        let form = desktop.window("New Guest");
        form.says("Set Up at First Start").await;
        // Nobody could log in.
        form.until("the way to be barred", |tree| {
            let create = tree.find(Role::Button, "Create")?;
            (!create.is(State::Sensitive)).then_some(())
        })
        .await;
        form.write("User Name", "ada").await;
        form.write("SSH Key", KEY).await;
        form.write("Disk Size", "64 MiB").await;
        form.write("Memory", "64 MiB").await;
        assert_eq!(form.nameless().await, [""; 0]);
        form.press("Create").await;
        form.closed().await;
        let guest = &desktop.hv(&["list"]).await[0];
        let name = guest["name"].as_str().expect("a name").to_owned();
        let guest = &desktop.hv(&["show", &name]).await[0];
        assert_eq!(guest["first_start"], "cd1", "{guest}");
        assert_eq!(guest["disks"][0]["size"], 64_u64 << 20, "{guest}");
    })
    .await;
}

#[tokio::test]
async fn an_address_that_is_none_of_a_tree_is_refused_in_words() {
    visit("address", async |desktop| {
        desktop.hv(&["create", "One", "--empty", "--no-disk"]).await;
        desktop.open::<&str>([]);
        desktop.window("Guesthouse").press("New Guest New").await;
        let form = desktop.window("New Guest");
        form.click(&form.find(Role::Text, "Address of an Install Tree").await).await;
        desktop.type_text("mirror").await;
        desktop.keys(&["Return"]).await;
        form.says("Such addresses begin with “https://” or “http://”.").await;
        // Nobody listens at that port.
        form.click(&form.find(Role::Text, "Address of an Install Tree").await).await;
        desktop.keys(&["ctrl+a"]).await;
        desktop.type_text("http://127.0.0.1:9/debian").await;
        desktop.keys(&["Return"]).await;
        form.says("127.0.0.1").await;
        assert_eq!(form.nameless().await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_partition_of_this_computer_becomes_a_guests_disk() {
    visit("partition", async |desktop| {
        let home = desktop.home();
        let mut content = vec![0; 8 << 20];
        // A swap partition, by its mark.
        content[4096 * 512 + 0xff6..4096 * 512 + 0x1000].copy_from_slice(b"SWAPSPACE2");
        let Some(disk) = PhysicalDisk::new(home, &content, &[(1, 2048, 2048), (2, 4096, 2048)]) else {
            return;
        };
        disk.show(home);
        let taken = disk.partition(1).display().to_string();
        desktop.hv(&["create", "Other", "--disk-path", &taken]).await;
        desktop.open::<&str>([]);
        desktop.window("Guesthouse").press("New Guest New").await;
        let form = desktop.window("New Guest");
        form.click(&form.find(Role::ListItem, "Disk of This Computer").await).await;
        form.says("“Other” has it").await;
        assert_eq!(form.nameless().await, [""; 0]);
        form.click(&form.find(Role::ListItem, "Partition 2").await).await;
        form.says("While it runs, this computer can't use the disk.").await;
        form.write("Name", "Mine").await;
        form.write("Memory", "64 MiB").await;
        form.press("Create").await;
        form.closed().await;
        let guest = &desktop.hv(&["show", "Mine"]).await[0];
        assert_eq!(guest["disks"][0]["partitions"], serde_json::json!([2]), "{guest}");
        assert_eq!(guest["disks"][0]["path"], disk.device().to_str().expect("UTF-8"), "{guest}");
    })
    .await;
}
