//! What the window and the wizard share: the handle on the core, the words for problems and for files, translation.
//!
//! It knows `hv-api` and no widgets. All work on the socket happens on one thread of its own; what the
//! window gets are futures that can be awaited on any executor.
#![deny(missing_docs)]

pub mod daemon;
pub mod i18n;
pub mod problem;
pub mod words;
