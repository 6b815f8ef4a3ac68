//! From a command line to calls, and from their answers to output.

mod boot_menu;
mod create;
mod disk;
mod events;
mod guests;
mod import;
mod job;
mod machine;
mod network;
mod pci;
mod saved;
mod screenshot;
mod snapshot;
mod statistics;
mod usb;

use crate::args::{Args, Call, Command, DiskAction, SnapshotAction};
use crate::console;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{HostView, MediumView, Output, SystemView, host_block, medium_block, table};
use futures_util::{StreamExt, stream};
use hv_api::client::{Connection, connect_or_start, settle};
use hv_api::{Core, Media, OsChoice, paths};
use std::path::Path;
use std::pin::pin;

/// Does what the command line asks for.
pub async fn run(args: Args, output: &mut Output) -> Result<(), Failure> {
    let mut interrupt = Interrupt::new()?;
    let socket = std::path::absolute(args.socket.unwrap_or_else(paths::socket))
        .map_err(|error| Failure::Usage(format!("the socket's path can't be used: {error}")))?;
    let mut core = interrupt.guard(connect_or_start(&socket)).await?;
    match args.command {
        Command::Call(Call::Disk { guest, action: Some(DiskAction::Add(add)) }) if add.copy => {
            let guest = guest.ok_or_else(|| Failure::no_guest("disk"))?;
            disk::copy(&mut core, &socket, &guest, *add, output, &mut interrupt).await
        }
        Command::Call(Call::Inspect { paths }) => {
            interrupt.guard(inspect(&mut core, &socket, &paths, output)).await
        }
        Command::Call(call) => interrupt.guard(answer(&mut core, call, output)).await,
        Command::Create(create) => create::run(&mut core, &socket, *create, output, &mut interrupt).await,
        Command::Save { guest } => {
            let direction = saved::Direction::Save;
            saved::run(&mut core, &socket, &guest, direction, output, &mut interrupt).await
        }
        Command::Import { file, machine, name, start, dry_run } => {
            let wish = import::Wish { file, machine, name, start, dry_run };
            import::run(&mut core, &socket, wish, output, &mut interrupt).await
        }
        Command::Restore { guest, paused } => {
            let direction = saved::Direction::Restore { paused };
            saved::run(&mut core, &socket, &guest, direction, output, &mut interrupt).await
        }
        Command::Snapshot { guest, action } => {
            let action = action.unwrap_or(SnapshotAction::List);
            snapshot::run(&mut core, &socket, &guest, action, output, &mut interrupt).await
        }
        Command::Clone { guest, new, snapshot, linked } => {
            let begin = async |core: &mut Connection| {
                settle(core.clone_guest(&guest, &new, snapshot.as_deref(), Some(linked)).await)
            };
            create::follow(&mut core, &socket, begin, output, &mut interrupt).await.map(drop)
        }
        Command::Console { guest, port } => console::attach(&mut core, &guest, port, &mut interrupt).await,
    }
}

