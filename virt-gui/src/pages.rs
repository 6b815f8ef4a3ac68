//! The pages of the window: each shows a part of the model and says what is wished.

pub mod away;
pub mod empty;
pub mod guest;
pub mod library;
