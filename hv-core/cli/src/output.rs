//! The answer on standard output: JSON for programs, text for people.

mod boot_menu;
mod host_disk;
mod human;
mod media;
mod network;
mod pci;
mod statistics;
mod text;
mod usb;
mod views;

pub use boot_menu::{BootMenuView, boot_menu_block};
pub use host_disk::HostDiskView;
pub use human::{guest_block, host_block, moment, table};
pub use media::{MediumView, SystemView, medium_block};
pub use network::{NicsView, mode_words};
pub use pci::{GuestPciView, HeldPciView, PciView};
pub use statistics::{StatisticsView, usage_block, usage_head, usage_line};
pub use text::{command_line, escaped, printable_lines};
pub use usb::{GuestUsbView, HeldUsbView, UsbView};
pub use views::{
    DiskReplyView, DisksView, DriveView, GuestView, HostView, JobView, LogView, MediaView, PlanView,
    ProgressView, ScreenshotView, SettingsView, SnapshotsView, wire_word,
};

use crate::failure::Failure;
use serde::Serialize;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

/// Enough that a list of a thousand guests takes few writes.
const BUFFER_SIZE: usize = 64 * 1024;

/// Standard output, buffered. It is locked for each write only: a console writes beside it.
#[derive(Debug)]
pub struct Output {
    json: bool,
    writer: BufWriter<Stdout>,
}

impl Output {
    /// Standard output, for programs or for people.
    pub fn new(json: bool) -> Self {
        Self { json, writer: BufWriter::with_capacity(BUFFER_SIZE, io::stdout()) }
    }

    /// Whether it is for programs.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether somebody looks at it directly.
    pub fn is_terminal(&self) -> bool {
        self.writer.get_ref().is_terminal()
    }

    /// Writes one JSON object in a line of its own.
    pub fn object(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.writer, value).map_err(io::Error::from)?;
        self.writer.write_all(b"\n")?;
        Ok(())
    }

    /// Writes a text as it is.
    pub fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.writer.write_all(text.as_bytes())?;
        Ok(())
    }

    /// Writes a line.
    pub fn line(&mut self, line: &str) -> Result<(), Failure> {
        self.text(line)?;
        self.text("\n")
    }

    /// Hands out what was written so far.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.writer.flush()?;
        Ok(())
    }
}
