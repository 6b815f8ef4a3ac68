//! The window, operated as a person does it who sees the screen or has it read aloud.
//!
//! - [`Desktop`] is a screen, a session bus and the bus of assistive technology, all of the test's own.
//! - [`Place`] is a window on it, or all of them: what is looked for by role and name, pressed, and read.
//! - [`Node`] is one moment's tree of what is shown.
//!
//! What is looked for is waited for; nothing here waits for a duration. Names are those that a screen
//! reader says, so that a control without a name can't be found, and a test that needs it fails.

mod bus;
mod desktop;
mod drag;
mod hand;
mod node;
mod place;

pub use bus::{Id, Role, State, States};
pub use desktop::{Desktop, on_desktop};
pub use hand::Rect;
pub use node::Node;
pub use place::Place;

use std::time::Duration;

/// How often the screen is looked at, while something is waited for.
const LOOK: Duration = Duration::from_millis(40);
