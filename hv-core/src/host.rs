//! What this computer has for guests: the accelerator, CPUs, memory, firmware, and the folders where
//! the core keeps things.
//!
//! It measures and reports; what a guest gets of it is decided elsewhere.

pub mod accelerator;
pub mod facts;
pub mod paths;
