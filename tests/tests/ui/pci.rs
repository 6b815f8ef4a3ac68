//! PCI devices on a guest's page: there where the computer can give some, and what can't be given says why.

use crate::guest::{hardware_of, has, make};
use crate::visit;
use hv_tests::PciSlots;
use serde_json::{Value, json};

const CARD: &str = "8086:10d3";

#[tokio::test]
async fn pci_devices_are_given_and_taken_away_where_there_are_any() {
    visit("pci", async |desktop| {
        let slots = PciSlots::of(desktop.home());
        slots.switch_iommu_off();
        make(desktop, "Box").await;
        make(desktop, "Rack").await;
        let library = hardware_of(desktop, "Box").await;
        library.says("No USB Device").await;
        assert!(library.tree().await.label("No PCI Device").is_none(), "this computer has no IOMMU");

        slots.put("0000:02:00.0", CARD, "0x030000", 2, "nouveau");
        slots.put("0000:02:00.1", CARD, "0x040300", 2, "snd_hda_intel");
        slots.put_ready("0000:03:00.0", CARD, 3);
        library.says("No PCI Device").await;
        library.press("Add PCI Device…").await;
        let dialog = desktop.window("Give “Box” a PCI Device");
        dialog.says("Network · 8086:10d3 · 0000:03:00.0").await;
        dialog
            .says("Graphics · 8086:10d3 · 0000:02:00.0\nThis computer's driver nouveau has it, and not vfio-pci, which gives devices to guests.")
            .await;
        assert_eq!(dialog.nameless().await, [""; 0]);

        // What is made ready while it is asked can be given.
        slots.put_ready("0000:04:00.0", CARD, 4);
        let ready = dialog.says("Network · 8086:10d3 · 0000:04:00.0").await;
        dialog.click(&ready).await;
        dialog.press("Add").await;
        has(desktop, "Box", "/pci/0/address", json!("0000:04:00.0")).await;
        library.says("pci0 · 0000:04:00.0").await;
        assert_eq!(library.nameless().await, [""; 0]);
        slots.forbid(4);
        library.says("pci0 · 0000:04:00.0 · Your user may not use its file, /dev/vfio/4.").await;

        // It is nobody else's meanwhile.
        desktop.home().hv(["pci", "Rack", "add", "03:00.0"]).await.done();
        library.press("Add PCI Device…").await;
        dialog.says("Network · 8086:10d3 · 0000:03:00.0\nThe guest “Rack” has it").await;
        dialog.press("Cancel").await;
        dialog.closed().await;
        library.press("Take 8086:10d3 Away").await;
        has(desktop, "Box", "/pci/0", Value::Null).await;
        library.says("No PCI Device").await;
    })
    .await;
}
