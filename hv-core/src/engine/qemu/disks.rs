//! Disks as QEMU has them: which nodes and devices one is made of, at a start and while the machine runs.
//!
//! A disk is a node with its volume, a device on it, and where it needs one, a controller and a thread of its own. All
//! have the disk's number in their names. Each disk has its own place: its slot, where it was added, else one that its
//! number stands for, so that none ever moves another.

use super::command_line::{escaped, text};
use super::descriptors::{Access, Handed};
use super::ports::{self, Port};
use super::qmp::Client;
use crate::engine::{DiskConfig, DiskFormat, DiskName, EngineError};
use crate::storage::layers;
use hv_api::{DiskBus, DiskCache};
use serde_json::{Map, Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tracing::debug;

/// The first of the places of disks without a slot on the machine's own bus.
const PLACE: usize = 0x10;

/// The USB port of the first disk: the last. Others follow downwards; what else there is takes the first free one.
const USB_PORT: usize = 15;

/// How long a guest may take to let go of a disk.
const REMOVAL_DEADLINE: Duration = Duration::from_secs(10);

/// How often it is looked at until then.
const REMOVAL_LOOK: Duration = Duration::from_millis(50);

/// A device with its properties, the driver first.
pub struct Device(Vec<(&'static str, Value)>);

impl Device {
    /// As `-device` takes it.
    pub fn option(&self) -> String {
        let word = |(key, value): &(&str, Value)| {
            let value = match value {
                Value::String(text) => escaped(text),
                Value::Bool(on) => (if *on { "on" } else { "off" }).to_owned(),
                other => other.to_string(),
            };
            if *key == "driver" { value } else { format!("{key}={value}") }
        };
        self.0.iter().map(word).collect::<Vec<_>>().join(",")
    }

    /// As `device_add` takes it.
    fn arguments(self) -> Value {
        Value::Object(self.0.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
    }
}

/// A disk's node, as `-blockdev` takes it.
pub fn node(disk: &DiskConfig) -> Value {
    let Some(layer) = &disk.layer else { return volume(disk) };
    let mut beneath = volume(&DiskConfig { read_only: true, ..disk.clone() });
    if let Some(beneath) = beneath.as_object_mut() {
        // Only the layer is the disk.
        beneath.remove("node-name");
    }
    let above = DiskConfig {
        path: layer.clone(),
        format: DiskFormat::Qcow2,
        is_device: false,
        partial: None,
        layer: None,
        ..disk.clone()
    };
    let mut node = volume(&above);
    node["backing"] = beneath;
    node
}

/// The node of a disk's volume.
fn volume(disk: &DiskConfig) -> Value {
    node_of(disk, text(disk.partial.as_ref().map_or(&*disk.path, |partial| &*partial.descriptor)))
}

/// A disk's node over a file that QEMU knows by this name.
fn node_of(disk: &DiskConfig, file: impl Into<Value>) -> Value {
    // The pieces of a partial disk, some of which are devices, QEMU opens itself.
    let driver = if disk.is_device && disk.partial.is_none() { "host_device" } else { "file" };
    let format = if disk.partial.is_some() { DiskFormat::Vmdk } else { disk.format };
    let discard = if disk.discard { "unmap" } else { "ignore" };
    let mut node = json!({
        "driver": format.name(),
        "node-name": disk.name.to_string(),
        "discard": discard,
        "detect-zeroes": if disk.discard { "unmap" } else { "off" },
        "file": { "driver": driver, "filename": file.into(), "aio": "threads", "discard": discard },
    });
    let (direct, no_flush) = match disk.cache {
        DiskCache::Writeback => (false, false),
        DiskCache::None | DiskCache::Directsync => (true, false),
        DiskCache::Unsafe => (false, true),
    };
    if direct || no_flush {
        let cache = json!({ "direct": direct, "no-flush": no_flush });
        node["file"]["cache"] = cache.clone();
        node["cache"] = cache;
    }
    if disk.read_only {
        node["file"]["read-only"] = true.into();
        node["read-only"] = true.into();
    }
    if format == DiskFormat::Vmdk {
        // An image from somewhere could name any file as the one it builds on.
        node["backing"] = Value::Null;
    }
    node
}

/// The thread that does a disk's work; none for buses that can't have one.
pub fn thread(disk: &DiskConfig) -> Option<String> {
    matches!(disk.bus, DiskBus::Virtio | DiskBus::Scsi).then(|| thread_name(disk.name))
}

/// A disk's devices, a controller before what is attached to it. `order` says when it is tried at the start; nothing
/// where it is not.
pub fn devices(disk: &DiskConfig, order: Option<usize>) -> Vec<Device> {
    let (name, number) = (disk.name.to_string(), disk.name.number());
    let place = match disk.slot.and_then(Port::of_slot) {
        Some(port) => ("bus", port.bus().into()),
        None => ("addr", format!("{:#x}", PLACE + number).into()),
    };
    let io = thread_name(disk.name);
    let (controller, mut device) = match disk.bus {
        DiskBus::Virtio => (None, vec![("driver", "virtio-blk-pci".into())]),
        DiskBus::Nvme => (None, vec![("driver", "nvme".into())]),
        DiskBus::Scsi => {
            let id = format!("scsi{number}");
            let on = ("bus", format!("{id}.0").into());
            let controller = vec![
                ("driver", "virtio-scsi-pci".into()),
                ("id", id.into()),
                ("iothread", io.clone().into()),
                place.clone(),
            ];
            (Some(controller), vec![("driver", "scsi-hd".into()), on])
        }
        DiskBus::Sata => {
            let id = format!("sata{number}");
            let on = ("bus", format!("{id}.0").into());
            (
                Some(vec![("driver", "ich9-ahci".into()), ("id", id.into()), place.clone()]),
                vec![("driver", "ide-hd".into()), on],
            )
        }
        DiskBus::Usb => {
            let port = USB_PORT.saturating_sub(number).to_string();
            (None, vec![("driver", "usb-storage".into()), ("bus", "usb.0".into()), ("port", port.into())])
        }
    };
    device.extend([
        ("drive", Value::from(name.clone())),
        ("id", device_name(disk.name).into()),
        ("serial", disk.serial.clone().unwrap_or(name).into()),
    ]);
    if disk.bus == DiskBus::Virtio {
        device.push(("iothread", io.into()));
    }
    if controller.is_none() && disk.bus != DiskBus::Usb {
        device.push(place);
    }
    device.extend(order.map(|order| ("bootindex", order.into())));
    // QEMU's NVMe has no choice: it tells its guest of errors.
    if disk.bus != DiskBus::Nvme {
        device.extend([("werror", "stop".into()), ("rerror", "stop".into())]);
    }
    if disk.cache == DiskCache::Directsync {
        device.push(("write-cache", "off".into()));
    }
    if disk.shareable {
        device.push(("share-rw", true.into()));
    }
    controller.into_iter().chain([device]).map(Device).collect()
}

/// Gives a machine that runs one more disk, all of it or nothing.
pub async fn add(client: &Client, disk: &DiskConfig) -> Result<(), EngineError> {
    if !disk.path.is_absolute() || disk.path.to_str().is_none() {
        let detail = format!("the path {} is not absolute or not UTF-8", disk.path.display());
        return Err(EngineError::Refused { detail });
    }
    if disk.partial.is_some() {
        let detail = "the parts of a physical disk are opened when a machine starts".to_owned();
        return Err(EngineError::NotWhileRunning { detail });
    }
    if let Some(port) = disk.slot.and_then(Port::of_slot) {
        ports::require_free(client, port).await?;
    }
    add_node(client, disk).await?;
    let added = async {
        if let Some(thread) = thread(disk) {
            client.call("object-add", json!({ "qom-type": "iothread", "id": thread })).await?;
        }
        for device in devices(disk, None) {
            client.call("device_add", device.arguments()).await?;
        }
        Ok(())
    };
    let added: Result<(), EngineError> = added.await;
    if added.is_err() {
        // The controller may be there without its disk.
        for name in [device_name(disk.name), controller_name(disk.name)] {
            let _not_there = client.call("device_del", json!({ "id": name })).await;
        }
        let _stays = forget(client, disk.name).await;
    }
    added
}

/// Gives a machine that runs a disk's volume. It is handed over open, with all that it builds on: the machine can
/// reach no other files than those of its start.
async fn add_node(client: &Client, disk: &DiskConfig) -> Result<(), EngineError> {
    let path = disk.path.clone();
    // Only such a volume names others as its own.
    let layered = disk.format == DiskFormat::Qcow2;
    let found = tokio::task::spawn_blocking(move || if layered { layers(&path) } else { Vec::new() });
    let layers = found.await.unwrap_or_default();
    let mut handed = Vec::new();
    let added = async {
        let mut backing = Value::Null;
        for (place, layer) in layers.iter().enumerate().rev() {
            let builds_on_more = place + 1 < layers.len();
            let Some(format) = layer.format else {
                let detail = format!("what {} is built on names no format", disk.path.display());
                return Err(EngineError::NotWhileRunning { detail });
            };
            let file = Handed::opened(client, &layer.path, Access::Read).await?;
            let file_node = json!({
                "driver": if layer.is_device { "host_device" } else { "file" },
                "filename": file.name(), "read-only": true,
            });
            handed.push(file);
            let mut node = json!({ "driver": format.name(), "read-only": true, "file": file_node });
            if builds_on_more || format == DiskFormat::Qcow2 {
                node["backing"] = backing;
            }
            backing = node;
        }
        let access = match (disk.read_only, disk.devices().is_empty()) {
            (true, _) => Access::Read,
            (false, true) => Access::Write,
            (false, false) => Access::Own,
        };
        let file = Handed::opened(client, &disk.path, access).await?;
        let mut node = node_of(disk, file.name());
        handed.push(file);
        if disk.format == DiskFormat::Qcow2 {
            node["backing"] = backing;
        }
        match client.call("blockdev-add", node).await {
            // Such an image may be in several files.
            Err(EngineError::Refused { detail }) if disk.format == DiskFormat::Vmdk => {
                Err(EngineError::NotWhileRunning { detail })
            }
            other => other.map(drop),
        }
    };
    let added: Result<(), EngineError> = added.await;
    for file in handed {
        file.close(client).await;
    }
    added
}

/// Takes a disk from a machine that runs. The guest must let go of it first, which it is asked for.
pub async fn remove(client: &Client, name: DiskName) -> Result<(), EngineError> {
    let controller = controller_name(name);
    // With the controller goes what is attached to it.
    let has_controller = present(client).await?.contains(&controller);
    remove_device(client, &if has_controller { controller } else { device_name(name) }).await?;
    forget(client, name).await
}

/// Takes a device from a machine that runs, where it has it. The guest must let go of it first, which it is asked for.
pub async fn remove_device(client: &Client, device: &str) -> Result<(), EngineError> {
    if !present(client).await?.iter().any(|other| other == device) {
        return Ok(());
    }
    match client.call("device_del", json!({ "id": device })).await {
        Ok(_asked) => {}
        // It was asked before, and may be about to do it.
        Err(EngineError::Refused { detail }) if detail.contains("in the process of unplug") => {}
        Err(EngineError::Refused { detail }) => return Err(EngineError::NotWhileRunning { detail }),
        Err(error) => return Err(error),
    }
    wait_until_gone(client, device).await
}

/// Lets go of the volume of a disk that no device has any more.
async fn forget(client: &Client, name: DiskName) -> Result<(), EngineError> {
    let begun = Instant::now();
    loop {
        match client.call("blockdev-del", json!({ "node-name": name.to_string() })).await {
            Ok(_gone) => break,
            Err(EngineError::Refused { detail }) if detail.contains("Failed to find node") => break,
            // The device is gone, and what it was in the middle of comes to its end.
            Err(EngineError::Refused { .. }) if begun.elapsed() < REMOVAL_DEADLINE => {
                sleep(REMOVAL_LOOK).await;
            }
            Err(error) => return Err(error),
        }
    }
    if let Err(error) = client.call("object-del", json!({ "id": thread_name(name) })).await {
        debug!(%error, %name, "it had no thread");
    }
    Ok(())
}

async fn wait_until_gone(client: &Client, device: &str) -> Result<(), EngineError> {
    let begun = Instant::now();
    while present(client).await?.iter().any(|other| other == device) {
        if begun.elapsed() > REMOVAL_DEADLINE {
            return Err(EngineError::GuestRefused);
        }
        sleep(REMOVAL_LOOK).await;
    }
    Ok(())
}

/// The devices that have names.
pub async fn present(client: &Client) -> Result<Vec<String>, EngineError> {
    let answer = client.call("qom-list", json!({ "path": "/machine/peripheral" })).await?;
    let devices = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(devices.iter().filter_map(|device| device["name"].as_str()).map(ToOwned::to_owned).collect())
}

/// The disk whose device has this name.
pub fn disk_of(device: &str) -> Option<DiskName> {
    let number = device.strip_prefix("vd")?;
    format!("disk{number}").parse().ok()
}

fn device_name(disk: DiskName) -> String {
    format!("vd{}", disk.number())
}

fn controller_name(disk: DiskName) -> String {
    format!("scsi{}", disk.number())
}

fn thread_name(disk: DiskName) -> String {
    format!("io{}", disk.number())
}
