//! What the windows show and why, without any toolkit: plain functions of what the core says.

pub mod boot;
pub mod devices;
pub mod disk;
pub mod hardware;
pub mod install;
pub mod network;
pub mod offer;
pub mod pci;
pub mod power;
pub mod row;
pub mod snapshots;
pub mod startup;
pub mod state;
pub mod usage;
pub mod usb;
pub mod waiting;
