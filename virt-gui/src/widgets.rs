//! Widgets that more than one window uses, or that are large enough to stand alone.

pub mod power;
