//! USB devices with the real QEMU. None is plugged in where tests run, which is how most guests find theirs.

use crate::{installed, shown};
use hv_tests::Home;

#[tokio::test]
async fn qemu_takes_devices_that_are_not_there_and_lets_go_of_them_also_after_a_save() {
    let Some(iso) = installed("ipxe", &["/usr/lib/ipxe/ipxe.iso"]) else { return };
    let iso = iso.to_str().expect("UTF-8");
    let home = Home::new();
    let _core = home.core().await;
    home.hv(["create", "one", "--iso", iso, "--no-disk", "--memory", "64MiB", "--cpus", "1"]).await.done();
    home.hv(["usb", "one", "add", "0781:5567@3-1.2"]).await.done();
    home.hv(["start", "one"]).await.done();
    for (number, device) in (1..8).map(|number| (number, format!("1234:{number:04x}"))) {
        let added = home.hv(["usb", "one", "add", &device]).await.done();
        assert_eq!(added, format!("usb{number}: applied now\n"));
    }
    assert_eq!(home.hv(["usb", "one", "add", "1234:0008", "--json"]).await.error_code(), "usb-exhausted");
    for device in ["0781:5567", "1234:0003"] {
        assert!(home.hv(["usb", "one", "remove", device]).await.done().ends_with(": applied now\n"));
    }
    assert_eq!(home.hv(["usb", "one", "add", "0781:5567"]).await.done(), "usb0: applied now\n");
    let guest = shown(&home, "one").await;
    assert_eq!(
        (guest["usb"].as_array().map(Vec::len), guest["pending"].as_array().map(Vec::len)),
        (Some(7), Some(0))
    );

    // What came and went leaves gaps, and the saved machine fits all the same.
    home.hv(["save", "one"]).await.done();
    home.no_engine().await;
    home.hv(["start", "one"]).await.done();
    assert_eq!(home.hv(["usb", "one", "remove", "1234:0007"]).await.done(), "usb7: applied now\n");
    home.hv(["force-off", "one"]).await.done();
    home.no_engine().await;
    home.hv(["start", "one"]).await.done();
    assert_eq!(shown(&home, "one").await["usb"].as_array().map(Vec::len), Some(6));
    home.hv(["force-off", "one"]).await.done();
    home.no_engine().await;
}
