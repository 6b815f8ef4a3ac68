//! The core's side: starts the process that reads a disk, hands it the disk's descriptors and a question, and takes its
//! answer in. The answer is as hostile as the disk: it is bounded, and only ever shown, or done to that disk.

use super::child::{LONGEST_QUESTION, Said};
use super::default::Change;
use super::{Answer, Choice, Installed, Question, Task, image};
use crate::engine::DiskFormat;
use crate::storage::partial::PieceFile;
use crate::{files, storage};
use hv_api::{BootDefaultFault, BootMenu, BootMenuEntry, KernelFault};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg,
    socketpair,
};
use std::fs::File;
use std::io::{self, BufRead, BufReader, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tracing::{debug, warn};

/// How long it may take, all in all. The process itself gives up before.
const DEADLINE: Duration = Duration::from_secs(90);

/// The longest answer, in bytes.
const LONGEST_ANSWER: u64 = 8 << 20;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// There is nothing to start, as clients are told.
    Kernel(KernelFault, String),
    /// The default can't be changed.
    Default(BootDefaultFault, String),
    /// A file of this computer can't be used.
    File(hv_api::Error),
}

/// Which disk.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its name in the guest.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// The format of that.
    pub format: DiskFormat,
    /// Its pieces in their order, where only parts of a physical disk belong to it; its file then only
    /// names them.
    pub pieces: Vec<PieceFile>,
    /// Whether UEFI firmware would start from it.
    pub uefi: bool,
}

/// What was copied from a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extracted {
    /// The entry.
    pub entry: BootMenuEntry,
    /// The kernel.
    pub kernel: PathBuf,
    /// All its initial file systems in one file.
    pub initrd: Option<PathBuf>,
}

/// Files in the making, removed where they are not kept.
struct Copies([PathBuf; 2]);

