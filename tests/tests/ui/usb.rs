//! USB devices on a guest's page: those of the computer are offered as they come, and what can't be given says why.

use crate::guest::{hardware_of, has, make};
use crate::visit;
use hv_tests::UsbPorts;
use serde_json::{Value, json};

#[tokio::test]
async fn usb_devices_are_given_and_taken_away_and_followed() {
    visit("usb", async |desktop| {
        let ports = UsbPorts::of(desktop.home());
        make(desktop, "Box").await;
        make(desktop, "Rack").await;
        let library = hardware_of(desktop, "Box").await;
        library.says("No USB Device").await;
        library.press("Add USB Device…").await;
        let dialog = desktop.window("Give “Box” a USB Device");
        dialog.says("Give “Box” a USB Device").await;
        dialog.says("No USB device is connected to this computer").await;
        assert_eq!(dialog.nameless().await, [""; 0]);

        // What is plugged in while it is asked is there.
        ports.plug_with("3-1", "0781:5567", "Cruzer", &[("serial", "4C53")]);
        ports.plug("3-2", "046d:0825", "Camera");
        ports.plug("3-3", "046d:c31c", "Keys");
        ports.mount("3-1", "/media/ada/STICK");
        // A file comes last, so that the rest is known by then.
        std::fs::remove_file(ports.node("3-3")).expect("a file");
        dialog
            .says("This computer has it mounted at /media/ada/STICK, and what is written there would be lost. Unmount /media/ada/STICK, then try again.")
            .await;
        dialog.says("046d:0825 · at 3-2").await;
        dialog.click(&dialog.says("046d:0825 · at 3-2").await).await;
        dialog.press("Add").await;
        has(desktop, "Box", "/usb/0/device", json!("046d:0825")).await;
        library.says("usb0 · 046d:0825 · plugged in").await;
        assert_eq!(library.nameless().await, [""; 0]);

        // It is followed, and nobody else's meanwhile.
        ports.unplug("3-2");
        library.says("usb0 · 046d:0825 · not plugged in").await;
        ports.plug("3-2", "046d:0825", "Camera");
        library.says("usb0 · 046d:0825 · plugged in").await;
        library.press("Add USB Device…").await;
        dialog.says("This guest has it already").await;
        dialog.press("Cancel").await;
        dialog.closed().await;
        library.press("Take Camera Away").await;
        has(desktop, "Box", "/usb/0", Value::Null).await;
        library.says("No USB Device").await;
    })
    .await;
}
