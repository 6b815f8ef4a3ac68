//! The database as it is installed, and databases that are made up.

mod generator;
mod held_out;
mod places;
mod round_trip;
mod rules;
mod trees;
