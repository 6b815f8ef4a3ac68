//! The New Guest window: from a medium to a guest in one form.
#![deny(missing_docs)]

mod defaults;
mod flow;
mod form;
mod sizes;
mod texts;