async fn answer(core: &mut Connection, call: Call, output: &mut Output) -> Result<(), Failure> {
    match call {
        Call::Host { cpu_models: false } => host(core, output).await,
        Call::Host { cpu_models: true } => cpu_models(core, output).await,
        // With connections of its own.
        Call::Inspect { .. } => Ok(()),
        Call::Systems { search } => systems(core, &search.join(" "), output).await,
        Call::List => guests::list(core, output).await,
        Call::Show { guest } => guests::show(core, &guest, output).await,
        Call::Start { guest, dry_run: true, .. } => {
            create::show_plan(&settle(core.plan_start(&guest).await)?, output)
        }
        Call::Start { guest, paused, from_cd, kernel_entry, disposable, dry_run: false } => {
            let paused = paused.then_some(true);
            let reply = if let Some(entry) = kernel_entry {
                core.start_entry(&guest, entry, paused).await
            } else if disposable {
                core.start_disposable(&guest, paused).await
            } else if from_cd {
                core.start_from_cd(&guest, paused).await
            } else {
                core.start(&guest, paused).await
            };
            let reply = settle(reply)?;
            guests::changed(&reply.guest, output)
        }
        Call::Shutdown { guest, cancel: false } => {
            guests::changed(&settle(core.shutdown(&guest).await)?.guest, output)
        }
        Call::Shutdown { guest, cancel: true } => {
            guests::changed(&settle(core.cancel_shutdown(&guest).await)?.guest, output)
        }
        Call::ForceOff { guest } => guests::changed(&settle(core.force_off(&guest).await)?.guest, output),
        Call::Pause { guest } => guests::changed(&settle(core.pause(&guest).await)?.guest, output),
        Call::Resume { guest } => guests::changed(&settle(core.resume(&guest).await)?.guest, output),
        Call::Restart { guest } => guests::changed(&settle(core.restart(&guest).await)?.guest, output),
        Call::Reset { guest } => guests::changed(&settle(core.reset(&guest).await)?.guest, output),
        Call::Set { guest, settings } => guests::set(core, &guest, settings, output).await,
        Call::BootMenu { guest, disk, action } => {
            boot_menu::run(core, &guest, disk.as_deref(), action, output).await
        }
        Call::Disk { guest, action } => disk::disk(core, guest.as_deref(), action, output).await,
        Call::Nic { guest, action } => network::run(core, &guest, action, output).await,
        Call::Usb { guest, action } => usb::run(core, guest.as_deref(), action, output).await,
        Call::Pci { guest, action } => pci::run(core, guest.as_deref(), action, output).await,
        Call::Media { guest, action } => machine::media(core, &guest, action, output).await,
        Call::Log { guest, serial } => machine::log(core, &guest, serial, output).await,
        Call::Screenshot { guest, file } => screenshot::take(core, &guest, &file, output).await,
        Call::Key { guest, keys } => {
            settle(core.send_keys(&guest, &keys.0).await)?;
            guests::done(output)
        }
        Call::Type { guest, text } => {
            settle(core.type_text(&guest, &text).await)?;
            guests::done(output)
        }
        Call::Delete { guest, with_disks } => {
            settle(core.delete(&guest, with_disks.then_some(true)).await)?;
            guests::done(output)
        }
        Call::Stats { guest, follow } => statistics::show(core, &guest, follow, output).await,
        Call::Events => events::follow(core, output).await,
    }
}

async fn host(core: &mut Connection, output: &mut Output) -> Result<(), Failure> {
    let host = settle(core.host().await)?;
    if output.is_json() { output.object(&HostView::from(&host)) } else { output.text(&host_block(&host)) }
}

async fn cpu_models(core: &mut Connection, output: &mut Output) -> Result<(), Failure> {
    let models = settle(core.cpu_models().await)?;
    if output.is_json() {
        return output.object(&models);
    }
    models.models.iter().try_for_each(|model| output.line(model))
}

async fn systems(core: &mut Connection, search: &str, output: &mut Output) -> Result<(), Failure> {
    let found = settle(core.systems(Some(search)).await)?;
    if output.is_json() {
        return found.systems.iter().try_for_each(|system| output.object(&SystemView::from(system)));
    }
    let row = |system: &OsChoice| {
        [system.os.clone(), system.os_name.clone(), system.released.clone().unwrap_or_default()]
    };
    output.text(&table(["ID", "NAME", "RELEASED"], found.systems.iter().map(row).collect()))
}

/// Files that are looked at with one call.
const INSPECTED_AT_ONCE: usize = 100;

/// Trees on servers that are looked at beside each other.
const TREES_AT_ONCE: usize = 16;

async fn inspect(
    core: &mut Connection,
    socket: &Path,
    places: &[String],
    output: &mut Output,
) -> Result<(), Failure> {
    let mut show = |media: &Media| {
        media.media.iter().try_for_each(|medium| {
            if output.is_json() {
                output.object(&MediumView::from(medium))
            } else {
                output.text(&medium_block(medium))
            }
        })
    };
    let mut failed = None;
    // A call and its answer have an end; thousands of files may be asked for.
    let (trees, paths): (Vec<String>, Vec<String>) =
        places.iter().cloned().partition(|place| place.contains("://"));
    // Each with a connection of its own: one that is slow or fails keeps nobody from the others.
    let look = async |tree: String| -> Result<Media, Failure> {
        let mut core = connect_or_start(socket).await?;
        Ok(settle(core.inspect(&[tree]).await)?)
    };
    let mut looks = pin!(stream::iter(trees).map(look).buffer_unordered(TREES_AT_ONCE));
    let mut lost = None;
    while let Some(found) = looks.next().await {
        match found {
            Ok(media) => show(&media)?,
            Err(failure) => drop(lost.get_or_insert(failure)),
        }
    }
    for paths in paths.chunks(INSPECTED_AT_ONCE) {
        if let Ok(media) = settle(core.inspect(paths).await) {
            show(&media)?;
            continue;
        }
        // One that can't be read keeps nobody from the others.
        for path in paths {
            match settle(core.inspect(std::slice::from_ref(path)).await) {
                Ok(media) => show(&media)?,
                Err(error) => drop(failed.get_or_insert(error)),
            }
        }
    }
    failed.map(Failure::from).or(lost).map_or(Ok(()), Err)
}
