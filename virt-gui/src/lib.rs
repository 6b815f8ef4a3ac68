//! The windows of Guesthouse.

pub mod model;
pub mod widgets;
