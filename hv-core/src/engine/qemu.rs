//! QEMU as an engine.

mod display;
pub mod qmp;
