//! The hypervisor core: keeps every guest of one user, starts and watches their engines, and serves
//! clients over a local socket.
//!
//! Who owns what, and what knows what, is in `ARCHITECTURE.md`.

pub mod answers;
pub mod appliance;
pub mod autostart;
pub mod bootmenu;
pub mod daemon;
pub mod display;
pub mod engine;
pub mod express;
pub mod files;
pub mod guest;
pub mod host;
pub mod import;
pub mod inspect;
pub mod job;
pub mod kernel;
pub mod keys;
pub mod medium;
pub mod osdb;
pub mod seed;
pub mod serial;
pub mod server;
pub mod session;
pub mod storage;
pub mod store;
pub mod switch;
pub mod tree;
