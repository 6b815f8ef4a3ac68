//! Guests: what each is (`config`, with its disks in `disk` and the slots of its devices in `slots`), what it does
//! (`state`, pure), how it is changed (`edit`, pure), how its power is looked after (`power`, and `battery` with
//! `viewers`), what clients are told (`view`), what of it waits for the next start (`pending`), what it has only while its system is installed (`install`), what a machine that
//! runs has (`record`), who has which disk (`volumes`), its saved state (`saved`) and its snapshots (`snapshots`),
//! what it uses (`statistics`), the task that owns one (`actor`) with what it needs of the core (`context`), the rest
//! of the core's hold on it (`handle`), how its engine is found or launched (`launch`), how one is made (`creation`, with what its
//! system needs in `systems`, and what a cloud image is told in `first_start`),
//! what the core notes in its log (`note`), and the list of all of them (`registry`).

pub mod actor;
pub mod assign;
pub mod battery;
pub mod boot;
pub mod config;
pub mod context;
pub mod creation;
pub mod devices;
pub mod disk;
pub mod disk_file;
pub mod disk_kernel;
mod disposable;
pub mod edit;
pub mod exact_size;
pub mod first_start;
pub mod forwards;
pub mod handle;
pub mod holders;
pub mod install;
pub mod launch;
pub mod limit;
pub mod network;
pub mod note;
pub mod pci;
pub mod pending;
pub mod power;
pub mod record;
pub mod registry;
pub mod room;
pub mod saved;
pub mod slots;
pub mod snapshots;
pub mod state;
pub mod statistics;
pub mod systems;
pub mod usb;
pub mod view;
pub mod viewers;
pub mod volumes;
