//! What is changed in a QEMU that runs: how many CPUs its guest has, how much memory,
//! and how large its disks are. Network cards are in `network`.
//!
//! Nothing is remembered here: what the machine has is asked of QEMU each time, so that a core that found it
//! running knows as much as the one that started it.
//!
//! Memory grows by modules (`pc-dimm`) and shrinks by the balloon, which also takes back the part of a module
//! that nobody asked for. `virtio-mem` would shrink modules too, but needs a driver that installers and systems
//! before 2020 don't have; modules are understood by all that know ACPI.

use super::command_line::{MEMORY_MODULE_MIB, module_memory, module_name};
use super::disks;
use super::network::{self, Networks};
use super::pci;
use super::qmp::Client;
use super::usb;
use crate::engine::{Alteration, EngineError};
use hv_api::ByteSize;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a guest may take to give a CPU back.
const CPU_DEADLINE: Duration = Duration::from_secs(10);

/// How often it is looked at until then.
const CPU_LOOK: Duration = Duration::from_millis(100);

/// Changes the machine.
pub async fn alter(client: &Client, networks: &Networks, alteration: Alteration) -> Result<(), EngineError> {
    match alteration {
        Alteration::Cpus(count) => set_cpus(client, count as usize).await,
        Alteration::Memory(size) => set_memory(client, size).await,
        Alteration::DiskSize(disk, size) => {
            let arguments = json!({ "node-name": disk.to_string(), "size": size.as_bytes() });
            client.call("block_resize", arguments).await.map(|_answer| ())
        }
        Alteration::AddDisk(disk) => disks::add(client, &disk).await,
        Alteration::RemoveDisk(name) => disks::remove(client, name).await,
        Alteration::StopOnReboot(stop) => {
            let action = if stop { "shutdown" } else { "reset" };
            client.call("set-action", json!({ "reboot": action })).await.map(drop)
        }
        Alteration::AddNic(nic) => networks.add(client, &nic).await,
        Alteration::Replug(nic, network) => networks.replug(client, &nic, &network).await,
        Alteration::RemoveNic(number) => network::remove(client, number).await,
        Alteration::NicLink(number, up) => network::set_link(client, number, up).await,
        Alteration::AddUsb(device) => usb::add(client, &device).await,
        Alteration::RemoveUsb(number) => usb::remove(client, number).await,
        Alteration::AddPci(device) => pci::add(client, &device).await,
        Alteration::RemovePci(number) => pci::remove(client, number).await,
        Alteration::AddForward(number, forward) => network::add_forward(client, number, &forward).await,
        Alteration::RemoveForward(number, forward) => network::remove_forward(client, number, &forward).await,
    }
}

/// The memory that the guest has at this moment: all there is without what the balloon holds.
pub async fn memory(client: &Client) -> Result<ByteSize, EngineError> {
    #[derive(Deserialize)]
    struct Balloon {
        actual: u64,
    }
    let balloon: Balloon = ask(client, "query-balloon").await?;
    Ok(ByteSize::bytes(balloon.actual))
}

/// A place for a CPU.
#[derive(Debug, Deserialize)]
struct Place {
    #[serde(rename = "type")]
    kind: String,
    props: Value,
    /// The CPU in it.
    #[serde(rename = "qom-path")]
    cpu: Option<String>,
}

async fn set_cpus(client: &Client, wanted: usize) -> Result<(), EngineError> {
    let mut places: Vec<Place> = ask(client, "query-hotpluggable-cpus").await?;
    // One socket, one thread a core: its core's number is the CPU's.
    places.sort_by_key(|place| place.props.get("core-id").and_then(Value::as_u64));
    let (present, free): (Vec<_>, Vec<_>) = places.into_iter().partition(|place| place.cpu.is_some());
    if wanted > present.len() + free.len() {
        let detail = format!("it has room for {} CPUs", present.len() + free.len());
        return Err(EngineError::NotWhileRunning { detail });
    }
    if wanted >= present.len() {
        for place in free.into_iter().take(wanted - present.len()) {
            client.call("device_add", new_cpu(place)?).await?;
        }
        return Ok(());
    }
    if !has_kvm(client).await? {
        // QEMU 7.2 takes the CPU away, and breaks at the next device that is added.
        return Err(EngineError::NotWhileRunning { detail: "an emulated machine keeps its CPUs".into() });
    }
    let surplus = present.len() - wanted;
    for place in present.into_iter().rev().take(surplus) {
        let id = place.cpu.unwrap_or_default();
        client.call("device_del", json!({ "id": id })).await?;
        wait_until_gone(client, &id).await?;
    }
    Ok(())
}

