//! The tier of the window: the real programs on a screen of their own, used as a person uses them.
//!
//! Each test is a visit that goes through several things, because a screen, a bus and two programs take
//! longer to start than most of what is then looked at.

mod library;

use hv_tests::ui::{Desktop, on_desktop};
use std::path::Path;

/// Runs a visit.
async fn visit(name: &str, steps: impl AsyncFnOnce(&Desktop)) {
    on_desktop(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("ui"), name, steps).await;
}