impl Copies {
    /// Puts each in its place, unless the same is there already: by the file, its unpacked form is known.
    fn keep_as(self, places: &[PathBuf; 2]) -> Result<(), hv_api::Error> {
        for (draft, place) in self.0.iter().zip(places) {
            if !same_content(draft, place) {
                std::fs::rename(draft, place).map_err(|error| crate::store::failed(place, &error))?;
            }
        }
        Ok(())
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Whether two files hold the same; not where one can't be read.
fn same_content(one: &Path, other: &Path) -> bool {
    let open = |path: &Path| files::open_readable(path).ok();
    let (Some((one, length)), Some((other, other_length))) = (open(one), open(other)) else { return false };
    let (mut one, mut other) = (BufReader::new(one), BufReader::new(other));
    let mut compare = || -> io::Result<bool> {
        loop {
            let (a, b) = (one.fill_buf()?, other.fill_buf()?);
            let count = a.len().min(b.len());
            if count == 0 || a[..count] != b[..count] {
                return Ok(a.is_empty() && b.is_empty());
            }
            one.consume(count);
            other.consume(count);
        }
    };
    length == other_length && compare().unwrap_or(false)
}

/// Who reads.
#[derive(Debug, Clone)]
pub struct Reader {
    program: PathBuf,
}

impl Default for Reader {
    /// This program itself, also where it was replaced by a newer one meanwhile.
    fn default() -> Self {
        Self { program: "/proc/self/exe".into() }
    }
}

impl Reader {
    /// Another program, which knows the same option.
    pub fn of(program: PathBuf) -> Self {
        Self { program }
    }

    /// The menu on a disk.
    ///
    /// # Errors
    /// Where there is none.
    pub async fn menu(&self, place: &Place) -> Result<BootMenu, NoAnswer> {
        match self.ask(place, Task::Menu, Vec::new()).await? {
            Answer::Menu(menu) => Ok(menu),
            other => Err(no_answer(other)),
        }
    }

    /// Which system is on a disk, and whether a kernel of its own can be started.
    ///
    /// # Errors
    /// Where it can't be read.
    pub async fn system(&self, place: &Place) -> Result<(Option<Installed>, bool), NoAnswer> {
        match self.ask(place, Task::System, Vec::new()).await? {
            Answer::System(system, starts) => Ok((system, starts)),
            other => Err(no_answer(other)),
        }
    }

    /// Copies what an entry starts into a folder, in place of what was copied there before.
    ///
    /// # Errors
    /// Where that is not possible; then nothing is left there.
    pub async fn copy(&self, place: &Place, choice: Choice, folder: &Path) -> Result<Extracted, NoAnswer> {
        let (kernel, initrd) = (folder.join("kernel"), folder.join("initrd"));
        let drafts = [folder.join("kernel.new"), folder.join("initrd.new")];
        let (paths, home) = (drafts.clone(), folder.to_owned());
        let opened = files::off_thread(move || {
            let failed = |error: io::Error| crate::store::failed(&home, &error);
            hv_api::paths::private_folder(&home).map_err(failed)?;
            let opened = paths.iter().map(|path| {
                // Of one that was given up in the middle.
                match std::fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
                File::options().write(true).create_new(true).mode(0o600).open(path)
            });
            opened.collect::<io::Result<Vec<File>>>().map_err(failed)
        });
        // Also where nobody waits any more.
        let copies = Copies(drafts);
        let opened = opened.await.map_err(NoAnswer::File)?;
        let answer = self.ask(place, Task::Copy(choice), opened.into_iter().map(Into::into).collect()).await;
        match answer? {
            Answer::Copied { entry, initrd: has } => {
                let places = [kernel.clone(), initrd.clone()];
                files::off_thread(move || copies.keep_as(&places)).await.map_err(NoAnswer::File)?;
                Ok(Extracted { entry, kernel, initrd: has.then_some(initrd) })
            }
            other => Err(no_answer(other)),
        }
    }

    /// What has to be written to make an entry the default; nothing where it is.
    ///
    /// # Errors
    /// Where that can't be done.
    pub async fn change(&self, place: &Place, number: u32) -> Result<Option<Change>, NoAnswer> {
        match self.ask(place, Task::Default(number), Vec::new()).await? {
            Answer::Change(change) => Ok(change),
            other => Err(no_answer(other)),
        }
    }

    /// What has to be written to undo a change.
    ///
    /// # Errors
    /// Where it is no longer there.
    pub async fn undo(&self, place: &Place, change: Change) -> Result<Change, NoAnswer> {
        match self.ask(place, Task::Undo(change), Vec::new()).await? {
            Answer::Change(Some(change)) => Ok(change),
            other => Err(no_answer(other)),
        }
    }

    async fn ask(&self, place: &Place, task: Task, outputs: Vec<OwnedFd>) -> Result<Answer, NoAnswer> {
        let (path, format, pieces) = (place.path.clone(), place.format, place.pieces.clone());
        let opened = files::off_thread(move || {
            if !pieces.is_empty() {
                let opened =
                    pieces.iter().map(|one| Ok((files::open_readable(&one.path)?.0, Some(DiskFormat::Raw))));
                return opened.collect();
            }
            let mut opened = vec![(files::open_readable(&path)?.0, Some(format))];
            // Only such a volume names others as its own.
            let below = if format == DiskFormat::Qcow2 { storage::layers(&path) } else { Vec::new() };
            for layer in below {
                opened.push((files::open_readable(&layer.path)?.0, layer.format));
            }
            Ok(opened)
        });
        let opened = opened.await.map_err(NoAnswer::File)?;
        let unknown = || {
            let detail = "a file that the disk builds on is in a format that it does not name".to_owned();
            NoAnswer::Kernel(KernelFault::Format, detail)
        };
        if opened.len() > image::MOST_LAYERS {
            return Err(unknown());
        }
        let (mut descriptors, mut formats) = (Vec::new(), Vec::new());
        for (file, format) in opened {
            descriptors.push(OwnedFd::from(file));
            formats.push(format.ok_or_else(unknown)?);
        }
        descriptors.extend(outputs);
        let pieces = place.pieces.iter().map(|piece| piece.length).collect();
        let question = Question { formats, pieces, uefi: place.uefi, disk: place.name.clone(), task };
        let failed = |error: &dyn std::fmt::Display| {
            NoAnswer::Kernel(KernelFault::Unreadable, format!("the disk could not be read: {error}"))
        };
        let answered = self.run(&question, &descriptors).await.map_err(|error| failed(&error))?;
        let said: Said = serde_json::from_slice(&answered).map_err(|error| failed(&error))?;
        if !(said.landlock && said.seccomp) {
            tell_once(&said);
        }
        Ok(said.answer)
    }

    /// Starts the process and waits for its answer.
    async fn run(&self, question: &Question, descriptors: &[OwnedFd]) -> io::Result<Vec<u8>> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let question = serde_json::to_vec(question).map_err(io::Error::other)?;
        if question.len() > LONGEST_QUESTION {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(image::MOST_LAYERS + 2))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(&borrowed)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        sendmsg(&ours, &[IoSlice::new(&question)], &mut ancillary, SendFlags::NOSIGNAL)?;
        let mut child = Command::new(&self.program)
            .arg("--read-boot-menu")
            .env_clear()
            .stdin(theirs)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (output, words) = (child.stdout.take(), child.stderr.take());
        let (mut answer, mut last_words) = (Vec::new(), Vec::new());
        let reading = async {
            let answer = async {
                if let Some(output) = output {
                    output.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
                }
                io::Result::Ok(())
            };
            let words = async {
                if let Some(words) = words {
                    words.take(4096).read_to_end(&mut last_words).await?;
                }
                io::Result::Ok(())
            };
            let (answered, _worded) = tokio::join!(answer, words);
            answered?;
            child.wait().await
        };
        let ended = tokio::time::timeout(DEADLINE, reading).await;
        let status = ended.unwrap_or_else(|_late| Err(io::ErrorKind::TimedOut.into()))?;
        if status.success() {
            return Ok(answer);
        }
        debug!(words = %String::from_utf8_lossy(&last_words), "what reads a guest's disk ended");
        Err(io::Error::other(format!("what reads it ended: {status}")))
    }
}

fn no_answer(answer: Answer) -> NoAnswer {
    match answer {
        Answer::Nothing(fault, detail) => NoAnswer::Kernel(fault, detail),
        Answer::Fixed(fault, detail) => NoAnswer::Default(fault, detail),
        Answer::Menu(_) | Answer::System(..) | Answer::Copied { .. } | Answer::Change(_) => {
            NoAnswer::Kernel(KernelFault::Unreadable, "it answered something else".into())
        }
    }
}

/// Says that this kernel lacks something, once for each core.
fn tell_once(said: &Said) {
    static TOLD: AtomicBool = AtomicBool::new(false);
    if !TOLD.swap(true, Ordering::Relaxed) {
        let (landlock, seccomp) = (said.landlock, said.seccomp);
        warn!(landlock, seccomp, "guests' disks are read by a process that is kept by less than it could be");
    }
}