/// What adds a CPU at a place: what QEMU says of the place, word for word.
fn new_cpu(place: Place) -> Result<Value, EngineError> {
    let Value::Object(mut arguments) = place.props else {
        return Err(EngineError::Refused { detail: "it describes no place for a CPU".into() });
    };
    arguments.insert("driver".into(), place.kind.into());
    Ok(Value::Object(arguments))
}

async fn wait_until_gone(client: &Client, cpu: &str) -> Result<(), EngineError> {
    let begun = Instant::now();
    loop {
        let places: Vec<Place> = ask(client, "query-hotpluggable-cpus").await?;
        if places.iter().all(|place| place.cpu.as_deref() != Some(cpu)) {
            return Ok(());
        }
        if begun.elapsed() > CPU_DEADLINE {
            return Err(EngineError::GuestRefused);
        }
        sleep(CPU_LOOK).await;
    }
}

async fn has_kvm(client: &Client) -> Result<bool, EngineError> {
    #[derive(Deserialize)]
    struct Kvm {
        enabled: bool,
    }
    ask::<Kvm>(client, "query-kvm").await.map(|kvm| kvm.enabled)
}

async fn set_memory(client: &Client, wanted: ByteSize) -> Result<(), EngineError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Summary {
        base_memory: u64,
        #[serde(default)]
        plugged_memory: u64,
    }
    let wanted = wanted.as_bytes();
    let summary: Summary = ask(client, "query-memory-size-summary").await?;
    let present = summary.base_memory.saturating_add(summary.plugged_memory);
    if wanted > present {
        let module = MEMORY_MODULE_MIB << 20;
        add_module(client, (wanted - present).div_ceil(module).saturating_mul(module)).await?;
    }
    client.call("balloon", json!({ "value": wanted })).await.map(|_answer| ())
}

/// A memory module that the machine has.
#[derive(Deserialize)]
struct Module {
    data: ModuleData,
}

#[derive(Deserialize)]
struct ModuleData {
    id: Option<String>,
    addr: u64,
    size: u64,
}

/// The sizes of the modules that were added, in the order of their addresses, which is that in which they came.
pub async fn added_memory(client: &Client) -> Result<Vec<ByteSize>, EngineError> {
    let mut present: Vec<Module> = ask(client, "query-memory-devices").await?;
    present.sort_by_key(|module| module.data.addr);
    Ok(present.into_iter().map(|module| ByteSize::bytes(module.data.size)).collect())
}

/// Adds a module of so many bytes.
async fn add_module(client: &Client, size: u64) -> Result<(), EngineError> {
    let present: Vec<Module> = ask(client, "query-memory-devices").await?;
    let is_taken = |name: &str| present.iter().any(|module| module.data.id.as_deref() == Some(name));
    let number = (0..=present.len()).find(|number| !is_taken(&module_name(*number))).unwrap_or_default();
    let (device, memory) = (module_name(number), module_memory(number));
    let object = json!({ "qom-type": "memory-backend-ram", "id": memory, "size": size });
    client.call("object-add", object).await?;
    let added =
        client.call("device_add", json!({ "driver": "pc-dimm", "id": device, "memdev": memory })).await;
    if let Err(error) = added {
        // Without the module its memory is of no use.
        let _gone = client.call("object-del", json!({ "id": memory })).await;
        return Err(match error {
            // No slot or no room is left, or the machine was started without any.
            EngineError::Refused { detail } => EngineError::NotWhileRunning { detail },
            other => other,
        });
    }
    Ok(())
}

/// Asks for something that is read as `T`.
async fn ask<T: for<'de> Deserialize<'de>>(client: &Client, question: &str) -> Result<T, EngineError> {
    let answer = client.call(question, json!({})).await?;
    T::deserialize(&answer)
        .map_err(|error| EngineError::Refused { detail: format!("its answer to {question} is odd: {error}") })
}
