//! What is wrong with a name, a file, a tree, a definition, and what was tried: the words of [`super::Error`].

use serde::{Deserialize, Serialize};
use zlink::introspect::CustomType;

/// What is wrong with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum NameFault {
    /// It is empty or only blanks.
    Empty,
    /// It has more than 64 characters.
    TooLong,
    /// It has a character that names may not have: `/`, a control character, a blank at an end, or
    /// a dot at the beginning.
    BadCharacter,
}

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum FileFault {
    /// There is none at that path.
    Missing,
    /// This user may not read it.
    NoPermission,
    /// It is a folder.
    IsFolder,
    /// It is neither a file nor a block device.
    NotAFile,
    /// It has no content.
    Empty,
    /// The path is not absolute.
    NotAbsolute,
    /// It is not in a format that can be used here.
    WrongFormat,
    /// It could not be read; `detail` says why.
    Unreadable,
}

/// What is wrong with a file that belongs to an appliance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum ApplianceFault {
    /// It is not there.
    Missing,
    /// Its name, or a link, leads out of the appliance.
    Outside,
    /// It is somewhere on a network.
    Remote,
    /// It is in pieces, which can't be put together here.
    InPieces,
}

/// What is wrong with an install tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum TreeFault {
    /// It is no address that can be fetched from.
    Address,
    /// Its server can't be reached, or broke off.
    Unreachable,
    /// Its server took too long.
    Overdue,
    /// Its server refused.
    Refused,
    /// Its server's certificate is not trusted.
    Certificate,
    /// Its server leads elsewhere too often, or where nobody should follow.
    Redirects,
    /// There is no tree.
    NotATree,
    /// It is a tree, and its installer's kernel is not known.
    NoKernel,
    /// A file that it needs is not there, or outside of it.
    Missing,
    /// A file is larger than any such file is.
    TooLarge,
    /// A file is not what the tree says that it is.
    Checksum,
    /// It is for another processor.
    Processor,
}

/// What is wrong with a guest's definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum DefinitionFault {
    /// It is cut short, or not written as a definition is.
    Malformed,
    /// It was written by a newer version of this program.
    Newer,
    /// The file can't be read.
    Unreadable,
}

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum Operation {
    /// Make a guest.
    Create,
    /// Start it.
    Start,
    /// Ask it to shut down.
    Shutdown,
    /// Take its power away.
    ForceOff,
    /// Stop its CPUs.
    Pause,
    /// Let its CPUs go on.
    Resume,
    /// Ask it to shut down, and start it anew.
    Restart,
    /// Press its reset button.
    Reset,
    /// Wait no longer until it has shut down.
    CancelShutdown,
    /// Write its memory to a file and end its engine.
    Save,
    /// Let it go on with its saved state.
    Restore,
    /// Throw its saved state away.
    Discard,
    /// Change its settings.
    Set,
    /// Put a medium into a drive.
    InsertMedium,
    /// Take a medium out of a drive.
    EjectMedium,
    /// Take a picture of its display.
    Screenshot,
    /// Show its display.
    OpenDisplay,
    /// Show a serial port.
    OpenSerial,
    /// Press keys.
    SendKeys,
    /// Say what it uses.
    Statistics,
    /// Show or change the boot menu on its disk.
    BootMenu,
    /// Take a snapshot of it.
    TakeSnapshot,
    /// Put it back to a snapshot.
    RestoreSnapshot,
    /// Delete one of its snapshots.
    DeleteSnapshot,
    /// Make another guest of it.
    Clone,
    /// Delete it.
    Delete,
}
